"""Quota and health in the Wagtail admin: what the plugin knows of itself.

All of it is read from the database. Looking at it makes no call to Smart Gift: the
doctor is asked for what it finds without one, and not for what only a deployment
changes, which takes longer than a page should.
"""

from typing import Any

from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_smartgift import health
from wagtail_smartgift.services import doctor
from wagtail_smartgift.services.doctor import Level
from wagtail_smartgift.views.desk.report_pages import HEALTH, LOOK, ReportPageMixin
from wagtail_smartgift.views.desk.standing import standings


_LEVELS = {
    Level.OK: ("success", gettext_lazy("Fine")),
    Level.WARNING: ("warning", gettext_lazy("Warning")),
    Level.FAULT: ("error", gettext_lazy("Fault")),
}


class HealthView(ReportPageMixin, WagtailAdminTemplateMixin, TemplateView):
    permission_required = None
    any_permission_required = LOOK
    page_title = gettext_lazy("Quota and health")
    url_name = HEALTH
    template_name = "wagtail_smartgift/desk/health.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        context |= {
            "standings": standings(),
            "last_sweep": health.last_sweep(),
            "overdue": health.overdue(),
            "findings": [
                (finding, *_LEVELS[finding.level])
                for finding in doctor.examine(offline=True, installation=False)
            ],
        }
        return context
