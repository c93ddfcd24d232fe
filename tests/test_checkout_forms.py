"""The checkout step: what is asked, and what ``place_order`` gets of it."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template.loader import render_to_string
from django.utils import timezone

from wagtail_smartgift.checkout_forms import VoucherCustomerForm, VoucherDeliveryForm
from wagtail_smartgift.conf import DeliveryMethod


EMAIL = DeliveryMethod(id="1", name="E-mail", price=Decimal("0.00"), posted=False)
POST = DeliveryMethod(id="2", name="Post", price=Decimal("3.95"), posted=True)

CUSTOMER = {
    "customer-first_name": "John",
    "customer-last_name": "Smith",
    "customer-email": "john@example.org",
    "customer-address1": "1 Mill Lane",
    "customer-city": "Bath",
    "customer-postcode": "BA1 1AA",
}
ELSEWHERE = {
    "delivery-first_name": "Jane",
    "delivery-last_name": "Smith",
    "delivery-address1": "2 Mill Lane",
    "delivery-city": "Bath",
    "delivery-postcode": "BA1 1AB",
}


def make_customer():
    form = VoucherCustomerForm(CUSTOMER)
    assert form.is_valid()
    return form.as_order()


def make_delivery(methods=(EMAIL, POST), **data):
    return VoucherDeliveryForm(
        {f"delivery-{name}": value for name, value in data.items()}, methods=methods
    )


def test_the_buyer_is_read_as_an_order_wants_it():
    assert make_customer() == {
        "first_name": "John",
        "last_name": "Smith",
        "email": "john@example.org",
        "phone": "",
        "address1": "1 Mill Lane",
        "address2": "",
        "city": "Bath",
        "county": "",
        "postcode": "BA1 1AA",
    }


def test_what_smart_gift_requires_of_the_buyer_is_required():
    form = VoucherCustomerForm({})

    assert set(form.errors) == {
        "first_name",
        "last_name",
        "email",
        "address1",
        "city",
        "postcode",
    }


def test_an_order_by_email_has_no_address():
    form = make_delivery(method="1", to_buyer="on")

    assert form.is_valid()
    assert form.as_order(customer=make_customer()) == {
        "method": "1",
        "price": Decimal("0.00"),
        "date": None,
    }


def test_a_posted_order_goes_to_the_buyer():
    day = timezone.localdate() + timedelta(days=5)
    form = make_delivery(method="2", to_buyer="on", date=day.isoformat())

    assert form.is_valid()
    delivery = form.as_order(customer=make_customer())
    assert delivery["price"] == Decimal("3.95")
    assert delivery["date"] == day
    assert delivery["address"]["first_name"] == "John"
    assert "email" not in delivery["address"]


def test_a_posted_order_goes_elsewhere():
    form = VoucherDeliveryForm(
        {"delivery-method": "2", **ELSEWHERE}, methods=(EMAIL, POST)
    )

    assert form.is_valid()
    delivery = form.as_order(customer=make_customer())
    assert delivery["address"]["address1"] == "2 Mill Lane"


def test_a_posted_order_that_goes_elsewhere_needs_to_know_where():
    form = make_delivery(method="2")

    assert set(form.errors) == {
        "first_name",
        "last_name",
        "address1",
        "city",
        "postcode",
    }


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-1, "This day has passed."),
        (0, None),
        (366, None),
        (367, "Choose a day within a year from today."),
    ],
)
def test_a_day_that_smart_gift_would_not_understand_is_refused(days, said):
    day = timezone.localdate() + timedelta(days=days)
    form = make_delivery(method="1", date=day.isoformat())

    assert form.errors == ({"date": [said]} if said else {})


def test_a_method_that_the_shop_does_not_have_is_refused():
    assert "method" in make_delivery(method="9").errors
    assert "method" in make_delivery().errors


def test_a_shop_that_posts_nothing_asks_for_no_address():
    form = VoucherDeliveryForm(methods=(EMAIL,))

    assert set(form.fields) == {"method", "date"}


@pytest.mark.django_db
def test_the_methods_are_the_shops():
    form = VoucherDeliveryForm()

    assert list(form.methods) == ["1", "2"]
    assert [str(label) for _, label in form.fields["method"].choices] == [
        "E-mail – free",
        "First class post – £3.95",
    ]


@pytest.mark.django_db
def test_a_shop_without_methods_is_told_so(configure):
    configure(DELIVERY_METHODS=[])

    with pytest.raises(ImproperlyConfigured, match="DELIVERY_METHODS"):
        VoucherDeliveryForm()


def test_the_step_links_each_fault_to_its_field():
    html = render_to_string(
        "wagtail_smartgift/checkout_step.html",
        {
            "customer_form": VoucherCustomerForm({}),
            "delivery_form": make_delivery(method="2"),
        },
    )

    assert 'href="#smartgift-customer-email"' in html
    assert 'id="smartgift-customer-email"' in html
    assert 'href="#smartgift-delivery-postcode"' in html
    assert 'id="smartgift-delivery-postcode"' in html
    assert 'autocomplete="shipping postal-code"' in html
    assert 'role="alert"' in html


def test_the_step_has_no_summary_before_anything_was_sent():
    html = render_to_string(
        "wagtail_smartgift/checkout_step.html",
        {
            "customer_form": VoucherCustomerForm(),
            "delivery_form": VoucherDeliveryForm(methods=(EMAIL, POST)),
        },
    )

    assert 'role="alert"' not in html
    assert html.count("checked") == 2


@pytest.mark.parametrize(
    ("methods", "marked"), [((EMAIL, POST), ["2"]), ((EMAIL,), []), ((POST,), ["2"])]
)
def test_the_stylesheet_knows_when_an_address_is_needed(methods, marked):
    html = render_to_string(
        "wagtail_smartgift/checkout_step.html",
        {
            "customer_form": VoucherCustomerForm(),
            "delivery_form": VoucherDeliveryForm(methods=methods),
        },
    )

    choices = re.findall(r'<p class="smartgift-choice"( data-smartgift-posted)?>', html)
    values = re.findall(r'data-smartgift-posted><input [^>]*value="(\w+)"', html)
    assert len(choices) == len(methods) + bool(marked)
    assert values == marked
    assert ("smartgift-checkout__elsewhere" in html) is bool(marked)
