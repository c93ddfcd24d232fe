"""Editing a voucher page: preview, search, and languages."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from wagtail.models import Locale, Page
from wagtail.test.utils.form_data import nested_form_data, rich_text, streamfield

from tests.factories import make_index, make_product, make_site, make_voucher_page
from wagtail_smartgift import selectors
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import VoucherPage
from wagtail_smartgift.services import catalogue


pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return make_site()


@pytest.fixture
def index(site):
    return make_index(site)


def text_of(response):
    html = response.content.decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def page_data(product, **values):
    return nested_form_data(
        {
            "title": "In our words",
            "slug": "in-our-words",
            "product": product.pk if product else "",
            "introduction": rich_text("<p>Hello</p>"),
            "image": "",
            "body": streamfield([("heading", "A heading")]),
            "comments": {"TOTAL_FORMS": 0, "INITIAL_FORMS": 0},
            **values,
        }
    )


# Preview


def add_basket(request, choice):
    raise AssertionError("nothing is bought in a preview")


def previewed(client, url, product):
    answer = client.post(url, page_data(product))
    assert answer.json()["is_valid"]
    return client.get(url)


def edit_url(page):
    return reverse("wagtailadmin_pages:preview_on_edit", args=[page.pk])


def add_url(index):
    return reverse(
        "wagtailadmin_pages:preview_on_add",
        args=["wagtail_smartgift", "voucherpage", index.pk],
    )


REASONS = [
    ({}, ""),
    ({"status": "disabled"}, "status at Smart Gift is “Disabled”"),
    (
        {"status": "unknown", "remote_status": "seasonal"},
        "status at Smart Gift is “seasonal”",
    ),
    ({"status": "at_counter_only"}, "for the counter only"),
    ({"status": "hidden"}, "no list shows it"),
    ({"available_count": 0}, "None of this voucher is left"),
    ({"gone_at": timezone.now()}, "does not list this voucher any more"),
    ({"min_amount": None}, "no price or amount"),
]


@pytest.mark.parametrize(("values", "reason"), REASONS)
@pytest.mark.parametrize("is_new", [False, True])
def test_a_preview_says_why_nobody_could_buy_it(
    admin_client, index, configure, values, reason, is_new
):
    configure(ADD_TO_BASKET="tests.test_editing.add_basket")
    product = make_product(**values)
    if is_new:
        url = add_url(index)
    else:
        url = edit_url(make_voucher_page(index, product, live=False))

    response = previewed(admin_client, url, product)

    assert response.status_code == 200
    said = text_of(response)
    assert "In our words" in said
    assert "A heading" in said
    assert ("Only in this preview:" in said) == bool(reason)
    assert reason in said
    # The visitors of the live page are not told.
    if not is_new:
        page = VoucherPage.objects.get()
        page.save_revision().publish()
        visited = admin_client.get(page.url)
        assert "Only in this preview" not in text_of(visited)


def test_a_preview_of_another_companys_product_says_so(admin_client, index):
    page = make_voucher_page(index, make_product(account="other"), live=False)
    revision = page.save_revision()

    response = admin_client.get(
        reverse("wagtailadmin_pages:revisions_view", args=[page.pk, revision.pk])
    )

    assert "belongs to another Smart Gift company" in text_of(response)


def test_a_preview_without_a_basket_says_so(admin_client, index):
    page = make_voucher_page(index, make_product(), live=False)

    response = previewed(admin_client, edit_url(page), page.product)

    assert "set ADD_TO_BASKET" in text_of(response)


def test_a_page_without_a_product_is_previewed(rf, index):
    page = VoucherPage(title="Not yet", slug="not-yet")
    page.depth, page.path = index.depth + 1, index.path + "0001"
    page.locale = index.locale
    page.set_url_path(index)

    response = page.make_preview_request()

    assert response.status_code == 200
    response.render()
    assert "No voucher is chosen for this page yet" in text_of(response)


# Search


def found(words):
    return {page.title for page in VoucherPage.objects.search(words)}


def everywhere(words):
    return {page.title for page in Page.objects.search(words)}


def test_a_page_is_found_by_its_products_words(index):
    product = make_product(
        title="Zeppelin flight",
        description_html="<p>Over the <em>estuary</em></p><p>at dawn.</p>",
    )
    make_voucher_page(index, product, title="Up and away")
    make_voucher_page(index, make_product(38), title="Something else")

    for words in ("zeppelin", "estuary", "dawn", "up and away"):
        assert found(words) == {"Up and away"}
        assert everywhere(words) == {"Up and away"}
    assert {page.title for page in VoucherPage.objects.autocomplete("zepp")} == {
        "Up and away"
    }
    # A tag is no word.
    assert found("em") == set()


def test_a_sync_that_changes_the_words_changes_what_is_found(sandbox, index):
    account = get_conf().account("default")
    catalogue.sync(account)
    tea = selectors.find_product(account, 39)
    make_voucher_page(index, tea, title="For two")
    make_voucher_page(index, tea, title="A draft about it", slug="a-draft", live=False)
    make_voucher_page(index, selectors.find_product(account, 37), title="Another")
    sandbox.change_product(39, title="Zeppelin", description="Over the estuary.")

    catalogue.sync(account)

    assert found("zeppelin") == found("estuary") == {"For two", "A draft about it"}
    assert found("scones") == set()


def index_writes(queries):
    return [
        query["sql"]
        for query in queries
        if "search_indexentry" in query["sql"]
        and query["sql"].split()[0] in {"INSERT", "UPDATE", "DELETE"}
    ]


def test_only_pages_whose_words_changed_are_indexed_anew(sandbox, index):
    account = get_conf().account("default")
    catalogue.sync(account)
    for number in (37, 38, 39):
        make_voucher_page(index, selectors.find_product(account, number))
    sandbox.change_product(37, max=90_000)
    sandbox.change_product(41, title="No page is about it")
    with CaptureQueriesContext(connection) as queries:
        catalogue.sync(account)
    assert index_writes(queries) == []

    sandbox.change_product(38, title="Zeppelin")
    with CaptureQueriesContext(connection) as queries:
        catalogue.sync(account)

    assert index_writes(queries)
    assert found("zeppelin") == {"Dressed 38"}
    assert VoucherPage.objects.count() == 3


def test_a_search_that_fails_does_not_stop_the_catalogue(
    sandbox, index, settings, caplog
):
    account = get_conf().account("default")
    catalogue.sync(account)
    make_voucher_page(index, selectors.find_product(account, 38))
    sandbox.change_product(38, title="Zeppelin")
    settings.MODELSEARCH_BACKENDS = settings.WAGTAILSEARCH_BACKENDS = {
        "default": {"BACKEND": "tests.search_that_fails"}
    }

    assert catalogue.sync(account).changed == 1

    assert selectors.find_product(account, 38).title == "Zeppelin"
    assert "Voucher pages were not indexed anew." in caplog.text


# Languages


@pytest.fixture
def welsh(site, index, settings):
    """The same site in Welsh: its home and its index."""
    settings.ROOT_URLCONF = "tests.urls_i18n"
    locale = Locale.objects.create(language_code="cy")
    site.root_page.copy_for_translation(locale).save_revision().publish()
    translated = index.copy_for_translation(locale)
    translated.save_revision().publish()
    translated.refresh_from_db()
    return translated


def test_a_page_in_welsh_shows_the_same_product(client, index, welsh):
    page = make_voucher_page(index, make_product(), title="For you")
    copy = page.copy_for_translation(welsh.locale)
    copy.title = "I ti"
    copy.save_revision().publish()
    copy.refresh_from_db()

    response = client.get(copy.url)

    assert copy.url.startswith("/cy/")
    assert copy.product == page.product
    said = text_of(response)
    assert "I ti" in said
    assert "£10.00" in said
    assert '<meta property="og:locale" content="cy">' in response.content.decode()
    english = client.get(page.url)
    assert "For you" in text_of(english)
    assert '<meta property="og:locale" content="en_GB">' in english.content.decode()


def test_an_alias_shows_the_same_product(client, index, welsh):
    page = make_voucher_page(index, make_product(), title="For you")

    alias = page.copy_for_translation(welsh.locale, alias=True)

    assert alias.alias_of_id == page.pk
    response = client.get(alias.url)
    assert response.status_code == 200
    assert "For you" in text_of(response)
    plain = client.get("/cy/gift-vouchers/p/37/")
    assert (plain.status_code, plain.url) == (301, alias.url)


def adding_to(index):
    return reverse(
        "wagtailadmin_pages:add", args=["wagtail_smartgift", "voucherpage", index.pk]
    )


@pytest.mark.parametrize("live", [True, False])
def test_a_product_has_one_page_in_a_language_and_one_in_another(
    admin_client, index, welsh, live
):
    product = make_product()
    make_voucher_page(index, product, title="For you", live=live)

    refused = admin_client.post(adding_to(index), page_data(product))
    assert refused.status_code == 200
    assert "“For you” already is this voucher's page here." in text_of(refused)
    assert VoucherPage.objects.count() == 1

    added = admin_client.post(adding_to(welsh), page_data(product))
    assert added.status_code == 302, text_of(added)
    assert {page.locale.language_code for page in VoucherPage.objects.all()} == {
        "en-gb",
        "cy",
    }
    again = admin_client.post(adding_to(welsh), page_data(product, slug="again"))
    assert again.status_code == 200
    assert VoucherPage.objects.count() == 2


def test_another_site_has_a_page_of_its_own(admin_client, index):
    product = make_product()
    make_voucher_page(index, product)
    root = Page.get_first_root_node()
    home = root.add_child(instance=Page(title="Other", slug="other"))
    other = make_index(type(index.get_site())(root_page=home), parent=home)
    type(index.get_site()).objects.create(hostname="other.example", root_page=home)

    added = admin_client.post(adding_to(other), page_data(product))

    assert added.status_code == 302, text_of(added)
    assert VoucherPage.objects.count() == 2
