"""Personal data in the Wagtail admin: what there is of one customer, handed out or erased.

The address is typed into a form and never stands in an address of ours, a message or a
log. Nothing is written before it is asked once more.
"""

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.db.transaction import non_atomic_requests
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.models import VoucherOrder
from wagtail_smartgift.services import privacy
from wagtail_smartgift.views.desk.base import GuardedViewSet
from wagtail_smartgift.views.desk.timeline import Moment, Timeline


ICON = "user"
INDEX, EXPORT, ERASE = (
    f"smartgift_privacy:{name}" for name in ("index", "export", "erase")
)


class AddressForm(forms.Form):
    email = forms.CharField(
        label=gettext_lazy("E-mail address of the customer"),
        max_length=320,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text=gettext_lazy("Capital and small letters make no difference."),
    )

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        try:
            self.found = privacy.find(email)
        except privacy.NoAddress:
            raise forms.ValidationError(_("This is not an e-mail address.")) from None
        return email


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class _PrivacyView(PermissionCheckedMixin, WagtailAdminTemplateMixin, FormView):
    permission_policy = ModelPermissionPolicy(VoucherOrder)
    permission_required = "privacy"
    form_class = AddressForm
    header_icon = ICON
    page_title = gettext_lazy("Personal data")
    template_name = "wagtail_smartgift/desk/privacy.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def form_invalid(self, form: AddressForm) -> HttpResponse:
        # Whichever form it was: the address is asked for again.
        self.template_name = _PrivacyView.template_name
        return self.render_to_response(self.get_context_data(form=form))

    def shown(self, form: AddressForm) -> dict[str, Any]:
        """Return what the templates say of an address."""
        found = form.found
        return {
            "form": form,
            "found": found,
            "export_url": reverse(EXPORT),
            "erase_url": reverse(ERASE),
            "history": Timeline(
                Moment(
                    at=event.created_at,
                    what=event.get_operation_display(),
                    outcome=_(
                        "Orders: %(orders)d. Payments: %(payments)d. "
                        "Messages: %(messages)d."
                    )
                    % {
                        "orders": event.orders,
                        "payments": event.payments,
                        "messages": event.messages,
                    },
                    actor=event.actor,
                )
                for event in found.history
            ),
        }


class PrivacyIndexView(_PrivacyView):
    """Asks for an address, and tells how much there is about it."""

    def form_valid(self, form: AddressForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(**self.shown(form)))


class PrivacyExportView(_PrivacyView):
    """Hands out a file with all of it."""

    http_method_names = ["post"]

    def form_valid(self, form: AddressForm) -> HttpResponse:
        document = privacy.export(form.cleaned_data["email"], user=self.request.user)
        text = json.dumps(document, indent=2, ensure_ascii=False, default=str)
        day = f"{timezone.localdate():%Y-%m-%d}"
        return HttpResponse(
            text,
            content_type="application/json",
            headers={
                # Without the address: file names turn up in lists.
                "Content-Disposition": f'attachment; filename="customer-{day}.json"'
            },
        )


class PrivacyEraseView(_PrivacyView):
    """Asks once more, then erases."""

    http_method_names = ["post"]
    page_title = gettext_lazy("Erase personal data")
    template_name = "wagtail_smartgift/desk/privacy_erase.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(INDEX), "label": _("Personal data")},
            {"url": "", "label": self.get_page_title()},
        ]

    def form_valid(self, form: AddressForm) -> HttpResponse:
        if self.request.POST.get("confirmed") != "yes":
            context = self.get_context_data(
                **self.shown(form), back_url=reverse(INDEX), is_serious=True
            )
            return self.render_to_response(context)
        done = privacy.erase(form.cleaned_data["email"], user=self.request.user)
        messages.success(
            self.request,
            _(
                "The customer was erased. Orders: %(orders)d. Payments: %(payments)d. "
                "Messages: %(messages)d."
            )
            % {
                "orders": done.orders,
                "payments": done.payments,
                "messages": done.messages,
            },
        )
        if done.waiting:
            messages.warning(
                self.request,
                ngettext(
                    "%(count)d is not settled yet. It is erased once it is.",
                    "%(count)d are not settled yet. They are erased once they are.",
                    done.waiting,
                )
                % {"count": done.waiting},
            )
        return redirect(INDEX)


class PrivacyViewSet(GuardedViewSet):
    """Menu item and addresses of the above."""

    name = "smartgift_privacy"
    url_prefix = "smartgift/personal-data"
    icon = ICON
    menu_label = gettext_lazy("Personal data")
    policy = _PrivacyView.permission_policy
    actions = ("privacy",)

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", PrivacyIndexView.as_view(), name="index"),
            path(
                "export/",
                # What was handed out is written down in a transaction of its own.
                non_atomic_requests(PrivacyExportView.as_view()),
                name="export",
            ),
            path(
                "erase/",
                # Committed row by row: see ``services.privacy``.
                non_atomic_requests(PrivacyEraseView.as_view()),
                name="erase",
            ),
        ]
