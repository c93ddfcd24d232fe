"""The voucher desk's services: each form once, with a reason, through the same protocol."""

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone
from wagtail.models import ModelLogEntry

from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import (
    DeskAction,
    GuessCounter,
    PaymentSession,
    Redemption,
    RedemptionEvent,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import desk


pytestmark = pytest.mark.django_db

HUNDRED, FIFTY = "GOOD-0100-0001", "GOOD-0050-0001"


@pytest.fixture
def clerk(db):
    return User.objects.create_user("miller")


@pytest.fixture
def find(sandbox, clerk):
    def look_up(number=HUNDRED, *, user=clerk):
        return desk.look_up(voucher_no=number, site=None, user=user)

    return look_up


@pytest.fixture
def carry(find, clerk):
    def look_up(number=HUNDRED):
        return desk.open_carried(find(number).carried, user=clerk)

    return look_up


@pytest.fixture
def wish(clerk):
    def make(amount=None, *, form_id=None, user=clerk, reason="On the telephone."):
        return desk.Wish(
            form_id=form_id or uuid.uuid4(),
            user=user,
            reason=reason,
            amount=None if amount is None else Decimal(amount),
        )

    return make


@pytest.fixture
def held(carry, wish):
    """A payment of the desk's own, with thirty pounds of a voucher held."""
    state = desk.hold(wish("30.00"), carry())
    return PaymentSession.objects.get(pk=state.id)


@pytest.fixture
def redeemed(held, wish):
    desk.redeem(wish(), held, remaining=Decimal("0.00"))
    held.refresh_from_db()
    assert held.status == "confirmed"
    return held


def refused(code, do, *args, **values):
    with pytest.raises(PaymentError) as error:
        do(*args, **values)
    assert error.value.code == code
    return error.value


# -- looking up ----------------------------------------------------------------------


def test_a_number_is_looked_up_on_both_sides(find, session, sandbox):
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED, amount="30.00")

    found = find(" good - 0100 - 0001 ".upper())

    assert found.answer.state.remaining_value == 100
    assert [row.session.reference for row in found.uses] == ["order-1"]
    entry = ModelLogEntry.objects.get(action=desk.LOOK_UP_ACTION)
    assert entry.data == {"voucher": "…0001"}
    assert [line.operation for line in sandbox.log()][-1] == "check"


def test_what_is_carried_hides_the_number_and_is_one_persons(find, clerk):
    token = find().carried

    assert HUNDRED not in token
    assert desk.open_carried(token, user=clerk).number == HUNDRED
    assert HUNDRED not in repr(desk.open_carried(token, user=clerk))
    with pytest.raises(desk.CarryLost):
        desk.open_carried(token, user=User.objects.create_user("baker"))
    for wrong in ("", "gAAAA", token[:-2]):
        with pytest.raises(desk.CarryLost):
            desk.open_carried(wrong, user=clerk)
    later = timezone.now() + timedelta(seconds=desk.CARRY_SECONDS + 1)
    with time_machine.travel(later), pytest.raises(desk.CarryLost):
        desk.open_carried(token, user=clerk)


def test_what_is_stored_of_a_voucher_cannot_be_carried(held, clerk):
    """Both are sealed with the same key; one is not taken for the other."""
    with pytest.raises(desk.CarryLost):
        desk.open_carried(Redemption.objects.get().number_encrypted, user=clerk)


def test_wrong_numbers_are_bounded_for_each_person(find, configure, sandbox):
    configure(THROTTLES={"SESSION_FAILURES": 3})
    for turn in range(3):
        assert find(f"WRONG-{turn}").answer.refused
    asked = len(sandbox.log())

    refused("throttled", find, "WRONG-4")
    refused("throttled", find, HUNDRED)

    assert len(sandbox.log()) == asked
    assert find(HUNDRED, user=User.objects.create_user("baker")).answer.state


def test_customers_who_guess_keep_no_clerk_waiting(
    find, session, configure, carry, wish
):
    configure(THROTTLES={"GLOBAL_FAILURES_PER_MINUTE": 2, "SESSION_FAILURES": 2})
    for turn in range(2):
        refused(
            "voucher_not_usable",
            payments.add_voucher,
            reference="order-1",
            voucher_no=f"WRONG-{turn}",
        )
    refused("throttled", payments.add_voucher, reference="order-1", voucher_no=HUNDRED)

    state = desk.apply(wish(), carry(), reference="order-1")

    assert state.redemptions[-1].status == "held"


def test_a_clerk_who_mistypes_keeps_no_customer_waiting(find, configure):
    configure(THROTTLES={"GLOBAL_FAILURES_PER_MINUTE": 1})
    for turn in range(4):
        find(f"WRONG-{turn}")

    assert not GuessCounter.objects.filter(key="failures").exists()


def test_smart_gift_away_is_said_and_no_failure(find, sandbox, configure):
    configure(THROTTLES={"SESSION_FAILURES": 1})
    sandbox.faults.add(Fault(operation="check", mode="status", status=503))

    assert "could not be asked" in find().answer.problem
    assert find().answer.state is not None


def test_nothing_is_no_number(find):
    for typed in ("", "   ", "X" * 100):
        refused("invalid", find, typed)


# -- a voucher without an order ---------------------------------------------------------


def test_held_redeemed_refunded_and_reversed(held, wish, books, sandbox):
    assert held.reference.startswith(desk.PREFIX)
    assert (held.status, books(HUNDRED)) == ("open", 0)

    assert desk.redeem(wish(), held, remaining=Decimal(0)).status == "confirmed"
    assert books(HUNDRED) == 30

    desk.refund(wish("10.00"), held, refunded_before=Decimal(0))
    assert books(HUNDRED) == 20

    held.refresh_from_db()
    desk.reverse(wish(), held, seen_status="confirmed")
    held.refresh_from_db()
    assert (held.status, books(HUNDRED)) == ("cancelled", 0)
    assert sandbox.voucher(HUNDRED).balance == 100


def test_everything_is_logged_with_who_and_why(redeemed, clerk):
    verbs = DeskAction.objects.values_list("verb", "actor", "reason", "outcome")
    assert list(verbs) == [
        ("hold", "miller", "On the telephone.", "done"),
        ("redeem", "miller", "On the telephone.", "done"),
    ]
    assert set(RedemptionEvent.objects.values_list("actor", flat=True)) == {"miller"}
    entries = ModelLogEntry.objects.filter(action=desk.MOVE_ACTION).order_by("pk")
    assert [entry.data["verb"] for entry in entries] == ["hold", "redeem"]
    assert {entry.user for entry in entries} == {clerk}


def test_what_the_shop_does_later_is_not_the_clerks(held):
    payments.confirm(reference=held.reference)

    last = RedemptionEvent.objects.order_by("id").last()
    assert (last.operation, last.actor) == ("redeem", "")


def test_released_it_is_free_again(held, wish, sandbox):
    row = Redemption.objects.get()

    desk.release(wish(), held, row.pk)
    desk.release(wish(), held, row.pk)

    assert sandbox.voucher(HUNDRED).hold is None
    row.refresh_from_db()
    assert row.status == "released"


def test_a_lapsed_hold_is_taken_again(held, wish, sandbox):
    sandbox.clock.advance(301)
    with time_machine.travel(timezone.now() + timedelta(seconds=301)):
        assert desk.prepare(wish(), held).redemptions[0].status == "held"


# -- once -----------------------------------------------------------------------------


def test_the_same_form_twice_is_one_hold(carry, wish):
    carried, made = carry(), wish("30.00")

    first, second = desk.hold(made, carried), desk.hold(made, carried)

    assert first.id == second.id
    assert DeskAction.objects.count() == 1
    assert Redemption.objects.count() == 1


def test_the_same_refund_twice_is_one(redeemed, wish, books):
    made = wish("10.00")

    desk.refund(made, redeemed, refunded_before=Decimal(0))
    desk.refund(made, redeemed, refunded_before=Decimal(0))

    assert books(HUNDRED) == 20
    assert DeskAction.objects.filter(verb="refund").count() == 1


def test_a_refund_that_began_before_a_crash_is_not_begun_again(
    redeemed, wish, books, monkeypatch
):
    made = wish("10.00")
    monkeypatch.setattr(desk, "_note", lambda *args: None)
    desk.refund(made, redeemed, refunded_before=Decimal(0))
    assert DeskAction.objects.get(verb="refund").outcome == ""
    monkeypatch.undo()

    desk.refund(made, redeemed, refunded_before=Decimal(0))

    assert books(HUNDRED) == 20


def test_two_people_who_refund_what_they_both_saw_refund_it_once(redeemed, wish, books):
    baker = User.objects.create_user("baker")
    desk.refund(wish("10.00"), redeemed, refunded_before=Decimal(0))

    refused(
        "amount_changed",
        desk.refund,
        wish("10.00", user=baker),
        redeemed,
        refunded_before=Decimal(0),
    )

    assert books(HUNDRED) == 20
    assert PaymentSession.objects.get().status == "confirmed"
    desk.refund(wish("10.00", user=baker), redeemed, refunded_before=Decimal(10))
    assert books(HUNDRED) == 10


def test_a_form_with_something_else_in_it_is_refused(redeemed, wish, books):
    form_id = uuid.uuid4()
    desk.refund(wish("10.00", form_id=form_id), redeemed, refunded_before=Decimal(0))

    with pytest.raises(desk.Conflict):
        desk.refund(
            wish("20.00", form_id=form_id), redeemed, refunded_before=Decimal(10)
        )

    assert books(HUNDRED) == 20


def test_redeeming_what_has_changed_since_redeems_nothing(session, carry, wish, books):
    desk.apply(wish(), carry(), reference="order-1")
    shown = PaymentSession.objects.get()
    payments.open_session(reference="order-1", amount_due="120.00")

    refused("amount_changed", desk.redeem, wish(), shown, remaining=Decimal(0))

    assert (books(HUNDRED), payments.get_session(reference="order-1").status) == (
        0,
        "open",
    )


def test_what_was_confirmed_meanwhile_is_not_given_back_unseen(held, wish, books):
    payments.confirm(reference=held.reference)

    refused("amount_changed", desk.reverse, wish(), held, seen_status="open")

    assert books(HUNDRED) == 30


def test_a_lost_answer_is_said_to_be_pending(held, wish, sandbox, books):
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))

    state = desk.redeem(wish(), held, remaining=Decimal(0))

    assert state.pending
    assert DeskAction.objects.get(verb="redeem").outcome == "pending"
    assert books(HUNDRED) == 30


# -- orders of the shop ------------------------------------------------------------------


def test_a_voucher_pays_for_an_order_of_the_shop(session, carry, wish, books):
    state = desk.apply(wish("20.00"), carry(), reference="order-1")
    assert (state.amount_covered, state.amount_remaining) == (20, 60)

    payments.confirm(reference="order-1", amount_remaining="60.00")

    assert books(HUNDRED) == 20


def test_an_order_that_nobody_has_opened_needs_its_amount(sandbox, carry, wish):
    error = refused("invalid", desk.apply, wish(), carry(), reference="order-9")
    assert set(error.fields) == {"amount_due"}
    assert not PaymentSession.objects.exists()

    state = desk.apply(wish(), carry(), reference="order-9", amount_due=Decimal(40))

    assert (state.amount_due, state.amount_remaining) == (40, 0)


def test_the_shop_knows_best_what_its_order_comes_to(session, carry, wish):
    error = refused(
        "invalid",
        desk.apply,
        wish(),
        carry(),
        reference="order-1",
        amount_due=Decimal(10),
    )

    assert set(error.fields) == {"amount_due"}
    assert not Redemption.objects.exists()


def test_a_closed_order_takes_no_voucher(session, carry, wish):
    payments.cancel(reference="order-1")

    refused("session_not_open", desk.apply, wish(), carry(), reference="order-1")

    assert DeskAction.objects.get().outcome == "session_not_open"
    assert not Redemption.objects.exists()


def test_a_reason_with_the_number_in_it_is_refused(carry, wish, held):
    made = wish("10.00", reason="It is GOOD 0050 - 0001? No: GOOD-0050-0001.")
    error = refused("invalid", desk.hold, made, carry(FIFTY))
    assert set(error.fields) == {"reason"}
    assert PaymentSession.objects.count() == 1

    refused(
        "invalid",
        desk.redeem,
        wish(reason="good-0100-0001"),
        held,
        remaining=Decimal(0),
    )
    assert PaymentSession.objects.get().status == "open"
