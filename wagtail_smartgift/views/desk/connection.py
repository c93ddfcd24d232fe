"""“Test connection”: whether what a site's settings say works at Smart Gift.

Tries what is saved. Looking asks nothing; the button does, and changes nothing.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.models import Site
from wagtail.permission_policies.sites import SitePermissionPolicy

from wagtail_smartgift.models import SmartGiftSettings
from wagtail_smartgift.services import connection


policy = SitePermissionPolicy(SmartGiftSettings)


class ConnectionView(WagtailAdminTemplateMixin, TemplateView):
    """Says what is tested, then what came of it."""

    page_title = gettext_lazy("Test connection")
    header_icon = "smartgift"
    template_name = "wagtail_smartgift/desk/connection.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not policy.user_has_permission_for_instance(
            request.user, "change", self.site
        ):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def site(self) -> Site:
        return get_object_or_404(Site, pk=self.kwargs["site_pk"])

    @property
    def settings_url(self) -> str:
        names = ("wagtail_smartgift", "smartgiftsettings", self.site.pk)
        return reverse("wagtailsettings:edit", args=names)

    def get_page_subtitle(self) -> str:
        return str(self.site)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": self.settings_url, "label": _("Gift vouchers")},
            {
                "url": "",
                "label": self.get_page_title(),
                "sublabel": self.get_page_subtitle(),
            },
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **{
                "site": self.site,
                "settings_url": self.settings_url,
                **kwargs,
            }
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        answers = connection.examine(self.site)
        works = all(one.result is connection.Result.WORKS for one in answers)
        context = self.get_context_data(answers=answers, works=works)
        return self.render_to_response(context)


class ConnectionViewSet(ViewSet):
    """The address of the above; the settings of a site lead there."""

    name = "smartgift_connection"
    url_prefix = "smartgift/connection"

    def get_urlpatterns(self) -> list[Any]:
        return [
            path(
                "<int:site_pk>/",
                # The quota commits its counts beside whatever the host's request does.
                non_atomic_requests(ConnectionView.as_view()),
                name="test",
            ),
        ]
