"""The moves of the voucher desk: what each says before it is done, and which service does it."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    DeskVerb,
    SessionStatus,
)
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.references import is_of_desk
from wagtail_smartgift.services import desk
from wagtail_smartgift.services.looking_up import Experience
from wagtail_smartgift.views.desk.counter_forms import (
    InstructionForm,
    RedeemForm,
    RefundForm,
    ReverseForm,
    named,
)


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


def next_step(session: PaymentSession) -> str:
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
    """One verb: its words, its form, and what it says before it is done.

    What it says and what its form takes along are of one picture of the payment, so that
    nothing is done but what was said.
    """

    title: Any
    button: Any
    confirm: Any
    form_class: type[InstructionForm] = InstructionForm
    is_serious = False
    needs_held = False

    def initial(self, state: ledger.Session) -> dict[str, Any]:
        return {}

    def sentences(self, state: ledger.Session, money: Any) -> list[str]:
        raise NotImplementedError

    def do(
        self, instruction: desk.Instruction, session: PaymentSession, form: Any
    ) -> ledger.Session:
        raise NotImplementedError


class Prepare(Move):
    title = gettext_lazy("Hold again")
    button = gettext_lazy("Hold again")
    confirm = gettext_lazy("Yes, hold again")
    needs_held = True

    def sentences(self, state: ledger.Session, money: Any) -> list[str]:
        return [
            _("Every voucher of this payment is looked at, and held for five minutes."),
            _("Nothing is taken."),
        ]

    def do(
        self, instruction: desk.Instruction, session: PaymentSession, form: Any
    ) -> ledger.Session:
        return desk.prepare(instruction, session)


def _used_up(state: ledger.Session, money: Any) -> list[str]:
    """Say which experiences go, and how much of what they are worth."""
    said = []
    for row in state.redemptions:
        if row.status not in COUNTED_REDEMPTION_STATUSES or not row.amount:
            continue
        if not row.experiences:
            continue
        said.append(
            _("These experiences of voucher %(voucher)s are used up: %(names)s.")
            % {"voucher": row.display_code, "names": chosen_names(row)}
        )
        if row.balance is not None and row.balance > row.amount:
            said.append(
                _(
                    "They are worth %(worth)s here and pay %(amount)s. What is left of "
                    "that is lost."
                )
                % {"worth": money(row.balance), "amount": money(row.amount)}
            )
    return said


def chosen_names(row: ledger.RedemptionState) -> str:
    """Name what is to be used of an experience voucher; empty for any other."""
    names = dict(row.experiences_available)
    return ", ".join(
        named(Experience(bit, names.get(bit, ""))) for bit in row.experiences
    )


class Redeem(Move):
    title = gettext_lazy("Redeem")
    button = gettext_lazy("Redeem")
    confirm = gettext_lazy("Yes, redeem")
    form_class = RedeemForm
    is_serious = True
    needs_held = True

    def initial(self, state: ledger.Session) -> dict[str, Any]:
        return {"plan": ledger.plan(state)}

    def sentences(self, state: ledger.Session, money: Any) -> list[str]:
        said = [
            _("%(amount)s are taken from the vouchers of this payment.")
            % {"amount": money(state.amount_covered)}
        ]
        if state.amount_remaining:
            said.append(
                _("%(amount)s remain to be paid another way.")
                % {"amount": money(state.amount_remaining)}
            )
        said += _used_up(state, money)
        if not is_of_desk(state.reference):
            said.append(
                _("The payment of this order is confirmed by it, and the shop is told.")
            )
        return said

    def do(
        self, instruction: desk.Instruction, session: PaymentSession, form: Any
    ) -> ledger.Session:
        return desk.redeem(instruction, session, plan=form.cleaned_data["plan"])


class Refund(Move):
    title = gettext_lazy("Refund")
    button = gettext_lazy("Refund")
    confirm = gettext_lazy("Yes, refund")
    form_class = RefundForm
    is_serious = True

    def initial(self, state: ledger.Session) -> dict[str, Any]:
        return {"refunded_before": state.amount_refunded}

    def sentences(self, state: ledger.Session, money: Any) -> list[str]:
        return [
            _(
                "Up to %(amount)s can be given back onto the vouchers, the last one first."
            )
            % {"amount": money(state.amount_covered)},
            _("The payment stays confirmed, and the shop is told of the refund."),
        ]

    def do(
        self, instruction: desk.Instruction, session: PaymentSession, form: Any
    ) -> ledger.Session:
        return desk.refund(
            instruction, session, refunded_before=form.cleaned_data["refunded_before"]
        )


class Reverse(Move):
    title = gettext_lazy("Reverse")
    button = gettext_lazy("Give everything back")
    confirm = gettext_lazy("Yes, give everything back")
    form_class = ReverseForm
    is_serious = True

    def initial(self, state: ledger.Session) -> dict[str, Any]:
        return {"seen_status": state.status}

    def sentences(self, state: ledger.Session, money: Any) -> list[str]:
        back = state.amount_redeemed - state.amount_refunded
        return [
            _("%(amount)s are given back onto the vouchers, and holds end.")
            % {"amount": money(back)},
            _("The payment is cancelled for good, and the shop is told."),
        ]

    def do(
        self, instruction: desk.Instruction, session: PaymentSession, form: Any
    ) -> ledger.Session:
        return desk.reverse(
            instruction, session, seen_status=form.cleaned_data["seen_status"]
        )


MOVES: dict[DeskVerb, Move] = {
    DeskVerb.REDEEM: Redeem(),
    DeskVerb.PREPARE: Prepare(),
    DeskVerb.REFUND: Refund(),
    DeskVerb.REVERSE: Reverse(),
}
