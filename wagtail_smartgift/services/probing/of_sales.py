"""What becomes of numbers of our own, and of references and numbers that are taken.

These are real orders, which the API cannot take back. Each is sent once.
"""

import uuid
from dataclasses import dataclass
from decimal import Decimal

from wagtail_smartgift import codes
from wagtail_smartgift.choices import DuplicateCode, DuplicateReference, OwnCodes
from wagtail_smartgift.client import (
    RefusalReason,
    SaleCustomer,
    SaleDelivery,
    SaleItem,
    SaleReceipt,
    SaleRequest,
    VoucherState,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.services.probing.lab import ASKING, Lab, Skip, Stop, Tried


#: Orders that are placed at the most.
MOST_ORDERS = 3


@dataclass(frozen=True)
class Sale:
    """The order that a probe places: one voucher, to somebody who knows of it."""

    product: int
    #: None for an experience: Smart Gift computes its price.
    price: Decimal | None
    persons: int | None
    customer: SaleCustomer
    delivery: SaleDelivery
    payment_method: int


def ask(lab: Lab, sale: Sale, *, wait: bool) -> None:
    """Sell a voucher under a number of our own, then its reference and number again.

    Raises:
        Skip: the order was refused, or its answer was lost.
    """
    reference, number = _reference(), _number(lab)
    first = _sell(lab, sale, reference, number, "sell")
    if first.reason is RefusalReason.INVALID_CODE:
        lab.answer(own_codes=OwnCodes.REFUSED)
        # Refused is not sold, so this is the first order of that reference.
        first = _sell(lab, sale, reference, None, "sell without a number of ours")
    elif first.done is not False:
        _look_for(lab, number, first.value, wait=wait)
    if first.value is None:
        raise Skip(
            "The order was refused; see what it says about its fields."
            if first.done is False
            else "The answer to the order was lost, so nothing more is asked about sales."
        )
    honoured = lab.record.own_codes == OwnCodes.HONOURED
    _again(lab, sale, reference, first.value, honoured=honoured, wait=wait)
    if honoured:
        taken = _sell(lab, sale, _reference(), number, "sell the same number again")
        if taken.reason is RefusalReason.INVALID_CODE:
            lab.answer(duplicate_code=DuplicateCode.REFUSED)
        elif taken.done:
            lab.answer(duplicate_code=DuplicateCode.REPLACED)


def _look_for(
    lab: Lab, number: str, receipt: SaleReceipt | None, *, wait: bool
) -> None:
    """See whether the number that we sent is that of a voucher now."""
    found = _is_there(_check(lab, number, "check the new number"))
    if found:
        lab.answer(own_codes=OwnCodes.HONOURED, code_checkable_at_once=True)
        return
    if found is None or receipt is None:
        return
    echoed = bool(receipt.codes)
    if echoed and number not in receipt.codes:
        lab.answer(own_codes=OwnCodes.IGNORED)
        return
    if echoed:
        lab.answer(own_codes=OwnCodes.HONOURED, code_checkable_at_once=False)
        return
    if wait:
        lab.sleep(get_conf().late)
        found = _is_there(_check(lab, number, "check the new number later"))
        if found:
            lab.answer(own_codes=OwnCodes.HONOURED, code_checkable_at_once=False)
        elif found is False:
            lab.answer(own_codes=OwnCodes.IGNORED)


def _again(
    lab: Lab,
    sale: Sale,
    reference: str,
    first: SaleReceipt,
    *,
    honoured: bool,
    wait: bool,
) -> None:
    number = _number(lab) if honoured else None
    again = _sell(lab, sale, reference, number, "sell the same reference again")
    if again.value is not None:
        if again.value.order_id != first.order_id:
            sold_again: bool | None = True
        elif number is None:
            # The order's number may only be an echo of what was sent.
            sold_again = None
        else:
            sold_again = _was_made(lab, number, wait=wait)
            if sold_again:
                lab.orders.append(again.value.order_id)
        if sold_again is not None:
            lab.answer(
                duplicate_reference=DuplicateReference.RENAMED
                if sold_again
                else DuplicateReference.REPEATED
            )
    elif again.done is False and (
        again.reason is RefusalReason.DUPLICATE_REFERENCE or "reference" in again.fields
    ):
        lab.answer(duplicate_reference=DuplicateReference.REFUSED)


def _was_made(lab: Lab, number: str, *, wait: bool) -> bool | None:
    """Tell whether a voucher of that number was sold; None if it cannot be known now.

    Numbers of ours are honoured here. One that is not found was not sold only once a
    new one would be.
    """
    found = _is_there(_check(lab, number, "check the second number"))
    if found is False and not lab.record.code_checkable_at_once:
        if not wait:
            return None
        lab.sleep(get_conf().late)
        found = _is_there(_check(lab, number, "check the second number later"))
    return found


def _sell(
    lab: Lab, sale: Sale, reference: str, number: str | None, step: str
) -> Tried[SaleReceipt]:
    request = SaleRequest(
        reference=reference,
        items=(
            SaleItem(
                id=sale.product, price=sale.price, persons=sale.persons, code=number
            ),
        ),
        customer=sale.customer,
        delivery=sale.delivery,
        payment_method_id=sale.payment_method,
    )
    doubt = (
        f"Nobody knows whether the order {reference} was placed: look for it in Smart "
        "Gift's dashboard."
    )
    # Until its outcome is known: Ctrl-C may come at any moment.
    lab.warnings.append(doubt)
    try:
        tried = lab.attempt(step, lambda: lab.client.pos_sale(request, lane=ASKING))
    except Stop:
        lab.warnings.remove(doubt)
        raise
    if tried.done is not None:
        lab.warnings.remove(doubt)
    if tried.value is not None:
        for code in tried.value.codes:
            lab.confide(code)
        if tried.value.order_id not in lab.orders:
            lab.orders.append(tried.value.order_id)
    return tried


def _check(lab: Lab, number: str, step: str) -> Tried[VoucherState]:
    return lab.attempt(
        step,
        lambda: lab.client.check(voucher_no=number, site_id=lab.site_id, lane=ASKING),
        reads=True,
    )


def _is_there(looked: Tried[VoucherState]) -> bool | None:
    """Tell whether a voucher of that number exists; None if nobody knows."""
    if looked.done is not False:
        return looked.done
    if looked.reason is RefusalReason.INVALID_SITE or "site_id" in looked.fields:
        return None
    return looked.reason is not RefusalReason.INVALID_VOUCHER


def _reference() -> str:
    return f"{get_conf().reference_prefix}probe-{uuid.uuid4().hex[:12]}"


def _number(lab: Lab) -> str:
    number = codes.generate_voucher_number()
    lab.confide(number)
    return number
