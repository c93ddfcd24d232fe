"""The purchase form offers what Smart Gift would accept, and accepts nothing else."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.template import Context, Template
from django.utils import timezone, translation

from wagtail_smartgift.amounts import read_amount
from wagtail_smartgift.conf import DeliveryMethod
from wagtail_smartgift.forms import PurchaseForm, VoucherChoice
from wagtail_smartgift.models import VoucherProduct


EMAIL = DeliveryMethod(id="1", name="E-mail", price=Decimal("0.00"), posted=False)
POST = DeliveryMethod(id="2", name="Post", price=Decimal("3.95"), posted=True)


def money(lowest="10.00", highest="40.00", step="10.00", **values):
    return VoucherProduct(
        account="default",
        remote_id=37,
        title="Money",
        type="monetary",
        status="active",
        min_amount=Decimal(lowest),
        max_amount=Decimal(highest),
        increment=None if step is None else Decimal(step),
        **values,
    )


def tea(lowest=2, highest=6):
    return VoucherProduct(
        account="default",
        remote_id=39,
        title="Tea",
        type="experience",
        status="active",
        price=Decimal("29.50"),
        persons_min=lowest,
        persons_max=highest,
    )


def form(product, methods=(), **data):
    return PurchaseForm(data, product=product, delivery_methods=methods)


def test_few_amounts_are_all_shown():
    empty = PurchaseForm(product=money())

    html = str(empty["amount"])

    assert [html.count(f'value="{n}.00"') for n in (0, 10, 20, 30, 40, 50)] == [
        *(0, 1, 1, 1, 1, 0)
    ]
    assert "£20" in html
    assert "other" not in html
    assert "amount_other" not in empty.fields


def test_of_many_amounts_round_ones_are_shown_and_the_others_typed():
    empty = PurchaseForm(product=money("10", "1000", "5"))

    assert [value for value, _label in empty.fields["amount"].choices] == [
        *("10.00", "25.00", "50.00", "100.00", "250.00", "500.00", "other")
    ]
    # Typed as text: whatever their language writes, and no wheel that turns it.
    assert 'type="text"' in str(empty["amount_other"])
    assert empty["amount_other"].label == "Your amount in £"
    assert empty["amount_other"].help_text == (
        "Enter an amount from £10.00 to £1,000.00, in steps of £5.00."
    )


MANY = ("10", "1000", "5")


@pytest.mark.parametrize(
    ("data", "price"),
    [
        ({"amount": "50.00"}, "50"),
        ({"amount": "50.00", "amount_other": "50"}, "50"),
        ({"amount": "other", "amount_other": " £135 "}, "135"),
        # A browser that cannot hide the field, where nothing else was chosen.
        ({"amount_other": "1,000.00"}, "1000"),
        # A form of a host's own, with one field.
        ({"amount": "135"}, "135"),
    ],
)
def test_an_amount_is_chosen_or_typed(data, price):
    bound = form(money(*MANY), **data)

    assert bound.is_valid(), bound.errors
    assert bound.choice().price == Decimal(price)


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({}, "amount", "Choose an amount."),
        ({"amount": ""}, "amount", "Choose an amount."),
        ({"amount": "7"}, "amount", "from £10.00 to £1,000.00"),
        ({"amount": "other"}, "amount_other", "from £10.00 to £1,000.00"),
        ({"amount": "other", "amount_other": "137"}, "amount_other", "steps of £5.00"),
        ({"amount": "other", "amount_other": "ten"}, "amount_other", "steps of £5.00"),
        ({"amount_other": "0"}, "amount_other", "from £10.00"),
        # Which of the two is meant, nobody but the customer knows.
        (
            {"amount": "50.00", "amount_other": "135"},
            "amount_other",
            "You chose £50.00",
        ),
        (
            {"amount": "50.00", "amount_other": "ten"},
            "amount_other",
            "You chose £50.00",
        ),
    ],
)
def test_what_is_no_amount_is_asked_for_where_it_was_given(data, field, words):
    bound = form(money(*MANY), **data)

    assert list(bound.errors) == [field]
    assert words in bound.errors[field][0]


@pytest.mark.parametrize(
    ("terms", "amount", "valid"),
    [
        (("10", "40", "10"), "30", True),
        (("10", "40", "10"), "30.00", True),
        (("10", "40", "10"), "35", False),
        (("10", "40", "10"), "0", False),
        (("10", "40", "10"), "50", False),
        (("10", "40", "10"), "-10", False),
        (("10", "40", "10"), "", False),
        (("10", "40", "10"), "NaN", False),
        (("10", "40", "10"), "1e1", False),
        (("10", "40", "10"), "ten", False),
        (("10", "45", "10"), "45", False),
        (("0.10", "0.70", "0.20"), "0.70", True),
        (("0.10", "0.70", "0.20"), "0.60", False),
        (("10", "1000", "5"), "995", True),
        (("10", "1000", "5"), "997", False),
        (("10", "20", None), "12.34", True),
        (("10", "20", None), "12.345", False),
    ],
)
def test_only_amounts_in_whole_steps_are_valid(terms, amount, valid):
    assert form(money(*terms), amount=amount).is_valid() is valid


def test_a_single_amount_is_not_asked_for():
    bound = form(money("25", "25", "5"))

    assert "amount" not in bound.fields
    assert bound.is_valid()
    assert bound.choice().price == Decimal("25")


@pytest.mark.parametrize(
    ("range_", "persons", "price"),
    [((2, 6), 2, "59.00"), ((2, 6), 6, "177.00"), ((1, 2), 1, "29.50")],
)
def test_an_experience_is_priced_by_its_persons(range_, persons, price):
    bound = form(tea(*range_), persons=str(persons))

    assert bound.is_valid(), bound.errors
    assert (bound.choice().persons, bound.choice().price) == (persons, Decimal(price))


def test_persons_are_offered_with_their_price():
    html = str(PurchaseForm(product=tea(1, 2))["persons"])

    assert "1 person – £29.50" in html
    assert "2 people – £59.00" in html


@pytest.mark.parametrize(
    ("language", "group", "point"),
    [
        ("en-gb", ",", "."),
        ("cy", ",", "."),
        ("de", ".", ","),
        ("fr", "\N{NO-BREAK SPACE}", ","),
        ("es", "\N{NO-BREAK SPACE}", ","),
        ("pl", "\N{NO-BREAK SPACE}", ","),
    ],
)
def test_a_script_sees_how_prices_are_written(language, group, point):
    with translation.override(language):
        page = Template("{% load smartgift_catalogue %}{% money_sample %}")
        sample = page.render(Context())

    # As voucher-page.js takes it apart; the symbol may stand at either end.
    signs = re.fullmatch(r"(\D*)1(\D*)234(\D+)56(\D*)", sample).groups()
    assert signs[1:3] == (group, point)
    assert "£" in signs[0] + signs[3]
    # And what somebody there would type is read.
    assert read_amount(sample) == Decimal("1234.56")


def test_many_numbers_of_persons_are_a_list():
    few, many = PurchaseForm(product=tea(1, 8)), PurchaseForm(product=tea(1, 9))

    assert 'type="radio" name="persons" value="1"' in str(few["persons"])
    assert "<select" in str(many["persons"])
    # One of them is chosen from the beginning, in either.
    assert str(few["persons"]).count("checked") == 1


@pytest.mark.parametrize("persons", ["1", "7", "", "2.5", "x"])
def test_persons_out_of_range_are_refused(persons):
    assert not form(tea(), persons=persons).is_valid()


@pytest.mark.parametrize(
    ("range_", "persons"), [((None, None), 1), ((1, 1), 1), ((2, 2), 2), ((2, None), 2)]
)
def test_a_single_number_of_persons_is_not_asked_for(range_, persons):
    bound = form(tea(*range_))

    assert "persons" not in bound.fields
    assert bound.is_valid()
    assert bound.choice().persons == persons
    assert bound.choice().price == Decimal("29.50") * persons


def test_persons_are_never_a_list_without_end():
    assert len(tea(1, 2**31 - 1).persons_range) == 500


def test_the_choice_says_everything():
    day = timezone.localdate() + timedelta(days=3)
    bound = form(
        money(),
        [EMAIL, POST],
        amount="20",
        to=" Ada ",
        sender="Bob",
        message="Enjoy!\nBob",
        delivery_method="2",
        delivery_date=day.isoformat(),
    )

    assert bound.is_valid(), bound.errors
    assert bound.choice() == VoucherChoice(
        product_id=37,
        title="Money",
        price=Decimal("20.00"),
        persons=None,
        to="Ada",
        sender="Bob",
        message="Enjoy!\nBob",
        delivery_method="2",
        delivery_date=day,
    )


def test_delivery_is_asked_for_only_where_there_are_methods():
    assert "delivery_method" not in form(money(), amount="20").fields
    without = form(money(), [EMAIL, POST], amount="20")
    assert "delivery_method" in without.errors
    assert "delivery_method" in form(money(), [POST], delivery_method="9").errors
    html = str(PurchaseForm(product=money(), delivery_methods=[EMAIL, POST]))
    assert "E-mail – free" in html
    assert "Post – £3.95" in html


@pytest.mark.parametrize(
    ("when", "day", "sent", "words"),
    [
        ("now", "", None, ""),
        ("later", "2030-12-24", date(2030, 12, 24), ""),
        # A form of a host's own, with one field.
        (None, "2030-12-24", date(2030, 12, 24), ""),
        (None, "", None, ""),
        ("later", "", None, "Choose the day."),
        ("now", "2030-12-24", None, "You chose “At once” and a day."),
        ("later", "2030-12-32", None, "Enter a day such as 2030-12-24."),
    ],
)
@time_machine.travel("2030-12-01T12:00:00+00:00", tick=False)
def test_a_voucher_is_sent_at_once_or_on_a_day(when, day, sent, words):
    data = {"amount": "20", "delivery_date": day}
    bound = form(money(), **data, **({"delivery_when": when} if when else {}))

    assert bound.is_valid() is (not words)
    if words:
        assert words in bound.errors["delivery_date"][0]
    else:
        assert bound.choice().delivery_date == sent


@pytest.mark.parametrize(
    ("product", "price"),
    [
        (money("25", "25", "5"), "25"),
        (tea(2, 2), "59.00"),
        (money(), None),
        (tea(), None),
    ],
)
def test_what_costs_one_price_says_it(product, price):
    assert PurchaseForm(product=product).only_price == (price and Decimal(price))


@time_machine.travel("2026-11-23T12:00:00+00:00", tick=False)
@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("", True),
        ("2026-11-22", False),
        ("2026-11-23", True),
        ("2026-11-24", True),
        ("2027-11-24", True),
        ("2027-11-25", False),
        ("2026-02-30", False),
        ("24/12/2026", False),
        ("tomorrow", False),
    ],
)
def test_days_that_smart_gift_would_take_for_at_once_are_refused(text, valid):
    bound = form(money(), amount="20", delivery_date=text)

    assert bound.is_valid() is valid
    assert valid or set(bound.errors) == {"delivery_date"}


@time_machine.travel("2026-06-30T23:30:00+00:00", tick=False)
def test_today_is_the_shops_own():
    # Half past midnight in London.
    bound = form(money(), amount="20", delivery_date="2026-06-30")

    assert "delivery_date" in bound.errors
    bound = form(money(), amount="20", delivery_date="2026-07-01")
    assert bound.is_valid()
    assert bound.choice().delivery_date == date(2026, 7, 1)


@pytest.mark.parametrize(
    ("field", "text", "valid"),
    [
        ("to", "x" * 100, True),
        ("to", "x" * 101, False),
        ("sender", "x" * 101, False),
        ("message", "x" * 1000, True),
        ("message", "x" * 1001, False),
        ("message", ("a" * 9 + "\r\n") * 100, True),
        ("message", ("a" * 9 + "\r\n") * 100 + "b", False),
        ("message", "a\u0007b", False),
        ("to", "a\u009fb", False),
        ("to", "a\nb", False),
        ("sender", "a\tb", False),
        ("message", "a\r\nb", True),
        ("to", "Zoë 🎁", True),
    ],
)
def test_what_is_printed_has_limits(field, text, valid):
    assert form(money(), amount="20", **{field: text}).is_valid() is valid


@pytest.mark.parametrize("sent", ["Enjoy!\r\nBob", "Enjoy!\rBob", "Enjoy!\nBob"])
def test_a_break_is_one_character_however_it_was_sent(sent):
    bound = form(money(), amount="20", message=sent)

    assert bound.is_valid()
    assert bound.choice().message == "Enjoy!\nBob"
