"""What the benchmarks have in common: a database, a Smart Gift, and tables to print.

Each measures in a process of its own (a *cell*) on a database of its own, since a
process of Django has one database. The sandbox runs in yet another process, so that
its work is nobody's time but the network's.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.money.databases import temporary_postgres


REPOSITORY = Path(__file__).resolve().parents[2]
API_KEY = "sk_sandbox"
DATABASES = ("sqlite", "postgres")
#: Rounds that are not timed.
WARM = 3
#: About as long as what shops write about a voucher.
WORDS = "<p>" + "An afternoon at the mill, with tea and a view of the river. " * 12


# -- the outer process: options, databases, tables ------------------------------------


def parser(
    name: str, description: str | None, *, databases: bool = True, **defaults: Any
) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks have.

    Without ``databases`` for those that measure on one in memory.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m tests.benchmarks.{name}", description=description
    )
    if databases:
        made.add_argument(
            "--database",
            type=lambda text: text.split(","),
            default=["sqlite"],
            help="sqlite, postgres or both with a comma; the latter where "
            'SMARTGIFT_TEST_POSTGRES says ("host=… port=… user=… password=… dbname=…")',
        )
    made.add_argument(
        "--quick", action="store_true", help="a small run that shows that it works"
    )
    made.add_argument("--json", action="store_true", help="print JSON, not tables")
    made.set_defaults(**defaults)
    return made


def parse(made: argparse.ArgumentParser, arguments: Sequence[str] | None) -> Any:
    """Parse, and refuse a database that is not there."""
    options = made.parse_args(arguments)
    for name in options.database:
        if name not in DATABASES:
            made.error(f"there is no database {name!r}")
    if "postgres" in options.database and not os.environ.get("SMARTGIFT_TEST_POSTGRES"):
        made.error("SMARTGIFT_TEST_POSTGRES names no server")
    return options


@contextlib.contextmanager
def database(kind: str) -> Iterator[dict[str, Any]]:
    """Make an empty database, as the documentation would have a shop configure it."""
    if kind == "postgres":
        with temporary_postgres() as made:
            yield made
        return
    with tempfile.TemporaryDirectory() as folder:
        yield {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(folder) / "shop.sqlite3"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }


def in_cell(
    module: str, order: dict[str, Any], *, on: dict[str, Any], timeout: float = 7200
) -> Any:
    """Run a module's ``run(**order)`` on a database, and return what it returned.

    Raises:
        RuntimeError: it did not end well; the message is its error output.
    """
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.cell_settings",
        "SMARTGIFT_NURSERY_DATABASE": json.dumps(on),
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", f"tests.benchmarks.{module}"]
        + [json.dumps(order)],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        env=environment,
        text=True,
        timeout=timeout,
    )
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout)
    if os.environ.get("BENCH_LOG"):
        sys.stderr.write(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join(lines)


def show(
    results: Sequence[dict[str, Any]],
    *,
    head: Sequence[str],
    row: Callable[[dict[str, Any]], Sequence[object]],
    as_json: bool,
) -> None:
    """Print what was measured, a row each."""
    if as_json:
        print(json.dumps(results, indent=1))
    else:
        print(table(head, [row(one) for one in results]))


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


# -- within a cell --------------------------------------------------------------------


def answer(run: Any) -> None:
    """Be a cell: set Django up, run what the command line orders, print the answer."""
    import django

    order = json.loads(sys.argv[1])
    django.setup()
    print(json.dumps(run(**order), default=str))


def create_tables() -> None:
    """Lay the tables, made from the models, and close the connection: a fork follows."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", run_syncdb=True, verbosity=0)
    connection.close()


def make_products(first: int, last: int) -> None:
    """Make products of these numbers, each with about as many words as shops write."""
    from django.utils import timezone

    from wagtail_smartgift.models import CatalogueSync, VoucherProduct

    now = timezone.now()
    VoucherProduct.objects.bulk_create(
        VoucherProduct(
            account="default",
            remote_id=number,
            title=f"Voucher {number:04}",
            description_html=f"{WORDS}</p>",
            type="monetary",
            status="active",
            remote_status="active",
            min_amount=Decimal("10.00"),
            max_amount=Decimal("500.00"),
            increment=Decimal("5.00"),
            image_url=f"https://images.example/{number}.jpeg",
            digest="",
            first_seen_at=now,
            changed_at=now,
        )
        for number in range(first, last + 1)
    )
    CatalogueSync.objects.get_or_create(
        account="default", defaults={"synced_at": now, "changed_at": now}
    )


def in_turn(rounds: int, *calls: Callable[[], object]) -> tuple[float, ...]:
    """Return the median seconds of the processor's of each call.

    They take turns, so that whatever else the machine does is in all of them.
    """
    times: list[list[float]] = [[] for _call in calls]
    for turn in range(rounds + WARM):
        for call, taken in zip(calls, times, strict=True):
            began = time.process_time()
            call()
            if turn >= WARM:
                taken.append(time.process_time() - began)
    return tuple(map(statistics.median, times))


def settings_for(url: str, **values: Any) -> Any:
    """Return the override that points the account at a sandbox."""
    from django.conf import settings
    from django.test import override_settings

    configured = settings.WAGTAIL_SMARTGIFT
    account = {**configured["ACCOUNTS"]["default"], "BASE_URL": url}
    return override_settings(
        WAGTAIL_SMARTGIFT={
            **configured,
            "ACCOUNTS": {"default": {**account, "API_KEY": API_KEY}},
            **values,
        }
    )


class Remote:
    """Our end of a sandbox in a process of its own: call its methods by name."""

    def __init__(self, pipe: Connection, url: str, process: Any) -> None:
        self._pipe, self.url, self._process = pipe, url, process

    def __call__(self, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the sandbox there.

        Raises:
            RuntimeError: it raised; with what.
        """
        self._pipe.send((method, args, kwargs))
        kind, value = self._pipe.recv()
        if kind == "error":
            raise RuntimeError(value)
        return value

    def close(self) -> None:
        self._pipe.send(None)
        self._process.join(20)
        if self._process.is_alive():
            self._process.kill()


@contextlib.contextmanager
def smart_gift(make: Any, *args: Any) -> Iterator[Remote]:
    """Run the sandbox that ``make(*args)`` returns, forked off before any thread."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_serve, args=(make, args, theirs), daemon=True)
    process.start()
    remote = Remote(ours, ours.recv(), process)
    try:
        yield remote
    finally:
        remote.close()


def _serve(make: Any, args: Any, pipe: Connection) -> None:
    from wagtail_smartgift.sandbox import SandboxServer

    with SandboxServer(make(*args)) as server:
        pipe.send(server.url)
        while (order := pipe.recv()) is not None:
            method, positional, named = order
            try:
                result = getattr(server.sandbox, method)(*positional, **named)
                pipe.send(("done", result))
            except Exception as error:  # noqa: BLE001 - raised again where it was called
                pipe.send(("error", f"{type(error).__name__}: {error}"))
