"""Bounds on guessing voucher numbers, and on what one payment may ask for.

Failures are counted, customers are not:

- A stranger's balance look-ups: a number a minute, and few failures, for each client.
- A payment: some failed numbers altogether, then no new number is tried for it.
- All together: a number of failures a minute. Once they are used up, strangers and
  payments with a failure wait, and a payment without one goes on: guessing from many
  addresses uses up the guessers' budget and never a paying customer's.

A number that can be used resets nothing. Numbers that a payment has already are no
guesses. But each hold costs the shop calls of its quota, so whoever adds and removes
the same good voucher over and over is stopped as well. The doors only say who calls: a
page's form and the API are bound alike.

The shop's own staff have limits of their own, each person for themselves: what customers
get wrong keeps nobody from helping the next one, and a clerk's slips keep no customer out.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.services import counters
from wagtail_smartgift.services.counters import Counted, Counter, Full
from wagtail_smartgift.services.timebox import Postponed


MINUTE = 60
#: Answers that tell a guesser nothing but that the guess was wrong, or worse.
FAILURES = frozenset({"voucher_not_usable", "voucher_held"})

#: Seconds from the beginning of work on a payment after which a number is refused, at the
#: earliest. One that nobody knows is refused by one answer of Smart Gift's, an empty
#: voucher by three: without this, whoever has a watch could tell them apart.
REFUSED_AFTER = 1.5

_ALL_FAILURES = Counter("failures", MINUTE)

#: The member of staff for whom this thread works at the voucher desk.
_staff: ContextVar[str] = ContextVar("staff", default="")


@contextmanager
def look_up_by(client: str) -> Iterator[None]:
    """Let a stranger look a voucher up within the limits; counts it if it fails.

    The failure is counted before the look-up and taken back after it, so that many
    guesses at once are not all let through.

    Raises:
        PaymentError: ``throttled``.
    """
    limits = get_conf().throttles
    failures = Counter("balance-failures", limits.balance_failures_window, client)
    kept: list[Counted] = []
    try:
        counters.count(
            Counter("balance", MINUTE, client), limit=limits.balance_per_minute
        )
        kept.append(counters.count(failures, limit=limits.balance_failures))
        kept.append(
            counters.count(_ALL_FAILURES, limit=limits.global_failures_per_minute)
        )
    except Full as error:
        _take_back(kept)
        raise PaymentError("throttled", retry_after=error.retry_after) from None
    failed = False
    try:
        yield
    except PaymentError as error:
        failed = error.code in FAILURES
        raise
    finally:
        if not failed:
            _take_back(kept)


def have_answer_kept(client: str) -> None:
    """Let a stranger or a payment use an Idempotency-Key: as often as look-ups.

    Refusals are kept under it, too, and cost nothing to get: without a limit anybody
    could fill the table with them, also from a basket that was never paid.

    Raises:
        PaymentError: ``throttled``.
    """
    limit = get_conf().throttles.balance_per_minute
    try:
        counters.count(Counter("balance-keys", MINUTE, client), limit=limit)
    except Full as error:
        raise PaymentError("throttled", retry_after=error.retry_after) from None


def seconds_to_wait(client: str) -> float | None:
    """Return how long a stranger has to wait before looking up; None: not at all.

    Nothing is counted: it spares those who are over a limit, and us, the rest.
    """
    limits = get_conf().throttles
    window = limits.balance_failures_window
    try:
        counters.check(
            Counter("balance", MINUTE, client), limit=limits.balance_per_minute
        )
        counters.check(
            Counter("balance-failures", window, client), limit=limits.balance_failures
        )
        counters.check(_ALL_FAILURES, limit=limits.global_failures_per_minute)
    except Full as error:
        return error.retry_after
    return None


def asker(user: Any) -> str:
    """Return by what a member of staff is counted."""
    return f"staff:{user.pk}"


@dataclass
class Try:
    """A look-up of a member of staff; whoever makes it says whether it failed."""

    failed: bool = False


@contextmanager
def look_up_by_staff(who: str) -> Iterator[Try]:
    """Let a member of staff look a voucher up within limits of their own.

    Raises:
        PaymentError: ``throttled``.
    """
    kept: list[Counted] = []
    limits = get_conf().throttles
    try:
        counters.count(Counter("desk", MINUTE, who), limit=limits.balance_per_minute)
        kept.append(counters.count(_staff_failures(who), limit=limits.session_failures))
    except Full as error:
        _take_back(kept)
        raise PaymentError("throttled", retry_after=error.retry_after) from None
    made = Try()
    try:
        yield made
    finally:
        if not made.failed:
            _take_back(kept)


def _staff_failures(who: str) -> Counter:
    return Counter("desk-failures", get_conf().throttles.balance_failures_window, who)


@contextmanager
def by_staff(who: str) -> Iterator[None]:
    """Count what is tried in here for that member of staff, and not for the payment."""
    token = _staff.set(who)
    try:
        yield
    finally:
        _staff.reset(token)


def _take_back(kept: list[Counted]) -> None:
    for counted in kept:
        counted.take_back()


@contextmanager
def tried_for(session: PaymentSession) -> Iterator[None]:
    """Let a payment try a new number within the limits; counts it if it fails.

    One number of a payment is tried at a time: the caller has claimed the session.

    Raises:
        PaymentError: ``throttled``.
    """
    if who := _staff.get():
        with look_up_by_staff(who) as made:
            try:
                yield
            except PaymentError as error:
                made.failed = error.code == "voucher_not_usable"
                raise
        return
    _refuse_if_spent(session)
    try:
        yield
    except PaymentError as error:
        if error.code in FAILURES:
            PaymentSession.objects.filter(pk=session.pk).update(
                failed_lookups=F("failed_lookups") + 1
            )
            counters.count(_ALL_FAILURES)
        raise


@contextmanager
def refusals_alike() -> Iterator[None]:
    """Let every number that cannot be used be refused after the same time.

    The caller has claimed the payment and keeps it until then.

    Staff are told at once: they are also told why.
    """
    began = time.monotonic()
    try:
        yield
    except PaymentError as error:
        if error.code == "voucher_not_usable" and not _staff.get():
            time.sleep(max(0.0, began + REFUSED_AFTER - time.monotonic()))
        raise


@contextmanager
def asked_by_customer(session: PaymentSession) -> Iterator[None]:
    """Let a payment's customer have Smart Gift asked for a hold, within the limit.

    Calls that the quota or the breaker kept back were never made and do not count.

    Raises:
        PaymentError: ``throttled``.
    """
    limits = get_conf().throttles
    asker = _staff.get() or str(session.pk)
    holds = Counter("holds", limits.session_holds_window, asker)
    try:
        counted = counters.count(holds, limit=limits.session_holds)
    except Full as error:
        raise PaymentError("throttled", retry_after=error.retry_after) from None
    try:
        yield
    except Postponed as error:
        if not error.counts:
            counted.take_back()
        raise


def _refuse_if_spent(session: PaymentSession) -> None:
    limits = get_conf().throttles
    if session.failed_lookups >= limits.session_failures:
        # It does not get better by waiting: the shop would have to open another.
        raise PaymentError(
            "throttled",
            retry_after=get_conf().session_lifetime,
            fields={
                "voucher_no": _(
                    "Too many numbers were tried for this payment. Please pay "
                    "another way."
                )
            },
        )
    if not session.failed_lookups:
        return
    try:
        counters.check(_ALL_FAILURES, limit=limits.global_failures_per_minute)
    except Full as error:
        raise PaymentError("throttled", retry_after=error.retry_after) from None
