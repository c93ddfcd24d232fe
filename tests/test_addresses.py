"""Where a site shows each product."""

import pytest
from wagtail.models import Locale, Site

from tests.factories import (
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from wagtail_smartgift.addresses import ProductAddresses


pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return make_site()


def address_of(product, site, language=None):
    return ProductAddresses([product], site=site, language=language).url(product)


def test_without_an_index_there_is_no_address(site):
    assert address_of(make_product(), site) is None
    assert address_of(make_product(38), None) is None


def test_a_product_without_a_page_is_under_the_index(site):
    make_index(site)

    url = address_of(make_product(), site)

    assert url == "http://localhost/gift-vouchers/p/37/"


def test_a_dressed_product_is_at_its_page_while_that_is_live(site):
    index = make_index(site)
    product = make_product()
    page = make_voucher_page(index, product)

    assert address_of(product, site) == page.full_url

    page.unpublish()
    assert address_of(product, site).endswith("/p/37/")


def test_the_older_of_two_pages_is_the_address(site):
    index = make_index(site)
    product = make_product()
    page = make_voucher_page(index, product)
    make_voucher_page(index, product, slug="again")

    assert address_of(product, site) == page.full_url


def test_each_site_has_its_own_pages(site):
    index = make_index(site)
    product = make_product()
    page = make_voucher_page(index, product)
    root = site.root_page.get_parent()
    second_home = root.add_child(
        instance=type(site.root_page)(title="Quay", slug="quay")
    )
    quay = Site.objects.create(hostname="quay.example", root_page=second_home)

    assert address_of(product, quay) is None

    make_index(quay)
    assert address_of(product, quay) == "http://quay.example/gift-vouchers/p/37/"
    assert address_of(product, site) == page.full_url


def test_each_language_has_its_own_pages_and_the_main_one_helps_out(site):
    index = make_index(site)
    product, other = make_product(), make_product(38)
    english = make_voucher_page(index, product)
    welsh = Locale.objects.create(language_code="cy")
    home = site.root_page.copy_for_translation(welsh)
    home.save_revision().publish()

    # Welsh has no index yet: the main language's plain page, never its dressed one.
    assert address_of(product, site, "cy") == "http://localhost/gift-vouchers/p/37/"

    translated = index.copy_for_translation(welsh)
    translated.save_revision().publish()
    translated = translated.specific_class.objects.get(pk=translated.pk)
    assert address_of(product, site, "cy") == f"{translated.full_url}p/37/"

    dressed = english.copy_for_translation(welsh)
    dressed.save_revision().publish()
    dressed.refresh_from_db()
    assert address_of(product, site, "cy") == dressed.full_url
    assert address_of(product, site, "en-gb") == english.full_url
    assert address_of(other, site, "cy") == f"{translated.full_url}p/38/"
