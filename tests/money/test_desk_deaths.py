"""Settling cases and working at the desk: killed at every step, and two people at once."""

import uuid
from decimal import Decimal

import pytest

from .acts import FIRST
from .nursery import as_amounts
from .test_crash_points import ONE
from .world import compare_books, redeemed


class Desk:
    """One shop, whose people are processes."""

    def __init__(self, nursery, server):
        self.nursery, self.server, self.sandbox = nursery, server, server.sandbox

    def order(self, name, **values):
        return self.nursery.order(name, base_url=self.server.url, **values)

    def race(self, *orders):
        return self.nursery.race(
            [{"base_url": self.server.url, **order} for order in orders]
        )

    def confirmed(self):
        self.sandbox.reset()
        self.order("make_staff")
        self.order("scene", vouchers=ONE, confirmed=True)

    def stuck(self):
        """Bring a cancelled payment to a person; returns what they see."""
        self.confirmed()
        return self.order("case_without_ids")

    def ids(self):
        return [
            one.id for one in self.sandbox.redemptions(FIRST) if not one.reversed_at
        ]

    def rest(self):
        said = self.order("come_to_rest", url=self.server.url)
        compare_books(self.sandbox, as_amounts(said["ours"]), said["rows"])
        return said


@pytest.fixture
def counter(nursery, smart_gift):
    return Desk(nursery, smart_gift)


def kill_a_verdict(counter, *, every):
    seen = counter.stuck()
    values = {"verdict": "ids_are", "seen": seen, "ids": counter.ids()}
    steps = counter.order("dying", act="settle", values=values)
    assert "commit" in steps

    for dies_in in range(1, len(steps) + 1, every):
        seen = counter.stuck()
        values = {"verdict": "ids_are", "seen": seen, "ids": counter.ids()}
        died = counter.order("dying", act="settle", values=values, dies_in=dies_in)
        assert died is None, "it survived"

        said = counter.rest()

        where = f"killed at {dies_in} of {steps}: {said['rows']}"
        status = said["sessions"]["order-1"]
        words = counter.order("settled_by")
        assert words == ([["miller", "ids_are"]] if words else []), where
        assert status == ("cancelled" if words else "needs_attention"), where
        assert redeemed(counter.sandbox, FIRST) == (0 if words else 30), where


def test_killed_at_a_step_of_a_verdict_it_is_said_or_not(counter):
    kill_a_verdict(counter, every=3)


@pytest.mark.slow
def test_killed_at_any_step_of_a_verdict_it_is_said_or_not(counter):
    kill_a_verdict(counter, every=1)


def test_two_people_who_say_different_things_are_one(counter):
    """Both at once it would be given back twice: onto the voucher, and in cash."""
    for _turn in range(3):
        seen = counter.stuck()
        ids = counter.ids()

        answers = counter.race(
            {"name": "slow_settle", "verdict": "ids_are", "seen": seen, "ids": ids},
            {
                "name": "slow_settle",
                "verdict": "paid_back",
                "seen": seen,
                "who": "baker",
            },
        )

        assert sorted(one == "moved" for one in answers) == [False, True], answers
        said = counter.order("come_to_rest", url=counter.server.url)
        (word,) = counter.order("settled_by")
        assert word in (["miller", "ids_are"], ["baker", "paid_back"])
        assert said["sessions"]["order-1"] == "cancelled"
        left = 30 if word[1] == "paid_back" else 0
        assert redeemed(counter.sandbox, FIRST) == left, said["rows"]


def test_two_people_who_refund_at_once_refund_once(counter):
    counter.confirmed()

    answers = counter.race(
        *(
            {
                "name": "slow_refund",
                "form_id": str(uuid.uuid4()),
                "amount": "10.00",
                "before": "0.00",
                "who": who,
            }
            for who in ("miller", "baker")
        )
    )

    said = counter.rest()
    assert said["refunded"]["order-1"] in {"10.00", Decimal("10.00")}, answers
    assert redeemed(counter.sandbox, FIRST) == 20, said["rows"]


def test_one_form_that_comes_twice_at_once_refunds_once(counter):
    counter.confirmed()
    form = {
        "name": "slow_refund",
        "form_id": str(uuid.uuid4()),
        "amount": "10.00",
        "before": "0.00",
    }

    counter.race(form, dict(form))

    counter.rest()
    assert redeemed(counter.sandbox, FIRST) == 20
    assert counter.order("desk_actions") == 1


def kill_a_refund(counter, *, every):
    form = {"form_id": str(uuid.uuid4()), "amount": "10.00", "before": "0.00"}
    counter.confirmed()
    steps = counter.order("dying", act="desk_refund", values=form)

    for dies_in in range(1, len(steps) + 1, every):
        counter.confirmed()
        died = counter.order("dying", act="desk_refund", values=form, dies_in=dies_in)
        assert died is None, "it survived"
        counter.rest()
        counter.order("desk_refund", **form)

        said = counter.rest()

        where = f"killed at {dies_in} of {steps}: {said['rows']}"
        assert redeemed(counter.sandbox, FIRST) == 20, where
        assert counter.order("desk_actions") == 1, where


def test_killed_at_a_step_of_a_refund_the_same_form_ends_it(counter):
    kill_a_refund(counter, every=5)


@pytest.mark.slow
def test_killed_at_any_step_of_a_refund_the_same_form_ends_it(counter):
    kill_a_refund(counter, every=1)
