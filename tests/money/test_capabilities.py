"""What the protocol makes of a probe's answers: quicker where they are good, more careful
where they are bad, and never a penny twice.

The records are made by the probe itself, so they are as true as it can tell. What a lie
would cost is shown, and that one is not believed when it is old or about somebody else.
"""

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.utils import timezone

from tests.services.test_probing import SALE
from wagtail_smartgift import payments, sales
from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    CapabilityRecord,
    Redemption,
    VoucherOrder,
    VoucherOrderEvent,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import reconciliation
from wagtail_smartgift.services import sales as sales_service
from wagtail_smartgift.services.sales_looking import RESENDS

from .world import (
    attempt,
    compare_books,
    compare_rest,
    describe_rows,
    probe_once,
)


HUNDRED = "GOOD-0100-0001"
REF = "order-1"
#: What a Smart Gift would have to say for the fence to be trusted.
GOOD = {
    "check_while_held": True,
    "old_token_refused": True,
    "released_token_refused": True,
    "redeem_ends_hold": True,
}


@pytest.fixture
def learn(sandbox):
    """Return a function that runs the probe against this Smart Gift as it is."""

    return partial(probe_once, sandbox)


@pytest.fixture
def claim():
    """Return a function that stores what nobody has found out."""

    def write(*, days_ago=0, **answers):
        record = CapabilityRecord(
            probed_at=timezone.now() - timedelta(days=days_ago), **{**GOOD, **answers}
        )
        record.bind_to(get_conf().account("default"))
        record.save()
        return record

    return write


@pytest.fixture
def confirm(session, sandbox):
    """Return a function that redeems 30.00 of 100.00, with a fault on the call."""

    def begin(mode=None, **fault):
        payments.add_voucher(reference=REF, voucher_no=HUNDRED, amount="30.00")
        if mode is not None:
            sandbox.faults.add(Fault(operation="redeem", mode=mode, **fault))
        return attempt(payments.confirm, reference=REF)

    return begin


@pytest.fixture
def later(world, sandbox):
    """Return a function that lets time pass, sweeps, and compares the books."""

    def pass_time(seconds):
        world.pass_time(seconds)
        reconciliation.reconcile()
        compare_books(sandbox)
        return payments.get_session(reference=REF)

    return pass_time


@pytest.fixture
def finish(world, sandbox):
    """Return a function that comes to rest and looks back long after."""

    def come_to_rest():
        for _pass in range(2):
            world.until_quiet()
            compare_books(sandbox)
            world.pass_time(400)
        compare_books(sandbox)
        compare_rest()
        return payments.get_session(reference=REF)

    return come_to_rest


def row():
    return Redemption.objects.get()


FAULTS = {
    "answered": None,
    "refused": {"mode": "refused"},
    "lost": {"mode": "lost_before"},
    "applied": {"mode": "lost_after"},
    "late 20": {"mode": "apply_late", "seconds": 20},
    "late 37": {"mode": "apply_late", "seconds": 37},
    "late 60": {"mode": "apply_late", "seconds": 60},
    "late 90": {"mode": "apply_late", "seconds": 90},
    "late 125": {"mode": "apply_late", "seconds": 125},
}
SWITCHES = [
    {
        "redeem_ends_hold": ends_hold,
        "dead_token_accepted": dead_accepted,
        "wrong_token_refused": wrong_refused,
    }
    for ends_hold in (True, False)
    for dead_accepted in (True, False)
    for wrong_refused in (True, False)
]


def _words(switches):
    return " ".join(f"{name}={value}" for name, value in switches.items())


@pytest.mark.slow
@pytest.mark.parametrize("probed", [True, False], ids=["probed", "not probed"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("switches", SWITCHES, ids=_words)
def test_a_redeem_is_never_made_twice(
    confirm, finish, learn, sandbox, books, switches, fault, probed
):
    sandbox.behaviour.update(switches)
    if probed:
        learn()

    confirm(**(fault or {}))

    state = finish()
    assert state.status in {"confirmed", "open", "needs_attention"}
    assert books(HUNDRED) in {0, 30}
    if state.status == "confirmed":
        assert books(HUNDRED) == 30, describe_rows()
    if state.status == "open":
        assert books(HUNDRED) == 0, describe_rows()


@pytest.mark.slow
@pytest.mark.parametrize("probed", [True, False], ids=["probed", "not probed"])
@pytest.mark.parametrize("fault", ["lost", "applied", "late 60"])
@pytest.mark.parametrize("seconds", [300, 200])
@pytest.mark.parametrize("style", ["utc", "offset", "naive", "naive_local", "absent"])
def test_a_hold_that_is_shown_in_any_way(
    confirm, finish, learn, sandbox, books, style, seconds, fault, probed
):
    sandbox.behaviour.update({"held_until": style, "hold_seconds": seconds})
    if probed:
        learn()

    confirm(**FAULTS[fault])

    # A hold that is shorter than we can know leaves some of it to a person.
    known = (
        seconds == 300 or style in {"utc", "offset"} or (probed and style != "absent")
    )
    assert finish().status in {"confirmed", *(() if known else ("needs_attention",))}
    assert books(HUNDRED) == 30 or not known


def test_a_hold_is_relied_on_for_as_long_as_it_lasts(
    session, claim, sandbox, later, books
):
    """Nothing shows when it ends, and a probe knew: it is renewed before it is used."""
    sandbox.behaviour.update({"held_until": "absent", "hold_seconds": 150})
    claim(hold_seconds=150)
    payments.add_voucher(reference=REF, voucher_no=HUNDRED, amount="30.00")

    row = Redemption.objects.get()
    assert (row.held_until - row.hold_sent_at).total_seconds() == 145
    first = row.hold_token_encrypted
    later(100)
    assert payments.confirm(reference=REF).status == "confirmed"

    holds = [line.operation for line in sandbox.log()].count("hold")
    assert holds == 2
    assert Redemption.objects.get().hold_token_encrypted != first
    assert books(HUNDRED) == 30


@pytest.mark.parametrize("lasts", [300, 400])
def test_no_hold_is_relied_on_for_longer_than_documented(
    session, claim, sandbox, lasts
):
    sandbox.behaviour.held_until = "absent"
    claim(hold_seconds=lasts)

    payments.add_voucher(reference=REF, voucher_no=HUNDRED)

    row = Redemption.objects.get()
    assert (row.held_until - row.hold_sent_at).total_seconds() == 295


# Reversals


@pytest.mark.parametrize("known", [True, False])
def test_a_reversal_that_might_be_doubled_is_looked_for_first(
    confirm, later, claim, sandbox, books, known
):
    claim(second_reversal_refused=False if known else None)
    sandbox.behaviour.reverse_twice = "accept"
    confirm()
    sandbox.faults.add(Fault(operation="reverse", mode="lost_after"))
    payments.cancel(reference=REF)

    later(36)

    assert payments.get_session(reference=REF).status == "cancelled"
    asked = [line.operation for line in sandbox.log()].count("reverse")
    assert asked == (1 if known else 2)
    assert books(HUNDRED) == 0


def test_a_reversal_that_was_lost_is_made_all_the_same(
    confirm, later, claim, sandbox, books
):
    claim(second_reversal_refused=False)
    sandbox.behaviour.reverse_twice = "accept"
    confirm()
    sandbox.faults.add(Fault(operation="reverse", mode="lost_before"))
    payments.cancel(reference=REF)

    later(36)

    assert payments.get_session(reference=REF).status == "cancelled"
    assert [line.operation for line in sandbox.log()].count("reverse") == 2
    assert books(HUNDRED) == 0


# The fence


@pytest.mark.parametrize("taken", ["used_token_refused", "expired_token_refused"])
def test_one_dead_token_that_is_taken_is_reason_enough_not_to_trust_the_others(
    confirm, later, claim, taken
):
    claim(**{taken: False})
    confirm("lost_before")

    assert later(36).status == "confirming"
    assert later(60).status == "confirming"
    assert later(36).status == "confirmed"


def test_without_a_record_a_lost_request_is_waited_for(confirm, later, books):
    confirm("lost_before")

    assert later(36).status == "confirming"
    assert later(60).status == "confirming"
    assert later(36).status == "confirmed"
    assert books(HUNDRED) == 30


def test_a_fence_that_is_known_to_hold_shortens_the_wait(
    confirm, later, learn, sandbox, books
):
    learn()
    confirm("lost_before")

    assert later(36).status == "confirming"
    assert sandbox.voucher(HUNDRED).hold is not None
    # Whatever had passed the check of its token by then is given time to end.
    assert later(20).status == "confirming"
    assert later(16).status == "confirmed"
    assert books(HUNDRED) == 30
    assert len(sandbox.redemptions(HUNDRED)) == 1


@pytest.mark.parametrize("seconds", [37, 50, 71, 72, 75, 100, 129])
def test_a_late_request_finds_the_fence_whenever_it_comes(
    confirm, finish, learn, later, sandbox, books, seconds
):
    learn()
    confirm("apply_late", seconds=seconds)

    later(36)
    later(36)

    assert finish().status == "confirmed"
    assert books(HUNDRED) == 30
    assert len(sandbox.redemptions(HUNDRED)) == 1


def test_a_late_request_finds_a_voucher_that_was_given_back(
    confirm, finish, learn, later, world, sandbox, books
):
    """Not applied, redeemed anew, and cancelled: then the lost request comes."""
    learn()
    confirm("apply_late", seconds=100)
    later(36)
    assert later(36).status == "confirmed"
    assert payments.cancel(reference=REF).status == "cancelled"
    assert sandbox.voucher(HUNDRED).hold is None

    world.pass_time(60)

    assert finish().status == "cancelled"
    assert books(HUNDRED) == 0
    assert sandbox.voucher(HUNDRED).balance == 100


@pytest.mark.parametrize(
    "bad", [{"wrong_token_refused": False}, {"dead_token_accepted": True}]
)
def test_a_fence_that_is_known_to_leak_shortens_nothing(
    confirm, later, learn, sandbox, books, bad
):
    sandbox.behaviour.update(bad)
    learn()
    confirm("lost_before")

    later(36)
    assert later(60).status == "confirming"
    assert later(36).status == "confirmed"
    assert books(HUNDRED) == 30


@pytest.mark.parametrize("mode", ["lost_after", "refused"])
def test_a_release_that_was_not_confirmed_shortens_nothing(
    confirm, later, learn, sandbox, books, mode
):
    """What a probe saw is how the token of a hold is treated that was given back."""
    learn()
    confirm("lost_before")
    sandbox.faults.add(
        Fault(
            operation="release",
            mode=mode,
            field="hold_token",
            message="Voucher is not held",
        )
    )
    if mode == "refused":
        # Else the old hold would stand, and no new one could be taken.
        sandbox.release_by_till(HUNDRED)

    later(36)
    assert sandbox.voucher(HUNDRED).hold is not None
    assert later(60).status == "confirming"
    assert later(36).status == "confirmed"
    assert books(HUNDRED) == 30


# What a fallen balance proves


def test_a_balance_under_a_porous_hold_proves_nothing(
    confirm, finish, later, learn, world, sandbox, books
):
    """A till takes as much as we asked for, under our hold: it was not us."""
    sandbox.behaviour.redeem_needs_token_while_held = False
    learn()
    confirm("lost_before")
    sandbox.spend_by_till(HUNDRED, Decimal("30.00"), despite_hold=True)

    later(36)

    assert finish().status == "needs_attention"
    assert row().attention_code == "balance_moved"
    assert books(HUNDRED) == 0


def test_a_hold_that_no_redeem_ended_proves_nothing(
    confirm, finish, later, learn, sandbox, books
):
    """The hold is gone early, a till came between: with a redeem that leaves its hold
    standing, that cannot have been us."""
    sandbox.behaviour.redeem_ends_hold = False
    learn()
    confirm("lost_before")
    sandbox.release_by_till(HUNDRED)
    sandbox.spend_by_till(HUNDRED, Decimal("30.00"))

    later(36)

    assert finish().status == "needs_attention"
    assert row().attention_code == "balance_moved"
    assert books(HUNDRED) == 0


@pytest.mark.parametrize("ends_hold", [True, False])
def test_a_balance_under_a_good_hold_is_ours(
    confirm, finish, later, learn, sandbox, books, ends_hold
):
    sandbox.behaviour.redeem_ends_hold = ends_hold
    learn()
    confirm("lost_after")

    assert later(36).status == "confirmed"
    assert row().proof == ("hold" if ends_hold else "balance")
    assert books(HUNDRED) == 30


# The end of a hold


@pytest.mark.parametrize("style", ["naive", "naive_local"])
def test_a_time_without_a_zone_is_read_in_the_one_that_was_found(
    session, learn, sandbox, style
):
    sandbox.behaviour.update({"held_until": style, "hold_seconds": 200})
    assert _held_for() > 250

    learn()

    assert 180 < _held_for() < 200


def test_a_zone_that_is_known_no_longer_is_not_believed(session, learn, sandbox):
    """Clocks were put back since: an hour is longer than any hold."""
    sandbox.behaviour.update({"held_until": "naive_local", "hold_seconds": 200})
    learn()
    # Found out beside the zone, and relied on whether or not the end is shown.
    CapabilityRecord.objects.update(hold_seconds=None)
    sandbox.behaviour.held_until = "naive"

    assert _held_for() > 250


def _held_for():
    state = payments.add_voucher(reference=REF, voucher_no=HUNDRED)
    [held] = state.redemptions
    payments.remove_voucher(reference=REF, redemption_id=held.id)
    return (held.held_until - timezone.now()).total_seconds()


# Lies


def test_a_lie_that_is_believed_costs_money(confirm, later, claim, sandbox):
    """So a record must be true, and the next tests cannot pass by accident."""
    sandbox.behaviour.update(
        {"wrong_token_refused": False, "dead_token_accepted": True}
    )
    claim()
    confirm("apply_late", seconds=100)
    later(36)

    def let_it_come():
        for _step in range(4):
            later(36)

    with pytest.raises(AssertionError, match="books say 60"):
        let_it_come()


def test_an_old_lie_is_not_believed(confirm, finish, later, claim, sandbox, books):
    sandbox.behaviour.update(
        {"wrong_token_refused": False, "dead_token_accepted": True}
    )
    claim(days_ago=90)
    confirm("apply_late", seconds=100)

    for _step in range(5):
        later(36)

    assert finish().status == "needs_attention"
    assert books(HUNDRED) == 30


@pytest.mark.parametrize(
    "other",
    [
        {"account_key_hash": "0" * 32},
        {"account_base_url": "https://api.devsmartgift.co.uk"},
        {"account": "quay"},
    ],
)
def test_a_lie_about_another_account_is_not_believed(
    confirm, finish, later, claim, sandbox, books, other
):
    sandbox.behaviour.update(
        {"wrong_token_refused": False, "dead_token_accepted": True}
    )
    record = claim()
    CapabilityRecord.objects.filter(pk=record.pk).update(**other)
    confirm("apply_late", seconds=100)

    for _step in range(5):
        later(36)

    assert finish().status == "needs_attention"
    assert books(HUNDRED) == 30


# Sales


@pytest.fixture
def sell(shop, world):
    """Return a function that sells a voucher with faults, and comes to rest."""

    def place(*faults):
        already = len(shop.sales())
        for fault in faults:
            shop.faults.add(Fault(operation="pos-sale", **fault))
        sales.place_order(
            reference="sale-1",
            items=[{"product": 37, "price": "50.00"}],
            customer={
                "first_name": "John",
                "last_name": "Smith",
                "email": "john@example.org",
                "address1": "1 Mill Lane",
                "city": "Bath",
                "postcode": "BA1 1AA",
            },
            delivery={"method": "1", "price": "0.00"},
        )
        world.until_quiet()
        world.pass_time(400)
        return VoucherOrder.objects.get(), shop.sales()[already:]

    return place


LOST_SALES = {
    "lost": ({"mode": "lost_before"},),
    "sold": ({"mode": "lost_after"},),
    "late": ({"mode": "apply_late", "seconds": 125},),
    "lost twice": ({"mode": "lost_before"}, {"mode": "lost_before"}),
    "lost, then sold": ({"mode": "lost_before"}, {"mode": "lost_after"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("probed", [True, False], ids=["probed", "not probed"])
@pytest.mark.parametrize("faults", LOST_SALES.values(), ids=LOST_SALES)
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("refuse", "refuse"),
        ("rename", "refuse"),
        ("repeat", "replace"),
        ("echo", "replace"),
        ("rename", "replace"),
    ],
)
@pytest.mark.parametrize("own", ["honour", "ignore", "refuse"])
def test_a_sale_is_never_made_twice(
    sell, learn, shop, own, reference, code, at_once, faults, probed
):
    shop.behaviour.update(
        {
            "own_codes": own,
            "duplicate_reference": reference,
            "duplicate_code": code,
            "new_code_checkable_at_once": at_once,
            "sales_echo_codes": True,
        }
    )
    if probed:
        learn(sale=SALE)

    order, sold = sell(*faults)

    assert len(sold) <= 1
    assert order.status in {OrderStatus.PLACED, OrderStatus.NEEDS_ATTENTION}
    if order.status == OrderStatus.PLACED:
        assert len(sold) == 1
    if probed and own != "honour":
        assert not order.own_codes
    sold_once = reference == "repeat" or code == "refuse"
    may_be_made_again = probed and own == "honour" and at_once and sold_once
    if may_be_made_again:
        assert order.status == OrderStatus.PLACED


def test_a_sale_that_was_not_made_is_made_again_with_the_same_number(sell, learn, shop):
    learn(sale=SALE)

    order, [sale] = sell({"mode": "lost_before"})

    assert order.status == OrderStatus.PLACED
    assert sale.reference == order.remote_reference
    first, second = [
        line.request for line in shop.log() if line.operation == "pos-sale"
    ][-2:]
    assert first == second
    assert first["items"][0]["code"] == sale.vouchers[0]
    assert VoucherOrderEvent.objects.filter(reason="not_sold").count() == 1


def test_a_sale_that_came_later_than_any_should_is_not_made_twice(sell, learn, shop):
    """The refusal of what is taken is the second net: then the number is found."""
    learn(sale=SALE)

    order, sold = sell({"mode": "apply_late", "seconds": 131}, {"mode": "slow"})

    assert order.status == OrderStatus.PLACED
    assert len(sold) == 1


def test_a_reference_that_is_taken_after_all_is_looked_into(
    sell, learn, shop, monkeypatch
):
    """Sold between our look and our second attempt, which is refused: found."""
    learn(sale=SALE)
    begin = sales_service.sales_protocol._begin

    def late_comer(order):
        if order.attempt == 1:
            body = [line for line in shop.log() if line.operation == "pos-sale"][-1]
            shop.call("pos-sale", dict(body.request))
        return begin(order)

    monkeypatch.setattr(sales_service.sales_protocol, "_begin", late_comer)

    order, [_sale] = sell({"mode": "lost_before"})

    assert order.status == OrderStatus.PLACED
    assert order.attempt == 2
    reasons = list(order.events.values_list("reason", flat=True))
    assert reasons[-3:] == ["", "duplicate_reference", "found"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("reference", "The reference has already been taken."),
        ("reference", "This order has been processed before."),
        ("reference", "?"),
        ("order", "That reference belongs to another order."),
        ("items.0.code", "The items.0.code has already been taken."),
        ("items.0.code", "Not available."),
        ("order", "A voucher with this code exists."),
    ],
)
def test_a_taken_reference_is_never_taken_for_not_sold(
    sell, learn, shop, field, message
):
    """In whichever words. Ours is not found, so it is somebody else's, or is sold yet:
    it is not sent a third time, and nobody is told that it failed.
    """
    learn(sale=SALE)
    refusal = {"mode": "refused", "field": field, "message": message}

    order, sold = sell({"mode": "lost_before"}, refusal)

    assert (order.status, order.attention_code) == (
        OrderStatus.NEEDS_ATTENTION, "reference_taken"
    )  # fmt: skip
    assert (order.attempt, sold) == (2, [])
    told = order.outbox.values_list("type", flat=True)
    assert list(told) == ["voucher_order.needs_attention"]


@pytest.mark.parametrize("known", [True, False])
def test_a_refusal_in_doubt_is_looked_into_before_it_is_told(
    sell, learn, shop, monkeypatch, known
):
    """Out of stock: because an earlier request came late and took the last one?"""
    learn(sale=SALE)
    begin = sales_service.sales_protocol._begin

    def forget(order):
        if order.attempt == 1 and not known:
            CapabilityRecord.objects.update(code_checkable_at_once=None)
        return begin(order)

    monkeypatch.setattr(sales_service.sales_protocol, "_begin", forget)
    refusal = {"mode": "refused", "field": "items.0.id", "message": "Out of stock."}

    order, sold = sell({"mode": "lost_before"}, refusal)

    told, status = {
        True: ("voucher_order.failed", OrderStatus.REFUSED),
        False: ("voucher_order.needs_attention", OrderStatus.NEEDS_ATTENTION),
    }[known]
    assert (order.status, order.refusal_detail) == (status, "Out of stock.")
    assert (order.attempt, sold) == (2, [])
    assert list(order.outbox.values_list("type", flat=True)) == [told]
    # The last look came when no request could any more.
    [refused] = order.events.filter(operation="place", outcome="failed")
    last = order.events.filter(operation="check").latest("pk")
    assert (last.created_at - refused.created_at).total_seconds() >= 129


def test_an_order_that_came_late_and_took_the_last_one_is_sold(
    sell, learn, shop, monkeypatch
):
    learn(sale=SALE)
    begin = sales_service.sales_protocol._begin

    def late_comer(order):
        if order.attempt == 1:
            body = [line for line in shop.log() if line.operation == "pos-sale"][-1]
            shop.call("pos-sale", dict(body.request))
        return begin(order)

    monkeypatch.setattr(sales_service.sales_protocol, "_begin", late_comer)
    refusal = {"mode": "refused", "field": "items.0.id", "message": "Out of stock."}

    order, [_sale] = sell({"mode": "lost_before"}, refusal)

    assert (order.status, order.attempt) == (OrderStatus.PLACED, 2)


def test_answers_that_are_always_lost_are_a_persons(sell, learn, shop):
    learn(sale=SALE)

    order, sold = sell({"mode": "lost_before", "times": None})

    assert order.status == OrderStatus.NEEDS_ATTENTION
    assert (order.attempt, sold) == (RESENDS + 1, [])


@pytest.mark.parametrize(
    "answers",
    [
        {"own_codes": ""},
        {"own_codes": "ignored"},
        {"code_checkable_at_once": None},
        {"code_checkable_at_once": False},
        {"duplicate_reference": "renamed", "duplicate_code": "replaced"},
        {"duplicate_reference": "", "duplicate_code": ""},
        {"days_ago": 90},
    ],
    ids=str,
)
def test_what_is_not_known_leaves_a_lost_sale_to_a_person(sell, claim, answers):
    """Each one alone: a single answer that is missing is one too few."""
    claim(
        **{
            "own_codes": "honoured",
            "code_checkable_at_once": True,
            "duplicate_reference": "refused",
            "duplicate_code": "refused",
            **answers,
        }
    )

    order, sold = sell({"mode": "lost_before"})

    assert order.status == OrderStatus.NEEDS_ATTENTION
    assert (order.attempt, sold) == (1, [])


@pytest.mark.parametrize("own", ["ignore", "refuse"])
def test_numbers_that_are_in_vain_are_not_sent(sell, learn, shop, own):
    shop.behaviour.update({"own_codes": own, "sales_echo_codes": True})
    learn(sale=SALE)

    order, [_sale] = sell()

    assert order.status == OrderStatus.PLACED
    assert not order.own_codes
    [request] = [line.request for line in shop.log() if line.operation == "pos-sale"][
        -1:
    ]
    assert "code" not in request["items"][0]
