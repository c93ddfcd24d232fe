"""Giving money back: first to the card, then to the gift vouchers.

Card first, because that is the order's own money: a guest who paid £30 by card and
£50 by voucher and gets £30 back has it in the bank, and the voucher is untouched. No
more than the card paid ever goes to it, so no voucher is turned into cash. What the
card paid for gift vouchers in the same order stays out of it: they are issued, and
Smart Gift takes none back.
"""

from decimal import Decimal

from django.db.models import Q

from mill.shop import card
from mill.shop.models import ZERO, Order, OrderStatus
from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError


S = OrderStatus


def refund(order: Order, amount: Decimal, *, already: Decimal) -> bool:
    """Refund ``amount``; ``already`` is what had been refunded when it was asked.

    Returns False when that is no longer true, or not so much is left: a button that
    is pressed twice refunds once.

    Raises:
        PaymentError: the vouchers' part cannot be given back now; nothing was.
    """
    if not ZERO < amount <= order.refundable or order.refunded != already:
        return False
    return _refund(order, amount, already=already)


def refund_unsold_vouchers(order: Order) -> None:
    """Give back the price of gift vouchers that Smart Gift would not sell, once."""
    if order.status == S.PAID and not order.vouchers_refused:
        _refund(
            order, order.vouchers_total, already=order.refunded, vouchers_refused=True
        )


def _refund(
    order: Order, amount: Decimal, *, already: Decimal, **changes: bool
) -> bool:
    if not order.move(
        S.PAID,
        to=S.REFUNDING,
        only_if=Q(refunded=already),
        refunded=already + amount,
        **changes,
    ):
        return False
    try:
        session = payments.get_session(reference=order.reference)
        due = _to_vouchers(order) - session.amount_refunded
        if due > 0:
            session = payments.refund(reference=order.reference, amount=due)
        continue_refund(order, session, may_give_up=False)
    except PaymentError:
        session = payments.get_session(reference=order.reference)
        continue_refund(order, session, may_give_up=True)
        raise
    return True


def continue_refund(
    order: Order, session: payments.Session, *, may_give_up: bool
) -> None:
    """Finish a refund whose vouchers' part is done; give one up that did not begin."""
    if session.status != "confirmed":
        return  # The plugin is at it, and sends a signal.
    if session.amount_refunded >= _to_vouchers(order):
        card.refund_up_to(order, _to_card(order))
        done = order.refunded >= order.total
        order.move(S.REFUNDING, to=S.REFUNDED if done else S.PAID)
    elif may_give_up:
        by_card = order.card.refunded if order.card else ZERO
        order.move(S.REFUNDING, to=S.PAID, refunded=by_card + session.amount_refunded)


def _card_share(order: Order) -> Decimal:
    """What of the card's payment may go back at all."""
    return max(ZERO, order.card_paid - order.issued_total)


def _shares(order: Order, refunded: Decimal) -> payments.RefundShares:
    """Return what of all refunds together, ``refunded``, is whose."""
    card = _card_share(order)
    return payments.share_refund(
        amount=refunded,
        card=card,
        # Whatever goes beyond the card's share is theirs.
        vouchers=max(ZERO, order.total - card),
        policy=payments.RefundPolicy.CARD_FIRST,
    )


def preview(order: Order) -> payments.RefundShares:
    """Return where the money would go if all that can be refunded now were."""
    before = _shares(order, order.refunded)
    after = _shares(order, order.refunded + order.refundable)
    return payments.RefundShares(
        card=after.card - before.card, vouchers=after.vouchers - before.vouchers
    )


def _to_card(order: Order) -> Decimal:
    return _shares(order, order.refunded).card


def _to_vouchers(order: Order) -> Decimal:
    return _shares(order, order.refunded).vouchers
