"""Real processes that die at a chosen step, killed by SIGKILL.

One process sets Django up and then forks for each order it gets: the fork runs one
scene, verb or sweep on a database that outlives it, against a sandbox that lives in
the test's process, and dies where it was told to. Nothing of the product knows.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any


REPOSITORY = Path(__file__).resolve().parent.parent.parent


class Nursery:
    """The test's end: give an order, learn whether it was survived."""

    def __init__(self, database: dict[str, Any]) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.money.nursery_settings",
            "SMARTGIFT_NURSERY_DATABASE": json.dumps(database),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.money.nursery"],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.order("create_tables")

    def order(self, name: str, **values: Any) -> Any:
        """Have a new process do something; None if it did not survive that.

        Raises:
            AssertionError: it failed; with its traceback.
        """
        [result] = self.race([{"name": name, **values}])
        return result

    def race(self, orders: list[dict[str, Any]]) -> list[Any]:
        """Have a new process for each order, all let go at the same moment.

        Raises:
            AssertionError: one of them failed; with its traceback.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()
        answers = json.loads(self._process.stdout.readline())
        for answer in answers:
            assert "error" not in answer, answer["error"]
        return [answer.get("result") for answer in answers]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


# -- the other end -------------------------------------------------------------------


def main() -> None:
    import django

    django.setup()
    # Imported once, before the forks, and without a connection to any database.
    from tests.money import acts

    for line in sys.stdin:
        waiting, go = os.pipe()
        children = [
            _fork(acts.ACTS[order.pop("name")], order, waiting, go)
            for order in json.loads(line)
        ]
        os.close(waiting)
        os.close(go)  # What all of them wait for.
        answers = [_collect(*child) for child in children]
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


def _fork(act: Any, order: dict[str, Any], waiting: int, go: int) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.close(go)
        os.read(waiting, 1)
        _live(act, order, writing)
    os.close(writing)
    return child, reading


def _collect(child: int, reading: int) -> dict[str, Any]:
    with os.fdopen(reading) as answers:
        text = answers.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return {"died": True}
    answer: dict[str, Any] = json.loads(text)
    return answer


def _live(act: Any, order: dict[str, Any], writing: int) -> None:
    import traceback

    try:
        with _at(order.pop("offset", 0.0)), _talking_to(order.pop("base_url", None)):
            answer = {"result": act(**order)}
    except BaseException:  # noqa: BLE001 - a fork must never return into its parent
        answer = {"error": traceback.format_exc()}
    with os.fdopen(writing, "w") as answers:
        answers.write(json.dumps(answer, default=str))
    os._exit(0)


@contextlib.contextmanager
def _at(offset: float) -> Iterator[None]:
    import time_machine
    from django.utils.timezone import now

    from tests.money import acts
    from wagtail_smartgift import clock

    then = datetime.now(tz=timezone.utc) + timedelta(seconds=offset)
    with time_machine.travel(then, tick=True) as traveller:
        acts.TIME = traveller
        # The database goes by this process's time; the fork ends with it.
        clock.now = lambda: now()
        yield


@contextlib.contextmanager
def _talking_to(url: str | None) -> Iterator[None]:
    from django.conf import settings
    from django.test import override_settings

    values = {
        **settings.WAGTAIL_SMARTGIFT,
        "RATE_LIMIT": 0,
        "EXPERIENCE_VALUE": "tests.money.world.worth",
    }
    if url:
        account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
        values["ACCOUNTS"] = {"default": {**account, "BASE_URL": url}}
    with override_settings(WAGTAIL_SMARTGIFT=values):
        yield


def as_amounts(books: dict[str, list[str]]) -> dict[str, tuple[Decimal, Decimal]]:
    """Read the books that an order answered with."""
    return {
        number: (Decimal(least), Decimal(most))
        for number, (least, most) in books.items()
    }


if __name__ == "__main__":
    main()
