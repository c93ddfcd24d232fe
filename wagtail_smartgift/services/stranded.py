"""Payments that are open, so that nothing of them is paid, and yet have taken money.

No step leads there: a redeem and the opening of its payment again refuse one another.
But the customer of an open payment is asked to pay with a card, so what should be
impossible is looked for all the same, and undone: what was taken is given back.
"""

import logging
from datetime import timedelta

from django.db import transaction

from wagtail_smartgift import clock
from wagtail_smartgift.choices import Operation, RedemptionStatus, SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import PaymentSession, RedemptionEvent
from wagtail_smartgift.services import journal, sessions
from wagtail_smartgift.services.claims import Claimed
from wagtail_smartgift.services.timebox import TimeBox
from wagtail_smartgift.services.worker import ForeignRow, at_work


logger = logging.getLogger(__name__)

S, Status = RedemptionStatus, SessionStatus
#: How far back redeems are looked at: their index is by time, and the sweep runs often.
LOOK_BACK = timedelta(days=1)
_TAKEN = (S.REDEEMING, S.REDEEMED, S.REVERSING)


def undo(*, limit: int) -> int:
    """Have the sweep give back what open payments have taken; returns how many."""
    redeems = RedemptionEvent.objects.filter(
        created_at__gte=clock.now() - LOOK_BACK,
        operation=Operation.REDEEM,
        redemption__status__in=_TAKEN,
        redemption__session__status=Status.OPEN,
    )
    pks = redeems.order_by().values_list("redemption__session", flat=True).distinct()
    ours = PaymentSession.bound_to(get_conf().accounts.values())
    found = list(PaymentSession.objects.filter(ours, pk__in=list(pks[:limit])))
    return sum(_undo(session) for session in found)


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
