"""Reading the catalogue now: a button for each account, how far it is, what it came to.

The page asks again by itself while something is being read (``desk/sync.js``); without
JavaScript there is a link that does the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.ui.tables import Column, DateColumn, Table
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.log_actions import LogFormatter

from wagtail_smartgift.choices import SyncStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import CatalogueSync, SyncRun
from wagtail_smartgift.services import sync_failures, sync_runs
from wagtail_smartgift.views.desk.links import product_policy
from wagtail_smartgift.views.desk.listing import StatusColumn


INDEX, SYNC, RESULTS = (
    f"smartgift_products:{name}" for name in ("index", "sync", "sync_results")
)
#: Runs of the past that are listed.
MOST_RUNS = 20


def in_words(run: Any) -> str:
    """Say what a run that is over came to; ``run`` may be a mapping of its columns."""
    values = run if isinstance(run, dict) else vars(run)
    return _(
        "%(added)d new, %(changed)d changed, %(gone)d gone, %(returned)d back, "
        "%(unchanged)d unchanged"
    ) % {name: values.get(name) or 0 for name in sync_runs.COUNTS}


def why_not(row: SyncRun | CatalogueSync) -> str:
    """Say why a catalogue was not read; empty where it was."""
    return sync_failures.in_words(row.failure, account=row.account)


class SyncLogFormatter(LogFormatter):
    """Tells in Wagtail's log what somebody's sync came to."""

    label = gettext_lazy("Read the catalogue")

    def format_message(self, log_entry: Any) -> str:
        data = log_entry.data
        if data.get("failure"):
            why = sync_failures.in_words(
                data["failure"], account=data.get("account", "")
            )
            return _("The catalogue was not read: %(why)s") % {"why": why}
        return _("Read the catalogue: %(result)s") % {"result": in_words(data)}

    def format_comment(self, log_entry: Any) -> str:
        return ""


@dataclass(frozen=True)
class AccountState:
    """What is known of one account's catalogue, for its row of the page."""

    alias: str
    #: When it was last read, by whomever.
    read_at: Any
    #: Why the last reading failed, if it did; in words.
    failure: str
    #: The last run that somebody asked for.
    run: SyncRun | None

    @property
    def is_open(self) -> bool:
        return self.run is not None and self.run.is_open

    @property
    def is_running(self) -> bool:
        return self.run is not None and self.run.status == SyncStatus.RUNNING

    @property
    def result(self) -> str:
        if self.run is None or self.run.status != SyncStatus.DONE:
            return ""
        return in_words(self.run)


def account_states() -> list[AccountState]:
    """Return the configured accounts, each with where its catalogue stands."""
    known = {row.account: row for row in CatalogueSync.objects.all()}
    states = []
    for alias in get_conf().accounts:
        row = known.get(alias)
        states.append(
            AccountState(
                alias=alias,
                read_at=row.synced_at if row else None,
                failure=why_not(row) if row else "",
                run=SyncRun.objects.filter(account=alias).order_by("-pk").first(),
            )
        )
    return states


class _SyncMixin(PermissionCheckedMixin):
    permission_policy = product_policy
    any_permission_required: Sequence[str] | None = ("view", "sync")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        states = account_states()
        runs = SyncRun.objects.order_by("-pk")[:MOST_RUNS]
        return {
            **context,
            "states": states,
            "is_open": any(state.is_open for state in states),
            "may_sync": self.user_has_permission("sync"),
            "sync_url": reverse(SYNC),
            "results_url": reverse(RESULTS),
            "runs": Table(_run_columns(), runs) if runs else None,
        }


def _run_columns() -> list[Any]:
    return [
        DateColumn("asked_at", label=_("Asked for")),
        Column("account", label=_("Account")),
        Column("actor", label=_("By")),
        StatusColumn(
            "status",
            label=_("Status"),
            accessor="get_status_display",
            primary=lambda run: run.status == SyncStatus.DONE,
            is_trouble=lambda run: run.status == SyncStatus.FAILED,
        ),
        Column(
            "result",
            label=_("Result"),
            accessor=lambda run: (
                in_words(run) if run.status == SyncStatus.DONE else why_not(run)
            ),
        ),
    ]


class SyncView(_SyncMixin, WagtailAdminTemplateMixin, TemplateView):
    page_title = gettext_lazy("Read the catalogue now")
    header_icon = "rotate"
    template_name = "wagtail_smartgift/desk/sync.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(INDEX), "label": _("Products")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(**kwargs),
            "media": Media(
                css={"all": ["wagtail_smartgift/desk/sync.css"]},
                js=["wagtail_smartgift/desk/sync.js"],
            ),
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.user_has_permission("sync"):
            raise PermissionDenied
        try:
            account = get_conf().account(request.POST.get("account", ""))
        except ImproperlyConfigured:
            messages.error(request, _("There is no such account (any more)."))
        else:
            _tell(request, sync_runs.ask(account, user=request.user))
        return redirect(SYNC)


class SyncResultsView(_SyncMixin, TemplateView):
    """The part of the page that changes while something is being read."""

    template_name = "wagtail_smartgift/desk/sync_results.html"


def _tell(request: HttpRequest, run: SyncRun) -> None:
    values = {"account": run.account, "result": in_words(run), "why": why_not(run)}
    if run.status == SyncStatus.DONE:
        messages.success(request, _("%(account)s: %(result)s.") % values)
    elif run.status == SyncStatus.FAILED:
        messages.error(request, _("%(account)s was not read: %(why)s") % values)
    else:
        messages.info(request, _("%(account)s is being read.") % values)
