"""What machines are told of a voucher's page: search engines, networks, messengers.

schema.org's ``Product`` with its offer, and the tags of Open Graph and Twitter. All of
it is what a visitor sees on the page, from our own rows, with the prices of now.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from html import unescape
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator
from django.utils.translation import to_locale
from wagtail.models import Site
from wagtail.rich_text import get_text_for_indexing

from wagtail_smartgift import selectors
from wagtail_smartgift.addresses import ProductAddresses
from wagtail_smartgift.choices import Availability, ProductStatus, ProductType
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    AbstractVoucherIndexPage,
    AbstractVoucherPage,
    VoucherProduct,
)
from wagtail_smartgift.money import format_money
from wagtail_smartgift.renditions import social_rendition


#: Characters of a description that anybody shows.
LONGEST_DESCRIPTION = 200
#: So few left are worth saying.
FEW = 10

_AVAILABILITY = {
    Availability.ON_SALE: "InStock",
    Availability.SOLD_OUT: "SoldOut",
    Availability.AT_COUNTER_ONLY: "InStoreOnly",
    Availability.OFF_SALE: "OutOfStock",
    Availability.GONE: "Discontinued",
}
#: Nothing of it can end the script that it stands in, or begin another.
_ESCAPES = {
    ord("<"): "\\u003C",
    ord(">"): "\\u003E",
    ord("&"): "\\u0026",
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


@dataclass(frozen=True)
class Picture:
    url: str
    alt: str = ""
    #: None where it is not ours: nobody measured it.
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class Metadata:
    """What there is to say of a page."""

    title: str
    description: str
    #: With its host; None for what has no address yet.
    url: str | None
    picture: Picture | None
    site_name: str
    #: As Open Graph writes it: ``en_GB``.
    locale: str
    is_product: bool
    #: The least that the product costs, ``25.00``; empty: nobody says.
    price: str = ""
    currency: str = ""
    #: schema.org's ``Product`` as JSON that may stand in a page; empty: no product.
    json_ld: SafeString = SafeString("")


def of_page(page: Any, *, request: HttpRequest) -> Metadata:
    """Return what to say of the voucher index, or of any page with words of its own."""
    return Metadata(
        title=page.seo_title or page.title,
        description=_description(page, None),
        url=page.get_full_url(request),
        picture=None,
        site_name=selectors.site_name(Site.find_for_request(request)),
        locale=to_locale(page.locale.language_code),
        is_product=False,
    )


def of_product(
    product: VoucherProduct,
    *,
    page: Any,
    availability: Availability,
    request: HttpRequest,
) -> Metadata:
    """Return what to say of a product on ``page``: one about it, or the index."""
    dressed = isinstance(page, AbstractVoucherPage)
    words: Any = page
    title = (words.seo_title or words.title) if dressed else product.title
    description = _description(words if dressed else None, product)
    url = words.get_full_url(request)
    if url and not dressed:
        below = page.reverse_subpage(
            "smartgift_product", kwargs={"remote_id": product.remote_id}
        )
        url = f"{url.rstrip('/')}/{below}"
    picture = _picture(page if dressed else None, product, request)
    currency = get_conf().currency
    prices = price_range(product)
    told: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": title,
        "sku": str(product.remote_id),
        "category": "Gift voucher",
    }
    if description:
        told["description"] = description
    if url:
        told["url"] = url
    if picture:
        told["image"] = [picture.url]
    if prices:
        told["offers"] = _offer(product, prices, availability, currency, url)
    return Metadata(
        title=title,
        description=description,
        url=url,
        picture=picture,
        site_name=selectors.site_name(Site.find_for_request(request)),
        locale=to_locale(words.locale.language_code),
        is_product=True,
        price=format_money(prices[0]) if prices else "",
        currency=currency,
        json_ld=_as_json(told),
    )


def price_range(product: VoucherProduct) -> tuple[Decimal, Decimal] | None:
    """Return the least and the most that a product is sold for; None: nobody says."""
    if not product.has_terms:
        return None
    if product.type == ProductType.MONETARY:
        lowest = product.min_amount or product.increment or Decimal("0.01")
        return lowest, max(lowest, product.max_amount or lowest)
    persons = product.persons_range
    price = product.price or Decimal(0)
    return price * persons[0], price * persons[-1]


def plain_sitemap(
    page: AbstractVoucherIndexPage, request: HttpRequest | None
) -> Iterator[dict[str, Any]]:
    """Return the addresses below the index that can be bought at, for a sitemap.

    Products with a page of their own are there by that page.
    """
    index: Any = page
    site = index.get_site()
    if site is None:
        return
    products = [
        product
        for product in selectors.products_on_sale(
            selectors.shop_for(site).account
        ).defer("description_html")
        if product.availability == Availability.ON_SALE
    ]
    addresses = ProductAddresses(
        products, site=site, language=index.locale.language_code, request=request
    )
    if addresses.index is None or addresses.index.pk != page.pk:
        # Another index is this language's.
        return
    for product in products:
        url = addresses.plain_url(product)
        if url and addresses.page(product) is None:
            yield {"location": url, "lastmod": product.changed_at}


def is_in_sitemap(page: AbstractVoucherPage, request: HttpRequest | None) -> bool:
    """Tell whether a page's product can be bought and is listed.

    One query for all pages of a sitemap: what it answers stays with the request.
    """
    if request is None:
        return _listed().filter(pk=page.product_id).exists()
    known: set[int] | None = getattr(request, "_smartgift_listed", None)
    if known is None:
        known = set(_listed().values_list("pk", flat=True))
        request._smartgift_listed = known  # type: ignore[attr-defined]
    return page.product_id in known


def _listed() -> QuerySet[VoucherProduct]:
    return VoucherProduct.objects.filter(
        selectors.available_as(Availability.ON_SALE), status=ProductStatus.ACTIVE
    )


def _offer(
    product: VoucherProduct,
    prices: tuple[Decimal, Decimal],
    availability: Availability,
    currency: str,
    url: str | None,
) -> dict[str, Any]:
    lowest, highest = prices
    state = _AVAILABILITY[availability]
    left = product.available_count
    if availability == Availability.ON_SALE and left is not None and left <= FEW:
        state = "LimitedAvailability"
    offer: dict[str, Any] = (
        {"@type": "Offer", "price": format_money(lowest)}
        if lowest == highest
        else {
            "@type": "AggregateOffer",
            "lowPrice": format_money(lowest),
            "highPrice": format_money(highest),
        }
    )
    offer["priceCurrency"] = currency
    offer["availability"] = f"https://schema.org/{state}"
    if url:
        offer["url"] = url
    return offer


def _description(page: Any, product: VoucherProduct | None) -> str:
    """Return the first words there are: the editor's for it, the editor's, Smart Gift's."""
    text = ""
    if page is not None:
        text = page.search_description or unescape(
            get_text_for_indexing(page.introduction)
        )
    if not text and product is not None:
        text = product.description_text
    return Truncator(" ".join(text.split())).chars(LONGEST_DESCRIPTION)


def _picture(
    page: Any, product: VoucherProduct, request: HttpRequest
) -> Picture | None:
    image = page.image if page is not None and page.image_id else None
    if image is not None:
        rendition = social_rendition(image)
        return rendition and Picture(
            url=request.build_absolute_uri(rendition.url),
            alt=image.default_alt_text,
            width=rendition.width,
            height=rendition.height,
        )
    if product.image_url:
        return Picture(url=product.image_url)
    return None


def _as_json(told: dict[str, Any]) -> SafeString:
    text = json.dumps(told, ensure_ascii=False).translate(_ESCAPES)
    return mark_safe(text)  # noqa: S308 - escaped in the line above
