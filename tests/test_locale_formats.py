"""Money and dates as readers of each language write them, wherever they read them."""

from datetime import datetime, timezone
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format

from tests.factories import make_experience, make_index, make_product, make_site
from wagtail_smartgift import payments, sales
from wagtail_smartgift.exceptions import SaleError
from wagtail_smartgift.formats import format_price, format_rounded
from wagtail_smartgift.models.catalogue import CatalogueSync


#: language: (an amount in pounds, one in Swiss francs, one of thousands of pounds)
MONEY = {
    "en-gb": ("£25.00", "CHF 25.00", "£1,250.00"),
    "cy": ("£25.00", "CHF 25.00", "£1,250.00"),
    "de": ("25,00 £", "25,00 CHF", "1.250,00 £"),
    "es": ("25,00 £", "25,00 CHF", "1 250,00 £"),
    "fr": ("25,00 £", "25,00 CHF", "1 250,00 £"),
    "pl": ("25,00 £", "25,00 CHF", "1 250,00 £"),
}
DAYS = {
    "en-gb": "29 Nov 2026",
    "cy": "29 Tachwedd 2026",
    "de": "29. November 2026",
    "es": "29 de noviembre de 2026",
    "fr": "29 novembre 2026",
    "pl": "29 listopada 2026",
}
OTHERS = sorted(set(MONEY) - {"en-gb"})


def plain(text):
    """Make the spaces that hold, of which each language has its own, plain ones."""
    return " ".join(text.split())


@pytest.mark.parametrize("language", MONEY)
def test_money_is_written_as_readers_write_it(language):
    pounds, francs, thousands = MONEY[language]

    with translation.override(language):
        written = [
            format_price(Decimal("25.00"), "GBP"),
            format_price(Decimal("25.00"), "CHF"),
            format_price(Decimal("1250.00"), "GBP"),
        ]

    assert [plain(text) for text in written] == [pounds, francs, thousands]
    # No line breaks between an amount and its currency, and no space at an end.
    assert not any(" " in text or text != text.strip() for text in written)


@pytest.mark.parametrize("language", MONEY)
def test_letters_that_come_last_bring_no_space(language):
    with translation.override(language):
        assert format_rounded(Decimal("1250"), "CHF").strip("\N{NO-BREAK SPACE}") == (
            format_rounded(Decimal("1250"), "CHF")
        )


@pytest.mark.parametrize("language", MONEY)
def test_a_day_is_written_as_readers_write_it(language):
    with translation.override(language):
        written = date_format(datetime(2026, 11, 29, tzinfo=timezone.utc))

    assert plain(written) == DAYS[language]


@pytest.mark.django_db
@pytest.mark.parametrize("language", MONEY)
def test_a_page_writes_money_and_days_in_the_visitors_language(language):
    cache.clear()
    index = make_index(make_site())
    make_experience(39, price=Decimal("1250.00"))
    # The page says when its price was read, once that is long ago.
    day = datetime(2025, 11, 29, 12, tzinfo=timezone.utc)
    CatalogueSync.objects.create(account="default", synced_at=day)

    page = Client().get(f"{index.url}p/39/", headers={"Accept-Language": language})

    assert MONEY[language][2] in plain(page.text)
    assert DAYS[language].replace("2026", "2025") in plain(page.text)
    assert page.headers["Content-Language"] == language


@pytest.mark.django_db
@pytest.mark.parametrize("language", MONEY)
def test_the_json_api_writes_money_in_the_readers_language(language, settings):
    make_site()
    make_product(37, min_amount=Decimal("25.00"))
    order = {
        "reference": "order-1",
        "items": [{"product": 37, "price": "10.00"}],
        "customer": {
            "first_name": "John",
            "last_name": "Smith",
            "email": "john@example.org",
            "address1": "1 Mill Lane",
            "city": "Bath",
            "postcode": "BA1 1AA",
        },
        "delivery": {"method": "1", "price": "0.00"},
    }

    answer = Client().post(
        "/smartgift/api/server/voucher-orders",
        order,
        content_type="application/json",
        headers={
            "Authorization": "Bearer server-key-for-tests",
            "Accept-Language": language,
        },
    )

    assert answer.status_code == 422
    problem = answer.json()
    [error] = problem["errors"]
    assert error["field"] == "items.0.price"
    assert MONEY[language][0] in plain(error["message"])
    # What programs read is the same in every language.
    assert problem["code"] == "invalid"
    with translation.override("en-gb"), pytest.raises(SaleError) as refused:
        sales.place_order(**order, dry_run=True)
    in_english = str(refused.value.fields["items.0.price"])
    assert (error["message"] == in_english) == (language == "en-gb")


@pytest.mark.django_db
@pytest.mark.parametrize("language", OTHERS)
def test_the_admin_writes_money_and_days_in_the_languages_of_staff(
    admin_client, admin_user, language
):
    from wagtail.users.models import UserProfile

    payments.open_session(reference="order-1", amount_due="1250.00")
    profile = UserProfile.get_for_user(admin_user)
    profile.preferred_language = language
    profile.save()

    page = admin_client.get(reverse("smartgift_payments:index"))

    assert MONEY[language][2] in plain(page.text)
