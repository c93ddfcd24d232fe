"""When to look again at what is not known yet, and when to give it to a person."""

from datetime import datetime, timedelta

from django.db import transaction

from wagtail_smartgift import clock
from wagtail_smartgift.choices import Operation, Outcome, RedemptionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services import journal
from wagtail_smartgift.services.timebox import Postponed


#: Seconds between two looks at the most.
LONGEST = 3600
#: How often their clock is believed that less time has passed than by the database's.
CLOCK_DOUBTS = 3
#: In the journal: by their clock it is too early to tell.
THEIR_CLOCK = "their_clock"


def furthest() -> timedelta:
    """Return later than which no look is ever set.

    One that is was written before the database's clock was set back, and is due.
    """
    return timedelta(seconds=2 * max(LONGEST, get_conf().late))


def look_again(row: Redemption, at: datetime) -> None:
    """Set when the sweep should come back; not a change of state."""
    Redemption.objects.filter(pk=row.pk).update(next_look_at=at)
    row.next_look_at = at


def is_early(row: Redemption) -> bool:
    """Tell whether somebody has come back before the time that was set."""
    if row.next_look_at is None:
        return False
    return timedelta(0) < row.next_look_at - clock.now() <= furthest()


def doubt_clock(row: Redemption, missing: timedelta) -> bool:
    """Wait for what is missing by their clock; false once that was done often enough.

    Nobody sets the database's clock a second time meanwhile, most likely; and theirs
    may be the wrong one.
    """
    doubts = row.events.filter(reason=THEIR_CLOCK, attempt=row.attempt).count()
    if doubts >= CLOCK_DOUBTS:
        return False
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.CHECK,
            Outcome.UNKNOWN,
            status=RedemptionStatus(row.status),
            reason=THEIR_CLOCK,
        )
    look_again(row, clock.now() + missing)
    return True


def back_off(row: Redemption, error: Postponed) -> bool:
    """Wait twice as long as the last time; false once an hour was not enough.

    What was not asked, for want of quota or in an outage, does not count as a look.
    """
    now = clock.now()
    if not error.counts:
        look_again(row, now + timedelta(seconds=error.retry_after or 5))
        return True
    delay = max(1.0, get_conf().settle) * 2**row.looks
    if row.looks and delay / 2 >= LONGEST:
        return False
    Redemption.objects.filter(pk=row.pk).update(looks=row.looks + 1)
    row.looks += 1
    look_again(row, now + timedelta(seconds=min(delay, LONGEST)))
    return True
