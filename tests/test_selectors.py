"""Which shop a site is, and what it sells."""

from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from wagtail.models import Site

from tests.factories import (
    make_product,
    make_site,
)
from wagtail_smartgift import selectors
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.conf import DeliveryMethod, get_conf
from wagtail_smartgift.models import SmartGiftSettings


pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return make_site()


@pytest.fixture
def two_accounts(configure, settings):
    accounts = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]
    configure(
        ACCOUNTS={
            **accounts,
            "quay": {
                "API_KEY": "sk_quay",
                "BASE_URL": "http://127.0.0.1:9",
                "SITE_ID": "9",
            },
        },
        PAYMENT_METHOD=12,
    )


# The shop


def test_a_site_without_settings_is_the_default_account(site):
    shop = selectors.shop_for(site)

    assert shop.account == get_conf().account("default")
    assert shop.site_id == "1"
    assert shop.delivery_methods == get_conf().delivery_methods
    assert shop.payment_method is None
    assert selectors.shop_for(None) == shop
    assert not SmartGiftSettings.objects.exists()


def test_a_site_says_what_is_different_about_it(site, two_accounts):
    SmartGiftSettings.objects.create(
        site=site,
        account="quay",
        smartgift_site_id="77",
        payment_method=3,
        delivery_methods=[
            (
                "method",
                {
                    "id": " 5 ",
                    "name": "Courier",
                    "price": Decimal("7.50"),
                    "posted": True,
                },
            )
        ],
    )

    shop = selectors.shop_for(Site.objects.get(pk=site.pk))

    assert shop.account.alias == "quay"
    assert shop.site_id == "77"
    assert shop.payment_method == 3
    assert shop.delivery_methods == (
        DeliveryMethod(id="5", name="Courier", price=Decimal("7.50"), posted=True),
    )


def test_what_a_site_leaves_blank_is_the_accounts_or_the_settings(site, two_accounts):
    SmartGiftSettings.objects.create(site=site, account="quay")

    shop = selectors.shop_for(site)

    assert (shop.site_id, shop.payment_method) == ("9", 12)
    assert [method.id for method in shop.delivery_methods] == ["1", "2"]


def test_an_account_that_is_configured_no_more_is_named(site):
    SmartGiftSettings.objects.create(site=site, account="closed")

    with pytest.raises(ImproperlyConfigured, match=r"localhost.*'closed'.*default"):
        selectors.shop_for(site)


# Products


@pytest.mark.parametrize(
    ("values", "availability", "listed"),
    [
        ({}, Availability.ON_SALE, True),
        ({"available_count": 1}, Availability.ON_SALE, True),
        ({"available_count": 0}, Availability.SOLD_OUT, True),
        ({"status": "hidden"}, Availability.ON_SALE, False),
        ({"status": "hidden", "available_count": 0}, Availability.SOLD_OUT, False),
        ({"status": "disabled"}, Availability.OFF_SALE, False),
        ({"status": "unknown"}, Availability.OFF_SALE, False),
        ({"status": "at_counter_only"}, Availability.AT_COUNTER_ONLY, False),
        ({"type": "unknown"}, Availability.OFF_SALE, True),
        ({"min_amount": None}, Availability.OFF_SALE, True),
        ({"max_amount": Decimal(5)}, Availability.OFF_SALE, True),
        ({"type": "experience"}, Availability.OFF_SALE, True),
        ({"gone_at": timezone.now()}, Availability.GONE, False),
        ({"gone_at": timezone.now(), "status": "hidden"}, Availability.GONE, False),
    ],
)
def test_availability(site, values, availability, listed):
    product = make_product(**values)
    shop = selectors.shop_for(site)

    assert product.availability == availability
    assert selectors.availability(product, shop) == availability
    assert (product in selectors.products_on_sale(shop.account)) is listed
    assert product.is_listed is listed
    assert selectors.find_product(shop.account, 37) == product


def test_another_companys_product_is_not_sold_here(site):
    product = make_product(account="other")
    shop = selectors.shop_for(site)

    assert selectors.availability(product, shop) == Availability.OFF_SALE
    assert selectors.find_product(shop.account, 37) is None
    assert not selectors.products_on_sale(shop.account).exists()


def test_ids_that_no_column_holds_are_unknown(site):
    account = selectors.shop_for(site).account

    assert selectors.find_product(account, 10**30) is None
