from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_smartgift.money import (
    format_money,
    parse_amount,
    parse_provider_money,
    parse_provider_number,
)


HUGE = 10**4000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("25", "25.00"),
        ("25.5", "25.50"),
        ("25.00", "25.00"),
        ("0.01", "0.01"),
        ("99999999.99", "99999999.99"),
        (25, "25.00"),
        (25.5, "25.50"),
        (0.1, "0.10"),
        (Decimal("25.000"), "25.00"),
        (Decimal("1E1"), "10.00"),
    ],
)
def test_an_amount_is_read_exactly(value, expected):
    assert str(parse_amount(value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "", "-1", "+1", "1.", ".5", "1.234", "1,00", "1e3", " 1", "1\n", "٣", "100000000",
        "NaN", -1, 1.005, 0.1 + 0.2, 100_000_000, HUGE, float("nan"), float("inf"),
        Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E-50"),
        True, False, None, [], b"1",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_a_text_for_people(value):
    with pytest.raises(ValueError, match="at most two decimals"):
        parse_amount(value)


@pytest.mark.parametrize("value", ["0", "0.00", 0, 0.0, -0.0, Decimal("-0.00")])
def test_zero_is_an_amount_only_where_it_is_allowed(value):
    if not str(value).startswith("-"):
        assert str(parse_amount(value, allow_zero=True)) == "0.00"
    with pytest.raises(ValueError, match="amount"):
        parse_amount(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("10.00", "10.00"),
        (" 10.5 ", "10.50"),
        (10, "10.00"),
        (Decimal("96.19999999999999"), "96.20"),
        (96.19999999999999, "96.20"),
        (Decimal("96.2000000001"), "96.20"),
        (Decimal("10.0099"), "10.01"),
        (Decimal("10.0098"), "10.00"),
        (Decimal("10.005"), "10.00"),
        (Decimal("-0.0"), "0.00"),
        (Decimal("1E-999999"), "0.00"),
    ],
)
def test_smart_gifts_money_is_that_penny_or_rounds_down(value, expected):
    assert str(parse_provider_money(value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        True, False, None, "", "abc", "1,000.00", "1e3", "NaN", "Infinity", -1, "-0.01",
        float("nan"), float("inf"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"),
        Decimal("1E999999"), HUGE, 100_000_000, [], {},
    ],
)  # fmt: skip
def test_smart_gifts_money_must_be_money(value):
    with pytest.raises(ValueError, match="not a"):
        parse_provider_money(value)


def test_a_number_may_be_negative_and_larger_than_money():
    assert parse_provider_number("-12.5") == Decimal("-12.5")
    assert parse_provider_number(2**40) == 2**40


@given(st.integers(min_value=1, max_value=9_999_999_999))
def test_every_amount_survives_each_way_of_writing_it(pennies):
    amount = Decimal(pennies).scaleb(-2)
    text = format_money(amount)
    assert parse_amount(text) == parse_amount(float(amount)) == amount
    assert parse_provider_money(text) == parse_provider_money(float(amount)) == amount


def test_a_fraction_of_a_penny_is_never_printed_away():
    with pytest.raises(ValueError, match="fraction of a penny"):
        format_money(Decimal("1.005"))


def test_money_is_written_with_two_decimals():
    assert format_money(Decimal("25")) == "25.00"
    assert format_money(Decimal("1E+3")) == "1000.00"
    assert format_money(Decimal("0")) == "0.00"
