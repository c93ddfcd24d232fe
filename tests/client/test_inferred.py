import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.conftest import sample
from wagtail_smartgift.client import RefusalReason
from wagtail_smartgift.client.inferred import (
    delivery_method_value,
    has_more_pages,
    is_about_the_key,
    json_number,
    refusal_reason,
)
from wagtail_smartgift.client.schemas.reading import read_errors


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("error_invalid_voucher", RefusalReason.INVALID_VOUCHER),
        ("error_invalid_site", RefusalReason.INVALID_SITE),
        ("error_not_enough_balance", RefusalReason.NOT_ENOUGH_BALANCE),
        ("error_already_held", RefusalReason.ALREADY_HELD),
        ("error_not_held", RefusalReason.NOT_HELD),
        ("error_invalid_redemptions", RefusalReason.INVALID_REDEMPTIONS),
    ],
)
def test_every_documented_refusal_is_recognised(name, reason):
    body = sample(name)
    assert refusal_reason(*read_errors(body)) is reason
    # The message alone is enough where it repeats the field's text.
    if body["message"] != "The given data was invalid.":
        assert refusal_reason(body["message"], {}) is reason


@pytest.mark.parametrize(
    "text",
    [
        "Voucher is already held",
        "voucher is already held.",
        "  Voucher is  already held.  ",
        "VOUCHER IS ALREADY HELD",
        "Voucher is already held (and 1 more error)",
        "Voucher is already held. (and 2 more errors)",
    ],
)
def test_full_stops_case_and_laravels_count_do_not_matter(text):
    assert refusal_reason(text, {}) is RefusalReason.ALREADY_HELD
    assert refusal_reason("", {"anything": (text,)}) is RefusalReason.ALREADY_HELD


@pytest.mark.parametrize(
    ("message", "fields", "reason"),
    [
        ("", {}, RefusalReason.UNKNOWN),
        ("This voucher has expired.", {}, RefusalReason.UNKNOWN),
        ("Not: Voucher is already held", {}, RefusalReason.UNKNOWN),
        # The first text of a field is the one that matters.
        ("", {"voucher_no": ("Expired", "Voucher is already held")},
         RefusalReason.UNKNOWN),
        ("", {"voucher_no": ()}, RefusalReason.UNKNOWN),
        ("", {"reference": ("The reference has already been taken.",)},
         RefusalReason.DUPLICATE_REFERENCE),
        ("", {"reference": ("Duplicate order",)}, RefusalReason.DUPLICATE_REFERENCE),
        ("", {"reference": ("The reference is too long.",)}, RefusalReason.UNKNOWN),
        ("", {"items.0.code": ("The code has already been taken.",)},
         RefusalReason.INVALID_CODE),
        ("", {"items.12.code": ("Too short",)}, RefusalReason.INVALID_CODE),
        ("", {"items.0.price": ("Off the step",)}, RefusalReason.UNKNOWN),
        ("", {"postcode": ("Required",)}, RefusalReason.UNKNOWN),
        ("", {"redemptions.0": ("Not yours",)}, RefusalReason.INVALID_REDEMPTIONS),
        ("", {"delivery.delivery_date": ("No date",)}, RefusalReason.INVALID_DATE),
        ("", {"date": ("Please provide a valid date.",)}, RefusalReason.INVALID_DATE),
    ],
)  # fmt: skip
def test_what_is_not_documented_is_read_with_care(message, fields, reason):
    assert refusal_reason(message, fields) is reason


def test_a_422_about_the_key_is_noticed_wherever_it_says_so():
    assert is_about_the_key("The Smart-Auth header is missing", {})
    assert is_about_the_key("", {"smart_auth": ("is incorrect",)})
    assert is_about_the_key("", {"key": ("Your SMART-AUTH is incorrect",)})
    assert not is_about_the_key("Voucher is already held", {"voucher_no": ("x",)})


@given(st.integers(min_value=0, max_value=9_999_999_999))
def test_money_goes_out_as_its_exact_decimal_text(pennies):
    amount = Decimal(pennies).scaleb(-2)
    written = json.dumps(json_number(amount))
    assert Decimal(written) == amount
    assert "e" not in written
    assert len(written.partition(".")[2]) <= 2


def test_money_goes_out_without_zeros_that_say_nothing():
    written = [json_number(Decimal(text)) for text in ("10", "10.00", "10.50", "0.01")]
    assert json.dumps(written) == "[10, 10, 10.5, 0.01]"


def test_a_delivery_method_is_a_number_where_it_looks_like_one():
    assert delivery_method_value("12") == 12
    assert delivery_method_value(12) == 12
    assert delivery_method_value("email") == "email"
    assert delivery_method_value("²") == "²"


def test_one_page_of_several_is_noticed():
    assert not has_more_pages([])
    assert not has_more_pages({"data": []})
    assert not has_more_pages({"data": [], "links": {"next": None}, "meta": {}})
    assert has_more_pages({"data": [], "links": {"next": "https://…?page=2"}})
    assert has_more_pages({"data": [], "next_page_url": "https://…?page=2"})
