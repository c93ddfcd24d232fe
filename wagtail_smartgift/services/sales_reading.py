"""Reading an order as a shop sends it: its shape, and nothing that may change.

What is read here depends on what was sent and on nothing else, so that a repeat of an
order gives the same digest for ever. Whether it can be sold, ``sales_pricing`` asks,
when an order is new: a repeat must not fail because its voucher has sold out since.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.exceptions import SaleError
from wagtail_smartgift.money import parse_amount


#: One order, one call: Smart Gift names no limit, so this only stops accidents.
MAX_ITEMS = 100
MAX_PERSONS = 1000
MAX_MESSAGE = 1000

_LINE = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

Errors = dict[str, str | Promise]


@dataclass(frozen=True)
class Item:
    """One voucher as it was asked for; ``product`` is Smart Gift's id."""

    product: int
    price: Decimal | None
    persons: int | None
    to: str
    sender: str
    message: str


@dataclass(frozen=True)
class Customer:
    first_name: str
    last_name: str
    email: str
    phone: str
    address1: str
    address2: str
    city: str
    county: str
    postcode: str


@dataclass(frozen=True)
class Address:
    first_name: str
    last_name: str
    address1: str
    address2: str
    city: str
    county: str
    postcode: str


@dataclass(frozen=True)
class Delivery:
    """How the vouchers travel; ``date`` None is at once."""

    method: str
    price: Decimal
    date: date | None
    address: Address | None


@dataclass(frozen=True)
class WantedOrder:
    """A well-formed order, before anybody looked at the catalogue."""

    items: tuple[Item, ...]
    customer: Customer
    delivery: Delivery
    payment_method: int | None

    def digest(self, *, account: str) -> str:
        """Return what tells a repeat of this order from another one (hex)."""
        content = json.dumps(
            {"account": account, **asdict(self)}, sort_keys=True, default=str
        )
        return hashlib.sha256(content.encode()).hexdigest()


def read_order(
    *,
    items: Sequence[Mapping[str, Any]],
    customer: Mapping[str, Any],
    delivery: Mapping[str, Any],
    payment_method: int | None = None,
) -> WantedOrder:
    """Read the parts of an order as a shop sends them.

    Raises:
        SaleError: ``invalid``, with every fault under its dotted name.
    """
    errors: Errors = {}
    buyer = _read_customer(_Part(customer, "customer", errors))
    wanted = WantedOrder(
        items=_read_items(items, errors),
        customer=buyer,
        delivery=_read_delivery(_Part(delivery, "delivery", errors), buyer),
        payment_method=_Part(
            {"payment_method": payment_method}, "", errors
        ).optional_integer("payment_method", highest=2**31 - 1),
    )
    refuse(errors)
    return wanted


def refuse(errors: Errors) -> None:
    """Raise ``invalid`` if anything was found wrong."""
    if errors:
        raise SaleError("invalid", fields=errors)


# The shape


class _Part:
    """One object of an order; collects what is wrong in it under dotted names.

    A field that is missing or wrong reads as an empty value, so that one pass finds
    every fault.
    """

    def __init__(self, data: object, where: str, errors: Errors) -> None:
        self.where = where
        self.errors = errors
        self.read: set[str] = set()
        self.data: Mapping[str, Any] = {}
        if isinstance(data, Mapping):
            self.data = data
        else:
            errors[where] = _("This must be an object with named fields.")

    def wrong(self, name: str, message: str | Promise) -> None:
        key = f"{self.where}.{name}" if self.where else name
        self.errors.setdefault(key, message)

    def value(self, name: str) -> object:
        self.read.add(name)
        return self.data.get(name)

    def line(self, name: str, *, required: bool = True, longest: int = _LINE) -> str:
        """Read text of one line, white space around it removed."""
        return self._text(name, required, longest, _CONTROL)

    def lines(self, name: str, *, longest: int) -> str:
        """Read text of several lines; however a break was sent, it is one character."""
        return self._text(name, False, longest, _CONTROL_BUT_LINES)

    def _text(
        self, name: str, required: bool, longest: int, forbidden: re.Pattern[str]
    ) -> str:
        raw = self.value(name)
        if raw is None:
            raw = ""
        if not isinstance(raw, str):
            self.wrong(name, _("This must be text."))
            return ""
        text = raw.replace("\r\n", "\n").replace("\r", "\n").strip()
        if required and not text:
            self.wrong(name, _("This field is required."))
        elif len(text) > longest:
            self.wrong(
                name,
                _("This must have no more than %(longest)d characters.")
                % {"longest": longest},
            )
        elif forbidden.search(text):
            self.wrong(name, _("This has characters that cannot be printed."))
        else:
            return text
        return ""

    def integer(self, name: str, *, highest: int) -> int:
        number = self.optional_integer(name, highest=highest)
        if number is None:
            self.wrong(name, _("This field is required."))
            return 0
        return number

    def optional_integer(self, name: str, *, highest: int) -> int | None:
        raw = self.value(name)
        if raw is None:
            return None
        if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= highest:
            self.wrong(
                name,
                _("This must be a whole number from 1 to %(highest)d.")
                % {"highest": highest},
            )
            return None
        return raw

    def money(self, name: str, *, allow_zero: bool = False) -> Decimal | None:
        raw = self.value(name)
        if raw is None:
            return None
        try:
            return parse_amount(raw, allow_zero=allow_zero)
        except ValueError:
            self.wrong(name, _("This must be an amount such as 25.00."))
            return None

    def date(self, name: str) -> date | None:
        raw = self.value(name)
        if raw is None or raw == "":
            return None
        # A datetime is a date to Python, but its day depends on the zone.
        if type(raw) is date:
            return raw
        try:
            return date.fromisoformat(raw) if isinstance(raw, str) else _not_a_date()
        except ValueError:
            self.wrong(name, _("This must be a date such as 2030-12-24."))
            return None

    def done(self) -> None:
        """Refuse names that were not asked for: a misspelt field is not left out."""
        for name in self.data:
            if name not in self.read:
                self.wrong(str(name), _("There is no field of this name."))


def _not_a_date() -> date:
    raise ValueError


def _read_items(items: object, errors: Errors) -> tuple[Item, ...]:
    if isinstance(items, (str, bytes, Mapping)) or not isinstance(items, Sequence):
        errors["items"] = _("This must be a list.")
        return ()
    if not items:
        errors["items"] = _("There is nothing to order.")
    elif len(items) > MAX_ITEMS:
        errors["items"] = _("No more than %(most)d vouchers fit into one order.") % {
            "most": MAX_ITEMS
        }
        return ()
    return tuple(
        _read_item(_Part(item, f"items.{index}", errors))
        for index, item in enumerate(items)
    )


def _read_item(part: _Part) -> Item:
    item = Item(
        product=part.integer("product", highest=2**63 - 1),
        price=part.money("price"),
        persons=part.optional_integer("persons", highest=MAX_PERSONS),
        to=part.line("to", required=False),
        sender=part.line("from", required=False),
        message=part.lines("message", longest=MAX_MESSAGE),
    )
    part.done()
    return item


def _read_customer(part: _Part) -> Customer:
    customer = Customer(
        first_name=part.line("first_name"),
        last_name=part.line("last_name"),
        email=part.line("email", longest=254),
        phone=part.line("phone", required=False, longest=40),
        address1=part.line("address1"),
        address2=part.line("address2", required=False),
        city=part.line("city"),
        county=part.line("county", required=False),
        postcode=part.line("postcode", longest=20),
    )
    if customer.email:
        try:
            validate_email(customer.email)
        except ValidationError:
            part.wrong("email", _("This is not an e-mail address."))
    part.done()
    return customer


def _read_delivery(part: _Part, customer: Customer) -> Delivery:
    method = part.value("method")
    if (
        isinstance(method, bool)
        or not isinstance(method, (str, int))
        or method == ""
        or len(str(method)) > 64
    ):
        part.wrong("method", _("Choose a delivery method."))
    price = part.money("price", allow_zero=True)
    if price is None:
        part.wrong("price", _("This field is required."))
    address = part.value("address")
    delivery = Delivery(
        method=str(method),
        price=price or Decimal("0.00"),
        date=part.date("date"),
        address=None
        if address is None
        else _read_address(
            _Part(address, f"{part.where}.address", part.errors), customer
        ),
    )
    part.done()
    return delivery


def _read_address(part: _Part, customer: Customer) -> Address:
    """Read where vouchers are posted to: to the buyer, where no name is given."""
    names = ("first_name", "last_name")
    named = any(part.value(name) for name in names)
    first, last = (part.line(name, required=named) for name in names)
    address = Address(
        first_name=first if named else customer.first_name,
        last_name=last if named else customer.last_name,
        address1=part.line("address1"),
        address2=part.line("address2", required=False),
        city=part.line("city"),
        county=part.line("county", required=False),
        postcode=part.line("postcode", longest=20),
    )
    part.done()
    return address
