"""“Test connection”: what it says, and that it changes nothing and leaks nothing."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from wagtail.models import GroupSitePermission, Site

from tests.factories import make_product
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    CatalogueSync,
    GuessCounter,
    SmartGiftSettings,
    VoucherProduct,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, connection


pytestmark = pytest.mark.django_db

CHANGE = "change_smartgiftsettings"
#: A payment method of the sandbox.
LISTED = 14


@pytest.fixture
def site():
    return Site.objects.get()


@pytest.fixture
def address(site):
    return reverse("smartgift_connection:test", args=[site.pk])


@pytest.fixture
def ask(staff, sandbox, address):
    """Return a function that presses the button, and returns what the page says."""

    def press():
        client = staff(CHANGE)
        return " ".join(client.post(address).content.decode().split())

    return press


def test_it_works(ask, sandbox, site):
    SmartGiftSettings.objects.create(site=site, payment_method=LISTED)
    before = list(VoucherProduct.objects.values())

    page = ask()

    assert "It works." in page
    assert page.count("#icon-check") == 3
    said = int(re.search(r"lists (\d+) products", page)[1])
    assert "Sales are booked under" in page
    assert "has nothing against the site number 1" in page
    # Nothing is kept of it: not even what was read.
    assert list(VoucherProduct.objects.values()) == before
    assert not CatalogueSync.objects.exists()
    assert not GuessCounter.objects.exists()
    assert said == catalogue.sync(get_conf().account("default")).added


def test_looking_asks_nothing(staff, sandbox, address):
    page = staff(CHANGE).get(address).content.decode()

    assert "Nothing is changed" in page
    assert sandbox.log() == []


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"payment_method": 99}, "Smart Gift has no payment method 99. It lists:"),
        ({"smartgift_site_id": "77"}, "does not know the site number 77"),
        ({"account": "closed"}, "account of this site is not in the settings"),
        ({}, "None is chosen. Sales are booked under"),
    ],
)
def test_it_says_what_is_wrong_with_the_settings(ask, site, values, says):
    SmartGiftSettings.objects.create(site=site, **values)

    page = ask()

    assert says in page
    assert ("It works." in page) is (not values)


@pytest.mark.parametrize(
    ("fault", "says", "asked"),
    [
        (Fault("*", "unauthorised", times=None), "does not take the key", 1),
        (Fault("*", "rate_limited", times=None), "busy with your customers", 1),
        (Fault("*", "html", times=None), "nothing that can be read", 1),
        (Fault("*", "lost_before", times=None), "nothing that can be read", 1),
        (Fault("payment-methods", "html", times=None), "nothing that can be read", 2),
    ],
)
def test_it_says_what_is_in_the_way_and_asks_no_more(ask, sandbox, fault, says, asked):
    sandbox.faults.add(fault)

    page = ask()

    assert says in page
    assert "Something needs a look." in page
    assert "#icon-check" not in page or asked == 2
    assert len(sandbox.log()) <= asked


@pytest.mark.parametrize(
    ("field", "message", "says"),
    [
        ("voucher_no", "This site number is invalid.", "does not know the site number"),
        ("site_id", "Something new.", "does not know the site number 1"),
        ("voucher_no", "Something new.", "the site number 1 could not be tried"),
    ],
)
def test_a_refusal_is_read_and_not_only_its_field(ask, sandbox, field, message, says):
    sandbox.faults.add(Fault("check", "refused", field=field, message=message))

    page = ask()

    assert says in page
    assert "It works." not in page


def test_nobody_at_the_other_end(staff, address):
    page = staff(CHANGE).post(address).content.decode()

    assert "cannot be reached" in page


def test_a_used_up_quota_is_left_to_customers(ask, sandbox, configure):
    configure(RATE_LIMIT=1)
    ask_once = connection.examine(Site.objects.get())
    assert ask_once[-1].result is connection.Result.UNKNOWN

    page = ask()

    assert "busy with your customers" in page
    assert len(sandbox.log()) <= 2


def test_no_key_is_in_what_it_says(ask, sandbox, settings):
    key = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]["API_KEY"]
    sandbox.faults.add(Fault("*", "refused", message=f"No {key} here.", times=None))

    assert key not in ask()


# -- who may -------------------------------------------------------------------


def test_who_may_not(staff, sandbox, address):
    client = staff("view_paymentsession", "sync_voucherproduct")

    for method in (client.get, client.post):
        assert method(address).url == reverse("wagtailadmin_home")
    assert sandbox.log() == []


def test_whoever_may_change_one_site_tests_that_one(
    staff, sandbox, address, site, django_user_model
):
    other = Site.objects.create(hostname="quay.example", root_page=site.root_page)
    client = staff()
    user = django_user_model.objects.get(username="miller")
    group = user.groups.create(name="Quay")
    permission = Permission.objects.get(codename=CHANGE)
    GroupSitePermission.objects.create(group=group, site=other, permission=permission)

    there = reverse("smartgift_connection:test", args=[other.pk])
    assert client.get(there).status_code == 200
    assert client.post(address).status_code == 302
    assert sandbox.log() == []
    assert (
        client.get(reverse("smartgift_connection:test", args=[4711])).status_code == 404
    )


def test_it_needs_a_token_against_forgery(staff, sandbox, address):
    client = staff(CHANGE)
    client.handler.enforce_csrf_checks = True

    assert client.post(address).status_code == 403
    assert sandbox.log() == []


def test_the_settings_lead_there_and_back(staff, address, site):
    client = staff(CHANGE)
    edit = reverse(
        "wagtailsettings:edit", args=["wagtail_smartgift", "smartgiftsettings", site.pk]
    )

    assert f'href="{address}"' in client.get(edit).content.decode()
    assert f'href="{edit}"' in client.get(address).content.decode()


def test_an_empty_catalogue_is_worth_a_look(ask, sandbox):
    make_product()
    for product in sandbox.products():
        sandbox.remove_product(product.id)

    assert "lists no products" in ask()
    assert VoucherProduct.objects.get().gone_at is None


def test_what_an_icon_shows_is_said_too(ask, site):
    SmartGiftSettings.objects.create(site=site, payment_method=99)

    page = ask()

    said = [" ".join(one.split()) for one in re.findall(r"<dt>(.*?)</dt>", page)]
    words = [re.sub(r"<[^>]+>", "", one).strip() for one in said]
    assert [one.partition(":")[0] for one in words] == ["Works", "Fault", "Works"]
