"""The sandbox itself: a Smart Gift without HTTP.

It owns the lock, the order of events in time, and the doors for tests. The rules
are in ``redeeming``, ``selling`` and ``catalogue``; what a request goes through
before it gets here (key, limit, faults) is in ``api``.
"""

import heapq
import threading
from collections import deque
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import catalogue, magic, redeeming, selling
from .answers import Answer, Refusal, refuse
from .behaviour import Behaviour
from .call import Call
from .clock import Clock
from .faults import Faults
from .limits import RateLimiter
from .messages import ALREADY_HELD, NOT_ENOUGH_BALANCE, NOT_HELD
from .moves import place_hold, spend
from .pence import to_pence
from .records import (
    EXPERIENCE,
    MONETARY,
    Company,
    Entry,
    Experience,
    Product,
    Redemption,
    Sale,
    Voucher,
)
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

#: More would make the best fit of redeem-unified slow.
MOST_EXPERIENCES = 12

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


class Sandbox:
    """A local Smart Gift: vouchers, holds, redemptions, sales, ledger and clock.

    Any thread may use it. What its methods return are copies. ``behaviour``, ``clock``
    and ``faults`` are live: change them at any time.

    Raises:
        DatabaseInUse: another process has the ``database`` file open.
    """

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
        self._log: deque[LogLine] = deque(maxlen=1000)
        self._store = Store(database)
        if self._store.seeded:
            self.clock.advance(max(0.0, self._store.clock_offset - self.clock.offset))
        else:
            self._seed()

    # Calls ------------------------------------------------------------------------------

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
        with self._at_work() as now:
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
        with self._at_work() as now:
            due = now + seconds
            self._requests += 1
            call = Call(self._store, self.behaviour, due, company, body, request_id)
            late = _Late(due, self._requests, lambda: self._run(operation, call))
            heapq.heappush(self._late, late)

    def company_of(self, api_key: str) -> Company | None:
        return next((one for one in self.companies if api_key in one.keys), None)

    def next_request_id(self) -> str:
        with self.lock:
            return f"{self._store.next_id('request'):06d}"

    # Looking ------------------------------------------------------------------------------

    def voucher(self, number: str) -> Voucher:
        """Return a voucher as it is now.

        Raises:
            LookupError: there is none with that number.
        """
        with self._at_work():
            return deepcopy(self._voucher(number))

    def vouchers(self) -> list[Voucher]:
        with self._at_work():
            return deepcopy(list(self._store.vouchers.values()))

    def product(self, product_id: int) -> Product:
        """Raises: LookupError: there is none with that id."""
        with self._at_work():
            return deepcopy(self._product(product_id))

    def products(self) -> list[Product]:
        with self._at_work():
            return deepcopy(list(self._store.products.values()))

    def redemptions(self, voucher_no: str | None = None) -> list[Redemption]:
        """Return the transactions, oldest first, reversed ones too."""
        with self._at_work():
            every = self._store.redemptions.values()
            return deepcopy([r for r in every if voucher_no in (None, r.voucher_no)])

    def sales(self) -> list[Sale]:
        """Return the orders, oldest first."""
        with self._at_work():
            return deepcopy(list(self._store.sales.values()))

    def ledger(
        self, *, voucher_no: str | None = None, event: str | None = None, after: int = 0
    ) -> list[Entry]:
        """Return the lines of the ledger with an id above ``after``, oldest first."""
        with self._at_work():
            return [
                entry
                for entry in self._store.ledger[max(0, after) :]
                if voucher_no in (None, entry.voucher_no)
                and event in (None, entry.event)
            ]

    def log(self) -> list[LogLine]:
        """Return the last thousand requests, oldest first."""
        with self.lock:
            return list(self._log)

    def add_log_line(self, line: LogLine) -> None:
        with self.lock:
            self._log.append(line)

    # What other people do -------------------------------------------------------------------

    def hold_by_till(self, number: str) -> str:
        """Let another till hold a voucher, and return its token.

        Raises:
            Refusal: it is held already.
        """
        with self._at_work() as now:
            voucher = self._voucher(number)
            if voucher.hold is not None:
                raise refuse("voucher_no", ALREADY_HELD)
            return place_hold(self._by_hand(voucher, now), voucher, by="till")

    def release_by_till(self, number: str) -> None:
        """Let whoever holds a voucher give it back, without the token.

        Raises:
            Refusal: nobody holds it.
        """
        with self._at_work() as now:
            voucher = self._voucher(number)
            if voucher.hold is None:
                raise refuse("hold_token", NOT_HELD)
            by, voucher.hold = voucher.hold.by, None
            self._by_hand(voucher, now).entry("release", voucher, by=by)

    def spend_by_till(
        self,
        number: str,
        amount: Decimal | int | str = 0,
        *,
        bits: int = 0,
        despite_hold: bool = False,
    ) -> list[int]:
        """Let another till redeem money or experiences, and return the redemption ids.

        ``despite_hold`` is a till that Smart Gift's own rules would have stopped.

        Raises:
            Refusal: the voucher is held, or has not got that much.
        """
        with self._at_work() as now:
            voucher = self._voucher(number)
            call = self._by_hand(voucher, now)
            if voucher.hold is not None and not despite_hold:
                raise refuse("voucher_no", ALREADY_HELD)
            pence = to_pence(amount)
            chosen = [one for one in voucher.unused if one.bit_value & bits]
            if pence > voucher.pence or sum(one.bit_value for one in chosen) != bits:
                raise refuse("value", NOT_ENOUGH_BALANCE)
            site_id = next(iter(call.company.sites))
            return spend(
                call, voucher, site_id, pence=pence, experiences=chosen, by="till"
            )

    def top_up(self, number: str, amount: Decimal | int | str) -> None:
        """Let the venue's staff add money to a monetary voucher."""
        with self._at_work() as now:
            voucher, pence = self._voucher(number), to_pence(amount)
            voucher.pence += pence
            self._by_hand(voucher, now).entry(
                "top_up", voucher, pence=pence, by="staff"
            )

    def cancel_voucher(self, number: str) -> None:
        with self._at_work() as now:
            voucher = self._voucher(number)
            voucher.cancelled = True
            self._by_hand(voucher, now).entry("cancel", voucher, by="staff")

    def expire_voucher(self, number: str) -> None:
        with self._at_work() as now:
            voucher = self._voucher(number)
            voucher.expires_at = now
            self._by_hand(voucher, now).entry("expire", voucher, by="staff")

    # Setting the scene ------------------------------------------------------------------------

    def add_voucher(
        self,
        number: str | None = None,
        *,
        balance: Decimal | int | str | None = None,
        experiences: Iterable[Experience] | None = None,
        company_id: int = 1,
        name: str | None = None,
        description: str = "",
        meta: dict[str, Any] | None = None,
        expires_at: datetime | None = None,
        role: str | None = None,
    ) -> Voucher:
        """Issue a voucher: a ``balance`` in pounds, or ``experiences``.

        Raises:
            ValueError: both or neither, a number that is taken, or bit values that
                are not distinct powers of two.
        """
        parts = deepcopy(list(experiences or []))
        bits = [one.bit_value for one in parts]
        if (balance is None) == (not parts):
            msg = "a voucher has either a balance or experiences"
            raise ValueError(msg)
        if len(bits) > MOST_EXPERIENCES or len(set(bits)) != len(bits):
            msg = f"at most {MOST_EXPERIENCES} experiences, each with its own bit value"
            raise ValueError(msg)
        if any(bit < 1 or bit & (bit - 1) for bit in bits):
            msg = "bit values must be powers of two"
            raise ValueError(msg)
        if company_id not in {company.id for company in self.companies}:
            msg = f"no company {company_id}"
            raise ValueError(msg)
        with self._at_work() as now:
            if number in self._store.vouchers:
                msg = "this voucher number is taken"
                raise ValueError(msg)
            company = self._company(company_id)
            voucher = Voucher(
                id=self._store.next_id("voucher", first=11_400),
                number=number or selling.new_code(self._by_hand_of(company, now)),
                company_id=company_id,
                name=name or ("Gift experience" if parts else "Gift voucher"),
                description=description,
                type=EXPERIENCE if parts else MONETARY,
                pence=0 if balance is None else to_pence(balance),
                experiences=parts,
                meta=dict(meta or {}),
                expires_at=None if expires_at is None else expires_at.timestamp(),
                magic=role,
            )
            self._by_hand(voucher, now).entry(
                "issue",
                voucher,
                pence=voucher.pence or sum(one.worth for one in parts),
                bits=sum(bits),
                by="sandbox",
            )
            return deepcopy(voucher)

    def put_product(self, product: Product) -> None:
        """Add a product to the catalogue, or replace the one with its id."""
        with self._at_work():
            self._store.put(deepcopy(product))

    def change_product(self, product_id: int, **values: Any) -> Product:
        """Change fields of a product (money in pence) and stamp the time.

        Raises:
            LookupError: there is no such product.
            AttributeError: there is no such field.
        """
        with self._at_work() as now:
            product = self._product(product_id)
            for name in values:
                getattr(product, name)
            for name, value in values.items():
                setattr(product, name, value)
            product.updated_at = now
            self._store.put(product)
            return deepcopy(product)

    def remove_product(self, product_id: int) -> None:
        """Raises: LookupError: there is no such product."""
        with self._at_work():
            self._product(product_id)
            self._store.remove_product(product_id)

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
