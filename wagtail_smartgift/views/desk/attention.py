"""Needs attention: what no rule can decide, and the pages on which a person does.

Two lists that lead to one another, of payments and of voucher orders; a page for each
case with what is known; and one that asks once more before a verdict is taken. What a
verdict does is the services' business; nothing is written here.
"""

from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.choices import AttentionReason, RedemptionStatus
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import PaymentSession, Redemption, VoucherOrder
from wagtail_smartgift.services import evidence
from wagtail_smartgift.views.desk import case_words
from wagtail_smartgift.views.desk.base import (
    GuardedMenuItem,
    GuardedViewSet,
    SafeExport,
    moves_money,
)
from wagtail_smartgift.views.desk.case_details import (
    OrderCaseView,
    PaymentCaseView,
    read_balance,
)
from wagtail_smartgift.views.desk.case_settling import (
    GoOnView,
    SettleOrderView,
    SettleView,
)


ICON = "warning"
PAYMENTS, ORDERS = "smartgift_attention:index", "smartgift_attention:orders"

policy = ModelPermissionPolicy(PaymentSession)


class CasesIndexView(SafeExport, generic.IndexView):
    """What the two lists share."""

    permission_policy = policy
    any_permission_required: ClassVar[list[str]] = ["settle"]
    header_icon = ICON
    search_fields: ClassVar[list[str]] = ["reference"]
    #: The longest waiting first.
    default_ordering = "updated_at"
    paginate_by = 50
    list_export: ClassVar[list[str]] = [
        "reference",
        "attention_code",
        "why",
        "account",
        "created_at",
        "updated_at",
    ]
    export_headings: ClassVar[dict[str, Any]] = {
        "reference": gettext_lazy("Reference"),
        "attention_code": gettext_lazy("Code"),
        "why": gettext_lazy("Why"),
        "created_at": gettext_lazy("Created"),
        "updated_at": gettext_lazy("Since"),
    }
    detail_url_name: ClassVar[str]

    def to_row_dict(self, item: Any) -> Any:
        # Its reason in words, which is no field of the row.
        item.why = case_words.why(item.attention_code)
        return super().to_row_dict(item)

    def title_column(self) -> Any:
        return TitleColumn(
            "reference",
            label=_("Reference"),
            get_url=lambda row: reverse(self.detail_url_name, args=[row.pk]),
            sort_key="reference",
        )

    def why_column(self) -> Any:
        return Column(
            "why",
            label=_("Why"),
            accessor=lambda row: case_words.why(row.attention_code),
            sort_key="attention_code",
        )


def _reasons(*codes: AttentionReason) -> list[tuple[str, Any]]:
    return [(code.value, code.label) for code in codes]


_OF_ORDERS = (
    AttentionReason.SALE_UNKNOWN,
    AttentionReason.REFERENCE_TAKEN,
    AttentionReason.SOLD_TWICE,
    AttentionReason.UNDECRYPTABLE,
)


class PaymentCaseFilterSet(WagtailFilterSet):
    attention_code = django_filters.ChoiceFilter(
        label=gettext_lazy("Why"),
        choices=_reasons(
            *(
                code
                for code in AttentionReason
                if code not in _OF_ORDERS or code == AttentionReason.UNDECRYPTABLE
            )
        ),
    )

    class Meta:
        model = PaymentSession
        fields: ClassVar[list[str]] = ["attention_code", "site"]


class PaymentCasesView(CasesIndexView):
    model = PaymentSession
    page_title = gettext_lazy("Payments that need attention")
    index_url_name = PAYMENTS
    index_results_url_name = "smartgift_attention:index_results"
    detail_url_name = "smartgift_attention:payment"
    filterset_class = PaymentCaseFilterSet
    export_filename = "payments-that-need-attention"

    @cached_property
    def header_buttons(self) -> list[Any]:
        label = _("Voucher orders: %(count)d") % {"count": evidence.orders().count()}
        return [HeaderButton(label, url=reverse(ORDERS), icon_name="mail")]

    @cached_property
    def columns(self) -> list[Any]:
        return [
            self.title_column(),
            self.why_column(),
            Column(
                "vouchers",
                label=_("Vouchers"),
                accessor=lambda row: ", ".join(
                    one.display_code for one in row.waiting or row.redemptions.all()
                ),
            ),
            Column(
                "amount",
                label=_("Amount"),
                accessor=lambda row: _amount(row),
            ),
            DateColumn("updated_at", label=_("Since"), sort_key="updated_at"),
        ]

    def get_base_queryset(self) -> "QuerySet[PaymentSession]":
        waiting = Redemption.objects.filter(status=RedemptionStatus.NEEDS_ATTENTION)
        return evidence.payments().prefetch_related(
            "redemptions",
            Prefetch(
                "redemptions", queryset=waiting.order_by("position"), to_attr="waiting"
            ),
        )


def _amount(session: Any) -> str:
    rows = session.waiting or session.redemptions.all()
    amount = sum((row.amount for row in rows), Decimal(0))
    return format_price(amount, session.currency)


class OrderCaseFilterSet(WagtailFilterSet):
    attention_code = django_filters.ChoiceFilter(
        label=gettext_lazy("Why"), choices=_reasons(*_OF_ORDERS)
    )

    class Meta:
        model = VoucherOrder
        fields: ClassVar[list[str]] = ["attention_code", "site"]


class OrderCasesView(CasesIndexView):
    model = VoucherOrder
    page_title = gettext_lazy("Voucher orders that need attention")
    index_url_name = ORDERS
    index_results_url_name = "smartgift_attention:orders_results"
    detail_url_name = "smartgift_attention:order"
    filterset_class = OrderCaseFilterSet
    export_filename = "voucher-orders-that-need-attention"

    @cached_property
    def header_buttons(self) -> list[Any]:
        label = _("Payments: %(count)d") % {"count": evidence.payments().count()}
        return [HeaderButton(label, url=reverse(PAYMENTS), icon_name="tag")]

    @cached_property
    def columns(self) -> list[Any]:
        return [
            self.title_column(),
            self.why_column(),
            Column(
                "items",
                label=_("Vouchers"),
                accessor=lambda row: ", ".join(str(item) for item in row.items.all()),
            ),
            Column(
                "amount",
                label=_("Amount"),
                accessor=lambda row: sum(item.price for item in row.items.all()),
            ),
            DateColumn("updated_at", label=_("Since"), sort_key="updated_at"),
        ]

    def get_base_queryset(self) -> "QuerySet[VoucherOrder]":
        return evidence.orders().prefetch_related("items__product")


# -- the menu ----------------------------------------------------------------------


def cases_for(request: HttpRequest) -> int:
    """Count the cases, once in a request."""
    counted = getattr(request, "_smartgift_cases", None)
    if counted is None:
        counted = evidence.count()
        request._smartgift_cases = counted  # type: ignore[attr-defined]
    return counted


class CountedMenuItem(GuardedMenuItem):
    """An item that says how much waits behind it."""

    def render_component(self, request: HttpRequest) -> Any:
        component = super().render_component(request)
        count = cases_for(request)
        if count:
            # The style sheet makes a badge of it; the label says the same aloud.
            component.attrs = {
                **component.attrs,
                "data-smartgift-count": str(count),
                "aria-label": f"{self.label} {count}",
            }
        return component


def first_list(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Show the payments; where there is none, lead to the orders that wait."""
    if not request.GET and policy.user_has_permission(request.user, "settle"):
        nothing = not evidence.payments().exists()
        if nothing and evidence.orders().exists():
            return redirect(ORDERS)
    return PaymentCasesView.as_view()(request, **kwargs)


class AttentionViewSet(GuardedViewSet):
    name = "smartgift_attention"
    url_prefix = "smartgift/attention"
    icon = ICON
    menu_label = gettext_lazy("Needs attention")
    policy = policy
    actions = ("settle",)
    guarded_item_class = CountedMenuItem

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", first_list, name="index"),
            path(
                "results/",
                PaymentCasesView.as_view(results_only=True),
                name="index_results",
            ),
            path("orders/", OrderCasesView.as_view(), name="orders"),
            path(
                "orders/results/",
                OrderCasesView.as_view(results_only=True),
                name="orders_results",
            ),
            path("payments/<uuid:pk>/", PaymentCaseView.as_view(), name="payment"),
            path(
                "payments/<uuid:pk>/go-on/",
                moves_money(GoOnView.as_view()),
                name="go_on",
            ),
            path("orders/<uuid:pk>/", OrderCaseView.as_view(), name="order"),
            path(
                "orders/<uuid:pk>/<str:verdict>/",
                moves_money(SettleOrderView.as_view()),
                name="settle_order",
            ),
            path("vouchers/<uuid:pk>/read/", read_balance, name="read"),
            path(
                "vouchers/<uuid:pk>/<str:verdict>/",
                moves_money(SettleView.as_view()),
                name="settle",
            ),
        ]
