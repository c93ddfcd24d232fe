"""The gate and the observer, on the row of a real database."""

import logging
import time
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone

from tests.budget.conftest import make_call
from wagtail_smartgift import budget
from wagtail_smartgift.budget import store
from wagtail_smartgift.budget.breaker import LONG_PAUSE, PAUSE, THRESHOLD
from wagtail_smartgift.client import CallNotAllowed
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import CallBudget, CapabilityRecord


pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(account):
    """Ask for a place without waiting for one."""
    gate = budget.gate(account, patience=0.0)
    return lambda lane: gate("check", lane)


@pytest.fixture
def tell(account):
    return budget.observer(account)


def test_the_first_call_of_a_key_begins_its_row(ask, account, settings):
    ask(2)

    row = CallBudget.objects.get()
    assert (row.limit, row.used, row.lane_2, row.epoch) == (60, 1, 1, 1)
    assert row.ends_at == pytest.approx(time.time() + 60, abs=5)
    assert account.api_key not in row.key
    assert account.key_hash not in row.key


@pytest.mark.parametrize(
    ("found", "limit", "span"),
    [
        ({"rate_limit": 30, "window_seconds": 30}, 30, 30),
        # The settings may leave places to tills that share the key.
        ({"rate_limit": 600}, 60, 60),
        ({}, 60, 60),
        ({"rate_limit": 30, "window_seconds": 30, "old": True}, 60, 60),
    ],
)
def test_the_first_window_is_what_a_probe_has_found(ask, account, found, limit, span):
    days = 91 if found.pop("old", False) else 1
    record = CapabilityRecord(
        probed_at=timezone.now() - timedelta(days=days),
        **{"rate_limit": None, **found},
    )
    record.bind_to(account)
    record.save()

    ask(0)

    row = CallBudget.objects.get()
    assert (row.limit, row.span) == (limit, span)
    assert row.ends_at == pytest.approx(time.time() + span, abs=5)


def test_a_call_costs_two_statements(ask, make_row, django_assert_num_queries):
    make_row()

    with django_assert_num_queries(2):
        ask(0)


def test_sites_that_share_a_key_share_a_row(account, ask):
    other = Account(
        alias="other", base_url=account.base_url, api_key=account.api_key, site_id="9"
    )

    ask(0)
    budget.gate(other, patience=0.0)("check", 0)

    assert CallBudget.objects.get().used == 2


@pytest.mark.parametrize("part", ["api_key", "base_url"])
def test_another_key_or_host_has_a_row_of_its_own(account, ask, part):
    values = {"base_url": account.base_url, "api_key": account.api_key}
    other = Account(
        alias="default", site_id="1", **values | {part: "http://127.0.0.1:8"}
    )

    ask(0)
    budget.gate(other, patience=0.0)("check", 0)

    assert CallBudget.objects.filter(used=1).count() == 2


def test_a_full_window_refuses_at_once_when_patience_cannot_help(ask, make_row):
    row = make_row(used=60)

    with pytest.raises(CallNotAllowed) as refusal:
        ask(0)

    assert refusal.value.retry_after == pytest.approx(30, abs=2)
    assert refusal.value.operation == "check"
    row.refresh_from_db()
    assert row.used == 60


def test_patience_waits_for_the_window_to_end(account, make_row):
    ends_at = time.time() + 0.5
    make_row(used=60, ends_at=ends_at)

    budget.gate(account, patience=2.0)("redeem", 0)

    assert time.time() >= ends_at
    assert CallBudget.objects.get().used == 1


def test_a_customers_wait_is_bounded(account, make_row):
    make_row(used=60)
    began = time.monotonic()

    with pytest.raises(CallNotAllowed):
        budget.gate(account, patience=2.0)("hold", 1)

    assert time.monotonic() - began < 1.9, "the wait is known to be longer"


def test_lower_lanes_stop_while_higher_ones_go_on(ask, make_row):
    make_row(used=45)

    ask(0)
    ask(1)
    with pytest.raises(CallNotAllowed):
        ask(3)


def test_a_lane_beyond_the_last_is_the_last(ask):
    ask(17)

    assert CallBudget.objects.get().lane_3 == 1


# Answers --------------------------------------------------------------------------


def test_the_first_answer_confirms_the_window(ask, tell):
    ask(0)
    tell(make_call(rate_limit=60, rate_remaining=59))

    row = CallBudget.objects.get()
    assert row.confirmed
    assert row.seen == 1


def test_other_tills_are_seen(ask, tell, make_row):
    make_row(used=10, lane_0=10, seen=10)

    ask(0)
    tell(make_call(rate_limit=60, rate_remaining=40))

    assert CallBudget.objects.get().used == 20


def test_a_429_stops_every_lane(ask, tell, make_row):
    make_row(used=10, lane_0=10)

    ask(0)
    tell(make_call(429, rate_limit=60, rate_remaining=0, retry_after=12.0))

    with pytest.raises(CallNotAllowed) as refusal:
        ask(0)
    assert refusal.value.retry_after == pytest.approx(13, abs=1)


def test_the_servers_limit_wins(ask, tell, make_row):
    make_row(limit=30)

    ask(0)
    tell(make_call(rate_limit=60, rate_remaining=59))

    assert CallBudget.objects.get().limit == 60


def test_an_answer_without_a_place_counts_for_no_window(tell, make_row):
    make_row(used=10, epoch=999)

    tell(make_call(rate_limit=60, rate_remaining=1))

    assert CallBudget.objects.get().used == 10


# The breaker ----------------------------------------------------------------------


@pytest.fixture
def broken(ask, tell, make_row):
    make_row()
    for status in (None, 500, 503, None, 502):
        ask(0)
        tell(make_call(status))


def test_five_failures_in_a_row_stop_all_but_money_in_flight(ask, broken):
    for lane, pause in ((1, PAUSE), (2, LONG_PAUSE), (3, LONG_PAUSE)):
        with pytest.raises(CallNotAllowed) as refusal:
            ask(lane)
        assert refusal.value.retry_after == pytest.approx(pause, abs=2)

    CallBudget.objects.update(probed_at=time.time() - 3)
    ask(0)


def test_money_in_flight_asks_slowly_while_nobody_answers(ask, broken):
    CallBudget.objects.update(probed_at=time.time() - 3)

    ask(0)
    with pytest.raises(CallNotAllowed) as refusal:
        ask(0)

    assert refusal.value.retry_after < 3


def test_after_the_pause_one_call_tries_for_all(ask, tell, broken):
    CallBudget.objects.update(probed_at=time.time() - PAUSE - 1)

    # Whoever only looks comes after those who pay.
    for lane in (2, 3):
        with pytest.raises(CallNotAllowed):
            ask(lane)
    ask(1)
    with pytest.raises(CallNotAllowed):
        ask(1)

    tell(make_call(200))
    ask(1)
    assert CallBudget.objects.get().failures == 0


def test_a_probe_that_fails_keeps_it_open(ask, tell, broken):
    CallBudget.objects.update(probed_at=time.time() - LONG_PAUSE - 1)
    ask(3)

    tell(make_call(None))

    with pytest.raises(CallNotAllowed):
        ask(1)
    assert CallBudget.objects.get().failures == THRESHOLD + 1


def test_a_refusal_is_an_answer(ask, tell, make_row):
    make_row()
    for status in (500, 500, 500, 500, 422, 500, 401, 500):
        ask(0)
        tell(make_call(status))

    ask(1)


# Trouble --------------------------------------------------------------------------


def test_a_rate_limit_of_zero_counts_nothing(ask, tell, settings, account):
    settings.WAGTAIL_SMARTGIFT = settings.WAGTAIL_SMARTGIFT | {"RATE_LIMIT": 0}

    for _ in range(100):
        ask(3)
        tell(make_call(None))

    assert not CallBudget.objects.exists()
    assert budget.status(account).limit == 0


@pytest.mark.django_db(transaction=True)
def test_a_call_within_a_transaction_is_a_mistake(ask):
    with transaction.atomic(), pytest.raises(RuntimeError, match="ATOMIC_REQUESTS"):
        ask(0)

    assert not CallBudget.objects.exists()


class Failing:
    """Lets so many statements about the row fail."""

    def __init__(self, times: int, error: type[DatabaseError] = OperationalError):
        self.left, self.error = times, error

    def __call__(self, execute, sql, params, many, context):
        if self.left and "callbudget" in sql:
            self.left -= 1
            raise self.error("database is locked")
        return execute(sql, params, many, context)


def test_a_locked_database_does_not_lose_a_call(ask):
    with connection.execute_wrapper(Failing(3)):
        ask(0)

    assert CallBudget.objects.get().used == 1


def test_without_a_database_nothing_is_spent(ask, caplog):
    with (
        connection.execute_wrapper(Failing(1000)),
        caplog.at_level(logging.ERROR, "wagtail_smartgift.budget"),
        pytest.raises(CallNotAllowed) as refusal,
    ):
        ask(0)

    assert refusal.value.retry_after > 0
    assert "Smart Gift was not called" in caplog.text
    assert not CallBudget.objects.exists()


def test_an_observer_in_trouble_says_so_and_goes_on(ask, tell, caplog):
    ask(0)

    with connection.execute_wrapper(Failing(1000)):
        tell(make_call(rate_limit=60, rate_remaining=59))

    assert "could not be corrected" in caplog.text


# Status ---------------------------------------------------------------------------


def test_a_key_that_was_never_used_is_all_free(account):
    status = budget.status(account)

    assert (status.limit, status.used, status.left) == (60, 0, 60)
    assert status.window_ends_at is None
    assert status.blocked_until is None
    assert status.breaker is budget.BreakerState.CLOSED
    assert status.waits == (0.0,) * 4
    assert not CallBudget.objects.exists(), "asking writes nothing"


def test_the_status_tells_lanes_and_others(account, make_row):
    make_row(used=50, lane_0=20, lane_1=10, lane_3=8, blocked_until=time.time() + 9)

    status = budget.status(account)

    assert status.lanes == (20, 10, 0, 8)
    assert status.foreign == 12
    assert status.left == 10
    assert (status.window_ends_at - status.blocked_until).total_seconds() == (
        pytest.approx(21, abs=1)
    )
    assert status.waits[0] == pytest.approx(9, abs=1)


def test_a_window_that_is_over_is_empty(account, make_row):
    make_row(used=60, lane_0=60, ends_at=time.time() - 1)

    status = budget.status(account)

    assert (status.used, status.left, status.lanes) == (0, 60, (0, 0, 0, 0))


def test_the_status_tells_of_the_breaker(account, broken):
    assert budget.status(account).breaker is budget.BreakerState.OPEN

    CallBudget.objects.update(probed_at=time.time() - PAUSE - 1)

    assert budget.status(account).breaker is budget.BreakerState.HALF_OPEN


def test_the_clock_is_the_databases(account, make_row):
    make_row()

    assert store.peek(store.key_of(account)).now == pytest.approx(time.time(), abs=2)
