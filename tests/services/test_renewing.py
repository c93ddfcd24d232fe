"""Keeping a voucher for longer: given back and taken again, when its customer asks."""

import threading
import time
from decimal import Decimal

import pytest

from tests.services.test_payments import (
    FIFTY,
    HUNDRED,
    REF,
    add,
    assert_journal_agrees,
    operations,
    statuses,
)
from wagtail_smartgift import payments
from wagtail_smartgift.budget import store
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import CallBudget, PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import reconciliation


def renew(*, reference=REF):
    row = Redemption.objects.order_by("position").first()
    return payments.renew_hold(reference=reference, redemption_id=row.pk)


def refused():
    with pytest.raises(PaymentError) as error:
        renew()
    return error.value


@pytest.fixture
def later(sandbox, time_machine_now):
    """Return a function that moves our clock and Smart Gift's on."""

    def move(seconds):
        sandbox.clock.advance(seconds)
        time_machine_now.shift(seconds)

    return move


def test_a_hold_in_its_second_half_is_exchanged(session, sandbox, later, books):
    add(FIFTY)
    later(200)

    state = renew()

    assert operations(sandbox)[2:] == ["release", "hold", "check"]
    [voucher] = state.redemptions
    assert (voucher.status, voucher.amount) == ("held", 50)
    assert (voucher.held_until - state.now).total_seconds() > 280
    assert sandbox.voucher(FIFTY).hold is not None
    assert books(FIFTY) == 0
    assert_journal_agrees()


def test_a_hold_in_its_first_half_is_left_as_it_is(session, sandbox, later):
    """Pressed twice, or in two tabs, the second press asks nothing."""
    add(FIFTY)
    later(100)
    before = payments.get_session(reference=REF).redemptions

    assert renew().redemptions == before
    later(100)
    renew()
    renewed = renew()

    assert operations(sandbox)[2:] == ["release", "hold", "check"]
    assert renewed.redemptions != before


def test_a_lapsed_hold_is_taken_again(session, sandbox, later):
    add(FIFTY, amount="20.00")
    later(400)

    state = renew()

    assert operations(sandbox)[2:] == ["hold", "check"]
    assert [(one.status, one.amount) for one in state.redemptions] == [("held", 20)]
    assert_journal_agrees()


def test_whoever_is_faster_in_between_is_told_of(session, sandbox, later):
    add(FIFTY)
    later(250)
    # Our worker hears of its release a little late.
    sandbox.faults.add(Fault("release", "slow_after", seconds=1.0, times=1))

    def wait_and_take():
        give_up = time.monotonic() + 20
        while sandbox.voucher(FIFTY).hold is not None and time.monotonic() < give_up:
            time.sleep(0.01)
        sandbox.hold_by_till(FIFTY)

    till = threading.Thread(target=wait_and_take)
    till.start()
    error = refused()
    till.join()

    assert error.code == "voucher_held"
    assert 280 < error.retry_after <= 301
    # It stays in the payment, as one whose time ran out, and pays when it is free.
    assert statuses() == ["lapsed"]
    assert payments.get_session(reference=REF).amount_covered == 50
    assert_journal_agrees()
    later(310)
    assert payments.prepare(reference=REF).redemptions[0].status == "held"


def test_what_was_spent_in_between_is_seen_in_the_amounts(session, sandbox, later):
    add(FIFTY)
    later(400)
    sandbox.spend_by_till(FIFTY, Decimal("20.00"))

    state = renew()

    assert (state.amount_covered, state.amount_remaining) == (30, 50)
    assert statuses() == ["held"]
    assert_journal_agrees()


def test_one_that_was_emptied_in_between_leaves_the_payment(session, sandbox, later):
    add(FIFTY)
    later(400)
    sandbox.spend_by_till(FIFTY, Decimal("50.00"))

    assert refused().code == "voucher_not_usable"

    state = payments.get_session(reference=REF)
    assert (state.amount_covered, state.amount_remaining) == (0, 80)
    assert statuses() == ["refused"]
    assert sandbox.voucher(FIFTY).hold is None
    assert_journal_agrees()


@pytest.mark.parametrize("mode", ["lost_before", "lost_after", "status"])
def test_a_release_that_is_not_answered_is_made_good(session, sandbox, later, mode):
    add(FIFTY)
    later(200)
    sandbox.faults.add(Fault("release", mode, times=1))

    state = renew()

    assert state.redemptions[0].status == "held"
    assert sandbox.voucher(FIFTY).hold is not None
    assert payments.confirm(reference=REF).amount_redeemed == 50
    assert_journal_agrees()


@pytest.mark.parametrize("mode", ["lost_before", "lost_after", "garbage"])
def test_a_hold_that_is_not_answered_loses_nothing_but_time(
    session, sandbox, later, books, mode
):
    add(FIFTY)
    later(200)
    sandbox.faults.add(Fault("hold", mode, times=3))

    error = refused()

    assert error.code in {"voucher_held", "smartgift_unavailable"}
    assert payments.get_session(reference=REF).amount_covered == 50
    assert_journal_agrees()
    sandbox.faults.clear()
    later(310)
    assert payments.confirm(reference=REF).amount_redeemed == 50
    assert books(FIFTY) == 50


def test_a_look_that_is_not_answered_keeps_the_new_hold(session, sandbox, later):
    add(FIFTY)
    later(200)
    sandbox.faults.add(Fault("check", "status", status=503, times=3))

    assert refused().code == "smartgift_unavailable"

    assert statuses() == ["held"]
    assert sandbox.voucher(FIFTY).hold is not None
    # What it holds is not known under this hold yet, so whoever goes on looks first.
    assert Redemption.objects.get().baseline is None
    assert payments.prepare(reference=REF).redemptions[0].status == "held"
    assert payments.confirm(reference=REF).amount_redeemed == 50
    assert_journal_agrees()


@pytest.mark.parametrize("places", [0, 1, 2])
def test_a_standing_hold_is_not_given_away_without_room_for_another(
    session, sandbox, later, configure, places
):
    configure(RATE_LIMIT=60)
    sandbox.behaviour.rate_limit = 60
    add(FIFTY)
    later(200)
    before = Redemption.objects.get()
    calls = len(sandbox.log())
    leave_places(places)

    error = refused()

    # Nothing was asked, and nothing has changed.
    assert error.code == "busy"
    assert 50 < error.retry_after <= 60
    assert len(sandbox.log()) == calls
    assert sandbox.voucher(FIFTY).hold is not None
    row = Redemption.objects.get()
    assert (row.status, row.held_until) == ("held", before.held_until)
    assert row.version == before.version
    assert_journal_agrees()


@pytest.mark.parametrize("places", [3, 60])
def test_with_room_for_another_it_is_exchanged(
    session, sandbox, later, configure, places
):
    configure(RATE_LIMIT=60)
    sandbox.behaviour.rate_limit = 60
    add(FIFTY)
    later(200)
    leave_places(places)

    renew()

    assert operations(sandbox)[2:] == ["release", "hold", "check"]
    assert statuses() == ["held"]


def leave_places(places):
    """Have others take all but so many places of a window that has just begun."""
    snapshot = store.peek(store.key_of(get_conf().account("default")))
    CallBudget.objects.update(
        limit=60, used=60 - places, began=snapshot.now, ends_at=snapshot.now + 60
    )


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("release", "rate_limited", seconds=60, times=None), "busy"),
        (Fault("release", "unauthorised", times=None), "smartgift_unavailable"),
    ],
)
def test_one_that_could_not_be_given_back_is_still_held(
    session, sandbox, later, fault, code
):
    add(FIFTY)
    later(200)
    before = Redemption.objects.get().held_until
    sandbox.faults.add(fault)

    error = refused()

    assert error.code == code
    assert error.retry_after
    # It stands at Smart Gift still, and is told so: nobody was let in between.
    assert sandbox.voucher(FIFTY).hold is not None
    assert statuses() == ["held"]
    state = payments.get_session(reference=REF)
    assert state.redemptions[0].held_until == before
    assert state.amount_covered == 50
    assert_journal_agrees()
    # Its token was kept: it pays without another hold.
    sandbox.faults.clear()
    later(61)
    assert payments.confirm(reference=REF).amount_redeemed == 50


def test_it_costs_calls_so_it_is_bounded(session, sandbox, later, configure):
    configure(THROTTLES={"SESSION_HOLDS": 3})
    add(FIFTY)
    for _time in range(2):
        later(160)
        renew()
    later(160)
    calls = len(sandbox.log())

    error = refused()

    assert error.code == "throttled"
    assert len(sandbox.log()) == calls
    assert statuses() == ["held"]


def test_only_an_open_payment_keeps_its_own_vouchers(session, sandbox, later):
    add(FIFTY)
    payments.open_session(reference="order-2", amount_due="10.00")
    later(200)

    with pytest.raises(PaymentError) as error:
        renew(reference="order-2")
    assert error.value.code == "not_found"

    payments.confirm(reference=REF)
    calls = len(sandbox.log())
    assert refused().code == "session_not_open"
    assert len(sandbox.log()) == calls


def test_a_removed_voucher_is_not_taken_again(session, sandbox, later):
    [voucher] = add(FIFTY).redemptions
    payments.remove_voucher(reference=REF, redemption_id=voucher.id)
    calls = len(sandbox.log())

    assert refused().code == "not_found"
    assert len(sandbox.log()) == calls


def test_one_whose_first_hold_was_lost_is_not_taken_for_ours(session, sandbox):
    sandbox.faults.add(Fault("hold", "lost_after", times=1))
    with pytest.raises(PaymentError):
        add(FIFTY)
    assert statuses() == ["holding"]
    calls = len(sandbox.log())

    assert refused().code == "session_busy"
    assert len(sandbox.log()) == calls


def test_nobody_takes_a_hold_again_but_the_customer(session, sandbox, later):
    """80 open checkouts that renewed by themselves would use up the quota."""
    add(HUNDRED)
    calls = len(sandbox.log())

    for _time in range(4):
        later(120)
        reconciliation.reconcile()
        payments.get_session(reference=REF)

    assert len(sandbox.log()) == calls
    assert statuses() == ["lapsed"]


def test_who_asks_for_it_is_there(session, later):
    add(FIFTY)
    began = PaymentSession.objects.get().last_active_at
    later(200)

    renew()

    assert (PaymentSession.objects.get().last_active_at - began).total_seconds() > 190
