"""What a customer is told to do next, for each code."""

import re
from datetime import datetime, timezone

import pytest
import time_machine

from wagtail_smartgift.exceptions import ERROR_CODES, PaymentError, SaleError


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
