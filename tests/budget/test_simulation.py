"""Hours of traffic in virtual time: what the lanes reach against the server's rule.

The figures of real processes are in ``docs/explanation/quota.md``; these keep a
change of the arithmetic from losing them unnoticed.
"""

from collections.abc import Iterator

import pytest

from tests.budget.simulation import Shop, make_shop


HOUR = 3600


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def utilisation(shop: Shop, seconds: float) -> float:
    server = shop.server
    return server.accepted / (server.limit * seconds / server.span)


def saturated(seed: int, **options: float) -> Shop:
    shop = make_shop(seed=seed, **options)
    for _ in range(4):
        shop.start(shop.sync())
    return shop


def test_a_sync_leaves_no_place_unused_and_is_never_refused():
    shop = saturated(seed=1)

    shop.run(HOUR)

    assert utilisation(shop, HOUR) >= 0.99
    assert shop.refused == 0


def test_redemptions_do_not_wait_for_a_sync():
    shop = saturated(seed=2)
    shop.start(shop.customers(per_minute=5))

    shop.run(HOUR)

    assert utilisation(shop, HOUR) >= 0.99
    assert shop.refused == 0
    assert percentile(shop.redemptions, 0.5) < 1.0
    assert percentile(shop.redemptions, 0.95) < 1.9


def test_a_till_that_nobody_knows_of_gets_its_room():
    shop = saturated(seed=3)
    shop.start(shop.customers(per_minute=5))
    shop.start(shop.till(per_minute=12))

    shop.run(3 * HOUR)

    assert utilisation(shop, 3 * HOUR) >= 0.99
    assert shop.refused / shop.sent <= 0.004
    assert shop.till_refused / shop.till_sent <= 0.06
    assert percentile(shop.redemptions, 0.5) < 1.0
    assert percentile(shop.redemptions, 0.95) < 1.9


def test_redemptions_alone_reach_the_physical_limit():
    # 60 calls a minute are 20 redemptions of three calls.
    shop = make_shop(seed=4)
    for _ in range(8):
        shop.start(shop.queue_of_redemptions())

    shop.run(HOUR)

    assert len(shop.redemptions) / 60 >= 19.5
    assert shop.refused == 0


def test_a_burst_of_guesses_leaves_room_for_money_in_flight():
    # given a hundred guesses at once: first holds and look-ups of unknown numbers
    shop = make_shop(seed=5)
    for number in range(100):
        shop.start(shop.call(1 + number % 2))
    shop.run(1.5)
    guesses = shop.window.used
    # when three calls in a row settle what customers have begun
    finished = []

    def settle() -> Iterator[float]:
        for _ in range(3):
            yield from shop.call(0)
        finished.append(shop.now)

    shop.start(settle())
    shop.run(1.5)
    # then none of them waited, and the guesses took no more places meanwhile
    assert 40 <= guesses < 60
    assert finished
    assert shop.window.lanes[0] == 3
    assert shop.refused == 0


@pytest.mark.parametrize(
    ("span", "believed", "refusals"), [(30.0, 60.0, 0), (60.0, 30.0, 10)]
)
def test_the_length_of_the_window_is_learnt(span, believed, refusals):
    shop = saturated(seed=6, span=span, believed=believed)

    shop.run(HOUR)

    assert span <= shop.window.span <= span + 1
    assert utilisation(shop, HOUR) >= 0.92
    assert shop.refused <= refusals
