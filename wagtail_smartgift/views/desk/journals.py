"""The journals of payments, orders and the voucher desk, line by line for a timeline."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from wagtail_smartgift.choices import (
    Operation,
    OrderStatus,
    Outcome,
    RedemptionStatus,
)
from wagtail_smartgift.exceptions import ERROR_CODES
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import (
    DeskAction,
    DeskLookUp,
    RedemptionEvent,
    VoucherOrderEvent,
)
from wagtail_smartgift.services.looking_up import TOLD
from wagtail_smartgift.views.desk.timeline import Moment
from wagtail_smartgift.views.desk.words import ORDER_OPERATIONS, reason, why_not_told


_TROUBLE = {Outcome.FAILED, Outcome.UNKNOWN}
_MOVES_MONEY = {Operation.REDEEM, Operation.REVERSE, Operation.SETTLE}


def of_redemptions(
    events: Iterable[RedemptionEvent], *, currency: str = ""
) -> list[Moment]:
    """Tell the journal of one or more vouchers; each event with its ``redemption``.

    ``currency`` is left out where the payments are of several; then each redemption
    comes with its ``session``.
    """
    return [
        Moment(
            at=event.created_at,
            what=_("%(operation)s, voucher %(code)s")
            % {
                "operation": event.get_operation_display(),
                "code": event.redemption.display_code,
            },
            outcome=event.get_outcome_display(),
            detail=_details(event, currency or event.redemption.session.currency),
            actor=event.actor,
            is_trouble=event.outcome in _TROUBLE
            or event.status == RedemptionStatus.NEEDS_ATTENTION,
        )
        for event in events
    ]


def _details(event: RedemptionEvent, currency: str) -> str:
    parts = []
    if event.reason:
        parts.append(str(reason(event.reason)))
    if event.amount is not None and event.operation in _MOVES_MONEY:
        parts.append(
            _("Amount: %(amount)s.") % {"amount": format_price(event.amount, currency)}
        )
    # Of an experience voucher it is a sum of flags, and tells staff nothing.
    if event.balance is not None and not event.redemption.is_experience:
        parts.append(
            _("The voucher held %(amount)s.")
            % {"amount": format_price(event.balance, currency)}
        )
    if event.redemption_ids and event.operation in _MOVES_MONEY:
        parts.append(
            _("Redemption ids: %(ids)s.")
            % {"ids": ", ".join(str(one) for one in event.redemption_ids)}
        )
    if event.status == RedemptionStatus.NEEDS_ATTENTION:
        parts.append(_("A person has to decide."))
    if event.note:
        parts.append(event.note)
    return " ".join(parts)


def of_order(events: Iterable[VoucherOrderEvent]) -> list[Moment]:
    """Tell the journal of a voucher order."""
    return [
        Moment(
            at=event.created_at,
            what=ORDER_OPERATIONS.get(event.operation, event.operation),
            outcome=event.get_outcome_display(),
            detail=" ".join(
                str(part)
                for part in (
                    reason(event.reason),
                    _("Attempt %(number)d.") % {"number": event.attempt}
                    if event.attempt > 1
                    else "",
                    event.note,
                )
                if part
            ),
            actor=event.actor,
            is_trouble=event.outcome in _TROUBLE
            or event.status == OrderStatus.NEEDS_ATTENTION,
        )
        for event in events
    ]


def of_look_ups(look_ups: Iterable[DeskLookUp]) -> list[Moment]:
    """Tell who looked a number up at the voucher desk."""
    return [
        Moment(
            at=one.created_at,
            what=_("Looked up at the voucher desk"),
            outcome=_look_up_outcome(one.outcome),
            actor=one.actor,
        )
        for one in look_ups
    ]


def _look_up_outcome(word: str) -> str:
    if word == TOLD:
        return pgettext("what Smart Gift did about a look-up", "Told")
    if not word:
        return pgettext("what Smart Gift did about a look-up", "Not known")
    return str(why_not_told(word))


def _names(experiences: Iterable[dict[str, Any]]) -> str:
    return ", ".join(one["name"] or str(one["bit_value"]) for one in experiences)


def of_desk(actions: Iterable[DeskAction], *, currency: str = "") -> list[Moment]:
    """Tell what staff asked for at the voucher desk, and why.

    ``currency`` is left out where the payments are of several; then each action comes
    with its ``session``.
    """
    return [
        Moment(
            at=action.created_at,
            what=_("Voucher desk: %(what)s") % {"what": action.get_verb_display()},
            outcome=_desk_outcome(action.outcome),
            detail=" ".join(
                part
                for part in (
                    _("Amount: %(amount)s.")
                    % {
                        "amount": format_price(
                            action.amount, currency or action.session.currency
                        )
                    }
                    if action.amount is not None
                    else "",
                    _("Experiences: %(names)s.") % {"names": _names(action.experiences)}
                    if action.experiences
                    else "",
                    action.reason,
                )
                if part
            ),
            actor=action.actor,
        )
        for action in actions
    ]


def _desk_outcome(word: str) -> str:
    """Say what a form came to when it was sent: what follows is the payment's story."""
    if word in ERROR_CODES:
        return str(ERROR_CODES[word][1])
    return {
        "done": pgettext("voucher desk", "Done"),
        "pending": pgettext("voucher desk", "Was being worked on then"),
    }.get(word, pgettext("voucher desk", "What came of it was not noted"))
