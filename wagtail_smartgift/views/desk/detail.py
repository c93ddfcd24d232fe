"""A page about one thing: what stands out, facts in panels, and its timeline."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.forms import Media
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from wagtail.admin.ui.components import Component
from wagtail.admin.ui.tables import Table
from wagtail.admin.views import generic

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models.base import AccountBound


#: What a fact can be; nothing is shown of one that is None or empty.
FactValue = str | Promise | int | Decimal | datetime | None


@dataclass(frozen=True)
class Fact:
    """A word and what there is to say to it."""

    label: str | Promise
    value: FactValue
    #: Where there is more about it.
    url: str = ""
    #: A word out of a few, such as a status.
    is_tag: bool = False

    @property
    def is_time(self) -> bool:
        return isinstance(self.value, datetime)

    @property
    def is_shown(self) -> bool:
        return self.value is not None and self.value != ""


class Facts(Component):
    """Facts, those that there are."""

    template_name = "wagtail_smartgift/desk/facts.html"

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.facts = [fact for fact in facts if fact.is_shown]

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return {"facts": self.facts}


@dataclass(frozen=True)
class Section:
    """A panel of the page; ``id`` is unique on it."""

    id: str
    heading: str | Promise
    content: Component
    icon: str = "info-circle"

    @property
    def is_wide(self) -> bool:
        """Whether a narrow window scrolls it, so that the keyboard has to reach it."""
        return isinstance(self.content, Table)


@dataclass(frozen=True)
class Notice:
    """Something that stands above everything else: ``info`` or ``warning``."""

    text: str | Promise
    status: str = "info"


class DeskDetailView(generic.InspectView):
    """One thing: notices, sections, and whatever buttons it has."""

    template_name = "wagtail_smartgift/desk/detail.html"

    def get_fields(self) -> list[str]:
        return []

    def get_notices(self) -> Sequence[Notice]:
        return ()

    def get_sections(self) -> Sequence[Section]:
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        sections = list(self.get_sections())
        context["notices"] = list(self.get_notices())
        context["sections"] = sections
        context["media"] = sum(
            (section.content.media for section in sections),
            Media(css={"all": ["wagtail_smartgift/desk/details.css"]}),
        )
        return context


def at(moment: datetime) -> str:
    """Write a time as the desk does, to the second."""
    local = timezone.localtime(moment)
    return f"{date_format(local, 'SHORT_DATE_FORMAT')} {local:%H:%M:%S}"


def foreign_notice(row: AccountBound) -> list[Notice]:
    """Say so where a row is left alone, because it is another company's now."""
    try:
        if row.is_bound_to(get_conf().account(row.account)):
            return []
    except ImproperlyConfigured:
        pass
    return [
        Notice(
            _(
                "This was made with another Smart Gift key or address than is "
                "configured now. It is left alone."
            ),
            "warning",
        )
    ]
