"""Pages about products: which there are, and which of them cannot sell (any more).

A voucher page always has a product, but what it is about may have gone, been switched
off, or belong to another company than the site sells for. Nobody sees that on the page
tree, so there is a list of them.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy
from wagtail.admin.ui.tables import (
    Column,
    DateColumn,
    StatusTagColumn,
    TitleColumn,
)
from wagtail.models import Site, get_page_models

from wagtail_smartgift import selectors
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.models import AbstractVoucherPage, VoucherProduct
from wagtail_smartgift.models.pages import voucher_page_models
from wagtail_smartgift.views.desk.links import (
    LinkColumn,
    product_policy,
    to_product,
)
from wagtail_smartgift.views.desk.listing import (
    DeskFilterSet,
    DeskIndexView,
    ExportColumn,
    yes_or_no,
)


ICON = "doc-empty"
#: Why a page sells nothing, where its product is fine in itself.
ELSEWHERE = "elsewhere"


def has_page() -> Q:
    """Select the products that some page is about, live or not."""
    found = Q(pk__in=[])
    for model in voucher_page_models():
        found |= Q(Exists(model.objects.filter(product=OuterRef("pk"))))
    return found


def pages_about(
    products: Sequence[VoucherProduct],
) -> dict[int, list[AbstractVoucherPage]]:
    """Return product's pk -> its pages, live or not; a query for each kind of page."""
    found: dict[int, list[AbstractVoucherPage]] = defaultdict(list)
    wanted = [product.pk for product in products]
    for model in voucher_page_models():
        pages = model.objects.filter(product__in=wanted).select_related("locale")
        for page in pages.order_by("path"):
            found[page.product_id].append(page)
    return found


# Pages that cannot sell


def page_model() -> Any:
    """Return the model that all pages of this project share; a host may have its own."""
    model = get_page_models()[0]
    return model._meta.get_field("path").model


def _about(products: QuerySet[VoucherProduct]) -> Q:
    """Select the pages about any of these products."""
    found = Q(pk__in=[])
    for model in voucher_page_models():
        found |= Q(pk__in=model.objects.filter(product__in=products).values("pk"))
    return found


def _elsewhere() -> Q:
    """Select the pages whose product is another company's than their site's."""
    found = Q(pk__in=[])
    sites = {site.pk: site for site in Site.objects.all()}
    for root in Site.get_site_root_paths():
        try:
            shop = selectors.shop_for(sites.get(root.site_id))
        except ImproperlyConfigured:
            # The checks name it; nobody can say what this site may sell.
            continue
        others = VoucherProduct.objects.exclude(account=shop.account.alias)
        found |= Q(url_path__startswith=root.root_path) & _about(others)
    return found


def _as(word: Availability) -> Q:
    return _about(VoucherProduct.objects.filter(selectors.available_as(word)))


def cannot_sell() -> Q:
    """Select the pages to look at: nothing can be bought on them."""
    return _elsewhere() | _about(
        VoucherProduct.objects.exclude(selectors.available_as(Availability.ON_SALE))
    )


class PageFilterSet(DeskFilterSet):
    why = django_filters.ChoiceFilter(
        method="by_why",
        label=gettext_lazy("Why"),
        choices=[
            *(
                (word.value, word.label)
                for word in Availability
                if word is not Availability.ON_SALE
            ),
            (ELSEWHERE, gettext_lazy("Sold by another company than this site's")),
        ],
        empty_label=gettext_lazy("All"),
        widget=forms.RadioSelect,
    )
    live = yes_or_no(
        gettext_lazy("Page"),
        pgettext_lazy("page", "live"),
        pgettext_lazy("page", "draft"),
        where=lambda: Q(live=True),
    )

    class Meta:
        fields = ["why", "live"]

    def by_why(self, rows: QuerySet, _name: str, word: str) -> QuerySet:
        if word == ELSEWHERE:
            return rows.filter(_elsewhere())
        return rows.filter(_as(Availability(word)))


class PageIndexView(DeskIndexView):
    """Pages on which nothing can be bought, with what to do about each."""

    permission_policy = product_policy
    any_permission_required = ("view",)
    page_title = gettext_lazy("Pages to look at")
    header_icon = ICON
    index_url_name = "smartgift_products:pages"
    index_results_url_name = "smartgift_products:pages_results"
    filterset_class = PageFilterSet
    search_fields = ["title"]
    #: The pages are found by their title alone, without the search index.
    search_backend_name = None
    is_searchable = True
    default_ordering = "title"
    export_filename = "voucher-pages-to-look-at"
    verbose_name_plural = gettext_lazy("pages")

    #: page's pk -> the page as what it is, of the rows on show.
    specific: dict[Any, AbstractVoucherPage]

    def get_base_queryset(self) -> QuerySet:
        return page_model().objects.filter(cannot_sell()).select_related("locale")

    def get_filterset_kwargs(self) -> dict[str, Any]:
        # Which model all pages share is known only when the project has started.
        nothing = page_model().objects.none()
        return {**super().get_filterset_kwargs(), "queryset": nothing}

    def prepare(self, rows: Sequence[Any]) -> None:
        self.specific = {}
        for model in voucher_page_models():
            pages = model.objects.filter(pk__in=[row.pk for row in rows])
            self.specific |= {page.pk: page for page in pages.select_related("product")}

    def product(self, row: Any) -> VoucherProduct:
        return self.specific[row.pk].product

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        products = {
            "url": reverse("smartgift_products:index"),
            "label": _("Products"),
        }
        return [
            *self.breadcrumbs_items,
            products,
            {"url": "", "label": self.get_page_title()},
        ]

    @cached_property
    def columns(self) -> list[Any]:
        user = self.request.user
        return [
            TitleColumn(
                "title",
                label=_("Page"),
                accessor="get_admin_display_title",
                sort_key="title",
                get_url=lambda row: reverse("wagtailadmin_pages:edit", args=[row.pk]),
            ),
            StatusTagColumn(
                "live",
                label=_("Status"),
                accessor=_live_or_draft,
                primary=lambda row: row.live,
                sort_key="live",
            ),
            Column("locale", label=_("Language")),
            LinkColumn(
                "product",
                label=_("Product"),
                accessor=lambda row: self.product(row).title,
                get_url=lambda row: to_product(self.product(row).pk, user=user),
            ),
            Column("why", label=_("Why"), accessor=lambda row: why(self.product(row))),
            Column(
                "what",
                label=_("What to do"),
                accessor=lambda row: what_to_do(self.product(row)),
            ),
            DateColumn(
                "changed_at",
                label=_("Product changed"),
                accessor=lambda row: self.product(row).changed_at,
            ),
        ]

    @cached_property
    def export_columns(self) -> Sequence[ExportColumn]:  # type: ignore[override]
        return [
            ExportColumn("title", _("Page"), lambda row: row.title),
            ExportColumn("path", _("Address"), lambda row: row.url_path),
            ExportColumn("live", _("Status"), _live_or_draft),
            ExportColumn("product", _("Product"), lambda row: self.product(row).title),
            ExportColumn(
                "remote_id", _("Smart Gift id"), lambda row: self.product(row).remote_id
            ),
            ExportColumn("why", _("Why"), lambda row: why(self.product(row))),
            ExportColumn(
                "changed",
                _("Product changed"),
                lambda row: self.product(row).changed_at,
            ),
        ]


def _live_or_draft(page: Any) -> str:
    return pgettext("page", "live") if page.live else pgettext("page", "draft")


def why(product: VoucherProduct) -> str | Promise:
    """Say why nothing can be bought on a page about this product."""
    if product.availability == Availability.ON_SALE:
        return _("Sold by another company than this site's")
    return product.availability.label


def what_to_do(product: VoucherProduct) -> str | Promise:
    """Say what an editor can do about a page of a product that is not to be had."""
    return {
        Availability.ON_SALE: _("Choose a voucher of this site's company."),
        Availability.SOLD_OUT: _("Nothing: it comes back when Smart Gift has more."),
        Availability.AT_COUNTER_ONLY: _("Say where it is sold, or unpublish the page."),
        Availability.OFF_SALE: _("Switch it on in Smart Gift, or unpublish the page."),
        Availability.GONE: _("Choose another voucher, or unpublish the page."),
    }[product.availability]
