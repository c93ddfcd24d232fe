"""Who takes part in the campaign: customers, tills, sweeps, and a witness.

A customer's whole checkout follows from its number, so a run can be repeated (but for
the order in which processes get their turns). Each process keeps a diary of what it
asked and what it was told: what was told is held against the books afterwards, and an
answer that its process took to the grave is found there.
"""

import json
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


#: Of all calls: answers lost (or requests, or applied late, or answered too late for
#: the client's time-out), together 10 %; and 5xx, applied or not, together 5 %.
FAULTS: tuple[dict[str, Any], ...] = (
    {"mode": "lost_after", "probability": 0.06},
    {"mode": "lost_before", "probability": 0.025},
    {"mode": "apply_late", "probability": 0.01, "seconds": 4.0},
    {"mode": "slow_after", "probability": 0.005, "seconds": 3.0},
    {"mode": "status", "status": 500, "probability": 0.015},
    {"mode": "status", "status": 503, "probability": 0.01},
    {"mode": "status", "status": 502, "applied": True, "probability": 0.015},
    {"mode": "status", "status": 504, "applied": True, "probability": 0.01},
)
#: What the shop is configured with: all waits shortened.
WAITS = {"TIMEOUT": 2, "SETTLE": 3, "LATE": 8, "ABANDONED_AFTER": 20}
HOLD_SECONDS = 60
RATE_LIMIT = 1_000_000
#: Codes after which a shop asks again.
TRY_AGAIN = frozenset({"busy", "smartgift_unavailable", "session_busy"})
BUYER = {
    "first_name": "John",
    "last_name": "Smith",
    "email": "john@example.org",
    "address1": "1 Mill Lane",
    "city": "Bath",
    "postcode": "BA1 1AA",
}


# -- at Smart Gift ---------------------------------------------------------------------


def make_sandbox(seed: int, checkouts: int) -> Any:
    """Return a sandbox that remembers every request, with a voucher for everybody."""
    from tests.money.world import experiences
    from wagtail_smartgift.sandbox import Behaviour, Sandbox

    class Witness(Sandbox):
        """A sandbox that forgets no request, with tills beside the shop."""

        def __init__(self) -> None:
            behaviour = Behaviour(rate_limit=RATE_LIMIT, hold_seconds=HOLD_SECONDS)
            super().__init__(behaviour=behaviour)
            self._log = deque()
            self._closing = threading.Event()
            self._tills = threading.Thread(target=self._be_tills, daemon=True)

        def break_down(self) -> None:
            """From now on calls go wrong, and tills are busy."""
            from wagtail_smartgift.sandbox import Fault

            for number, values in enumerate(FAULTS):
                self.faults.add(Fault(times=None, seed=seed + number, **values))
            self._tills.start()

        def stop_tills(self) -> None:
            self._closing.set()
            self._tills.join()

        def advance(self, seconds: float) -> None:
            self.clock.advance(seconds)

        def testimony(self) -> list[dict[str, Any]]:
            """Return every request: its id, operation, voucher, fault and status."""
            return [
                {
                    "id": line.id,
                    "operation": line.operation,
                    "voucher": (line.request or {}).get("voucher_no"),
                    "fault": line.fault,
                    "status": line.status,
                }
                for line in self.log()
            ]

        def _be_tills(self) -> None:
            from wagtail_smartgift.sandbox import Refusal

            chance = random.Random(seed)
            while not self._closing.wait(chance.expovariate(4.0)):
                number = f"CAMP-{chance.randrange(checkouts):05}-0"
                try:
                    if chance.random() < 0.3:
                        self.hold_by_till(number)
                    else:
                        self.spend_by_till(number, chance.choice(["1.00", "10.00"]))
                except (Refusal, LookupError):
                    continue  # It is held, empty, or an experience.

    sandbox = Witness()
    for number in range(checkouts):
        for place, voucher in enumerate(Plan.of(seed, number).vouchers):
            if voucher.is_experience:
                values: dict[str, Any] = {"experiences": experiences()}
            else:
                values = {"balance": voucher.balance}
            sandbox.add_voucher(f"CAMP-{number:05}-{place}", **values)
    return sandbox


# -- customers -------------------------------------------------------------------------


@dataclass(frozen=True)
class Purse:
    """A voucher that a customer has."""

    balance: str
    is_experience: bool
    #: The most that they want to take from it.
    amount: str | None


@dataclass(frozen=True)
class Plan:
    """What a customer, and the shop after them, will do."""

    number: int
    sells: bool
    due: Decimal
    due_later: Decimal | None
    vouchers: tuple[Purse, ...]
    #: Whether they try a voucher that another customer has, too.
    borrows: bool
    removes: bool
    leaves: bool
    prepares: bool
    #: What the shop does with the order in the end.
    ending: str
    refunds: tuple[Decimal, ...] = field(default=())

    @property
    def reference(self) -> str:
        return f"campaign-{self.number:05}"

    @classmethod
    def of(cls, seed: int, number: int) -> "Plan":
        chance = random.Random(f"{seed}-{number}")

        def often(share: float) -> bool:
            return chance.random() < share

        vouchers = tuple(
            Purse(
                balance=f"{chance.randint(10, 150)}.{chance.choice(['00', '50'])}",
                is_experience=often(0.12),
                amount=f"{chance.randint(1, 40)}.00" if often(0.25) else None,
            )
            for _ in range(chance.choice([1, 1, 1, 2, 2, 3]))
        )
        due = Decimal(chance.randint(5, 200))
        return cls(
            number=number,
            sells=often(0.1),
            due=due,
            due_later=Decimal(chance.randint(5, 200)) if often(0.2) else None,
            vouchers=vouchers,
            borrows=often(0.15),
            removes=often(0.1),
            leaves=often(0.06),
            prepares=often(0.8),
            ending=chance.choice(
                ["keep"] * 6 + ["cancel", "cancel", "refund", "refund", "part", "part"]
            ),
            refunds=tuple(Decimal(chance.randint(1, 15)) for _ in range(2)),
        )

    def numbers(self) -> list[tuple[str, str | None]]:
        """Return the voucher numbers to be added, and the most to take of each."""
        mine = [
            (f"CAMP-{self.number:05}-{place}", voucher.amount)
            for place, voucher in enumerate(self.vouchers)
        ]
        if self.borrows and self.number:
            mine.append((f"CAMP-{self.number - 1:05}-0", None))
        return mine


class Diary:
    """Lines that outlive the process: each is one write."""

    def __init__(self, folder: str) -> None:
        path = Path(folder) / f"{os.getpid()}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, **line: Any) -> None:
        text = json.dumps({"pid": os.getpid(), **line}, default=str)
        os.write(self._file, f"{text}\n".encode())

    def watch(self) -> None:
        """Note each call and each answer, at the boundary to the network."""
        from wagtail_smartgift.client._transport import Answer, Transport

        exchange, diary = Transport.exchange, self

        def noted(
            self: Transport, method: str, path: str, body: Any, **values: Any
        ) -> Any:
            asked = json.loads(body) if body else {}
            diary.note(call=path, voucher=asked.get("voucher_no"))
            answer = exchange(self, method, path, body, **values)
            if isinstance(answer, Answer):
                diary.note(answered=answer.headers.get("X-Sandbox-Request"))
            return answer

        Transport.exchange = noted  # type: ignore[method-assign]


def read_diaries(folder: str) -> list[dict[str, Any]]:
    """Return all lines, each process's in order; a line half written is none."""
    lines = []
    for path in sorted(Path(folder).glob("*.jsonl")):
        for text in path.read_text().split("\n"):
            if text:
                lines.append(json.loads(text))
    return lines


def shorten_waits() -> None:
    """Make our side's five minutes those of this sandbox."""
    from wagtail_smartgift.services import holds

    holds.HOLD_SECONDS = HOLD_SECONDS


def be_shop(url: str, seed: int, folder: str, pipe: Connection) -> None:
    """Be one process of the shop: a checkout for each number that comes."""
    from tests.benchmarks.arena import settings_for

    diary = Diary(folder)
    diary.watch()
    shorten_waits()
    with settings_for(url, **shop_settings()):
        while (order := pipe.recv()) is not None:
            number, again = order
            Checkout(Plan.of(seed, number), diary, again=again).run()
            pipe.send(number)


def shop_settings() -> dict[str, Any]:
    return {
        **WAITS,
        "RATE_LIMIT": RATE_LIMIT,
        "EXPERIENCE_VALUE": "tests.money.world.worth",
        # Everybody here is a paying customer.
        "THROTTLES": {"GLOBAL_FAILURES_PER_MINUTE": 10**6, "SESSION_FAILURES": 10**6},
    }


def be_sweeper(url: str, folder: str, pause: float) -> None:
    """Be a sweep that never ends, beside customers and other sweeps."""
    from tests.benchmarks.arena import settings_for
    from wagtail_smartgift.services.reconciliation import reconcile

    diary = Diary(folder)
    diary.watch()
    shorten_waits()
    with settings_for(url, **shop_settings()):
        while True:
            report = reconcile()
            if report.faults:
                diary.note(stumbled=report.faults)
            time.sleep(pause)


class Checkout:
    """One customer, and the shop behind them."""

    def __init__(self, plan: Plan, diary: Diary, *, again: bool) -> None:
        self.plan, self.diary = plan, diary
        #: The process that worked on it before was killed.
        self.again = again

    def run(self) -> None:
        from django.db import DatabaseError

        try:
            if self.plan.sells:
                self._sell()
            else:
                self._pay()
        except DatabaseError as error:
            # The shop's own page would fail, too; the customer comes back or not.
            self.diary.note(ref=self.plan.reference, failed=repr(error))

    def _ask(self, verb: Callable[..., Any], **values: Any) -> Any:
        """Call a verb, again where it says so; note and return what came of it."""
        from wagtail_smartgift.exceptions import SmartGiftPluginError

        name, told = verb.__name__, None
        for _attempt in range(4):
            self.diary.note(ref=self.plan.reference, asks=name)
            try:
                told = verb(reference=self.plan.reference, **values)
            except SmartGiftPluginError as error:
                self.diary.note(ref=self.plan.reference, verb=name, code=error.code)
                if error.code not in TRY_AGAIN:
                    return error.code
                time.sleep(min(error.retry_after or 1, 1))
                continue
            self.diary.note(
                ref=self.plan.reference,
                verb=name,
                status=told.status,
                refunded=getattr(told, "amount_refunded", None),
                pending=told.pending,
            )
            return told
        return None

    def _pay(self) -> None:
        from wagtail_smartgift import payments

        plan = self.plan
        self._ask(payments.open_session, amount_due=plan.due)
        for number, amount in plan.numbers():
            self._ask(payments.add_voucher, voucher_no=number, amount=amount)
        if plan.due_later is not None:
            self._ask(payments.open_session, amount_due=plan.due_later)
        state = payments.get_session(reference=plan.reference)
        if plan.removes and state.redemptions:
            self._ask(payments.remove_voucher, redemption_id=state.redemptions[0].id)
        if plan.leaves:
            return
        if plan.prepares:
            self._ask(payments.prepare)
        due = payments.get_session(reference=plan.reference).amount_remaining
        self._ask(payments.confirm, amount_remaining=due)
        self._wait_until_settled()
        self._end()

    def _wait_until_settled(self) -> None:
        from wagtail_smartgift import payments

        for _turn in range(4):
            if not payments.get_session(reference=self.plan.reference).pending:
                return
            time.sleep(0.5)

    def _end(self) -> None:
        from wagtail_smartgift import payments

        if self.plan.ending == "cancel":
            self._ask(payments.cancel)
        elif self.plan.ending == "refund":
            self._ask(payments.refund)
        elif self.plan.ending == "part" and not self.again:
            # Without a key of its own it must not be asked for a second time.
            for amount in self.plan.refunds:
                self._ask(payments.refund, amount=amount)
                self._wait_until_settled()

    def _sell(self) -> None:
        from wagtail_smartgift import sales

        items = [
            {"product": 37, "price": f"{10 + 5 * place}.00"}
            for place, _voucher in enumerate(self.plan.vouchers)
        ]
        self._ask(
            sales.place_order,
            items=items,
            customer=BUYER,
            delivery={"method": "1", "price": "0.00"},
        )
