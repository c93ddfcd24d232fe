"""The voucher desk: one number looked up, and what can be done with it.

The number comes in by POST, is never shown whole again, and is carried to the next step
sealed, for this user and a quarter of an hour. From there a payment is known by its row.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import desk, looking_up
from wagtail_smartgift.views.desk import counter_found
from wagtail_smartgift.views.desk.base import GuardedViewSet, moves_money
from wagtail_smartgift.views.desk.counter_forms import (
    ApplyForm,
    HoldForm,
    LookUpForm,
    ReferenceForm,
    named,
)
from wagtail_smartgift.views.desk.counter_moves import said
from wagtail_smartgift.views.desk.counter_moving import (
    PAYMENT,
    MoveView,
    PaymentView,
    ReleaseView,
    say_in,
)


ICON = "tag"
INDEX = "smartgift_counter:index"
policy = ModelPermissionPolicy(Redemption)


class CounterPage(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    permission_policy = policy
    any_permission_required: ClassVar[list[str] | None] = ["desk", "move"]
    page_title = gettext_lazy("Voucher desk")
    header_icon = ICON

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    def may_move(self) -> bool:
        return bool(self.user_has_permission("move"))


class LookUpView(CounterPage):
    """Asks for a number, and shows what is known of it."""

    template_name = "wagtail_smartgift/desk/counter.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        kwargs.setdefault("form", LookUpForm.asking())
        kwargs.setdefault("reference_form", ReferenceForm())
        return super().get_context_data(
            **kwargs, find_url=reverse("smartgift_counter:find")
        )

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = LookUpForm.asking(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            found = looking_up.look_up(
                voucher_no=form.cleaned_data["voucher_no"],
                site=form.chosen_site,
                user=request.user,
            )
        except PaymentError as error:
            form.add_error(
                "voucher_no" if error.fields else None,
                str(error.fields.get("voucher_no") or said(error)),
            )
            return self.render_to_response(self.get_context_data(form=form))
        return self.render_to_response(
            self.get_context_data(form=LookUpForm.asking(), **self._result(found))
        )

    def _result(self, found: looking_up.Found) -> dict[str, Any]:
        context: dict[str, Any] = {
            "found": found,
            "facts": counter_found.facts(found),
            "uses": counter_found.uses_table(found),
            "sold_in": counter_found.sold_table(found),
            "timeline": counter_found.timeline(found),
        }
        if self.may_move() and found.can_be_tried:
            carry = {"carried": found.carried}
            context["hold_form"] = HoldForm(initial=carry, auto_id="hold_%s")
            context["apply_form"] = ApplyForm(initial=carry, auto_id="apply_%s")
            for name in ("hold_form", "apply_form"):
                context[name].ask_for(found.experiences)
        return context


class FindView(CounterPage):
    """Leads to the payment of an order, by its reference."""

    template_name = "wagtail_smartgift/desk/counter.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = ReferenceForm(request.POST)
        session = None
        if form.is_valid():
            reference = form.cleaned_data["reference"]
            session = PaymentSession.objects.filter(reference=reference).first()
            if session is None:
                form.add_error("reference", _("No payment has this reference."))
        if session is None:
            return self.render_to_response(
                self.get_context_data(
                    form=LookUpForm.asking(),
                    reference_form=form,
                    find_url=request.path,
                )
            )
        return redirect(PAYMENT, session.pk)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect(INDEX)


@dataclass(frozen=True)
class Summary:
    """What is about to be done, for the page that asks once more."""

    title: str
    sentences: tuple[str, ...]
    button: str


class StartView(CounterPage):
    """Holds a looked-up voucher: for an amount, or for an order. Asks once more first."""

    any_permission_required = None
    permission_required = "move"
    template_name = "wagtail_smartgift/desk/counter_confirm.html"
    form_class: ClassVar[type[HoldForm | ApplyForm]]

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect(INDEX)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            carried = looking_up.open_carried(
                request.POST.get("carried", ""), user=request.user
            )
        except looking_up.CarryLost:
            messages.error(request, _("Please enter the voucher's number again."))
            return redirect(INDEX)
        form = self.form_class(request.POST)
        form.ask_for(carried.experiences)
        if form.is_valid() and carried.is_in(form.cleaned_data["reason"]):
            form.refuse_number(desk.NUMBER_IN_REASON)
        elif form.is_valid() and self.names_number(form, carried):
            form.refuse_number(desk.NUMBER_AS_REFERENCE, "reference")
        if not form.is_valid() or "confirmed" not in request.POST:
            return self._ask(form, carried)
        instruction = desk.Instruction(
            form_id=form.cleaned_data["form_id"],
            user=request.user,
            reason=form.cleaned_data["reason"],
            amount=form.cleaned_data.get("amount"),
            experiences=tuple(form.cleaned_data.get("experiences", ())),
        )
        try:
            session = self.do(instruction, carried, form)
        except PaymentError as error:
            say_in(form, error)
            return self._ask(form, carried)
        except desk.Conflict:
            messages.error(request, _("This form was sent before. Please start anew."))
            return redirect(INDEX)
        messages.success(
            request,
            _("Voucher %(voucher)s is held. Nothing has been taken from it yet.")
            % {"voucher": carried.display_code},
        )
        return redirect(PAYMENT, session.id)

    def _ask(self, form: Any, carried: looking_up.Carried) -> HttpResponse:
        summary = self.summary(form, carried) if form.is_valid() else None
        return self.render_to_response(
            self.get_context_data(
                form=form,
                summary=summary,
                consequences=summary.sentences if summary else (),
                back_url=reverse(INDEX),
                submit_label=summary.button if summary else _("Go on"),
            )
        )

    def summary(self, form: Any, carried: looking_up.Carried) -> Summary:
        raise NotImplementedError

    def names_number(self, form: Any, carried: looking_up.Carried) -> bool:
        """Tell whether the number was typed where another name belongs."""
        return False

    def do(
        self, instruction: desk.Instruction, carried: looking_up.Carried, form: Any
    ) -> Any:
        raise NotImplementedError


def _chosen(form: Any, carried: looking_up.Carried) -> tuple[str, ...]:
    """Say what of an experience voucher is to be used; nothing of any other."""
    chosen = form.cleaned_data.get("experiences", ())
    names = [named(one) for one in carried.experiences if one.bit_value in chosen]
    if not names:
        return ()
    return (
        _("Once it is redeemed, these experiences are used up as a whole: %(names)s.")
        % {"names": ", ".join(names)},
    )


class HoldView(StartView):
    form_class = HoldForm
    page_title = gettext_lazy("Hold a voucher")

    def summary(self, form: Any, carried: looking_up.Carried) -> Summary:
        values = {
            "voucher": carried.display_code,
            "amount": format_price(form.cleaned_data["amount"]),
        }
        return Summary(
            title=_("Hold voucher %(voucher)s for %(amount)s") % values,
            sentences=(
                *_chosen(form, carried),
                _(
                    "The whole voucher is held for five minutes; nobody else can use it "
                    "meanwhile."
                ),
                _("Nothing is taken before you redeem it, on the next page."),
            ),
            button=_("Yes, hold it"),
        )

    def do(
        self, instruction: desk.Instruction, carried: looking_up.Carried, form: Any
    ) -> Any:
        return desk.hold(instruction, carried)


class ApplyView(StartView):
    form_class = ApplyForm
    page_title = gettext_lazy("Apply a voucher to an order")

    def names_number(self, form: Any, carried: looking_up.Carried) -> bool:
        reference = form.cleaned_data["reference"]
        # What a shop calls its order is known already.
        return (
            carried.is_meant_by(reference)
            and not PaymentSession.objects.filter(reference=reference).exists()
        )

    def summary(self, form: Any, carried: looking_up.Carried) -> Summary:
        values = {
            "voucher": carried.display_code,
            "reference": form.cleaned_data["reference"],
        }
        return Summary(
            title=_("Apply voucher %(voucher)s to order %(reference)s") % values,
            sentences=(
                *_chosen(form, carried),
                _(
                    "The voucher is held for this order, and covers what it can of what "
                    "is due."
                ),
                _(
                    "Nothing is taken before the payment is confirmed: by the shop, or "
                    "by you on the next page."
                ),
            ),
            button=_("Yes, apply it"),
        )

    def do(
        self, instruction: desk.Instruction, carried: looking_up.Carried, form: Any
    ) -> Any:
        return desk.apply(
            instruction,
            carried,
            reference=form.cleaned_data["reference"],
            amount_due=form.cleaned_data["amount_due"],
        )


class CounterViewSet(GuardedViewSet):
    """Menu item and addresses of the above."""

    name = "smartgift_counter"
    url_prefix = "smartgift/voucher-desk"
    icon = ICON
    menu_label = gettext_lazy("Voucher desk")
    policy = policy
    actions = ("desk", "move")

    def get_urlpatterns(self) -> list[Any]:
        def page(route: str, view: Any, name: str) -> Any:
            return path(route, moves_money(view.as_view()), name=name)

        return [
            page("", LookUpView, "index"),
            page("payment/", FindView, "find"),
            page("hold/", HoldView, "hold"),
            page("apply/", ApplyView, "apply"),
            page("payments/<uuid:pk>/", PaymentView, "payment"),
            page(
                "payments/<uuid:pk>/release/<uuid:redemption>/", ReleaseView, "release"
            ),
            page("payments/<uuid:pk>/<str:verb>/", MoveView, "move"),
        ]
