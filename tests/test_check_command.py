"""``smartgift_check``: what both sides know of one voucher, for the shop's own staff."""

import io
import sys
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from tests.services.test_sales import CUSTOMER
from wagtail_smartgift import payments, sales
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import GuessCounter, VoucherOrderItem
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, vault


pytestmark = pytest.mark.django_db

NUMBER = "GOOD-0100-0001"


def check(number=NUMBER, *options):
    out = StringIO()
    failure = ""
    try:
        call_command("smartgift_check", number, *options, stdout=out)
    except CommandError as error:
        failure = str(error)
    assert len(number) <= 4 or number not in out.getvalue() + failure
    return out.getvalue().splitlines(), failure


def test_money(sandbox):
    lines, failure = check()

    assert failure == ""
    assert lines[0].startswith("…0001, account default at http://127.0.0.1:")
    assert lines[1:] == [
        "Type: monetary",
        "Balance: 100.00",
        "Held: no",
        "Nothing is known of it here.",
    ]
    assert not GuessCounter.objects.exists()


def test_experiences(sandbox):
    lines, _failure = check("TEA-0002-0001")

    assert "Type: experience" in lines
    assert [line.split(":")[0] for line in lines if line.startswith("Exp")] == [
        "Experience 2",
        "Experience 8",
    ]
    assert not any("Balance" in line for line in lines)


def test_a_voucher_with_nothing_left(sandbox):
    lines, failure = check("EMPTY-0000-0001")

    assert "Nothing is left on it." in lines
    assert failure == ""


@pytest.mark.parametrize(
    ("style", "says"),
    [
        ("utc", "GMT"),
        ("naive", "in a time zone that is not told"),
        ("absent", "not told"),
    ],
)
def test_who_holds_it(sandbox, style, says):
    sandbox.behaviour.held_until = style

    lines, _failure = check("HELD-0050-0001")

    [held] = [line for line in lines if line.startswith("Held: ")]
    assert says in held
    if style == "utc":
        until = timezone.localtime(sandbox.clock.datetime() + timedelta(seconds=300))
        assert (
            f"until {until:%H:%M}" in held
            or f"until {until - timedelta(minutes=1):%H:%M}" in held
        )


def test_what_it_paid_for_here(sandbox):
    payments.open_session(reference="order-1", amount_due="30.00")
    payments.add_voucher(reference="order-1", voucher_no=NUMBER)
    payments.confirm(reference="order-1")
    payments.open_session(reference="order-2", amount_due="80.00")
    payments.add_voucher(reference="order-2", voucher_no=NUMBER)

    lines, failure = check()

    assert failure == ""
    assert "Balance: 70.00" in lines
    [first, second] = [line for line in lines if line.startswith("Payment")]
    assert first.startswith("Payment order-1 (confirmed): redeemed, 30.00 GBP, 20")
    assert second.startswith("Payment order-2 (open): held, 70.00 GBP, 20")


def test_the_order_it_was_sold_in(sandbox):
    catalogue.sync(get_conf().account("default"))
    sales.place_order(
        reference="order-1",
        items=[{"product": 37, "price": "50.00"}],
        customer=CUSTOMER,
        delivery={"method": "1", "price": "0.00"},
    )
    number = vault.open_sealed(VoucherOrderItem.objects.get().number_encrypted)

    lines, _failure = check(number)

    assert lines[0].startswith(f"…{number[-4:]},")
    assert any(
        line.startswith("Sold here in order order-1 (placed) for 50.00")
        for line in lines
    )


def test_a_refusal_is_exit_status_1_and_what_is_known_is_told(sandbox):
    payments.open_session(reference="order-1", amount_due="30.00")
    payments.add_voucher(reference="order-1", voucher_no=NUMBER)
    sandbox.expire_voucher(NUMBER)

    lines, failure = check()

    assert (
        "Smart Gift refuses it (unknown). It says: Sorry, this voucher has expired."
        in failure
    )
    assert any(line.startswith("Payment order-1") for line in lines)


def test_an_unknown_number(sandbox):
    lines, failure = check("NO-SUCH-VOUCHER")

    assert "invalid_voucher" in failure
    assert lines[-1] == "Nothing is known of it here."


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"mode": "status", "status": 503}, "could not be asked"),
        ({"mode": "unauthorised"}, "key was not accepted"),
        ({"mode": "rate_limited"}, "quota"),
    ],
)
def test_a_smart_gift_that_does_not_answer(sandbox, fault, said):
    sandbox.faults.add(Fault(operation="check", times=None, **fault))

    lines, failure = check()

    assert said in failure
    assert lines[-1] == "Nothing is known of it here."


def test_the_number_may_come_from_standard_input(sandbox, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"  {NUMBER} \nsomething else\n"))

    lines, failure = check("-")

    assert failure == ""
    assert "Balance: 100.00" in lines


@pytest.mark.parametrize(
    ("number", "options", "said"),
    [
        ("", (), "There is no voucher number."),
        ("X" * 65, (), "too long"),
        (NUMBER, ("--account", "nobody"), "no account 'nobody'"),
        (NUMBER, ("--site-id", "99"), "invalid_site"),
    ],
)
def test_what_cannot_be_asked(sandbox, number, options, said):
    _lines, failure = check(number, *options)
    assert said in failure


def test_another_accounts_voucher(sandbox, configure, settings):
    accounts = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]
    quay = {**accounts["default"], "API_KEY": "sk_sandbox_quay", "SITE_ID": "9"}
    configure(ACCOUNTS={**accounts, "quay": quay})

    lines, failure = check("QUAY-0050-0001", "--account", "quay")

    assert failure == ""
    assert "Balance: 50.00" in lines


def test_a_database_that_cannot_be_used(sandbox, monkeypatch):
    def fail(*_arguments, **_options):
        raise OperationalError("gone")

    monkeypatch.setattr("wagtail_smartgift.services.enquiry._uses", fail)

    assert "database" in check()[1]
