"""Refunds that get into trouble: never more than was asked for, never said to be less."""

import json
from contextlib import suppress
from decimal import Decimal

import pytest
from django.test import Client

from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import OutboxEvent, PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import progress

from .world import Killed, compare_books, compare_rest, experiences


HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"
REF = "order-1"


def add(number, **values):
    return payments.add_voucher(reference=REF, voucher_no=number, **values)


def state():
    return payments.get_session(reference=REF)


def finish(world, sandbox):
    world.until_quiet()
    world.pass_time(4000)
    compare_books(sandbox)
    compare_rest()
    return state()


def told():
    return list(OutboxEvent.objects.order_by("pk").values_list("type", flat=True))


def dies_once(world, condition):
    """Let the process die at the first commit after which ``condition()`` holds."""

    def step(name):
        if name == "commit" and world._is_mortal and not world.dead and condition():
            world.dead = True
            raise Killed

    world.step = step


# -- a rest that is refused -----------------------------------------------------------


@pytest.mark.parametrize("operation", ["redeem", "check"])
def test_a_refused_rest_is_a_persons_though_whoever_learnt_it_died(
    world, session, sandbox, books, operation
):
    """All is back and the rest is refused; then nobody lives to put it before anybody."""
    add(HUNDRED, amount="50.00")
    payments.confirm(reference=REF)
    # The hold for the rest cannot be taken first, so the rest looks at the voucher anew.
    sandbox.behaviour.update({"reverse_while_held": False})
    sandbox.faults.add(
        Fault(operation=operation, mode="refused", voucher_no=HUNDRED, times=None)
    )
    rests = Redemption.objects.filter(replaces__isnull=False, status="refused")
    dies_once(world, rests.exists)
    with world.mortal():
        payments.refund(reference=REF, amount="10.00")
    assert rests.exists()

    assert finish(world, sandbox).status == "needs_attention"
    assert state().amount_refunded == 50
    assert rests.model.objects.get(replaces__isnull=False).attention_code == (
        "remainder_not_redeemed"
    )
    assert books(HUNDRED) == 0
    assert "session.refunded" not in told()


def test_more_than_was_asked_for_is_never_called_a_refund(world, session, sandbox):
    add(FIFTY)
    payments.confirm(reference=REF)
    payments.refund(reference=REF)
    PaymentSession.objects.update(status="refunding", refund_target="10.00")

    world.until_quiet()

    assert state().status == "needs_attention"
    assert told().count("session.refunded") == 1


# -- a voucher that only a person can give back -----------------------------------------


def lose_the_ids_of(number_end):
    Redemption.objects.filter(display_code__endswith=number_end).update(
        proof="balance", redemption_ids=[]
    )


@pytest.fixture
def two(session, sandbox):
    """Two vouchers are redeemed; nobody knows the ids of the one that goes first."""
    sandbox.add_voucher("MONEY-0077", balance="50.00")
    add(HUNDRED, amount="30.00")
    add("MONEY-0077")
    assert payments.confirm(reference=REF).status == "confirmed"
    lose_the_ids_of("0077")


def test_a_part_is_taken_from_a_voucher_that_can_give_it(world, two, sandbox, books):
    assert payments.refund(reference=REF, amount="10.00").status == "confirmed"

    assert finish(world, sandbox).amount_refunded == 10
    assert (books(HUNDRED), books("MONEY-0077")) == (20, 50)


def test_what_is_a_persons_to_give_back_is_not_taken_from_another_too(
    world, two, sandbox, books
):
    lose_the_ids_of("0001")

    with pytest.raises(PaymentError):
        payments.refund(reference=REF, amount="10.00")

    assert finish(world, sandbox).status == "needs_attention"
    codes = Redemption.objects.filter(status="needs_attention")
    assert [row.attention_code for row in codes] == ["ids_lost"]
    assert (books(HUNDRED), books("MONEY-0077")) == (30, 50)


@pytest.mark.parametrize(
    ("amount", "left"),
    [("40.00", 30), ("50.00", 30), ("50.01", "29.99"), ("60.00", 20)],
)
@pytest.mark.parametrize(
    "late", [False, True], ids=["refused", "done, as it turns out"]
)
def test_beside_what_is_a_persons_only_the_rest_is_taken_from_another(
    world, session, sandbox, books, amount, left, late
):
    """The £50 are with a person: who gives £50.01 back, gives a penny of the other."""
    sandbox.add_voucher("MONEY-0077", balance="50.00")
    add(HUNDRED, amount="30.00")
    add("MONEY-0077")
    payments.confirm(reference=REF)
    mode = "lost_after" if late else "refused"
    for operation, how in (("reverse", mode), *((("check", "lost_before"),) * late)):
        fault = Fault(operation, how, voucher_no="MONEY-0077", times=None)
        sandbox.faults.add(fault)

    with suppress(PaymentError):
        payments.refund(reference=REF, amount=amount)
    for _look in range(12):
        world.until_quiet()
        world.pass_time(3700)

    assert state().status == "needs_attention"
    assert books(HUNDRED) == Decimal(left)
    assert Redemption.objects.filter(status="needs_attention").count() == 1


# -- one refund while another is running -----------------------------------------------


def ask(amount, key):
    """Ask for a refund as a shop does; returns the status and what it was told."""
    answer = Client().post(
        f"/smartgift/api/server/payment-sessions/{REF}/refund",
        json.dumps({} if amount is None else {"amount": amount}),
        content_type="application/json",
        headers={
            "Authorization": "Bearer server-key-for-tests",
            "Idempotency-Key": key,
        },
    )
    return answer.status_code, answer.json()


@pytest.fixture
def running(session, sandbox):
    """A refund of ten that waits for its reversal to settle."""
    add(HUNDRED)
    payments.confirm(reference=REF)
    sandbox.faults.add(Fault(operation="reverse", mode="lost_before"))
    assert ask("10.00", "first")[0] == 202


def target():
    return PaymentSession.objects.get().refund_target


@pytest.mark.parametrize("again", ["at once", "when all is done"])
def test_a_refund_is_added_to_the_one_that_is_running(
    world, running, sandbox, books, again
):
    assert ask("25.00", "second")[0] == 202
    if again == "at once":
        assert ask("25.00", "second")[0] == 202
        assert ask("10.00", "first")[0] == 202
    assert target() == 35

    world.until_quiet()
    for amount, key in (("10.00", "first"), ("25.00", "second")):
        status, told_now = ask(amount, key)
        assert (status, told_now["amount_refunded"]) == (200, "35.00")

    assert finish(world, sandbox).amount_refunded == 35
    assert books(HUNDRED) == 45


def test_more_than_is_left_beside_the_running_one_is_refused(
    world, running, sandbox, books
):
    status, problem = ask("70.01", "second")

    assert (status, problem["code"], target()) == (422, "amount_too_large", 10)
    assert ask("70.00", "third")[0] == 202
    assert finish(world, sandbox).amount_refunded == 80
    assert books(HUNDRED) == 0


@pytest.mark.parametrize("key", ["second", None])
def test_all_that_is_left_is_added_to_the_running_one(
    world, running, sandbox, books, key
):
    if key is None:
        payments.refund(reference=REF)
    else:
        assert ask(None, key)[0] == 202
    payments.refund(reference=REF)
    assert target() == 80

    assert finish(world, sandbox).amount_refunded == 80
    assert books(HUNDRED) == 0


def test_an_amount_without_a_key_may_be_a_repeat_and_is_not_added(
    world, running, sandbox, books
):
    assert payments.refund(reference=REF, amount="25.00").status == "refunding"
    assert target() == 10

    assert finish(world, sandbox).amount_refunded == 10


def test_an_experience_is_not_split_by_a_refund_that_is_added(world, session, sandbox):
    sandbox.add_voucher("PARTS-0009", experiences=experiences())
    add("PARTS-0009", experiences=[1])
    add(FIFTY, amount="10.00")
    payments.confirm(reference=REF)
    sandbox.faults.add(Fault(operation="reverse", mode="lost_before"))
    assert ask("10.00", "first")[0] == 202

    assert ask("20.00", "second")[1]["code"] == "invalid"
    assert ask("29.50", "third")[0] == 202
    assert finish(world, sandbox).amount_refunded == Decimal("39.50")


def test_a_refund_that_comes_while_the_rest_is_redeemed_is_seen(
    world, session, sandbox, books
):
    add(HUNDRED)
    payments.confirm(reference=REF)

    def meanwhile(call):
        assert ask("25.00", "second")[0] == 202
        return call()

    world.on_the_wire("/redeem", meanwhile)

    assert ask("10.00", "first")[0] == 200
    assert (state().amount_refunded, books(HUNDRED)) == (35, 45)
    assert told().count("session.refunded") == 1


def test_a_refund_in_the_moment_of_coming_to_rest_is_not_forgotten(
    world, session, sandbox, books, monkeypatch
):
    add(HUNDRED)
    payments.confirm(reference=REF)
    rest, asked = progress._rest, []

    def and_then_another(worker, found, status, event):
        if not asked:
            asked.append(ask("25.00", "second")[0])
        rest(worker, found, status, event)

    monkeypatch.setattr(progress, "_rest", and_then_another)

    assert ask("10.00", "first")[0] == 200
    assert asked == [202]
    assert (state().amount_refunded, books(HUNDRED)) == (35, 45)
