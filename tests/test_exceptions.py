"""What a customer is told to do next, for each code."""

import re
from datetime import datetime, timezone

import pytest
import time_machine

from wagtail_smartgift.exceptions import (
    ERROR_CODES,
    PaymentError,
    SaleError,
    minute_after,
    whole_minute,
)


#: Codes that only a program can meet, or that say which field is wrong.
FOR_PROGRAMS = {
    "malformed",
    "idempotency_key_required",
    "unauthenticated",
    "idempotency_conflict",
    "in_progress",
    "reference_conflict",
    "currency_mismatch",
    "not_confirmed",
    "amount_too_large",
    "not_found",
    "invalid",
    "order_refused",
}
NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize("code", sorted(set(ERROR_CODES) - FOR_PROGRAMS))
def test_every_refusal_says_what_to_do_next(code):
    advice = PaymentError(code, retry_after=30).advice

    assert advice != str(ERROR_CODES[code][1])
    assert len(re.findall(r"[.;:,]", advice)) >= 2, advice
    assert advice.endswith(".")
    assert "%" not in advice


@pytest.mark.parametrize("code", sorted(FOR_PROGRAMS))
def test_where_there_is_nothing_to_do_it_says_what_happened(code):
    assert PaymentError(code).advice == str(ERROR_CODES[code][1])


@pytest.mark.parametrize(
    ("seconds", "time"),
    [(None, "12:02"), (1, "12:01"), (29.5, "12:01"), (31, "12:02"), (300, "12:06")],
)
def test_nobody_comes_back_too_early(settings, seconds, time):
    settings.TIME_ZONE = "Europe/London"
    with time_machine.travel(NOON, tick=False):
        advice = PaymentError("voucher_held", retry_after=seconds).advice

    assert f"in use elsewhere until {time}. Try again then" in advice


def test_a_wrong_field_says_what_is_wrong_with_it():
    error = PaymentError("throttled", fields={"voucher_no": "Pay another way."})

    assert error.advice == "Pay another way."
    assert SaleError("order_refused", "Not that one.").advice == "Not that one."


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ("14:31:00", "14:31"),
        ("14:31:00.000001", "14:32"),
        ("14:31:00.500000", "14:32"),
        ("14:31:01", "14:32"),
        ("14:31:59.999999", "14:32"),
        ("14:59:30", "15:00"),
        ("23:59:30", "00:00"),
    ],
)
def test_a_minute_that_is_told_is_never_too_early(end, told):
    moment = datetime.fromisoformat(f"2026-03-01T{end}+00:00")

    assert whole_minute(moment) == told


def test_where_nobody_said_how_long_it_is_a_minute():
    with time_machine.travel(NOON, tick=False):
        assert minute_after(None) == minute_after(60) == "12:02"
        assert minute_after(29.75) == minute_after(30) == "12:01"
        assert minute_after(30.25) == "12:02"
