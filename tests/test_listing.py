"""What the storefront API tells about products."""

from decimal import Decimal

import pytest
from wagtail.models import Site

from tests.factories import (
    make_experience,
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from wagtail_smartgift import listing
from wagtail_smartgift.models import VoucherProduct


pytestmark = pytest.mark.django_db


@pytest.fixture
def site():
    return make_site()


def test_the_list_tells_all_there_is_to_know(site):
    make_index(site)
    make_experience(
        title="Afternoon tea",
        available_count=3,
        image_url="https://images.example/39.jpeg",
    )

    found = listing.voucher_list(site=site)

    assert found == listing.VoucherList(
        count=1,
        items=(
            listing.VoucherItem(
                id=39,
                title="Afternoon tea",
                type="experience",
                description_html="<p>For the mill.</p>",
                price=Decimal("29.50"),
                min=None,
                max=None,
                increment=None,
                persons_min=2,
                persons_max=6,
                available_count=3,
                available=True,
                image="https://images.example/39.jpeg",
                url="http://localhost/gift-vouchers/p/39/",
            ),
        ),
    )


def test_the_list_is_narrowed_and_paged(site):
    for number in range(5):
        make_product(number + 1, title=f"Money {number}")
    make_experience(title="Afternoon tea", description_html="<p>Scones!</p>")

    def ids(**values):
        found = listing.voucher_list(site=site, **values)
        return found.count, [item.id for item in found.items]

    assert ids(limit=2) == (6, [39, 1])
    assert ids(limit=2, offset=2) == (6, [2, 3])
    assert ids(offset=6) == (6, [])
    assert ids(type="experience") == (1, [39])
    assert ids(search="SCONES tea") == (1, [39])
    assert ids(search="Money 3") == (1, [4])
    assert ids(search="100%") == (0, [])


def test_sold_out_is_listed_and_a_hidden_one_told_alone(site):
    make_product(1, available_count=0)
    make_product(2, status="hidden")

    found = listing.voucher_list(site=site)
    assert [(item.id, item.available) for item in found.items] == [(1, False)]
    hidden = listing.voucher_item(site=site, remote_id=2)
    assert hidden is not None
    assert hidden.available
    assert listing.voucher_item(site=site, remote_id=3) is None


@pytest.mark.parametrize("many", [3, 200])
def test_the_list_costs_the_same_however_long(site, many, django_assert_num_queries):
    index = make_index(site)
    template = make_product(1)
    VoucherProduct.objects.bulk_create(
        VoucherProduct(
            **{
                field.attname: getattr(template, field.attname)
                for field in VoucherProduct._meta.concrete_fields
                if field.attname not in {"id", "remote_id"}
            },
            remote_id=number,
        )
        for number in range(2, many + 1)
    )
    for product in VoucherProduct.objects.all()[: min(many, 12)]:
        make_voucher_page(index, product)
    Site.get_site_root_paths()

    # Settings of the site, products, their pages, the index, the count.
    with django_assert_num_queries(5):
        found = listing.voucher_list(site=site, limit=1000, language="en-gb")

    assert len(found.items) == many
