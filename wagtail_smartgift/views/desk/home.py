"""The panel on the home page of the Wagtail admin: how gift vouchers are doing today.

Figures of money are for those who may see reports; how things stand is for whoever may
see payments, too.
"""

import logging
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.forms import Media
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from wagtail.admin.ui.components import Component

from wagtail_smartgift import reporting
from wagtail_smartgift.services.asides import aside
from wagtail_smartgift.views.desk.report_pages import (
    HEALTH,
    LOOK,
    OVERVIEW,
    REPORT,
    policy,
    report_media,
)
from wagtail_smartgift.views.desk.standing import months, standings, waiting_rows


logger = logging.getLogger(__name__)


class VouchersPanel(Component):
    """This month beside the last, what waits, and whether Smart Gift answers.

    A home page is more than this: what cannot be read is said, and logged.
    """

    name = "smartgift"
    template_name = "wagtail_smartgift/desk/home_panel.html"
    order = 150

    @property
    def media(self) -> Media:
        return report_media()

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        user = parent_context["request"].user
        context: dict[str, Any] = {"health_url": reverse(HEALTH)}
        may_report = policy.user_has_any_permission(user, REPORT)
        if may_report:
            context["reports_url"] = reverse(OVERVIEW)
        if policy.user_has_permission(user, "settle"):
            context["attention_url"] = _address("smartgift_attention:index")
        try:
            context |= aside(_read_figures if may_report else _read)
        except (DatabaseError, ImproperlyConfigured):
            logger.exception("The panel of gift vouchers could not be read.")
            context["has_failed"] = True
        return context


def _address(name: str) -> str:
    """Return an address of the desk; nothing where a host has left that part out."""
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _read() -> dict[str, Any]:
    queue = reporting.queue()
    return {
        "queue": [
            row for row in waiting_rows(queue) if row.count and not row.is_trouble
        ],
        "attention": sum(one.count for one in queue if one.needs_a_person),
        "standings": standings(),
    }


def _read_figures() -> dict[str, Any]:
    return {"months": months(reporting.today()), **_read()}


def add_panel(request: HttpRequest, panels: list[Any]) -> None:
    """Add the panel for whoever may see reports or payments."""
    if policy.user_has_any_permission(request.user, LOOK):
        panels.append(VouchersPanel())
