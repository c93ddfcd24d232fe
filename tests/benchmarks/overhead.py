"""Time what is ours in a verb: ``python -m tests.benchmarks.overhead --help``.

A verb's time less the time inside the client's exchanges: our reading, deciding and
writing, with the shared budget switched on. Measured with few redemptions in the
database and with many, since nothing may grow with what was sold in former years.
Beside it stands a yardstick, since milliseconds are the machine's: a payment that a
plain shop would write, insert, update and read in one transaction.
"""

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.benchmarks import arena


HEAD = (
    "database",
    "redemptions",
    "what",
    "ours, median ms",
    "yardsticks",
    "ours, p95 ms",
    "of that on the processor, ms",
    "queries",
    "calls",
)
#: Raised, so that only the work of sharing it is in the figures, and no waiting.
RATE_LIMIT = 1_000_000
CHUNK = 2000


# -- the cell --------------------------------------------------------------------------


@dataclass
class Sample:
    """Repetitions of one verb: seconds of ours, and of the processor's."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    queries: list[int] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        wall = sorted(self.wall)
        return {
            "median": statistics.median(wall),
            "p95": wall[min(len(wall) - 1, int(len(wall) * 0.95))],
            "cpu": statistics.median(self.cpu),
            "queries": statistics.median_high(self.queries),
            "calls": statistics.median_high(self.calls),
        }


class Stopwatch:
    """Runs verbs, and takes what the network needed off their time."""

    def __init__(self) -> None:
        from wagtail_smartgift.client._transport import Transport

        self.away = self.away_cpu = 0.0
        self.calls = 0
        exchange, watch = Transport.exchange, self

        def timed(self: Transport, *args: Any, **values: Any) -> Any:
            began, used = time.perf_counter(), time.process_time()
            try:
                return exchange(self, *args, **values)
            finally:
                watch.away += time.perf_counter() - began
                watch.away_cpu += time.process_time() - used
                watch.calls += 1

        Transport.exchange = timed  # type: ignore[method-assign]

    def run(self, sample: Sample, verb: Callable[..., Any], **values: Any) -> Any:
        self.away = self.away_cpu = 0.0
        self.calls = 0
        began, used = time.perf_counter(), time.process_time()
        result = verb(**values)
        wall, cpu = time.perf_counter() - began, time.process_time() - used
        sample.wall.append(wall - self.away)
        sample.cpu.append(cpu - self.away_cpu)
        sample.calls.append(self.calls)
        return result

    def count(self, sample: Sample, verb: Callable[..., Any], **values: Any) -> Any:
        """Run a verb for its queries alone: noting them costs time."""
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            result = verb(**values)
        sample.queries.append(len(captured))
        if os.environ.get("BENCH_QUERIES"):
            for one in captured:
                print(one["time"], one["sql"][:2000], file=sys.stderr)
            print("--", verb.__module__, verb.__name__, file=sys.stderr)
        return result


def run(*, sizes: list[int], rounds: int) -> list[dict[str, Any]]:
    """Measure with each of the sizes, growing the database in between."""
    from wagtail_smartgift.conf import get_conf
    from wagtail_smartgift.services import catalogue, gateway

    arena.create_tables()
    with (
        arena.smart_gift(
            make_sandbox, len(sizes) * (rounds + COUNTED + WARM)
        ) as remote,
        arena.settings_for(remote.url, RATE_LIMIT=RATE_LIMIT),
    ):
        account = get_conf().account("default")
        catalogue.sync(account)
        catalogue.refresh_payment_methods(account)
        watch, found, turn = Stopwatch(), [], 0
        for size in sizes:
            fill(size)
            samples = {name: Sample() for name in MEASURED}
            for _round in range(WARM):
                one_of_each(watch.run, {name: Sample() for name in samples}, turn)
                turn += 1
            for _round in range(COUNTED):
                one_of_each(watch.count, samples, turn)
                turn += 1
            for _round in range(rounds):
                one_of_each(watch.run, samples, turn)
                turn += 1
            figures = {name: sample.figures() for name, sample in samples.items()}
            yardstick = figures[YARDSTICK]["median"]
            found += [
                {
                    "size": size,
                    "what": name,
                    **one,
                    "yardsticks": one["median"] / yardstick,
                }
                for name, one in figures.items()
            ]
        gateway.close_all()
    return found


YARDSTICK = "yardstick"
MEASURED = ("hold", "confirm", "sale", "idle sweep", YARDSTICK)
#: Rounds whose queries are counted, and rounds before anything is.
COUNTED, WARM = 3, 3


def make_sandbox(vouchers: int) -> Any:
    from wagtail_smartgift.sandbox import Behaviour, Sandbox

    sandbox = Sandbox(behaviour=Behaviour(rate_limit=RATE_LIMIT))
    for number in range(vouchers):
        sandbox.add_voucher(f"BENCH-{number:06}", balance="100.00")
    return sandbox


def one_of_each(run: Callable[..., Any], samples: dict[str, Sample], turn: int) -> None:
    """Hold and confirm a voucher for a new session, sell one, and sweep."""
    from tests.money.acts import ORDER
    from wagtail_smartgift import payments, sales
    from wagtail_smartgift.services.reconciliation import reconcile

    reference = f"measured-{turn}"
    payments.open_session(reference=reference, amount_due="30.00")
    held = run(
        samples["hold"],
        payments.add_voucher,
        reference=reference,
        voucher_no=f"BENCH-{turn:06}",
    )
    paid = run(
        samples["confirm"],
        payments.confirm,
        reference=reference,
        amount_remaining=held.amount_remaining,
    )
    sold = run(
        samples["sale"],
        sales.place_order,
        reference=f"sale-{turn}",
        **{**ORDER, "items": ORDER["items"][:1]},  # type: ignore[index]
    )
    if (held.amount_covered, paid.status, sold.status) != (30, "confirmed", "placed"):
        raise RuntimeError(f"Not what was to be measured: {held}, {paid}, {sold}")
    run(samples["idle sweep"], reconcile)
    run(samples[YARDSTICK], plain_payment, reference=f"plain-{turn}")


def plain_payment(*, reference: str) -> Any:
    """Write and read a payment as a shop without a protocol would."""
    from django.db import transaction
    from django.utils import timezone

    from wagtail_smartgift.models import PaymentSession

    with transaction.atomic():
        row = PaymentSession.objects.create(
            reference=reference,
            currency="GBP",
            amount_due=Decimal("30.00"),
            amount_eligible=Decimal("30.00"),
            last_active_at=timezone.now(),
        )
        PaymentSession.objects.filter(pk=row.pk, status="open").update(
            status="confirmed"
        )
        return PaymentSession.objects.get(pk=row.pk)


# -- former years ----------------------------------------------------------------------


def fill(size: int) -> None:
    """Have as many redemptions, with sessions, journals and sales as they would have."""
    from django.db import connection

    from wagtail_smartgift.models import Redemption

    there = Redemption.objects.count()
    for start in range(there, size, CHUNK):
        _fill(start, min(size, start + CHUNK))
    if connection.vendor == "postgresql":
        # Its autovacuum would do so; SQLite is hardly ever told to.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def _fill(start: int, end: int) -> None:
    """Write a chunk of history past the services, as no host may."""
    from django.db import transaction
    from django.utils import timezone

    from wagtail_smartgift import models
    from wagtail_smartgift.conf import get_conf
    from wagtail_smartgift.services import vault

    account, now = get_conf().account("default"), timezone.now()
    chance = random.Random(start)
    sealed = vault.seal("FORMER-YEARS")
    product = models.VoucherProduct.objects.filter(type="monetary")[0]
    sessions, rows, events, orders, items = [], [], [], [], []
    for number in range(start, end):
        at = now - timedelta(hours=1, seconds=10 * number)
        status = chance.choice(ENDS)
        session = models.PaymentSession(
            reference=f"former-{number}",
            smartgift_site_id="1",
            currency="GBP",
            amount_due=Decimal("30.00"),
            amount_eligible=Decimal("30.00"),
            status=STANDS[status],
            last_active_at=at,
            created_at=at,
        )
        session.bind_to(account)
        row = models.Redemption(
            session=session,
            position=1,
            number_encrypted=sealed,
            fingerprint=f"{number:064x}",
            display_code="EARS",
            type="monetary",
            status=status,
            amount=Decimal("30.00"),
            balance=Decimal("100.00"),
            baseline=Decimal("100.00"),
            hold_token_encrypted=sealed,
            hold_sent_at=at,
            held_until=at + timedelta(minutes=5),
            sent_at=at,
            attempt=1,
            redemption_ids=[number],
            proof="response" if status in {"redeemed", "reversed"} else "",
            created_at=at,
        )
        sessions.append(session)
        rows.append(row)
        events += [
            models.RedemptionEvent(
                redemption=row,
                operation=operation,
                outcome=outcome,
                status=step,
                amount=row.amount if operation == "redeem" else None,
                created_at=at,
            )
            for operation, outcome, step in STEPS
        ]
        if number % 4 == 0:
            order = models.VoucherOrder(
                reference=f"former-{number}",
                remote_reference=f"former-{number}",
                smartgift_site_id="1",
                status="placed",
                payment_method=12,
                created_at=at,
            )
            order.bind_to(account)
            orders.append(order)
            items.append(
                models.VoucherOrderItem(
                    order=order,
                    position=0,
                    product=product,
                    price=Decimal("25.00"),
                    number_encrypted=sealed,
                    fingerprint=f"{number:064x}",
                )
            )
    told = [
        models.OutboxEvent(
            type="session.confirmed",
            session=session,
            dispatched_at=session.created_at,
            next_attempt_at=session.created_at,
            created_at=session.created_at,
        )
        for session in sessions
    ]
    with transaction.atomic():
        for model, made in (
            (models.PaymentSession, sessions),
            (models.Redemption, rows),
            (models.RedemptionEvent, events),
            (models.VoucherOrder, orders),
            (models.VoucherOrderItem, items),
            (models.OutboxEvent, told),
        ):
            model.objects.bulk_create(made, batch_size=500)


#: How redemptions of former years ended, and the steps of the usual one.
ENDS = ("redeemed",) * 6 + ("reversed", "refused", "lapsed", "lapsed")
#: What became of their payments: an open one was left by its customer.
STANDS = {
    "redeemed": "confirmed",
    "reversed": "cancelled",
    "refused": "open",
    "lapsed": "open",
}
STEPS = (
    ("hold", "requested", "holding"),
    ("hold", "succeeded", "held"),
    ("check", "succeeded", "held"),
    ("redeem", "requested", "redeeming"),
    ("redeem", "succeeded", "redeemed"),
)


# -- the outer process -------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    made = arena.parser(
        "overhead",
        "Measure our own time in a hold, a confirmation of one voucher, a sale, and a "
        "sweep that finds nothing to do.",
    )
    made.add_argument(
        "--sizes",
        type=lambda text: [int(word) for word in text.split(",")],
        help="redemptions in the database; default 10,1000,100000; quick: 10,100",
    )
    made.add_argument("--rounds", type=int, help="default 100; quick: 5")
    options = arena.parse(made, arguments)
    order = {
        "sizes": options.sizes or ([10, 100] if options.quick else [10, 1000, 100_000]),
        "rounds": options.rounds or (5 if options.quick else 100),
    }
    results = []
    for kind in options.database:
        with arena.database(kind) as on:
            found = arena.in_cell("overhead", order, on=on)
        results += [{"database": kind, **one} for one in found]
    if options.json:
        print(json.dumps(results, indent=1))
        return 0
    rows = [
        (
            one["database"],
            f"{one['size']:,}",
            one["what"],
            arena.milliseconds(one["median"]),
            f"{one['yardsticks']:.1f}",
            arena.milliseconds(one["p95"]),
            arena.milliseconds(one["cpu"]),
            one["queries"],
            one["calls"],
        )
        for one in results
    ]
    print(arena.table(HEAD, rows))
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 2 and sys.argv[1].startswith("{"):
        arena.answer(run)
    else:
        sys.exit(main())
