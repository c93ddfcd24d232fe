import pytest

from wagtail_smartgift.budget.breaker import (
    LONG_PAUSE,
    PACE,
    PAUSE,
    PER_ASKER,
    THRESHOLD,
    Breaker,
    BreakerState,
    is_failure,
    mark_of,
)


def test_a_few_failures_stop_nobody():
    breaker = Breaker(failures=THRESHOLD - 1, probed_at=100.0)

    assert breaker.state(100.0) is BreakerState.CLOSED
    assert [breaker.wait(lane, 100.0) for lane in range(4)] == [0.0] * 4


def test_an_open_breaker_stops_all_but_money_in_flight():
    breaker = Breaker(failures=THRESHOLD, probed_at=100.0)

    assert breaker.state(101.0) is BreakerState.OPEN
    assert breaker.wait(1, 101.0) == PAUSE - 1
    assert breaker.wait(0, 101.0) == PACE - 1
    assert breaker.wait(0, 100.0 + PACE) == 0.0


def test_after_a_pause_payments_may_try_and_after_a_longer_one_anybody():
    breaker = Breaker(failures=THRESHOLD + 3, probed_at=100.0)

    assert breaker.state(100.0 + PAUSE) is BreakerState.HALF_OPEN
    assert breaker.wait(1, 100.0 + PAUSE) == 0.0
    # Those who only look, strangers among them, leave the first attempt to customers.
    assert breaker.wait(2, 100.0 + PAUSE) == LONG_PAUSE - PAUSE
    assert breaker.wait(2, 100.0 + LONG_PAUSE) == 0.0
    assert breaker.wait(3, 100.0 + LONG_PAUSE) == 0.0


@pytest.mark.parametrize(
    ("status", "failed"),
    [(None, True), (500, True), (503, True), (200, False), (422, False), (429, False)],
)
def test_only_silence_and_server_errors_are_failures(status, failed):
    assert is_failure(status) is failed


def fail(breaker, status, asker):
    """What the row makes of one more failure."""
    mark = mark_of(asker)
    if not breaker.counts(status, mark):
        return breaker
    return Breaker(
        failures=breaker.failures + 1,
        probed_at=100.0,
        askers=breaker.with_asker(status, mark),
    )


def test_one_askers_server_errors_are_not_an_outage():
    breaker = Breaker(failures=0, probed_at=0.0)
    for _attempt in range(50):
        breaker = fail(breaker, 500, "a customer")

    assert breaker.failures == PER_ASKER
    assert not breaker.tripped
    # They still tell together with those of others.
    breaker = fail(fail(breaker, 502, "another"), 502, "another")
    assert not breaker.tripped
    assert fail(breaker, 500, "a third").tripped


@pytest.mark.parametrize(
    ("status", "asker"), [(None, "a customer"), (503, "")], ids=["silence", "nobody"]
)
def test_what_is_about_no_voucher_counts_every_time(status, asker):
    breaker = Breaker(failures=0, probed_at=0.0)
    for _attempt in range(THRESHOLD):
        breaker = fail(breaker, status, asker)

    assert breaker.tripped


def test_marks_fit_their_column_and_name_nobody():
    breaker = Breaker(failures=0, probed_at=0.0)
    for number in range(100):
        breaker = fail(breaker, 500, f"192.0.2.{number}")

    assert len(breaker.askers) <= 64
    assert "192" not in breaker.askers
    assert mark_of("") == ""
