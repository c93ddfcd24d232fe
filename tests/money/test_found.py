"""Faults that were found in the protocol, each as the shortest story that shows it."""

import pytest

from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import (
    reconciliation,
)

from .world import compare_books, compare_rest


HUNDRED, FIFTY, TWENTY_FIVE = "GOOD-0100-0001", "GOOD-0050-0001", "GOOD-0025-0001"
REF, OTHER = "order-1", "order-2"


def add(number, *, reference=REF, **values):
    return payments.add_voucher(reference=reference, voucher_no=number, **values)


def state(reference=REF):
    return payments.get_session(reference=reference)


def refused(verb, **values):
    with pytest.raises(PaymentError) as error:
        verb(**values)
    return error.value


def row(number_end="0001"):
    return Redemption.objects.get(display_code__endswith=number_end)


def later(world, seconds):
    world.pass_time(seconds)
    return reconciliation.reconcile()


def finish(world, sandbox):
    world.until_quiet()
    world.pass_time(4000)
    compare_books(sandbox)
    compare_rest()


# -- two sessions, one voucher -------------------------------------------------


@pytest.mark.parametrize("verb", ["prepare", "confirm", "add"])
def test_a_lapsed_voucher_that_another_session_took_is_held(world, session, verb):
    payments.open_session(reference=OTHER, amount_due="10.00")
    add(FIFTY)
    world.pass_time(301)
    add(FIFTY, reference=OTHER)

    if verb == "confirm":
        assert refused(payments.confirm, reference=REF).code == "hold_lost"
    else:
        call = payments.prepare if verb == "prepare" else add
        values = {"number": FIFTY} if verb == "add" else {"reference": REF}
        error = refused(call, **values)
        assert error.code == "voucher_held"
        assert 280 < error.retry_after <= 300
    assert state().status == "open"
    assert state(OTHER).redemptions[0].status == "held"


# -- what fell out of a session while it was being confirmed --------------------


def test_a_death_after_a_refusal_does_not_confirm_the_rest(world, session, sandbox):
    """The first pays, the second is refused, and then nobody lives to undo it."""
    add(FIFTY)
    add(HUNDRED)
    sandbox.faults.add(
        Fault(operation="redeem", mode="refused", voucher_no=HUNDRED, times=None)
    )
    # confirm; per voucher: request, call, answer, outcome
    world.dies_in = 1 + 4 + 4
    with world.mortal():
        payments.confirm(reference=REF)
    assert [item.status for item in state().redemptions] == ["redeemed", "refused"]

    world.until_quiet()

    assert state().status == "open"
    compare_books(sandbox)
    compare_rest()


# -- a request that may still arrive ---------------------------------------------


def test_what_was_replayed_is_not_given_back_while_the_first_may_arrive(
    world, session, sandbox, books
):
    sandbox.behaviour.redeem_ends_hold = False
    sandbox.faults.add(Fault(operation="redeem", mode="apply_late", seconds=60))
    add(FIFTY)
    assert payments.confirm(reference=REF).status == "confirmed"

    assert payments.cancel(reference=REF).pending
    assert books(FIFTY) == 50
    world.until_quiet()

    assert state().status == "cancelled"
    finish(world, sandbox)
    assert books(FIFTY) == 0
