"""The budget's row: read it, take a place in it, correct it by an answer.

Owns every statement about ``CallBudget``. Each is one SELECT or one conditional
UPDATE in autocommit: no transaction and no row lock, since SQLite has none, and since
an open transaction would keep every other process waiting for the network.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from django.db import OperationalError, connections, router
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Greatest

from wagtail_smartgift.budget.breaker import Breaker, is_failure, mark_of
from wagtail_smartgift.budget.window import (
    LANES,
    Answer,
    Wait,
    Window,
    learn,
    plan,
)
from wagtail_smartgift.clock import Clock
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import CallBudget


_COLUMNS = tuple(field.name for field in fields(Window))
#: Others may have raised these since we read them: they are only ever raised.
_RISING = {"used", "seen", "seen_at", "blocked_until"}


@dataclass(frozen=True)
class Snapshot:
    """The row, and the database's time when it was read."""

    pk: int
    window: Window
    breaker: Breaker
    now: float


def key_of(account: Account) -> str:
    """Name the row of an account's key without telling the key."""
    return hashlib.sha256(
        f"budget\0{account.base_url}\0{account.key_hash}".encode()
    ).hexdigest()


def peek(key: str) -> Snapshot | None:
    """Return the row of ``key``, or None if nothing was called with it yet."""
    row = (
        _rows()
        .filter(key=key)
        .values("pk", *_COLUMNS, "failures", "probed_at", "askers", now=Clock())
        .first()
    )
    if row is None:
        return None
    return Snapshot(
        pk=row["pk"],
        window=Window(**{name: row[name] for name in _COLUMNS}),
        breaker=Breaker(
            failures=row["failures"], probed_at=row["probed_at"], askers=row["askers"]
        ),
        now=row["now"],
    )


def take(key: str, lane: int, *, first: Callable[[], Window]) -> int | Wait:
    """Take a place in ``lane`` and return its epoch, or how long to wait for one.

    ``Wait(0.0)`` means that somebody else was quicker: ask again. ``first`` tells what
    is to be believed of a key that was never called with.
    """
    snapshot = _read(key, first)
    window, breaker, now = snapshot.window, snapshot.breaker, snapshot.now
    pause = breaker.wait(lane, now)
    if pause:
        return Wait(pause, broken=True)
    step = plan(window, lane, now)
    if isinstance(step, Wait):
        return step
    counter = f"lane_{lane}"
    guard: dict[str, Any] = {
        "epoch": window.epoch,
        "blocked_until": window.blocked_until,
    }
    values: dict[str, Any]
    if step.fresh:
        values = _changes(window, step.fresh) | {"used": 1, counter: 1}
    else:
        guard["used__lt"] = step.cap
        values = {"used": F("used") + 1, counter: F(counter) + 1}
    if breaker.tripped:
        # One attempt at a time: whoever sets this is the one.
        guard["probed_at"] = breaker.probed_at
        values["probed_at"] = now
    if not _rows().filter(pk=snapshot.pk, **guard).update(**values):
        return Wait(0.0)
    return (step.fresh or window).epoch


def correct(
    key: str, answer: Answer, *, first: Callable[[], Window], asker: str = ""
) -> None:
    """Write what an answer to ``asker``, or the lack of one, teaches."""
    mark = mark_of(asker)
    # Somebody may change the row in between. An answer is only a hint, and the next
    # one says the same, so a few attempts are enough.
    for _attempt in range(3):
        snapshot = _read(key, first)
        old, now = snapshot.window, snapshot.now
        values = _changes(old, learn(old, answer, now))
        if values.get("epoch", old.epoch) == old.epoch:
            for name in _RISING & values.keys():
                values[name] = Greatest(F(name), Value(values[name]))
        if is_failure(answer.status):
            values |= _failed(snapshot.breaker, answer.status, mark, now)
        elif snapshot.breaker.failures:
            values |= {"failures": 0, "askers": ""}
        if not values:
            return
        guard = {"epoch": old.epoch, "confirmed": old.confirmed}
        if _rows().filter(pk=snapshot.pk, **guard).update(**values):
            return


def _failed(
    breaker: Breaker, status: int | None, mark: str, now: float
) -> dict[str, Any]:
    if not breaker.counts(status, mark):
        return {}
    return {
        "failures": F("failures") + 1,
        "probed_at": now,
        "askers": breaker.with_asker(status, mark),
    }


def close_if_broken() -> None:
    """Drop a connection that an error has left useless, so that a retry gets another."""
    connection = connections[_alias()]
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def in_transaction() -> bool:
    """Tell whether a transaction is open that is not a test case's own."""
    blocks = connections[_alias()].atomic_blocks
    return bool(blocks) and not getattr(blocks[-1], "_from_testcase", False)


def lane_of(number: int) -> int:
    """Return the lane of that number; what is beyond the last is in the last."""
    return min(max(number, 0), LANES - 1)


def _alias() -> str:
    # Never a replica: it would give away places that are long taken.
    return router.db_for_write(CallBudget)


def _rows() -> "QuerySet[CallBudget]":
    return CallBudget.objects.using(_alias())


def _read(key: str, first: Callable[[], Window]) -> Snapshot:
    snapshot = peek(key)
    if snapshot is None:
        window = first()
        row = CallBudget(key=key, limit=window.limit, span=window.span)
        _rows().bulk_create([row], ignore_conflicts=True)
        snapshot = peek(key)
    if snapshot is None:
        raise OperationalError("The budget's row was deleted while it was made.")
    return snapshot


def _changes(old: Window, new: Window) -> dict[str, Any]:
    return {
        name: getattr(new, name)
        for name in _COLUMNS
        if getattr(new, name) != getattr(old, name)
    }
