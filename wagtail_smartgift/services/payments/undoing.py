"""Giving back what a payment session holds or has taken: cancel and refund."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift import clock, ledger
from wagtail_smartgift.choices import SessionStatus
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import (
    journal,
    opening,
    progress,
    refunding,
    sessions,
)
from wagtail_smartgift.services.claims import Claimed
from wagtail_smartgift.services.payments.turn import (
    find,
    get_session,
    refuse_foreign,
    refuse_other,
    working,
)
from wagtail_smartgift.services.timebox import Postponed, TimeBox
from wagtail_smartgift.services.worker import Worker, at_work


Status = SessionStatus
#: What ``cancel`` acts on. Of the others it says in its own words why not.
_CANCELLABLE = frozenset({Status.OPEN, Status.CONFIRMING, Status.CONFIRMED})


def cancel(
    *, reference: str, expected: Collection[SessionStatus] = frozenset(SessionStatus)
) -> ledger.Session:
    """Give everything back: holds are released, redemptions reversed.

    ``expected`` are the statuses in which the caller wants that: a person who has seen
    an open payment has not said that one confirmed since is to be reversed. They are
    held against the one that the session is locked in, so nothing fits in between. One
    that is cancelled, or about to be, is answered in any case.

    Raises:
        PaymentError: ``amount_changed``: it is in another one by now, and nothing of it
            was done.
    """
    session = find(reference)
    if session.status in {Status.CANCELLED, Status.CANCELLING}:
        return ledger.describe(session)
    _refuse_unexpected(session, expected)
    if session.status == Status.CONFIRMING:
        return _cancel_later(session)
    refuse_other(session, open_code=None)
    with working(session) as (worker, session):
        if session.status in {Status.OPEN, Status.CONFIRMED}:
            # From here it can only be changed under this claim, or ``_undertake``,
            # which locks it in this very status, finds it stale.
            _refuse_unexpected(session, expected)
            _undertake(
                worker, session, status=Status.CANCELLING, next_look_at=clock.now()
            )
            session = worker.session()
    # Answered by what was seen under the claim: since then the sweep may have brought
    # it to rest, and a wish that nobody wrote down must not look as if it was done.
    if session.status == Status.CONFIRMING:
        _refuse_unexpected(session, expected)
        return _cancel_later(session)
    if session.status == Status.REFUNDING:
        raise PaymentError("session_busy", retry_after=5)
    if session.status == Status.NEEDS_ATTENTION:
        raise PaymentError("needs_attention")
    return get_session(reference=reference)


def _refuse_unexpected(
    session: PaymentSession, expected: Collection[SessionStatus]
) -> None:
    if session.status in _CANCELLABLE and session.status not in expected:
        raise PaymentError("amount_changed")


def _cancel_later(session: PaymentSession) -> ledger.Session:
    """Write the wish down; it is undone once what is in doubt has settled."""
    refuse_foreign(session)
    try:
        with transaction.atomic(durable=True):
            fresh = sessions.lock(
                session.pk, expected={Status.CONFIRMING}, cancel_requested=True
            )
    except journal.Stale:
        raise PaymentError("session_busy", retry_after=1) from None
    return ledger.describe(fresh)


def refund(
    *,
    reference: str,
    amount: object = None,
    claim: refunding.RefundKey | None = None,
) -> ledger.Session:
    """Give an amount, or all that is left, back onto the vouchers.

    ``claim`` is the caller's on its idempotency key, or on its message: what that has
    begun before is answered and not begun again. While another refund is running, what
    is asked for under a key of its own is added to it, and so is all that is left; an
    amount without a key may be a repeat, and is not.
    """
    wanted = None if amount is None else opening.amount("amount", amount)
    session = find(reference)
    if claim is not None and claim.refund_target is not None:
        if session.status == Status.NEEDS_ATTENTION:
            raise PaymentError("needs_attention")
        return ledger.describe(session)
    if session.status == Status.REFUNDING:
        if wanted is not None and claim is None:
            return ledger.describe(session)
        if _extend_refund(session, wanted, claim):
            return ledger.describe(find(reference))
    _refuse_refund(session, also=Status.REFUNDING)
    with working(session) as (worker, session):
        running = session.status == Status.REFUNDING
        if not running:
            _refuse_refund(session)
            _begin_refund(worker, session, wanted, claim)
    if running and not _extend_refund(session, wanted, claim):
        raise PaymentError("session_busy", retry_after=5)
    session = find(reference)
    if session.status == Status.NEEDS_ATTENTION:
        raise PaymentError("needs_attention")
    return ledger.describe(session)


def _begin_refund(
    worker: Worker,
    session: PaymentSession,
    wanted: Decimal | None,
    claim: refunding.RefundKey | None,
) -> None:
    rows = sessions.rows(session)
    left = ledger.standing(rows)
    wanted = left if wanted is None else wanted
    _check_refund(rows, wanted, left=left)
    if wanted:
        _undertake(
            worker,
            session,
            status=Status.REFUNDING,
            refund_target=ledger.refunded(rows) + wanted,
            next_look_at=clock.now(),
            claim=claim,
        )


def _extend_refund(
    session: PaymentSession,
    wanted: Decimal | None,
    claim: refunding.RefundKey | None,
) -> bool:
    """Add to the refund that is running, whoever is at it; false where none is any more.

    Whoever is at it sees the higher target before it comes to rest.
    """
    if wanted is not None and claim is None:
        return False
    refuse_foreign(session)
    try:
        with transaction.atomic(durable=True):
            fresh = sessions.lock(
                session.pk, expected={Status.REFUNDING}, next_look_at=clock.now()
            )
            rows = sessions.rows(fresh)
            left = ledger.taken(rows) - fresh.refund_target
            more = left if wanted is None else wanted
            _check_refund(rows, more, left=left, running=fresh.refund_target)
            target = fresh.refund_target + more
            PaymentSession.objects.filter(pk=fresh.pk).update(refund_target=target)
            if claim is not None:
                claim.note_refund(target)
    except journal.Stale:
        return False
    try:
        with at_work(session, box=TimeBox.request()) as worker:
            progress.advance(worker)
    except (Claimed, Postponed):
        pass  # Whoever is at it goes on, or the sweep.
    return True


def _refuse_refund(session: PaymentSession, *, also: Status | None = None) -> None:
    if session.status in {Status.CONFIRMED, also}:
        return
    if session.status in {Status.CONFIRMING, Status.REFUNDING}:
        raise PaymentError("session_busy", retry_after=5)
    refuse_other(session, open_code="not_confirmed")


def _check_refund(
    rows: Sequence[Redemption],
    wanted: Decimal,
    *,
    left: Decimal,
    running: Decimal | None = None,
) -> None:
    """Refuse what cannot be given back, on top of what a ``running`` refund comes to."""
    if wanted > left:
        raise PaymentError(
            "amount_too_large",
            fields={"amount": _("This is more than is left to refund.")},
        )
    if not refunding.can_refund(rows, wanted, running=running):
        raise PaymentError(
            "invalid",
            fields={"amount": _("An experience can only be refunded as a whole.")},
        )


def _undertake(
    worker: Worker,
    session: PaymentSession,
    *,
    status: Status,
    claim: refunding.RefundKey | None = None,
    **changes: Any,
) -> None:
    """Take on what a session was told, and drive it; the sweep does what is left."""
    with transaction.atomic(durable=True):
        fresh = sessions.lock(
            session.pk, expected={Status(session.status)}, status=status, **changes
        )
        if claim is not None:
            claim.note_refund(fresh.refund_target)
    try:
        progress.advance(worker, fresh)
    except Postponed:
        return  # It has begun: the session is pending, and the sweep goes on.
