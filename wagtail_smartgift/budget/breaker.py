"""When Smart Gift does not answer: who may still try, and how often. Pure.

Owns the rule; the three columns it needs are on the budget's row, so that one
process's timeouts spare all the others theirs.

A 5xx is an answer: something is there, and it may be about one voucher alone. So of one
asker (a payment, a visitor) no more than a few of them count, and a customer with a
number that Smart Gift stumbles over does not close vouchers for everybody. A call that
nobody answers counts in any case.
"""

import hashlib
from dataclasses import dataclass
from enum import Enum


#: Failures in a row, of all processes together, after which the breaker opens.
THRESHOLD = 5

#: Failures of one asker that count, where Smart Gift did answer.
PER_ASKER = 2

#: Seconds since the last failure or attempt after which a payment or a sale may try.
PAUSE = 15.0

#: The same for balance look-ups and the catalogue. Strangers can look up for as long as
#: they like, and an attempt of theirs must not be the one that keeps customers out.
LONG_PAUSE = 30.0

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
    #: Marks of those whose 5xx are among the failures, with commas between.
    askers: str = ""

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
        pause = {0: PACE, 1: PAUSE}.get(lane, LONG_PAUSE)
        # Never longer than the pause, even if the clock was set back meanwhile.
        return min(pause, max(0.0, self.probed_at + pause - now))

    def counts(self, status: int | None, mark: str) -> bool:
        """Tell whether a failure says something about Smart Gift as a whole."""
        if status is None or not mark:
            return True
        return self.askers.split(",").count(mark) < PER_ASKER

    def with_asker(self, status: int | None, mark: str) -> str:
        """Return the marks with that of a failure that counts."""
        if status is None or not mark:
            return self.askers
        known = [item for item in self.askers.split(",") if item]
        return ",".join([*known, mark][-THRESHOLD:])


def mark_of(asker: str) -> str:
    """Return what tells a few askers apart, and nobody who they are; of nobody nothing."""
    if not asker:
        return ""
    return hashlib.sha256(f"asker\0{asker}".encode()).hexdigest()[:6]


def is_failure(status: int | None) -> bool:
    """Tell whether this outcome means that Smart Gift is not there.

    A refusal, 429 among them, is an answer: the other side works.
    """
    return status is None or status >= 500
