"""Orders in the Wagtail admin: every sale of vouchers, what is in it, and its story.

A buyer's name is in the list, since that is what somebody on the telephone says; the
rest of what is known of them is on the order's own page alone.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.urls import path
from django.utils import timezone
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.ui.tables import (
    Column,
    DateColumn,
    Table,
    TitleColumn,
)

from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.conf import DeliveryMethod, get_conf
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import (
    CatalogueSync,
    Redemption,
    VoucherOrder,
    VoucherOrderItem,
)
from wagtail_smartgift.money import PENNY
from wagtail_smartgift.selectors import shop_for
from wagtail_smartgift.views.desk import stories
from wagtail_smartgift.views.desk.base import GuardedViewSet
from wagtail_smartgift.views.desk.detail import (
    DeskDetailView,
    Fact,
    Facts,
    Notice,
    Section,
    at,
    foreign_notice,
)
from wagtail_smartgift.views.desk.links import (
    LinkColumn,
    order_policy,
    to_order,
    to_payment,
    to_product,
    ways_from_order,
)
from wagtail_smartgift.views.desk.listing import (
    DeskFilterSet,
    DeskIndexView,
    ExportColumn,
    StatusColumn,
    account_filter,
    choice_filter,
    created_filter,
    ends_with,
    site_filter,
    site_name,
    yes_or_no,
)
from wagtail_smartgift.views.desk.words import reason, why_a_person


ICON = "clipboard-list"
INDEX, RESULTS = "smartgift_orders:index", "smartgift_orders:index_results"
#: Words of a search that are looked for.
MOST_WORDS = 8


def full_name(order: VoucherOrder) -> str:
    """Return the buyer's name; nothing once it was erased."""
    customer = order.customer if isinstance(order.customer, Mapping) else {}
    names = (customer.get("first_name"), customer.get("last_name"))
    return " ".join(str(name) for name in names if name)


def value_of(order: VoucherOrder) -> Decimal:
    """Return what the list's query has summed up; SQLite drops its zeros."""
    return Decimal(order.value or 0).quantize(PENNY)  # type: ignore[attr-defined]


class OrderFilterSet(DeskFilterSet):
    status = choice_filter("status", gettext_lazy("Status"), OrderStatus.choices)
    site = site_filter()
    account = account_filter()
    created_at = created_filter()
    own_codes = yes_or_no(
        gettext_lazy("Voucher numbers"),
        gettext_lazy("Chosen by us"),
        gettext_lazy("Chosen by Smart Gift"),
        where=lambda: Q(own_codes=True),
    )

    class Meta:
        model = VoucherOrder
        fields = ["status", "site", "account", "created_at", "own_codes"]


class OrderIndexView(DeskIndexView):
    model = VoucherOrder
    permission_policy = order_policy
    any_permission_required = ["view"]
    page_title = gettext_lazy("Orders")
    header_icon = ICON
    index_url_name = INDEX
    index_results_url_name = RESULTS
    filterset_class = OrderFilterSet
    #: Only that there are any: see ``search_queryset``.
    search_fields = ["reference"]
    default_ordering = "-created_at"
    export_filename = "voucher-orders"

    @cached_property
    def columns(self) -> list[Any]:
        return [
            TitleColumn(
                "reference",
                label=_("Reference"),
                sort_key="reference",
                get_url=lambda row: to_order(row.pk, user=self.request.user),
            ),
            StatusColumn(
                "status",
                label=_("Status"),
                accessor="get_status_display",
                primary=lambda row: row.status == OrderStatus.PLACED,
                is_trouble=lambda row: row.status == OrderStatus.NEEDS_ATTENTION,
                sort_key="status",
            ),
            Column("site", label=_("Site"), accessor=lambda row: site_name(row.site)),
            Column("customer", label=_("Customer"), accessor=full_name),
            Column(
                "value",
                label=_("Value"),
                accessor=lambda row: format_price(value_of(row), row.currency),
                sort_key="value",
            ),
            Column("item_count", label=_("Vouchers"), sort_key="item_count"),
            Column("order_id", label=_("Smart Gift order"), sort_key="order_id"),
            DateColumn("created_at", label=_("Created"), sort_key="created_at"),
        ]

    export_columns = (
        ExportColumn("reference", gettext_lazy("Reference"), lambda row: row.reference),
        ExportColumn(
            "status", gettext_lazy("Status"), lambda row: row.get_status_display()
        ),
        ExportColumn("site", gettext_lazy("Site"), lambda row: site_name(row.site)),
        ExportColumn("account", gettext_lazy("Account"), lambda row: row.account),
        ExportColumn("customer", gettext_lazy("Customer"), full_name),
        ExportColumn("currency", gettext_lazy("Currency"), lambda row: row.currency),
        ExportColumn("value", gettext_lazy("Value"), value_of),
        ExportColumn("vouchers", gettext_lazy("Vouchers"), lambda row: row.item_count),
        ExportColumn(
            "order_id", gettext_lazy("Smart Gift order"), lambda row: row.order_id
        ),
        ExportColumn(
            "refused",
            gettext_lazy("Refused because"),
            lambda row: (
                reason(row.refusal) if row.status == OrderStatus.REFUSED else ""
            ),
        ),
        ExportColumn("created_at", gettext_lazy("Created"), lambda row: row.created_at),
        ExportColumn(
            "updated_at", gettext_lazy("Last changed"), lambda row: row.updated_at
        ),
    )

    def get_base_queryset(self) -> QuerySet[VoucherOrder]:
        queryset: QuerySet[VoucherOrder] = super().get_base_queryset()
        items = VoucherOrderItem.objects.order_by().filter(order=OuterRef("pk"))
        of_order = items.values("order")
        return queryset.select_related("site").annotate(
            value=Subquery(of_order.annotate(sum=Sum("price")).values("sum")),
            item_count=Coalesce(
                Subquery(of_order.annotate(count=Count("pk")).values("count")), 0
            ),
        )

    def search_queryset(self, queryset: QuerySet) -> QuerySet:
        """Find an order by what somebody may say of it, each word of it.

        Not by an e-mail address, which would stand in addresses and their logs; who may
        know what there is of one asks on the page of personal data, by POST.
        """
        for word in self.search_query.split()[:MOST_WORDS]:
            vouchers = VoucherOrderItem.objects.order_by().filter(
                ends_with("display_code", word), order=OuterRef("pk")
            )
            queryset = queryset.filter(
                Q(reference__icontains=word)
                | Q(order_id__icontains=word)
                | Q(customer__first_name__icontains=word)
                | Q(customer__last_name__icontains=word)
                | Exists(vouchers)
            )
        return queryset


class OrderDetailView(DeskDetailView):
    model = VoucherOrder
    permission_policy = order_policy
    any_permission_required = ["view"]
    page_title = gettext_lazy("Order")
    header_icon = ICON
    index_url_name = INDEX

    @cached_property
    def header_buttons(self) -> list[Any]:
        return ways_from_order(self.object, user=self.request.user)

    @cached_property
    def items(self) -> list[VoucherOrderItem]:
        rows = self.object.items.select_related("product")
        return list(rows.order_by("position"))

    def get_page_subtitle(self) -> str:
        return self.object.reference

    def get_notices(self) -> list[Notice]:
        order = self.object
        notices = foreign_notice(order)
        if order.status == OrderStatus.NEEDS_ATTENTION:
            notices.append(Notice(why_a_person(order.attention_code), "warning"))
        if order.status == OrderStatus.REFUSED:
            notices.append(Notice(reason(order.refusal or "other"), "warning"))
        return notices

    def get_sections(self) -> list[Section]:
        order = self.object
        story = stories.of_order(order, user=self.request.user)
        return [
            Section("order", _("This order"), Facts(self._facts()), ICON),
            Section("vouchers", _("Vouchers"), self._vouchers(), "smartgift"),
            Section("customer", _("Customer"), Facts(_customer(order)), "user"),
            Section("delivery", _("Delivery"), Facts(_delivery(order)), "mail"),
            Section("timeline", _("Timeline"), story, "history"),
        ]

    def _facts(self) -> list[Fact]:
        order = self.object
        value = sum((item.price for item in self.items), start=Decimal("0.00"))
        return [
            Fact(_("Status"), order.get_status_display(), is_tag=True),
            Fact(_("What happens next"), what_happens_next(order)),
            Fact(_("Value"), format_price(value, order.currency)),
            Fact(_("Smart Gift order"), order.order_id),
            Fact(_("Reference at Smart Gift"), order.remote_reference),
            Fact(_("Smart Gift said"), order.refusal_detail),
            Fact(_("Payment method"), _payment_method(order)),
            Fact(
                _("Voucher numbers"),
                _("Chosen by us") if order.own_codes else _("Chosen by Smart Gift"),
            ),
            Fact(_("Site"), site_name(order.site)),
            Fact(_("Account"), order.account),
            Fact(_("Site number"), order.smartgift_site_id),
            Fact(_("Times sent"), order.attempt or None),
            Fact(_("Stored"), order.created_at),
            Fact(_("Last sent"), order.sent_at),
        ]

    def _vouchers(self) -> Table:
        user, currency = self.request.user, self.object.currency
        used = _used_here(self.items)

        def payment_of(item: VoucherOrderItem) -> str:
            row = used.get(item.fingerprint)
            return row.session.reference if row else ""

        def to_payment_of(item: VoucherOrderItem) -> str:
            row = used.get(item.fingerprint)
            return to_payment(row.session_id, user=user) if row else ""

        columns = [
            LinkColumn(
                "product",
                label=_("Product"),
                accessor=lambda item: item.product.title,
                get_url=lambda item: to_product(item.product_id, user=user),
            ),
            Column(
                "price",
                label=_("Price"),
                accessor=lambda item: format_price(item.price, currency),
            ),
            Column("persons", label=_("People")),
            Column("to", label=_("To")),
            Column("sender", label=_("From")),
            Column("message", label=_("Message")),
            Column("display_code", label=_("Voucher")),
            LinkColumn(
                "used",
                label=_("Last used here in"),
                accessor=payment_of,
                get_url=to_payment_of,
            ),
        ]
        return Table(columns, self.items)


def _used_here(items: list[VoucherOrderItem]) -> dict[str, Redemption]:
    """Return fingerprint -> the last redemption here of a voucher of this order."""
    prints = {item.fingerprint for item in items if item.fingerprint}
    rows = Redemption.objects.filter(fingerprint__in=prints).select_related("session")
    return {row.fingerprint: row for row in rows.order_by("created_at")}


def _payment_method(order: VoucherOrder) -> str | int | None:
    """Return its name at Smart Gift, as last read; else its number."""
    row = CatalogueSync.objects.filter(account=order.account).first()
    names = {item["id"]: item["name"] for item in row.payment_methods} if row else {}
    return names.get(order.payment_method, order.payment_method)


def _customer(order: VoucherOrder) -> list[Fact]:
    customer = order.customer if isinstance(order.customer, Mapping) else {}
    return [
        Fact(_("Name"), full_name(order) or _("Not known (any more)")),
        Fact(_("E-mail"), customer.get("email")),
        Fact(_("Telephone"), customer.get("phone")),
        Fact(_("Address"), _address(customer)),
    ]


def _delivery(order: VoucherOrder) -> list[Fact]:
    delivery = order.delivery if isinstance(order.delivery, Mapping) else {}
    names = {method.id: method.name for method in _delivery_methods(order)}
    method = str(delivery.get("method") or "")
    address = delivery.get("address")
    address = address if isinstance(address, Mapping) else {}
    return [
        Fact(_("Method"), names.get(method, method)),
        Fact(
            _("Price"),
            format_price(Decimal(delivery["price"]), order.currency)
            if "price" in delivery
            else None,
        ),
        Fact(_("Day"), delivery.get("date") or _("At once")),
        Fact(_("Goes to"), _address(address, with_name=True)),
    ]


def _delivery_methods(order: VoucherOrder) -> Sequence[DeliveryMethod]:
    """Return the methods of the order's site, or those for all."""
    try:
        return shop_for(order.site).delivery_methods
    except ImproperlyConfigured:
        # The checks name it.
        return get_conf().delivery_methods


def _address(parts: Mapping[str, Any], *, with_name: bool = False) -> str:
    names = ["address1", "address2", "city", "county", "postcode"]
    lines = [str(parts[name]) for name in names if parts.get(name)]
    if with_name:
        name = " ".join(
            str(parts[one]) for one in ("first_name", "last_name") if parts.get(one)
        )
        lines = [name, *lines] if name else lines
    return "\n".join(lines)


def what_happens_next(order: VoucherOrder) -> str | Promise:
    """Say what is done about an order without anybody doing anything."""
    status, due = order.status, order.next_look_at
    when = "" if due is None or due <= timezone.now() else at(due)
    if status == OrderStatus.QUEUED:
        text = (
            _("It is sent at %(time)s.") % {"time": when}
            if when
            else _("The next sweep sends it.")
        )
        return f"{reason(order.refusal)} {text}" if order.refusal else text
    if status == OrderStatus.PLACING:
        return (
            _("It was sent; what became of it is looked up at %(time)s.")
            % {"time": when}
            if when
            else _("It was sent, and the next sweep finds out what became of it.")
        )
    if status == OrderStatus.NEEDS_ATTENTION:
        return _("Nothing, until a person has settled it.")
    if status == OrderStatus.REFUSED:
        return _("Nothing was sold. The shop may send it again, changed or not.")
    return _("Nothing: the vouchers are sold.")


class OrderViewSet(GuardedViewSet):
    """Menu item and addresses of the above."""

    name = "smartgift_orders"
    url_prefix = "smartgift/orders"
    icon = ICON
    menu_label = gettext_lazy("Orders")
    policy = order_policy

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", OrderIndexView.as_view(), name="index"),
            path(
                "results/",
                OrderIndexView.as_view(results_only=True),
                name="index_results",
            ),
            path("<uuid:pk>/", OrderDetailView.as_view(), name="detail"),
        ]
