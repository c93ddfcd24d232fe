"""A host whose own clock is wrong goes by the database's, and takes nothing over."""

from datetime import timedelta

import pytest
from django.db.models import F

from tests.services.test_sales import make_body
from wagtail_smartgift import payments, sales
from wagtail_smartgift.choices import InboxStatus
from wagtail_smartgift.client import SmartGiftClient
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import InboxMessage, Redemption, VoucherOrder
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import (
    answers,
    holds,
    inbox,
    reconciliation,
)

from .world import Killed


HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"
AHEAD, BEHIND = 600, -600


def place():
    return sales.place_order(reference="sale-1", **make_body())


def operations(shop):
    return [line.operation for line in shop.log()]


def steps():
    return list(
        VoucherOrder.objects.get().events.values_list("operation", "outcome", "reason")
    )


def test_an_order_on_its_way_is_nobody_elses(world, shop):
    """A sweep on a host that is ahead, while the order is being placed."""

    def meanwhile(call):
        with world.on_a_host_ahead_by(AHEAD):
            reconciliation.reconcile()
        return call()

    world.on_the_wire("/pos-sale", meanwhile)

    assert place().status == "placed"
    assert steps() == [("place", "requested", ""), ("place", "succeeded", "")]
    assert "check" not in operations(shop)
    assert len(shop.sales()) == 1


@pytest.mark.parametrize("ahead", [AHEAD, BEHIND], ids=["ahead", "behind"])
def test_an_order_without_an_answer_settles_by_the_databases_clock(world, shop, ahead):
    """Sent by a host that is wrong and looked for by one that is right, and reversed."""
    shop.faults.add(Fault("pos-sale", "apply_late", seconds=100))
    with world.on_a_host_ahead_by(ahead):
        assert place().status == "placing"
    world.pass_time(1)
    reconciliation.reconcile()
    assert "check" not in operations(shop)

    world.pass_time(40)
    with world.on_a_host_ahead_by(-ahead):
        reconciliation.reconcile()

    # Looked for once, and too early to say that nothing was sold.
    assert operations(shop).count("check") == 1
    assert VoucherOrder.objects.get().status == "placing"
    world.until_quiet()
    assert VoucherOrder.objects.get().status == "placed"
    assert len(shop.sales()) == 1


def test_a_request_that_is_being_answered_is_nobody_elses(world):
    asked = {"caller": "key", "path": "/x", "key": "once", "body": b"{}"}
    answers.claim(**asked)

    with world.on_a_host_ahead_by(AHEAD), pytest.raises(PaymentError) as error:
        answers.claim(**asked)

    assert error.value.code == "in_progress"


def test_a_webhook_that_is_being_worked_on_is_nobody_elses(world, session, monkeypatch):
    other = []
    carry_out = inbox.inbox_work.carry_out

    def meanwhile(*args, **kwargs):
        with world.on_a_host_ahead_by(AHEAD):
            other.append(inbox.process(InboxMessage.objects.get().pk))
        return carry_out(*args, **kwargs)

    monkeypatch.setattr(inbox.inbox_work, "carry_out", meanwhile)

    data = {"reference": "order-1"}
    message = inbox.receive(
        inbox.Delivery(
            webhook_id="msg_1", type="order.cancelled", body=b"{}", data=data, **data
        )
    ).message

    assert inbox.process(message.pk)
    assert other == [False]
    message.refresh_from_db()
    assert message.status == InboxStatus.PROCESSED


def test_an_undone_confirmation_is_not_begun_again_by_the_message_that_began_it(
    world, session, sandbox, books
):
    """Taken in by a host that is ahead, so it seems to have come after it was undone."""
    for number, amount in ((HUNDRED, "30.00"), (FIFTY, None)):
        payments.add_voucher(reference="order-1", voucher_no=number, amount=amount)
    data = {"reference": "order-1"}
    with world.on_a_host_ahead_by(5):
        message = inbox.receive(
            inbox.Delivery(
                webhook_id="msg_1",
                type="order.confirmed",
                body=b"{}",
                data=data,
                **data,
            )
        ).message
        # This worker dies before it has done anything.
        assert inbox._claim(message.pk)
    refusal = Fault("redeem", "refused", voucher_no=FIFTY)
    sandbox.faults.add(refusal)
    with pytest.raises(PaymentError):
        payments.confirm(reference="order-1")
    sandbox.faults.clear()

    # The customer has paid with a card by now.
    for _sweep in range(4):
        world.pass_time(70)
        reconciliation.reconcile()

    message.refresh_from_db()
    assert (message.status, message.code) == (InboxStatus.FAILED, "hold_lost")
    assert payments.get_session(reference="order-1").status == "open"
    assert (books(HUNDRED), books(FIFTY)) == (0, 0)


# -- the database's own clock, set by somebody -------------------------------------------


@pytest.fixture
def in_doubt(world, session, sandbox):
    """Return a function: £30 of a voucher are asked for, and the answer is lost."""

    def redeem(mode, **more):
        payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="30.00")
        sandbox.faults.add(Fault("redeem", mode, **more))
        assert payments.confirm(reference="order-1").status == "confirming"

    return redeem


@pytest.mark.parametrize("back", [30, 250, 600, 7200])
def test_a_hold_that_seems_to_stand_by_a_clock_set_back_proves_nothing(
    world, in_doubt, sandbox, books, back
):
    """A till takes the same sum, under no hold at all, before we look."""
    in_doubt("lost_before")

    world.set_the_databases_clock(-back)
    world.pass_time(320)
    sandbox.spend_by_till(HUNDRED, "30.00")
    for _sweep in range(5):
        world.pass_time(max(60, back / 2))
        reconciliation.reconcile()

    row = Redemption.objects.get()
    assert (row.status, row.attention_code) == ("needs_attention", "balance_moved")
    assert payments.get_session(reference="order-1").status == "needs_attention"


@pytest.mark.parametrize("forward", [100, 400, 90_000])
@pytest.mark.parametrize("dead_token_accepted", [True, False])
def test_a_clock_set_forward_opens_nothing_that_may_still_be_taken(
    world, in_doubt, sandbox, books, forward, dead_token_accepted
):
    sandbox.behaviour.dead_token_accepted = dead_token_accepted
    in_doubt("apply_late", seconds=60)

    world.set_the_databases_clock(forward)
    for _sweep in range(6):
        reconciliation.reconcile()
        world.pass_time(5)

    # It is not given up before it has come; then it is found, or was refused.
    world.until_quiet()
    world.pass_time(300)
    world.until_quiet()
    state = payments.get_session(reference="order-1")
    taken = books(HUNDRED)
    assert (state.status, taken) in {("confirmed", 30), ("open", 0)} or (
        state.status == "needs_attention"
    )


def test_a_clock_of_theirs_that_stands_still_is_not_believed_for_ever(
    world, in_doubt, sandbox, books, monkeypatch
):
    """A proxy that puts a date of its own on every answer, and always the same."""
    in_doubt("lost_before")
    given = Redemption.objects.get().their_hold_at
    look = holds.look

    def with_that_date(*args, **kwargs):
        return look(*args, **kwargs).model_copy(update={"answered_at": given})

    monkeypatch.setattr(holds, "look", with_that_date)

    passes = world.until_quiet()

    assert passes < 20
    assert payments.get_session(reference="order-1").status in {"open", "confirmed"}
    assert books(HUNDRED) in {0, 30}


@pytest.mark.parametrize("dead_token_accepted", [True, False])
@pytest.mark.parametrize("wrong", [600, 7200])
def test_a_clock_that_is_wrong_when_it_is_sent_and_right_again_settles_nothing_early(
    world, session, sandbox, books, wrong, dead_token_accepted
):
    """A hold that was taken in the future is taken anew: it cannot be reckoned by."""
    sandbox.behaviour.dead_token_accepted = dead_token_accepted
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="30.00")
    world.set_the_databases_clock(-wrong)
    sandbox.faults.add(Fault("redeem", "apply_late", seconds=60))
    payments.confirm(reference="order-1")
    world.set_the_databases_clock(wrong)

    for _sweep in range(6):
        reconciliation.reconcile()
        world.pass_time(5)
    for _rest in range(2):
        world.pass_time(300)
        world.until_quiet()

    state = payments.get_session(reference="order-1").status
    assert (state, books(HUNDRED)) in {
        ("confirmed", 30),
        # Nobody's hold kept the late one out of the balance.
        ("needs_attention", 30),
        ("open", 0),
    }


@pytest.mark.parametrize("dead_token_accepted", [True, False])
@pytest.mark.parametrize("back", [250, 600])
@pytest.mark.parametrize("till", ["0.00", "50.00", "80.00", "100.00"])
def test_a_replay_under_a_hold_that_only_seems_to_stand_proves_nothing(
    world, session, sandbox, books, till, back, dead_token_accepted
):
    """More than half: refused for want of money, it is not we who have spent it."""
    sandbox.behaviour.dead_token_accepted = dead_token_accepted
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="80.00")

    def die(call):
        raise Killed

    world.on_the_wire("/redeem", die)
    with world.mortal():
        payments.confirm(reference="order-1")
    world.set_the_databases_clock(-back)
    world.pass_time(320)
    if till != "0.00":
        sandbox.spend_by_till(HUNDRED, till)
    for _sweep in range(6):
        world.pass_time(100)
        reconciliation.reconcile()
    for _sweep in range(4):
        world.pass_time(400)
        reconciliation.reconcile()

    state = payments.get_session(reference="order-1").status
    ours = books(HUNDRED)
    if state == "confirmed":
        assert ours == 80
    else:
        assert (state, ours) in {("needs_attention", 0), ("open", 0)}


def test_a_clock_of_theirs_that_was_set_back_a_day_costs_no_day(world, in_doubt):
    in_doubt("lost_before")
    Redemption.objects.update(
        their_hold_at=F("their_hold_at") + timedelta(days=1),
        their_sent_at=F("their_sent_at") + timedelta(days=1),
    )
    began = world._passed

    world.until_quiet()

    assert world._passed - began < 1000


def test_a_date_of_another_age_is_not_reckoned_by(world, session, sandbox, monkeypatch):
    """One of several servers whose clock was never set."""
    hold = SmartGiftClient.hold

    def in_9999(*args, **kwargs):
        receipt = hold(*args, **kwargs)
        far = receipt.answered_at.replace(year=9999, month=12, day=31)
        return receipt.model_copy(update={"answered_at": far})

    monkeypatch.setattr(SmartGiftClient, "hold", in_9999)
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="30.00")
    assert Redemption.objects.get().their_hold_at is None

    assert payments.confirm(reference="order-1").status == "confirmed"


def test_what_was_set_for_a_wrong_tomorrow_is_done_today(world, in_doubt, shop, books):
    """The clock was a day ahead for five seconds, and whoever looked then came too early."""
    in_doubt("lost_before")
    shop.faults.add(Fault("pos-sale", "lost_after"))
    place()

    world.set_the_databases_clock(90_000)
    reconciliation.reconcile()
    world.pass_time(5)
    world.set_the_databases_clock(-90_000)
    for _sweep in range(8):
        world.pass_time(60)
        reconciliation.reconcile()

    assert payments.get_session(reference="order-1").status in {"confirmed", "open"}
    assert VoucherOrder.objects.get().status == "placed"
