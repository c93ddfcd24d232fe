"""Refunds that get into trouble: never more than was asked for, never said to be less."""

import pytest

from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import OutboxEvent, PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault

from .world import Killed, compare_books, compare_rest


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
