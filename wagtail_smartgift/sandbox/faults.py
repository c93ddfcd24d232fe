"""Faults on demand: what goes wrong, on which call, how often.

Faults are asked in the order in which they were added; the first that fits strikes.
Chance comes from a seed, so a run can be repeated.
"""

import random
import threading
from dataclasses import dataclass, field, fields, replace
from typing import Any


#: Mode to (what happens, whether the call is applied unless the fault says otherwise).
MODES: dict[str, tuple[str, bool]] = {
    "lost_before": ("the connection closes, nothing is applied", False),
    "lost_after": ("applied, then the connection closes without an answer", True),
    "apply_late": ("the connection closes; applied after `seconds`", False),
    "slow": ("waits `seconds`, then applies and answers", True),
    "slow_after": ("applied at once, answered after `seconds`", True),
    "status": ("answers `status` (500, 502, 503 or 504)", False),
    "html": ("answers 200 with an HTML page", False),
    "garbage": ("answers 200 with broken JSON", True),
    "half_body": ("applied, the connection closes in the middle of the answer", True),
    "dribble": ("applied, answers one byte every 0.3 seconds", True),
    "empty_success": ("answers 200 with {}", True),
    "rate_limited": ("answers 429, with `seconds` as Retry-After", False),
    "unauthorised": ("answers as to a bad key", False),
    "refused": ("answers 422 with `message` about `field`", False),
}

#: Modes for which ``applied`` may be chosen.
CHOOSABLE = {"status", "html", "garbage", "half_body", "dribble", "empty_success"}

OPERATIONS = (
    "vouchers",
    "payment-methods",
    "pos-sale",
    "sale",
    "check",
    "redeem",
    "redeem-unified",
    "hold",
    "release",
    "reverse",
)


@dataclass
class Fault:
    """Something that shall go wrong.

    ``operation`` is one of ``OPERATIONS`` or ``"*"``; ``times`` counts down to its end
    (None: for ever); ``seconds`` is real time but for ``apply_late``, which follows the
    sandbox's clock; ``voucher_no`` limits it to one voucher.

    Raises:
        ValueError: a value that makes no sense.
    """

    # Before the field called ``field``, which hides the function.
    _chance: random.Random = field(
        default_factory=random.Random, init=False, repr=False, compare=False
    )
    operation: str = "*"
    mode: str = "lost_after"
    times: int | None = 1
    seconds: float = 30.0
    status: int = 500
    applied: bool | None = None
    probability: float = 1.0
    seed: int = 0
    voucher_no: str | None = None
    message: str = "Something that nobody foresaw."
    field: str = "voucher_no"
    #: Given by the sandbox when it is added.
    id: int = 0

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ValueError(problem)
        if self.applied is None:
            self.applied = MODES[self.mode][1]
        self._chance.seed(self.seed)

    def _problem(self) -> str | None:
        if self.operation not in (*OPERATIONS, "*"):
            return f"unknown operation {self.operation!r}; known: * {OPERATIONS}"
        if self.mode not in MODES:
            return f"unknown mode {self.mode!r}; known: {', '.join(MODES)}"
        if self.times is not None and not (_whole(self.times) and self.times > 0):
            return "times must be a whole number above 0, or null for ever"
        if not (_number(self.seconds) and 0 <= self.seconds <= 86_400):
            return "seconds must be between 0 and 86400"
        if not (_whole(self.status) and 500 <= self.status <= 599):
            return "status must be a 5xx"
        if not (_number(self.probability) and 0 <= self.probability <= 1):
            return "probability must be between 0 and 1"
        if not _whole(self.seed):
            return "seed must be a whole number"
        if self.applied not in (None, True, False):
            return "applied must be true or false"
        decided = MODES[self.mode][1]
        if self.mode not in CHOOSABLE and self.applied not in (None, decided):
            return f"mode {self.mode} decides itself whether the call is applied"
        if not (self.message and self.field):
            return "message and field must be text"
        return None

    def fits(self, operation: str, voucher_no: str | None) -> bool:
        return self.operation in ("*", operation) and self.voucher_no in (
            None,
            voucher_no,
        )

    def strikes(self) -> bool:
        """Draw the chance; a fault that is certain draws nothing."""
        return self.probability >= 1 or self._chance.random() < self.probability

    def as_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.init}


class Faults:
    """The faults that wait for their call."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._faults: list[Fault] = []
        self._last_id = 0

    def add(self, fault: Fault) -> Fault:
        """Add a copy of ``fault`` behind the others and return it, with its id."""
        with self._lock:
            self._last_id += 1
            added = replace(fault, id=self._last_id)
            self._faults.append(added)
            return added

    def remove(self, fault_id: int) -> bool:
        """Take one away; False if it is not there (any more)."""
        with self._lock:
            before = len(self._faults)
            self._faults = [one for one in self._faults if one.id != fault_id]
            return len(self._faults) != before

    def clear(self) -> None:
        with self._lock:
            self._faults = []

    def active(self) -> list[Fault]:
        with self._lock:
            return [replace(fault) for fault in self._faults]

    def take(self, operation: str, voucher_no: str | None) -> Fault | None:
        """Return the fault that strikes this call, one use of it taken off."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(operation, voucher_no) and fault.strikes():
                    if fault.times is not None:
                        fault.times -= 1
                        if not fault.times:
                            self.remove(fault.id)
                    return fault
        return None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return _whole(value) or isinstance(value, float)
