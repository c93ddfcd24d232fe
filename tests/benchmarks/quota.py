"""Measure the quota: ``python -m tests.benchmarks.quota --help``.

A saturating sync, redemptions that come in, and (where asked for) a till that shares
the key without being told, in real processes against the sandbox's rate limit. The
figures in ``docs/explanation/quota.md`` come from here.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from tests.benchmarks.quota_cell import Cell
from tests.money.databases import temporary_postgres


REAL = {"limit": 60, "span": 60.0, "latency": (0.15, 0.45), "busy": 4}
HEAD = (
    "limiter",
    "database",
    "processes",
    "till",
    "utilisation",
    "our 429s",
    "redemptions",
    "p50 s",
    "p95 s",
    "till refused",
    "errors",
)


def measure(cell: Cell, *, postgres: str = "") -> dict[str, Any]:
    """Run a cell in a process of its own and return what it printed.

    Raises:
        RuntimeError: it did not end well; the message is its error output.
    """
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings"}
    environment.pop("SMARTGIFT_TEST_POSTGRES", None)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if cell.database == "postgres":
            made = stack.enter_context(temporary_postgres())
            environment["SMARTGIFT_TEST_POSTGRES"] = f"{postgres} dbname={made['NAME']}"
        else:
            environment["QUOTA_SQLITE"] = str(Path(folder) / "budget.sqlite")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.quota_cell"]
            + [json.dumps(asdict(cell))],
            capture_output=True,
            check=False,
            cwd=Path(__file__).resolve().parents[2],
            env=environment,
            text=True,
            timeout=cell.seconds * 2 + 120,
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if result["errors"]:
        print(done.stderr[-4000:], file=sys.stderr)
    return result


def figures(cell: Cell, result: dict[str, Any]) -> dict[str, Any]:
    """Return the shares and percentiles of a result.

    A redemption that was under way at the end counts with the time it had waited, so
    that a limiter does not look quick because the slow ones were cut off. Only
    finished ones count in the rate.
    """
    till = result["till"]
    capacity = cell.limit * cell.windows
    times = sorted(abs(seconds) for seconds in result["redemptions"])
    finished = sum(seconds > 0 for seconds in result["redemptions"])
    sent, till_sent = (one["accepted"] + one["refused"] for one in (result, till))
    return {
        "utilisation": (result["accepted"] + till["accepted"]) / capacity,
        "refused": result["refused"] / max(1, sent),
        "redemptions": finished,
        "of_limit": finished / (capacity / 3),
        "p50": times[len(times) // 2] if times else 0.0,
        "p95": times[int(len(times) * 0.95)] if times else 0.0,
        "till_refused": till["refused"] / till_sent if till_sent else None,
        "errors": result["errors"],
    }


def cells(options: argparse.Namespace) -> Iterator[Cell]:
    scale = REAL if options.real else {}
    tills = [False, True] if options.scenario == "sync" else [False]
    for limiter, database, processes, till in product(
        options.limiter, options.database, options.processes, tills
    ):
        if limiter != "own" and database != options.database[0]:
            continue  # has no database of ours
        yield Cell(
            limiter=limiter,
            database=database,
            processes=processes,
            scenario=options.scenario,
            till=till,
            windows=options.windows or (8 if options.real else 2),
            **scale,
        )


def row(cell: Cell, found: dict[str, Any]) -> tuple[str, ...]:
    till = found["till_refused"]
    return (
        cell.limiter,
        cell.database if cell.limiter == "own" else "-",
        str(cell.processes),
        "yes" if cell.till else "no",
        f"{found['utilisation']:.1%}",
        f"{found['refused']:.2%}",
        f"{found['redemptions']} ({found['of_limit']:.1%})",
        f"{found['p50']:.2f}",
        f"{found['p95']:.2f}",
        "-" if till is None else f"{till:.1%}",
        str(found["errors"]),
    )


def words(text: str) -> list[str]:
    return text.split(",")


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.quota",
        description="Measure how the quota of one key is shared. By default 600 calls "
        "in 10 s with a latency of 20 to 80 ms: about a minute and a half. The "
        "redemptions' figure in brackets is their share of the physical limit, a third "
        "of the calls.",
    )
    parser.add_argument(
        "--limiter",
        type=words,
        help="own (this package), fifo (requests-ratelimiter, with filelock, from the "
        "'bench' group), none (sleep Retry-After); default: own and, if it is there, fifo",
    )
    parser.add_argument(
        "--database",
        type=words,
        default=["sqlite"],
        help="sqlite, postgres; the latter where SMARTGIFT_TEST_POSTGRES says "
        '("host=… port=… user=… password=… dbname=…")',
    )
    parser.add_argument("--processes", type=numbers, default=[2], help="such as 1,2,8")
    parser.add_argument(
        "--scenario",
        choices=["sync", "redemptions"],
        default="sync",
        help="sync: a saturating sync, redemptions coming in, without and with a till; "
        "redemptions: nothing but redemptions, always a backlog",
    )
    parser.add_argument("--windows", type=int, help="how many (default 2; real: 8)")
    parser.add_argument(
        "--real",
        action="store_true",
        help="60 calls in 60 s, latency 0.15 to 0.45 s; all cells at the same time",
    )
    options = parser.parse_args(arguments)
    if options.limiter is None:
        options.limiter = ["own"]
        if find_spec("requests_ratelimiter") and find_spec("filelock"):
            options.limiter.append("fifo")
    return options


def main() -> int:
    options = parse()
    postgres = os.environ.get("SMARTGIFT_TEST_POSTGRES", "")
    if "postgres" in options.database and not postgres:
        print("SMARTGIFT_TEST_POSTGRES names no server.", file=sys.stderr)
        return 2
    print("| " + " | ".join(HEAD) + " |")
    print("|" + "---|" * len(HEAD), flush=True)
    # At real scale a cell makes one call a second: they do not disturb one another.
    with ThreadPoolExecutor(max_workers=16 if options.real else 1) as pool:
        every = list(cells(options))
        results = pool.map(lambda cell: measure(cell, postgres=postgres), every)
        for cell, result in zip(every, results, strict=True):
            print(
                "| " + " | ".join(row(cell, figures(cell, result))) + " |", flush=True
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
