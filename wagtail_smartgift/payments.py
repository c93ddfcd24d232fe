"""Paying with vouchers, for a host's own Python code.

In the order in which a checkout uses them::

    session = payments.open_session(reference="order-1", amount_due="80.00")
    session = payments.add_voucher(reference="order-1", voucher_no="GIFT 1234")
    session = payments.prepare(reference="order-1")  # customer pressed Pay
    card = gateway.authorise(session.amount_remaining)  # 0: no card step at all
    try:
        session = payments.confirm(reference="order-1", amount_remaining=card.amount)
    except PaymentError:  # nothing was taken from any voucher
        gateway.void(card)
        raise
    if not session.pending:
        gateway.capture(card)

Every function returns a frozen ``Session`` and raises ``PaymentError``, whose
``code`` is documented in ``docs/reference/errors.md`` and whose ``message`` may be
shown to a customer. ``session.pending`` means that Smart Gift has not answered for
good: wait for ``signals.session_confirmed`` or ``session_reopened``.

Call them outside a transaction: each commits what it is about to do before it asks
Smart Gift, and a transaction of the host's (``ATOMIC_REQUESTS``) raises
``RuntimeError`` rather than undo that silently.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from wagtail.models import Site

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.ledger import RedemptionState, Session
from wagtail_smartgift.redaction import hidden
from wagtail_smartgift.refund_shares import RefundPolicy, RefundShares, share_refund
from wagtail_smartgift.services import opening
from wagtail_smartgift.services import payments as _verbs


__all__ = [
    "PaymentError",
    "RedemptionState",
    "RefundPolicy",
    "RefundShares",
    "Session",
    "add_voucher",
    "cancel",
    "change_voucher",
    "confirm",
    "eligible_amount",
    "get_session",
    "open_session",
    "prepare",
    "refund",
    "release_holds",
    "remove_voucher",
    "renew_hold",
    "share_refund",
]


def open_session(
    *,
    reference: str,
    amount_due: Decimal | str,
    amount_eligible: Decimal | str | None = None,
    currency: str | None = None,
    site: Site | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Session:
    """Open the payment of an order, or tell an open one its new amounts.

    ``reference`` is the shop's own word for the order. ``amount_eligible`` is the
    most that vouchers may pay of it (see ``eligible_amount``). The returned
    session has a ``client_secret`` for the storefront API.

    Raises:
        PaymentError: ``invalid``, ``currency_mismatch``, ``session_not_open``.
    """
    session, _created = opening.open_session(
        reference=reference,
        amount_due=amount_due,
        amount_eligible=amount_eligible,
        currency=currency,
        site=site,
        metadata=metadata,
    )
    return session


def get_session(*, reference: str) -> Session:
    """Picture a payment as it is now.

    Raises:
        PaymentError: ``not_found``.
    """
    return _verbs.get_session(reference=reference)


def add_voucher(
    *,
    reference: str,
    voucher_no: str,
    amount: Decimal | str | None = None,
    experiences: Sequence[int] | None = None,
) -> Session:
    """Hold a voucher for five minutes and let it cover what it can.

    ``amount`` is the most to take from it; ``experiences`` the chosen bit values of
    an experience voucher (all of them by default). The same voucher again changes
    both, and takes a lapsed hold anew.

    Raises:
        PaymentError: ``voucher_not_usable`` (the one answer for unknown, foreign,
            expired, empty), ``voucher_held`` with ``retry_after`` seconds,
            ``throttled`` (too many failed numbers; see ``THROTTLES``),
            ``session_not_open``, ``session_busy``, ``invalid``, ``busy``,
            ``smartgift_unavailable``, ``not_found``.
    """
    voucher_no = hidden(voucher_no)
    return _verbs.add_voucher(
        reference=reference,
        voucher_no=voucher_no,
        amount=amount,
        experiences=experiences,
    ).session


def change_voucher(
    *,
    reference: str,
    redemption_id: UUID,
    amount: Decimal | str | None = None,
    experiences: Sequence[int] | None = None,
) -> Session:
    """Change what a voucher is to pay, as ``add_voucher`` does, without its number.

    Raises:
        PaymentError: as ``add_voucher``; ``not_found`` also for a voucher that is
            no longer part of the payment.
    """
    return _verbs.change_voucher(
        reference=reference,
        redemption_id=redemption_id,
        amount=amount,
        experiences=experiences,
    )


def renew_hold(*, reference: str, redemption_id: UUID) -> Session:
    """Keep a voucher for another five minutes, because its customer asks for it.

    Its hold is given back and taken again at once: somebody else may be faster, which
    ``voucher_held`` says. A hold in the first half of its time is left as it is, and a
    lapsed one is taken again. Never call it from a timer: a renewal is three calls of
    the quota, and ``prepare`` takes lapsed holds again by itself.

    Raises:
        PaymentError: ``voucher_held`` with ``retry_after`` seconds (the voucher stays
            in the payment; with ``is_ours`` it was not somebody else, but our own hold
            whose answer was lost), ``voucher_not_usable`` (it is out of it), ``throttled``,
            ``session_not_open``, ``session_busy``, ``busy``, ``smartgift_unavailable``,
            ``not_found``.
    """
    return _verbs.renew_hold(reference=reference, redemption_id=redemption_id).session


def remove_voucher(*, reference: str, redemption_id: UUID) -> Session:
    """Take a voucher out again and give its hold back; repeating is harmless.

    Raises:
        PaymentError: ``not_found``, ``session_not_open``, ``session_busy``.
    """
    return _verbs.remove_voucher(reference=reference, redemption_id=redemption_id)


def release_holds(*, reference: str) -> Session:
    """Give the holds back but keep the vouchers listed, as after a declined card.

    ``prepare`` takes them again when the customer has found another card.

    Raises:
        PaymentError: ``not_found``, ``session_not_open``, ``session_busy``.
    """
    return _verbs.release_holds(reference=reference)


def prepare(*, reference: str) -> Session:
    """See, before any card is touched, that every voucher can be redeemed.

    Raises:
        PaymentError: ``shortfall`` (a voucher holds less than it was to cover; the
            amounts are allocated anew), ``hold_lost``, ``voucher_held``, ``busy``,
            ``smartgift_unavailable``, ``session_busy``, ``session_cancelled``,
            ``needs_attention``, ``not_found``.
    """
    return _verbs.prepare(reference=reference)


def confirm(
    *, reference: str, amount_remaining: Decimal | str | None = None
) -> Session:
    """Redeem every voucher of the payment, all or none.

    ``amount_remaining`` is what the card authorised: when it is no longer what the
    vouchers leave, nothing is redeemed. A refusal has given everything back.

    Raises:
        PaymentError: ``amount_changed``, ``shortfall``, ``hold_lost``, ``busy``,
            ``smartgift_unavailable``, ``session_busy``, ``session_cancelled``,
            ``needs_attention``, ``not_found``.
    """
    return _verbs.confirm(reference=reference, amount_remaining=amount_remaining)


def cancel(*, reference: str) -> Session:
    """Give everything back, whether it is held or redeemed.

    Raises:
        PaymentError: ``session_busy``, ``needs_attention``, ``not_found``.
    """
    return _verbs.cancel(reference=reference)


def refund(*, reference: str, amount: Decimal | str | None = None) -> Session:
    """Give ``amount``, or all that is left, of a confirmed payment back.

    The last voucher first; of a voucher that is given back in part, all is
    reversed and the rest redeemed again under a hold. While another refund is running
    all that is left is added to it; an amount may be a repeat, and is not.

    Raises:
        PaymentError: ``not_confirmed``, ``amount_too_large``, ``invalid``,
            ``session_busy``, ``session_cancelled``, ``needs_attention``,
            ``not_found``.
    """
    return _verbs.refund(reference=reference, amount=amount)


def eligible_amount(*, total: Decimal, vouchers_total: Decimal) -> Decimal:
    """Return what of ``total`` vouchers may pay.

    Vouchers in the basket (``vouchers_total``) may not be paid for with vouchers,
    unless ``ALLOW_VOUCHERS_FOR_VOUCHERS`` says so. Never less than nothing: a promotion
    may take more off the order than everything else in it comes to.
    """
    if get_conf().allow_vouchers_for_vouchers:
        return total
    return max(Decimal(0), total - vouchers_total)
