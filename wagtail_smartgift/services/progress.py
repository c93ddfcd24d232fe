"""Driving a session from where it stands to where it was told to go.

A verb writes its wish into the session and calls ``advance``; so does the sweep,
after whatever crash. Each step is decided from the rows alone, so it does not
matter who took the one before, or whether they lived to tell.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from wagtail_smartgift import clock
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import (
    holding,
    holds,
    journal,
    outbox,
    redeeming,
    refunding,
    releasing,
    reversing,
    sessions,
    spending,
)
from wagtail_smartgift.services.timebox import OutOfTime, Postponed
from wagtail_smartgift.services.worker import Worker


logger = logging.getLogger(__name__)

S = RedemptionStatus
#: Minutes after which a confirmation that cannot go forward is undone.
CONFIRM_MINUTES = 15
#: Seconds until the next look where nothing says when.
_PAUSE = 5


def advance(worker: Worker, session: PaymentSession | None = None) -> None:
    """Take every step that can be taken now.

    ``session`` is its row, where the caller has just written it. Returns when the
    session rests (open, confirmed, cancelled, or with a person).

    Raises:
        Postponed: something has to be waited for; the sweep goes on from here.
    """
    session = session or worker.session()
    step = _STEPS.get(SessionStatus(session.status))
    if step is None:
        return
    try:
        step(worker, session)
    except Postponed as error:
        _schedule(worker.session_id, error)
        raise
    except journal.Stale:
        # Somebody else moved a row on; the next look starts from there.
        postponed = Postponed("busy", retry_after=1)
        _schedule(worker.session_id, postponed)
        raise postponed from None


def _schedule(session_id: UUID, error: Postponed) -> None:
    """Set the sweep's next look: the earliest that any row, or the error, waits for.

    A row that is looked at before its own time is left alone, so early costs nothing.
    """
    now = clock.now()
    times = [
        at
        for at in Redemption.objects.filter(
            session_id=session_id, next_look_at__gt=now
        ).values_list("next_look_at", flat=True)
        if at is not None
    ]
    if isinstance(error, OutOfTime):
        times.append(now)
    elif error.retry_after or not times:
        times.append(now + timedelta(seconds=error.retry_after or _PAUSE))
    PaymentSession.objects.filter(pk=session_id).update(next_look_at=min(times))


# -- confirming ---------------------------------------------------------------


def _confirming(worker: Worker, session: PaymentSession) -> None:
    try:
        rows = sessions.rows(session)
        in_doubt = [row for row in rows if row.status == S.REDEEMING]
        for row in in_doubt:
            spending.settle(worker, row)
        if session.cancel_requested:
            _to_cancelling(worker, session)
            return
        if not session.undo_reason:
            # Settling takes time: what was read before may be past.
            _forward(worker, session, sessions.rows(session) if in_doubt else rows)
            _rest(worker, session, SessionStatus.CONFIRMED, "session.confirmed")
            return
    except redeeming.NotRedeemed as error:
        session = _undo(worker, session, error.code)
    except spending.PersonNeeded:
        # The order is kept: once a person has said what happened, it goes on.
        _rest(worker, session, SessionStatus.NEEDS_ATTENTION, "session.needs_attention")
        return
    except Postponed:
        # No time limit overrides an unknown.
        if not is_too_old(session) or _has(session, S.REDEEMING):
            raise
        session = _undo(worker, session, "hold_lost")
    _backward(worker, session)


def _forward(
    worker: Worker, session: PaymentSession, rows: Sequence[Redemption]
) -> None:
    """Hold everything well enough, then redeem one after the other.

    Raises:
        NotRedeemed: one of them cannot be had, so the others are not taken either.
    """
    if sessions.fallen_out(rows):
        # It was refused, and whoever learnt it did not live to undo the others.
        raise redeeming.NotRedeemed("hold_lost")
    if is_too_old(session) and _is_unpaid(session):
        raise redeeming.NotRedeemed("hold_lost")
    for row in rows:
        if row.status in COUNTED_REDEMPTION_STATUSES and row.amount > 0:
            spending.keep(worker, session, row)
    for row in rows:
        if row.status in COUNTED_REDEMPTION_STATUSES and row.amount == 0:
            holding.drop(worker, row)
        elif row.status in COUNTED_REDEMPTION_STATUSES:
            spending.spend(worker, session, row)


def _undo(worker: Worker, session: PaymentSession, reason: str) -> PaymentSession:
    with transaction.atomic(durable=True):
        worker.claim.renew()
        return sessions.lock(
            session.pk, expected={SessionStatus.CONFIRMING}, undo_reason=reason
        )


def _backward(worker: Worker, session: PaymentSession) -> None:
    """Give back what this confirmation took, then open the session again."""
    _reverse_all(worker, session, status=S.LAPSED)
    for row in sessions.rows(session):
        if row.status == S.REFUSED:
            releasing.release(worker, row, status=S.REFUSED)
        elif row.status == S.HELD and row.baseline is None:
            _read_again(worker, session, row)
    if _has(session, S.NEEDS_ATTENTION):
        _rest(worker, session, SessionStatus.NEEDS_ATTENTION, "session.needs_attention")
    else:
        _rest(worker, session, SessionStatus.OPEN, "session.reopened")


def _read_again(worker: Worker, session: PaymentSession, row: Redemption) -> None:
    """Read what is really on a voucher that was refused for want of it."""
    try:
        holding.reappraise(worker, session, row)
    except (holding.Shortfall, holds.HoldRefused):
        return
    except Postponed:
        # The session opens all the same; ``prepare`` looks before it counts.
        holding.let_go(worker, row)


# -- cancelling and refunding -------------------------------------------------


def _to_cancelling(worker: Worker, session: PaymentSession) -> None:
    """Turn round: a cancel came while the session was confirming."""
    with transaction.atomic(durable=True):
        worker.claim.renew()
        session = sessions.lock(
            session.pk,
            expected={SessionStatus.CONFIRMING},
            status=SessionStatus.CANCELLING,
            cancel_requested=False,
        )
    _cancelling(worker, session)


def _cancelling(worker: Worker, session: PaymentSession) -> None:
    _reverse_all(worker, session, status=S.REVERSED)
    for row in sessions.rows(session):
        if row.status in COUNTED_REDEMPTION_STATUSES:
            holding.drop(worker, row)
    if _has(session, S.NEEDS_ATTENTION):
        _rest(worker, session, SessionStatus.NEEDS_ATTENTION, "session.needs_attention")
    else:
        _rest(worker, session, SessionStatus.CANCELLED, "session.cancelled")


def _reverse_all(
    worker: Worker, session: PaymentSession, *, status: RedemptionStatus
) -> None:
    """Reverse every redeemed row, the last first; one that must wait stops none.

    Raises:
        Postponed: some are not back yet.
    """
    postponed: Postponed | None = None
    for row in reversed(sessions.rows(session)):
        try:
            if row.status == S.REDEEMED:
                reversing.begin(worker, row)
            if row.status == S.REVERSING:
                _finish(worker, row, status)
        except (reversing.NotReversible, spending.PersonNeeded):
            continue
        except OutOfTime:
            raise
        except Postponed as error:
            postponed = error
    if postponed is not None:
        raise postponed


def _finish(worker: Worker, row: Redemption, status: RedemptionStatus) -> None:
    spending.or_person(row, lambda: reversing.finish(worker, row, status=status))


def _refunding(worker: Worker, session: PaymentSession) -> None:
    while True:
        try:
            refunding.advance(worker, session)
        except refunding.NotRefundable:
            status, event = SessionStatus.NEEDS_ATTENTION, "session.needs_attention"
        else:
            status, event = SessionStatus.CONFIRMED, "session.refunded"
        try:
            _rest(worker, session, status, event)
        except _MoreToRefund:
            continue  # It came between the last look and the end.
        return


class _MoreToRefund(Exception):
    """Another refund was added to the one that was about to come to rest."""


# -- helpers ------------------------------------------------------------------


def _has(session: PaymentSession, status: RedemptionStatus) -> bool:
    return session.redemptions.filter(status=status).exists()


def _is_unpaid(session: PaymentSession) -> bool:
    return session.redemptions.filter(
        status__in=COUNTED_REDEMPTION_STATUSES, amount__gt=0
    ).exists()


def is_too_old(session: PaymentSession) -> bool:
    """Tell whether a confirmation that cannot go forward is undone by now."""
    began: datetime | None = session.confirm_began_at
    return began is not None and clock.now() - began > timedelta(
        minutes=CONFIRM_MINUTES
    )


def _rest(
    worker: Worker, session: PaymentSession, status: SessionStatus, event: str
) -> None:
    """Let the session rest in ``status`` and tell the world after the commit.

    Raises:
        Postponed: a cancel came in the meantime, and is next.
        _MoreToRefund: so did another refund.
        Claimed: another worker has taken the session over, and is at work on it.
    """
    attention = status == SessionStatus.NEEDS_ATTENTION
    attention_code = _attention_code(session) if attention else ""
    with transaction.atomic(durable=True):
        worker.claim.renew()
        fresh = sessions.lock(
            session.pk,
            expected={SessionStatus(session.status)},
            attention_code=attention_code,
            next_look_at=None,
        )
        if fresh.cancel_requested and not attention:
            raise Postponed("busy", retry_after=0)
        if fresh.refund_target != session.refund_target and not attention:
            raise _MoreToRefund
        wrong = None if attention else journal.disagreeing(session.pk)
        if wrong is not None:
            code = wrong.attention_code
            if wrong.status != S.NEEDS_ATTENTION:
                code = "books_differ"
                logger.error("Redemption %s is not what its journal says.", wrong.pk)
            status, event = SessionStatus.NEEDS_ATTENTION, "session.needs_attention"
            PaymentSession.objects.filter(pk=session.pk).update(attention_code=code)
        stopped = status == SessionStatus.NEEDS_ATTENTION
        fresh.interrupted = session.status if stopped else ""
        PaymentSession.objects.filter(pk=session.pk).update(
            status=status, interrupted=fresh.interrupted
        )
        fresh.status = status
        if status == SessionStatus.OPEN:
            sessions.reallocate(fresh)
        outbox.emit(event, session=fresh)


def _attention_code(session: PaymentSession) -> str:
    row = session.redemptions.filter(status=S.NEEDS_ATTENTION).first()
    return row.attention_code if row is not None else "refund"


_STEPS: dict[SessionStatus, Callable[[Worker, PaymentSession], None]] = {
    SessionStatus.CONFIRMING: _confirming,
    SessionStatus.CANCELLING: _cancelling,
    SessionStatus.REFUNDING: _refunding,
}
