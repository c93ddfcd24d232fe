"""What a shop's messages look like: ``{type, timestamp, data}``.

The envelope is the Standard Webhooks specification's and may grow, so what is not known
in it is passed over. ``data`` is ours: what is not known there is refused, as
everywhere in this API, since a misspelt ``amount`` must not refund everything. Nothing
is repeated back of what did not look right.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from django.utils.translation import gettext_lazy as _
from ninja import Schema
from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from wagtail_smartgift.api.errors import message_for, path_of
from wagtail_smartgift.api.fields import AmountOrZero, Reference, is_storable
from wagtail_smartgift.api.reading import strict_json
from wagtail_smartgift.api.schemas import Body, PlaceOrder, Refund
from wagtail_smartgift.choices import ShopEvent
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models.webhooks import LONGEST_TYPE
from wagtail_smartgift.redaction import SecretBytes


_TYPE = rf"^[\x21-\x7e]{{1,{LONGEST_TYPE}}}$"
#: Levels of lists and objects in ``data``; an order's item is on the third.
DEEPEST = 8
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*", re.ASCII)


def _written_out(value: object) -> object:
    """Refuse numbers, of which nobody knows whether they are seconds."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(_("Use a time such as 2030-12-24T10:00:00Z."))
    return value


class Envelope(Schema):
    """What is the same in every message."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, Field(pattern=_TYPE)]
    timestamp: Annotated[AwareDatetime, BeforeValidator(_written_out)]
    data: Any


class OrderConfirmed(Body):
    reference: Reference
    amount: AmountOrZero | None = Field(
        None, description="What the card authorised; nothing is redeemed if it differs."
    )


class OrderCancelled(Body):
    reference: Reference
    amount: AmountOrZero | None = Field(
        None, description="All that vouchers cover; nothing is undone if it differs."
    )


class OrderRefunded(Refund):
    reference: Reference


class CatalogueChanged(Body):
    pass


#: What ``data`` is, of each type.
DATA: Mapping[str, type[Schema]] = {
    ShopEvent.ORDER_CONFIRMED: OrderConfirmed,
    ShopEvent.ORDER_CANCELLED: OrderCancelled,
    ShopEvent.ORDER_REFUNDED: OrderRefunded,
    ShopEvent.ORDER_PAID: PlaceOrder,
    ShopEvent.CATALOGUE_CHANGED: CatalogueChanged,
}


@dataclass(frozen=True)
class Event:
    """A message that has the right shape."""

    type: str
    #: As JSON can hold it; empty for a type that is not known.
    data: Mapping[str, Any] = field(repr=False)
    reference: str = ""


def read_event(body: bytes) -> Event:
    """Read what was signed.

    Raises:
        PaymentError: ``malformed``, with what is wrong under its dotted name.
    """
    body = SecretBytes(body)
    try:
        document = strict_json(body)
    except ValueError:
        raise PaymentError("malformed", _("The message is not valid JSON.")) from None
    envelope = _validate(Envelope, document, ())
    schema = DATA.get(envelope.type)
    if schema is None:
        return Event(type=envelope.type, data={})
    if not _can_be_written_down(envelope.data, DEEPEST):
        raise PaymentError(
            "malformed",
            _(
                "The message has characters that cannot be stored, or is nested too deeply."
            ),
        )
    data = _validate(schema, envelope.data, ("data",))
    return Event(
        type=envelope.type,
        data=data.model_dump(mode="json", by_alias=True, exclude_unset=True),
        reference=str(getattr(data, "reference", "")),
    )


def _can_be_written_down(value: object, levels: int) -> bool:
    """Tell whether it can be written down again, wherever a schema lets anything in."""
    if isinstance(value, str):
        return is_storable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return levels > 0 and all(
            _can_be_written_down(item, levels - 1) for item in value
        )
    return True


def _validate(schema: type[Any], value: object, where: tuple[str, ...]) -> Any:
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        raise PaymentError(
            "malformed",
            _("The message does not have the right shape."),
            fields=dict(_fields(error.errors(include_input=False), where)),
        ) from None


def _fields(items: Iterable[Any], where: tuple[str, ...]) -> Iterable[tuple[str, str]]:
    for item in items:
        yield path_of({**item, "loc": (*where, *item["loc"])}), message_for(item)
