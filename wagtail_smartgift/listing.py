"""What the storefront API tells about products, at the price of a few queries.

A list of a thousand is asked for by every visitor of a headless shop, so it is read
as plain values and written as JSON without a model or a schema in between; the
schemas of ``api`` document it, and a test keeps the two alike.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.http import HttpRequest
from wagtail.models import Site

from wagtail_smartgift.addresses import ProductAddresses, addresses_version
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.models import CatalogueSync
from wagtail_smartgift.models.catalogue import has_terms
from wagtail_smartgift.selectors import find_product, products_on_sale, shop_for


class VoucherItem(NamedTuple):
    """A product as the storefront API tells it; ``id`` is Smart Gift's."""

    id: int
    title: str
    type: str
    description_html: str
    price: Decimal | None
    min: Decimal | None
    max: Decimal | None
    increment: Decimal | None
    persons_min: int | None
    persons_max: int | None
    available_count: int | None
    available: bool
    image: str | None
    #: Absolute; null where the site has no page for it.
    url: str | None


@dataclass(frozen=True)
class VoucherList:
    count: int
    items: tuple[VoucherItem, ...]


class _Row(NamedTuple):
    """The columns of a product that the list is made of, by their names."""

    pk: int
    remote_id: int
    title: str
    type: str
    description_html: str
    price: Decimal | None
    min_amount: Decimal | None
    max_amount: Decimal | None
    increment: Decimal | None
    persons_min: int | None
    persons_max: int | None
    available_count: int | None
    image_url: str


class Version(NamedTuple):
    """What a list was made of."""

    #: Changes whenever a list or an item may.
    word: str
    #: When the catalogue was last read from Smart Gift; None: never.
    synced_at: datetime | None


def version(*, site: Site | None, language: str | None) -> Version:
    """Return what a list would be made of now; no product is read.

    That is the last change of the catalogue (the sync writes it with the products),
    the shop of the site, the language, and where pages are.
    """
    account = shop_for(site).account.alias
    changed_at, synced_at = (
        CatalogueSync.objects.filter(account=account)
        .values_list("changed_at", "synced_at")
        .first()
    ) or (None, None)
    where = (site and site.pk, language, addresses_version())
    parts = (VoucherItem._fields, account, changed_at, where)
    word = hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
    return Version(word=word, synced_at=synced_at)


def voucher_list(
    *,
    site: Site | None,
    type: str | None = None,
    search: str = "",
    limit: int = 50,
    offset: int = 0,
    language: str | None = None,
    request: HttpRequest | None = None,
) -> VoucherList:
    """Return a page of what the site's shop has on sale."""
    on_sale = products_on_sale(shop_for(site).account, type=type, search=search)
    found = on_sale.values_list(*_Row._fields)[offset : offset + limit]
    rows = [_Row._make(values) for values in found]
    addresses = ProductAddresses(rows, site=site, language=language, request=request)
    return VoucherList(
        count=on_sale.count(), items=tuple(_listed(row, addresses) for row in rows)
    )


def _listed(row: _Row, addresses: ProductAddresses) -> VoucherItem:
    stock = row.available_count
    return VoucherItem(
        id=row.remote_id,
        title=row.title,
        type=row.type,
        description_html=row.description_html,
        price=row.price,
        min=row.min_amount,
        max=row.max_amount,
        increment=row.increment,
        persons_min=row.persons_min,
        persons_max=row.persons_max,
        available_count=stock,
        # What is listed is active and not gone; see ``VoucherProduct.availability``.
        available=(stock is None or stock > 0)
        and has_terms(
            row.type, row.price, row.min_amount, row.max_amount, row.persons_min
        ),
        image=row.image_url or None,
        url=addresses.url(row),
    )


def voucher_item(
    *,
    site: Site | None,
    remote_id: int,
    language: str | None = None,
    request: HttpRequest | None = None,
) -> VoucherItem | None:
    """Return one product, on sale or not; None if it was never known."""
    product = find_product(shop_for(site).account, remote_id)
    if product is None:
        return None
    addresses = ProductAddresses(
        [product], site=site, language=language, request=request
    )
    row = _Row._make(getattr(product, name) for name in _Row._fields)
    return _listed(row, addresses)._replace(
        available=product.availability == Availability.ON_SALE
    )
