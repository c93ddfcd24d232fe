"""The products in the Wagtail admin: what there is, and a page for it in one step.

Products are Smart Gift's and cannot be edited here. Whoever may add pages may look.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import django_filters
from django import forms
from django.contrib import messages
from django.core.exceptions import (
    ImproperlyConfigured,
    PermissionDenied,
    ValidationError,
)
from django.db.models import Q, QuerySet
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST
from wagtail.admin.ui.tables import Column, StatusTagColumn, TitleColumn
from wagtail.admin.widgets.button import Button, HeaderButton

from wagtail_smartgift import drift, selectors
from wagtail_smartgift.choices import Availability, ProductStatus, ProductType
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import AbstractVoucherPage, VoucherProduct
from wagtail_smartgift.models.pages import index_page_models
from wagtail_smartgift.services import voucher_pages
from wagtail_smartgift.templatetags.smartgift_catalogue import price_text
from wagtail_smartgift.views.desk.base import GuardedViewSet
from wagtail_smartgift.views.desk.links import product_policy, to_product
from wagtail_smartgift.views.desk.listing import (
    DeskFilterSet,
    DeskIndexView,
    ExportColumn,
    account_filter,
    choice_filter,
    known_accounts,
    yes_or_no,
)
from wagtail_smartgift.views.desk.product_detail import ProductDetailView
from wagtail_smartgift.views.desk.product_pages import (
    PageIndexView,
    has_page,
    pages_about,
)
from wagtail_smartgift.views.desk.sync import SyncResultsView, SyncView


#: Who may have the catalogue read may see what came of it.
MAY_LOOK = ("view", "sync")


@dataclass(frozen=True)
class Parent:
    """A voucher index under which the user may add a page, and whose shop it is."""

    page: Any
    account: str


def parents_for(user: Any) -> list[Parent]:
    """Return where ``user`` may put voucher pages."""
    found = []
    for model in index_page_models():
        for page in model.objects.order_by("path").select_related("locale"):
            if not page.permissions_for_user(user).can_add_subpage():
                continue
            if voucher_pages.page_model_under(page) is None:
                continue
            try:
                shop = selectors.shop_for(page.get_site())
            except ImproperlyConfigured:
                # The checks name it; its products cannot be told from others.
                continue
            found.append(Parent(page=page, account=shop.account.alias))
    return found


class PagesColumn(Column):
    """Links to the pages about a product, and buttons to make those that miss."""

    cell_template_name = "wagtail_smartgift/desk/pages_cell.html"

    def __init__(self, view: "ProductIndexView") -> None:
        super().__init__("pages", label=_("Pages"))
        self.view = view

    def get_value(self, instance: VoucherProduct) -> list[AbstractVoucherPage]:
        return self.view.dressed[instance.pk]

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> Any:
        context = super().get_cell_context_data(instance, parent_context)
        pages = context["value"]
        context["pages"] = [(page, self.view.drifted.get(page.pk)) for page in pages]
        context["missing"] = [
            (parent.page, reverse(CREATE_URL, args=[instance.pk, parent.page.pk]))
            for parent in self.view.parents
            if parent.account == instance.account
            and not any(page.path.startswith(parent.page.path) for page in pages)
        ]
        context["several_parents"] = len(self.view.parents) > 1
        context["csrf_token"] = get_token(self.view.request)
        return context


def _by_availability(rows: QuerySet, _name: str, word: str) -> QuerySet:
    return rows.filter(selectors.available_as(Availability(word)))


class ProductFilterSet(DeskFilterSet):
    availability = django_filters.ChoiceFilter(
        method=_by_availability,
        label=gettext_lazy("Availability"),
        choices=Availability.choices,
        empty_label=gettext_lazy("All"),
        widget=forms.RadioSelect,
    )
    pages = yes_or_no(
        gettext_lazy("Page"),
        gettext_lazy("With a page"),
        gettext_lazy("Without a page"),
        where=has_page,
    )
    type = choice_filter("type", gettext_lazy("Type"), ProductType.choices)
    status = choice_filter(
        "status", gettext_lazy("At Smart Gift"), ProductStatus.choices
    )
    listed = yes_or_no(
        gettext_lazy("In Smart Gift's catalogue"),
        gettext_lazy("Listed now"),
        gettext_lazy("Gone"),
        where=lambda: Q(gone_at__isnull=True),
    )
    account = account_filter()

    class Meta:
        model = VoucherProduct
        fields = ["availability", "pages", "type", "status", "listed", "account"]


class ProductIndexView(DeskIndexView):
    model = VoucherProduct
    permission_policy = product_policy
    any_permission_required = MAY_LOOK
    page_title = gettext_lazy("Products")
    header_icon = "smartgift"
    index_url_name = "smartgift_products:index"
    index_results_url_name = "smartgift_products:index_results"
    search_fields = ["title", "remote_id"]
    filterset_class = ProductFilterSet
    default_ordering = "title"
    export_filename = "voucher-products"

    #: product's pk -> its pages, for the products on show.
    dressed: dict[int, list[AbstractVoucherPage]]
    #: page's pk -> what Smart Gift changed since its editor knew the product.
    drifted: dict[Any, tuple[drift.Drift, ...]]

    def get_page_subtitle(self) -> str:
        """Say how old all of this is: pages go on from it when Smart Gift is away."""
        ages = [
            _("%(account)s: read %(age)s ago")
            % {"account": account.alias, "age": timesince(synced)}
            if (synced := selectors.synced_at(account))
            else _("%(account)s: never read") % {"account": account.alias}
            for account in get_conf().accounts.values()
        ]
        return ", ".join(ages)

    @cached_property
    def header_buttons(self) -> list[Any]:
        if not product_policy.user_has_permission(self.request.user, "sync"):
            return []
        url = reverse("smartgift_products:sync")
        return [HeaderButton(_("Sync now"), url=url, icon_name="rotate")]

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        amiss = Button(
            _("Pages to look at"),
            url=reverse("smartgift_products:pages"),
            icon_name="doc-empty",
            priority=10,
        )
        return [amiss, *super().header_more_buttons]

    @cached_property
    def columns(self) -> list[Any]:
        columns = [
            TitleColumn(
                "title",
                label=_("Title"),
                sort_key="title",
                width="28%",
                get_url=lambda product: to_product(product.pk, user=self.request.user),
            ),
            Column("remote_id", label=_("Smart Gift id"), sort_key="remote_id"),
            Column("price", label=_("Price"), accessor=price_text),
            StatusTagColumn(
                "availability",
                label=_("Availability"),
                accessor=lambda product: product.availability.label,
                primary=lambda product: product.availability == Availability.ON_SALE,
            ),
            Column(
                "status",
                label=_("At Smart Gift"),
                accessor="get_status_display",
                sort_key="status",
            ),
            Column("available_count", label=_("In stock"), sort_key="available_count"),
            PagesColumn(self),
        ]
        if len(known_accounts()) > 1:
            columns.insert(-1, Column("account", label=_("Account")))
        return columns

    @cached_property
    def export_columns(self) -> Sequence[ExportColumn]:  # type: ignore[override]
        return [
            ExportColumn("title", _("Title"), lambda row: row.title),
            ExportColumn("remote_id", _("Smart Gift id"), lambda row: row.remote_id),
            ExportColumn("account", _("Account"), lambda row: row.account),
            ExportColumn("type", _("Type"), lambda row: row.get_type_display()),
            ExportColumn(
                "availability", _("Availability"), lambda row: row.availability.label
            ),
            ExportColumn(
                "status", _("At Smart Gift"), lambda row: row.get_status_display()
            ),
            ExportColumn("price", _("Price"), lambda row: row.price),
            ExportColumn(
                "min",
                pgettext("the smallest amount", "From"),
                lambda row: row.min_amount,
            ),
            ExportColumn(
                "max", pgettext("the largest amount", "To"), lambda row: row.max_amount
            ),
            ExportColumn("increment", _("In steps of"), lambda row: row.increment),
            ExportColumn("persons_min", _("People from"), lambda row: row.persons_min),
            ExportColumn("persons_max", _("People to"), lambda row: row.persons_max),
            ExportColumn("stock", _("In stock"), lambda row: row.available_count),
            ExportColumn("seen", _("First seen"), lambda row: row.first_seen_at),
            ExportColumn("changed", _("Changed"), lambda row: row.changed_at),
            ExportColumn("gone", _("Gone since"), lambda row: row.gone_at),
            ExportColumn("pages", _("Pages"), self._page_paths),
        ]

    def _page_paths(self, product: VoucherProduct) -> str:
        return ", ".join(page.url_path for page in self.dressed[product.pk])

    @cached_property
    def parents(self) -> list[Parent]:
        return parents_for(self.request.user)

    def prepare(self, rows: Sequence[VoucherProduct]) -> None:
        self.dressed = pages_about(rows)
        self.drifted = drift.of_pages(itertools.chain(*self.dressed.values()))


@require_POST
def create_page(request: HttpRequest, product_pk: int, parent_pk: int) -> HttpResponse:
    """Make a draft about the product and open it in the editor."""
    product = get_object_or_404(VoucherProduct, pk=product_pk)
    parent = next(
        (
            one.page
            for one in parents_for(request.user)
            if one.page.pk == parent_pk and one.account == product.account
        ),
        None,
    )
    if parent is None:
        raise PermissionDenied
    try:
        page: Any = voucher_pages.create_draft(
            product, parent=parent, user=request.user
        )
    except voucher_pages.HasPage as other:
        messages.info(request, _("This voucher has a page already."))
        return redirect("wagtailadmin_pages:edit", other.page.pk)
    except ValidationError:
        messages.error(
            request,
            _(
                "This site's voucher pages need more than a title. Add the page by hand."
            ),
        )
        return redirect("wagtailadmin_explore", parent.pk)
    messages.success(request, _("A draft was made. Add your words and publish it."))
    return redirect("wagtailadmin_pages:edit", page.pk)


CREATE_URL = "smartgift_products:create_page"


class ProductViewSet(GuardedViewSet):
    """Menu item and addresses of the above."""

    name = "smartgift_products"
    url_prefix = "smartgift/vouchers"
    icon = "smartgift"
    menu_label = gettext_lazy("Products")
    policy = product_policy
    actions = MAY_LOOK

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", ProductIndexView.as_view(), name="index"),
            path(
                "results/",
                ProductIndexView.as_view(results_only=True),
                name="index_results",
            ),
            path("<int:pk>/", ProductDetailView.as_view(), name="detail"),
            path("pages/", PageIndexView.as_view(), name="pages"),
            path(
                "pages/results/",
                PageIndexView.as_view(results_only=True),
                name="pages_results",
            ),
            path(
                "sync/",
                # It may be done at once, and is committed step by step.
                non_atomic_requests(SyncView.as_view()),
                name="sync",
            ),
            path("sync/results/", SyncResultsView.as_view(), name="sync_results"),
            path(
                "<int:product_pk>/page/<int:parent_pk>/",
                create_page,
                name="create_page",
            ),
        ]
