"""One payment at the voucher desk: how it stands, and moving it, after a second question.

Every move is a form of its own with the reason; what was shown comes along, so that
nobody moves what somebody else has moved meanwhile.
"""

from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    DeskVerb,
    RedemptionStatus,
)
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import desk
from wagtail_smartgift.views.desk import journals
from wagtail_smartgift.views.desk.counter_forms import InstructionForm
from wagtail_smartgift.views.desk.counter_moves import (
    MOVES,
    Move,
    chosen_names,
    next_step,
    said,
)
from wagtail_smartgift.views.desk.timeline import Timeline


ICON = "tag"
INDEX, PAYMENT, MOVE, RELEASE = (
    f"smartgift_counter:{name}" for name in ("index", "payment", "move", "release")
)
policy = ModelPermissionPolicy(Redemption)


def say_in(form: Any, error: PaymentError) -> None:
    """Say in a form why what it asked for was refused, ready to be corrected and sent."""
    form.begin_anew()
    for name, text in error.fields.items():
        if text in desk.NUMBERS_IN:
            form.refuse_number(str(text), name)
        else:
            form.add_error(name if name in form.fields else None, str(text))
    if not error.fields:
        form.add_error(None, said(error))


class PaymentPage(PermissionCheckedMixin, WagtailAdminTemplateMixin):
    permission_policy = policy
    header_icon = ICON

    @cached_property
    def session(self) -> PaymentSession:
        session: PaymentSession = get_object_or_404(
            PaymentSession, pk=self.kwargs["pk"]
        )
        return session

    @property
    def back_url(self) -> str:
        return reverse(PAYMENT, args=[self.session.pk])

    def money(self, amount: Decimal) -> str:
        return format_price(amount, self.session.currency)

    def get_page_subtitle(self) -> str:
        return str(self.session.reference)


class PaymentView(PaymentPage, TemplateView):
    """How a payment stands, and what can be done about it."""

    any_permission_required: ClassVar[list[str]] = ["desk", "move"]
    page_title = gettext_lazy("Payment at the voucher desk")
    template_name = "wagtail_smartgift/desk/counter_payment.html"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(INDEX), "label": _("Voucher desk")},
            {"url": "", "label": self.session.reference},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        state = ledger.describe(self.session)
        may_move = self.user_has_permission("move")
        return super().get_context_data(
            **kwargs,
            session=self.session,
            facts=[
                (_("Reference"), state.reference),
                (_("Status"), self.session.get_status_display()),
                (_("Amount due"), self.money(state.amount_due)),
                (_("Covered by vouchers"), self.money(state.amount_covered)),
                (_("To be paid another way"), self.money(state.amount_remaining)),
                (_("Redeemed"), self.money(state.amount_redeemed)),
                (_("Refunded"), self.money(state.amount_refunded)),
            ],
            next_step=next_step(self.session),
            rows=[self._row(row, may_move=may_move) for row in self._rows()],
            moves=self._moves() if may_move else [],
            timeline=Timeline(
                [
                    *journals.of_redemptions(
                        ledger.journal(self.session.pk), currency=self.session.currency
                    ),
                    *journals.of_desk(
                        self.session.desk_actions.all(), currency=self.session.currency
                    ),
                ]
            ),
        )

    def _rows(self) -> list[Redemption]:
        return list(self.session.redemptions.order_by("position", "leg"))

    def _row(self, row: Redemption, *, may_move: bool) -> dict[str, Any]:
        releasable = (
            row.status in {*COUNTED_REDEMPTION_STATUSES, RedemptionStatus.REFUSED}
            and desk.can(DeskVerb.RELEASE, self.session)
            and may_move
        )
        return {
            "row": row,
            "names": chosen_names(ledger.describe_redemption(row)),
            "amount": self.money(row.amount),
            "balance": "" if row.balance is None else self.money(row.balance),
            "held_until": row.held_until
            if row.status == RedemptionStatus.HELD
            else None,
            "release_url": reverse(RELEASE, args=[self.session.pk, row.pk])
            if releasable
            else "",
        }

    def _moves(self) -> list[dict[str, str]]:
        counted = any(row.status in COUNTED_REDEMPTION_STATUSES for row in self._rows())
        return [
            {
                "label": str(move.button),
                "url": reverse(MOVE, args=[self.session.pk, verb.value]),
            }
            for verb, move in MOVES.items()
            if desk.can(verb, self.session) and (counted or not move.needs_held)
        ]


class ConfirmPage(PaymentPage, FormView):
    """Asks once more, and for the reason, then does it."""

    permission_required = "move"
    template_name = "wagtail_smartgift/desk/confirm.html"
    verb: DeskVerb

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not self.user_has_permission("move"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(INDEX), "label": _("Voucher desk")},
            {"url": self.back_url, "label": self.session.reference},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **kwargs, back_url=self.back_url, warning=next_step(self.session)
        )

    def form_valid(self, form: Any) -> HttpResponse:
        instruction = desk.Instruction(
            form_id=form.cleaned_data["form_id"],
            user=self.request.user,
            reason=form.cleaned_data["reason"],
            amount=form.cleaned_data.get("amount"),
        )
        try:
            state = self.do(instruction, form)
        except PaymentError as error:
            if error.fields and set(error.fields) <= set(form.fields):
                say_in(form, error)
                return self.form_invalid(form)
            messages.error(self.request, said(error))
        except desk.Conflict:
            messages.error(
                self.request, _("This form was sent before. Please start anew.")
            )
        else:
            self.tell(state)
        return redirect(self.back_url)

    def do(self, instruction: desk.Instruction, form: Any) -> ledger.Session:
        raise NotImplementedError

    def tell(self, state: ledger.Session) -> None:
        session = PaymentSession.objects.get(pk=self.session.pk)
        if state.pending:
            messages.warning(self.request, next_step(session))
        else:
            messages.success(
                self.request,
                _("Done. The payment is now: %(status)s.")
                % {"status": session.get_status_display()},
            )


class MoveView(ConfirmPage):
    @cached_property
    def move(self) -> Move:
        try:
            return MOVES[DeskVerb(self.kwargs["verb"])]
        except (ValueError, KeyError):
            raise Http404 from None

    @cached_property
    def state(self) -> ledger.Session:
        """The one picture of the payment that the whole page is made from."""
        return ledger.describe(self.session)

    def get_page_title(self) -> str:
        return str(self.move.title)

    def get_form_class(self) -> type[InstructionForm]:
        return self.move.form_class

    def get_initial(self) -> dict[str, Any]:
        return self.move.initial(self.state)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **kwargs,
            consequences=self.move.sentences(self.state, self.money),
            submit_label=self.move.confirm,
            is_serious=self.move.is_serious,
        )

    def do(self, instruction: desk.Instruction, form: Any) -> ledger.Session:
        return self.move.do(instruction, self.session, form)


class ReleaseView(ConfirmPage):
    form_class = InstructionForm
    page_title = gettext_lazy("Release a voucher")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = get_object_or_404(self.session.redemptions, pk=self.kwargs["redemption"])
        return super().get_context_data(
            **kwargs,
            consequences=[
                _("Voucher %(voucher)s leaves this payment, and its hold ends.")
                % {"voucher": row.display_code}
            ],
            submit_label=_("Yes, release it"),
        )

    def do(self, instruction: desk.Instruction, form: Any) -> ledger.Session:
        return desk.release(instruction, self.session, self.kwargs["redemption"])
