"""Where an order meets wagtail-smartgift: read this first.

An order is paid in this sequence, so that nobody ever pays without getting, or gets
without paying:

1. ``payments.prepare``: every gift voucher is held for us and holds enough;
2. the card *authorises* what the vouchers leave (nothing left: no card at all);
3. ``payments.confirm``: the vouchers are redeemed, all or none;
4. the card is *captured*, and gift vouchers that were bought are issued.

Whatever fails, what came before it is undone. When Smart Gift's answer is lost on the
way the order waits as "confirming"; the plugin finds out and sends a signal, and
``settle`` goes on from there. It may be called at any time and as often as you like.
"""

from contextlib import suppress
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import translation

from mill.shop import card
from mill.shop.basket import Basket
from mill.shop.models import ZERO, Order, OrderLine, OrderStatus, new_reference
from mill.shop.refunds import continue_refund, refund_unsold_vouchers
from wagtail_smartgift import payments, sales
from wagtail_smartgift.exceptions import PaymentError, SaleError


S = OrderStatus


def place(
    request: HttpRequest,
    basket: Basket,
    *,
    customer: dict[str, Any],
    delivery: dict[str, Any],
) -> Order:
    """Turn the basket into an order that waits for its payment.

    ``delivery`` is that of the gift vouchers; empty where there are none.

    Raises:
        SaleError: Smart Gift would not sell a gift voucher like this; better known
            now than when it is paid for.
    """
    reference = new_reference()
    bought = [line.as_sale_item() for line in basket.voucher_lines]
    if bought:
        sales.place_order(
            reference=reference,
            items=bought,
            customer=customer,
            delivery=delivery,
            site=basket.site,
            dry_run=True,
        )
    posting = delivery["price"] if delivery else ZERO
    with transaction.atomic():
        order = Order.objects.create(
            reference=reference,
            user=request.user if request.user.is_authenticated else None,
            language=translation.get_language() or "",
            site=basket.site,
            customer=customer,
            delivery=delivery,
            total=basket.total + posting,
            vouchers_total=basket.vouchers_total + posting,
        )
        OrderLine.objects.bulk_create(
            OrderLine(
                order=order,
                name=line.name,
                price=line.price,
                quantity=line.quantity,
                voucher=line.as_sale_item() if line.voucher else None,
            )
            for line in basket.lines
        )
    payments.open_session(
        reference=order.reference,
        amount_due=order.total,
        # Gift vouchers do not buy gift vouchers.
        amount_eligible=payments.eligible_amount(
            total=order.total, vouchers_total=order.vouchers_total
        ),
        site=basket.site,
    )
    return order


def pay(order: Order, *, card_amount: Decimal, card_number: str) -> None:
    """Take the payment. Pressed twice, only the first press does anything.

    ``card_amount`` is what the customer was told that the card will pay.

    Raises:
        card.Declined: nothing was taken from card or voucher, the holds are given
            back, and the customer may try another card.
        PaymentError: a voucher cannot pay its part; nothing was taken.
    """
    if not order.move(S.AWAITING_PAYMENT, to=S.PAYING):
        return
    try:
        session = payments.prepare(reference=order.reference)
        if session.amount_remaining != card_amount:
            raise PaymentError("amount_changed")
        if card_amount:
            card.authorise(order, amount=card_amount, number=card_number)
        payments.confirm(reference=order.reference, amount_remaining=card_amount)
    except card.Declined:
        # The vouchers stay listed; the next press of Pay holds them again. Where
        # Smart Gift cannot be told now, the holds run out by themselves.
        with suppress(PaymentError):
            payments.release_holds(reference=order.reference)
        raise
    finally:
        settle(order, mine=True)


def settle(order: Order, *, mine: bool = False) -> None:
    """Bring an order to where its payment session is.

    ``mine`` says that the caller is the one who is working on the order: until then
    an open session may only mean that somebody is about to confirm it.
    """
    session = payments.get_session(reference=order.reference)
    # Somebody else may have settled it since we read it.
    order.refresh_from_db()
    nobody_works = mine or order.is_stuck
    if session.status == "confirming":
        order.move(S.PAYING, to=S.CONFIRMING)
    elif session.status == "open":
        if order.status == S.CONFIRMING or (
            order.status in {S.PAYING, S.CANCELLING} and nobody_works
        ):
            # This card and no other: the customer may be paying again already.
            reserved = order.card
            if order.move(order.status, to=S.AWAITING_PAYMENT):
                card.void(order, reserved)
    elif session.status == "cancelled":
        card.void(order)
        card.refund_up_to(order, order.card_paid)
        order.move(
            S.AWAITING_PAYMENT,
            S.PAYING,
            S.CONFIRMING,
            S.PAID,
            S.CANCELLING,
            to=S.CANCELLED,
        )
    elif session.status == "confirmed":
        if order.status in {S.PAYING, S.CONFIRMING}:
            _complete(order, session)
        if order.status == S.CANCELLING and nobody_works:
            _resume_cancelling(order, session)
        elif order.status == S.REFUNDING:
            continue_refund(order, session, may_give_up=nobody_works)


def _resume_cancelling(order: Order, session: payments.Session) -> None:
    """Keep a paid order that could not be cancelled; undo one that is not paid."""
    if order.card_paid + session.amount_redeemed == order.total:
        order.move(S.CANCELLING, to=S.PAID)
    else:
        # The signal of its end settles the order, at once or later.
        payments.cancel(reference=order.reference)
        order.refresh_from_db()


def _complete(order: Order, session: payments.Session) -> None:
    """The vouchers are redeemed: collect the card's part and issue what was bought."""
    try:
        card.capture(order, amount=order.total - session.amount_redeemed)
    except card.CaptureFailed:
        # Nobody pays half an order: the vouchers get back what was redeemed.
        order.move(S.PAYING, S.CONFIRMING, to=S.CANCELLING)
        return
    sold = issue_vouchers(order)
    order.move(S.PAYING, S.CONFIRMING, to=S.PAID, voucher_paid=session.amount_redeemed)
    if not sold:
        refund_unsold_vouchers(order)


def issue_vouchers(order: Order) -> bool:
    """Have Smart Gift issue the gift vouchers of a paid order; False if it refuses.

    The reference makes it safe to repeat. An order that Smart Gift cannot take now
    is queued by the plugin, which sends a signal when it is placed or refused.
    """
    bought = [line.voucher for line in order.lines.all() if line.voucher]
    if not bought:
        return True
    try:
        sales.place_order(
            reference=order.reference,
            items=bought,
            customer=order.customer,
            delivery=order.delivery,
            site=order.site,
        )
    except SaleError as error:
        if error.code not in {"order_refused", "invalid"}:
            raise
        return False
    return True


def cancel(order: Order) -> None:
    """Call an order off; everything goes back to where it came from.

    Raises:
        PaymentError: it cannot be cancelled just now.
    """
    if not order.can_cancel:
        return
    if order.status == S.CONFIRMING:
        # The plugin notes it and undoes the payment as soon as it is settled.
        payments.cancel(reference=order.reference)
        settle(order)
        return
    # From the status that was judged, and no other: it may have been paid meanwhile.
    if not order.move(order.status, to=S.CANCELLING):
        return
    try:
        payments.cancel(reference=order.reference)
    finally:
        settle(order, mine=True)


def sale_of(order: Order) -> sales.Order | None:
    """Return what became of the gift vouchers in the order, if it has any."""
    try:
        return sales.get_order(reference=order.reference)
    except SaleError:
        return None
