"""Reports in the Wagtail admin: an overview, and figures by day, month, site and so on.

Shows what ``reporting`` has added up, as charts and, always, as a table with the exact
amounts. Nothing here is written, and Smart Gift is not called.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.reports import ReportView

from wagtail_smartgift import reporting
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.reporting import Grouping, Line
from wagtail_smartgift.views.desk.base import GuardedViewSet, SafeExport
from wagtail_smartgift.views.desk.health import HealthView
from wagtail_smartgift.views.desk.report_filters import PERIODS, ReportFilterSet, Wanted
from wagtail_smartgift.views.desk.report_pages import (
    FIGURES,
    HEALTH,
    LOOK,
    OVERVIEW,
    REPORT,
    ReportPageMixin,
    Way,
    policy,
)
from wagtail_smartgift.views.desk.report_tables import (
    COLUMNS,
    SALES,
    FigureColumn,
    line_name,
    sections,
)
from wagtail_smartgift.views.desk.standing import months, waiting_rows


class FiguresView(ReportPageMixin, SafeExport, ReportView):
    """Figures by day, month, site, account or product."""

    permission_required = "report"
    any_permission_required = None
    page_title = gettext_lazy("Sales and redemptions")
    url_name = FIGURES
    index_url_name = FIGURES
    index_results_url_name = "smartgift_reports:figures_results"
    filterset_class = ReportFilterSet
    template_name = "wagtail_smartgift/desk/report.html"
    results_template_name = "wagtail_smartgift/desk/report_results.html"
    paginate_by = None

    @cached_property
    def wanted(self) -> Wanted:
        form = self.filters.form
        form.is_valid()
        return Wanted.read(form.cleaned_data, today=reporting.today())

    def get_page_subtitle(self) -> str:
        period = self.wanted.period
        first, last = (
            date_format(day, "DATE_FORMAT") for day in (period.first, period.last)
        )
        if first == last:
            return first
        return _("%(first)s to %(last)s") % {"first": first, "last": last}

    def get_filtered_queryset(self) -> list[Line]:
        """Return the lines of the report; not a queryset, but listed like one."""
        found = reporting.lines(
            self.wanted.period, grouping=self.wanted.grouping, scope=self.wanted.scope
        )
        if not self.wanted.grouping.is_of_time:
            return list(found)
        usual = self.wanted.scope.currency or get_conf().currency
        names = sorted({line.currency for line in found} or {usual})
        return [
            line
            for name in names
            for line in reporting.fill(
                found, self.wanted.period, grouping=self.wanted.grouping, currency=name
            )
        ]

    @property
    def report_columns(self) -> Sequence[FigureColumn]:
        return SALES if self.wanted.knows_sales_alone else COLUMNS

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context |= {
            "sections": sections(
                context["object_list"], self.report_columns, self.wanted.grouping
            ),
            "report_columns": self.report_columns,
            "first_heading": self.wanted.grouping.label,
            "wanted": self.wanted,
            "periods": self.get_periods(),
            "groupings": self.get_groupings(),
            "caption": self.get_page_subtitle(),
            "queue": waiting_rows(reporting.queue(self.wanted.scope)),
        }
        return context

    # -- the ways to other looks at it

    def _look(self, *without: str, **values: str) -> str:
        query = self.request.GET.copy()
        for name in (*without, *values, "export", "_w_filter_fragment"):
            query.pop(name, None)
        query.update({name: value for name, value in values.items() if value})
        return f"{self.index_url}?{query.urlencode()}"

    def get_periods(self) -> list[Way]:
        return [
            Way(
                label=label,
                url=self._look("date_from", "date_to", period=name),
                is_here=name == self.wanted.period_name,
            )
            for name, (label, _find) in PERIODS.items()
        ]

    def get_groupings(self) -> list[Way]:
        return [
            Way(
                label=one.label,
                url=self._look(by="" if one is Grouping.DAY else one.value),
                is_here=one is self.wanted.grouping,
            )
            for one in Grouping
        ]

    # -- the spreadsheet

    export_filename = "gift-vouchers"

    @property
    def list_export(self) -> list[str]:
        return ["what", "currency", *(column.name for column in self.report_columns)]

    def get_heading(self, queryset: Any, field: str) -> str:
        headings = {column.name: column.heading for column in COLUMNS}
        if field == "what":
            return str(self.wanted.grouping.label)
        return str(headings.get(field, _("Currency")))

    def to_row_dict(self, item: Line) -> dict[str, Any]:
        what: Any = item.key
        if self.wanted.grouping is Grouping.MONTH and isinstance(what, date):
            what = f"{what:%Y-%m}"
        elif not isinstance(what, date):
            what = line_name(item, self.wanted.grouping)
        values = {name: getattr(item.figures, name) for name in self.list_export[2:]}
        return {"what": what, "currency": item.currency, **values}


class OverviewView(ReportPageMixin, WagtailAdminTemplateMixin, TemplateView):
    """This month beside the last, what waits, and the way to everything else."""

    permission_required = "report"
    any_permission_required = None
    page_title = gettext_lazy("Reports")
    url_name = OVERVIEW
    template_name = "wagtail_smartgift/desk/report_overview.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        figures = reverse(FIGURES)
        context |= {
            "months": months(reporting.today()),
            "queue": waiting_rows(reporting.queue()),
            "reports": [
                (label, f"{figures}{query}")
                for label, query in (
                    (_("This month, by day"), ""),
                    (_("Last month, by day"), "?period=last_month"),
                    (_("This year, by month"), "?period=this_year&by=month"),
                    (_("This year, by site"), "?period=this_year&by=site"),
                    (_("This year, by account"), "?period=this_year&by=account"),
                    (_("This year, by product"), "?period=this_year&by=product"),
                )
            ],
        }
        return context


def overview(request: HttpRequest) -> HttpResponse:
    """Show the overview; who may only look at the health of it all is led there."""
    user = request.user
    if not policy.user_has_any_permission(
        user, REPORT
    ) and policy.user_has_any_permission(user, LOOK):
        return redirect(HEALTH)
    return OverviewView.as_view()(request)


class ReportsViewSet(GuardedViewSet):
    """Menu item and addresses of the above."""

    name = "smartgift_reports"
    url_prefix = "smartgift/reports"
    icon = "table"
    menu_label = gettext_lazy("Reports")
    policy = policy
    actions = LOOK

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", overview, name="index"),
            path("figures/", FiguresView.as_view(), name="figures"),
            path(
                "figures/results/",
                FiguresView.as_view(results_only=True),
                name="figures_results",
            ),
            path(
                "health/",
                # One look that fails must not spoil the others.
                non_atomic_requests(HealthView.as_view()),
                name="health",
            ),
        ]
