"""Seeing, before a card is touched, that every voucher can be redeemed."""

from django.db import transaction

from wagtail_smartgift import clock, ledger
from wagtail_smartgift.choices import COUNTED_REDEMPTION_STATUSES, SessionStatus
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import holding, holds, sessions
from wagtail_smartgift.services.payments.turn import (
    find,
    get_session,
    refuse_other,
    working,
)
from wagtail_smartgift.services.worker import Worker


Status = SessionStatus


def prepare(*, reference: str) -> ledger.Session:
    """See that every voucher is held for long enough, and holds what it is to pay."""
    session = find(reference)
    if (answer := _answer_to_prepare(session)) is not None:
        return answer
    with working(session) as (worker, session):
        if (answer := _answer_to_prepare(session)) is not None:
            return answer
        PaymentSession.objects.filter(pk=session.pk).update(last_active_at=clock.now())
        for row in sessions.rows(session):
            if row.status in COUNTED_REDEMPTION_STATUSES and row.amount > 0:
                _prepare(worker, session, row)
    return get_session(reference=reference)


def _answer_to_prepare(session: PaymentSession) -> ledger.Session | None:
    if session.status in {Status.CONFIRMING, Status.CONFIRMED}:
        return ledger.describe(session)
    refuse_other(session, open_code=None)
    return None


def _prepare(worker: Worker, session: PaymentSession, row: Redemption) -> None:
    try:
        holding.ensure(worker, session, row, anew=True)
    except holds.VoucherHeld as error:
        raise PaymentError(
            "voucher_held", retry_after=error.retry_after, is_ours=error.is_ours
        ) from None
    except holds.HoldRefused:
        _reallocate(session)
        raise PaymentError("hold_lost") from None
    except holding.Shortfall:
        _reallocate(session)
        raise PaymentError("shortfall") from None


def _reallocate(session: PaymentSession) -> None:
    with transaction.atomic(durable=True):
        sessions.reallocate(sessions.lock(session.pk, expected={Status.OPEN}))
