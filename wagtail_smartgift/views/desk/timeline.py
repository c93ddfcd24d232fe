"""A story told line by line: what was asked, what came of it, and who did it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from wagtail.admin.ui.components import Component


@dataclass(frozen=True)
class Moment:
    """One line: what happened, and what there is to say about it."""

    at: datetime
    what: str | Promise
    outcome: str | Promise = ""
    #: More about it, a full sentence or a figure.
    detail: str | Promise = ""
    #: Who, where a person did it.
    actor: str = ""
    #: Something that somebody should see at first sight.
    is_trouble: bool = False
    #: Where there is more about it.
    url: str = ""


class Timeline(Component):
    """The moments, the oldest first; those of one time in the order given."""

    template_name = "wagtail_smartgift/desk/timeline.html"

    def __init__(self, moments: Iterable[Moment]) -> None:
        self.moments = sorted(moments, key=lambda moment: moment.at)

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        return {
            "moments": self.moments,
            # A column that nobody needs is not shown.
            "with_detail": any(moment.detail for moment in self.moments),
            "with_actor": any(moment.actor for moment in self.moments),
        }
