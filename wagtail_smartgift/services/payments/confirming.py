"""Redeeming every voucher of a payment session, all or none."""

from datetime import datetime

from django.db import transaction

from wagtail_smartgift import clock, ledger
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.services import opening, progress, sessions
from wagtail_smartgift.services.payments.turn import find, refuse_other, working
from wagtail_smartgift.services.timebox import OutOfTime, Postponed
from wagtail_smartgift.services.worker import Worker


Status = SessionStatus


def confirm(
    *, reference: str, amount_remaining: object = None, plan: str | None = None
) -> ledger.Session:
    """Redeem every voucher of the session, all or none.

    ``plan`` is ``ledger.plan`` of what a person was shown. It is held against what is
    shared out under the session's lock, so nothing fits in between.

    Raises:
        PaymentError: ``amount_changed``: what remains, or the plan, is another by now,
            and nothing was redeemed.
    """
    expected = (
        None
        if amount_remaining is None
        else opening.amount("amount_remaining", amount_remaining, allow_zero=True)
    )
    session = find(reference)
    if (answer := _answer_to_confirm(session)) is not None:
        return answer
    with working(session) as (worker, session):
        if (answer := _answer_to_confirm(session)) is not None:
            return answer
        with transaction.atomic(durable=True):
            fresh = sessions.lock(
                session.pk,
                expected={Status.OPEN},
                status=Status.CONFIRMING,
                confirm_began_at=clock.now(),
                undo_reason="",
                next_look_at=clock.now(),
            )
            remaining = sessions.reallocate(fresh)
            if expected is not None and expected != remaining:
                raise PaymentError("amount_changed")
            if plan is not None and plan != ledger.plan(ledger.describe(fresh)):
                raise PaymentError("amount_changed")
        _drive_confirmation(worker, fresh)
        session = worker.session()
    if session.status == Status.OPEN:
        raise PaymentError(session.undo_reason or "hold_lost")
    refuse_other(session, open_code=None)
    return ledger.describe(session)


def undone_since(*, reference: str, moment: datetime) -> str | None:
    """Return why a confirmation was undone that began after ``moment``, if one was.

    Whoever asked for it then has had its answer, and a repeat that nobody asked for
    must not begin another: its customer may have paid otherwise.

    Raises:
        PaymentError: ``not_found``.
    """
    session = find(reference)
    began = session.confirm_began_at
    if session.status != Status.OPEN or began is None or began < moment:
        return None
    return session.undo_reason or None


def _answer_to_confirm(session: PaymentSession) -> ledger.Session | None:
    if session.status in {Status.CONFIRMING, Status.CONFIRMED}:
        return ledger.describe(session)
    refuse_other(session, open_code=None)
    return None


def _drive_confirmation(worker: Worker, session: PaymentSession) -> None:
    """Go as far as the request's time allows.

    Where nothing was asked of Smart Gift's money yet, the session is opened again
    and the shop told so; else it is pending, and the sweep goes on.
    """
    try:
        progress.advance(worker, session)
    except OutOfTime:
        return
    except Postponed:
        session = worker.session()
        if session.undo_reason or not _untouched(session):
            return
        with transaction.atomic(durable=True):
            # Whoever has taken it over meanwhile may be about to redeem.
            worker.claim.renew()
            fresh = sessions.lock(
                session.pk,
                expected={Status.CONFIRMING},
                status=Status.OPEN,
                next_look_at=None,
            )
            if fresh.cancel_requested:
                # It came this moment, and was promised: the sweep does it.
                transaction.set_rollback(True)
                return
        raise


def _untouched(session: PaymentSession) -> bool:
    quiet = (
        *COUNTED_REDEMPTION_STATUSES,
        RedemptionStatus.RELEASED,
        RedemptionStatus.REFUSED,
    )
    return (
        not session.cancel_requested
        and not session.redemptions.exclude(status__in=quiet).exists()
    )
