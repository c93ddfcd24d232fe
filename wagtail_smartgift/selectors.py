"""Reads of the catalogue: which shop a site is, what it sells, where that is shown.

No call to Smart Gift is made here, and nothing is written. What is read for a list
costs the same number of queries however long the list is.

A product is *on sale* when Smart Gift lists it as active; sold out it is still
listed. A hidden one is reachable by its address and can be bought, but no list shows
it. Whatever else is known has an address that says that it cannot be bought.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import (
    DecimalField,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
)
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import LessThanOrEqual
from django.http import HttpRequest
from django.utils import translation
from wagtail.coreutils import get_supported_content_language_variant
from wagtail.models import Site

from wagtail_smartgift.choices import Availability, ProductStatus, ProductType
from wagtail_smartgift.conf import Account, DeliveryMethod, get_conf
from wagtail_smartgift.models import (
    AbstractVoucherIndexPage,
    AbstractVoucherPage,
    CatalogueSync,
    SmartGiftSettings,
    VoucherProduct,
)
from wagtail_smartgift.models.catalogue import MAX_PERSONS
from wagtail_smartgift.models.pages import index_page_models, voucher_page_models
from wagtail_smartgift.models.settings import DEFAULT_ACCOUNT
from wagtail_smartgift.money import MAX_AMOUNT


@dataclass(frozen=True)
class Shop:
    """What a Wagtail Site is to Smart Gift: its company, its place, its ways to send."""

    account: Account
    #: Smart Gift's number of the place, sent with check and redeem.
    site_id: str
    delivery_methods: tuple[DeliveryMethod, ...]
    #: Null: the first method that Smart Gift lists.
    payment_method: int | None
    #: Kinds of experiences that can be used here, in Smart Gift's words; empty: all.
    classifications: tuple[str, ...] = ()


@dataclass(frozen=True)
class OwnWords:
    """What a site says in its own words; empty where it says what everybody does."""

    heading: str = ""
    hint: str = ""
    confirmed: str = ""
    checkout: str = ""


@dataclass(frozen=True)
class PaymentMethod:
    id: int
    name: str


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
        classifications=_classifications(own),
    )


def classifications_of(site_id: int | None) -> tuple[str, ...]:
    """Return which experiences can be used at a site; empty: all of them."""
    if site_id is None:
        return ()
    return _classifications(
        SmartGiftSettings.objects.filter(site_id=site_id)
        .only("classifications")
        .first()
    )


def words_of(site: Site | None, *, language: str | None = None) -> OwnWords:
    """Return a site's own words in a language: each of them, or the ones for all."""
    own = _site_settings(site)
    if own is None:
        return OwnWords()
    language = language or _active_language() or ""
    by_language = {
        block.value["language"] or "": {
            name: str(text or "").strip()
            for name, text in block.value.items()
            if name != "language"
        }
        for block in own.words
    }
    found = {**by_language.get("", {})}
    found |= {k: text for k, text in by_language.get(language, {}).items() if text}
    return OwnWords(**found)


def site_name(site: Site | None) -> str:
    """Return what customers are told that a site is called; empty where nobody says."""
    own = site.site_name if site is not None else ""
    return str(own or getattr(settings, "WAGTAIL_SITE_NAME", ""))


def site_named(hostname: str) -> Site | None:
    """Return the site of a host name, with or without its port; None if there is none."""
    name, _colon, port = hostname.partition(":")
    found = Site.objects.filter(hostname__iexact=name).order_by("port", "pk")
    if port:
        is_port = port.isascii() and port.isdecimal() and len(port) < 6
        found = found.filter(port=int(port)) if is_port else found.none()
    return found.first()


def _site_settings(site: Site | None) -> SmartGiftSettings | None:
    """Read the row, if there is one: Wagtail's ``for_site`` would write it."""
    if site is None:
        return None
    found: SmartGiftSettings | None = SmartGiftSettings.objects.filter(
        site_id=site.pk
    ).first()
    return found


def _classifications(own: SmartGiftSettings | None) -> tuple[str, ...]:
    return tuple(own.classifications) if own is not None else ()


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


def synced_at(account: Account) -> datetime | None:
    """Return when the account's catalogue was last read from Smart Gift."""
    return (
        CatalogueSync.objects.filter(account=account.alias)
        .values_list("synced_at", flat=True)
        .first()
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


def available_as(word: Availability) -> Q:
    """Select the products whose ``availability`` is this word."""
    gone = Q(gone_at__isnull=False)
    counter = Q(status=ProductStatus.AT_COUNTER_ONLY)
    open_to_all = Q(status__in=[ProductStatus.ACTIVE, ProductStatus.HIDDEN])
    for_sale = ~gone & open_to_all & _having_terms()
    sold_out = Q(available_count__isnull=False, available_count__lte=0)
    return {
        Availability.GONE: gone,
        Availability.AT_COUNTER_ONLY: ~gone & counter,
        Availability.OFF_SALE: ~gone & ~counter & ~(open_to_all & _having_terms()),
        Availability.SOLD_OUT: for_sale & sold_out,
        Availability.ON_SALE: for_sale & ~sold_out,
    }[word]


def _having_terms() -> Q:
    """Select what ``has_terms``: the same rules, as the database can see them."""
    party = Greatest(Coalesce("persons_min", 1), 1)
    money = DecimalField(max_digits=20, decimal_places=2)
    return Q(
        type=ProductType.MONETARY,
        min_amount__isnull=False,
        max_amount__gt=0,
        max_amount__gte=F("min_amount"),
    ) | (
        Q(type=ProductType.EXPERIENCE, price__gt=0)
        & Q(LessThanOrEqual(party, MAX_PERSONS))
        & Q(
            LessThanOrEqual(
                ExpressionWrapper(
                    Coalesce(F("price"), 0, output_field=money) * party,
                    output_field=money,
                ),
                MAX_AMOUNT,
            )
        )
    )


def availability(product: VoucherProduct, shop: Shop) -> Availability:
    """Tell whether ``shop`` can sell ``product`` now."""
    if product.account != shop.account.alias:
        return Availability.OFF_SALE
    return product.availability


# Where products are shown

#: Stands for a product's number; no other part of an address looks like it.
_ANY_ID = 987654321987654321
#: For more products than these, naming each in a query costs more than reading the
#: pages of all.
_FEW = 100


class Addressed(Protocol):
    """What of a product its address depends on; a ``VoucherProduct`` is one."""

    @property
    def pk(self) -> Any: ...

    @property
    def remote_id(self) -> int: ...


class ProductAddresses:
    """Where a site shows each of ``products`` in one language.

    That is the live page that dresses it, else a plain page under the voucher index:
    the one that the site's settings name, or the first. Where the language has no
    index, the site's main language is used for the plain pages. Reads everything at
    once when it is made.
    """

    def __init__(
        self,
        products: Collection[Addressed],
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
        self.index = _index_page(roots.get(language), site)
        if self.index is None and language != main:
            self.index = _index_page(roots.get(main), site)
        self._index_parts = self._parts(self.index)

    def page(self, product: Addressed) -> AbstractVoucherPage | None:
        """Return the live page that dresses ``product``, if there is one."""
        return self._pages.get(product.pk)

    def path(self, product: Addressed) -> str | None:
        """Return the address without its host."""
        parts = self._address(product)
        return parts[1] if parts else None

    def url(self, product: Addressed) -> str | None:
        """Return the address with its host."""
        parts = self._address(product)
        return "".join(parts) if parts else None

    def plain_url(self, product: Addressed) -> str | None:
        """Return the address with its host that a product has without a page."""
        parts = self._plain(product)
        return "".join(parts) if parts else None

    def _address(self, product: Addressed) -> tuple[str, str] | None:
        page = self.page(product)
        return self._parts(page) if page is not None else self._plain(product)

    def _plain(self, product: Addressed) -> tuple[str, str] | None:
        if self._index_parts is None:
            return None
        root_url, index_path = self._index_parts
        before, after = self._below_index
        below = f"{before}{product.remote_id}{after}"
        return root_url, f"{index_path.rstrip('/')}/{below}"

    @cached_property
    def _below_index(self) -> tuple[str, str]:
        """What stands before and after the number in the address of a plain page.

        Asked for once: a list of a thousand would spend its time on reversing URLs.
        """
        if self.index is None:
            return "", ""
        below = self.index.reverse_subpage(
            "smartgift_product", kwargs={"remote_id": _ANY_ID}
        )
        before, _number, after = below.partition(str(_ANY_ID))
        return before, after

    def _parts(self, page: Any) -> tuple[str, str] | None:
        parts = page.get_url_parts(self._request) if page is not None else None
        if parts is None or parts[1] is None or parts[2] is None:
            # Not routable: the site is headless.
            return None
        return parts[1], parts[2]


def addresses_version() -> object:
    """Return what changes whenever ``ProductAddresses`` may: a query for each model.

    That is where the live pages are, and where the sites are (which Wagtail caches).
    Nothing is kept to be invalidated, so a page that moves because one above it did,
    or is written by a script, is noticed as any other.
    """
    where: list[object] = [Site.get_site_root_paths()]
    for model in voucher_page_models():
        live = model.objects.live().order_by("pk")
        where += live.values_list("pk", "product", "url_path")
    for index in index_page_models():
        pages = index.objects.live().annotate(is_chosen=_is_chosen())
        where += pages.order_by("path").values_list("pk", "url_path", "is_chosen")
    return where


def dressing_page(
    product: VoucherProduct, *, site: Site | None, language: str
) -> AbstractVoucherPage | None:
    """Return the live page that dresses ``product`` in that site and language."""
    return _dressing_pages([product.pk], _root_paths(site).get(language)).get(
        product.pk
    )


def other_page_about(
    product: VoucherProduct, *, site: Site, language: str, page: AbstractVoucherPage
) -> AbstractVoucherPage | None:
    """Return a page besides ``page`` that is about ``product`` there, live or not."""
    root_path = _root_paths(site).get(language)
    if root_path is None:
        return None
    for model in voucher_page_models():
        found: AbstractVoucherPage | None = (
            model.objects.filter(product=product, url_path__startswith=root_path)
            .exclude(pk=page.pk)
            .order_by("pk")
            .first()
        )
        if found is not None:
            return found
    return None


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
    wanted = list(product_pks)
    for model in voucher_page_models():
        found = model.objects.live().filter(url_path__startswith=root_path)
        if len(wanted) <= _FEW:
            found = found.filter(product__in=wanted)
        # Where two pages dress one product, the older one stays its address.
        pages.update({page.product_id: page for page in found.order_by("-pk")})
    return pages


def _index_page(
    root_path: str | None, site: Site | None
) -> AbstractVoucherIndexPage | None:
    """Return the index that the site's settings name if it is live, else the first."""
    if root_path is None or site is None:
        return None
    first: AbstractVoucherIndexPage | None = None
    for model in index_page_models():
        pages = model.objects.live().filter(url_path__startswith=root_path)
        page: Any = (
            pages.annotate(is_chosen=_is_chosen(site_id=site.pk))
            .order_by("-is_chosen", "path")
            .first()
        )
        if page is not None and page.is_chosen:
            return cast("AbstractVoucherIndexPage", page)
        first = first or page
    return first


def _is_chosen(**of_site: Any) -> Exists:
    """Tell of an index page whether a site has chosen it: no query of its own."""
    return Exists(
        SmartGiftSettings.objects.filter(
            voucher_index_key=OuterRef("translation_key"), **of_site
        )
    )
