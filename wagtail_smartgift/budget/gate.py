"""What the client is handed: ask before a call, tell after it."""

import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError

from wagtail_smartgift import capabilities
from wagtail_smartgift.budget import store
from wagtail_smartgift.budget.window import SPAN, Answer, Wait, Window
from wagtail_smartgift.client import ApiCall, CallNotAllowed, CircuitOpen
from wagtail_smartgift.conf import Account, get_conf


_T = TypeVar("_T")

logger = logging.getLogger("wagtail_smartgift.budget")

#: Seconds after which a waiting caller looks again: the window may have ended early.
LOOK_AGAIN = 1.0

#: Waiting callers wake up to this many seconds apart, by lane, so that they do not
#: all reach for one place, and the more urgent ones come first.
SPREAD = (0.01, 0.02, 0.05, 0.1)

#: How often a row that cannot be read or written is tried, and the seconds after which
#: no further try begins. There are two at least: SQLite says "database is locked" only
#: after its own time-out, five seconds by default.
TRIES = 5
TROUBLE = 2.0

#: When to come back if the database did not work.
RETRY_AFTER_TROUBLE = 5.0

# The client asks, calls and tells in one thread. In which epoch it was let go decides
# whether its answer is about the window that is open now.
_thread = threading.local()


def gate(
    account: Account, *, patience: float, asker: str = ""
) -> Callable[[str, int], None]:
    """Return what the client asks before each attempt: ``ask(operation, lane)``.

    What is returned waits for a place, and raises as soon as it is sure that there will
    be none within ``patience`` seconds. A ``RATE_LIMIT`` of 0 lets everything pass
    unseen. ``asker`` tells for whom the calls are made (a payment, a visitor), so that a
    number that Smart Gift stumbles over is not taken for an outage.

    Raises (when asked):
        CallNotAllowed: with the seconds after which to ask again; ``CircuitOpen`` where
            Smart Gift has not been answering.
        RuntimeError: a transaction is open; it would span the call.
    """
    key = store.key_of(account)

    def ask(operation: str, lane: int) -> None:
        if store.in_transaction():
            raise RuntimeError(
                "Smart Gift was to be called within a database transaction, which "
                "would stay open for as long as the network takes, and keep every "
                "other process from its place in the quota. Call outside of "
                "transaction.atomic(), and exempt views from ATOMIC_REQUESTS with "
                "transaction.non_atomic_requests."
            )
        limit = get_conf().rate_limit
        if not limit:
            return
        first = partial(_first_window, account, limit)
        epoch = _wait_for_place(key, operation, store.lane_of(lane), patience, first)
        _thread.place = (key, epoch, asker)

    return ask


def observer(account: Account) -> Callable[[ApiCall], None]:
    """Return what the client tells after each call, answered or not.

    It never raises: the call has been made, and the next answer teaches the same.
    """
    key = store.key_of(account)

    def tell(call: ApiCall) -> None:
        limit = get_conf().rate_limit
        if not limit:
            return
        place, _thread.place = getattr(_thread, "place", None), None
        epoch, asker = place[1:] if place and place[0] == key else (-1, "")
        answer = Answer(
            status=call.status,
            epoch=epoch,
            elapsed=call.elapsed,
            limit=call.rate_limit,
            remaining=call.rate_remaining,
            retry_after=call.retry_after,
        )
        try:
            first = partial(_first_window, account, limit)
            _persist(lambda: store.correct(key, answer, first=first, asker=asker))
        except (DatabaseError, InterfaceError):
            logger.warning(
                "The quota could not be corrected after a call.", exc_info=True
            )

    return tell


def _first_window(account: Account, limit: int) -> Window:
    """Return what to believe of a key that was never called with: what a probe saw."""
    known = capabilities.of(account)
    return Window(limit=known.first_limit(limit), span=known.first_window(SPAN))


def _wait_for_place(
    key: str,
    operation: str,
    lane: int,
    patience: float,
    first: Callable[[], Window],
) -> int:
    began, slept = time.monotonic(), 0.0
    while True:
        try:
            outcome = _persist(lambda: store.take(key, lane, first=first))
        except (OperationalError, InterfaceError) as error:
            logger.exception(
                "The quota's row could not be read or written, so Smart Gift was not called."
            )
            raise CallNotAllowed(
                "kept back, the quota could not be read",
                operation=operation,
                retry_after=RETRY_AFTER_TROUBLE,
            ) from error
        if not isinstance(outcome, Wait):
            return outcome
        # What was slept counts too: a test may have stopped the clock.
        left = patience - max(slept, time.monotonic() - began)
        if outcome.seconds > left or left < 0:
            refusal = CircuitOpen if outcome.broken else CallNotAllowed
            raise refusal(operation=operation, retry_after=outcome.seconds)
        pause = min(outcome.seconds, LOOK_AGAIN) + _spread(lane)
        time.sleep(pause)
        slept += pause


def _persist(statement: Callable[[], _T]) -> _T:
    """Run a statement again while the database is locked, busy or has hung up."""
    began = time.monotonic()
    for tried in range(1, TRIES + 1):
        try:
            return statement()
        except (OperationalError, InterfaceError):
            long_enough = tried > 1 and time.monotonic() - began > TROUBLE
            if tried == TRIES or long_enough:
                raise
            store.close_if_broken()
            time.sleep(_spread(0) * 2**tried)
    raise AssertionError("unreachable")


def _spread(lane: int) -> float:
    return random.uniform(0.001, SPREAD[lane])  # noqa: S311 - spreads callers, no secret
