"""Confirming a verdict: what follows is said first, then a person says why, then it is done.

What was shown comes along with the form, so a verdict about a case that has moved on
meanwhile does nothing.
"""

from typing import Any, ClassVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.choices import OrderStatus, SessionStatus, Verdict
from wagtail_smartgift.ledger import PENDING
from wagtail_smartgift.models import PaymentSession, Redemption, VoucherOrder
from wagtail_smartgift.services import cases, evidence, order_cases
from wagtail_smartgift.services.evidence import Case
from wagtail_smartgift.views.desk import case_words
from wagtail_smartgift.views.desk.attention_forms import (
    OrderVerdictForm,
    RedemptionVerdictForm,
    SeenForm,
)


#: In which field a voucher's number was typed that does not belong there.
_NUMBER_IN = {
    "number_in_note": "reason",
    "number_as_id": "redemption_ids",
    "number_as_order": "order_number",
}
#: Problems that the person can mend in the form.
_IN_FORM = {
    "ids_needed": "redemption_ids",
    "ids_of_another": "redemption_ids",
}


class ConfirmView(PermissionCheckedMixin, WagtailAdminTemplateMixin, FormView):
    """Asks once more, and for the reason; what the three pages share."""

    permission_policy = ModelPermissionPolicy(PaymentSession)
    permission_required = "settle"
    header_icon = "warning"
    template_name = "wagtail_smartgift/desk/confirm.html"
    back_url_name: ClassVar[str]
    index_url_name = "smartgift_attention:index"

    @property
    def case_pk(self) -> Any:
        """Return the key of the page that this one belongs to."""
        raise NotImplementedError

    @property
    def reference(self) -> str:
        raise NotImplementedError

    @property
    def version(self) -> str:
        raise NotImplementedError

    @property
    def back_url(self) -> str:
        return reverse(self.back_url_name, args=[self.case_pk])

    def get_page_subtitle(self) -> str:
        return self.reference

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(self.index_url_name), "label": _("Needs attention")},
            {"url": self.back_url, "label": self.reference},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_initial(self) -> dict[str, Any]:
        return {"seen": self.version}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context["back_url"] = self.back_url
        context["consequences"] = self.consequences()
        context["warning"] = self.warning()
        context["warning_status"] = "critical"
        context["submit_label"] = _("Yes, write it down")
        return context

    def consequences(self) -> list[str]:
        raise NotImplementedError

    def warning(self) -> str:
        return ""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            self.settle(form)
        except cases.Moved:
            return self.moved()
        except cases.NotSettled as error:
            if error.problem in _NUMBER_IN:
                form.refuse_number(
                    case_words.PROBLEMS[error.problem], _NUMBER_IN[error.problem]
                )
                return self.form_invalid(form)
            field = _IN_FORM.get(error.problem)
            where = field if field in form.fields else None
            form.add_error(where, case_words.PROBLEMS[error.problem])
            return self.form_invalid(form)
        return redirect(self.back_url)

    def moved(self) -> HttpResponse:
        messages.error(
            self.request,
            _("Somebody has settled this before you, or it has moved on. Look again."),
        )
        return redirect(self.back_url)

    def settle(self, form: Any) -> None:
        raise NotImplementedError


def tell_payment(request: HttpRequest, session: PaymentSession) -> None:
    """Say honestly how a payment stands after a verdict."""
    status = session.get_status_display()
    if session.status in PENDING:
        messages.info(
            request,
            _(
                "It was written down. The payment goes on, and is not settled yet "
                "(%(status)s): the sweep finishes it."
            )
            % {"status": status},
        )
    elif session.status == SessionStatus.NEEDS_ATTENTION:
        messages.warning(
            request,
            _("It was written down. Something of this payment still needs a person."),
        )
    else:
        messages.success(
            request,
            _("It was written down. The payment is settled: %(status)s.")
            % {"status": status},
        )


class SettleView(ConfirmView):
    """A verdict on one voucher of a payment."""

    form_class = RedemptionVerdictForm
    back_url_name = "smartgift_attention:payment"

    @cached_property
    def row(self) -> Redemption:
        row: Redemption = get_object_or_404(
            Redemption.objects.select_related("session"), pk=self.kwargs["pk"]
        )
        return row

    @cached_property
    def case(self) -> Case | None:
        return evidence.of(self.row)

    @cached_property
    def verdict(self) -> Verdict:
        try:
            return Verdict(self.kwargs["verdict"])
        except ValueError:
            raise Http404 from None

    @property
    def case_pk(self) -> Any:
        return self.row.session_id

    @property
    def reference(self) -> str:
        return self.row.session.reference

    @property
    def version(self) -> str:
        return self.case.version if self.case else ""

    def get_page_title(self) -> str:
        if self.case is None:
            return str(self.verdict.label)
        return case_words.label(self.case, self.verdict)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        allowed = self.user_has_permission("settle")
        if allowed and (self.case is None or self.verdict not in self.case.verdicts):
            return self.moved()
        return super().dispatch(request, *args, **kwargs)

    def get_form(self, form_class: Any = None) -> Any:
        form, case = super().get_form(form_class), self.case
        form.ask_for(
            ids=case is not None and case_words.takes_ids(case, self.verdict),
            needed=self.verdict is Verdict.IDS_ARE,
        )
        return form

    def consequences(self) -> list[str]:
        return case_words.consequences(self.case, self.verdict) if self.case else []

    def warning(self) -> str:
        return case_words.warning(self.case, self.verdict) if self.case else ""

    def settle(self, form: Any) -> None:
        session = cases.settle(
            redemption_id=self.row.pk,
            verdict=self.verdict,
            seen=form.cleaned_data["seen"],
            user=self.request.user,
            note=form.cleaned_data["reason"],
            redemption_ids=form.cleaned_data.get("redemption_ids") or (),
        )
        tell_payment(self.request, session)


class GoOnView(ConfirmView):
    """Lets a payment go on in which nothing is in doubt any more."""

    form_class = SeenForm
    back_url_name = "smartgift_attention:payment"
    page_title = gettext_lazy("Let the payment go on")

    @cached_property
    def session(self) -> PaymentSession:
        session: PaymentSession = get_object_or_404(
            PaymentSession, pk=self.kwargs["pk"]
        )
        return session

    @property
    def case_pk(self) -> Any:
        return self.session.pk

    @property
    def reference(self) -> str:
        return self.session.reference

    @property
    def version(self) -> str:
        return str(self.session.version)

    def consequences(self) -> list[str]:
        return [
            _("Nothing of this payment waits for a person. It goes on by the rules.")
        ]

    def settle(self, form: Any) -> None:
        session = cases.go_on(
            session_id=self.session.pk,
            seen=form.cleaned_data["seen"],
            user=self.request.user,
            note=form.cleaned_data["reason"],
        )
        tell_payment(self.request, session)


class SettleOrderView(ConfirmView):
    """A verdict on a sale."""

    form_class = OrderVerdictForm
    back_url_name = "smartgift_attention:order"
    index_url_name = "smartgift_attention:orders"

    @cached_property
    def order(self) -> VoucherOrder:
        order: VoucherOrder = get_object_or_404(VoucherOrder, pk=self.kwargs["pk"])
        return order

    @cached_property
    def verdict(self) -> Verdict:
        try:
            return Verdict(self.kwargs["verdict"])
        except ValueError:
            raise Http404 from None

    @property
    def case_pk(self) -> Any:
        return self.order.pk

    @property
    def reference(self) -> str:
        return self.order.reference

    @property
    def version(self) -> str:
        return str(self.order.version)

    def get_page_title(self) -> str:
        return str(self.verdict.label)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        allowed = self.user_has_permission("settle")
        if allowed and self.verdict not in order_cases.verdicts(self.order):
            return self.moved()
        return super().dispatch(request, *args, **kwargs)

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        items = self.order.items.select_related("product").order_by("position")
        form.ask_for(self.verdict, list(items))
        return form

    def consequences(self) -> list[str]:
        return [str(case_words.ORDER_CONSEQUENCES[self.verdict])]

    def settle(self, form: Any) -> None:
        order = order_cases.settle(
            order_id=self.order.pk,
            verdict=self.verdict,
            seen=form.cleaned_data["seen"],
            user=self.request.user,
            note=form.cleaned_data["reason"],
            order_number=form.cleaned_data.get("order_number", ""),
            voucher_numbers=form.voucher_numbers,
        )
        text = _("It was written down. The order is now: %(status)s.") % {
            "status": order.get_status_display()
        }
        if order.status == OrderStatus.PLACED or order.status == OrderStatus.REFUSED:
            messages.success(self.request, text)
        else:
            messages.info(self.request, text)
