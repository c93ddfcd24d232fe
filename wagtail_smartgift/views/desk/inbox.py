"""The shop's messages in the Wagtail admin: what came of them, and replaying failed ones.

What a message says is not shown: it may hold a customer's address. Its type, the
order's reference and the steps that were taken are enough to decide.
"""

from collections.abc import Sequence
from typing import Any

import django_filters
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.functional import Promise, cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn, StatusTagColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.choices import InboxStatus, InboxStep, ShopEvent
from wagtail_smartgift.exceptions import ERROR_CODES
from wagtail_smartgift.models import (
    InboxMessage,
    PaymentSession,
    VoucherOrder,
    WebhookDelivery,
)
from wagtail_smartgift.services import inbox, replaying
from wagtail_smartgift.views.desk.base import GuardedViewSet, leads_to
from wagtail_smartgift.views.desk.links import to_order, to_payment
from wagtail_smartgift.views.desk.timeline import Moment, Timeline


ICON = "mail"
INDEX, DETAIL, REPLAY = (
    f"smartgift_inbox:{name}" for name in ("index", "detail", "replay")
)

#: What a message's reference is the reference of.
ABOUT_PAYMENTS = (
    ShopEvent.ORDER_CONFIRMED,
    ShopEvent.ORDER_CANCELLED,
    ShopEvent.ORDER_REFUNDED,
)
ABOUT_ORDERS = (ShopEvent.ORDER_PAID,)

#: Reasons of a failure that the API has no code for.
_REASONS = {
    inbox.FAULT: gettext_lazy("The plugin itself failed. The log says why."),
    inbox.UNDECRYPTABLE: gettext_lazy(
        "The encryption key that it was stored with is no longer configured."
    ),
}


def reason(code: str) -> str | Promise:
    """Say in words why a message was not done."""
    if code in ERROR_CODES:
        return ERROR_CODES[code][1]
    return _REASONS.get(code, code)


class _Checked(PermissionCheckedMixin):
    """Whoever may see messages, and whoever may replay them too."""

    permission_policy = ModelPermissionPolicy(InboxMessage)
    any_permission_required: Sequence[str] | None = ("view", "replay")

    def may_replay(self, message: InboxMessage) -> bool:
        user = self.request.user
        return replaying.is_replayable(
            message
        ) and self.permission_policy.user_has_permission(user, "replay")


class InboxFilterSet(WagtailFilterSet):
    status = django_filters.ChoiceFilter(
        choices=InboxStatus.choices, label=gettext_lazy("Status")
    )
    type = django_filters.ChoiceFilter(
        choices=ShopEvent.choices, label=gettext_lazy("Event")
    )

    class Meta:
        model = InboxMessage
        fields = ["status", "type"]


def _event(message: InboxMessage) -> str:
    """Return what happened in words; an unknown type as it came."""
    known = message.type in ShopEvent.values
    return str(ShopEvent(message.type).label) if known else message.type


class InboxIndexView(_Checked, generic.IndexView):
    model = InboxMessage
    page_title = gettext_lazy("Messages of the shop")
    header_icon = ICON
    index_url_name = INDEX
    index_results_url_name = "smartgift_inbox:index_results"
    search_fields = ["reference", "webhook_id"]
    filterset_class = InboxFilterSet
    default_ordering = "-received_at"
    paginate_by = 50

    @cached_property
    def header_buttons(self) -> list[Any]:
        return leads_to(
            "smartgift_deliveries:index",
            label=_("Webhooks sent"),
            icon="smartgift",
            model=WebhookDelivery,
            request=self.request,
            actions=("view", "replay"),
        )

    @cached_property
    def columns(self) -> list[Any]:
        return [
            TitleColumn(
                "type",
                label=_("Event"),
                accessor=_event,
                get_url=lambda message: reverse(DETAIL, args=[message.pk]),
                sort_key="type",
            ),
            Column("reference", label=_("Reference"), sort_key="reference"),
            StatusTagColumn(
                "status",
                label=_("Status"),
                accessor="get_status_display",
                primary=lambda message: message.status == InboxStatus.FAILED,
                sort_key="status",
            ),
            Column(
                "code",
                label=_("Reason"),
                accessor=lambda message: reason(message.code),
            ),
            DateColumn("received_at", label=_("Received"), sort_key="received_at"),
        ]


class InboxDetailView(_Checked, generic.InspectView):
    model = InboxMessage
    page_title = gettext_lazy("Message of the shop")
    header_icon = ICON
    index_url_name = INDEX
    template_name = "wagtail_smartgift/desk/inbox_detail.html"
    fields = [
        "type",
        "reference",
        "status",
        "code",
        "received_at",
        "finished_at",
        "attempts",
        "next_attempt_at",
        "site",
        "webhook_id",
    ]

    def get_page_subtitle(self) -> str:
        return self.object.reference or self.object.webhook_id

    def get_type_display_value(self) -> str:
        return _event(self.object)

    def get_reference_display_value(self) -> str:
        """Lead to the payment or the order that the message is about."""
        message = self.object
        user = self.request.user
        rows: Any = PaymentSession.objects if message.type in ABOUT_PAYMENTS else None
        if message.type in ABOUT_ORDERS:
            rows = VoucherOrder.objects
        about = rows.filter(reference=message.reference).first() if rows else None
        if about is None:
            return message.reference or "–"
        to = to_payment if isinstance(about, PaymentSession) else to_order
        url = to(about.pk, user=user)
        if not url:
            return message.reference
        return format_html('<a href="{}">{}</a>', url, message.reference)

    def get_code_display_value(self) -> str | Promise:
        return reason(self.object.code) or "–"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["timeline"] = Timeline(
            Moment(
                at=event.created_at,
                what=event.get_step_display(),
                outcome=reason(event.reason),
                detail=_("Attempt %(number)d") % {"number": event.attempt}
                if event.attempt
                else "",
                actor=event.actor,
                is_trouble=event.step == InboxStep.FAILED,
            )
            for event in self.object.events.order_by("pk")
        )
        if self.may_replay(self.object):
            context["replay_url"] = reverse(REPLAY, args=[self.object.pk])
        return context


class InboxReplayView(_Checked, WagtailAdminTemplateMixin, TemplateView):
    """Asks once more, then has it done."""

    permission_required = "replay"
    any_permission_required = None
    page_title = gettext_lazy("Replay this message")
    header_icon = "resubmit"
    template_name = "wagtail_smartgift/desk/inbox_replay.html"

    @cached_property
    def message(self) -> InboxMessage:
        return get_object_or_404(InboxMessage, pk=self.kwargs["pk"])

    def get_page_subtitle(self) -> str:
        return self.message.reference or self.message.webhook_id

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(INDEX), "label": _("Messages of the shop")},
            {
                "url": reverse(DETAIL, args=[self.message.pk]),
                "label": self.get_page_subtitle(),
            },
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **kwargs,
            message=self.message,
            event=_event(self.message),
            reason=reason(self.message.code),
            detail_url=reverse(DETAIL, args=[self.message.pk]),
            replayable=self.may_replay(self.message),
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        message = self.message
        try:
            replaying.replay(message, user=request.user)
        except replaying.NotReplayable:
            messages.error(request, _("This message cannot be replayed (any more)."))
        else:
            self._tell(request, message)
        return redirect(DETAIL, message.pk)

    def _tell(self, request: HttpRequest, message: InboxMessage) -> None:
        if message.status == InboxStatus.PROCESSED:
            messages.success(request, _("The message was replayed, and is done."))
        elif message.status == InboxStatus.FAILED:
            messages.error(
                request,
                _("The message was replayed and failed again: %(reason)s")
                % {"reason": reason(message.code)},
            )
        else:
            messages.info(request, _("The message is being replayed."))


class InboxViewSet(GuardedViewSet):
    """The addresses of the above."""

    name = "smartgift_inbox"
    url_prefix = "smartgift/messages"
    icon = ICON
    menu_label = gettext_lazy("Messages of the shop")
    policy = _Checked.permission_policy
    actions = ("view", "replay")

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", InboxIndexView.as_view(), name="index"),
            path(
                "results/",
                InboxIndexView.as_view(results_only=True),
                name="index_results",
            ),
            path("<int:pk>/", InboxDetailView.as_view(), name="detail"),
            path(
                "<int:pk>/replay/",
                # It may be done at once, and money is committed step by step.
                transaction.non_atomic_requests(InboxReplayView.as_view()),
                name="replay",
            ),
        ]
