"""Several processes at the same moment, on PostgreSQL and on SQLite.

Each race is run with our locks and without: without them it does the damage that they
are there for. Smart Gift is set to the behaviours that would let it happen.
"""

from collections.abc import Callable
from typing import Any

import pytest

from wagtail_smartgift.sandbox import SandboxServer

from .acts import FIRST, SECOND
from .nursery import Nursery, as_amounts
from .world import compare_books, redeemed


class Race:
    """A scene, and what several processes do in it at once."""

    def __init__(self, nursery: Nursery, server: SandboxServer) -> None:
        self.nursery, self.server = nursery, server
        self.sandbox = server.sandbox
        self.behave()

    def behave(self, **more: Any) -> None:
        self.sandbox.behaviour.update(
            {"redeem_ends_hold": False, "duplicate_reference": "rename", **more}
        )

    def shows(self, story: Callable[[], None], damage: Callable[[], bool]) -> bool:
        """Tell a story until it does its damage: one racer may be through too early."""
        for _attempt in range(8):
            self.sandbox.reset()
            self.behave(latency=0.1)
            story()
            if damage():
                return True
        return False

    def order(self, name: str, **values: Any) -> Any:
        return self.nursery.order(name, base_url=self.server.url, **values)

    def run(self, *verbs: dict[str, Any], locked: bool = True) -> list[str]:
        orders = [
            {"name": "race", "base_url": self.server.url, "locked": locked, **verb}
            for verb in verbs
        ]
        return self.nursery.race(orders)

    def calls(self, operation: str) -> int:
        return sum(line.operation == operation for line in self.sandbox.log())

    def taken(self) -> int:
        return int(redeemed(self.sandbox, FIRST) + redeemed(self.sandbox, SECOND))

    def rest(self) -> dict[str, Any]:
        said: dict[str, Any] = self.order("come_to_rest", url=self.server.url)
        compare_books(self.sandbox, as_amounts(said["ours"]), said["rows"])
        assert said["attention"] == [], said["rows"]
        return said


@pytest.fixture
def race(nursery, smart_gift):
    return Race(nursery, smart_gift)


CONFIRM = {"verb": "confirm"}
THIRTY = ((FIRST, "30.00"),)


def test_two_browsers_confirm_one_session(race):
    race.order("scene", vouchers=THIRTY)

    assert "confirmed" in race.run(CONFIRM, CONFIRM)

    assert race.calls("redeem") == 1
    assert race.rest()["sessions"]["order-1"] == "confirmed"
    assert race.taken() == 30


@pytest.mark.slow
def test_without_locks_two_browsers_pay_twice(race):
    def story():
        race.order("scene", vouchers=THIRTY)
        race.run(CONFIRM, CONFIRM, locked=False)

    assert race.shows(story, lambda: race.taken() == 60)


def _add(reference):
    return {"verb": "add_voucher", "reference": reference, "voucher_no": FIRST}


def test_two_sessions_hold_one_voucher(race):
    race.order("scene", others=["order-2"])

    assert sorted(race.run(_add("order-1"), _add("order-2"))) == [
        "open",
        "voucher_held",
    ]

    # The slower one may ask when the hold ends, and never for a hold of its own.
    assert race.calls("hold") == 1
    race.rest()


def test_without_the_index_two_sessions_ask_for_one_voucher(race):
    def story():
        race.order("scene", others=["order-2"])
        race.run(_add("order-1"), _add("order-2"))

    race.order("drop_the_index")
    try:
        assert race.shows(story, lambda: race.calls("hold") == 2)
    finally:
        race.order("make_the_index")


def test_confirm_against_cancel(race):
    race.order("scene", vouchers=THIRTY)

    confirmed, cancelled = race.run(CONFIRM, {"verb": "cancel"})

    assert cancelled in {"confirming", "cancelling", "cancelled"}
    assert confirmed in {
        "confirming",
        "confirmed",
        "session_busy",
        "session_cancelled",
    }
    assert race.rest()["sessions"]["order-1"] == "cancelled"
    assert race.calls("redeem") <= 1
    assert race.taken() == 0


@pytest.mark.slow
def test_without_locks_a_cancelled_payment_is_taken_all_the_same(race):
    answers = []

    def story():
        race.order("scene", vouchers=THIRTY)
        answers[:] = race.run(CONFIRM, {"verb": "cancel"}, locked=False)

    # Whoever cancelled was told that it is done, and the money is gone.
    assert race.shows(story, lambda: answers[1] == "cancelled" and race.taken() == 30)


def test_confirm_against_the_sweep(race):
    race.order("scene", vouchers=((FIRST, "30.00"), (SECOND, None)))

    sweep = {"verb": "sweep"}
    results = race.run(CONFIRM, sweep, sweep, sweep)

    assert results[0] in {"confirmed", "confirming"}
    assert set(results[1:]) == {"faults: 0"}
    assert race.rest()["sessions"]["order-1"] == "confirmed"
    assert race.calls("redeem") == 2
    assert race.taken() == 80


@pytest.mark.slow
def test_without_locks_the_sweep_redeems_what_is_being_confirmed(race):
    def story():
        race.order("scene", vouchers=THIRTY)
        # It has something to do once the other has begun.
        race.run(CONFIRM, {"verb": "sweep", "once": "confirming"}, locked=False)

    assert race.shows(story, lambda: race.taken() == 60)


def test_several_sweeps_finish_one_session(race):
    race.order("scene", vouchers=THIRTY)
    # Dead at the commit that made the session confirming.
    assert race.order("act", verb="confirm", dies_in=1) is None
    race.sandbox.clock.advance(60)

    sweep = {"verb": "sweep", "offset": 60}
    assert set(race.run(sweep, sweep, sweep)) == {"faults: 0"}

    assert race.calls("redeem") == 1
    assert race.taken() == 30


@pytest.mark.slow
def test_without_locks_several_sweeps_pay_twice(race):
    sweep = {"verb": "sweep", "offset": 60}

    def story():
        race.order("scene", vouchers=THIRTY)
        assert race.order("act", verb="confirm", dies_in=1) is None
        race.sandbox.clock.advance(60)
        race.run(sweep, sweep, locked=False)

    assert race.shows(story, lambda: race.taken() == 60)


def test_add_against_confirm(race):
    race.order("scene", vouchers=THIRTY)

    added, confirmed = race.run(
        {"verb": "add_voucher", "voucher_no": SECOND},
        {"verb": "confirm", "amount_remaining": "50.00"},
    )

    said = race.rest()
    if confirmed == "amount_changed":
        assert added == "open"
        assert said["sessions"]["order-1"] == "open"
        assert race.taken() == 0
    else:
        assert confirmed == "confirmed"
        assert added == "session_not_open"
        assert race.taken() == 30


def test_two_partial_refunds_at_once(race):
    race.order("scene", vouchers=((SECOND, None),), confirmed=True)

    refund = {"verb": "refund", "amount": "10.00"}
    results = race.run(refund, refund)

    # A second one is done after the first, or told that it is under way.
    said = race.rest()
    assert set(results) <= {"confirmed", "refunding", "session_busy"}
    done = {"10.00": 40, "20.00": 30}
    assert race.taken() == done[said["refunded"]["order-1"]]
    if results == ["confirmed", "confirmed"]:
        assert said["refunded"]["order-1"] == "20.00"


SELL = {"verb": "place_order"}


def test_two_workers_place_one_sale(race):
    race.order("shelves")

    results = race.run(SELL, SELL)

    assert "placed" in results
    assert race.calls("pos-sale") == 1
    assert len(race.sandbox.sales()) == 1


@pytest.mark.slow
def test_without_locks_two_workers_sell_twice(race):
    def story():
        # Else Smart Gift's own refusal of the second would be the net below the lock.
        race.behave(duplicate_reference="rename", duplicate_code="replace", latency=0.1)
        race.order("shelves")
        race.run(SELL, SELL, locked=False)

    assert race.shows(story, lambda: len(race.sandbox.sales()) > 1)


REFUND = {
    "event": "order.refunded",
    "data": {"reference": "order-1", "amount": "10.00"},
}
SPENT = ((SECOND, None),)


def test_one_message_is_delivered_twice_at_once(race):
    race.order("scene", vouchers=SPENT, confirmed=True)

    results = race.run(*[{"verb": "deliver", **REFUND}] * 3)

    assert sorted(results) == ["known", "known", "new"]
    said = race.rest()
    assert said["messages"] == {"msg-1": "processed"}
    assert said["refunded"]["order-1"] == "10.00"
    assert race.taken() == 40
    assert race.calls("reverse") == 1


def test_without_the_id_a_message_is_obeyed_twice(race):
    def story():
        race.order("scene", vouchers=SPENT, confirmed=True)
        race.run(*[{"verb": "deliver", **REFUND}] * 2)
        race.rest()

    race.order("drop_the_message_id")
    try:
        assert race.shows(story, lambda: race.taken() == 30)
    finally:
        race.order("make_the_message_id")


def test_a_task_and_the_sweep_have_one_message(race):
    race.order("scene", vouchers=SPENT, confirmed=True)
    race.order("store", **REFUND)

    sweep = {"verb": "sweep"}
    results = race.run({"verb": "process"}, {"verb": "process"}, sweep, sweep)

    assert set(results[2:]) == {"faults: 0"}
    assert race.rest()["messages"] == {"msg-1": "processed"}
    assert race.taken() == 40
    assert race.calls("reverse") == 1


def test_without_the_claim_two_workers_obey_one_message_twice(race):
    def story():
        race.order("scene", vouchers=SPENT, confirmed=True)
        race.order("store", **REFUND)
        race.run(*[{"verb": "process", "claimed": False}] * 2)
        race.rest()

    assert race.shows(story, lambda: race.taken() == 30)
