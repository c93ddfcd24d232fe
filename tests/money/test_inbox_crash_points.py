"""Processes killed while they do what a message of the shop asks for.

A message is taken in by a process of its own, which is killed by SIGKILL before or
after its n-th commit, call or answer, for every n. The shop, that got no answer, sends
it again; time passes, the sweep finds what is left. However it went, the message is
done in the end, and done once.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from wagtail_smartgift.sandbox import SandboxServer

from .acts import FIRST, ORDER, REF, SECOND
from .nursery import Nursery, as_amounts
from .test_crash_points import TWO, UNDECIDABLE, points
from .world import compare_books, redeemed


@dataclass(frozen=True)
class Told:
    """A message, what came before it, and how it has to end."""

    event: str
    #: The status that the payment (or order) rests in, and what is redeemed then.
    ends: str
    taken: int = 0
    vouchers: tuple[tuple[str, str | None], ...] = TWO
    confirmed: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    behaviour: dict[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> dict[str, Any]:
        return {"event": self.event, "data": {"reference": REF, **self.values}}


MESSAGES = {
    "message: confirmed": Told("order.confirmed", "confirmed", taken=80),
    "message: cancelled while open": Told("order.cancelled", "cancelled"),
    "message: cancelled": Told("order.cancelled", "cancelled", confirmed=True),
    "message: refunded in part": Told(
        "order.refunded",
        "confirmed",
        taken=15,
        confirmed=True,
        values={"amount": "65.00"},
    ),
    "message: a part of a spent voucher refunded": Told(
        "order.refunded",
        "confirmed",
        taken=40,
        vouchers=((SECOND, None),),
        confirmed=True,
        values={"amount": "10.00"},
        behaviour={"reverse_while_held": False},
    ),
    "message: refunded": Told("order.refunded", "confirmed", confirmed=True),
    "message: paid": Told("order.paid", "placed", values=ORDER),
}
REFUNDED = "message: refunded in part"
SHORT = [REFUNDED, "message: paid"]


class Telling:
    """One message, told until the process that does it dies."""

    def __init__(self, nursery: Nursery, server: SandboxServer, told: Told) -> None:
        self.nursery, self.server, self.told = nursery, server, told
        self.sandbox = server.sandbox

    def order(self, name: str, **values: Any) -> Any:
        return self.nursery.order(
            name, base_url=self.server.url, offset=self.offset, **values
        )

    def pass_time(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)
        self.offset += seconds

    def begin(self) -> None:
        told = self.told
        self.offset = 0.0
        self.sandbox.reset()
        self.sandbox.behaviour.update(told.behaviour)
        if told.event == "order.paid":
            self.order("shelves")
        else:
            self.order("scene", vouchers=told.vouchers, confirmed=told.confirmed)

    def deliver(self, dies_in: int | None = None) -> Any:
        return self.order("deliver", dies_in=dies_in, **self.told.message)

    def check(self, at: str) -> None:
        told = self.told
        said = self.order("come_to_rest", url=self.server.url)
        where = f"{told.event}, killed at {at}: {said['rows']}"
        compare_books(self.sandbox, as_amounts(said["ours"]), where)
        assert said["messages"] == {"msg-1": "processed"}, where
        assert set(said["attention"]) <= UNDECIDABLE, where
        if told.event == "order.paid":
            sold = len(self.sandbox.sales())
            placed = said["orders"][REF] == "placed"
            assert placed or said["attention"] == ["sale_unknown"], where
            assert sold == 1 or (sold == 0 and not placed), where
            return
        if said["sessions"][REF] == "needs_attention":
            # Cancelled or refunded, where a death has taken the ids with it.
            assert said["attention"] == ["ids_lost"], where
            return
        assert said["sessions"][REF] == told.ends, where
        taken = redeemed(self.sandbox, FIRST) + redeemed(self.sandbox, SECOND)
        assert taken == told.taken, where
        if told.event == "order.refunded":
            given = told.values.get("amount", "80.00")
            assert said["refunded"][REF] == given, where


def kill_everywhere(
    name: str, nursery: Nursery, server: SandboxServer, *, every: bool
) -> None:
    telling = Telling(nursery, server, MESSAGES[name])
    telling.begin()
    steps = telling.deliver()
    telling.check("no step")
    for dies_in in points(steps, every=every):
        telling.begin()
        assert telling.deliver(dies_in) is None, "it survived"
        # Nobody answered the shop.
        telling.pass_time(10)
        telling.deliver()
        telling.check(f"{dies_in} of {steps}")


@pytest.mark.parametrize("name", SHORT)
def test_a_messages_process_is_killed_with_an_answer_in_hand(name, nursery, smart_gift):
    kill_everywhere(name, nursery, smart_gift, every=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_a_messages_process_is_killed_at_any_step(name, nursery, smart_gift):
    kill_everywhere(name, nursery, smart_gift, every=True)


def test_a_message_is_stored_before_anything_is_done(nursery, smart_gift):
    """Dead at the first commit, and never sent again: the sweep does it."""
    telling = Telling(nursery, smart_gift, MESSAGES[REFUNDED])
    telling.begin()
    calls = len(telling.sandbox.log())

    assert telling.deliver(1) is None

    assert len(telling.sandbox.log()) == calls
    telling.check("the first commit")


def test_a_refund_is_begun_once_whatever_dies_around_it(nursery, smart_gift):
    """At each commit in turn: stored, claimed, begun (and noted with it), finished."""
    telling = Telling(nursery, smart_gift, MESSAGES[REFUNDED])
    telling.begin()
    steps = telling.deliver()
    commits = [number for number, step in enumerate(steps, 1) if step == "commit"]
    for dies_in in [*commits[:3], commits[-1]]:
        telling.begin()
        assert telling.deliver(dies_in) is None, "it survived"
        telling.check(f"{dies_in} of {steps}")


@pytest.mark.slow
def test_the_sweep_is_killed_over_a_message(nursery, smart_gift):
    """Whoever takes a dead worker's message over dies at every step as well."""
    telling = Telling(nursery, smart_gift, MESSAGES[REFUNDED])
    telling.begin()
    steps = telling.deliver()
    for dies_in in (1, 2, 3, len(steps)):
        for step in range(1, 14, 2):
            telling.begin()
            assert telling.deliver(dies_in) is None
            telling.pass_time(90)
            telling.order("dying_sweep", dies_in=step)
            telling.check(f"{dies_in}, its sweep at {step}")


def _failed(telling: Telling) -> None:
    """A refund that came before its payment was there, and was kept as failed."""
    telling.begin()
    message = {**telling.told.message, "data": {"reference": "late", "amount": "65.00"}}
    telling.order("deliver", **message)
    telling.order("rename", reference=REF, to="late")


def _replay_and_die(telling: Telling, points: Any, steps: Any) -> None:
    for dies_in in points:
        _failed(telling)
        assert telling.order("replay", dies_in=dies_in) is None, "it survived"
        said = telling.order("come_to_rest", url=telling.server.url)
        where = f"killed at {dies_in} of {steps}: {said['rows']}"
        assert said["messages"] == {"msg-1": "processed"}, where
        assert said["refunded"] == {"late": "65.00"}, where
        compare_books(telling.sandbox, as_amounts(said["ours"]), where)


def test_a_replay_is_killed(nursery, smart_gift):
    telling = Telling(nursery, smart_gift, MESSAGES[REFUNDED])
    _failed(telling)
    steps = telling.order("replay")
    _replay_and_die(telling, (1, 2, 3, len(steps)), steps)


@pytest.mark.slow
def test_a_replay_is_killed_at_any_step(nursery, smart_gift):
    telling = Telling(nursery, smart_gift, MESSAGES[REFUNDED])
    _failed(telling)
    steps = telling.order("replay")
    _replay_and_die(telling, range(1, len(steps) + 1), steps)
