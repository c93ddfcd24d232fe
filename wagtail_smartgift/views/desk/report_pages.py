"""What the pages under "Reports" share: who may come in, and the way between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.forms import Media
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.models import PaymentSession


policy = ModelPermissionPolicy(PaymentSession)
#: Who may see figures of money.
REPORT = ("report",)
#: Who may see how it all is doing.
LOOK = ("report", "view")
OVERVIEW, FIGURES, HEALTH = (
    f"smartgift_reports:{name}" for name in ("index", "figures", "health")
)

_PAGES: tuple[tuple[str, Promise, Sequence[str]], ...] = (
    (OVERVIEW, gettext_lazy("Overview"), REPORT),
    (FIGURES, gettext_lazy("Sales and redemptions"), REPORT),
    (HEALTH, gettext_lazy("Quota and health"), LOOK),
)


def report_media() -> Media:
    return Media(css={"all": ["wagtail_smartgift/desk/reports.css"]})


@dataclass(frozen=True)
class Way:
    """A link to another page, or to another look at this one."""

    label: str | Promise
    url: str
    is_here: bool


class ReportPageMixin(PermissionCheckedMixin):
    """Stands before Wagtail's view among the bases."""

    permission_policy = policy
    header_icon = "smartgift"
    #: One of the addresses above.
    url_name: str

    def get_ways(self) -> list[Way]:
        """Return the pages that the user may see."""
        user = self.request.user
        return [
            Way(label=label, url=reverse(name), is_here=name == self.url_name)
            for name, label, actions in _PAGES
            if policy.user_has_any_permission(user, actions)
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["ways"] = self.get_ways()
        context["media"] = context.get("media", Media()) + report_media()
        return context
