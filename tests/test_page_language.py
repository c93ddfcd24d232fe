"""An editor's words are in their page's language, ours in the visitor's."""

import pytest
from bs4 import BeautifulSoup
from django.template import Context, Template
from django.test import Client
from django.utils import translation
from wagtail.models import Locale, Page, Site

from tests.factories import make_index, make_product, make_site, make_voucher_page


pytestmark = pytest.mark.django_db

BODY = [{"type": "heading", "value": "Te yn y felin"}]
WORDS = {"introduction": "<p>Croeso.</p>", "body": BODY}


@pytest.fixture
def welsh():
    """The voucher index of a Welsh site, whose addresses name no language."""
    site = make_site()
    site.root_page.locale = Locale.objects.create(language_code="cy")
    site.root_page.save()
    # Where sites are and in what language is cached, beyond the end of a test.
    Site.clear_site_root_paths_cache()
    yield make_index(site, title="Talebau", **WORDS)
    Site.clear_site_root_paths_cache()


def seen(page, language):
    answer = Client().get(page.url, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return BeautifulSoup(answer.content, "html.parser")


def languages(soup, *selectors):
    """Return the language that each of these is in, by whatever says so around it."""
    found = []
    for selector in selectors:
        node = soup.select_one(selector)
        assert node is not None, selector
        named = node if node.has_attr("lang") else node.find_parent(lang=True)
        found.append(named["lang"])
    return found


def test_a_welsh_page_stays_welsh_for_a_german_visitor(welsh):
    page = make_voucher_page(welsh, make_product(), title="Taleb", **WORDS)
    editors = ("h1", ".smartgift-text p", ".smartgift-body__heading")

    soup = seen(page, "de")
    assert languages(soup, *editors) == ["cy"] * 3
    assert languages(soup, ".smartgift-price") == ["de"]

    # Where both are the same it is said once.
    soup = seen(page, "cy")
    assert languages(soup, *editors, ".smartgift-price") == ["cy"] * 4
    assert len(soup.select("main [lang]")) == 1


def test_the_index_and_its_cards_do_too(welsh):
    dressed, plain = make_product(37), make_product(38)
    make_voucher_page(welsh, dressed, title="Taleb")

    soup = seen(welsh, "de")

    editors = ("h1", ".smartgift-text p", ".smartgift-body__heading")
    assert languages(soup, *editors) == ["cy"] * 3
    titles = {
        one.get_text(strip=True): one.get("lang")
        for one in soup.select(".smartgift-card__title")
    }
    # What Smart Gift calls a product is in a language that nobody says.
    assert titles == {"Taleb": "cy", plain.title: None}
    assert languages(soup, ".smartgift-card .smartgift-price") == ["de"]


@pytest.mark.parametrize(
    ("words", "around", "written"),
    [
        ("cy", "en-gb", ' lang="cy"'),
        ("cy", "cy", ""),
        ("en", "en-gb", ""),
        ("en-gb", "en", ' lang="en-gb"'),
        ("ar", "en-gb", ' lang="ar" dir="rtl"'),
        ("en-gb", "ar", ' lang="en-gb" dir="ltr"'),
        ("he", "ar", ' lang="he"'),
        ("x-mill", "ar", ' lang="x-mill" dir="ltr"'),
    ],
)
def test_language_and_direction_are_written_where_they_differ(words, around, written):
    page = Page(title="Hafan", locale=Locale(language_code=words))
    template = Template("{% load smartgift_catalogue %}{% page_language page %}")
    with translation.override(around):
        assert template.render(Context({"page": page})) == written


@pytest.mark.parametrize("page", [None, 7, "a page of a list"])
def test_of_what_is_no_page_nothing_is_said(page):
    template = Template("{% load smartgift_catalogue %}{% page_language page %}")
    assert template.render(Context({"page": page})) == ""
    assert template.render(Context()) == ""
