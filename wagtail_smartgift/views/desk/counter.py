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
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.ui.tables import Column, DateColumn, Table, TitleColumn
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift.choices import ProductType, RedemptionStatus
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import (
    DeskAction,
    PaymentSession,
    Redemption,
    RedemptionEvent,
)
from wagtail_smartgift.services import desk
from wagtail_smartgift.views.desk import journals
from wagtail_smartgift.views.desk.base import GuardedViewSet, moves_money
from wagtail_smartgift.views.desk.counter_forms import (
    ApplyForm,
    HoldForm,
    LookUpForm,
    ReferenceForm,
)
from wagtail_smartgift.views.desk.counter_moves import said
from wagtail_smartgift.views.desk.counter_moving import (
    PAYMENT,
    MoveView,
    PaymentView,
    ReleaseView,
)
from wagtail_smartgift.views.desk.timeline import Timeline


ICON = "tag"
INDEX = "smartgift_counter:index"
policy = ModelPermissionPolicy(Redemption)
#: Lines of the timeline of one voucher.
MOST_EVENTS = 300


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
            found = desk.look_up(
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

    def _result(self, found: desk.Found) -> dict[str, Any]:
        carry = {"carried": found.carried}
        context: dict[str, Any] = {
            "found": found,
            "facts": _facts(found),
            "uses": _uses_table(found.uses) if found.uses else None,
            "sold_in": _sold_table(found) if found.answer.sold_in else None,
            "timeline": _timeline(found.uses),
        }
        if self.may_move() and found.answer.state is not None:
            context["hold_form"] = HoldForm(initial=carry, auto_id="hold_%s")
            context["apply_form"] = ApplyForm(initial=carry, auto_id="apply_%s")
        return context


def _facts(found: desk.Found) -> list[tuple[str, Any]]:
    answer = found.answer
    facts: list[tuple[str, Any]] = [(_("Voucher"), answer.display_code)]
    state = answer.state
    if state is None:
        facts += [
            (_("At Smart Gift"), answer.problem),
            (_("In its words"), answer.words),
        ]
    elif state.type == ProductType.EXPERIENCE:
        names = ", ".join(one.name for one in state.experiences)
        facts += [
            (_("Type"), ProductType.EXPERIENCE.label),
            (_("Left on it"), names or _("Nothing")),
        ]
    else:
        facts += [
            (_("Type"), ProductType.MONETARY.label),
            (_("Balance"), state.remaining_value),
            (_("Can be redeemed here"), state.available_to_redeem),
        ]
    if state is not None:
        facts.append((_("Held"), _held(found)))
    return [(label, value) for label, value in facts if value not in {None, ""}]


def _held(found: desk.Found) -> str:
    """Say by whom it is held, and until when, as far as anybody knows."""
    state = found.answer.state
    ours = next(
        (
            row
            for row in found.uses
            if row.status in {RedemptionStatus.HELD, RedemptionStatus.HOLDING}
        ),
        None,
    )
    if ours is not None:
        return _until(
            ours.held_until,
            known=_("By payment %(reference)s, until %(until)s"),
            unknown=_("By payment %(reference)s, for at most five more minutes"),
            reference=ours.session.reference,
        )
    if state is None or not state.held:
        return _("No") if state is not None and state.held is False else _("Not known")
    return _until(
        state.held_until,
        known=_("By a till or another shop, until %(until)s"),
        unknown=_("By a till or another shop, for at most five more minutes"),
    )


def _until(at: Any, *, known: str, unknown: str, **values: str) -> str:
    if at is None or at.tzinfo is None:
        return unknown % values
    return known % {**values, "until": time_format(timezone.localtime(at), "H:i:s")}


def _uses_table(uses: Any) -> Table:
    return Table(
        [
            TitleColumn(
                "reference",
                label=_("Payment"),
                accessor="session.reference",
                get_url=lambda row: reverse(PAYMENT, args=[row.session_id]),
            ),
            Column(
                "payment_status",
                label=_("Payment's status"),
                accessor="session.get_status_display",
            ),
            Column("status", label=_("This voucher"), accessor="get_status_display"),
            Column("amount", label=_("Amount")),
            DateColumn("created_at", label=_("Added")),
        ],
        list(uses),
    )


def _sold_table(found: desk.Found) -> Table:
    return Table(
        [
            Column("reference", label=_("Sold in order")),
            Column("status", label=_("Status")),
            Column("price", label=_("Price")),
            DateColumn("at", label=_("Ordered")),
        ],
        list(found.answer.sold_in),
    )


def _timeline(uses: Any) -> Timeline:
    newest = RedemptionEvent.objects.filter(
        redemption__in=[row.pk for row in uses]
    ).select_related("redemption")
    events = sorted(newest.order_by("-id")[:MOST_EVENTS], key=lambda event: event.pk)
    actions = DeskAction.objects.filter(session__in={row.session_id for row in uses})
    return Timeline([*journals.of_redemptions(events), *journals.of_desk(actions)])


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
        form = self.form_class(request.POST)
        try:
            carried = desk.open_carried(
                request.POST.get("carried", ""), user=request.user
            )
        except desk.CarryLost:
            messages.error(request, _("Please enter the voucher's number again."))
            return redirect(INDEX)
        if form.is_valid() and carried.is_in(form.cleaned_data["reason"]):
            form.refuse_number(desk.NUMBER_IN_REASON)
        if not form.is_valid() or "confirmed" not in request.POST:
            return self._ask(form, carried)
        wish = desk.Wish(
            form_id=form.cleaned_data["form_id"],
            user=request.user,
            reason=form.cleaned_data["reason"],
            amount=form.cleaned_data["amount"],
        )
        try:
            session = self.do(wish, carried, form)
        except PaymentError as error:
            for name, text in error.fields.items():
                form.add_error(name if name in form.fields else None, str(text))
            if not error.fields:
                form.add_error(None, said(error))
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

    def _ask(self, form: Any, carried: desk.Carried) -> HttpResponse:
        summary = self.summary(form, carried) if form.is_valid() else None
        return self.render_to_response(
            self.get_context_data(
                form=form,
                summary=summary,
                confirmed=summary is not None,
                back_url=reverse(INDEX),
                submit_label=summary.button if summary else _("Go on"),
            )
        )

    def summary(self, form: Any, carried: desk.Carried) -> Summary:
        raise NotImplementedError

    def do(self, wish: desk.Wish, carried: desk.Carried, form: Any) -> Any:
        raise NotImplementedError


class HoldView(StartView):
    form_class = HoldForm
    page_title = gettext_lazy("Hold a voucher")

    def summary(self, form: Any, carried: desk.Carried) -> Summary:
        values = {
            "voucher": carried.display_code,
            "amount": form.cleaned_data["amount"],
        }
        return Summary(
            title=_("Hold voucher %(voucher)s for %(amount)s") % values,
            sentences=(
                _(
                    "The whole voucher is held for five minutes; nobody else can use it "
                    "meanwhile."
                ),
                _("Nothing is taken before you redeem it, on the next page."),
            ),
            button=_("Yes, hold it"),
        )

    def do(self, wish: desk.Wish, carried: desk.Carried, form: Any) -> Any:
        return desk.hold(wish, carried)


class ApplyView(StartView):
    form_class = ApplyForm
    page_title = gettext_lazy("Apply a voucher to an order")

    def summary(self, form: Any, carried: desk.Carried) -> Summary:
        values = {
            "voucher": carried.display_code,
            "reference": form.cleaned_data["reference"],
        }
        return Summary(
            title=_("Apply voucher %(voucher)s to order %(reference)s") % values,
            sentences=(
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

    def do(self, wish: desk.Wish, carried: desk.Carried, form: Any) -> Any:
        return desk.apply(
            wish,
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
