"""The kinds of values that schemas are made of, and how they are read and described.

Each refuses in the customer's language, and nothing is taken for what it only looks
like: ``"37"`` is no number, and ``0`` is no ``false``.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from django.db.models import TextChoices
from django.utils.translation import gettext as _
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from wagtail_smartgift import representations
from wagtail_smartgift.money import format_money, parse_amount
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.references import WRONG_REFERENCE, is_reference


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_PATTERN = r"^\d{1,8}(\.\d{1,2})?$"


Money = Annotated[
    Decimal,
    PlainSerializer(format_money, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+\.\d{2}$", "examples": ["25.00"]}
    ),
]
Moment = Annotated[
    datetime,
    PlainSerializer(representations.zulu, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-03-01T14:32:00Z"]}
    ),
]


def _reading(*, allow_zero: bool) -> Callable[[object], Decimal]:
    """Return a reader of amounts that refuses in the customer's language."""

    def read(value: object) -> Decimal:
        try:
            return parse_amount(value, allow_zero=allow_zero)
        except ValueError:
            raise ValueError(
                _("Use an amount with at most two decimals, such as 25.00.")
            ) from None

    return read


def _amount_schema(*, above: bool) -> WithJsonSchema:
    """Describe an amount: such a text, or the equal number."""
    text = {"type": "string", "pattern": _PATTERN}
    number = {
        "type": "number",
        "exclusiveMinimum" if above else "minimum": 0,
        "maximum": 99_999_999.99,
        "description": "With at most two decimals.",
    }
    return WithJsonSchema(
        {
            "anyOf": [
                {**text, "not": {"pattern": "^[0.]*$"}} if above else text,
                number,
            ],
            "examples": ["25.00"],
        }
    )


Amount = Annotated[
    Decimal, BeforeValidator(_reading(allow_zero=False)), _amount_schema(above=True)
]
AmountOrZero = Annotated[
    Decimal, BeforeValidator(_reading(allow_zero=True)), _amount_schema(above=False)
]


#: No null: left out and null are two things where one of them gives everything back.
AmountIfAny = Annotated[
    Decimal | None,
    BeforeValidator(_reading(allow_zero=False)),
    _amount_schema(above=True),
]


def _whole(value: object) -> object:
    """Refuse what is no number but could be taken for one: ``true``, ``"5"``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(_("This must be a whole number."))
    return value


Whole = Annotated[int, BeforeValidator(_whole)]


def is_storable(text: str) -> bool:
    """Tell whether a database column, and a printed card, can hold ``text``."""
    text = Secret(text)
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _storable(text: str) -> str:
    text = Secret(text)
    if not is_storable(text):
        raise ValueError(_("This text has characters that cannot be stored."))
    return str(text)


def _reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError(WRONG_REFERENCE)
    return text


Text = Annotated[str, AfterValidator(_storable)]
#: A voucher number; no error page shows it.
Number = Annotated[Text, AfterValidator(Secret)]
Reference = Annotated[
    str,
    AfterValidator(_reference),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^[A-Za-z0-9._~-]{1,64}$",
            "examples": ["order-1042"],
        }
    ),
]
SITE: Any = Field(None, description="Host name of the Wagtail site.")
VOUCHER_NO: Any = Field(
    repr=False,
    description="As the customer typed it; white space does not matter.",
    examples=["GIFT 1234 5678"],
)


def _day(value: object) -> object:
    """Read a day only as it is written in JSON; a number would be one of 1970."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError(_("This must be a date such as 2030-12-24."))
    return value


def word(choices: type[TextChoices]) -> WithJsonSchema:
    """Describe one of our closed vocabularies."""
    return WithJsonSchema({"type": "string", "enum": list(choices.values)})


Day = Annotated[date, BeforeValidator(_day)]


def _method(value: object) -> object:
    """Read the id of a delivery method, which settings may write as either."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError(_("Choose a delivery method."))
    return _storable(value) if isinstance(value, str) else value


DeliveryMethodId = Annotated[
    Any,
    BeforeValidator(_method),
    WithJsonSchema({"type": ["integer", "string"], "examples": [1]}),
]
