"""The works of the sandbox: its lock, its calls, and the order of events in time.

Whoever enters ``at_work`` finds everything that was due done first (holds that
lapse, calls that were applied late), in the order of its time, and leaves with all
changes committed. The rules are in ``redeeming``, ``selling`` and ``catalogue``.
"""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from . import catalogue, magic, redeeming, selling
from .answers import Answer, Refusal
from .behaviour import Behaviour
from .call import Call
from .clock import Clock
from .faults import Fault, Faults
from .limits import RateLimiter
from .pence import to_pence
from .records import EXPERIENCE, MONETARY, Company, Voucher
from .store import Store


OPERATIONS: dict[str, Callable[[Call], Answer]] = {
    "vouchers": catalogue.vouchers,
    "payment-methods": catalogue.payment_methods,
    "pos-sale": selling.pos_sale,
    "sale": selling.sale,
    "check": redeeming.check,
    "redeem": redeeming.redeem,
    "redeem-unified": redeeming.redeem_unified,
    "hold": redeeming.hold,
    "release": redeeming.release,
    "reverse": redeeming.reverse,
}

#: Requests that the log remembers.
LOG_LENGTH = 1000

#: How far the clock may drift from the saved offset before it is saved again.
_CLOCK_SLACK = 1.0

_A_MONTH = 30 * 86_400


@dataclass(frozen=True)
class LogLine:
    """A request and what became of it."""

    id: str
    at: datetime
    method: str
    path: str
    operation: str | None
    status: int | None
    milliseconds: float
    fault: str | None = None
    note: str | None = None
    request: Any = None
    answer: Any = None


@dataclass(order=True)
class _Late:
    """A call that has arrived and will be applied later."""

    due: float
    number: int
    run: Callable[[], object] = field(compare=False)


class Engine:
    """The state machine without its doors for tests; see ``Sandbox``."""

    def __init__(
        self,
        *,
        api_keys: Iterable[str] = (catalogue.DEFAULT_KEY,),
        behaviour: Behaviour | None = None,
        clock: Clock | None = None,
        database: str | Path | None = None,
        seeded: bool = True,
    ) -> None:
        self.lock = threading.RLock()
        self.behaviour = Behaviour() if behaviour is None else behaviour.copy()
        self.clock = Clock() if clock is None else clock
        self.faults = Faults()
        self.limiter = RateLimiter()
        self.companies = catalogue.companies(tuple(api_keys))
        self._first_behaviour = self.behaviour.as_dict()
        self._seeded = seeded
        self._late: list[_Late] = []
        self._requests = 0
        self._log: deque[LogLine] = deque(maxlen=LOG_LENGTH)
        self._store = Store(database)
        if self._store.seeded:
            self.clock.advance(max(0.0, self._store.clock_offset - self.clock.offset))
        else:
            self._seed()

    def call(
        self, operation: str, body: dict[str, Any] | None = None, *, api_key: str = ""
    ) -> Answer:
        """Run one operation as if it had come in, past key check, limit and faults.

        The first company answers unless ``api_key`` opens another.
        """
        company = self.company_of(api_key) or self.companies[0]
        return self.perform(operation, company, body or {})

    def perform(
        self,
        operation: str,
        company: Company,
        body: dict[str, Any],
        *,
        request_id: str | None = None,
        base_url: str = "",
    ) -> Answer:
        """Run one operation for a company, and commit what it changed."""
        with self.at_work() as now:
            call = Call(
                self._store, self.behaviour, now, company, body, request_id, base_url
            )
            return self._run(operation, call)

    def perform_late(
        self,
        seconds: float,
        operation: str,
        company: Company,
        body: dict[str, Any],
        *,
        request_id: str | None = None,
    ) -> None:
        """Run an operation when the clock is ``seconds`` further.

        Nothing happens at that very moment; but whoever looks or calls later finds
        everything as if it had, in the right order with holds that lapse.
        """
        with self.at_work() as now:
            due = now + seconds
            self._requests += 1
            call = Call(self._store, self.behaviour, due, company, body, request_id)
            late = _Late(due, self._requests, lambda: self._run(operation, call))
            heapq.heappush(self._late, late)

    def fault_of_role(self, operation: str, number: str) -> Fault | None:
        """Return the fault that a magic voucher puts on a call, its turn counted."""
        with self.at_work():
            voucher = self._store.vouchers.get(number)
            if voucher is None or not magic.plays_on_the_wire(voucher):
                return None
            self._store.put(voucher)
            return magic.wire_fault(operation, voucher)

    def company_of(self, api_key: str) -> Company | None:
        return next((one for one in self.companies if api_key in one.keys), None)

    def next_request_id(self) -> str:
        with self.lock:
            return f"{self._store.next_id('request'):06d}"

    def reset(self) -> None:
        """Start over: records, ledger, log, limits, faults, behaviour and clock."""
        with self.lock:
            self._late.clear()
            self._log.clear()
            self._store.clear()
            self.limiter.clear()
            self.faults.clear()
            self.clock.reset()
            self.behaviour.update(self._first_behaviour)
            self._seed()

    def close(self) -> None:
        """Close the database file, if there is one."""
        with self.lock:
            self._store.flush()
            self._store.close()

    # Inside ---------------------------------------------------------------------------

    @contextmanager
    def at_work(self) -> Iterator[float]:
        """Take the lock, do what is due, yield the time; commit at the end."""
        with self.lock:
            now = self.clock.now()
            try:
                self._settle(now)
                yield now
            finally:
                self._commit()

    def by_hand(self, company_id: int, now: float) -> Call:
        """Return a call that nobody made, for changes that come from elsewhere."""
        company = next(one for one in self.companies if one.id == company_id)
        return Call(self._store, self.behaviour, now, company)

    def _run(self, operation: str, call: Call) -> Answer:
        try:
            return OPERATIONS[operation](call)
        except Refusal as refusal:
            return refusal.answer(self.behaviour.error_summary)

    def _settle(self, now: float) -> None:
        while True:
            lapsing = min(
                (v for v in self._store.held if _ends(v) <= now),
                key=_ends,
                default=None,
            )
            late = self._late[0] if self._late and self._late[0].due <= now else None
            if lapsing is not None and (late is None or _ends(lapsing) <= late.due):
                call = self.by_hand(lapsing.company_id, _ends(lapsing))
                by = "" if lapsing.hold is None else lapsing.hold.by
                lapsing.hold = None
                call.entry("lapse", lapsing, by=by)
            elif late is not None:
                heapq.heappop(self._late).run()
            else:
                return

    def _commit(self) -> None:
        offset = self.clock.offset
        if abs(offset - self._store.clock_offset) > _CLOCK_SLACK:
            self._store.set_clock_offset(offset)
        self._store.flush()

    def _seed(self) -> None:
        now = self.clock.now()
        if self._seeded:
            for product in catalogue.products():
                self._store.put(product)
            for one in magic.VOUCHERS:
                self._issue_magic(one, now)
        self._store.mark_seeded()
        self._commit()

    def _issue_magic(self, one: magic.MagicVoucher, now: float) -> None:
        monetary = one.balance is not None
        voucher = Voucher(
            id=self._store.next_id("voucher", first=11_400),
            number=one.number,
            company_id=one.more.get("company", 1),
            name="The Old Mill gift voucher" if monetary else "The Old Mill experience",
            description="" if monetary else "To be booked with our reception.",
            type=MONETARY if monetary else EXPERIENCE,
            pence=to_pence(one.balance or 0),
            experiences=deepcopy(list(one.experiences)),
            meta=dict(one.more.get("meta", {})),
            cancelled=one.more.get("cancelled", False),
            expires_at=now - _A_MONTH if one.more.get("expired") else None,
            magic=one.role,
        )
        self.by_hand(voucher.company_id, now).entry(
            "issue",
            voucher,
            pence=voucher.pence or sum(e.worth for e in voucher.unused),
            bits=voucher.remaining_bits,
            by="sandbox",
        )


def _ends(voucher: Voucher) -> float:
    return float("inf") if voucher.hold is None else voucher.hold.until
