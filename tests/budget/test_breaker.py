import pytest

from wagtail_smartgift.budget.breaker import (
    PACE,
    PAUSE,
    THRESHOLD,
    Breaker,
    BreakerState,
    is_failure,
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


def test_after_the_pause_anybody_may_try():
    breaker = Breaker(failures=THRESHOLD + 3, probed_at=100.0)

    assert breaker.state(100.0 + PAUSE) is BreakerState.HALF_OPEN
    assert breaker.wait(3, 100.0 + PAUSE) == 0.0


@pytest.mark.parametrize(
    ("status", "failed"),
    [(None, True), (500, True), (503, True), (200, False), (422, False), (429, False)],
)
def test_only_silence_and_server_errors_are_failures(status, failed):
    assert is_failure(status) is failed
