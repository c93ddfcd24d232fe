"""The shop's messages in the Wagtail admin: what came of them, and replaying failed ones.

What a message says is not shown: it may hold a customer's address. Its type, the
order's reference and the steps that were taken are enough to decide.
"""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
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
from wagtail_smartgift.views.desk.detail import DeskDetailView, Fact, Facts, Section
from wagtail_smartgift.views.desk.links import to_order, to_payment
from wagtail_smartgift.views.desk.listing import (
    DeskFilterSet,
    DeskIndexView,
    ExportColumn,
    StatusColumn,
    account_filter,
    choice_filter,
    date_filter,
    site_filter,
    site_name,
)
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


class InboxFilterSet(DeskFilterSet):
    status = choice_filter("status", gettext_lazy("Status"), InboxStatus.choices)
    type = choice_filter("type", gettext_lazy("Event"), ShopEvent.choices)
    site = site_filter()
    account = account_filter()
    received_at = date_filter("received_at", gettext_lazy("Received"))

    class Meta:
        model = InboxMessage
        fields = ["status", "type", "site", "account", "received_at"]


def _event(message: InboxMessage) -> str:
    """Return what happened in words; an unknown type as it came."""
    known = message.type in ShopEvent.values
    return str(ShopEvent(message.type).label) if known else message.type


class InboxIndexView(_Checked, DeskIndexView):
    model = InboxMessage
    page_title = gettext_lazy("Messages of the shop")
    header_icon = ICON
    index_url_name = INDEX
    index_results_url_name = "smartgift_inbox:index_results"
    search_fields = ["reference", "webhook_id"]
    filterset_class = InboxFilterSet
    default_ordering = "-received_at"
    export_filename = "messages-of-the-shop"

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
            StatusColumn(
                "status",
                label=_("Status"),
                accessor="get_status_display",
                primary=lambda message: message.status == InboxStatus.PROCESSED,
                is_trouble=lambda message: message.status == InboxStatus.FAILED,
                sort_key="status",
            ),
            Column(
                "code",
                label=_("Reason"),
                accessor=lambda message: reason(message.code),
            ),
            DateColumn("received_at", label=_("Received"), sort_key="received_at"),
        ]

    export_columns = (
        ExportColumn("event", gettext_lazy("Event"), _event),
        ExportColumn("type", gettext_lazy("Type"), lambda row: row.type),
        ExportColumn("reference", gettext_lazy("Reference"), lambda row: row.reference),
        ExportColumn("site", gettext_lazy("Site"), lambda row: site_name(row.site)),
        ExportColumn("account", gettext_lazy("Account"), lambda row: row.account),
        ExportColumn(
            "status", gettext_lazy("Status"), lambda row: row.get_status_display()
        ),
        ExportColumn("reason", gettext_lazy("Reason"), lambda row: reason(row.code)),
        ExportColumn("attempts", gettext_lazy("Attempts"), lambda row: row.attempts),
        ExportColumn(
            "received_at", gettext_lazy("Received"), lambda row: row.received_at
        ),
        ExportColumn(
            "finished_at", gettext_lazy("Finished"), lambda row: row.finished_at
        ),
        ExportColumn("webhook_id", "webhook-id", lambda row: row.webhook_id),
    )

    def get_base_queryset(self) -> QuerySet[InboxMessage]:
        queryset: QuerySet[InboxMessage] = super().get_base_queryset()
        return queryset.select_related("site")


class InboxDetailView(_Checked, DeskDetailView):
    model = InboxMessage
    page_title = gettext_lazy("Message of the shop")
    header_icon = ICON
    index_url_name = INDEX
    template_name = "wagtail_smartgift/desk/inbox_detail.html"

    def get_page_subtitle(self) -> str:
        return self.object.reference or self.object.webhook_id

    def get_sections(self) -> list[Section]:
        return [
            Section("message", _("This message"), Facts(self._facts()), ICON),
            Section("timeline", _("What was done"), self._timeline(), "history"),
        ]

    def _facts(self) -> list[Fact]:
        message = self.object
        return [
            Fact(_("Event"), _event(message)),
            Fact(_("Reference"), message.reference, url=self._about_url()),
            Fact(_("Status"), message.get_status_display(), is_tag=True),
            Fact(_("Reason"), reason(message.code)),
            Fact(_("Received"), message.received_at),
            Fact(_("Finished"), message.finished_at),
            Fact(_("Attempts"), message.attempts),
            Fact(_("Next attempt"), message.next_attempt_at),
            Fact(_("Site"), site_name(message.site)),
            Fact(_("Account"), message.account),
            # What the shop knows the message by.
            Fact("webhook-id", message.webhook_id),
        ]

    def _about_url(self) -> str:
        """Return the address of the payment or the order that the message is about."""
        message, user = self.object, self.request.user
        reference = {"reference": message.reference}
        if message.type in ABOUT_PAYMENTS:
            session = PaymentSession.objects.filter(**reference).first()
            return to_payment(session.pk, user=user) if session else ""
        if message.type in ABOUT_ORDERS:
            order = VoucherOrder.objects.filter(**reference).first()
            return to_order(order.pk, user=user) if order else ""
        return ""

    def _timeline(self) -> Timeline:
        return Timeline(
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

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        if self.may_replay(self.object):
            context["replay_url"] = reverse(REPLAY, args=[self.object.pk])
        return context


class ReplayForm(forms.Form):
    """Has whoever replays an old confirmation look at its order first."""

    looked = forms.BooleanField(
        label=gettext_lazy("I have looked: this order was not paid another way."),
        error_messages={
            "required": gettext_lazy("Look at the order first, and tick this box.")
        },
    )

    def __init__(self, *args: Any, is_outdated: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not is_outdated:
            del self.fields["looked"]


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

    def _form(self, *data: Any) -> ReplayForm:
        return ReplayForm(*data, is_outdated=replaying.is_outdated(self.message))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", self._form())
        return super().get_context_data(
            **kwargs,
            message=self.message,
            event=_event(self.message),
            reason=reason(self.message.code),
            back_url=reverse(DETAIL, args=[self.message.pk]),
            replayable=self.may_replay(self.message),
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        message = self.message
        form = self._form(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            replaying.replay(
                message,
                user=request.user,
                even_outdated=form.cleaned_data.get("looked", False),
            )
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
