"""Faults that an attacker found, each by the test that fails without its mending."""

import time
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tests.factories import make_product
from wagtail_smartgift import payments
from wagtail_smartgift.client.schemas.reading import (
    read_errors,
    read_redeem,
    read_sale,
)
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import holds, vault


FIFTY, REF = "GOOD-0050-0001", "order-1"


def test_a_hostile_number_is_refused_at_once(session, sandbox):
    began = time.monotonic()

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(
            reference=REF, voucher_no="a" + "\u0301" * 100_000 + "\u0316" * 100_000
        )

    assert refused.value.code == "voucher_not_usable"
    assert time.monotonic() - began < 2
    assert sandbox.log() == []


def test_half_a_surrogate_pair_is_just_a_wrong_number(session):
    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference=REF, voucher_no="\ud800abc")
    assert refused.value.code == "voucher_not_usable"


@pytest.mark.django_db
def test_a_party_that_is_too_large_takes_nothing_down():
    product = make_product(1, type="experience", persons_min=600, persons_max=800)

    assert list(product.persons_range) == [600]
    assert not product.has_terms


def test_an_echo_without_a_number_leaves_ours_alone():
    body = {"data": {"order_id": "1", "items": [{"code": "", "voucher_no": "REAL-1"}]}}
    assert read_sale(body).codes == ("REAL-1",)
    body["data"]["items"] = [{"code": True}]
    assert read_sale(body).codes == ()


@pytest.mark.parametrize("odd", ["12\x00", "x" * 65, "\ud800", "a\nb"])
def test_an_id_that_cannot_be_stored_is_not_understood(odd):
    with pytest.raises(ValueError, match="redemption"):
        read_redeem({"data": {"redemptions": [odd]}})


def test_a_refusal_can_always_be_stored():
    message, fields = read_errors(
        {"message": "bad\x00\ud800", "errors": {"a\x00": ["\x00b"]}}
    )
    assert (message, fields) == ("bad?", {"a": ("b",)})


@pytest.mark.parametrize(
    "far",
    [datetime.max.replace(tzinfo=timezone.utc), datetime(1, 1, 1, tzinfo=timezone.utc)],
)
def test_the_end_of_time_is_no_end_of_a_hold(session, sandbox, far):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    sent_at = datetime.now(tz=timezone.utc)

    class State:
        held_until = far
        answered_at = None

    assert holds.deadline(sent_at, State()) == sent_at + timedelta(seconds=295)
    assert 1 <= holds.VoucherHeld(far).retry_after <= 305


def test_a_hold_of_another_account_is_left_alone(session, sandbox):
    payments.add_voucher(reference=REF, voucher_no=FIFTY, amount="10.00")
    payments.confirm(reference=REF)
    PaymentSession.objects.update(account_key_hash="of production")
    payments.open_session(reference="order-2", amount_due="10.00")

    payments.add_voucher(reference="order-2", voucher_no=FIFTY)

    assert "release" not in [line.operation for line in sandbox.log()]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "metadata", [{"a": float("nan")}, {"a": "\x00"}, {"a": "\ud800"}, {"\x00": 1}]
)
def test_metadata_that_no_database_stores_is_refused(metadata):
    with pytest.raises(PaymentError) as refused:
        payments.open_session(reference="m", amount_due="1.00", metadata=metadata)
    assert list(refused.value.fields) == ["metadata"]
    assert not PaymentSession.objects.exists()


def test_many_experiences_fit_the_columns(session, sandbox):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    Redemption.objects.update(baseline=Decimal(2**45))
    assert Redemption.objects.get().baseline == 2**45


def test_normalising_keeps_what_people_type():
    assert vault.normalise(" GOOD-0050\u00a0-0001 ") == FIFTY
