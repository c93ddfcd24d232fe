"""The panels of a voucher page's editor, by dotted path as the pages' views are."""

from typing import Any

from django.utils.functional import cached_property
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import Panel


class RemoteDataPanel(Panel):
    """Shows what Smart Gift says of the page's product, and what it has changed.

    ``component`` is the dotted path of ``(page, *, request) -> Component``.
    """

    def __init__(
        self,
        component: str = "wagtail_smartgift.views.desk.remote_data.for_editor",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("heading", _("At Smart Gift"))
        kwargs.setdefault("icon", "smartgift")
        super().__init__(**kwargs)
        self.component = component

    def clone_kwargs(self) -> dict[str, Any]:
        return {**super().clone_kwargs(), "component": self.component}

    @property
    def clean_name(self) -> str:
        # Not of the heading, which is another one in another language.
        return "smartgift"

    class BoundPanel(Panel.BoundPanel):
        template_name = "wagtail_smartgift/desk/remote_data_panel.html"

        @cached_property
        def remote_data(self) -> Any:
            return import_string(self.panel.component)(
                self.instance, request=self.request
            )

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            context["remote_data"] = self.remote_data
            return context

        @property
        def media(self) -> Any:
            return self.remote_data.media
