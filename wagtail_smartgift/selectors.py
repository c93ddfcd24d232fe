"""Reads of the catalogue: which shop a site is, what it sells, where that is shown.

No call to Smart Gift is made here, and nothing is written. What is read for a list
costs the same number of queries however long the list is.

A product is *on sale* when Smart Gift lists it as active; sold out it is still
listed. A hidden one is reachable by its address and can be bought, but no list shows
it. Whatever else is known has an address that says that it cannot be bought.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import translation
from wagtail.coreutils import get_supported_content_language_variant
from wagtail.models import Site

from wagtail_smartgift.choices import Availability, ProductStatus
from wagtail_smartgift.conf import Account, DeliveryMethod, get_conf
from wagtail_smartgift.models import (
    AbstractVoucherIndexPage,
    AbstractVoucherPage,
    CatalogueSync,
    SmartGiftSettings,
    VoucherProduct,
)
from wagtail_smartgift.models.pages import index_page_models, voucher_page_models
from wagtail_smartgift.models.settings import DEFAULT_ACCOUNT


@dataclass(frozen=True)
class Shop:
    """What a Wagtail Site is to Smart Gift: its company, its place, its ways to send."""

    account: Account
    #: Smart Gift's number of the place, sent with check and redeem.
    site_id: str
    delivery_methods: tuple[DeliveryMethod, ...]
    #: Null: the first method that Smart Gift lists.
    payment_method: int | None


@dataclass(frozen=True)
class PaymentMethod:
    id: int
    name: str


@dataclass(frozen=True)
class VoucherItem:
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


# The shop


def shop_for(site: Site | None) -> Shop:
    """Return what ``site`` is to Smart Gift: its own settings over the settings file.

    Raises:
        ImproperlyConfigured: the account it names is not configured (any more).
    """
    conf = get_conf()
    own = _site_settings(site)
    alias = (own and own.account) or DEFAULT_ACCOUNT
    try:
        account = conf.account(alias)
    except ImproperlyConfigured as error:
        if own is None or not own.account:
            raise
        raise ImproperlyConfigured(
            f"The site {site} sells for an account that is not configured: {error} "
            "Choose another one under Settings > Gift vouchers, or put it back."
        ) from None
    methods = _own_delivery_methods(own) or conf.delivery_methods
    return Shop(
        account=account,
        site_id=(own and own.smartgift_site_id) or account.site_id,
        delivery_methods=methods,
        payment_method=(own and own.payment_method) or conf.payment_method,
    )


def _site_settings(site: Site | None) -> SmartGiftSettings | None:
    """Read the row, if there is one: Wagtail's ``for_site`` would write it."""
    if site is None:
        return None
    found: SmartGiftSettings | None = SmartGiftSettings.objects.filter(
        site_id=site.pk
    ).first()
    return found


def _own_delivery_methods(
    own: SmartGiftSettings | None,
) -> tuple[DeliveryMethod, ...]:
    if own is None:
        return ()
    return tuple(
        DeliveryMethod(
            id=block.value["id"].strip(),
            name=block.value["name"],
            price=block.value["price"],
            posted=block.value["posted"],
        )
        for block in own.delivery_methods
    )


def payment_methods(account: Account) -> tuple[PaymentMethod, ...]:
    """Return the payment methods as last read from Smart Gift; empty if never."""
    row = CatalogueSync.objects.filter(account=account.alias).first()
    if row is None:
        return ()
    return tuple(
        PaymentMethod(id=item["id"], name=item["name"]) for item in row.payment_methods
    )


# Products


def known_products(account: Account) -> QuerySet[VoucherProduct]:
    """Return every product that Smart Gift ever listed for this account."""
    return VoucherProduct.objects.filter(account=account.alias)


def products_on_sale(
    account: Account, *, type: str | None = None, search: str = ""
) -> QuerySet[VoucherProduct]:
    """Return the products to list, by title; ``search`` looks in title and words."""
    products = known_products(account).filter(
        status=ProductStatus.ACTIVE, gone_at__isnull=True
    )
    if type:
        products = products.filter(type=type)
    for word in search.split()[:8]:
        products = products.filter(
            Q(title__icontains=word) | Q(description_html__icontains=word)
        )
    return products.order_by("title", "remote_id")


def find_product(account: Account, remote_id: int) -> VoucherProduct | None:
    """Return the product of that Smart Gift id, on sale or not; None if never known."""
    return known_products(account).filter(remote_id=remote_id).first()


def availability(product: VoucherProduct, shop: Shop) -> Availability:
    """Tell whether ``shop`` can sell ``product`` now."""
    if product.account != shop.account.alias:
        return Availability.OFF_SALE
    return product.availability


# Where products are shown


class ProductAddresses:
    """Where a site shows each of ``products`` in one language.

    That is the live page that dresses it, else a plain page under the voucher index.
    Where the language has no index, the site's main language is used for the plain
    pages. Reads everything at once when it is made.
    """

    def __init__(
        self,
        products: Collection[VoucherProduct],
        *,
        site: Site | None,
        language: str | None = None,
        request: HttpRequest | None = None,
    ) -> None:
        self._request = request
        roots = _root_paths(site)
        main = _main_language(site, roots)
        language = language or _active_language() or main
        self._pages = _dressing_pages(
            [product.pk for product in products], roots.get(language)
        )
        self.index = _index_page(roots.get(language))
        if self.index is None and language != main:
            self.index = _index_page(roots.get(main))
        self._index_parts = self._parts(self.index)

    def page(self, product: VoucherProduct) -> AbstractVoucherPage | None:
        """Return the live page that dresses ``product``, if there is one."""
        return self._pages.get(product.pk)

    def path(self, product: VoucherProduct) -> str | None:
        """Return the address without its host."""
        parts = self._address(product)
        return parts[1] if parts else None

    def url(self, product: VoucherProduct) -> str | None:
        """Return the address with its host."""
        parts = self._address(product)
        return "".join(parts) if parts else None

    def _address(self, product: VoucherProduct) -> tuple[str, str] | None:
        page = self.page(product)
        if page is not None:
            return self._parts(page)
        if self.index is None or self._index_parts is None:
            return None
        root_url, index_path = self._index_parts
        below = self.index.reverse_subpage(
            "smartgift_product", kwargs={"remote_id": product.remote_id}
        )
        return root_url, f"{index_path.rstrip('/')}/{below}"

    def _parts(self, page: Any) -> tuple[str, str] | None:
        parts = page.get_url_parts(self._request) if page is not None else None
        if parts is None or parts[1] is None or parts[2] is None:
            # Not routable: the site is headless.
            return None
        return parts[1], parts[2]


def dressing_page(
    product: VoucherProduct, *, site: Site | None, language: str
) -> AbstractVoucherPage | None:
    """Return the live page that dresses ``product`` in that site and language."""
    return _dressing_pages([product.pk], _root_paths(site).get(language)).get(
        product.pk
    )


def product_url(
    product: VoucherProduct,
    *,
    site: Site | None,
    language: str | None = None,
    request: HttpRequest | None = None,
) -> str | None:
    """Return the absolute address of one product; for many, ``ProductAddresses``."""
    return ProductAddresses(
        [product], site=site, language=language, request=request
    ).url(product)


def _root_paths(site: Site | None) -> Mapping[str, str]:
    """Return language -> ``url_path`` of the site's root page in it (Wagtail caches)."""
    if site is None:
        return {}
    return {
        root.language_code: root.root_path
        for root in Site.get_site_root_paths()
        if root.site_id == site.pk
    }


def _main_language(site: Site | None, roots: Mapping[str, str]) -> str:
    if site is None or len(roots) == 1:
        return next(iter(roots), "")
    return str(site.root_page.locale.language_code)


def _active_language() -> str | None:
    try:
        return str(get_supported_content_language_variant(translation.get_language()))
    except LookupError:
        return None


def _dressing_pages(
    product_pks: Iterable[int], root_path: str | None
) -> dict[int, AbstractVoucherPage]:
    if root_path is None:
        return {}
    pages: dict[int, AbstractVoucherPage] = {}
    for model in voucher_page_models():
        found = (
            model.objects.live()
            .filter(url_path__startswith=root_path, product__in=list(product_pks))
            .order_by("-pk")
        )
        # Where two pages dress one product, the older one stays its address.
        pages.update({page.product_id: page for page in found})
    return pages


def _index_page(root_path: str | None) -> AbstractVoucherIndexPage | None:
    if root_path is None:
        return None
    for model in index_page_models():
        page: AbstractVoucherIndexPage | None = (
            model.objects.live()
            .filter(url_path__startswith=root_path)
            .order_by("path")
            .first()
        )
        if page is not None:
            return page
    return None


# What the storefront API tells


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
    products = list(on_sale[offset : offset + limit])
    addresses = ProductAddresses(
        products, site=site, language=language, request=request
    )
    return VoucherList(
        count=on_sale.count(),
        items=tuple(_item(product, addresses) for product in products),
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
    return _item(product, addresses)


def _item(product: VoucherProduct, addresses: ProductAddresses) -> VoucherItem:
    return VoucherItem(
        id=product.remote_id,
        title=product.title,
        type=product.type,
        description_html=product.description_html,
        price=product.price,
        min=product.min_amount,
        max=product.max_amount,
        increment=product.increment,
        persons_min=product.persons_min,
        persons_max=product.persons_max,
        available_count=product.available_count,
        available=product.availability == Availability.ON_SALE,
        image=product.image_url or None,
        url=addresses.url(product),
    )
