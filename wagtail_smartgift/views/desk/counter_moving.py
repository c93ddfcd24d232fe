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
from django.utils.translation import gettext_lazy, ngettext
from django.views.generic import FormView, TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    DeskVerb,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import desk
from wagtail_smartgift.views.desk import stories
from wagtail_smartgift.views.desk.counter_forms import (
    RedeemForm,
    RefundForm,
    ReverseForm,
    WishForm,
)
from wagtail_smartgift.views.desk.timeline import Timeline


ICON = "tag"
INDEX, PAYMENT, MOVE, RELEASE = (
    f"smartgift_counter:{name}" for name in ("index", "payment", "move", "release")
)
policy = ModelPermissionPolicy(Redemption)

#: What staff are told of a refusal, where a customer is told something else.
_SAID = {
    "voucher_not_usable": gettext_lazy(
        "Smart Gift does not let this voucher be used here: it is unknown, expired, "
        "empty, or of another company."
    ),
    "amount_changed": gettext_lazy(
        "Somebody has changed this payment meanwhile. Look at it again; nothing was done."
    ),
    "session_not_open": gettext_lazy(
        "This payment is not open any more, so no voucher can be added or removed."
    ),
    "needs_attention": gettext_lazy(
        "Only a person can decide how this payment goes on: see “Needs attention”."
    ),
    "throttled": gettext_lazy(
        "You have tried many numbers in a short time. Please wait a little."
    ),
}


def said(error: PaymentError) -> str:
    """Say why something was refused, and when to try again."""
    text = str(_SAID.get(error.code, error.message))
    if error.retry_after:
        minutes = max(1, round(error.retry_after / 60))
        wait = ngettext(
            "Try again in about %(count)d minute.",
            "Try again in about %(count)d minutes.",
            minutes,
        )
        text = f"{text} {wait % {'count': minutes}}"
    return text


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
        return f"{amount} {self.session.currency}"

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
            next_step=_next_step(self.session),
            rows=[self._row(row, may_move=may_move) for row in self._rows()],
            moves=self._moves() if may_move else [],
            timeline=Timeline(
                [
                    *stories.of_redemptions(
                        ledger.journal(self.session.pk), currency=self.session.currency
                    ),
                    *stories.of_desk(
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


def _next_step(session: PaymentSession) -> str:
    """Say what happens next, where nobody knows yet how something ended."""
    if session.status == SessionStatus.CONFIRMING:
        return _(
            "Smart Gift has not answered for good. What became of it is found out by "
            "itself, within minutes as a rule; do not take the money another way yet."
        )
    if session.status in {SessionStatus.CANCELLING, SessionStatus.REFUNDING}:
        return _(
            "It is being given back. Smart Gift has not answered for good yet; this goes "
            "on by itself."
        )
    if session.status == SessionStatus.NEEDS_ATTENTION:
        return _(
            "No rule can decide what happened. Whoever may settle cases finds it under "
            "“Needs attention”."
        )
    return ""


class Move:
    """One verb: its words, its form, and what it says before it is done."""

    title: Any
    button: Any
    confirm: Any
    form_class: type[WishForm] = WishForm
    is_serious = False
    needs_held = False

    def initial(self, session: PaymentSession) -> dict[str, Any]:
        return {}

    def sentences(self, session: PaymentSession, money: Any) -> list[str]:
        raise NotImplementedError

    def do(self, wish: desk.Wish, session: PaymentSession, form: Any) -> ledger.Session:
        raise NotImplementedError


class Prepare(Move):
    title = gettext_lazy("Hold again")
    button = gettext_lazy("Hold again")
    confirm = gettext_lazy("Yes, hold again")
    needs_held = True

    def sentences(self, session: PaymentSession, money: Any) -> list[str]:
        return [
            _("Every voucher of this payment is looked at, and held for five minutes."),
            _("Nothing is taken."),
        ]

    def do(self, wish: desk.Wish, session: PaymentSession, form: Any) -> ledger.Session:
        return desk.prepare(wish, session)


class Redeem(Move):
    title = gettext_lazy("Redeem")
    button = gettext_lazy("Redeem")
    confirm = gettext_lazy("Yes, redeem")
    form_class = RedeemForm
    is_serious = True
    needs_held = True

    def initial(self, session: PaymentSession) -> dict[str, Any]:
        return {"remaining": ledger.describe(session).amount_remaining}

    def sentences(self, session: PaymentSession, money: Any) -> list[str]:
        state = ledger.describe(session)
        said = [
            _("%(amount)s are taken from the vouchers of this payment.")
            % {"amount": money(state.amount_covered)}
        ]
        if state.amount_remaining:
            said.append(
                _("%(amount)s remain to be paid another way.")
                % {"amount": money(state.amount_remaining)}
            )
        if not session.reference.startswith(desk.PREFIX):
            said.append(
                _("The payment of this order is confirmed by it, and the shop is told.")
            )
        return said

    def do(self, wish: desk.Wish, session: PaymentSession, form: Any) -> ledger.Session:
        return desk.redeem(wish, session, remaining=form.cleaned_data["remaining"])


class Refund(Move):
    title = gettext_lazy("Refund")
    button = gettext_lazy("Refund")
    confirm = gettext_lazy("Yes, refund")
    form_class = RefundForm
    is_serious = True

    def initial(self, session: PaymentSession) -> dict[str, Any]:
        return {"refunded_before": ledger.describe(session).amount_refunded}

    def sentences(self, session: PaymentSession, money: Any) -> list[str]:
        return [
            _(
                "Up to %(amount)s can be given back onto the vouchers, the last one first."
            )
            % {"amount": money(ledger.describe(session).amount_covered)},
            _("The payment stays confirmed, and the shop is told of the refund."),
        ]

    def do(self, wish: desk.Wish, session: PaymentSession, form: Any) -> ledger.Session:
        return desk.refund(
            wish, session, refunded_before=form.cleaned_data["refunded_before"]
        )


class Reverse(Move):
    title = gettext_lazy("Reverse")
    button = gettext_lazy("Give everything back")
    confirm = gettext_lazy("Yes, give everything back")
    form_class = ReverseForm
    is_serious = True

    def initial(self, session: PaymentSession) -> dict[str, Any]:
        return {"seen_status": session.status}

    def sentences(self, session: PaymentSession, money: Any) -> list[str]:
        state = ledger.describe(session)
        back = state.amount_redeemed - state.amount_refunded
        return [
            _("%(amount)s are given back onto the vouchers, and holds end.")
            % {"amount": money(back)},
            _("The payment is cancelled for good, and the shop is told."),
        ]

    def do(self, wish: desk.Wish, session: PaymentSession, form: Any) -> ledger.Session:
        return desk.reverse(wish, session, seen_status=form.cleaned_data["seen_status"])


MOVES: dict[DeskVerb, Move] = {
    DeskVerb.REDEEM: Redeem(),
    DeskVerb.PREPARE: Prepare(),
    DeskVerb.REFUND: Refund(),
    DeskVerb.REVERSE: Reverse(),
}


class ConfirmPage(PaymentPage, FormView):
    """Asks once more, and for the reason, then does it."""

    permission_required = "move"
    template_name = "wagtail_smartgift/desk/counter_move.html"
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
            **kwargs, back_url=self.back_url, next_step=_next_step(self.session)
        )

    def form_valid(self, form: Any) -> HttpResponse:
        wish = desk.Wish(
            form_id=form.cleaned_data["form_id"],
            user=self.request.user,
            reason=form.cleaned_data["reason"],
            amount=form.cleaned_data.get("amount"),
        )
        try:
            state = self.do(wish, form)
        except PaymentError as error:
            if set(error.fields) <= set(form.fields) and error.fields:
                for name, text in error.fields.items():
                    form.add_error(name, str(text))
                return self.form_invalid(form)
            messages.error(self.request, said(error))
        except desk.Conflict:
            messages.error(
                self.request, _("This form was sent before. Please start anew.")
            )
        else:
            self.tell(state)
        return redirect(self.back_url)

    def do(self, wish: desk.Wish, form: Any) -> ledger.Session:
        raise NotImplementedError

    def tell(self, state: ledger.Session) -> None:
        session = PaymentSession.objects.get(pk=self.session.pk)
        if state.pending:
            messages.warning(self.request, _next_step(session))
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

    def get_page_title(self) -> str:
        return str(self.move.title)

    def get_form_class(self) -> type[WishForm]:
        return self.move.form_class

    def get_initial(self) -> dict[str, Any]:
        return self.move.initial(self.session)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **kwargs,
            sentences=self.move.sentences(self.session, self.money),
            submit_label=self.move.confirm,
            is_serious=self.move.is_serious,
        )

    def do(self, wish: desk.Wish, form: Any) -> ledger.Session:
        return self.move.do(wish, self.session, form)


class ReleaseView(ConfirmPage):
    form_class = WishForm
    page_title = gettext_lazy("Release a voucher")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = get_object_or_404(self.session.redemptions, pk=self.kwargs["redemption"])
        return super().get_context_data(
            **kwargs,
            sentences=[
                _("Voucher %(voucher)s leaves this payment, and its hold ends.")
                % {"voucher": row.display_code}
            ],
            submit_label=_("Yes, release it"),
        )

    def do(self, wish: desk.Wish, form: Any) -> ledger.Session:
        return desk.release(wish, self.session, self.kwargs["redemption"])
