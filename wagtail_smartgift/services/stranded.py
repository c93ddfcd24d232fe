"""Payments that are open, so that nothing of them is paid, and yet have taken money.

No step leads there: a redeem and the opening of its payment again refuse one another.
But the customer of an open payment is asked to pay with a card, so what should be
impossible is looked for all the same, and undone: what was taken is given back.
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from wagtail_smartgift import clock, health
from wagtail_smartgift.choices import Operation, RedemptionStatus, SessionStatus
from wagtail_smartgift.models import Heartbeat, PaymentSession, RedemptionEvent
from wagtail_smartgift.services import journal, sessions
from wagtail_smartgift.services.claims import Claimed
from wagtail_smartgift.services.timebox import TimeBox
from wagtail_smartgift.services.worker import ForeignRow, at_work


logger = logging.getLogger(__name__)

S, Status = RedemptionStatus, SessionStatus
#: How long before the end of the last pass redeems are looked at, and how far back
#: where no pass ever came to its end.
LOOK_BACK, FIRST_LOOK_BACK = timedelta(minutes=10), timedelta(days=1)
_TAKEN = (S.REDEEMING, S.REDEEMED, S.REVERSING)
#: Payments in one question.
_CHUNK = 500


def undo(*, limit: int) -> int:
    """Have the sweep give back what open payments have taken; returns how many.

    From the newest redeems to their payments, and not the other way: those are few,
    and there are open payments of many years. Asked in two steps, for in one a
    database would begin where it likes.
    """
    redeems = RedemptionEvent.objects.filter(
        created_at__gte=_since(),
        operation=Operation.REDEEM,
        redemption__status__in=_TAKEN,
    )
    taken = redeems.order_by().values_list("redemption__session", flat=True).distinct()
    found: list[PaymentSession] = []
    for pks in _chunks(list(taken)):
        ours = PaymentSession.objects.filter(PaymentSession.ours(), pk__in=pks)
        # Not in the question: SQLite would go through all that are open instead.
        found += [session for session in ours if session.status == Status.OPEN]
    return sum(_undo(session) for session in found[:limit])


def _since() -> datetime:
    now = clock.now()
    passes = Heartbeat.objects.filter(name=health.SWEEP).values_list("at", flat=True)
    last = passes.first()
    return now - FIRST_LOOK_BACK if last is None else min(last, now) - LOOK_BACK


def _chunks(pks: list[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(pks), _CHUNK):
        yield pks[start : start + _CHUNK]


def _undo(session: PaymentSession) -> bool:
    """Let it be confirming, and undone: from there the rules go on."""
    try:
        with (
            at_work(session, box=TimeBox.sweep()) as worker,
            transaction.atomic(durable=True),
        ):
            worker.claim.renew()
            sessions.lock(
                session.pk,
                expected={Status.OPEN},
                status=Status.CONFIRMING,
                undo_reason="hold_lost",
                confirm_began_at=clock.now(),
                next_look_at=clock.now(),
            )
    except (Claimed, ForeignRow, journal.Stale):
        return False
    logger.error(
        "Payment %s is open and yet has taken money; it is given back.", session.pk
    )
    return True
