"""The kinds of values in Smart Gift's answers, each read with its own tolerance."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
)

from wagtail_smartgift.money import parse_provider_money, parse_provider_number


_T = TypeVar("_T")


def _text(value: object) -> object:
    """Take numbers for texts, and leave out what no database stores (NUL, surrogates)."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        value = str(value)
    return storable(value) if isinstance(value, str) else value


def storable(text: str) -> str:
    """Leave out what no database stores: NUL, and halves of surrogate pairs."""
    # What was hidden from error pages stays so.
    kind = type(text)
    return kind(text.replace("\0", "").encode("utf-8", "replace").decode())


def _optional_text(value: object) -> object:
    """Take anything that is not a text for none: it is only for show."""
    value = _text(value)
    return value if isinstance(value, str) else ""


def whole_number(value: object) -> int:
    """Read a whole number, also from its text.

    Raises:
        ValueError: it is none.
    """
    number = parse_provider_number(value)
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def _loose_whole_number(value: object) -> int | None:
    """Take anything that is not a whole number for none: it is only for show."""
    try:
        return whole_number(value)
    except ValueError:
        return None


def _or_none(read: Callable[[object], _T]) -> Callable[[object], _T | None]:
    def read_optional(value: object) -> _T | None:
        return None if value is None or value == "" else read(value)

    return read_optional


_WHEN = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")
_DATETIME: TypeAdapter[dt.datetime] = TypeAdapter(dt.datetime)


def _when(value: object) -> dt.datetime | None:
    """Read ISO 8601 and ``Y-m-d H:i:s``; aware only where the text has an offset."""
    if not isinstance(value, str) or not _WHEN.match(value.strip()):
        return None
    try:
        return _DATETIME.validate_python(value.strip())
    except ValidationError:
        return None


def _flag(value: object) -> bool:
    return value in (True, 1, "1", "true")


def as_list(value: object) -> object:
    """Undo PHP's encoding of a filtered list as ``{"1": …, "2": …}``."""
    if isinstance(value, Mapping) and all(key.isdecimal() for key in value):
        return list(value.values())
    return [] if value is None else value


Text = Annotated[str, BeforeValidator(_text)]
OptionalText = Annotated[str, BeforeValidator(_optional_text)]
Integer = Annotated[int, BeforeValidator(whole_number)]
OptionalInteger = Annotated[int | None, BeforeValidator(_or_none(whole_number))]
LooseInteger = Annotated[int | None, BeforeValidator(_loose_whole_number)]
OptionalMoney = Annotated[
    Decimal | None, BeforeValidator(_or_none(parse_provider_money))
]
OptionalWhen = Annotated[dt.datetime | None, BeforeValidator(_when)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class Answer(BaseModel):
    """Frozen, blind to unknown keys, and silent about values in its errors."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
