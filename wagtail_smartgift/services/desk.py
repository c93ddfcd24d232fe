"""The voucher desk: what staff do for a customer on the telephone, once and with a reason.

Nothing moves here but through the verbs of ``payments`` and the protocol behind them; a
voucher that is redeemed without an order of the shop gets a payment of its own. Each form
is stored before anything is done for it, under an id that it brings along: sent twice, by
a double click or after a crash, it is done once. What it asks for is safe to ask again;
but for a refund of an amount, whose row keeps what it has begun.
"""

import json
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log
from wagtail.models import Site

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import DeskVerb, SessionStatus
from wagtail_smartgift.codes import (
    MAX_VOUCHER_NUMBER_LENGTH,
    UndecryptableError,
    display_code,
)
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import DeskAction, PaymentSession, Redemption
from wagtail_smartgift.redaction import Secret, hidden_object
from wagtail_smartgift.references import WRONG_REFERENCE, is_reference
from wagtail_smartgift.selectors import Shop, shop_for
from wagtail_smartgift.services import (
    enquiry,
    guessing,
    journal,
    opening,
    payments,
    vault,
)


logger = logging.getLogger(__name__)

#: Names in Wagtail's log.
LOOK_UP_ACTION = "wagtail_smartgift.desk_look_up"
MOVE_ACTION = "wagtail_smartgift.desk_move"
#: Before the id in the reference of a payment that no order of the shop is behind.
PREFIX = "desk-"
#: Seconds for which a number that was looked up can be carried to the next step.
CARRY_SECONDS = 900
#: What a payment was used for of late; older ones are in the list of payments.
MOST_USES = 50


class CarryLost(Exception):
    """The number that was looked up is not to be had any more: look it up again."""


class Conflict(Exception):
    """A form came again under the same id with something else in it."""


@dataclass(frozen=True)
class Carried:
    """A number on its way from one step to the next, for one person and a short time."""

    id: UUID
    number: str = field(repr=False)
    site: Site | None

    @property
    def display_code(self) -> str:
        return display_code(self.number)

    def is_in(self, text: str) -> bool:
        """Tell whether somebody has typed the number into other words."""
        return vault.number_in(text, self.number)

    @property
    def reference(self) -> str:
        """Return the reference of a payment for this number alone."""
        return f"{PREFIX}{self.id}"


@dataclass(frozen=True)
class Found:
    """What is known of a number, at Smart Gift and here."""

    answer: enquiry.Answer
    shop: Shop
    uses: tuple[Redemption, ...]
    #: To be sent along to the next step; sealed.
    carried: str = field(repr=False)


# -- looking up --------------------------------------------------------------------


def look_up(*, voucher_no: str, site: Site | None, user: Any) -> Found:
    """Ask Smart Gift, and this database, about a number.

    Raises:
        PaymentError: ``invalid``, ``throttled``.
    """
    voucher_no = Secret(voucher_no)
    number = Secret(vault.normalise(voucher_no))
    if not number or len(number) > MAX_VOUCHER_NUMBER_LENGTH:
        raise PaymentError(
            "invalid", fields={"voucher_no": _("Enter the number on the voucher.")}
        )
    shop = shop_for(site)
    with guessing.look_up_by_staff(guessing.asker(user)) as made:
        answer = enquiry.ask(
            account=shop.account, site_id=shop.site_id, voucher_no=number
        )
        # A number that this shop has dealt with is no guess.
        made.failed = answer.refused and not (answer.uses or answer.sold_in)
    uses = _uses(vault.fingerprint(number, account=shop.account))
    if uses:
        log(
            instance=uses[0],
            action=LOOK_UP_ACTION,
            user=user,
            data={"voucher": answer.display_code},
        )
    logger.info("Voucher %s was looked up at the desk.", answer.display_code)
    return Found(
        answer=answer,
        shop=shop,
        uses=uses,
        carried=_carry(number, site, user),
    )


def _uses(fingerprint: str) -> tuple[Redemption, ...]:
    rows = Redemption.objects.filter(fingerprint=fingerprint).select_related("session")
    return tuple(rows.order_by("-created_at", "-pk")[:MOST_USES])


def _carry(number: str, site: Site | None, user: Any) -> str:
    content = {
        "desk": str(uuid.uuid4()),
        "number": Secret(number),
        "site": site.pk if site is not None else None,
        "user": str(user.pk),
        "until": int(time.time()) + CARRY_SECONDS,
    }
    return vault.seal(Secret(json.dumps(content)))


def open_carried(token: str, *, user: Any) -> Carried:
    """Open what a form has sent along.

    Raises:
        CarryLost: it is somebody else's, too old, or nothing of ours.
    """
    try:
        content = json.loads(vault.open_sealed(token), object_hook=hidden_object)
        mine = content["user"] == str(user.pk) and content["until"] > time.time()
        carried_id = UUID(content["desk"])
        number, site_id = Secret(content["number"]), content["site"]
    except (UndecryptableError, ValueError, TypeError, KeyError, AttributeError):
        raise CarryLost from None
    if not mine:
        raise CarryLost
    site = None if site_id is None else Site.objects.filter(pk=site_id).first()
    if site_id is not None and site is None:
        raise CarryLost
    return Carried(id=carried_id, number=number, site=site)


# -- moving ------------------------------------------------------------------------


@dataclass(frozen=True)
class Wish:
    """One form: who asks for what, and why."""

    form_id: UUID
    user: Any
    reason: str = field(repr=False)
    amount: Decimal | None = None

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
        return self.action.refund_target

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


def hold(wish: Wish, carried: Carried) -> ledger.Session:
    """Hold a voucher for an amount, in a payment that no order of the shop is behind.

    Raises:
        PaymentError: as ``payments.add_voucher``.
    """
    _refuse_number(wish, carried)
    session, _created = opening.open_session(
        reference=carried.reference,
        amount_due=wish.amount,
        site=carried.site,
        metadata={"desk": wish.actor},
    )
    return _add(wish, DeskVerb.HOLD, session.id, carried)


def apply(
    wish: Wish, carried: Carried, *, reference: str, amount_due: Decimal | None = None
) -> ledger.Session:
    """Let a voucher pay for an order of the shop, known by its reference.

    ``amount_due`` is what the order comes to, for one whose payment nobody has opened;
    ``wish.amount`` the most to take from the voucher.

    Raises:
        PaymentError: as ``payments.add_voucher``; ``invalid`` with ``amount_due`` where
            that is needed, or is not what the shop has said.
    """
    if not is_reference(reference):
        raise PaymentError("invalid", fields={"reference": WRONG_REFERENCE})
    _refuse_number(wish, carried)
    known = PaymentSession.objects.filter(reference=reference).first()
    if known is None:
        if amount_due is None:
            raise PaymentError(
                "invalid",
                fields={
                    "amount_due": _(
                        "Nothing is known of this order yet. Enter what it comes to."
                    )
                },
            )
        opened, _created = opening.open_session(
            reference=reference, amount_due=amount_due, site=carried.site
        )
        return _add(wish, DeskVerb.APPLY, opened.id, carried)
    if amount_due is not None and amount_due != known.amount_due:
        # The shop knows better what its order comes to.
        raise PaymentError(
            "invalid",
            fields={
                "amount_due": _("The shop has told another amount for this order.")
            },
        )
    return _add(wish, DeskVerb.APPLY, known.pk, carried)


def _refuse_number(wish: Wish, carried: Carried) -> None:
    if carried.is_in(wish.reason):
        raise PaymentError("invalid", fields={"reason": NUMBER_IN_REASON})


def _add(
    wish: Wish, verb: DeskVerb, session_id: UUID, carried: Carried
) -> ledger.Session:
    session = PaymentSession.objects.get(pk=session_id)
    return _once(
        wish,
        verb,
        session,
        lambda _action: (
            payments.add_voucher(
                reference=session.reference,
                voucher_no=carried.number,
                amount=wish.amount,
            ).session
        ),
    )


def prepare(wish: Wish, session: PaymentSession) -> ledger.Session:
    """Hold what has lapsed again, and look at every voucher anew."""
    return _once(
        wish,
        DeskVerb.PREPARE,
        session,
        lambda _action: payments.prepare(reference=session.reference),
    )


def release(wish: Wish, session: PaymentSession, redemption_id: UUID) -> ledger.Session:
    """Take a voucher out of an open payment and give its hold back."""
    return _once(
        wish,
        DeskVerb.RELEASE,
        session,
        lambda _action: payments.remove_voucher(
            reference=session.reference, redemption_id=redemption_id
        ),
    )


def redeem(
    wish: Wish, session: PaymentSession, *, remaining: Decimal
) -> ledger.Session:
    """Redeem every voucher of the payment, if they leave what was shown.

    Raises:
        PaymentError: as ``payments.confirm``.
    """
    return _once(
        wish,
        DeskVerb.REDEEM,
        session,
        lambda _action: payments.confirm(
            reference=session.reference, amount_remaining=remaining
        ),
    )


def reverse(wish: Wish, session: PaymentSession, *, seen_status: str) -> ledger.Session:
    """Give everything back, and end the payment, if it is as it was shown.

    Raises:
        PaymentError: as ``payments.cancel``; ``amount_changed``: it has moved on.
    """

    def give_back(_action: DeskAction) -> ledger.Session:
        ended = {SessionStatus.CANCELLING, SessionStatus.CANCELLED}
        now = PaymentSession.objects.values_list("status", flat=True).get(pk=session.pk)
        if now != seen_status and now not in ended:
            raise PaymentError("amount_changed")
        return payments.cancel(reference=session.reference)

    return _once(wish, DeskVerb.REVERSE, session, give_back)


def refund(
    wish: Wish, session: PaymentSession, *, refunded_before: Decimal
) -> ledger.Session:
    """Give an amount back, if as much had been given back as was shown.

    Raises:
        PaymentError: as ``payments.refund``; ``amount_changed``.
    """

    def give_back(action: DeskAction) -> ledger.Session:
        if wish.amount is None:
            # All that is left: asked twice, nothing is left the second time.
            return payments.refund(reference=session.reference)
        return payments.refund(
            reference=session.reference,
            amount=wish.amount,
            claim=_RefundKey(action, refunded_before, wish.amount),
        )

    return _once(wish, DeskVerb.REFUND, session, give_back)


def _once(
    wish: Wish,
    verb: DeskVerb,
    session: PaymentSession,
    do: Callable[[DeskAction], ledger.Session],
) -> ledger.Session:
    """Store the form, do what it asks for, and store what came of it.

    Raises:
        Conflict: this form has asked for something else before.
        PaymentError: it was refused.
    """
    action = _store(wish, verb, session)
    if action.outcome == "done":
        return payments.get_session(reference=session.reference)
    try:
        with journal.asked_by(wish.actor), guessing.by_staff(guessing.asker(wish.user)):
            state = do(action)
    except PaymentError as error:
        _note(action, error.code)
        raise
    _note(action, "pending" if state.pending else "done")
    return state


def _store(wish: Wish, verb: DeskVerb, session: PaymentSession) -> DeskAction:
    rows = session.redemptions.order_by("position")[:MOST_USES]
    if any(vault.mentions(wish.reason, row) for row in rows):
        raise PaymentError("invalid", fields={"reason": NUMBER_IN_REASON})
    try:
        with transaction.atomic(durable=True):
            action = DeskAction.objects.create(
                id=wish.form_id,
                session=session,
                verb=verb,
                amount=wish.amount,
                reason=str(wish.reason),
                actor=wish.actor[:150],
            )
            amount = None if wish.amount is None else str(wish.amount)
            data = {"verb": verb.value, "amount": amount, "reason": str(wish.reason)}
            log(instance=session, action=MOVE_ACTION, user=wish.user, data=data)
    except IntegrityError:
        action = DeskAction.objects.get(pk=wish.form_id)
        same = (action.session_id, action.verb, action.amount, action.actor) == (
            session.pk,
            verb,
            wish.amount,
            wish.actor[:150],
        )
        if not same:
            raise Conflict from None
    return action


#: What is said of a reason with the number in it.
NUMBER_IN_REASON = _("Leave the voucher's number out of the reason.")


def _note(action: DeskAction, outcome: str) -> None:
    DeskAction.objects.filter(pk=action.pk).update(outcome=outcome)


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
