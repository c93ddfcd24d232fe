"""How long the caller can wait, and what it is told when it cannot.

A customer's request starts no remote call later than 15 seconds after it began; a
sweep has time. Both wait two seconds at most for a place in the quota: what is about
to be asked is in the journal by then, and its clocks run.
"""

import time
from dataclasses import dataclass, field

from wagtail_smartgift.client import (
    CallNotAllowed,
    CircuitOpen,
    RateLimited,
    SmartGiftError,
)


#: Seconds to wait for a place in the quota, at most.
PATIENCE = 2.0
#: With the patience, no call starts after 15 s; with a whole-call deadline of 25 s, a
#: request ends within 40 s.
REQUEST_SECONDS = 13.0


class Postponed(Exception):
    """Nothing was decided: try again later. ``code`` is one of the documented 503s.

    ``counts``: as one of the looks after which a person decides. Where the quota or
    our own gate was all that was in the way, nothing was learnt of what was to be asked.
    """

    def __init__(
        self,
        code: str,
        *,
        retry_after: float | None = None,
        counts: bool | None = None,
    ) -> None:
        self.code = code
        self.retry_after = retry_after
        self.counts = code != "busy" if counts is None else counts
        super().__init__(code)

    @classmethod
    def by(cls, error: SmartGiftError, *, tried: bool = False) -> "Postponed":
        """Translate an error of the client that decided nothing.

        ``tried``: before the last one, which may have been kept back, one was made.
        """
        kept_back = is_kept_back(error)
        busy = kept_back and not isinstance(error, CircuitOpen)
        return cls(
            "busy" if busy else "smartgift_unavailable",
            retry_after=error.retry_after or (5 if kept_back else 30),
            counts=tried or not kept_back,
        )


def is_kept_back(error: SmartGiftError) -> bool:
    """Tell whether the quota, or our breaker, was all that was in the way."""
    return isinstance(error, (CallNotAllowed, RateLimited))


class OutOfTime(Postponed):
    """The caller has no time left to start another remote call."""

    def __init__(self) -> None:
        super().__init__("busy", retry_after=5)


@dataclass(frozen=True)
class TimeBox:
    """The time that one caller has; ``seconds`` None means no limit."""

    seconds: float | None
    #: Seconds to wait for a place in the quota, per call.
    patience: float
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def request(cls) -> "TimeBox":
        return cls(seconds=REQUEST_SECONDS, patience=PATIENCE)

    @classmethod
    def sweep(cls) -> "TimeBox":
        return cls(seconds=None, patience=PATIENCE)

    def left(self) -> float:
        """Return the seconds in which a remote call may still be started."""
        if self.seconds is None:
            return float("inf")
        return self.seconds - (time.monotonic() - self.began)

    def spend(self) -> None:
        """Ask for the time to start one more remote call.

        Raises:
            OutOfTime: there is none left.
        """
        if self.left() <= 0:
            raise OutOfTime
