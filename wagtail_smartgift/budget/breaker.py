"""When Smart Gift does not answer: who may still try, and how often. Pure.

Owns the rule; the two columns it needs are on the budget's row, so that one
process's timeouts spare all the others theirs.
"""

from dataclasses import dataclass
from enum import Enum


#: Failures in a row, of all processes together, after which the breaker opens.
THRESHOLD = 5

#: Seconds since the last failure or attempt after which anybody may try again.
PAUSE = 15.0

#: The same for money in flight: it must be settled, so it keeps asking, slowly.
PACE = 2.0


class BreakerState(Enum):
    """Whether calls are made as usual."""

    CLOSED = "closed"
    OPEN = "open"
    #: The pause is over: the next call is let through alone, to see.
    HALF_OPEN = "half_open"


@dataclass(frozen=True)
class Breaker:
    failures: int
    #: When the last failure was seen or the last attempt let through, unix seconds.
    probed_at: float

    @property
    def tripped(self) -> bool:
        return self.failures >= THRESHOLD

    def state(self, now: float) -> BreakerState:
        if not self.tripped:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.wait(1, now) else BreakerState.HALF_OPEN

    def wait(self, lane: int, now: float) -> float:
        """Return the seconds until a call in ``lane`` may try; 0.0 if it may now."""
        if not self.tripped:
            return 0.0
        pause = PACE if lane == 0 else PAUSE
        # Never longer than the pause, even if the clock was set back meanwhile.
        return min(pause, max(0.0, self.probed_at + pause - now))


def is_failure(status: int | None) -> bool:
    """Tell whether this outcome means that Smart Gift is not there.

    A refusal, 429 among them, is an answer: the other side works.
    """
    return status is None or status >= 500
