"""The sweep: what became of calls without an answer, and of customers who left."""

from decimal import Decimal

import pytest
from django.core.management import call_command

from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import reconciliation
from wagtail_smartgift.signals import SIGNALS


HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"
REF = "order-1"


@pytest.fixture
def later(sandbox, time_machine_now):
    """Return a function that lets time pass here and at Smart Gift, then sweeps."""

    def pass_time(seconds, *, sweep=True):
        sandbox.clock.advance(seconds)
        time_machine_now.shift(seconds)
        return reconciliation.reconcile() if sweep else None

    return pass_time


@pytest.fixture
def in_doubt(session, sandbox, later):
    """Return a function that redeems 30.00 of 100.00 with a fault on the call."""

    def confirm(**fault):
        sandbox.faults.add(Fault(operation="redeem", **fault))
        payments.add_voucher(reference=REF, voucher_no=HUNDRED, amount="30.00")
        state = payments.confirm(reference=REF)
        assert state.pending
        return state

    return confirm


def state():
    return payments.get_session(reference=REF)


def redeems(sandbox):
    return [line for line in sandbox.log() if line.operation == "redeem"]


@pytest.mark.parametrize("ends_hold", [True, False])
def test_a_redeem_that_was_applied_is_seen_in_the_balance(
    in_doubt, sandbox, books, later, ends_hold
):
    sandbox.behaviour.redeem_ends_hold = ends_hold
    in_doubt(mode="lost_after")

    assert later(5).settled == 0
    assert later(36).settled == 1

    assert state().status == "confirmed"
    assert books(HUNDRED) == 30
    assert len(redeems(sandbox)) == 1
    row = Redemption.objects.get()
    assert row.proof == ("hold" if ends_hold else "balance")
    assert row.redemption_ids == []


def test_a_redeem_that_never_arrived_is_fenced_and_made_again(
    in_doubt, sandbox, books, later
):
    in_doubt(mode="lost_before")

    later(36)
    assert [line.operation for line in sandbox.log()][-3:] == [
        "check",
        "release",
        "hold",
    ]
    assert len(redeems(sandbox)) == 1
    later(100)

    assert state().status == "confirmed"
    assert books(HUNDRED) == 30
    assert len(sandbox.redemptions(HUNDRED)) == 1


@pytest.mark.parametrize("dead_token_accepted", [True, False])
@pytest.mark.parametrize("seconds", [20, 60, 120])
def test_a_redeem_that_arrives_late_is_never_applied_twice(
    in_doubt, sandbox, books, later, seconds, dead_token_accepted
):
    sandbox.behaviour.dead_token_accepted = dead_token_accepted
    in_doubt(mode="apply_late", seconds=seconds)

    for _step in range(8):
        later(40)

    assert state().status == "confirmed"
    assert books(HUNDRED) == 30
    assert len(sandbox.redemptions(HUNDRED)) == 1


def test_a_balance_that_a_till_moved_is_for_a_person(in_doubt, sandbox, books, later):
    in_doubt(mode="lost_before")
    later(400, sweep=False)
    sandbox.spend_by_till(HUNDRED, Decimal("30.00"))

    report = reconciliation.reconcile()

    assert report.attention == 1
    assert state().status == "needs_attention"
    assert Redemption.objects.get().attention_code == "balance_moved"
    assert len(redeems(sandbox)) == 1
    with pytest.raises(PaymentError) as refused:
        payments.confirm(reference=REF)
    assert refused.value.code == "needs_attention"


def test_after_the_hold_an_unchanged_balance_means_not_applied(
    in_doubt, sandbox, books, later
):
    in_doubt(mode="lost_before")

    later(400)

    assert state().status == "confirmed"
    assert books(HUNDRED) == 30
    assert len(sandbox.redemptions(HUNDRED)) == 1


def test_an_outage_is_waited_out(in_doubt, sandbox, books, later):
    in_doubt(mode="lost_after")
    sandbox.behaviour.redeem_ends_hold = False
    outage = sandbox.faults.add(
        Fault(operation="*", mode="status", status=503, times=None)
    )

    for _look in range(3):
        later(80)
    assert state().status == "confirming"
    sandbox.faults.remove(outage.id)
    # The hold is still ours by our own clock, or else a person decides.
    later(150)

    assert state().status in {"confirmed", "needs_attention"}
    assert books(HUNDRED) == 30


def test_a_confirmation_that_never_gets_through_is_undone(
    session, sandbox, books, later
):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.add_voucher(reference=REF, voucher_no=HUNDRED)
    sandbox.faults.add(
        Fault(
            operation="redeem",
            mode="unauthorised",
            times=None,
            voucher_no=HUNDRED,
        )
    )
    assert payments.confirm(reference=REF).pending
    assert books(FIFTY) == 50

    later(60)
    assert state().status == "confirming"
    later(900)

    assert state().status == "open"
    assert (books(FIFTY), books(HUNDRED)) == (0, 0)
    assert [item.status for item in state().redemptions] == ["lapsed", "lapsed"]


def test_a_cancel_during_a_confirmation_is_done_once_it_is_settled(
    in_doubt, sandbox, books, later
):
    in_doubt(mode="lost_before")

    assert payments.cancel(reference=REF).status == "confirming"
    later(36)
    later(100)

    assert state().status == "cancelled"
    assert books(HUNDRED) == 0
    assert sandbox.voucher(HUNDRED).hold is None


@pytest.mark.parametrize("reverse_twice", ["refuse", "accept"])
@pytest.mark.parametrize("mode", ["lost_after", "lost_before", "garbage"])
def test_a_reversal_without_an_answer_is_asked_for_again(
    session, sandbox, books, later, mode, reverse_twice
):
    sandbox.behaviour.reverse_twice = reverse_twice
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)
    sandbox.faults.add(Fault(operation="reverse", mode=mode, times=1))
    assert payments.cancel(reference=REF).pending

    later(36)

    assert state().status == "cancelled"
    assert books(FIFTY) == 0
    assert state().amount_refunded == 50


def test_a_reversal_waits_for_a_till(session, sandbox, books, later):
    sandbox.behaviour.reverse_while_held = False
    payments.add_voucher(reference=REF, voucher_no=FIFTY, amount="10.00")
    payments.confirm(reference=REF)
    sandbox.hold_by_till(FIFTY)
    assert payments.cancel(reference=REF).pending
    assert books(FIFTY) == 10

    later(310)

    assert state().status == "cancelled"
    assert books(FIFTY) == 0


def test_a_refund_that_another_session_kept_waiting_is_done_afterwards(
    session, sandbox, books, later
):
    payments.add_voucher(reference=REF, voucher_no=HUNDRED)
    payments.confirm(reference=REF)
    payments.open_session(reference="order-2", amount_due="10.00")
    payments.add_voucher(reference="order-2", voucher_no=HUNDRED)
    assert payments.refund(reference=REF, amount="30.00").pending

    later(310)

    assert state().status == "confirmed"
    assert (state().amount_refunded, books(HUNDRED)) == (30, 50)


@pytest.mark.parametrize("operation", ["hold", "check", "redeem", "reverse"])
@pytest.mark.parametrize("mode", ["lost_before", "lost_after"])
def test_a_partial_refund_ends_with_the_rest_redeemed(
    session, sandbox, books, later, operation, mode
):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)
    sandbox.faults.add(Fault(operation=operation, mode=mode, times=1))

    payments.refund(reference=REF, amount="10.00")
    for _look in range(12):
        later(60)

    assert state().status == "confirmed"
    assert books(FIFTY) == 40
    assert (state().amount_redeemed, state().amount_refunded) == (50, 10)


def test_the_holds_of_a_customer_who_left_are_given_back(
    session, sandbox, later, configure
):
    configure(ABANDONED_AFTER=100)
    payments.add_voucher(reference=REF, voucher_no=FIFTY)

    assert later(99).abandoned == 0
    assert later(5).abandoned == 1

    assert sandbox.voucher(FIFTY).hold is None
    assert state().status == "open"


def test_dead_holds_lapse(session, sandbox, later):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)

    assert later(301).lapsed == 1

    assert state().redemptions[0].status == "lapsed"
    assert later(1).lapsed == 0


def test_rows_of_another_account_are_left_alone(
    in_doubt, sandbox, later, configure, settings, capsys
):
    in_doubt(mode="lost_after")
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "API_KEY": "sk_staging"}})
    calls = len(sandbox.log())

    assert later(60).foreign == 1

    assert len(sandbox.log()) == calls
    assert state().status == "confirming"
    call_command("smartgift_reconcile")
    assert "foreign: 1" in capsys.readouterr().out


def test_a_receiver_that_raises_is_called_again(
    session, sandbox, later, django_capture_on_commit_callbacks
):
    heard = []

    def receiver(*, data, event, **kwargs):
        heard.append((event, data.status))
        if len(heard) == 1:
            raise RuntimeError("The host's mail server is down.")

    SIGNALS["session.confirmed"].connect(receiver)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            payments.confirm(reference=REF)
        assert heard == [("session.confirmed", "confirmed")]
        assert later(25).events == 0
        assert later(6).events == 1
    finally:
        SIGNALS["session.confirmed"].disconnect(receiver)

    assert heard == [("session.confirmed", "confirmed")] * 2


@pytest.mark.django_db(transaction=True)
def test_a_receiver_may_act_on_the_payment_that_it_is_told_of(sandbox, books):
    def cancel_at_once(*, data, **kwargs):
        payments.cancel(reference=data.reference)

    SIGNALS["session.confirmed"].connect(cancel_at_once)
    try:
        payments.open_session(reference=REF, amount_due="80.00")
        payments.add_voucher(reference=REF, voucher_no=FIFTY)
        payments.confirm(reference=REF)
    finally:
        SIGNALS["session.confirmed"].disconnect(cancel_at_once)

    assert state().status == "cancelled"
    assert books(FIFTY) == 0


def test_a_pass_with_nothing_to_do_says_so(db, sandbox, capsys):
    call_command("smartgift_reconcile")

    assert capsys.readouterr().out == "Nothing was due.\n"
    assert sandbox.log() == []
    assert not PaymentSession.objects.exists()
