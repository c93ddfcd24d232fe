"""One cell of the quota's benchmark: real processes against a real server.

Run by ``quota``, with the database in the environment and the cell as JSON on the
command line; prints its result as JSON. The processes are forked after Django is up,
before any thread or connection exists.
"""

import contextlib
import json
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


API_KEY = "sk_sandbox"


@dataclass(frozen=True)
class Cell:
    #: own: this package · fifo: requests-ratelimiter · none: sleep Retry-After
    limiter: str
    database: str
    processes: int
    #: sync: a saturating sync and some redemptions · redemptions: nothing but these
    scenario: str = "sync"
    till: bool = False
    limit: int = 600
    span: float = 10.0
    #: Seconds that a call travels and is worked on, from and to.
    latency: tuple[float, float] = (0.02, 0.08)
    windows: int = 2
    #: Threads of all processes together that always have something to do.
    busy: int = 16

    @property
    def seconds(self) -> float:
        return self.windows * self.span


@dataclass
class Tally:
    """What one process, or the till, has seen."""

    accepted: int = 0
    refused: int = 0
    errors: int = 0
    redemptions: list[float] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock, repr=False)

    def count(self, status: int | None) -> None:
        with self.lock:
            if status == 429:
                self.refused += 1
            elif status is None or status >= 400:
                self.errors += 1
            else:
                self.accepted += 1

    def as_dict(self) -> dict[str, Any]:
        names = ("accepted", "refused", "errors", "redemptions")
        return {name: getattr(self, name) for name in names}


class Caller:
    """A process's client, with the latency of a network and a limiter before it."""

    def __init__(self, cell: Cell, url: str, limiter: "Limiter", tally: Tally) -> None:
        from wagtail_smartgift.client import SmartGiftClient

        self.cell, self.limiter, self.tally = cell, limiter, tally
        self.until = time.monotonic() + cell.seconds
        self._travel = threading.local()
        self.client = SmartGiftClient(
            base_url=url, api_key=API_KEY, gate=self._gate, observe=self._observe
        )

    @property
    def going(self) -> bool:
        return time.monotonic() < self.until

    def call(self, method: Callable[..., Any], **arguments: Any) -> Any:
        """Call until it is let through; None when the time is up before."""
        from wagtail_smartgift.client import CallNotAllowed, RateLimited

        while self.going:
            try:
                return method(**arguments)
            except RateLimited as error:
                self.limiter.refused(error.retry_after or 0.0)
            except CallNotAllowed as error:
                # Its patience outlasts every wait: something is wrong.
                print(f"kept back: {error.retry_after}", file=sys.stderr)
                self.tally.count(None)
                time.sleep(min(error.retry_after or 1.0, 1.0))
        return None

    def _gate(self, operation: str, lane: int) -> None:
        self.limiter.gate(operation, lane)
        delay = random.uniform(*self.cell.latency)
        there = delay * random.uniform(0.3, 0.7)
        self._travel.delay, self._travel.back = delay, delay - there
        time.sleep(there)

    def _observe(self, call: Any) -> None:
        time.sleep(self._travel.back)
        self.limiter.observe(replace(call, elapsed=call.elapsed + self._travel.delay))
        if self.going:
            self.tally.count(call.status)


@dataclass
class Limiter:
    gate: Callable[[str, int], None] = lambda operation, lane: None
    observe: Callable[[Any], None] = lambda call: None
    refused: Callable[[float], None] = time.sleep


def own_limiter(cell: Cell, url: str) -> Limiter:
    from wagtail_smartgift import budget
    from wagtail_smartgift.conf import Account

    account = Account(alias="bench", base_url=url, api_key=API_KEY, site_id="1")
    return Limiter(
        gate=budget.gate(account, patience=3 * cell.span),
        observe=budget.observer(account),
        refused=lambda seconds: None,
    )


def fifo_limiter(cell: Cell, path: Path) -> Limiter:
    """Return requests-ratelimiter with a bucket in a file that all processes share."""
    from pyrate_limiter import Limiter as Pyrate
    from pyrate_limiter import Rate
    from requests_ratelimiter import HostBucketFactory, LimiterSession, SQLiteBucket

    factory = HostBucketFactory(
        rates=[Rate(cell.limit, int(cell.span * 1000))],
        bucket_class=SQLiteBucket,
        bucket_init_kwargs={"path": path, "use_file_lock": True},
    )
    session = LimiterSession(
        limiter=Pyrate(factory, buffer_ms=50), per_host=False, bucket_name="bench"
    )

    def refused(seconds: float) -> None:
        session._fill_bucket(SimpleNamespace(url=""))
        time.sleep(seconds)

    return Limiter(
        gate=lambda operation, lane: session.limiter.try_acquire("bench"),
        refused=refused,
    )


def make_limiter(cell: Cell, url: str, path: Path) -> Limiter:
    if cell.limiter == "own":
        return own_limiter(cell, url)
    return fifo_limiter(cell, path) if cell.limiter == "fifo" else Limiter()


# Who calls --------------------------------------------------------------------------


def work(cell: Cell, url: str, path: Path, number: int, pipe: Connection) -> None:
    """Be one process of the shop."""
    from django.db import connections

    tally = Tally()
    pipe.send("ready")
    pipe.recv()
    caller = Caller(cell, url, make_limiter(cell, url, path), tally)
    vouchers = (f"BENCH-{number}-{turn}" for turn in range(10**6))
    threads: list[threading.Thread] = []

    def start(target: Callable[..., None], *arguments: Any) -> None:
        def run() -> None:
            try:
                target(*arguments)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run, daemon=True)
        threads.append(thread)
        thread.start()

    if cell.scenario == "sync":
        for _ in range(max(1, cell.busy // cell.processes)):
            start(keep_syncing, caller)
        # A quarter of the limit: five redemptions of three calls in a minute of 60.
        rate = cell.limit / 12 / cell.span / cell.processes
        while caller.going:
            pause = random.expovariate(rate)
            time.sleep(min(pause, max(0.0, caller.until - time.monotonic())))
            if caller.going:
                start(redeem, caller, next(vouchers))
    else:
        for _ in range(max(1, cell.busy // cell.processes)):
            start(keep_redeeming, caller, vouchers)
    for thread in threads:
        thread.join(max(0.1, caller.until - time.monotonic()) + 1)
    pipe.send(tally.as_dict())


def keep_syncing(caller: Caller) -> None:
    while caller.going:
        caller.call(caller.client.payment_methods)


def keep_redeeming(caller: Caller, vouchers: Iterator[str]) -> None:
    while caller.going:
        redeem(caller, next(vouchers))


def redeem(caller: Caller, voucher_no: str) -> None:
    """Hold, check and redeem; note how long it took from the customer's click."""
    began, client = time.monotonic(), caller.client
    hold = caller.call(client.hold, voucher_no=voucher_no)
    if hold and caller.call(client.check, voucher_no=voucher_no, site_id="1", lane=0):
        receipt = caller.call(
            client.redeem,
            voucher_no=voucher_no,
            site_id="1",
            value=Decimal("1.00"),
            hold_token=hold.hold_token,
        )
        if receipt and caller.going:
            with caller.tally.lock:
                caller.tally.redemptions.append(time.monotonic() - began)
            return
    # Not done when the time was up: noted below zero, with what it has waited so far.
    with caller.tally.lock:
        caller.tally.redemptions.append(began - time.monotonic())


def be_the_till(cell: Cell, url: str, tally: Tally, seconds: float) -> None:
    """Use a fifth of the limit, knowing of nobody."""
    until = time.monotonic() + seconds
    request = Request(f"{url}/payment-methods", headers={"Smart-Auth": API_KEY})
    while time.monotonic() < until:
        time.sleep(random.expovariate(cell.limit / 5 / cell.span))
        try:
            with urlopen(request, timeout=10) as answer:
                tally.count(answer.status)
        except HTTPError as error:
            tally.count(error.code)
            error.close()


# The cell ---------------------------------------------------------------------------


def run(cell: Cell) -> dict[str, Any]:
    """Run the cell and return the sums of what everybody saw."""
    import django

    django.setup()
    from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer

    behaviour = Behaviour(rate_limit=cell.limit, rate_window=cell.span)
    sandbox = Sandbox(api_keys=[API_KEY], behaviour=behaviour)
    server = SandboxServer(sandbox)
    most = cell.windows * cell.limit // 3 + 20
    for process in range(cell.processes):
        for turn in range(most):
            sandbox.add_voucher(f"BENCH-{process}-{turn}", balance="5.00")
    with tempfile.TemporaryDirectory() as folder, own_row(cell, server.url):
        path = Path(folder) / "fifo.sqlite"
        fork = multiprocessing.get_context("fork")
        pipes, processes = [], []
        for number in range(cell.processes):
            ours, theirs = fork.Pipe()
            process = fork.Process(
                target=work, args=(cell, server.url, path, number, theirs)
            )
            process.start()
            pipes.append(ours)
            processes.append(process)
        with server:
            for pipe in pipes:
                pipe.recv()
            till = Tally()
            for pipe in pipes:
                pipe.send("go")
            if cell.till:
                be_the_till(cell, server.url, till, cell.seconds)
            tallies = [pipe.recv() for pipe in pipes]
            for process in processes:
                process.join(30)
    result: dict[str, Any] = {
        name: sum(tally[name] for tally in tallies)
        for name in ("accepted", "refused", "errors")
    }
    result["redemptions"] = [one for tally in tallies for one in tally["redemptions"]]
    return result | {"till": till.as_dict()}


@contextlib.contextmanager
def own_row(cell: Cell, url: str) -> Iterator[None]:
    """Lay the one table that the budget needs, with the scaled length of a window."""
    if cell.limiter != "own":
        yield
        return
    from django.db import connection

    from wagtail_smartgift.budget.store import key_of
    from wagtail_smartgift.conf import Account
    from wagtail_smartgift.models import CallBudget

    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            # As a shop on SQLite would: readers and the writer do not stop one another.
            cursor.execute("PRAGMA journal_mode=WAL")
    with connection.schema_editor() as editor:
        editor.create_model(CallBudget)
    account = Account(alias="bench", base_url=url, api_key=API_KEY, site_id="1")
    CallBudget.objects.create(key=key_of(account), limit=cell.limit, span=cell.span)
    connection.close()
    try:
        yield
    finally:
        connection.close()


if __name__ == "__main__":
    print(json.dumps(run(Cell(**json.loads(sys.argv[1])))))
