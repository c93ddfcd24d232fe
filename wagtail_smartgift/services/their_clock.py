"""Smart Gift's own clock: a second witness of how much time has passed.

All hosts go by the database's clock, and somebody may set that. Set back, a hold seems
to stand that ended long ago, and what a till took under no hold at all seems to be our
redeem; set forward, a request seems too old to arrive that is still on its way. What
Smart Gift's answers carry (``Date``) tells both; it is never believed where it would
decide sooner than our own.
"""

from datetime import datetime, timedelta

from wagtail_smartgift.client import VoucherState
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services.holds import DEADLINE_MARGIN


#: Both clocks are read a little after what they are about, theirs in whole seconds.
_SLACK = timedelta(seconds=DEADLINE_MARGIN)


def time_there(row: Redemption, now: datetime) -> datetime | None:
    """Return what Smart Gift's clock shows ``now``, reckoned from when it gave our hold.

    None where its answer had no time.
    """
    if row.their_hold_at is None or row.hold_sent_at is None:
        return None
    return row.their_hold_at + (now - row.hold_sent_at)


def is_over(row: Redemption, state: VoucherState, lasts: float) -> bool:
    """Tell whether by their clock a hold of ``lasts`` seconds has ended.

    False where their answers had no time.
    """
    if row.their_hold_at is None or state.answered_at is None:
        return False
    return state.answered_at - row.their_hold_at > timedelta(seconds=lasts) - _SLACK


def early(
    row: Redemption, state: VoucherState, decided_from: datetime
) -> timedelta | None:
    """Return how much, by their clock, is missing until ``decided_from``, if anything.

    Reckoned from when the redeem was sent.
    """
    ours, theirs, answered = row.sent_at, row.their_sent_at, state.answered_at
    if ours is None or theirs is None or answered is None:
        return None
    missing = (decided_from - ours) - (answered - theirs)
    return missing if missing > _SLACK else None
