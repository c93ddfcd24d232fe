"""When a webhook is sent again: a table."""

import pytest

from wagtail_smartgift.choices import DeliveryProblem as P
from wagtail_smartgift.services.retrying import (
    PATIENCE,
    PAUSES,
    pause_after,
    problem_of,
    rest_after,
)


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (200, None),
        (204, None),
        (299, None),
        (100, P.STATUS),
        (300, P.REDIRECT),
        (304, P.REDIRECT),
        (308, P.REDIRECT),
        (400, P.STATUS),
        (404, P.STATUS),
        (409, P.STATUS),
        (410, P.GONE),
        (500, P.STATUS),
        (599, P.STATUS),
    ],
)
def test_what_an_answer_means(status, problem):
    assert problem_of(status) == problem


def test_the_pauses_grow_over_three_days_and_end():
    pauses = [pause_after(tries) for tries in range(1, 11)]
    assert pauses == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]
    longest = sum(pause_after(tries, chance=1) for tries in range(1, 10))
    assert 3 * 86400 < sum(PAUSES) < longest < PATIENCE


@pytest.mark.parametrize(
    ("tries", "asked", "chance", "pause"),
    [
        (1, None, 0.5, 5.25),
        (1, 60.0, 0.0, 60.0),
        (3, 60.0, 0.0, 1800.0),
        (1, 1e9, 0.0, 86400.0),
        (10, 60.0, 0.0, None),
    ],
)
def test_what_the_server_asks_for_counts_within_bounds(tries, asked, chance, pause):
    assert pause_after(tries, asked=asked, chance=chance) == pause


@pytest.mark.parametrize(
    ("problem", "status", "pause", "rest"),
    [
        (P.TIMEOUT, None, 5.0, 5.0),
        (P.CONNECTION, None, 7200.0, 300.0),
        (P.TLS, None, None, 300.0),
        (P.STATUS, 503, 60.0, 60.0),
        (P.STATUS, 429, 86400.0, 300.0),
        # About this message, perhaps.
        (P.STATUS, 500, 5.0, None),
        (P.STATUS, 400, 5.0, None),
        (P.REDIRECT, 302, 5.0, None),
        (P.UNREADABLE, None, 5.0, None),
    ],
)
def test_when_a_whole_endpoint_is_left_alone(problem, status, pause, rest):
    assert rest_after(problem, status, pause) == rest
