"""The arithmetic of the quota, without a database or a clock."""

from dataclasses import replace

import pytest

from wagtail_smartgift.budget.window import (
    LANES,
    Answer,
    Place,
    Wait,
    Window,
    cap,
    learn,
    plan,
    rolled,
)


#: A window of 60 calls that is open from 1000 to 1060.
OPEN = Window(
    limit=60,
    epoch=7,
    confirmed=True,
    since=999.8,
    began=1000.0,
    ends_at=1060.0,
    seen_at=1000.0,
)


def answered(remaining: int, *, epoch: int = 7, elapsed: float = 0.2) -> Answer:
    return Answer(
        status=200, epoch=epoch, elapsed=elapsed, limit=60, remaining=remaining
    )


def refused(retry_after: float | None, *, epoch: int = 7) -> Answer:
    return Answer(
        status=429, epoch=epoch, limit=60, remaining=0, retry_after=retry_after
    )


# Who may call -------------------------------------------------------------------


def test_money_in_flight_may_use_the_whole_window():
    assert plan(replace(OPEN, used=59), 0, 1001.0) == Place(cap=60)
    assert plan(replace(OPEN, used=60), 0, 1001.0) == Wait(59.0)


def test_each_lane_leaves_more_than_the_one_above():
    caps = [cap(OPEN, lane, 1000.0) for lane in range(LANES)]

    assert caps[0] == 60
    assert caps == sorted(caps, reverse=True)
    assert len(set(caps)) == LANES


def test_what_is_kept_back_melts_away_before_the_window_ends():
    by_time = [cap(OPEN, 3, 1000.0 + second) for second in range(60)]

    assert by_time == sorted(by_time)
    assert by_time[-1] == 60


def test_busy_lanes_above_are_left_more_room():
    quiet = cap(OPEN, 3, 1010.0)
    busy = cap(replace(OPEN, usual_0=30.0, usual_1=10.0), 3, 1010.0)

    assert busy < quiet


def test_others_on_the_key_are_left_room_by_all_but_money_in_flight():
    with_till = replace(OPEN, usual_foreign=12.0)

    assert cap(with_till, 0, 1010.0) == 60
    assert cap(OPEN, 1, 1010.0) - cap(with_till, 1, 1010.0) >= 10


def test_somebody_may_always_start_a_window():
    drowned = replace(OPEN, limit=2, usual_0=500.0, usual_foreign=500.0)

    assert cap(drowned, 3, 1000.0) == 1


@pytest.mark.parametrize("lane", [1, 2, 3])
@pytest.mark.parametrize("foreign", [0.0, 12.0])
@pytest.mark.parametrize("used", [20, 40, 55, 58, 59])
def test_the_wait_ends_when_the_place_opens(lane, foreign, used):
    window = replace(OPEN, used=used, usual_foreign=foreign)

    step = plan(window, lane, 1000.0)

    if isinstance(step, Wait):
        opens = 1000.0 + step.seconds
        assert isinstance(plan(window, lane, opens + 0.01), Place)
        assert isinstance(plan(window, lane, opens - 0.5), Wait)
    else:
        assert used < step.cap


def test_a_full_window_waits_for_its_end():
    assert plan(replace(OPEN, used=60), 3, 1000.0) == Wait(60.0)


def test_a_blocked_key_waits_for_the_block():
    blocked = replace(OPEN, blocked_until=1030.0)

    assert [plan(blocked, lane, 1010.0) for lane in (0, 3)] == [Wait(20.0)] * 2


def test_a_clock_that_was_set_back_stops_nobody_for_long():
    refused_at_noon = replace(OPEN, used=60, ends_at=1050.0, blocked_until=1050.0)
    step = plan(refused_at_noon, 0, 1000.0 - 86_400)

    assert isinstance(step, Place)
    assert step.fresh.blocked_until == 0.0


# A new window ---------------------------------------------------------------------


def test_the_first_call_after_the_end_begins_a_window():
    step = plan(replace(OPEN, used=60, seen=60), 3, 1060.0)

    assert isinstance(step, Place)
    assert step.fresh.epoch == 8
    assert not step.fresh.confirmed
    assert step.fresh.used == 0
    assert step.fresh.ends_at == 1120.0
    assert step.fresh.seen_before == 60


def test_what_was_usual_follows_what_was_used():
    window = replace(OPEN, used=30, lane_0=10, lane_1=5, lane_3=3)

    after = rolled(window, 1060.0)

    assert (after.usual_0, after.usual_1, after.usual_foreign) == (3.0, 1.5, 3.6)
    assert after.lanes == (0, 0, 0, 0)


def test_quiet_hours_are_forgotten_about():
    window = replace(OPEN, usual_0=40.0, usual_foreign=12.0)

    after = rolled(window, 1060.0 + 3600)

    assert after.usual_0 < 0.01
    assert after.usual_foreign < 0.01


def test_a_window_without_an_answer_teaches_nothing():
    window = replace(OPEN, confirmed=False, lane_0=30, used=30, usual_0=5.0)

    assert rolled(window, 1060.0).usual_0 == 5.0


# What answers teach ---------------------------------------------------------------


def test_the_first_answer_shows_when_the_window_began():
    fresh = replace(rolled(replace(OPEN, seen=60), 1060.0), used=1, lane_3=1)

    learnt = learn(fresh, answered(59, epoch=8), 1060.3)

    assert learnt.confirmed
    assert learnt.since == pytest.approx(1060.1)
    assert learnt.began == 1060.3
    assert learnt.ends_at == 1120.3


def test_calls_of_others_are_seen_in_the_servers_count():
    window = replace(OPEN, used=10, lane_0=10)

    learnt = learn(window, answered(60 - 15), 1010.0)

    assert learnt.used == 15
    assert learnt.foreign == 5


def test_an_answer_never_lowers_what_is_used():
    window = replace(OPEN, used=20, lane_0=20, seen=18, seen_at=1009.0)

    assert learn(window, answered(60 - 17), 1009.1) == window


def test_the_servers_limit_wins():
    answer = Answer(status=200, epoch=7, limit=120, remaining=119)

    assert learn(OPEN, answer, 1001.0).limit == 120


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=200, epoch=7),
        Answer(status=None, epoch=7),
        Answer(status=500, epoch=7, limit=60),
        answered(60),
        answered(10, epoch=6),
    ],
    ids=["no headers", "no answer", "no rest", "straddles the end", "old epoch"],
)
def test_an_answer_that_says_nothing_changes_nothing(answer):
    assert learn(OPEN, answer, 1010.0) == OPEN


def test_a_count_that_goes_on_means_that_the_old_window_is_open():
    # given a window that has just rolled over by our reckoning
    fresh = replace(rolled(replace(OPEN, used=40, seen=40), 1060.0), used=1, lane_0=1)
    # when the server goes on counting where it was
    learnt = learn(fresh, answered(60 - 41, epoch=8), 1060.3)
    # then we look again soon, and meanwhile know how full it is
    assert not learnt.confirmed
    assert learnt.used == 41
    assert learnt.ends_at == pytest.approx(1060.9)


def test_a_high_count_long_after_is_a_new_window_of_others():
    fresh = replace(rolled(replace(OPEN, used=4, seen=4), 1400.0), used=1, lane_0=1)

    learnt = learn(fresh, answered(60 - 9, epoch=8), 1400.3)

    assert learnt.confirmed
    assert (learnt.used, learnt.foreign) == (9, 8)
    assert learnt.since == 0.0


def test_a_count_that_fell_is_a_window_that_began_early():
    window = replace(OPEN, used=40, lane_3=40, seen=40, seen_at=1028.0)

    learnt = learn(window, answered(59), 1030.3)

    assert learnt.epoch == 8
    assert learnt.confirmed
    assert (learnt.used, learnt.began, learnt.ends_at) == (1, 1030.3, 1090.3)
    assert learnt.span == 60.0, "once may be an emptied cache"


def test_an_overtaken_answer_is_no_new_window():
    window = replace(OPEN, used=40, lane_3=40, seen=40, seen_at=1028.0)

    assert learn(window, answered(60 - 38), 1028.1) == window
    assert learn(window, answered(59, elapsed=5.0), 1028.1) == window


def test_a_shorter_window_is_believed_the_second_time():
    window = replace(OPEN, used=40, lane_3=40, seen=40, seen_at=1028.0)
    once = learn(window, answered(59), 1030.3)

    twice = learn(
        replace(once, used=40, seen=40, seen_at=1059.0), answered(59, epoch=8), 1060.6
    )

    assert twice.span == 30.0
    assert twice.ends_at == 1060.6 + 30


def test_a_refusal_blocks_the_key_until_it_says():
    learnt = learn(replace(OPEN, used=50), refused(30), 1010.0)

    assert learnt.blocked_until == learnt.ends_at == 1041.0, "whole seconds are cut"
    assert plan(learnt, 0, 1040.9) == Wait(pytest.approx(0.1))
    assert isinstance(plan(learnt, 0, 1041.0), Place)


def test_a_refusal_that_agrees_with_what_is_known_costs_no_second():
    assert learn(OPEN, refused(50), 1010.0).ends_at == 1060.0


@pytest.mark.parametrize(("wait", "ends_at"), [(None, 1060.0), (0, 1011.0)])
def test_a_refusal_without_a_time_waits_for_the_end(wait, ends_at):
    assert learn(OPEN, refused(wait), 1010.0).ends_at == ends_at


def test_a_late_refusal_of_the_last_window_does_not_end_this_one():
    learnt = learn(OPEN, refused(0, epoch=6), 1001.0)

    assert (learnt.ends_at, learnt.used) == (1060.0, 0)


def test_nobody_can_block_the_key_for_days():
    assert learn(OPEN, refused(1e9), 1010.0).blocked_until <= 1010.0 + 3601


def test_a_refusal_teaches_a_longer_window():
    window = replace(OPEN, span=30.0, ends_at=1030.0, used=60)

    assert learn(window, refused(50), 1005.0).span == 54.0


def test_a_refusal_teaches_a_shorter_window():
    assert learn(OPEN, refused(20), 1009.0).span == 30.0


def test_a_refusal_right_after_the_end_teaches_a_longer_window():
    fresh = replace(rolled(replace(OPEN, used=60, seen=60), 1060.0), used=1)

    learnt = learn(fresh, refused(59, epoch=8), 1060.3)

    assert learnt.span == 119.0
    assert learnt.blocked_until == pytest.approx(1120.3)


def test_a_refusal_by_something_else_does_not_stretch_the_window():
    learnt = learn(OPEN, refused(3000), 1010.0)

    assert learnt.span == 60.0
    assert learnt.blocked_until == 4011.0
