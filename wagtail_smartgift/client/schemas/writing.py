"""What is sent to Smart Gift: frozen dataclasses in, the bodies of requests out.

Values were validated before they came here. Nothing secret and nothing personal is in
any ``repr``.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from wagtail_smartgift.client import inferred
from wagtail_smartgift.money import MAX_AMOUNT, PENNY


#: More than any voucher has experiences, and the most that every JSON parser reads.
_LARGEST_BIT_SUM = 2**53
#: Parts of a request that are neither secret nor personal.
_OPEN_FIELDS = frozenset({"site_id", "reference", "filters", "delivery_date"})


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


def write_hold(voucher_no: str) -> dict[str, Any]:
    """Write the body of ``/redeem/hold``, which names neither site nor value."""
    return {"voucher_no": voucher_no}


def write_release(voucher_no: str, hold_token: str) -> dict[str, Any]:
    """Write the body of ``/redeem/release``."""
    return {"voucher_no": voucher_no, "hold_token": hold_token}


def write_check(
    voucher_no: str, site_id: str, filters: Filters | None
) -> dict[str, Any]:
    """Write the body of ``/redeem/check``."""
    body = {"voucher_no": voucher_no, "site_id": str(site_id)}
    return body | _write_filters(filters)


def write_redeem(
    voucher_no: str,
    site_id: str,
    value: Decimal,
    hold_token: str | None,
    filters: Filters | None = None,
) -> dict[str, Any]:
    """Write the body of ``/redeem``, or with filters of ``/redeem-unified``.

    Raises:
        ValueError: the value is nothing that can be redeemed.
    """
    body = {
        "voucher_no": voucher_no,
        "site_id": str(site_id),
        "value": inferred.json_number(_spendable(value)),
    }
    if hold_token is not None:
        body[inferred.HOLD_TOKEN_FIELD] = hold_token
    return body | _write_filters(filters)


def write_reverse(
    voucher_no: str, site_id: str, redemptions: Sequence[int | str]
) -> dict[str, Any]:
    """Write the body of ``/redeem/reverse``, as documented since April 2026.

    Raises:
        ValueError: there is nothing to reverse.
    """
    if not redemptions:
        raise ValueError("There are no redemptions to reverse.")
    return {
        "voucher_no": voucher_no,
        "site_id": str(site_id),
        "redemptions": list(redemptions),
    }


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


def _write_filters(filters: Filters | None) -> dict[str, Any]:
    """Write only the parts that filter something."""
    body: dict[str, Any] = {}
    if filters is not None and filters.classifications:
        body["classifications"] = list(filters.classifications)
    if filters is not None and filters.meta_conditions:
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
    return {"filters": body} if body else {}


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


def _spendable(value: Decimal) -> Decimal:
    """Refuse what no voucher can mean before it is sent: binary floats, half pennies."""
    if isinstance(value, (bool, float)):
        raise ValueError("A value to redeem is a Decimal.")
    value = Decimal(value)
    if value.is_finite() and value > 0:
        if value == value.to_integral_value() and value < _LARGEST_BIT_SUM:
            return value
        if value <= MAX_AMOUNT and value == value.quantize(PENNY):
            return value
    raise ValueError(
        "A value to redeem is above zero, with two decimals at most (an amount), or a "
        "whole number (the sum of experiences)."
    )


def confidential(body: object) -> Iterator[str]:
    """Yield every text of a request that must not come back in an error."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for name, part in body.items():
            if name not in _OPEN_FIELDS:
                yield from confidential(part)
    elif isinstance(body, Iterable):
        for part in body:
            yield from confidential(part)
