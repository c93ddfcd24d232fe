"""Paying with vouchers, against the sandbox over real HTTP."""

from decimal import Decimal

import pytest

from tests.printing.conftest import make_card
from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption, RedemptionEvent
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import journal


FIFTY, TWENTY_FIVE, HUNDRED = "GOOD-0050-0001", "GOOD-0025-0001", "GOOD-0100-0001"
REF = "order-1"


def add(number=FIFTY, **more):
    return payments.add_voucher(reference=REF, voucher_no=number, **more)


def statuses():
    return list(
        Redemption.objects.order_by("position").values_list("status", flat=True)
    )


def assert_journal_agrees():
    """Every row is what its events add up to."""
    for row in Redemption.objects.all():
        folded = journal.fold(row.events.all())
        assert folded.status == row.status
        standing = bool(row.proof) and row.status != "reversed"
        assert folded.taken == (row.amount if standing else 0)


def operations(sandbox):
    return [line.operation for line in sandbox.log()]


# -- adding -------------------------------------------------------------------


def test_a_voucher_is_held_and_covers_what_it_can(session, sandbox, books):
    state = add(f" {FIFTY[:6]} {FIFTY[6:]}\u200b\n")

    assert (state.amount_covered, state.amount_remaining) == (50, 30)
    [voucher] = state.redemptions
    assert voucher.status == "held"
    assert voucher.balance == 50
    assert voucher.display_code == "…0001"
    assert sandbox.voucher(FIFTY).hold is not None
    assert books(FIFTY) == 0
    assert operations(sandbox) == ["hold", "check"]
    assert_journal_agrees()


def test_the_link_on_our_own_card_pays_as_its_number_does(session, sandbox):
    state = add(make_card(number=FIFTY).link)

    assert state.amount_covered == 50
    assert sandbox.voucher(FIFTY).hold is not None
    assert operations(sandbox) == ["hold", "check"]


def test_vouchers_cover_in_the_order_of_adding(session):
    add(FIFTY)
    state = add(HUNDRED)

    assert [item.amount for item in state.redemptions] == [50, 30]
    assert state.amount_remaining == 0


def test_only_a_part_of_a_voucher_is_taken_when_the_customer_wants(session):
    state = add(FIFTY, amount="20.00")

    assert state.amount_covered == 20
    assert add(FIFTY, amount="35").amount_covered == 35
    assert add(FIFTY).amount_covered == 50
    assert len(state.redemptions) == 1


def test_vouchers_pay_no_more_than_is_eligible(session):
    payments.open_session(reference=REF, amount_due="80.00", amount_eligible="40.00")

    assert add(FIFTY).amount_remaining == 40
    with pytest.raises(PaymentError) as refused:
        add(TWENTY_FIVE)
    assert refused.value.code == "invalid"


@pytest.mark.parametrize(
    ("total", "vouchers", "left"),
    [("80.00", "50.00", "30.00"), ("80.00", "80.00", "0"), ("40.00", "50.00", "0")],
    ids=["others beside", "nothing else", "a promotion on vouchers"],
)
def test_what_vouchers_may_pay_is_never_less_than_nothing(
    db, sandbox, total, vouchers, left
):
    eligible = payments.eligible_amount(
        total=Decimal(total), vouchers_total=Decimal(vouchers)
    )

    assert eligible == Decimal(left)
    opened = payments.open_session(
        reference="sums", amount_due=total, amount_eligible=eligible
    )
    assert opened.amount_eligible == eligible


@pytest.mark.parametrize("named", ["EUR", None])
def test_a_payment_keeps_its_currency_whatever_the_setting_says_now(
    session, sandbox, configure, named
):
    add()
    configure(CURRENCY="EUR")

    with pytest.raises(PaymentError) as error:
        payments.open_session(reference=REF, amount_due="95.00", currency=named)

    assert (error.value.code, list(error.value.fields)) == (
        "currency_mismatch",
        ["currency"],
    )
    state = payments.get_session(reference=REF)
    assert (state.currency, state.amount_due, state.amount_covered) == ("GBP", 80, 50)
    # In its own it goes on.
    state = payments.open_session(reference=REF, amount_due="95.00", currency="GBP")
    assert (state.currency, state.amount_due) == ("GBP", 95)


def test_a_changed_basket_only_allocates_anew(session, sandbox):
    add(FIFTY)
    calls = len(sandbox.log())

    state = payments.open_session(reference=REF, amount_due="30.00")

    assert (state.amount_covered, state.amount_remaining) == (30, 0)
    assert len(sandbox.log()) == calls


@pytest.mark.parametrize(
    "number",
    [
        "NO-SUCH-NUMBER",
        "EXPIRED-0025-0001",
        "EMPTY-0000-0001",
        "CANCELLED-0025-0001",
        "QUAY-0050-0001",
        "x" * 65,
        "TEA-0002-0001",
    ],
)
def test_every_unusable_voucher_gets_the_same_answer(session, sandbox, number):
    with pytest.raises(PaymentError) as refused:
        add(number)

    assert refused.value.code == "voucher_not_usable"
    assert str(refused.value.message) == (
        "This voucher cannot be used here. Check the number, or pay another way."
    )
    state = payments.get_session(reference=REF)
    assert state.redemptions == ()
    assert state.amount_remaining == 80
    assert all(
        voucher.hold is None for voucher in sandbox.vouchers() if not voucher.magic
    )
    assert_journal_agrees()


def test_a_voucher_that_a_till_holds_says_until_when(session, sandbox):
    sandbox.hold_by_till(FIFTY)

    with pytest.raises(PaymentError) as refused:
        add(FIFTY)

    assert refused.value.code == "voucher_held"
    assert 280 < refused.value.retry_after <= 301
    assert payments.get_session(reference=REF).redemptions == ()


def test_two_sessions_never_have_one_voucher(session, sandbox):
    add(FIFTY)
    payments.open_session(reference="order-2", amount_due="10.00")
    calls = len(sandbox.log())

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference="order-2", voucher_no=FIFTY)

    assert refused.value.code == "voucher_held"
    assert 280 < refused.value.retry_after <= 301
    assert len(sandbox.log()) == calls


def test_a_removed_voucher_is_free_at_once(session, sandbox):
    state = add(FIFTY)
    [voucher] = state.redemptions

    for _twice in range(2):
        state = payments.remove_voucher(reference=REF, redemption_id=voucher.id)

    assert state.redemptions == ()
    assert sandbox.voucher(FIFTY).hold is None
    payments.open_session(reference="order-2", amount_due="10.00")
    payments.add_voucher(reference="order-2", voucher_no=FIFTY)
    assert_journal_agrees()


def test_a_voucher_of_another_session_cannot_be_removed(session):
    [voucher] = add(FIFTY).redemptions
    payments.open_session(reference="order-2", amount_due="10.00")

    with pytest.raises(PaymentError) as refused:
        payments.remove_voucher(reference="order-2", redemption_id=voucher.id)

    assert refused.value.code == "not_found"
    assert statuses() == ["held"]


@pytest.mark.parametrize("mode", ["lost_before", "status", "html", "garbage"])
def test_a_hold_that_is_not_answered_leaves_nothing_spent(
    session, sandbox, books, mode
):
    sandbox.faults.add(Fault(operation="hold", mode=mode, times=None, applied=None))

    with pytest.raises(PaymentError) as refused:
        add(FIFTY)

    assert refused.value.code in {"smartgift_unavailable", "voucher_held"}
    assert refused.value.retry_after
    assert books(FIFTY) == 0
    assert_journal_agrees()


def test_a_hold_whose_answer_was_lost_once_is_asked_for_again(session, sandbox):
    sandbox.faults.add(Fault(operation="hold", mode="lost_before", times=1))

    assert add(FIFTY).amount_covered == 50


def test_our_own_lost_hold_is_waited_out(session, sandbox, time_machine_now):
    sandbox.faults.add(Fault(operation="hold", mode="lost_after", times=1))
    with pytest.raises(PaymentError) as refused:
        add(FIFTY)
    assert refused.value.code == "voucher_held"

    sandbox.clock.advance(306)
    time_machine_now.shift(306)

    assert add(FIFTY).amount_covered == 50
    assert_journal_agrees()


def test_a_check_that_is_not_answered_gives_the_hold_back(session, sandbox):
    sandbox.faults.add(Fault(operation="check", mode="status", times=None, status=503))

    with pytest.raises(PaymentError) as refused:
        add(FIFTY)

    assert refused.value.code == "smartgift_unavailable"
    assert sandbox.voucher(FIFTY).hold is None
    assert payments.get_session(reference=REF).redemptions == ()


def test_a_lapsed_voucher_that_is_added_again_may_hold_less(
    session, sandbox, time_machine_now
):
    add(FIFTY)
    sandbox.clock.advance(400)
    time_machine_now.shift(400)
    sandbox.spend_by_till(FIFTY, Decimal("20.00"))

    state = add(FIFTY)

    assert [(one.status, one.amount) for one in state.redemptions] == [("held", 30)]
    assert state.amount_remaining == 50
    assert_journal_agrees()


# -- preparing ----------------------------------------------------------------


def test_prepare_looks_anew_under_a_hold_that_is_long_enough(session, sandbox):
    add(FIFTY)
    add(TWENTY_FIVE)
    hold = sandbox.voucher(FIFTY).hold

    assert payments.prepare(reference=REF).amount_covered == 75

    # One look for each voucher, and the holds are those that were there.
    assert operations(sandbox)[4:] == ["check", "check"]
    assert sandbox.voucher(FIFTY).hold == hold


def test_prepare_does_not_look_at_a_voucher_that_pays_nothing(session, sandbox):
    add(HUNDRED)
    payments.open_session(reference=REF, amount_due="120.00")
    add(FIFTY)
    payments.open_session(reference=REF, amount_due="80.00")

    payments.prepare(reference=REF)

    assert operations(sandbox)[4:] == ["check"]


def test_prepare_finds_a_balance_that_fell_under_our_hold(session, sandbox):
    """Somebody corrected it in the dashboard, say: a hold keeps tills away only."""
    add(FIFTY)
    add(HUNDRED)
    sandbox.spend_by_till(FIFTY, Decimal("30.00"), despite_hold=True)

    with pytest.raises(PaymentError) as refused:
        payments.prepare(reference=REF)

    assert refused.value.code == "shortfall"
    state = payments.get_session(reference=REF)
    assert [item.amount for item in state.redemptions] == [20, 60]
    assert [item.status for item in state.redemptions] == ["held", "held"]
    # What was read is the yardstick from here on.
    assert Redemption.objects.order_by("position").first().baseline == 20
    assert payments.prepare(reference=REF).amount_remaining == 0
    assert payments.confirm(reference=REF, amount_remaining="0.00").pending is False
    assert_journal_agrees()


def test_a_balance_that_rose_covers_more_after_prepare(session, sandbox):
    add(FIFTY)
    sandbox.top_up(FIFTY, Decimal("20.00"))

    state = payments.prepare(reference=REF)

    assert (state.amount_covered, state.amount_remaining) == (70, 10)


@pytest.mark.parametrize("mode", ["status", "lost_after"])
def test_a_look_that_is_not_answered_loses_nothing(session, sandbox, mode):
    add(FIFTY)
    before = Redemption.objects.values("status", "amount", "baseline", "version").get()
    sandbox.faults.add(Fault(operation="check", mode=mode, times=None))

    with pytest.raises(PaymentError) as refused:
        payments.prepare(reference=REF)

    assert refused.value.code == "smartgift_unavailable"
    assert (
        Redemption.objects.values("status", "amount", "baseline", "version").get()
        == before
    )
    assert sandbox.voucher(FIFTY).hold is not None
    sandbox.faults.clear()
    assert payments.confirm(reference=REF).status == "confirmed"
    assert operations(sandbox).count("hold") == 1


def test_prepare_renews_a_hold_that_is_too_short(session, sandbox, time_machine_now):
    add(FIFTY)
    sandbox.clock.advance(250)
    time_machine_now.shift(250)

    state = payments.prepare(reference=REF)

    assert operations(sandbox)[2:] == ["release", "hold", "check"]
    assert (state.redemptions[0].held_until - state.now).total_seconds() > 280


def test_prepare_takes_a_lapsed_hold_again(session, sandbox, time_machine_now):
    add(FIFTY)
    sandbox.clock.advance(400)
    time_machine_now.shift(400)

    state = payments.prepare(reference=REF)

    assert operations(sandbox)[2:] == ["hold", "check"]
    assert state.redemptions[0].status == "held"
    assert_journal_agrees()


def test_prepare_tells_a_shortfall_and_allocates_anew(
    session, sandbox, time_machine_now
):
    add(FIFTY)
    sandbox.clock.advance(400)
    time_machine_now.shift(400)
    sandbox.spend_by_till(FIFTY, Decimal("20.00"))

    with pytest.raises(PaymentError) as refused:
        payments.prepare(reference=REF)

    assert refused.value.code == "shortfall"
    state = payments.prepare(reference=REF)
    assert (state.amount_covered, state.amount_remaining) == (30, 50)


def test_prepare_says_when_a_till_was_faster(session, sandbox, time_machine_now):
    add(FIFTY)
    sandbox.clock.advance(400)
    time_machine_now.shift(400)
    sandbox.hold_by_till(FIFTY)

    with pytest.raises(PaymentError) as refused:
        payments.prepare(reference=REF)

    assert refused.value.code == "voucher_held"
    assert statuses() == ["lapsed"]
    assert payments.get_session(reference=REF).amount_covered == 50


def test_released_holds_are_taken_again_by_prepare(session, sandbox):
    add(FIFTY)

    state = payments.release_holds(reference=REF)

    assert sandbox.voucher(FIFTY).hold is None
    assert state.redemptions[0].status == "lapsed"
    assert state.amount_covered == 50
    payments.prepare(reference=REF)
    assert sandbox.voucher(FIFTY).hold is not None


# -- confirming ---------------------------------------------------------------


def test_confirm_redeems_once_what_was_allocated(session, sandbox, books):
    add(FIFTY)
    add(TWENTY_FIVE)
    payments.prepare(reference=REF)

    state = payments.confirm(reference=REF, amount_remaining="5.00")

    assert state.status == "confirmed"
    assert not state.pending
    assert (books(FIFTY), books(TWENTY_FIVE)) == (50, 25)
    assert (state.amount_redeemed, state.amount_remaining) == (75, 5)
    assert operations(sandbox).count("redeem") == 2
    assert payments.confirm(reference=REF).status == "confirmed"
    assert operations(sandbox).count("redeem") == 2
    assert_journal_agrees()


def test_a_redemption_costs_three_calls(session, sandbox):
    add(FIFTY)
    payments.confirm(reference=REF)

    assert operations(sandbox) == ["hold", "check", "redeem"]


def test_with_prepare_it_costs_four(session, sandbox):
    add(FIFTY)
    payments.prepare(reference=REF)
    payments.confirm(reference=REF)

    assert operations(sandbox) == ["hold", "check", "check", "redeem"]


def test_confirm_without_vouchers_costs_nothing(session, sandbox):
    assert payments.confirm(reference=REF).status == "confirmed"
    assert sandbox.log() == []


def test_confirm_refuses_when_the_card_authorised_another_amount(
    session, sandbox, books
):
    add(FIFTY)

    with pytest.raises(PaymentError) as refused:
        payments.confirm(reference=REF, amount_remaining="20.00")

    assert refused.value.code == "amount_changed"
    assert books(FIFTY) == 0
    assert payments.get_session(reference=REF).status == "open"


def test_a_voucher_that_covers_nothing_any_more_is_given_back(session, sandbox, books):
    add(FIFTY)
    add(TWENTY_FIVE)
    payments.open_session(reference=REF, amount_due="50.00")

    payments.confirm(reference=REF)

    assert (books(FIFTY), books(TWENTY_FIVE)) == (50, 0)
    assert sandbox.voucher(TWENTY_FIVE).hold is None


@pytest.mark.parametrize(
    ("number", "code", "left"),
    [("EXPIRES-0050-0001", "hold_lost", 0), ("GONE-0050-0001", "shortfall", 1)],
)
def test_a_refused_redeem_gives_the_others_back(
    session, sandbox, books, number, code, left
):
    add(TWENTY_FIVE)
    add(number)

    with pytest.raises(PaymentError) as refused:
        payments.confirm(reference=REF)

    assert refused.value.code == code
    state = payments.get_session(reference=REF)
    assert state.status == "open"
    assert books(TWENTY_FIVE) == 0
    assert (state.amount_redeemed, state.amount_refunded) == (0, 0)
    assert_journal_agrees()
    # The other one can be tried again, with what is left of this one.
    assert payments.confirm(reference=REF).amount_redeemed == 25 + left
    assert books(TWENTY_FIVE) == 25


def test_a_redeem_that_could_not_be_sent_opens_the_session_again(
    session, sandbox, books
):
    add(FIFTY)
    sandbox.faults.add(
        Fault(operation="redeem", mode="rate_limited", times=1, seconds=20)
    )

    with pytest.raises(PaymentError) as refused:
        payments.confirm(reference=REF)

    assert refused.value.code == "busy"
    assert refused.value.retry_after >= 1
    assert payments.get_session(reference=REF).status == "open"
    assert books(FIFTY) == 0
    assert payments.confirm(reference=REF).status == "confirmed"
    assert books(FIFTY) == 50


@pytest.mark.parametrize("mode", ["lost_after", "garbage", "html", "empty_success"])
def test_a_lost_answer_is_replayed_where_it_cannot_apply_twice(
    session, sandbox, books, mode
):
    add(FIFTY)
    sandbox.faults.add(Fault(operation="redeem", mode=mode, times=1, applied=None))

    payments.confirm(reference=REF)

    assert books(FIFTY) == 50
    assert len(sandbox.redemptions(FIFTY)) == 1
    assert_journal_agrees()


def test_a_lost_answer_is_never_replayed_where_it_could_apply_twice(
    session, sandbox, books
):
    add(HUNDRED, amount="30.00")
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after", times=1))

    state = payments.confirm(reference=REF)

    assert state.pending
    assert state.status == "confirming"
    assert state.amount_remaining == 50
    assert operations(sandbox).count("redeem") == 1
    assert books(HUNDRED) == 30
    assert RedemptionEvent.objects.filter(
        operation="redeem", outcome="unknown"
    ).exists()
    assert PaymentSession.objects.get().next_look_at is not None


def test_a_confirming_session_cannot_be_changed(session, sandbox):
    [voucher] = add(HUNDRED, amount="30.00").redemptions
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after", times=1))
    payments.confirm(reference=REF)

    assert payments.prepare(reference=REF).pending
    assert payments.confirm(reference=REF).pending
    for change, code in (
        (lambda: add(FIFTY), "session_not_open"),
        (
            lambda: payments.remove_voucher(reference=REF, redemption_id=voucher.id),
            "session_not_open",
        ),
        (
            lambda: payments.open_session(reference=REF, amount_due="70.00"),
            "session_not_open",
        ),
        (lambda: payments.refund(reference=REF), "session_busy"),
    ):
        with pytest.raises(PaymentError) as refused:
            change()
        assert refused.value.code == code


# -- afterwards ---------------------------------------------------------------


def test_cancel_of_an_open_session_releases(session, sandbox):
    add(FIFTY)

    state = payments.cancel(reference=REF)

    assert state.status == "cancelled"
    assert sandbox.voucher(FIFTY).hold is None
    assert payments.cancel(reference=REF).status == "cancelled"
    for verb in (payments.prepare, payments.confirm, payments.refund):
        with pytest.raises(PaymentError) as refused:
            verb(reference=REF)
        assert refused.value.code == "session_cancelled"


def test_cancel_of_a_confirmed_session_reverses(session, sandbox, books):
    add(FIFTY)
    add(TWENTY_FIVE)
    payments.confirm(reference=REF)

    state = payments.cancel(reference=REF)

    assert state.status == "cancelled"
    assert (books(FIFTY), books(TWENTY_FIVE)) == (0, 0)
    assert (state.amount_redeemed, state.amount_refunded) == (75, 75)
    assert state.amount_covered == 0
    assert_journal_agrees()


def test_refund_gives_all_back_and_stays_confirmed(session, books):
    add(FIFTY)
    payments.confirm(reference=REF)

    state = payments.refund(reference=REF)

    assert state.status == "confirmed"
    assert (state.amount_covered, state.amount_refunded) == (0, 50)
    assert books(FIFTY) == 0
    assert payments.refund(reference=REF).amount_refunded == 50


def test_a_partial_refund_takes_the_last_voucher_first(session, books):
    add(FIFTY)
    add(HUNDRED)
    payments.confirm(reference=REF)

    state = payments.refund(reference=REF, amount="30.00")

    assert (books(FIFTY), books(HUNDRED)) == (50, 0)
    assert (state.amount_redeemed, state.amount_refunded) == (80, 30)


def test_a_part_of_a_redemption_is_reversed_and_the_rest_redeemed_again(
    session, sandbox, books
):
    add(FIFTY)
    payments.confirm(reference=REF)

    state = payments.refund(reference=REF, amount="20.00")

    assert state.status == "confirmed"
    assert books(FIFTY) == 30
    assert (state.amount_redeemed, state.amount_refunded) == (50, 20)
    assert state.amount_covered == 30
    state = payments.refund(reference=REF, amount="10.00")
    assert books(FIFTY) == 20
    assert (state.amount_redeemed, state.amount_refunded) == (50, 30)
    assert payments.refund(reference=REF).amount_refunded == 50
    assert books(FIFTY) == 0
    assert_journal_agrees()


def test_no_more_is_refunded_than_is_left(session, books):
    add(FIFTY)
    payments.confirm(reference=REF)
    payments.refund(reference=REF, amount="20.00")

    with pytest.raises(PaymentError) as refused:
        payments.refund(reference=REF, amount="30.01")

    assert refused.value.code == "amount_too_large"
    assert books(FIFTY) == 30


def test_refund_of_what_was_never_confirmed_is_refused(session):
    add(FIFTY)
    with pytest.raises(PaymentError) as refused:
        payments.refund(reference=REF)
    assert refused.value.code == "not_confirmed"


def test_a_refund_waits_while_another_session_holds_the_voucher(
    session, sandbox, books
):
    add(HUNDRED)
    payments.confirm(reference=REF)
    payments.open_session(reference="order-2", amount_due="10.00")
    payments.add_voucher(reference="order-2", voucher_no=HUNDRED)

    state = payments.cancel(reference=REF)

    assert state.pending
    assert state.status == "cancelling"
    assert books(HUNDRED) == 80
    assert payments.cancel(reference=REF).pending


def test_a_lost_reversal_stays_pending(session, sandbox, books):
    add(FIFTY)
    payments.confirm(reference=REF)
    sandbox.faults.add(Fault(operation="reverse", mode="lost_after", times=1))

    state = payments.cancel(reference=REF)

    assert state.status == "cancelling"
    assert state.amount_refunded == 0
    assert operations(sandbox).count("reverse") == 1


def test_what_was_redeemed_without_ids_goes_to_a_person(session, sandbox, books):
    add(FIFTY)
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after", times=1))
    sandbox.behaviour.redeem_ends_hold = False
    assert payments.confirm(reference=REF).status == "confirmed"

    with pytest.raises(PaymentError) as refused:
        payments.refund(reference=REF)

    assert refused.value.code == "needs_attention"
    state = payments.get_session(reference=REF)
    assert (state.status, state.amount_refunded) == ("needs_attention", 0)
    assert books(FIFTY) == 50


# -- opening ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"reference": ""}, "reference"),
        ({"reference": "a/b"}, "reference"),
        ({"reference": "x" * 65}, "reference"),
        ({"amount_due": "1e3"}, "amount_due"),
        ({"amount_due": "-1.00"}, "amount_due"),
        ({"amount_due": "1.001"}, "amount_due"),
        ({"amount_due": None}, "amount_due"),
        ({"amount_eligible": "10.01"}, "amount_eligible"),
        ({"currency": "EUR"}, "currency"),
        ({"metadata": {"big": "x" * 20_000}}, "metadata"),
    ],
)
def test_open_session_says_what_is_wrong(db, values, field):
    valid = {"reference": "order-9", "amount_due": "10.00"}

    with pytest.raises(PaymentError) as refused:
        payments.open_session(**{**valid, **values})

    assert list(refused.value.fields) == [field]
    assert not PaymentSession.objects.exists()


def test_zero_is_an_amount_due(db):
    session = payments.open_session(reference="free", amount_due="0.00")
    assert payments.confirm(reference="free").status == "confirmed"
    assert session.amount_remaining == 0


def test_each_opening_gives_a_secret_and_earlier_ones_stay_valid(session):
    again = payments.open_session(reference=REF, amount_due="80.00")

    assert session.client_secret != again.client_secret
    assert session.client_secret not in repr(session)
    assert (
        not PaymentSession.objects.get()
        .secrets.filter(digest=again.client_secret)
        .exists()
    )


def test_a_row_of_another_key_is_left_alone(session, sandbox, configure, settings):
    add(FIFTY)
    accounts = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]
    configure(ACCOUNTS={"default": {**accounts["default"], "API_KEY": "sk_other"}})
    calls = len(sandbox.log())

    with pytest.raises(PaymentError) as refused:
        payments.confirm(reference=REF)

    assert refused.value.code == "smartgift_unavailable"
    assert len(sandbox.log()) == calls
