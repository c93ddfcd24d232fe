"""Workers that are slow, hosts whose clocks are wrong, and what others do meanwhile."""

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from wagtail_smartgift import payments
from wagtail_smartgift.budget import store
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import claims, reconciliation, redeeming
from wagtail_smartgift.services.payments import confirming
from wagtail_smartgift.services.timebox import TimeBox
from wagtail_smartgift.services.worker import at_work

from .world import compare_books, compare_rest


HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"
REF = "order-1"


def add(number, **values):
    return payments.add_voucher(reference=REF, voucher_no=number, **values)


def state():
    return payments.get_session(reference=REF)


def row():
    return Redemption.objects.get()


def redeems(sandbox):
    return sum(line.operation == "redeem" for line in sandbox.log())


def finish(world, sandbox):
    world.until_quiet()
    world.pass_time(4000)
    compare_books(sandbox)
    compare_rest()
    return state()


# -- opened again under a redeem ---------------------------------------------------------


def test_a_payment_is_not_opened_again_by_a_worker_that_was_overtaken(
    world, session, sandbox, books, monkeypatch
):
    """It found nothing asked for and fell asleep; the sweep took the payment over."""
    add(FIFTY)
    world.pass_time(301)
    sandbox.faults.add(Fault(operation="hold", mode="rate_limited", times=None))
    untouched = confirming._untouched

    def and_then_the_sweep(found):
        answer = untouched(found)
        world.pass_time(60)
        reconciliation.reconcile()
        return answer

    monkeypatch.setattr(confirming, "_untouched", and_then_the_sweep)

    with pytest.raises(PaymentError) as error:
        payments.confirm(reference=REF)

    assert error.value.code == "session_busy"
    assert state().status == "confirming"
    sandbox.faults.clear()
    assert finish(world, sandbox).status == "confirmed"
    assert books(FIFTY) == 50


@pytest.mark.parametrize("status", ["open", "confirmed", "cancelled", "cancelling"])
def test_nothing_is_redeemed_for_a_payment_that_was_moved_on(
    world, session, sandbox, books, status
):
    add(FIFTY)
    found = PaymentSession.objects.get()
    with at_work(found, box=TimeBox.request()) as worker:
        PaymentSession.objects.update(status=status)
        with pytest.raises(claims.Claimed):
            redeeming.redeem(worker, row())

    assert (row().status, row().attempt) == ("held", 0)
    assert redeems(sandbox) == 0


def test_what_an_open_payment_has_taken_is_given_back(world, session, sandbox, books):
    """It cannot come to that; but if it does, its customer is about to pay by card."""
    add(FIFTY)
    payments.confirm(reference=REF)
    PaymentSession.objects.update(status="open")
    assert books(FIFTY) == 50

    assert finish(world, sandbox).status == "open"

    assert books(FIFTY) == 0
    assert row().status == "lapsed"


@pytest.mark.parametrize("away", [600, 30 * 3600])
def test_it_is_found_however_long_the_sweep_was_away(
    world, session, sandbox, books, away
):
    reconciliation.reconcile()
    add(FIFTY)
    payments.confirm(reference=REF)
    PaymentSession.objects.update(status="open")
    world.pass_time(away)

    assert finish(world, sandbox).status == "open"

    assert books(FIFTY) == 0


# -- clocks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [{}, {"redeem_ends_hold": False}, {"dead_token_accepted": True}],
    ids=str,
)
@pytest.mark.parametrize("lost", [False, True])
def test_a_host_whose_clock_is_ahead_takes_nothing_over(
    world, session, sandbox, books, behaviour, lost
):
    """A sweep with a clock of its own, while our redeem is on its way."""
    sandbox.behaviour.update(behaviour)
    add(HUNDRED, amount="30.00")

    def meanwhile(call):
        with world.on_a_host_ahead_by(140):
            reconciliation.reconcile()
        if lost:
            sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))
        return call()

    world.on_the_wire("/redeem", meanwhile)
    payments.confirm(reference=REF)

    assert finish(world, sandbox).status == "confirmed"
    assert (books(HUNDRED), redeems(sandbox)) == (30, 1)


def test_a_host_whose_clock_is_ahead_does_not_settle_early(
    world, session, sandbox, books
):
    """Not claimed by anybody, and the request without an answer is still on its way."""
    sandbox.behaviour.dead_token_accepted = True
    add(HUNDRED, amount="30.00")
    sandbox.faults.add(Fault(operation="redeem", mode="apply_late", seconds=60))
    payments.confirm(reference=REF)

    with world.on_a_host_ahead_by(200):
        reconciliation.reconcile()

    assert (row().status, row().attempt) == ("redeeming", 1)
    assert finish(world, sandbox).status == "confirmed"
    assert books(HUNDRED) == 30


def test_a_lost_answer_of_an_attempt_that_was_overtaken_is_a_persons(
    world, session, sandbox, books
):
    """Stopped before it left for longer than any request takes, and then sent after all."""
    sandbox.behaviour.dead_token_accepted = True
    add(HUNDRED, amount="30.00")

    def stopped(call):
        for _pass in range(5):
            world.pass_time(60)
            reconciliation.reconcile()
        assert (row().status, row().attempt) == ("redeemed", 2)
        sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))
        return call()

    world.on_the_wire("/redeem", stopped)
    with pytest.raises(PaymentError):
        payments.confirm(reference=REF)

    world.until_quiet()
    # Twice, and no rule could have helped it; but somebody is told.
    assert books(HUNDRED) == 60
    assert state().status == "needs_attention"
    assert (row().attention_code, row().proof) == ("late_answer", "response")
    assert (
        row().events.filter(operation="redeem", attempt=2).last().outcome == "unknown"
    )


# -- a call that leaves too late -----------------------------------------------------------


def test_a_redeem_that_the_quota_kept_for_too_long_is_not_sent(
    world, session, sandbox, books, configure, monkeypatch
):
    """The claim was looked at; then the quota's row hung, as in a database's failover."""
    configure(RATE_LIMIT=1000)
    add(HUNDRED, amount="30.00")
    monkeypatch.setattr(claims, "LEAVE_WITHIN", 0.2)
    take, hung = store.take, []

    def hanging(*args, **values):
        if not hung and Redemption.objects.filter(status="redeeming").exists():
            hung.append(True)
            time.sleep(0.5)
        return take(*args, **values)

    monkeypatch.setattr(store, "take", hanging)

    with pytest.raises(PaymentError) as error:
        payments.confirm(reference=REF)

    assert (error.value.code, redeems(sandbox)) == ("busy", 0)
    assert (state().status, row().status) == ("open", "held")
    assert row().events.filter(operation="redeem").last().reason == "not_sent"
    monkeypatch.undo()
    assert payments.confirm(reference=REF).status == "confirmed"
    assert books(HUNDRED) == 30


# -- waiting for one another ---------------------------------------------------------------


def test_whoever_waits_for_a_claim_writes_nothing(session):
    found = PaymentSession.objects.get()
    with (
        claims.claimed(found.pk),
        CaptureQueriesContext(connection) as asked,
        pytest.raises(claims.Claimed),
        claims.claimed(found.pk, wait=0.3),
    ):
        raise AssertionError("unreachable")

    writes = [query for query in asked if query["sql"].startswith("UPDATE")]
    assert len(writes) == 1
    assert len(asked) > 2
