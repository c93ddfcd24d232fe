"""Shops that crash, a Smart Gift that lies: ``python -m tests.benchmarks.campaign --help``.

Checkouts from real processes against the sandbox over HTTP, with lost answers, 5xx,
tills that move balances, and processes killed by SIGKILL at a random moment; sweeps
run beside them all the time. Then time passes until nothing is left to do, and every
order is held against the sandbox's ledger. What a campaign finds is a bug.
"""

import json
import multiprocessing
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from typing import Any

from tests.benchmarks import arena
from tests.benchmarks import campaign_shop as shop


#: Sweeps beside the customers, and the seconds between two passes of each.
SWEEPERS, SWEEP_PAUSE = 2, 1.0
#: In the end, the sweep comes this often: as cron would have it.
SWEEP_EVERY = 15.0
#: Of those killed, every fourth is a sweep.
KILLS_A_SWEEP = 4

fork = multiprocessing.get_context("fork")


# -- the processes ---------------------------------------------------------------------


class Worker:
    """A process of the shop, and the checkout that it is at."""

    def __init__(self, url: str, seed: int, folder: str) -> None:
        self.pipe, theirs = fork.Pipe()
        self.process = fork.Process(
            target=shop.be_shop, args=(url, seed, folder, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        self.number: int | None = None
        self.began = 0.0

    def give(self, number: int, *, again: bool) -> None:
        self.number, self.began = number, time.monotonic()
        self.pipe.send((number, again))


class Campaign:
    """Hands out checkouts, kills processes, and puts new ones in their place."""

    def __init__(
        self, remote: arena.Remote, folder: str, order: dict[str, Any]
    ) -> None:
        self.url, self.folder = remote.url, folder
        self.seed, self.total = order["seed"], order["checkouts"]
        self.chance = random.Random(self.seed)
        self.waiting = deque((number, False) for number in range(self.total))
        self.kills_left = max(1, round(self.total * order["kills"]))
        self.next_kill: float | None = None
        self.killed: set[int] = set()
        self.done = 0
        self.spans: list[float] = []
        self.workers = [self._worker() for _ in range(order["processes"])]
        self.sweepers = [self._sweeper() for _ in range(SWEEPERS)]

    def _worker(self) -> Worker:
        return Worker(self.url, self.seed, self.folder)

    def _sweeper(self) -> Any:
        process = fork.Process(
            target=shop.be_sweeper,
            args=(self.url, self.folder, SWEEP_PAUSE),
            daemon=True,
        )
        process.start()
        return process

    def run(self) -> None:
        """Let everybody shop; returns when each checkout was finished or given up."""
        for worker in self.workers:
            self._hand_out(worker)
        while any(worker.number is not None for worker in self.workers):
            self._arm()
            pause = 1.0
            if self.next_kill is not None:
                pause = max(0.0, self.next_kill - time.monotonic())
            pipes: dict[Any, Worker] = {one.pipe: one for one in self.workers}
            for pipe in wait(list(pipes), timeout=pause):
                self._finished(pipes[pipe])
            if self.next_kill is not None and time.monotonic() >= self.next_kill:
                self._kill()
        for worker in self.workers:
            worker.pipe.send(None)
            worker.process.join(30)
        for process in self.sweepers:
            process.terminate()
            process.join(30)
            # A sweep that is told to stop is as dead as one that is killed.
            self.killed.add(process.pid)

    def _hand_out(self, worker: Worker) -> None:
        if self.waiting:
            number, again = self.waiting.popleft()
            worker.give(number, again=again)
        else:
            worker.number = None

    def _finished(self, worker: Worker) -> None:
        try:
            worker.pipe.recv()
        except EOFError:
            worker.process.join(10)
            raise RuntimeError(
                f"A process died by itself at checkout {worker.number}: "
                f"{worker.process.exitcode}"
            ) from None
        self.done += 1
        self.spans.append(time.monotonic() - worker.began)
        self._hand_out(worker)

    def _arm(self) -> None:
        """Decide on the moment of the next kill: spread over the whole run."""
        if self.next_kill is not None or not self.kills_left:
            return
        due = (self.done + 1) / self.total
        if due >= 1 - self.kills_left / (self.kills_left + len(self.killed) + 1) * 0.98:
            usual = statistics.median(self.spans) if self.spans else 0.5
            self.next_kill = time.monotonic() + self.chance.uniform(0, 1.2) * usual

    def _kill(self) -> None:
        self.next_kill = None
        busy = [worker for worker in self.workers if worker.number is not None]
        self.kills_left -= 1
        if self.kills_left % KILLS_A_SWEEP == 0:
            place = self.chance.randrange(len(self.sweepers))
            self._end(self.sweepers[place])
            self.sweepers[place] = self._sweeper()
        if not busy:
            return
        worker = self.chance.choice(busy)
        self._end(worker.process)
        worker.pipe.close()
        if self.chance.random() < 0.5 and worker.number is not None:
            # The customer, or the shop's queue, comes again after a while.
            self.waiting.append((worker.number, True))
        replacement = self._worker()
        self.workers[self.workers.index(worker)] = replacement
        self._hand_out(replacement)

    def _end(self, process: Any) -> None:
        os.kill(process.pid, signal.SIGKILL)
        process.join(10)
        self.killed.add(process.pid)


# -- afterwards ------------------------------------------------------------------------


def come_to_rest(remote: arena.Remote, pipe: Connection) -> None:
    """Sweep, and let time pass here and there, until nothing is left to do."""
    from datetime import datetime, timezone

    import time_machine
    from django.utils import timezone as django_timezone

    from tests.money.world import seconds_until_due
    from wagtail_smartgift import clock as databases_clock
    from wagtail_smartgift.services.reconciliation import reconcile

    shop.shorten_waits()
    passes = faults = 0
    now = datetime.now(tz=timezone.utc)
    # The database goes by the clock that is moved.
    databases_clock.now = lambda: django_timezone.now()
    with (
        arena.settings_for(remote.url, **shop.shop_settings()),
        time_machine.travel(now, tick=True) as clock,
    ):
        while passes < 2000:
            faults += reconcile().faults
            passes += 1
            due = seconds_until_due()
            if due is None:
                break
            pause = max(SWEEP_EVERY, due)
            clock.shift(pause)
            pipe.send(("advance", pause))
            pipe.recv()
    pipe.send(("rest", {"passes": passes, "faults": faults}))


def settle(remote: arena.Remote) -> dict[str, Any]:
    """Have a process of its own, whose clock can be moved, bring all to rest."""
    ours, theirs = fork.Pipe()
    process = fork.Process(target=come_to_rest, args=(remote, theirs), daemon=True)
    process.start()
    theirs.close()
    while True:
        kind, value = ours.recv()
        if kind == "rest":
            break
        remote("advance", value)
        ours.send(None)
    process.join(30)
    # Whatever is still on its way arrives now, and must change nothing.
    remote("advance", 600)
    result: dict[str, Any] = value
    return result


def prepare(url: str) -> None:
    """Know what is sold, before anything goes wrong."""
    from wagtail_smartgift.conf import get_conf
    from wagtail_smartgift.services import catalogue

    with arena.settings_for(url, **shop.shop_settings()):
        account = get_conf().account("default")
        catalogue.sync(account)
        catalogue.refresh_payment_methods(account)
    from django.db import connection

    connection.close()


def run(**order: Any) -> dict[str, Any]:
    """Run a campaign and return what it found."""
    # Once, before any fork.
    from wagtail_smartgift import payments, sales  # noqa: F401
    from wagtail_smartgift.services import reconciliation  # noqa: F401

    arena.create_tables()
    with (
        tempfile.TemporaryDirectory() as folder,
        arena.smart_gift(
            shop.make_sandbox, order["seed"], order["checkouts"]
        ) as remote,
    ):
        _in_a_fork(prepare, remote.url)
        remote("break_down")
        campaign = Campaign(remote, folder, order)
        began = time.monotonic()
        campaign.run()
        shopped = time.monotonic() - began
        remote("stop_tills")
        rest = settle(remote)
        with arena.settings_for(remote.url, **shop.shop_settings()):
            return _judge(remote, folder, campaign, shopped, rest)


def _in_a_fork(target: Any, *args: Any) -> None:
    """Run something that opens connections, without having them when we fork."""
    process = fork.Process(target=target, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{target.__name__} failed: {process.exitcode}")


def _judge(
    remote: arena.Remote,
    folder: str,
    campaign: Campaign,
    shopped: float,
    rest: dict[str, Any],
) -> dict[str, Any]:
    from tests.benchmarks import campaign_books as books
    from wagtail_smartgift.models import PaymentSession, VoucherOrder

    evidence = books.Evidence(
        redemptions=remote("redemptions"),
        sales=remote("sales"),
        entries=remote("ledger"),
        testimony=remote("testimony"),
        diaries=shop.read_diaries(folder),
        killed=campaign.killed,
    )
    cases = list(books.proofs(evidence))
    orders = [
        *PaymentSession.objects.values_list("status", flat=True),
        *VoucherOrder.objects.values_list("status", flat=True),
    ]
    found = list(books.discrepancies(evidence))
    if rest["faults"]:
        found.append(f"the sweep stumbled {rest['faults']} times")
    from django.db import connection

    connection.close()
    return {
        "checkouts": campaign.total,
        "finished": campaign.done,
        "seconds": round(shopped, 1),
        "kills": len(campaign.killed) - SWEEPERS,
        "calls": len(evidence.testimony),
        "spoilt": sum(line["fault"] is not None for line in evidence.testimony),
        "passes": rest["passes"],
        "failed": sum("failed" in line for line in evidence.diaries),
        "orders": dict(Counter(orders)),
        "attention": books.count(cases),
        "undecided": [asdict(case) for case in cases if not case.proof],
        "discrepancies": found,
        "database_errors": sorted(
            {line["failed"] for line in evidence.diaries if "failed" in line}
        ),
    }


# -- the outer process -------------------------------------------------------------------


HEAD = (
    "database",
    "checkouts",
    "calls",
    "spoilt",
    "kills",
    "discrepancies",
    "to a person",
    "of them proved undecidable",
)


def row(database: str, found: dict[str, Any]) -> tuple[object, ...]:
    attention = found["attention"].values()
    return (
        database,
        found["checkouts"],
        found["calls"],
        f"{found['spoilt'] / found['calls']:.1%}",
        found["kills"],
        len(found["discrepancies"]),
        sum(one["cases"] for one in attention),
        sum(one["proved"] for one in attention),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    made = arena.parser(
        "campaign",
        "Let real processes check out, kill some of them, spoil answers, sweep, and "
        "hold every order against the sandbox's ledger. Exits with 1 if an order and "
        "the ledger differ, or if a person is asked what a machine could have known.",
    )
    made.add_argument("--checkouts", type=int, help="default 1000; quick: 40")
    made.add_argument("--processes", type=int, default=8, help="default 8")
    made.add_argument(
        "--kills", type=float, default=0.02, help="share of checkouts; default 0.02"
    )
    made.add_argument("--seed", type=int, default=1, help="of chance; default 1")
    options = arena.parse(made, arguments)
    order = {
        "checkouts": options.checkouts or (40 if options.quick else 1000),
        "processes": options.processes,
        "kills": options.kills,
        "seed": options.seed,
    }
    results = {}
    for kind in options.database:
        with arena.database(kind) as on:
            results[kind] = arena.in_cell("campaign", order, on=on)
    if options.json:
        print(json.dumps(results, indent=1))
    else:
        print(arena.table(HEAD, [row(*item) for item in results.items()]))
        for kind, found in results.items():
            print(f"\n{kind}: {found['seconds']} s; orders: {found['orders']}")
            print(f"to a person: {found['attention']}")
            for text in found["discrepancies"]:
                print(f"- {text}")
            for case in found["undecided"]:
                print(f"- {case['code']} without proof: {case['where']}")
                print("\n".join(f"    {line}" for line in case["story"]))
            for one in found["database_errors"]:
                print(f"({found['failed']} verbs ended with {one})")
    wrong = any(one["discrepancies"] or one["undecided"] for one in results.values())
    return int(wrong)


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        arena.answer(run)
    else:
        sys.exit(main())
