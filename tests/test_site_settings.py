"""What a site's settings offer, refuse and do: methods, index, classifications, words."""

from decimal import Decimal
from html import unescape

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.urls import reverse
from django.utils import translation
from wagtail.models import Locale, Site
from wagtail.test.utils.form_data import nested_form_data, streamfield

from tests.factories import (
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from wagtail_smartgift import payments, selectors
from wagtail_smartgift.addresses import ProductAddresses, addresses_version
from wagtail_smartgift.checkout_forms import VoucherDeliveryForm
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import CatalogueSync, SmartGiftSettings
from wagtail_smartgift.sandbox import Experience
from wagtail_smartgift.services import balance


pytestmark = pytest.mark.django_db

METHODS = [{"id": 12, "name": "Web shop"}, {"id": 14, "name": "Card"}]


@pytest.fixture
def site():
    return make_site()


@pytest.fixture
def index(site):
    return make_index(site)


@pytest.fixture
def two_accounts(configure, settings):
    accounts = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]
    configure(ACCOUNTS={**accounts, "quay": {"API_KEY": "sk_quay", "SITE_ID": "9"}})


def address(site):
    names = ["wagtail_smartgift", "smartgiftsettings", site.pk]
    return reverse("wagtailsettings:edit", args=names)


def address_of(product, site):
    return ProductAddresses([product], site=site).url(product)


def save(client, site, *, words=(), classifications=(), **values):
    """Send the form; returns what was complained about, and the row."""
    data = nested_form_data(
        {
            "account": "",
            "smartgift_site_id": "",
            "payment_method": "",
            "voucher_index": "",
            "delivery_methods": streamfield([]),
            "words": streamfield([("words", one) for one in words]),
            **values,
        }
    )
    answer = client.post(
        address(site), {**data, "classifications": list(classifications)}
    )
    said = "" if answer.status_code == 302 else unescape(answer.content.decode())
    return said, SmartGiftSettings.objects.get(site=site)


def listed(account="default", methods=METHODS):
    CatalogueSync.objects.create(account=account, payment_methods=methods)


# -- the payment method --------------------------------------------------------


def test_what_smart_gift_listed_can_be_chosen(admin_client, site):
    listed()

    page = unescape(admin_client.get(address(site)).content.decode())
    assert "Web shop (12)" in page
    assert "The shop's usual one" in page
    said, saved = save(admin_client, site, payment_method="14")

    assert said == ""
    assert saved.payment_method == 14
    assert selectors.shop_for(site).payment_method == 14


def test_a_number_that_was_kept_stays(admin_client, site):
    SmartGiftSettings.objects.create(site=site, payment_method=99)
    listed()

    page = unescape(admin_client.get(address(site)).content.decode())
    assert "Number 99 (not listed)" in page
    said, saved = save(admin_client, site, payment_method="99")

    assert (said, saved.payment_method) == ("", 99)


def test_without_a_list_the_number_is_typed(admin_client, site):
    said, saved = save(admin_client, site, payment_method="77")

    assert (said, saved.payment_method) == ("", 77)


def test_another_company_s_method_is_refused(admin_client, site, two_accounts):
    listed()
    listed("quay", [{"id": 3, "name": "Quay's own"}])

    page = unescape(admin_client.get(address(site)).content.decode())
    assert '<optgroup label="quay">' in page
    said, saved = save(admin_client, site, account="quay", payment_method="12")
    assert "lists no such payment method for this account" in said
    assert (saved.account, saved.payment_method) == ("", None)

    said, saved = save(admin_client, site, account="quay", payment_method="3")
    assert (said, saved.account, saved.payment_method) == ("", "quay", 3)
    # Kept with its account, and not carried to another one.
    said, saved = save(admin_client, site, account="", payment_method="3")
    assert "lists no such payment method" in said


# -- the index -----------------------------------------------------------------


def test_the_chosen_index_is_where_plain_pages_are(admin_client, site, index):
    other = make_index(site, title="For firms", slug="firms")
    product = make_product()
    assert address_of(product, site).endswith("/gift-vouchers/p/37/")
    before = addresses_version()

    said, saved = save(admin_client, site, voucher_index=str(other.pk))

    assert (said, saved.voucher_index_key) == ("", other.translation_key)
    assert address_of(product, site).endswith("/firms/p/37/")
    # Lists that clients keep are asked for anew.
    assert addresses_version() != before
    page = unescape(admin_client.get(address(site)).content.decode())
    assert "For firms" in page
    said, saved = save(admin_client, site, voucher_index="")
    assert saved.voucher_index_key is None
    assert address_of(product, site).endswith("/gift-vouchers/p/37/")


def test_it_is_the_index_in_every_language(site, index):
    other = make_index(site, title="For firms", slug="firms")
    welsh = Locale.objects.create(language_code="cy")
    site.root_page.copy_for_translation(welsh)
    for page in (index, other):
        page.copy_for_translation(welsh).save_revision().publish()
    SmartGiftSettings.objects.create(site=site, voucher_index_key=other.translation_key)
    Site.clear_site_root_paths_cache()

    for language in ("cy", "en-gb"):
        found = ProductAddresses([], site=site, language=language).index
        assert found.title == "For firms"
        assert found.locale.language_code == language


@pytest.mark.parametrize("why", ["draft", "gone"])
def test_an_index_that_is_not_live_is_none(site, index, why):
    other = make_index(site, title="For firms", slug="firms", live=why != "draft")
    SmartGiftSettings.objects.create(site=site, voucher_index_key=other.translation_key)
    if why == "gone":
        other.delete()

    url = address_of(make_product(), site)

    assert url.endswith("/gift-vouchers/p/37/")


def test_a_page_that_is_no_index_is_refused(admin_client, site, index):
    voucher = make_voucher_page(index, make_product())

    said, saved = save(admin_client, site, voucher_index=str(voucher.pk))

    assert "not one of the available choices" in said or "lists no vouchers" in said
    assert saved.voucher_index_key is None


def test_another_site_s_index_is_refused(admin_client, site, index):
    root = site.root_page.get_parent()
    quay = Site.objects.create(
        hostname="quay.example",
        root_page=root.add_child(instance=type(site.root_page)(title="Quay")),
    )

    said, saved = save(admin_client, quay, voucher_index=str(index.pk))

    assert "This page belongs to another site." in said
    assert saved.voucher_index_key is None


# -- classifications -----------------------------------------------------------


def test_classifications_are_chosen(admin_client, site):
    said, saved = save(admin_client, site, classifications=["spa", "events"])
    assert (said, sorted(saved.classifications)) == ("", ["events", "spa"])
    assert set(selectors.shop_for(site).classifications) == {"events", "spa"}

    said, saved = save(admin_client, site)
    assert saved.classifications == []
    said, saved = save(admin_client, site, classifications=["laundry"])
    assert "laundry is not one of the available choices" in said


@pytest.fixture
def valued(configure):
    configure(EXPERIENCE_VALUE="tests.test_site_settings.ten_each")


def ten_each(session, voucher, bit_values):
    return Decimal(10) * len(bit_values)


@pytest.fixture
def mixed(sandbox):
    """A voucher with something to eat and something for the spa."""
    sandbox.add_voucher(
        "MIXED-0001",
        experiences=[
            Experience(2, "Afternoon tea", "", "food_and_beverage", 2500),
            Experience(4, "Massage", "", "spa", 4000),
        ],
    )
    return "MIXED-0001"


def test_only_experiences_of_the_classification_are_offered(site, valued, mixed):
    SmartGiftSettings.objects.create(site=site, classifications=["spa"])
    payments.open_session(reference="order-1", amount_due="80.00", site=site)

    session = payments.add_voucher(reference="order-1", voucher_no=mixed)

    [voucher] = session.redemptions
    assert [name for _bit, name in voucher.experiences_available] == ["Massage"]
    assert voucher.amount == 10
    looked = balance.look_up(voucher_no=mixed, site=site, client="somebody")
    assert [name for _bit, name in looked.experiences] == ["Massage"]


def test_only_what_was_offered_is_redeemed(site, valued, mixed, sandbox):
    SmartGiftSettings.objects.create(site=site, classifications=["spa"])
    payments.open_session(reference="order-1", amount_due="80.00", site=site)
    payments.add_voucher(reference="order-1", voucher_no=mixed)

    payments.confirm(reference="order-1")

    assert [one.name for one in sandbox.voucher(mixed).unused] == ["Afternoon tea"]


def test_a_voucher_with_nothing_of_it_is_not_usable(site, valued, mixed, sandbox):
    SmartGiftSettings.objects.create(site=site, classifications=["events"])
    payments.open_session(reference="order-1", amount_due="80.00", site=site)

    with pytest.raises(PaymentError) as refused:
        payments.add_voucher(reference="order-1", voucher_no=mixed)

    assert refused.value.code == "voucher_not_usable"
    assert sandbox.voucher(mixed).hold is None


def test_money_is_taken_in_any_case(site, sandbox):
    SmartGiftSettings.objects.create(site=site, classifications=["spa"])
    payments.open_session(reference="order-1", amount_due="80.00", site=site)
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")

    assert payments.confirm(reference="order-1").amount_redeemed == 50


# -- own words -----------------------------------------------------------------


def words(**values):
    return {
        "language": "",
        "heading": "",
        "hint": "",
        "confirmed": "",
        "checkout": "",
        **values,
    }


def field(site, *, reference="order-1"):
    """Return the voucher field of a payment, as a page of the site shows it."""
    request = RequestFactory().get("/", headers={"host": site.hostname})
    request.session = {}
    template = Template("{% load smartgift %}{% voucher_field session %}")
    return template.render(
        Context(
            {"request": request, "session": payments.get_session(reference=reference)}
        )
    )


def test_the_field_speaks_in_the_site_s_words(admin_client, site, sandbox):
    payments.open_session(reference="order-1", amount_due="50.00", site=site)
    assert "Pay with gift vouchers" in field(site)
    assert "As it is printed on the voucher" in field(site)

    said, _saved = save(
        admin_client,
        site,
        words=[
            words(heading="Mill <b>money</b>", confirmed="Enjoy!"),
            words(language="cy", hint="Fel ar y daleb"),
        ],
    )

    assert said == ""
    assert "Mill &lt;b&gt;money&lt;/b&gt;" in field(site)
    assert "As it is printed on the voucher" in field(site)
    with translation.override("cy"):
        # Each word by itself: what a language lacks is said in the words for all.
        assert "Mill &lt;b&gt;money" in field(site)
        assert "Fel ar y daleb" in field(site)
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    assert "Enjoy!" not in field(site)
    payments.confirm(reference="order-1")
    assert "Enjoy!" in field(site)


def test_without_words_of_its_own_it_says_ours(site, sandbox):
    payments.open_session(reference="order-1", amount_due="50.00", site=site)
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    payments.confirm(reference="order-1")

    assert "Your vouchers have paid." in field(site)
    assert not SmartGiftSettings.objects.exists()


def test_a_payment_without_vouchers_says_nothing_of_them(site):
    payments.open_session(reference="order-1", amount_due="50.00", site=site)
    payments.confirm(reference="order-1")

    assert "have paid" not in field(site)


def test_the_checkout_step_has_a_word_of_the_site(admin_client, site):
    save(admin_client, site, words=[words(checkout="Printed by hand.\nTwo days.")])
    template = Template('{% include "wagtail_smartgift/checkout_step.html" %}')

    def step(of):
        form = VoucherDeliveryForm(site=of)
        return template.render(Context({"delivery_form": form, "customer_form": []}))

    assert "Printed by hand.<br>Two days." in step(site)
    assert "Printed by hand." not in step(None)


def test_a_language_has_its_words_once(admin_client, site):
    said, saved = save(
        admin_client,
        site,
        words=[words(language="cy", hint="a"), words(language="cy", hint="b")],
    )

    assert "There are words for this language already." in said
    assert not saved.words
