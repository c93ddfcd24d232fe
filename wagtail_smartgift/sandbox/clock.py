"""The sandbox's time: real time that tests can move.

Everything that lapses or is stamped reads this clock and no other, so five
minutes pass in a test as soon as it says so. Waiting (slow answers) is not its
business: a client's time-outs run in real time.
"""

import threading
import time
from datetime import datetime, timezone


class Clock:
    """Real time plus an offset; it can be stopped, and moves forward only.

    It runs on the monotonic clock, so an adjustment of the host's wall clock
    neither lapses nor prolongs a hold.
    """

    def __init__(self, *, start: datetime | None = None, frozen: bool = False) -> None:
        if start is not None and start.tzinfo is None:
            msg = "start must be an aware datetime"
            raise ValueError(msg)
        self._lock = threading.Lock()
        self._start, self._starts_frozen = start, frozen
        self._base = 0.0
        #: When it began to run, on the monotonic clock; None while it stands still.
        self._since: float | None = None
        self.reset()

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        with self._lock:
            return self._now()

    def datetime(self) -> datetime:
        """Return the time as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now(), tz=timezone.utc)

    @property
    def frozen(self) -> bool:
        with self._lock:
            return self._since is None

    @property
    def offset(self) -> float:
        """How many seconds this clock is ahead of (or behind) real time."""
        return self.now() - time.time()

    def advance(self, seconds: float) -> None:
        """Move time forward by ``seconds``.

        Raises:
            ValueError: ``seconds`` is negative or not a finite number.
        """
        if not 0 <= seconds < float("inf"):
            msg = "the clock only moves forward, by a finite number of seconds"
            raise ValueError(msg)
        with self._lock:
            self._base += seconds

    def freeze(self) -> None:
        """Stop: from now on only ``advance`` moves time."""
        with self._lock:
            self._base, self._since = self._now(), None

    def resume(self) -> None:
        """Run again from where it stopped."""
        with self._lock:
            if self._since is None:
                self._since = time.monotonic()

    def reset(self) -> None:
        """Go back to how it was made: the only way to move backwards."""
        with self._lock:
            start = self._start
            self._base = time.time() if start is None else start.timestamp()
            self._since = None if self._starts_frozen else time.monotonic()

    def _now(self) -> float:
        if self._since is None:
            return self._base
        return self._base + time.monotonic() - self._since
