"""How the quota stands: for health, the doctor and the admin. Reads only."""

import datetime as dt
from dataclasses import dataclass, replace

from django.utils import timezone

from wagtail_smartgift.budget import store
from wagtail_smartgift.budget.breaker import Breaker, BreakerState
from wagtail_smartgift.budget.window import LANES, Wait, Window, is_open, plan
from wagtail_smartgift.conf import Account, get_conf


@dataclass(frozen=True)
class BudgetStatus:
    """One key's quota at this moment; ``limit`` 0: it is switched off."""

    #: Calls in a window, by the server's own word once it has spoken.
    limit: int
    #: Seconds in a window.
    span: float
    #: Calls in the window that is open: ours, and those of others that we know of.
    used: int
    #: Ours of these, by lane.
    lanes: tuple[int, ...]
    #: Those of others that share the key: tills, for instance.
    foreign: int
    #: None: no window is open, and the next call starts one.
    window_ends_at: dt.datetime | None
    #: Smart Gift refused a call and wants none before this; None: it does not mind.
    blocked_until: dt.datetime | None
    breaker: BreakerState
    #: Seconds until a call could be made, by lane; 0.0: now.
    waits: tuple[float, ...]

    @property
    def left(self) -> int:
        """Calls that the window still has room for."""
        return max(0, self.limit - self.used)


def status(account: Account) -> BudgetStatus:
    """Return how the quota of the account's key stands.

    Raises:
        DatabaseError: the row could not be read.
    """
    limit = get_conf().rate_limit
    snapshot = store.peek(store.key_of(account)) if limit else None
    window = snapshot.window if snapshot else Window(limit=int(limit))
    breaker = snapshot.breaker if snapshot else Breaker(failures=0, probed_at=0.0)
    now = snapshot.now if snapshot else 0.0
    over = not is_open(window, now)
    if over:
        window = replace(window, used=0, lane_0=0, lane_1=0, lane_2=0, lane_3=0)
    return BudgetStatus(
        limit=window.limit,
        span=window.span,
        used=window.used,
        lanes=window.lanes,
        foreign=window.foreign,
        window_ends_at=None if over else _moment(window.ends_at - now),
        blocked_until=(
            _moment(window.blocked_until - now) if window.blocked_until > now else None
        ),
        breaker=breaker.state(now),
        waits=tuple(_wait(window, breaker, lane, now) for lane in range(LANES)),
    )


def _wait(window: Window, breaker: Breaker, lane: int, now: float) -> float:
    step = plan(window, lane, now)
    pause = step.seconds if isinstance(step, Wait) else 0.0
    return max(pause, breaker.wait(lane, now))


def _moment(seconds: float) -> dt.datetime:
    """Return a moment on this host's clock: the database's may be another."""
    return timezone.now() + dt.timedelta(seconds=seconds)
