"""Faults that a reader found, each by the test that fails without its mending."""

import pytest
from django.db import transaction

from wagtail_smartgift import payments
from wagtail_smartgift.client import CallNotAllowed
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import OutboxEvent, PaymentSession, Redemption
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import (
    catalogue,
    gateway,
    outbox,
    reconciliation,
    sales,
    timebox,
)
from wagtail_smartgift.services.vouchers import Wish


FIFTY = "GOOD-0050-0001"
REF = "order-1"


def worth(session, voucher, bit_values):
    return 20 * len(bit_values)


def test_a_voucher_that_expired_meanwhile_leaves_the_payment(
    session, sandbox, time_machine_now
):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    sandbox.clock.advance(400)
    time_machine_now.shift(400)
    sandbox.expire_voucher(FIFTY)

    with pytest.raises(PaymentError) as refused:
        payments.prepare(reference=REF)

    assert refused.value.code == "hold_lost"
    state = payments.prepare(reference=REF)
    assert state.amount_remaining == 80
    assert [item.status for item in state.redemptions] == ["refused"]


@pytest.mark.parametrize("choice", [[4], [], [2, 4]])
def test_a_choice_that_is_not_on_offer_changes_nothing(
    session, sandbox, configure, choice
):
    configure(EXPERIENCE_VALUE="tests.services.test_found_by_review.worth")
    payments.add_voucher(reference=REF, voucher_no="TEA-0002-0001")
    before = Redemption.objects.values().get()

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(
            reference=REF, voucher_no="TEA-0002-0001", experiences=choice
        )

    assert (refused.value.code, list(refused.value.fields)) == (
        "invalid",
        ["experiences"],
    )
    assert Redemption.objects.values().get() == before
    assert sandbox.voucher("TEA-0002-0001").hold is not None


def test_a_replay_is_in_the_journal_before_it_leaves(session, sandbox):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    sandbox.faults.add(Fault(operation="redeem", mode="lost_before"))

    payments.confirm(reference=REF)

    steps = Redemption.objects.get().events.filter(operation="redeem")
    assert list(steps.values_list("outcome", "reason")) == [
        ("requested", ""),
        ("unknown", "no_answer"),
        ("requested", "replay"),
        ("succeeded", ""),
    ]


def test_nobody_waits_long_for_the_quota_while_the_journals_clocks_run():
    assert timebox.TimeBox.sweep().patience <= 2
    request = timebox.TimeBox.request()
    assert request.seconds + request.patience <= 15
    assert request.seconds + request.patience + get_conf().timeout <= 40


def test_no_event_of_a_foreign_row_is_sent(
    session, sandbox, heard, configure, settings
):
    payments.confirm(reference=REF)
    assert OutboxEvent.objects.filter(dispatched_at=None).count() == 1
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "API_KEY": "sk_sandbox_staging"}})

    assert outbox.dispatch_due() == 0

    assert OutboxEvent.objects.filter(dispatched_at=None).count() == 1


def test_numbers_are_in_no_repr():
    wish = Wish(number=FIFTY, fingerprint="f", amount_limit=None, experiences=None)
    assert FIFTY not in repr(wish)


def test_no_call_is_made_within_a_transaction_with_or_without_a_quota(
    db, sandbox, configure
):
    for limit in (0, 60):
        configure(RATE_LIMIT=limit)
        client = gateway.connect(get_conf().account("default"))
        with (
            transaction.atomic(),
            pytest.raises((RuntimeError, CallNotAllowed), match="transaction"),
        ):
            client.payment_methods()
    assert sandbox.log() == []


def test_a_sale_is_not_started_when_learning_the_payment_method_took_the_time(
    db, sandbox, monkeypatch
):
    catalogue.sync(get_conf().account("default"))
    sandbox.faults.add(Fault(operation="payment-methods", mode="unauthorised", times=1))
    sandbox.faults.add(
        Fault(operation="payment-methods", mode="slow", seconds=1.6, times=None)
    )
    monkeypatch.setattr(sales, "REQUEST_SECONDS", 1.5)

    order = sales.place_order(
        reference="sale-1",
        items=[{"product": 37, "price": "50.00"}],
        customer={
            "first_name": "John",
            "last_name": "Smith",
            "email": "john@example.org",
            "address1": "1 Mill Lane",
            "city": "Bath",
            "postcode": "BA1 1AA",
        },
        delivery={"method": 1, "price": "0.00"},
    )

    assert order.status == "queued"
    assert sandbox.sales() == []


def test_a_row_that_is_not_what_its_journal_says_stops_the_payment(session, sandbox):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after", voucher_no="X"))
    payments.add_voucher(reference=REF, voucher_no="GOOD-0025-0001")
    payments.confirm(reference=REF)
    Redemption.objects.filter(position=1).update(amount=40)

    with pytest.raises(PaymentError) as refused:
        payments.refund(reference=REF, amount="25.00")

    assert refused.value.code == "needs_attention"
    assert PaymentSession.objects.get().attention_code == "books_differ"
    assert reconciliation.reconcile().attention == 1
