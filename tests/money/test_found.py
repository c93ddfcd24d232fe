"""Faults that were found in the protocol, each as the shortest story that shows it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from wagtail_smartgift import payments
from wagtail_smartgift.choices import Operation, Outcome
from wagtail_smartgift.client import RedeemReceipt, VoucherState
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import (
    claims,
    holding,
    holds,
    journal,
    reconciliation,
    redeeming,
)
from wagtail_smartgift.services.payments import confirming
from wagtail_smartgift.services.timebox import TimeBox
from wagtail_smartgift.services.worker import at_work

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
    # confirm; per voucher: request, call, answer, outcome; for the refusal a look, too:
    # call, answer, outcome, refused
    world.dies_in = 1 + 4 + 4 + 4
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


# -- a worker that is not dead, but very late --------------------------------------


def working(session):
    return at_work(PaymentSession.objects.get(pk=session.id), box=TimeBox.request())


def test_a_worker_that_slept_through_its_claim_redeems_nothing(world, session, sandbox):
    add(FIFTY)
    with working(session) as sleeper:
        stale = row()
        world.pass_time(60)
        with working(session), pytest.raises(claims.Claimed):
            redeeming.redeem(sleeper, stale)

    assert row().status == "held"
    assert "redeem" not in {line.operation for line in sandbox.log()}


def test_a_worker_that_slept_touches_nothing_of_its_successor(world, session):
    add(FIFTY)
    with working(session) as sleeper:
        stale = row()
        with transaction.atomic():
            journal.record(row(), Operation.CHECK, Outcome.SUCCEEDED, status="held")
        with pytest.raises(journal.Stale):
            holding.reappraise(sleeper, sleeper.session(), stale)

    assert row().status == "held"
    assert row().hold_token_encrypted


def ids(*numbers):
    return RedeemReceipt(redemptions=numbers)


def test_a_late_answer_brings_the_ids_that_were_lost(world, session, sandbox, books):
    add(HUNDRED, amount="30.00")
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))
    payments.confirm(reference=REF)
    sleeper = row()
    world.pass_time(36)
    PaymentSession.objects.update(status="confirming")
    reconciliation.reconcile()
    assert row().redemption_ids == []
    PaymentSession.objects.update(status="confirming")

    redeeming.write_receipt(sleeper, ids(1001))

    assert (row().status, row().redemption_ids) == ("redeemed", [1001])
    assert journal.fold(row().events.all()).taken == 30


@pytest.mark.parametrize("status", ["open", "cancelled", "confirmed"])
def test_a_late_answer_that_nobody_waits_for_is_a_persons(world, session, status):
    add(FIFTY)
    sleeper = row()
    with transaction.atomic():
        journal.record(row(), Operation.RELEASE, Outcome.SUCCEEDED, status="released")
    PaymentSession.objects.update(status=status)

    redeeming.write_receipt(sleeper, ids(7))

    assert row().status == "needs_attention"
    assert row().redemption_ids == [7]
    assert state().status == "needs_attention"
    assert PaymentSession.objects.get().attention_code == "late_answer"


def test_ids_survive_a_database_that_hiccups(world, session, monkeypatch, caplog):
    """SQLite says "database is locked" once, in the very moment of the answer."""
    add(FIFTY)
    append, failures = journal.append, [OperationalError("database is locked")]

    def hiccup(redemption, operation, outcome, **values):
        if (operation, outcome) == ("redeem", "succeeded") and failures:
            raise failures.pop()
        append(redemption, operation, outcome, **values)

    monkeypatch.setattr(journal, "append", hiccup)

    assert payments.confirm(reference=REF).status == "confirmed"
    assert row().redemption_ids
    assert str(row().redemption_ids) in caplog.text


# -- holds -----------------------------------------------------------------------


def test_a_hold_that_was_being_given_back_proves_nothing(
    world, session, sandbox, books
):
    """Dead between releasing for a fence and holding anew; then a till spends as much."""
    sandbox.faults.add(Fault(operation="redeem", mode="lost_before"))
    add(HUNDRED, amount="30.00")
    payments.confirm(reference=REF)
    world.pass_time(36)
    # look: call, answer, outcome; release: request, call, answer
    world.dies_in = 6
    with world.mortal():
        reconciliation.reconcile()
    assert sandbox.voucher(HUNDRED).hold is None
    sandbox.spend_by_till(HUNDRED, "30.00")

    world.until_quiet()

    assert books(HUNDRED) == 0
    assert state().status == "needs_attention"
    assert row().attention_code == "balance_moved"


def test_a_fence_is_not_given_up_for_want_of_a_place_in_the_quota(
    world, session, sandbox, books
):
    sandbox.faults.add(Fault(operation="redeem", mode="lost_before"))
    add(HUNDRED, amount="30.00")
    payments.confirm(reference=REF)
    sandbox.faults.add(Fault(operation="release", mode="rate_limited"))

    later(world, 36)
    assert holds.seconds_left(row()) > 200
    world.until_quiet()

    assert state().status == "confirmed"
    assert books(HUNDRED) == 30


def test_the_end_of_a_hold_that_was_just_taken_is_not_in_the_past(world):
    now = timezone.now()

    def ends(held_until):
        answer = VoucherState(
            type="monetary",
            remaining_value=Decimal(5),
            held_until=held_until.isoformat(),
        )
        return (holds.deadline(now, answer) - now).total_seconds()

    assert ends(now - timedelta(hours=1)) == 295
    assert ends(now + timedelta(seconds=60)) == 55


# -- what the sweep must see -------------------------------------------------------


def test_a_dead_cancel_gives_its_holds_back(world, session, sandbox):
    add(FIFTY)
    world.dies_in = 1
    with world.mortal():
        payments.cancel(reference=REF)

    later(world, 60)

    assert state().status == "cancelled"
    assert sandbox.voucher(FIFTY).hold is None
    assert row().status == "released"


def test_a_cancel_in_the_moment_of_giving_up_is_not_forgotten(
    world, session, sandbox, monkeypatch
):
    """The quota is full, so confirm opens the session again; cancel came just before."""
    add(FIFTY)
    world.pass_time(250)
    untouched = confirming._untouched

    def and_then_a_cancel(session):
        answer = untouched(session)
        assert payments.cancel(reference=REF).pending
        return answer

    monkeypatch.setattr(confirming, "_untouched", and_then_a_cancel)
    sandbox.faults.add(Fault(operation="hold", mode="rate_limited", times=None))

    assert payments.confirm(reference=REF).pending
    sandbox.faults.clear()
    world.until_quiet()

    assert state().status == "cancelled"


def test_a_confirmation_is_not_begun_anew_a_quarter_of_an_hour_later(
    world, session, sandbox, books
):
    sandbox.faults.add(Fault(operation="redeem", mode="lost_before"))
    add(HUNDRED, amount="30.00")
    payments.confirm(reference=REF)

    later(world, 1000)

    assert state().status == "open"
    assert books(HUNDRED) == 0


def test_rows_of_another_account_do_not_crowd_ours_out(world, session, sandbox):
    for number in range(3):
        payments.open_session(reference=f"foreign-{number}", amount_due="1.00")
    PaymentSession.objects.filter(reference__startswith="foreign").update(
        status="confirming", account_key_hash="another"
    )
    add(FIFTY)
    world.dies_in = 1
    with world.mortal():
        payments.confirm(reference=REF)
    world.pass_time(60)

    report = reconciliation.reconcile(batch=1)

    assert (report.settled, report.foreign) == (1, 3)
    assert state().status == "confirmed"


@pytest.mark.parametrize("verb", [payments.cancel, payments.prepare])
def test_a_key_that_is_gone_stops_no_verb(world, session, configure, verb):
    add(FIFTY)
    world.pass_time(250)
    configure(ENCRYPTION_KEYS=["another one, and long enough to be a key as well"])

    if verb is payments.cancel:
        assert payments.cancel(reference=REF).status == "cancelled"
    else:
        with pytest.raises(PaymentError):
            payments.prepare(reference=REF)
    assert later(world, 400).faults == 0


def test_money_is_never_moved_by_a_step_that_is_not_about_money(world, session):
    add(FIFTY)
    payments.confirm(reference=REF)

    with pytest.raises(ValueError, match="does not end redeemed"):
        journal.record(row(), Operation.RELEASE, Outcome.SUCCEEDED, status="released")
    assert row().status == "redeemed"


def test_the_rest_of_a_refund_is_claimed_before_another_session_comes(
    world, session, sandbox
):
    """A spent voucher cannot be held before it is given back, so not remotely."""
    add(FIFTY)
    payments.confirm(reference=REF)
    payments.open_session(reference=OTHER, amount_due="10.00")
    answered = []

    def snatch(name):
        if name == "after /redeem/reverse":
            answered.append("given back")
        elif name == "commit" and answered == ["given back"]:
            answered.append("trying")
            answered.append(refused(add, number=FIFTY, reference=OTHER).code)

    world.step = snatch
    payments.refund(reference=REF, amount="10.00")

    assert answered[2] == "voucher_held"
    assert state().amount_covered == 40


def test_a_hold_that_outlived_its_redemption_is_in_nobodys_way(world, session, sandbox):
    """Redeemed, given back, and the hold of it all stands still: by the same voucher."""
    sandbox.behaviour.redeem_ends_hold = False
    add(FIFTY)
    payments.confirm(reference=REF)
    payments.cancel(reference=REF)
    assert sandbox.voucher(FIFTY).hold is not None

    payments.open_session(reference=OTHER, amount_due="10.00")
    assert add(FIFTY, reference=OTHER).amount_covered == 10
