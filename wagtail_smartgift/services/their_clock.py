"""Smart Gift's own clock: a second witness of how much time has passed.

All hosts go by the database's clock, and somebody may set that. Set back, a hold seems
to stand that ended long ago, and what a till took under no hold at all seems to be our
redeem; set forward, a request seems too old to arrive that is still on its way. What
Smart Gift's answers carry (``Date``) tells both; it is never believed where it would
decide sooner than our own.
"""

from datetime import datetime, timedelta

from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services.holds import DEADLINE_MARGIN


#: Both clocks are read a little after what they are about, theirs in whole seconds.
_SLACK = timedelta(seconds=DEADLINE_MARGIN)


def time_there(row: Redemption, now: datetime) -> datetime | None:
    """Reckon what Smart Gift's clock shows ``now`` from what it showed with our hold.

    Our own has told how long that is ago. None where its answer had no time.
    """
    if row.their_hold_at is None or row.hold_sent_at is None:
        return None
    return row.their_hold_at + (now - row.hold_sent_at)


def is_over(row: Redemption, answered_at: datetime | None, lasts: float) -> bool:
    """Tell whether our hold of ``lasts`` seconds had ended when they answered.

    False where their answers had no time.
    """
    if row.their_hold_at is None or answered_at is None:
        return False
    return answered_at - row.their_hold_at > timedelta(seconds=lasts) - _SLACK


def early(
    row: Redemption, answered_at: datetime | None, decided_from: datetime
) -> timedelta | None:
    """Return how much was missing until ``decided_from`` when they answered, if anything.

    Reckoned from when the redeem was sent, and never more than all of that time: an
    answer from before the redeem is of another clock.
    """
    ours, theirs = row.sent_at, row.their_sent_at
    if ours is None or theirs is None or answered_at is None:
        return None
    whole = decided_from - ours
    missing = min(whole, whole - (answered_at - theirs))
    return missing if missing > _SLACK else None
