"""Processes killed between any two steps, then the sweep, then the books.

A verb runs in a process of its own and is killed by SIGKILL before or after the n-th
commit, call or answer, for every n. Time passes, the sweep (in another process) finds
what is left, and our rows must agree with the sandbox's ledger.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from wagtail_smartgift.sandbox import Fault, SandboxServer

from .acts import FIRST, SECOND
from .nursery import Nursery, as_amounts
from .world import compare_books, redeemed


#: What may be put before a person, and it must be true.
UNDECIDABLE = frozenset({"ids_lost", "sale_unknown"})


@dataclass(frozen=True)
class Story:
    """A verb, what came before it, and how it may end whenever its process dies."""

    verb: str
    #: Statuses that the session (or order) may rest in.
    ends: frozenset[str]
    vouchers: tuple[tuple[str, str | None], ...] = ()
    confirmed: bool = False
    #: Seconds between the scene and the verb.
    waits: float = 0.0
    values: dict[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    behaviour: dict[str, Any] = field(default_factory=dict)
    #: What may be put before a person in it.
    undecidable: frozenset[str] = UNDECIDABLE


def ends(*statuses: str) -> frozenset[str]:
    return frozenset(statuses)


ONE = ((FIRST, "30.00"),)
TWO = ((FIRST, "30.00"), (SECOND, None))
LATE = Fault(operation="redeem", mode="apply_late", seconds=60)
REFUSED = Fault(operation="redeem", mode="refused", voucher_no=SECOND, times=None)

STORIES = {
    "add": Story("add_voucher", ends("open"), values={"voucher_no": FIRST}),
    "remove": Story("remove_voucher", ends("open"), vouchers=ONE),
    "prepare with a renewal": Story("prepare", ends("open"), vouchers=TWO, waits=250),
    "renew": Story("renew_hold", ends("open"), vouchers=TWO, waits=200),
    "renew after the hold": Story("renew_hold", ends("open"), vouchers=ONE, waits=400),
    "confirm one": Story("confirm", ends("open", "confirmed"), vouchers=ONE),
    "confirm a whole voucher": Story(
        "confirm", ends("open", "confirmed"), vouchers=((SECOND, None),)
    ),
    "confirm two": Story("confirm", ends("open", "confirmed"), vouchers=TWO),
    "confirm after the holds": Story(
        "confirm", ends("open", "confirmed"), vouchers=TWO, waits=400
    ),
    "confirm, the answer is lost and it comes late": Story(
        "confirm",
        ends("open", "confirmed"),
        vouchers=ONE,
        faults=(LATE,),
        behaviour={"dead_token_accepted": True, "redeem_ends_hold": False},
    ),
    # Killed before the ids of the first are stored, it cannot be given back.
    "confirm, the second is refused": Story(
        "confirm",
        ends("open", "needs_attention"),
        vouchers=TWO,
        faults=(REFUSED,),
    ),
    "cancel while open": Story("cancel", ends("open", "cancelled"), vouchers=TWO),
    "cancel after": Story(
        "cancel", ends("confirmed", "cancelled"), vouchers=TWO, confirmed=True
    ),
    "refund all": Story("refund", ends("confirmed"), vouchers=TWO, confirmed=True),
    "refund a part": Story(
        "refund",
        ends("confirmed"),
        vouchers=TWO,
        confirmed=True,
        values={"amount": "65.00"},
    ),
    "refund a part of a spent voucher": Story(
        "refund",
        ends("confirmed"),
        vouchers=((SECOND, None),),
        confirmed=True,
        values={"amount": "10.00"},
        behaviour={"reverse_while_held": False},
    ),
    # All of it is back on the voucher then, which nobody asked for.
    "refund a part, the rest is refused": Story(
        "refund",
        ends("confirmed", "needs_attention"),
        vouchers=((SECOND, None),),
        confirmed=True,
        values={"amount": "10.00"},
        faults=(REFUSED,),
        undecidable=UNDECIDABLE | {"remainder_not_redeemed"},
    ),
    # Killed with the request on its way, only a number that is found proves a sale.
    "sell": Story("place_order", ends("absent", "placed", "needs_attention")),
}
REFUNDS = {
    "refund all": "80.00",
    "refund a part": "65.00",
    # It is a success only where it was never begun.
    "refund a part, the rest is refused": "0.00",
}


class Scene:
    """One story, told until its process dies."""

    def __init__(self, nursery: Nursery, server: SandboxServer, story: Story) -> None:
        self.nursery, self.server, self.story = nursery, server, story
        self.sandbox = server.sandbox
        self.offset = 0.0

    def order(self, name: str, **values: Any) -> Any:
        return self.nursery.order(
            name, base_url=self.server.url, offset=self.offset, **values
        )

    def pass_time(self, seconds: float) -> None:
        self.sandbox.clock.advance(seconds)
        self.offset += seconds

    def begin(self) -> None:
        story = self.story
        self.offset = 0.0
        self.sandbox.reset()
        self.sandbox.behaviour.update(story.behaviour)
        if story.verb == "place_order":
            self.order("shelves")
        else:
            self.order("scene", vouchers=story.vouchers, confirmed=story.confirmed)
        for fault in story.faults:
            self.sandbox.faults.add(fault)
        self.pass_time(story.waits)

    def tell(self, dies_in: int | None) -> Any:
        values = dict(self.story.values)
        if self.story.verb in {"remove_voucher", "renew_hold"}:
            values["redemption_id"] = self.order("first_redemption")
        return self.order("act", verb=self.story.verb, dies_in=dies_in, **values)

    def check(self, name: str, at: str) -> None:
        said = self.order("come_to_rest", url=self.server.url)
        where = f"{name}, killed at {at}: {said['rows']}"
        compare_books(self.sandbox, as_amounts(said["ours"]), where)
        assert set(said["attention"]) <= self.story.undecidable, where
        if self.story.verb == "place_order":
            self._check_sale(said, where)
            return
        status = said["sessions"]["order-1"]
        assert status in self.story.ends, where
        self._check_status(name, status, said, where)

    def _check_sale(self, said: dict[str, Any], where: str) -> None:
        status = said["orders"].get("order-1", "absent")
        made = len(self.sandbox.sales())
        assert status in self.story.ends, where
        assert made <= 1, where
        if status == "placed":
            assert made == 1, where
        elif status == "absent":
            assert made == 0, where

    def _check_status(
        self, name: str, status: str, said: dict[str, Any], where: str
    ) -> None:
        taken = redeemed(self.sandbox, FIRST) + redeemed(self.sandbox, SECOND)
        if status in {"open", "cancelled"}:
            assert taken == 0, where
        elif status == "confirmed" and self.story.verb != "refund":
            due = {FIRST: 30, SECOND: 50}
            assert taken == sum(due[number] for number, _ in self.story.vouchers), where
        elif status == "confirmed" and name in REFUNDS:
            assert said["refunded"]["order-1"] in {"0.00", REFUNDS[name]}, where


def points(steps: list[str], *, every: bool) -> list[int]:
    """Choose the steps to die at: all, or those with an answer in hand."""
    return [
        number
        for number, step in enumerate(steps, 1)
        if every or step.startswith("after")
    ]


def kill_everywhere(
    name: str, nursery: Nursery, server: SandboxServer, *, every: bool
) -> None:
    scene = Scene(nursery, server, STORIES[name])
    scene.begin()
    steps = scene.tell(None)
    assert steps
    for dies_in in points(steps, every=every):
        scene.begin()
        assert scene.tell(dies_in) is None, "it survived"
        scene.check(name, f"{dies_in} of {steps}")


SHORT = ["confirm two", "confirm, the second is refused", "refund a part", "sell"]


@pytest.mark.parametrize("name", SHORT)
def test_a_process_killed_with_an_answer_in_hand(name, nursery, smart_gift):
    kill_everywhere(name, nursery, smart_gift, every=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_process_killed_at_any_step(name, nursery, smart_gift):
    kill_everywhere(name, nursery, smart_gift, every=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["confirm two", "refund a part", "cancel after"])
def test_the_sweep_itself_is_killed(name, nursery, smart_gift):
    """Dead in the middle of a verb, and whoever repairs it dies at every step too."""
    scene = Scene(nursery, smart_gift, STORIES[name])
    scene.begin()
    steps = scene.tell(None)
    middle = [number for number, step in enumerate(steps, 1) if "after" in step]
    for dies_in in middle[:3]:
        for step in range(1, 16, 2):
            scene.begin()
            assert scene.tell(dies_in) is None
            scene.pass_time(90)
            scene.order("dying_sweep", dies_in=step)
            scene.check(name, f"{dies_in}, its sweep at {step}")
