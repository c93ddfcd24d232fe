"""Smart Gift's JSON, in and out: the only place that knows its field names.

The docs exist in several generations that disagree, so what comes in is read with
tolerance: money as string or number, under ``data`` or not, keys and statuses that
nobody has heard of, fields that only some generations have. What an answer cannot do
without (a balance, an id, a token) is required all the same: an answer that lacks it
is not understood, and ``ValueError`` says where without saying what.

What goes out are frozen dataclasses, since it was validated before it came here.
Nothing secret and nothing personal is in any ``repr``.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from wagtail_smartgift.client import inferred
from wagtail_smartgift.money import parse_provider_money, parse_provider_number


Json = Mapping[str, Any]
_T = TypeVar("_T")


# --- Pieces of answers ------------------------------------------------------------------


def _text(value: object) -> object:
    """Take numbers for texts, and leave out what no database stores (NUL, surrogates)."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    return value


def _optional_text(value: object) -> object:
    """Take anything that is not a text for none: it is only for show."""
    value = _text(value)
    return value if isinstance(value, str) else ""


def _integer(value: object) -> int:
    number = parse_provider_number(value)
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def _loose_integer(value: object) -> int | None:
    """Take anything that is not a whole number for none: it is only for show."""
    try:
        return _integer(value)
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


def _as_list(value: object) -> object:
    """Undo PHP's encoding of a filtered list as ``{"1": …, "2": …}``."""
    if isinstance(value, Mapping) and all(key.isdecimal() for key in value):
        return list(value.values())
    return [] if value is None else value


Text = Annotated[str, BeforeValidator(_text)]
OptionalText = Annotated[str, BeforeValidator(_optional_text)]
Integer = Annotated[int, BeforeValidator(_integer)]
OptionalInteger = Annotated[int | None, BeforeValidator(_or_none(_integer))]
LooseInteger = Annotated[int | None, BeforeValidator(_loose_integer)]
OptionalMoney = Annotated[
    Decimal | None, BeforeValidator(_or_none(parse_provider_money))
]
OptionalWhen = Annotated[dt.datetime | None, BeforeValidator(_when)]
Flag = Annotated[bool, BeforeValidator(_flag)]


class _Answer(BaseModel):
    """Frozen, blind to unknown keys, and silent about values in its errors."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


# --- Answers ----------------------------------------------------------------------------


class CatalogueVoucher(_Answer):
    """A product of ``/vouchers``.

    ``status`` is empty in the older answers that have none. ``value`` is the price of
    an experience; ``min``, ``max`` and ``increments`` belong to monetary ones.
    """

    id: Integer = Field(gt=0)
    title: Text
    type: Text = Field(min_length=1)
    status: OptionalText = ""
    selling_description: OptionalText = ""
    value: OptionalMoney = None
    min: OptionalMoney = None
    max: OptionalMoney = None
    increments: OptionalMoney = None
    persons_min: OptionalInteger = None
    persons_max: OptionalInteger = None
    #: Stock left; None when Smart Gift does not count it.
    available_count: OptionalInteger = None
    #: Validity, in years as far as can be told; only in the older answers.
    expiry: LooseInteger = None
    image: OptionalText = ""
    created_at: OptionalWhen = None
    updated_at: OptionalWhen = None


class PaymentMethod(_Answer):
    """A way of paying that an order of ``/pos-sale`` names by its id."""

    id: Integer = Field(gt=0)
    name: OptionalText = ""


class Experience(_Answer):
    """One part of an experience voucher; ``bit_value`` is a flag and never money."""

    bit_value: Integer = Field(gt=0)
    id: LooseInteger = None
    name: OptionalText = ""
    description: OptionalText = ""


class VoucherState(_Answer):
    """What ``/redeem/check`` says of a voucher.

    ``remaining_value`` is money for a monetary voucher and the sum of the remaining
    ``bit_value`` for an experience. ``held`` is None where the answer does not say (the
    older generation); a ``held_until`` that cannot be read still counts as held. It is
    naive where Smart Gift sent no offset. ``answered_at`` is Smart Gift's clock when it
    answered (aware), from the answer's headers; None where they do not tell.
    """

    id: LooseInteger = None
    name: OptionalText = ""
    description: OptionalText = ""
    voucher_no: OptionalText = Field(default="", repr=False)
    type: Text = Field(min_length=1)
    remaining_value: Decimal
    available_to_redeem: Decimal | None = None
    sold_out: Flag = False
    experiences: tuple[Experience, ...] = ()
    held: bool | None = None
    held_until: OptionalWhen = None
    answered_at: dt.datetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _read(cls, answer: Any) -> Any:
        if not isinstance(answer, Mapping):
            return answer
        read = dict(answer)
        read.pop("answered_at", None)
        kind = str(read.get("type", "")).strip().lower()
        read["type"] = kind
        number = _integer if kind == "experience" else parse_provider_money
        remaining = Decimal(number(read.get("remaining_value")))
        if remaining < 0:
            raise ValueError("remaining_value is negative")
        read["remaining_value"] = remaining
        read["available_to_redeem"] = _available(read.get("available_to_redeem"))
        read["experiences"] = _as_list(read.get("experiences"))
        read["held"] = None
        if "held_until" in read:
            read["held"] = read["held_until"] not in (None, "", False)
        return read


class HoldReceipt(_Answer):
    """The right to redeem or release a held voucher; a secret."""

    hold_token: str = Field(min_length=1, repr=False)


class RedeemReceipt(_Answer):
    """The ids of what was redeemed: the only handle for undoing it."""

    redemptions: tuple[int | str, ...] = Field(min_length=1)


class UnifiedReceipt(_Answer):
    """What ``/redeem-unified`` took; ``amount`` is None where the answer hides it.

    ``redemptions`` is empty only where the answer says that nothing was taken.
    """

    redemptions: tuple[int | str, ...]
    amount: Decimal | None = None


class SaleReceipt(_Answer):
    """The order that a sale made, and the voucher numbers if the answer names them."""

    order_id: Text = Field(min_length=1)
    reference: OptionalText = ""
    codes: tuple[str, ...] = Field(default=(), repr=False)


def _available(value: object) -> Decimal | None:
    if isinstance(value, Mapping):
        found = (value.get(key) for key in inferred.AVAILABLE_TO_REDEEM_KEYS)
        value = next((item for item in found if item is not None), None)
    try:
        return parse_provider_money(value)
    except ValueError:
        return None


# --- Reading whole answers --------------------------------------------------------------


def unwrap(body: object) -> object:
    """Take off the ``data`` envelope that some endpoints have."""
    if isinstance(body, Mapping) and body.get("data") is not None:
        return body["data"]
    return body


def read_catalogue(body: object) -> list[CatalogueVoucher]:
    """Read all of ``/vouchers`` or nothing: half a catalogue would take goods off sale.

    Raises:
        ValueError: the answer, or one product in it, is not understood.
    """
    return _unique(_items(body, lists=(), model=CatalogueVoucher))


def read_payment_methods(body: object) -> list[PaymentMethod]:
    """Raises: ValueError: the answer, or one method in it, is not understood."""
    return _unique(
        _items(body, lists=inferred.PAYMENT_METHOD_LISTS, model=PaymentMethod)
    )


def read_check(body: object) -> VoucherState:
    """Raises: ValueError: the answer names no type or no balance."""
    return VoucherState.model_validate(unwrap(body))


def read_hold(body: object) -> HoldReceipt:
    """Raises: ValueError: there is no token in the answer."""
    return HoldReceipt.model_validate(_fields(body))


def read_done(body: object) -> None:
    """Read the answer of release and reverse, which say nothing but a message.

    Raises:
        ValueError: the answer is not an object, or lists errors.
    """
    if not isinstance(body, Mapping) or body.get("errors"):
        raise ValueError("not a confirmation")


def read_redeem(body: object) -> RedeemReceipt:
    """Raises: ValueError: there are no redemption ids in the answer."""
    return RedeemReceipt(redemptions=_redemptions(_fields(body)))


def read_unified(body: object) -> UnifiedReceipt:
    """Raises: ValueError: the answer says neither what was redeemed nor "nothing"."""
    data = _fields(body)
    amount = None
    for key in inferred.UNIFIED_AMOUNT_KEYS:
        if data.get(key) is not None:
            amount = parse_provider_money(data[key])
            break
    redemptions = _redemptions(data)
    if not redemptions and amount != 0:
        raise ValueError("no redemptions")
    return UnifiedReceipt(redemptions=redemptions, amount=amount)


def read_sale(body: object) -> SaleReceipt:
    """Raises: ValueError: the answer names no order."""
    data = _fields(body)
    codes = []
    for name in inferred.SALE_CODE_LISTS:
        items = _as_list(data.get(name))
        for item in items if isinstance(items, list) else ():
            if isinstance(item, Mapping):
                found = (item.get(key) for key in inferred.SALE_CODE_KEYS)
                codes += [str(code) for code in found if isinstance(code, (str, int))][
                    :1
                ]
        if codes:
            break
    return SaleReceipt.model_validate(
        {
            "order_id": data.get("order_id"),
            "reference": data.get("reference"),
            "codes": codes,
        }
    )


def read_errors(body: object) -> tuple[str, dict[str, tuple[str, ...]]]:
    """Read ``message`` and ``errors`` of a refusal; what is not there is empty."""
    if not isinstance(body, Mapping):
        return "", {}
    message = body.get("message")
    errors = body.get("errors")
    fields = {}
    if isinstance(errors, Mapping):
        for name, texts in errors.items():
            several = texts if isinstance(texts, list) else [texts]
            fields[str(name)] = tuple(text for text in several if isinstance(text, str))
    return message if isinstance(message, str) else "", fields


def _fields(body: object) -> Json:
    """Return the fields of an answer, in the envelope or beside it.

    What an answer about money says must not be lost because it stands a level higher.
    """
    if not isinstance(body, Mapping):
        raise ValueError("not an object")
    inner = body.get("data")
    return {**body, **inner} if isinstance(inner, Mapping) else body


_Item = TypeVar("_Item", CatalogueVoucher, PaymentMethod)


def _items(body: object, *, lists: Sequence[str], model: type[_Item]) -> list[_Item]:
    if inferred.has_more_pages(body):
        raise ValueError("one page of several")
    found = unwrap(body)
    for name in lists:
        if isinstance(found, Mapping) and name in found:
            found = found[name]
    # An object without keys is not a list that PHP wrote: it writes ``[]``.
    found = _as_list(found) if found else found
    if not isinstance(found, list):
        raise ValueError("not a list")
    return TypeAdapter(list[model]).validate_python(found)  # type: ignore[valid-type] # which of the two models is known only here


def _unique(items: list[_Item]) -> list[_Item]:
    """Drop repetitions; two different items with one id cannot both be right."""
    found: dict[int, _Item] = {}
    for item in items:
        if found.setdefault(item.id, item) != item:
            raise ValueError("two different items have the same id")
    return list(found.values())


def _redemptions(data: Json) -> tuple[int | str, ...]:
    found = _as_list(data.get("redemptions"))
    if not isinstance(found, list) or "redemptions" not in data:
        raise ValueError("no redemptions")
    return tuple(_redemption_id(item) for item in found)


def _redemption_id(value: object) -> int | str:
    """Keep an id as it came (a text stays a text), since it is sent back so."""
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError("not a redemption id")
    return _integer(value)


# --- Requests ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class MetaCondition:
    """A condition on a voucher's meta data: ``equals``, ``contains`` or ``in``."""

    key: str
    operator: str
    value: str | int | tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which experiences count (any classification), which vouchers pass (all conditions)."""

    classifications: tuple[str, ...] = ()
    meta_conditions: tuple[MetaCondition, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SaleItem:
    """One voucher to sell; there is no quantity, so two are two items.

    ``price`` is required for a monetary product; Smart Gift computes an experience's.
    ``code`` is the voucher number that we choose for it.
    """

    id: int
    price: Decimal | None = None
    persons: int | None = None
    to: str | None = field(default=None, repr=False)
    from_: str | None = field(default=None, repr=False)
    message: str | None = field(default=None, repr=False)
    code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, repr=False)
class SaleCustomer:
    """Who buys; Smart Gift requires all but ``phone`` and ``address2``."""

    first_name: str
    last_name: str
    email: str
    address1: str
    city: str
    postcode: str
    address2: str | None = None
    county: str | None = None
    phone: str | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class SaleAddress:
    """Where a posted voucher goes."""

    first_name: str
    last_name: str
    address1: str
    city: str
    postcode: str
    address2: str | None = None
    county: str | None = None


@dataclass(frozen=True, kw_only=True)
class SaleDelivery:
    """How an order is delivered: one way and one address, however many items.

    Smart Gift sends at once, silently, for a ``date`` of today or before.
    """

    method: int | str
    price: Decimal
    date: dt.date | None = None
    address: SaleAddress | None = None


@dataclass(frozen=True, kw_only=True)
class SaleRequest:
    """An order of vouchers; ``reference`` is unique for ever among the company's."""

    reference: str
    items: tuple[SaleItem, ...]
    customer: SaleCustomer
    delivery: SaleDelivery
    payment_method_id: int


def write_filters(filters: Filters) -> dict[str, Any]:
    """Write only the parts that filter something."""
    body: dict[str, Any] = {}
    if filters.classifications:
        body["classifications"] = list(filters.classifications)
    if filters.meta_conditions:
        body["meta_conditions"] = [
            {
                "key": condition.key,
                "operator": condition.operator,
                "value": list(condition.value)
                if isinstance(condition.value, tuple)
                else condition.value,
            }
            for condition in filters.meta_conditions
        ]
    return body


def write_sale(request: SaleRequest) -> dict[str, Any]:
    """Write the body of ``/pos-sale``; what is not set is left out."""
    delivery: dict[str, Any] = {
        "delivery_method": inferred.delivery_method_value(request.delivery.method),
        "price": inferred.json_number(request.delivery.price),
    }
    if request.delivery.date is not None:
        delivery["delivery_date"] = request.delivery.date.strftime(
            inferred.DELIVERY_DATE_FORMAT
        )
    if request.delivery.address is not None:
        delivery |= _named(request.delivery.address, inferred.DELIVERY_ADDRESS_FIELDS)
    return {
        "reference": request.reference,
        inferred.PAYMENT_METHOD_FIELD: request.payment_method_id,
        "items": [_write_item(item) for item in request.items],
        "customer": _named(request.customer, inferred.CUSTOMER_FIELDS),
        "delivery": delivery,
    }


def _write_item(item: SaleItem) -> dict[str, Any]:
    body = {
        "id": item.id,
        "price": None if item.price is None else inferred.json_number(item.price),
        "persons": item.persons,
        "to": item.to,
        "from": item.from_,
        "message": item.message,
        "code": item.code,
    }
    return {name: value for name, value in body.items() if value not in (None, "")}


def _named(
    source: SaleCustomer | SaleAddress, names: Mapping[str, str]
) -> dict[str, str]:
    values = ((theirs, getattr(source, ours)) for ours, theirs in names.items())
    return {name: value for name, value in values if value not in (None, "")}
