"""Webhooks in the Wagtail admin: what was sent where, what came of it, and sending again.

Nothing here shows what a message says: it may hold voucher numbers. Of an endpoint's
address there is only what may be shown.
"""

from typing import Any

import django_filters
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST
from wagtail.admin.ui.tables import Column, DateColumn, Table, TitleColumn
from wagtail.models import Site
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.choices import DeliveryProblem, DeliveryStatus
from wagtail_smartgift.models import (
    InboxMessage,
    OutboxEvent,
    WebhookAttempt,
    WebhookDelivery,
)
from wagtail_smartgift.services import delivering
from wagtail_smartgift.signals import SIGNALS
from wagtail_smartgift.views.desk.base import GuardedViewSet, leads_to
from wagtail_smartgift.views.desk.detail import DeskDetailView, Fact, Facts, Section
from wagtail_smartgift.views.desk.links import LinkColumn, to_order, to_payment
from wagtail_smartgift.views.desk.listing import (
    DeskFilterSet,
    DeskIndexView,
    ExportColumn,
    StatusColumn,
    account_filter,
    choice_filter,
    created_filter,
    site_filter,
)


INDEX = "smartgift_deliveries:index"
policy = ModelPermissionPolicy(WebhookDelivery)
#: Who may send again may look.
MAY_LOOK = ["view", "replay"]


def about(event: OutboxEvent) -> str:
    """Return the reference, or the account, that an event is about."""
    thing = event.session or event.order
    return thing.reference if thing is not None else event.account


def to_what(event: OutboxEvent, *, user: Any) -> str:
    """Return the address of the payment or order that an event is about."""
    if event.session_id:
        return to_payment(event.session_id, user=user)
    return to_order(event.order_id, user=user)


def problem_text(code: str, http_status: int | None) -> str:
    """Say what went wrong, with the status if there was an answer."""
    label = str(dict(DeliveryProblem.choices).get(code, code))
    return f"{label} ({http_status})" if label and http_status else label


def _of_site(rows: QuerySet, _name: str, site: Site) -> QuerySet:
    return rows.filter(Q(event__session__site=site) | Q(event__order__site=site))


class DeliveryFilterSet(DeskFilterSet):
    status = choice_filter("status", gettext_lazy("Status"), DeliveryStatus.choices)
    problem = choice_filter("problem", gettext_lazy("Problem"), DeliveryProblem.choices)
    event = django_filters.ChoiceFilter(
        field_name="event__type",
        label=gettext_lazy("Event"),
        choices=[(name, name) for name in SIGNALS],
        empty_label=gettext_lazy("All"),
    )
    endpoint = django_filters.AllValuesFilter(
        field_name="endpoint",
        label=gettext_lazy("Endpoint"),
        empty_label=gettext_lazy("All"),
    )
    site = site_filter(method=_of_site)
    account = account_filter("event__account")
    created_at = created_filter()

    class Meta:
        model = WebhookDelivery
        fields = [
            "status",
            "problem",
            "event",
            "endpoint",
            "site",
            "account",
            "created_at",
        ]


class DeliveryIndexView(DeskIndexView):
    model = WebhookDelivery
    permission_policy = policy
    any_permission_required = MAY_LOOK
    page_title = gettext_lazy("Webhooks sent")
    header_icon = "smartgift"
    index_url_name = INDEX
    index_results_url_name = "smartgift_deliveries:index_results"
    inspect_url_name = "smartgift_deliveries:inspect"
    filterset_class = DeliveryFilterSet
    search_fields = ["event__session__reference", "event__order__reference"]
    default_ordering = "-id"
    export_filename = "webhooks-sent"

    @cached_property
    def header_buttons(self) -> list[Any]:
        return leads_to(
            "smartgift_inbox:index",
            label=_("Messages of the shop"),
            icon="mail",
            model=InboxMessage,
            request=self.request,
            actions=MAY_LOOK,
        )

    @cached_property
    def columns(self) -> list[Any]:
        return [
            TitleColumn(
                "event",
                label=_("Event"),
                accessor="event.type",
                width="18%",
                get_url=lambda row: reverse(self.inspect_url_name, args=[row.pk]),
            ),
            LinkColumn(
                "about",
                label=_("About"),
                accessor=lambda row: about(row.event),
                get_url=lambda row: to_what(row.event, user=self.request.user),
            ),
            Column(
                "endpoint",
                label=_("Endpoint"),
                sort_key="endpoint",
                classname="smartgift-breaks",
            ),
            StatusColumn(
                "status",
                label=_("Status"),
                accessor="get_status_display",
                primary=lambda row: row.status == DeliveryStatus.DELIVERED,
                is_trouble=lambda row: row.status == DeliveryStatus.FAILED,
                sort_key="status",
            ),
            Column(
                "problem",
                label=_("Problem"),
                accessor=lambda row: problem_text(row.problem, row.http_status),
            ),
            Column("attempts", label=_("Attempts"), sort_key="attempts"),
            DateColumn("created_at", label=_("Created"), sort_key="created_at"),
        ]

    export_columns = (
        ExportColumn("event", gettext_lazy("Event"), lambda row: row.event.type),
        ExportColumn("webhook_id", "webhook-id", lambda row: str(row.event_id)),
        ExportColumn("about", gettext_lazy("About"), lambda row: about(row.event)),
        ExportColumn("account", gettext_lazy("Account"), lambda row: row.event.account),
        ExportColumn("endpoint", gettext_lazy("Endpoint"), lambda row: row.endpoint),
        ExportColumn(
            "status", gettext_lazy("Status"), lambda row: row.get_status_display()
        ),
        ExportColumn(
            "problem",
            gettext_lazy("Problem"),
            lambda row: problem_text(row.problem, row.http_status),
        ),
        ExportColumn("attempts", gettext_lazy("Attempts"), lambda row: row.attempts),
        ExportColumn("created_at", gettext_lazy("Created"), lambda row: row.created_at),
        ExportColumn("settled_at", gettext_lazy("Settled"), lambda row: row.settled_at),
    )

    def get_base_queryset(self) -> QuerySet[WebhookDelivery]:
        queryset: QuerySet[WebhookDelivery] = super().get_base_queryset()
        return queryset.select_related("event__session", "event__order")


class DeliveryInspectView(DeskDetailView):
    model = WebhookDelivery
    permission_policy = policy
    any_permission_required = MAY_LOOK
    page_title = gettext_lazy("Webhook sent")
    header_icon = "smartgift"
    index_url_name = INDEX
    template_name = "wagtail_smartgift/desk/delivery.html"

    def get_page_subtitle(self) -> str:
        return about(self.object.event)

    def get_sections(self) -> list[Section]:
        log = Table(_log_columns(), self.object.log.order_by("id"))
        return [
            Section("delivery", _("This webhook"), Facts(self._facts()), "smartgift"),
            Section("log", _("Log"), log, "history"),
        ]

    def _facts(self) -> list[Fact]:
        row = self.object
        return [
            Fact(_("Event"), row.event.type),
            # What a receiver knows the message by.
            Fact("webhook-id", str(row.event_id)),
            Fact(
                _("About"),
                about(row.event),
                url=to_what(row.event, user=self.request.user),
            ),
            Fact(_("Endpoint"), row.endpoint),
            Fact(_("Status"), row.get_status_display(), is_tag=True),
            Fact(_("Problem"), problem_text(row.problem, row.http_status)),
            Fact(_("Attempts"), row.attempts),
            Fact(_("Next attempt"), None if row.settled_at else row.next_attempt_at),
            Fact(_("Settled"), row.settled_at),
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        if self.permission_policy.user_has_permission(self.request.user, "replay"):
            context["replay_url"] = reverse(REPLAY_URL, args=[self.object.pk])
        return context


def _log_columns() -> list[Any]:
    def outcome(line: WebhookAttempt) -> str:
        return problem_text(line.reason, line.http_status) or (
            f"{line.get_outcome_display()} ({line.http_status})"
            if line.http_status
            else str(line.get_outcome_display())
        )

    return [
        DateColumn("created_at", label=pgettext("column", "At")),
        Column("operation", label=_("What"), accessor="get_operation_display"),
        Column("attempt", label=_("Attempt")),
        Column("outcome", label=_("Outcome"), accessor=outcome),
        Column("milliseconds", label=_("Milliseconds")),
        Column("actor", label=_("By")),
    ]


@non_atomic_requests
@require_POST
def replay(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a delivery again, now, and say what came of it."""
    if not policy.user_has_permission(request.user, "replay"):
        raise PermissionDenied
    row = get_object_or_404(WebhookDelivery.objects.select_related("event"), pk=pk)
    try:
        delivering.replay(row, user=request.user)
    except delivering.NotReplayable as error:
        messages.error(request, str(error))
        return redirect("smartgift_deliveries:inspect", pk)
    result = delivering.deliver(row.pk)
    if result is None:
        messages.info(request, _("It is being sent by somebody else at this moment."))
    elif result.delivered:
        messages.success(request, _("It was delivered."))
    else:
        problem = problem_text(result.problem or "", result.http_status)
        messages.warning(
            request,
            _("It was not delivered: %(problem)s. It is tried again by itself.")
            % {"problem": problem},
        )
    return redirect("smartgift_deliveries:inspect", pk)


REPLAY_URL = "smartgift_deliveries:replay"


class DeliveryViewSet(GuardedViewSet):
    """The addresses of the above."""

    name = "smartgift_deliveries"
    url_prefix = "smartgift/webhooks-out"
    icon = "smartgift"
    menu_label = gettext_lazy("Webhooks sent")
    policy = policy
    actions = MAY_LOOK

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", DeliveryIndexView.as_view(), name="index"),
            path(
                "results/",
                DeliveryIndexView.as_view(results_only=True),
                name="index_results",
            ),
            path("<int:pk>/", DeliveryInspectView.as_view(), name="inspect"),
            path("<int:pk>/replay/", replay, name="replay"),
        ]
