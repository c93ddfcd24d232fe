"""Which amounts are sold, which of them are shown, and how people write them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_smartgift.amounts import (
    MAX_COMMON,
    MAX_SHOWN,
    MIN_COMMON,
    AmountTerms,
    read_amount,
)
from wagtail_smartgift.models import VoucherProduct
from wagtail_smartgift.money import parse_amount


def terms(lowest, highest, step):
    return AmountTerms.of(
        VoucherProduct(
            min_amount=Decimal(lowest),
            max_amount=Decimal(highest),
            increment=None if step is None else Decimal(step),
        )
    )


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        # Few: all of them.
        (("10", "40", "10"), "10 20 30 40"),
        (("10", "45", "10"), "10 20 30 40"),
        (("0", "20", "10"), "10 20"),
        (("25", "25", "5"), "25"),
        (("0.10", "0.40", "0.10"), "0.1 0.2 0.3 0.4"),
        (("5", "40", "5"), "5 10 15 20 25 30 35 40"),
        # Many: the roundest.
        (("10", "1000", "5"), "10 25 50 100 250 500"),
        (("50", "5000", "50"), "50 100 250 500 1000 2500"),
        (("1", "10000", "1"), "1 5 10 25 50 100"),
        (("20", "200", "10"), "20 30 50 100 200"),
        (("10", "100", "10"), "10 20 30 50 100"),
        (("25", "75", None), "25 30 40 50 75"),
        (("10", "20", None), "10 15 20"),
        (("10", "20", "0"), "10 15 20"),
        # None of them is round: the smallest, and a field for the others.
        (("7.77", "99.99", "7.77"), "7.77"),
    ],
)
def test_a_handful_is_shown(values, shown):
    assert terms(*values).first == [Decimal(amount) for amount in shown.split()]


@given(
    lowest=st.decimals("0.01", "5000", places=2),
    more=st.decimals("0", "20000", places=2),
    step=st.one_of(st.none(), st.decimals("0.01", "500", places=2)),
)
def test_what_is_shown_can_be_bought(lowest, more, step):
    sold = terms(lowest, lowest + more, step)

    shown = sold.first

    assert all(sold.allow(amount) for amount in shown)
    assert shown == sorted(set(shown))
    assert 1 <= len(shown) <= (MAX_COMMON if sold.count > MAX_SHOWN else MAX_SHOWN)
    assert sold.count > MAX_SHOWN or len(shown) == sold.count


def test_enough_are_shown_of_usual_terms():
    for lowest, step in (("10", "1"), ("10", "5"), ("20", "10"), ("25", "25")):
        for highest in ("250", "500", "1000"):
            assert len(terms(lowest, highest, step).first) >= MIN_COMMON


#: As people write it, and what it is. The script of the voucher's page reads the same.
AMOUNTS = {
    "50": "50",
    "50.5": "50.50",
    "50,50": "50.50",
    " £ 50.00 ": "50",
    "50 €": "50",
    "1,000": "1000",
    "1.000": "1000",
    "1,000.50": "1000.50",
    "1.000,50": "1000.50",
    "1\N{NO-BREAK SPACE}000,00": "1000",
    "1\N{NARROW NO-BREAK SPACE}000": "1000",
    "1\N{NARROW NO-BREAK SPACE}250,00\N{NO-BREAK SPACE}€": "1250",
    "1.250,00 €": "1250",
    "1’000.00": "1000",
    "1000000": "1000000",
    "0.01": "0.01",
    "50 zł": "50",
    "50,00 ZŁ": "50",
    "1 250,00 zł": "1250",
    "1'250.00": "1250",
    "50 GBP": "50",
    "GBP 50": "50",
    "gbp 1,250.00": "1250",
    "GBP50GBP": "50",
    "GBP £ 50": "50",
    "10 000 000.50": "10000000.50",
    "99999999.99": "99999999.99",
}
NO_AMOUNTS = [
    *("", " ", "£", "ten", "-50", "+50", "1e3", "NaN", "Infinity", "50.", ".50"),
    *("50.0000", "1,00,000", "0", "0.00", "1,0000", "12.34.56", "٥٠", "9" * 9),
    # A sign between the digits parts pounds and pennies, for some; and no fraction is
    # a group of thousands.
    *("12€50", "5$ 75", "10 € 50", "£10 £20", "50 60", "10\n20", "0.500", "0,125"),
    *("50 EUR", "GBP", "5GBP0", "50 GB", "zł", "50 zł GBP", "0" * 8 + "50"),
]


@pytest.mark.parametrize(("text", "amount"), AMOUNTS.items())
def test_amounts_are_read_as_they_are_written(text, amount):
    assert read_amount(text) == Decimal(amount)


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_nothing_else_is_an_amount(text):
    with pytest.raises(ValueError, match=r"."):
        read_amount(text)


@given(st.from_regex(r"[0-9]{1,8}(\.[0-9]{1,2})?", fullmatch=True))
def test_what_a_program_writes_is_read_as_the_same(text):
    try:
        amount = parse_amount(text)
    except ValueError:
        # Nothing.
        assert not Decimal(text)
    else:
        assert read_amount(text) == amount


def test_a_number_in_the_wrong_field_is_in_no_traceback():
    with pytest.raises(ValueError, match=r"amount") as error:
        read_amount("GOOD-0050-0001")

    seen = [frame.locals for frame in error.traceback[1:]]
    assert seen
    assert "0050-0001" not in repr(seen)
    assert "0050-0001" not in str(error.value)
