"""Fences: a new hold, so that a late redeem with the token of the old one is refused.

What a fence is worth is for a probe to find out (``capabilities``); where nothing is
known, nothing is built on it.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from wagtail_smartgift.capabilities import Capabilities
from wagtail_smartgift.choices import Lane, Operation, Outcome, RedemptionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services import holds, journal, redeeming, releasing
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import Worker


logger = logging.getLogger(__name__)


def is_fenced(row: Redemption) -> bool:
    """Tell whether the hold of this row was taken after its redeem was sent."""
    return bool(row.hold_sent_at and row.sent_at and row.hold_sent_at > row.sent_at)


def fence(worker: Worker, row: Redemption) -> None:
    """Exchange our hold for a new one, so that a late redeem with the old is refused."""
    if not releasing.release(worker, row, status=RedemptionStatus.REDEEMING):
        return  # The old one stands; the balance under it decides in the end.
    with transaction.atomic(durable=True):
        holds.request(row, holds.FENCING, expected={RedemptionStatus.REDEEMING})
    try:
        holds.take(worker, row, holds.FENCING, lane=Lane.MONEY)
    except (holds.VoucherHeld, holds.HoldRefused, Postponed):
        # No fence: the balance after the latest possible moment decides.
        logger.info("No fence could be taken for %s.", row.pk)


def decided_from(row: Redemption, known: Capabilities, *, held: bool) -> datetime:
    """Return from when on an unchanged balance means that it was not applied.

    A lost request is not applied any more after ``LATE``. Behind a fence that is known
    to hold it is refused at once when it comes, now and after the fence. Only one that
    had got past the check of its token by then may still be at work, and Smart Gift is
    done with any request after ``SETTLE``.
    """
    late_at = redeeming.sent_at(row) + timedelta(seconds=get_conf().late)
    if not (held and known.fence_holds and is_fenced(row)):
        return late_at
    released = journal.last_step(row.pk, Operation.RELEASE)
    fenced = journal.last_step(row.pk, Operation.HOLD)
    if released is None or fenced is None:
        return late_at
    # What was seen to be refused is the token of a hold that was given back. One that
    # was over already, or whose release was not answered, may be another matter.
    given_back = (released.outcome, released.reason) == (Outcome.SUCCEEDED, "")
    if not given_back or fenced.outcome != Outcome.SUCCEEDED or fenced.pk < released.pk:
        return late_at
    # Given back before that: from then on the old token was refused.
    fenced_at = row.hold_sent_at or late_at
    return min(late_at, fenced_at + timedelta(seconds=get_conf().settle))
