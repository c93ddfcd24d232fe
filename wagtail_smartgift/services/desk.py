"""The voucher desk: what staff do for a customer on the telephone, once and with a reason.

Nothing moves here but through the verbs of ``payments`` and the protocol behind them; a
voucher that is redeemed without an order of the shop gets a payment of its own. Each form
is stored before anything is done for it, under an id that it brings along: sent twice, by
a double click or after a crash, it is done once. What it asks for is safe to ask again;
but for a refund of an amount, whose row keeps what it has begun. One that was refused, or
whose redemption was undone, is over: it is told so again, and only another form tries anew.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log

from wagtail_smartgift import clock, ledger
from wagtail_smartgift.choices import DeskVerb, SessionStatus
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import DeskAction, PaymentSession
from wagtail_smartgift.references import WRONG_REFERENCE, is_reference
from wagtail_smartgift.services import (
    guessing,
    journal,
    opening,
    payments,
    vault,
)
from wagtail_smartgift.services.looking_up import Carried


#: The name in Wagtail's log.
MOVE_ACTION = "wagtail_smartgift.desk_move"
#: Vouchers of a payment whose numbers are looked for in a reason.
_MOST_NUMBERS = 50


class Conflict(Exception):
    """A form came again under the same id with something else in it."""


@dataclass(frozen=True)
class Instruction:
    """One form: who asks for what, and why."""

    form_id: UUID
    user: Any
    reason: str = field(repr=False)
    amount: Decimal | None = None
    #: Bit values of what is to be used of an experience voucher.
    experiences: tuple[int, ...] = ()

    @property
    def actor(self) -> str:
        return str(self.user.get_username())


@dataclass(frozen=True)
class _RefundKey:
    """The form's claim on one refund: ``payments.refund`` begins no other for it."""

    action: DeskAction
    #: What had been given back when the form was shown.
    refunded_before: Decimal
    wanted: Decimal

    @property
    def refund_target(self) -> Decimal | None:
        # As it is now: the first of two clicks may have begun it since we read the row.
        return (
            DeskAction.objects.values_list("refund_target", flat=True)
            .filter(pk=self.action.pk)
            .get()
        )

    def note_refund(self, target: Decimal) -> None:
        """Remember what this form begins, in the transaction that begins it.

        Raises:
            PaymentError: ``amount_changed``: somebody has given something back since.
        """
        if target != self.refunded_before + self.wanted:
            raise PaymentError("amount_changed")
        begun = DeskAction.objects.filter(
            pk=self.action.pk, refund_target__isnull=True
        ).update(refund_target=target)
        if not begun:
            raise journal.Stale


def hold(instruction: Instruction, carried: Carried) -> ledger.Session:
    """Hold a voucher for an amount, in a payment that no order of the shop is behind.

    Raises:
        PaymentError: as ``payments.add_voucher``.
    """
    _check(instruction, carried)
    session, _created = opening.open_session(
        reference=carried.reference,
        amount_due=instruction.amount,
        site=carried.site,
        metadata={"desk": instruction.actor},
    )
    return _add(instruction, DeskVerb.HOLD, session.id, carried)


def apply(
    instruction: Instruction,
    carried: Carried,
    *,
    reference: str,
    amount_due: Decimal | None = None,
) -> ledger.Session:
    """Let a voucher pay for an order of the shop, known by its reference.

    ``amount_due`` is what the order comes to, for one whose payment nobody has opened,
    or the desk alone: what was mistyped there is corrected while nothing pays for it.
    ``instruction.amount`` is the most to take from the voucher.

    Raises:
        Conflict: this form has asked for something else before.
        PaymentError: as ``payments.add_voucher``; ``invalid`` with ``amount_due`` where
            that is needed, or is not what the shop has said.
    """
    if not is_reference(reference):
        raise PaymentError("invalid", fields={"reference": WRONG_REFERENCE})
    _check(instruction, carried)
    known = PaymentSession.objects.filter(reference=reference).first()
    if DeskAction.objects.filter(pk=instruction.form_id).exists():
        # Sent again: it has opened or corrected what it wanted, and others may since.
        if known is None:
            raise Conflict
        return _add(instruction, DeskVerb.APPLY, known.pk, carried)
    if known is None:
        if carried.is_meant_by(reference):
            raise PaymentError("invalid", fields={"reference": NUMBER_AS_REFERENCE})
        if amount_due is None:
            raise PaymentError(
                "invalid",
                fields={
                    "amount_due": _(
                        "Nothing is known of this order yet. Enter what it comes to."
                    )
                },
            )
        known = opening.open_for_desk(
            reference=reference, amount_due=amount_due, site=carried.site
        ) or PaymentSession.objects.get(reference=reference)
    if amount_due is not None and amount_due != known.amount_due:
        opening.correct_for_desk(known, amount_due=amount_due)
    return _add(instruction, DeskVerb.APPLY, known.pk, carried)


def _check(instruction: Instruction, carried: Carried) -> None:
    """Refuse what was filled in wrongly, before anything is opened for it."""
    if carried.is_in(instruction.reason):
        raise PaymentError("invalid", fields={"reason": NUMBER_IN_REASON})
    if carried.experiences and not instruction.experiences:
        raise PaymentError("invalid", fields={"experiences": CHOOSE})


def _add(
    instruction: Instruction, verb: DeskVerb, session_id: UUID, carried: Carried
) -> ledger.Session:
    session = PaymentSession.objects.get(pk=session_id)
    names = {one.bit_value: one.name for one in carried.experiences}
    chosen = sorted(set(instruction.experiences))

    def add(_action: DeskAction) -> ledger.Session:
        return payments.add_voucher(
            reference=session.reference,
            voucher_no=carried.number,
            amount=instruction.amount,
            # Not all that it offers, where nothing was chosen: then it is refused.
            experiences=chosen,
        ).session

    return _once(
        instruction,
        verb,
        session,
        add,
        experiences=[{"bit_value": bit, "name": names.get(bit, "")} for bit in chosen],
    )


def prepare(instruction: Instruction, session: PaymentSession) -> ledger.Session:
    """Hold what has lapsed again, and look at every voucher anew."""
    return _once(
        instruction,
        DeskVerb.PREPARE,
        session,
        lambda _action: payments.prepare(reference=session.reference),
    )


def release(
    instruction: Instruction, session: PaymentSession, redemption_id: UUID
) -> ledger.Session:
    """Take a voucher out of an open payment and give its hold back."""
    return _once(
        instruction,
        DeskVerb.RELEASE,
        session,
        lambda _action: payments.remove_voucher(
            reference=session.reference, redemption_id=redemption_id
        ),
    )


def redeem(
    instruction: Instruction, session: PaymentSession, *, plan: str
) -> ledger.Session:
    """Redeem every voucher of the payment, if it is what was shown (``ledger.plan``).

    Raises:
        PaymentError: as ``payments.confirm``; ``amount_changed``: another voucher, more
            or less of one, or towards another amount.
    """
    return _once(
        instruction,
        DeskVerb.REDEEM,
        session,
        lambda _action: payments.confirm(reference=session.reference, plan=plan),
    )


def reverse(
    instruction: Instruction, session: PaymentSession, *, seen_status: str
) -> ledger.Session:
    """Give everything back, and end the payment, if it is as it was shown.

    Raises:
        PaymentError: as ``payments.cancel``; ``amount_changed``: it has moved on.
    """

    seen = {status for status in SessionStatus if status == seen_status}
    return _once(
        instruction,
        DeskVerb.REVERSE,
        session,
        lambda _action: payments.cancel(reference=session.reference, expected=seen),
    )


def refund(
    instruction: Instruction, session: PaymentSession, *, refunded_before: Decimal
) -> ledger.Session:
    """Give an amount back, if as much had been given back as was shown.

    Without an amount that is all that was left then.

    Raises:
        PaymentError: as ``payments.refund``; ``amount_changed``: somebody has given
            something back since.
    """

    def give_back(action: DeskAction) -> ledger.Session:
        wanted = instruction.amount
        if wanted is None:
            # What was taken stays what it is, whatever is given back of it.
            rows = list(session.redemptions.all())
            wanted = ledger.taken(rows) - refunded_before
            if not wanted:
                return payments.refund(reference=session.reference)
        key = _RefundKey(action, refunded_before, wanted)
        try:
            return payments.refund(
                reference=session.reference, amount=wanted, claim=key
            )
        except PaymentError as error:
            if error.code != "needs_attention" and key.refund_target is not None:
                # What this form asks for has begun; the other click was refused for that.
                return payments.get_session(reference=session.reference)
            if instruction.amount is None and error.code == "amount_too_large":
                raise PaymentError("amount_changed") from None
            raise

    return _once(instruction, DeskVerb.REFUND, session, give_back)


def _once(
    instruction: Instruction,
    verb: DeskVerb,
    session: PaymentSession,
    do: Callable[[DeskAction], ledger.Session],
    *,
    experiences: Sequence[Mapping[str, object]] = (),
) -> ledger.Session:
    """Store the form, do what it asks for, and store what came of it.

    Raises:
        Conflict: this form has asked for something else before.
        PaymentError: it was refused.
    """
    action, is_new = _store(instruction, verb, session, list(experiences))
    if action.outcome == "done":
        return payments.get_session(reference=session.reference)
    if not is_new and (refusal := _refusal_of(action)):
        _note(action, refusal)
        raise PaymentError(refusal)
    try:
        with (
            journal.asked_by(instruction.actor),
            guessing.by_staff(guessing.asker(instruction.user)),
        ):
            state = do(action)
    except PaymentError as error:
        _note_refusal(action, error.code)
        raise
    _note(action, "pending" if state.pending else "done")
    return state


def _refusal_of(action: DeskAction) -> str:
    """Return why a form is over without having done anything; empty: it is not.

    A page that was refused has another form in it. The same one again is a browser that
    loads an old page anew, and what it asked for may have been settled otherwise since.
    """
    if action.refund_target is None and action.outcome not in {"", "done", "pending"}:
        return action.outcome
    if action.verb != DeskVerb.REDEEM:
        return ""
    undone = payments.undone_since(
        reference=action.session.reference, moment=action.created_at
    )
    return undone or ""


def _store(
    instruction: Instruction,
    verb: DeskVerb,
    session: PaymentSession,
    experiences: list[Mapping[str, object]],
) -> tuple[DeskAction, bool]:
    """Return the row of a form, and whether it is new."""
    rows = session.redemptions.order_by("position")[:_MOST_NUMBERS]
    if any(vault.mentions(instruction.reason, row) for row in rows):
        raise PaymentError("invalid", fields={"reason": NUMBER_IN_REASON})
    try:
        with transaction.atomic(durable=True):
            action = DeskAction.objects.create(
                id=instruction.form_id,
                session=session,
                verb=verb,
                amount=instruction.amount,
                experiences=experiences,
                reason=str(instruction.reason),
                actor=instruction.actor[:150],
                # By the clock that confirmations begin by.
                created_at=clock.now(),
            )
            amount = None if instruction.amount is None else str(instruction.amount)
            data = {
                "verb": verb.value,
                "amount": amount,
                "reason": str(instruction.reason),
            }
            log(instance=session, action=MOVE_ACTION, user=instruction.user, data=data)
    except IntegrityError:
        action = DeskAction.objects.get(pk=instruction.form_id)
        was = (action.session_id, action.verb, action.amount, action.actor)
        asked = (session.pk, verb, instruction.amount, instruction.actor[:150])
        # A reason that is gone was forgotten with its customer, not changed.
        reason = action.reason or str(instruction.reason)
        said = (str(instruction.reason), experiences)
        if was != asked or (reason, action.experiences) != said:
            raise Conflict from None
        return action, False
    return action, True


#: What is said of a reason with the number in it.
NUMBER_IN_REASON = _("Leave the voucher's number out of the reason.")
#: What is said of an order's reference with the number in it.
NUMBER_AS_REFERENCE = _("This is the voucher's number. Enter the order's reference.")
#: What was typed in such a field is not shown again.
NUMBERS_IN = (NUMBER_IN_REASON, NUMBER_AS_REFERENCE)
#: What is said where nothing is chosen of an experience voucher.
CHOOSE = _("Choose what is to be used of this voucher.")


def _note(action: DeskAction, outcome: str) -> None:
    rows = DeskAction.objects.filter(pk=action.pk)
    # What was done stays done, whatever another click of the same is told.
    rows.exclude(outcome="done").update(outcome=outcome)


def _note_refusal(action: DeskAction, code: str) -> None:
    # The second click of two may be refused what the first one has done meanwhile.
    rows = DeskAction.objects.filter(pk=action.pk, refund_target__isnull=True)
    rows.exclude(outcome__in=["done", "pending"]).update(outcome=code)


def can(verb: DeskVerb, session: PaymentSession) -> bool:
    """Tell whether a verb makes sense now; whether it works is decided when it is done."""
    return SessionStatus(session.status) in _FROM[verb]


_FROM = {
    DeskVerb.PREPARE: frozenset({SessionStatus.OPEN}),
    DeskVerb.RELEASE: frozenset({SessionStatus.OPEN}),
    DeskVerb.REDEEM: frozenset({SessionStatus.OPEN}),
    DeskVerb.REVERSE: frozenset(
        {SessionStatus.OPEN, SessionStatus.CONFIRMING, SessionStatus.CONFIRMED}
    ),
    DeskVerb.REFUND: frozenset({SessionStatus.CONFIRMED}),
}
