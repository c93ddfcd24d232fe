"""A sale that Smart Gift has taken, and what its cards say."""

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache

from tests.factories import make_site
from wagtail_smartgift import sales
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.printing import PrintedCard
from wagtail_smartgift.services import catalogue


CUSTOMER = {
    "first_name": "John",
    "last_name": "Smith",
    "email": "john@example.org",
    "address1": "1 Mill Lane",
    "city": "Bath",
    "postcode": "BA1 1AA",
}


@pytest.fixture(autouse=True)
def site(db):
    cache.clear()
    site = make_site()
    site.site_name = "The Old Mill"
    site.save()
    return site


@pytest.fixture
def sell(sandbox):
    """Return a function that sells vouchers and returns the order."""
    catalogue.sync(get_conf().account("default"))

    def place(*items: dict[str, Any], reference: str = "order-1") -> sales.Order:
        return sales.place_order(
            reference=reference,
            items=items or [{"product": 37, "price": "50.00", "to": "Jane"}],
            customer=CUSTOMER,
            delivery={"method": "1", "price": "0.00"},
        )

    return place


def make_card(**values: Any) -> PrintedCard:
    return PrintedCard(
        **{
            "venue": "The Old Mill",
            "title": "Afternoon tea",
            "value": "£50.00",
            "to": "Jane",
            "sender": "John",
            "message": "Happy birthday!\nTea is on me.",
            "number": "ACDEFGHJKMNPQRTV",
            "balance_url": "https://mill.example.org/smartgift/balance/",
            "valid_until": date(2028, 11, 29),
            **values,
        }
    )
