"""Orders: ``/pos-sale`` and ``/sale``, which share all but a few rules.

An order makes its vouchers at once, and they can be redeemed like any other. Stock,
prices, persons, references and codes are judged together before anything is made.
"""

import secrets
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from typing import Any

from . import messages
from .answers import Answer
from .call import Call
from .catalogue import DELIVERY_METHODS, PAYMENT_METHODS
from .form import Form, sure
from .pence import as_number
from .records import MONETARY, Product, Sale, Voucher


#: Without the letters and digits that are mistaken for one another.
_CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"

#: inferred: the documentation gives no limit for a code.
_LONGEST_CODE = 64

#: How long a new code stays unknown where it is not checkable at once.
CODE_DELAY = 60.0

_SECONDS_IN_A_YEAR = 365.25 * 86_400
_ADDRESS = ("address1", "city", "postcode")


@dataclass
class _Item:
    product: Product
    pence: int
    persons: int
    code: str | None
    sent: dict[str, Any]


def pos_sale(call: Call) -> Answer:
    """POST /pos-sale"""
    return _sell(call, "pos-sale")


def sale(call: Call) -> Answer:
    """POST /sale, with the body that has items, not the older one with a cart"""
    return _sell(call, "sale")


def new_code(call: Call) -> str:
    """Make up a voucher number that nobody has."""
    while True:
        letters = [secrets.choice(_CODE_ALPHABET) for _ in range(12)]
        code = "-".join("".join(letters[n : n + 4]) for n in (0, 4, 8))
        if code not in call.store.vouchers:
            return code


def _sell(call: Call, operation: str) -> Answer:
    form = Form(call.body)
    reference = form.text_or_number("reference")
    items = _items(call, form, operation)
    customer = _customer(call, form)
    delivery, delivery_price, posted = _delivery(form)
    payment_method_id = form.integer("payment_method_id")
    if payment_method_id is not None and payment_method_id not in dict(PAYMENT_METHODS):
        form.fail("payment_method_id", messages.SELECTED_INVALID)
    subtotal = sum(item.pence for item in items)
    if operation == "sale":
        _check_totals(form, subtotal, delivery_price or 0)
    first = None
    if reference is not None:
        first = call.store.sale_by_reference(call.company.id, reference)
        if first is not None and call.behaviour.duplicate_reference == "refuse":
            form.fail("reference", messages.TAKEN)
    if first is not None and call.behaviour.duplicate_reference == "repeat":
        return _answer(call, first)
    form.raise_if_failed()
    order = Sale(
        order_id=_order_id(call, sure(reference)),
        company_id=call.company.id,
        reference=sure(reference),
        operation=operation,
        at=call.now,
        items=[item.sent for item in items],
        vouchers=[],
        customer=customer,
        delivery=delivery,
        payment_method_id=sure(payment_method_id),
        total=subtotal + sure(delivery_price),
        # Documented: /pos-sale mails for online methods only, /sale always.
        email_sent=operation == "sale" or not posted,
        send_on=_send_on(call, delivery),
    )
    order.vouchers = [_issue(call, item, order).number for item in items]
    call.store.put(order)
    if first is not None and call.behaviour.duplicate_reference == "echo":
        order = replace(order, order_id=first.order_id)
    return _answer(call, order)


# --- Validation ------------------------------------------------------------------------


def _items(call: Call, form: Form, operation: str) -> list[_Item]:
    found: list[_Item] = []
    codes: set[str] = set()
    wanted: dict[int, int] = {}
    for n, sent in enumerate(form.array("items")):
        path = f"items.{n}"
        if not isinstance(sent, dict):
            form.fail(path, messages.MUST_BE_ARRAY)
            continue
        product_id = form.integer(f"{path}.id")
        product = call.store.products.get(product_id or 0)
        if product_id is not None and not _sold_here(call, product, operation):
            form.fail(f"{path}.id", messages.SELECTED_INVALID)
            product = None
        for name in ("to", "from", "message"):
            form.text(f"{path}.{name}", required=False, limit=1000)
        code = _code(call, form, f"{path}.code", codes)
        if product is None:
            continue
        wanted[product.id] = wanted.get(product.id, 0) + 1
        left = product.available_count
        if left is not None and wanted[product.id] > left:
            form.fail(f"{path}.id", messages.OUT_OF_STOCK)
        persons, pence = 1, None
        if product.type == MONETARY:
            pence = _price(form, f"{path}.price", product)
        else:
            persons = _persons(form, f"{path}.persons", product)
            pence = (product.value or 0) * persons
        if pence is not None:
            found.append(_Item(product, pence, persons, code, sent))
    return found


def _sold_here(call: Call, product: Product | None, operation: str) -> bool:
    if product is None or product.company_id != call.company.id:
        return False
    if not call.behaviour.enforce_status:
        return True
    return product.status != "disabled" and not (
        product.status == "at_counter_only" and operation == "sale"
    )


def _code(call: Call, form: Form, path: str, codes: set[str]) -> str | None:
    rule = call.behaviour.own_codes
    if rule == "refuse":
        if form.raw(path) is not None:
            form.fail(path, messages.PROHIBITED)
        return None
    code = form.text_or_number(path, limit=_LONGEST_CODE) if form.raw(path) else None
    if code is None or rule == "ignore":
        return None
    if code in call.store.vouchers or code in codes:
        if call.behaviour.duplicate_code == "replace":
            return None
        form.fail(path, messages.TAKEN)
    codes.add(code)
    return code


def _price(form: Form, path: str, product: Product) -> int | None:
    pence = form.money(path)
    if pence is None:
        return None
    lowest, highest = product.min or 0, product.max
    if pence < lowest:
        form.fail(path, messages.AT_LEAST, limit=as_number(lowest))
    elif highest is not None and pence > highest:
        form.fail(path, messages.AT_MOST, limit=as_number(highest))
    elif product.increments and (pence - lowest) % product.increments:
        form.fail(path, messages.MULTIPLE_OF, step=as_number(product.increments))
    else:
        return pence
    return None


def _persons(form: Form, path: str, product: Product) -> int:
    persons = form.integer(path, required=False)
    if form.raw(path) is None:
        # Documented: the default counts, and fails where it is out of range.
        persons = 1
    if persons is not None and not (
        product.persons_min <= persons <= product.persons_max
    ):
        form.fail(
            path, messages.BETWEEN, low=product.persons_min, high=product.persons_max
        )
    return persons or 1


def _customer(call: Call, form: Form) -> dict[str, Any]:
    customer = form.mapping("customer")
    if "customer" in form.errors:
        return {}
    for name in ("first_name", "last_name"):
        form.text(f"customer.{name}")
    form.email("customer.email")
    for name in _ADDRESS:
        form.text(f"customer.{name}")
    form.text("customer.address2", required=False)
    for name in ("county", "phone"):
        form.text(f"customer.{name}", required=call.behaviour.strict_customer)
    return customer


def _delivery(form: Form) -> tuple[dict[str, Any], int | None, bool]:
    delivery = form.mapping("delivery")
    if "delivery" in form.errors:
        return {}, None, False
    method = form.integer("delivery.delivery_method")
    price = form.money("delivery.price")
    _, posted = DELIVERY_METHODS.get(method or 0, ("", False))
    if method is not None and method not in DELIVERY_METHODS:
        form.fail("delivery.delivery_method", messages.SELECTED_INVALID)
    if posted:
        for name in ("first_name", "last_name", *_ADDRESS):
            form.text(f"delivery.{name}")
    return delivery, price, posted


def _check_totals(form: Form, subtotal: int, delivery_price: int) -> None:
    form.mapping("totals")
    if "totals" in form.errors:
        return
    sent_subtotal = form.money("totals.subtotal")
    sent_total = form.money("totals.total")
    if form.errors:
        return
    if sent_subtotal != subtotal:
        form.fail("totals.subtotal", messages.WRONG_SUBTOTAL)
    if sent_total != subtotal + delivery_price:
        form.fail("totals.total", messages.WRONG_TOTAL)


# --- Making ----------------------------------------------------------------------------


def _order_id(call: Call, reference: str) -> str:
    """Join company and reference, as documented; add a number where that is taken."""
    order_id = f"{call.company.id}-{reference}"
    number = 1
    while order_id in call.store.sales:
        number += 1
        order_id = f"{call.company.id}-{reference}-{number}"
    return order_id


def _issue(call: Call, item: _Item, order: Sale) -> Voucher:
    product = item.product
    if product.available_count is not None:
        product.available_count -= 1
        call.store.put(product)
    delayed = not call.behaviour.new_code_checkable_at_once
    voucher = Voucher(
        id=call.store.next_id("voucher", first=11_400),
        number=item.code or new_code(call),
        company_id=call.company.id,
        name=product.title,
        description=product.description,
        type=product.type,
        pence=item.pence if product.type == MONETARY else 0,
        experiences=[
            replace(deepcopy(one), worth=one.worth * item.persons)
            for one in product.experiences
        ],
        meta=dict(product.meta),
        persons=item.persons,
        expires_at=call.now + product.expiry_years * _SECONDS_IN_A_YEAR,
        visible_from=call.now + CODE_DELAY if delayed else 0.0,
    )
    call.entry(
        "sale",
        voucher,
        pence=item.pence,
        detail={
            "order_id": order.order_id,
            "reference": order.reference,
            "product": product.id,
        },
    )
    return voucher


def _send_on(call: Call, delivery: dict[str, Any]) -> str | None:
    """Return the day the vouchers go out; None is at once.

    Documented: today, a day in the past and anything that is no date mean at once.
    """
    try:
        wanted = date.fromisoformat(str(delivery.get("delivery_date", ""))[:10])
    except ValueError:
        return None
    today = datetime.fromtimestamp(call.now, tz=timezone.utc).date()
    return wanted.isoformat() if wanted > today else None


def _answer(call: Call, order: Sale) -> Answer:
    behaviour = call.behaviour
    body: dict[str, Any] = {"message": messages.SOLD}
    if behaviour.order_id_place == "data":
        body["order_id"] = order.order_id
    if behaviour.sales_echo_codes:
        body["vouchers"] = [
            {"id": call.store.vouchers[number].id, "code": number}
            for number in order.vouchers
        ]
    answer: dict[str, Any] = {"data": body}
    if behaviour.order_id_place == "top":
        answer = {**body, "order_id": order.order_id}
    return Answer(int(behaviour.sale_status), answer)
