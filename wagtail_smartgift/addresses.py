"""Where a site shows each product: on the page that dresses it, or on a plain one.

What is read for a list costs the same number of queries however long the list is.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from typing import Any, Protocol, cast

from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from wagtail.models import Site

from wagtail_smartgift.models import (
    AbstractVoucherIndexPage,
    AbstractVoucherPage,
    SmartGiftSettings,
    VoucherProduct,
)
from wagtail_smartgift.models.pages import index_page_models, voucher_page_models
from wagtail_smartgift.selectors import active_language


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
        language = language or active_language() or main
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
