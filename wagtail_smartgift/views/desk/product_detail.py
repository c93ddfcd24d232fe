"""One product in the Wagtail admin: what Smart Gift says of it, and where that shows.

Everything here is Smart Gift's and read-only: it is changed in its dashboard.
"""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from wagtail.admin.ui.components import Component
from wagtail.admin.ui.tables import (
    Column,
    DateColumn,
    StatusTagColumn,
    Table,
    TitleColumn,
)

from wagtail_smartgift import drift
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import VoucherOrderItem, VoucherProduct
from wagtail_smartgift.templatetags.smartgift_catalogue import price_text
from wagtail_smartgift.views.desk.detail import (
    DeskDetailView,
    Fact,
    Facts,
    Notice,
    Section,
)
from wagtail_smartgift.views.desk.links import order_policy, product_policy, to_order
from wagtail_smartgift.views.desk.product_pages import pages_about
from wagtail_smartgift.views.desk.remote_data import (
    picture_import,
    status_of,
    stock_of,
)


#: Why it cannot be bought, for its own page.
_NOT_ON_SALE: dict[Availability, str | Promise] = {
    Availability.SOLD_OUT: gettext_lazy("It is sold out at the moment."),
    Availability.AT_COUNTER_ONLY: gettext_lazy("It is only sold at the counter."),
    Availability.OFF_SALE: gettext_lazy("It is not on sale."),
    Availability.GONE: gettext_lazy("It is no longer sold."),
}

#: Sales that a product's page lists, the newest first.
MOST_SALES = 20


class Description(Component):
    """Smart Gift's own words and picture, as a page without its own would show them."""

    template_name = "wagtail_smartgift/desk/description.html"

    def __init__(self, product: VoucherProduct, *, request: HttpRequest) -> None:
        self.product = product
        self.request = request

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return {
            "html": _sanitised(self.product),
            **picture_import(self.product, request=self.request),
        }


def _sanitised(product: VoucherProduct) -> SafeString:
    # Sanitised when it came in (``catalogue_reading``): nothing else writes it.
    return mark_safe(product.description_html)  # noqa: S308


class ProductDetailView(DeskDetailView):
    model = VoucherProduct
    permission_policy = product_policy
    any_permission_required = ("view",)
    page_title = gettext_lazy("Product")
    header_icon = "smartgift"
    index_url_name = "smartgift_products:index"

    def get_page_subtitle(self) -> str:
        return self.object.title

    @cached_property
    def pages(self) -> list[Any]:
        return pages_about([self.object])[self.object.pk]

    def get_notices(self) -> list[Notice]:
        return [*self._availability_notices(), *self._drift_notices()]

    def _availability_notices(self) -> list[Notice]:
        word = self.object.availability
        if word == Availability.ON_SALE:
            return []
        said = [str(_NOT_ON_SALE[word])]
        live = any(page.live for page in self.pages)
        if live:
            said.append(_("Nothing can be bought on its live pages."))
        return [Notice(" ".join(said), "warning" if live else "info")]

    def _drift_notices(self) -> list[Notice]:
        drifted = drift.of_pages(self.pages)
        return [
            Notice(
                " ".join(
                    [
                        _(
                            "Smart Gift has changed this since “%(page)s” was last "
                            "published or saved."
                        )
                        % {"page": page.get_admin_display_title()},
                        *(change.sentence for change in drifted[page.pk]),
                    ]
                ),
                "warning",
            )
            for page in self.pages
            if page.pk in drifted
        ]

    def get_sections(self) -> list[Section]:
        product = self.object
        sections = [
            Section("product", _("At Smart Gift"), Facts(self._facts()), "smartgift"),
            Section(
                "description",
                _("Smart Gift's own words"),
                Description(product, request=self.request),
                "openquote",
            ),
            Section("pages", _("Pages"), self._pages(), "doc-empty"),
        ]
        if order_policy.user_has_permission(self.request.user, "view"):
            sections.append(
                Section("sales", _("Last sold"), self._sales(), "clipboard-list")
            )
        return sections

    def _facts(self) -> list[Fact]:
        product = self.object

        def price(amount: Any) -> str | None:
            return None if amount is None else format_price(amount)

        return [
            Fact(_("Availability"), product.availability.label, is_tag=True),
            Fact(_("Status at Smart Gift"), status_of(product)),
            Fact(_("Smart Gift id"), product.remote_id),
            Fact(_("Account"), product.account),
            Fact(_("Type"), product.get_type_display()),
            Fact(_("Price"), price_text(product) or _("Smart Gift does not say")),
            Fact(_("For one"), price(product.price)),
            Fact(pgettext("the smallest amount", "From"), price(product.min_amount)),
            Fact(pgettext("the largest amount", "To"), price(product.max_amount)),
            Fact(_("In steps of"), price(product.increment)),
            Fact(_("People from"), product.persons_min),
            Fact(_("People to"), product.persons_max),
            Fact(_("In stock"), stock_of(product)),
            Fact(_("Made at Smart Gift"), product.remote_created_at),
            Fact(_("Changed at Smart Gift"), product.remote_updated_at),
            Fact(_("First read"), product.first_seen_at),
            Fact(_("A change last read"), product.changed_at),
            Fact(_("Gone since"), product.gone_at),
        ]

    def _pages(self) -> Table:
        columns = [
            TitleColumn(
                "title",
                label=_("Page"),
                accessor="get_admin_display_title",
                get_url=lambda page: reverse("wagtailadmin_pages:edit", args=[page.pk]),
            ),
            StatusTagColumn(
                "live",
                label=_("Status"),
                accessor=lambda page: (
                    pgettext("page", "live") if page.live else pgettext("page", "draft")
                ),
                primary=lambda page: page.live,
            ),
            Column("locale", label=_("Language")),
            Column("url_path", label=_("Address")),
            DateColumn("last_published_at", label=_("Last published")),
        ]
        return Table(columns, self.pages)

    def _sales(self) -> Table:
        user = self.request.user
        items = VoucherOrderItem.objects.filter(product=self.object)
        newest = items.select_related("order").order_by("-order__created_at", "-pk")
        columns = [
            TitleColumn(
                "order",
                label=_("Order"),
                accessor="order.reference",
                get_url=lambda item: to_order(item.order_id, user=user),
            ),
            StatusTagColumn(
                "status", label=_("Status"), accessor="order.get_status_display"
            ),
            Column(
                "price",
                label=_("Price"),
                accessor=lambda item: format_price(item.price, item.order.currency),
            ),
            Column("display_code", label=_("Voucher")),
            DateColumn("created_at", label=_("Created"), accessor="order.created_at"),
        ]
        return Table(columns, newest[:MOST_SALES])
