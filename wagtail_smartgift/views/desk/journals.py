"""The journals of payments, orders and the voucher desk, line by line for a timeline."""

from collections.abc import Iterable
from decimal import Decimal

from django.utils.formats import number_format
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
from wagtail_smartgift.models import DeskAction, RedemptionEvent, VoucherOrderEvent
from wagtail_smartgift.views.desk.timeline import Moment
from wagtail_smartgift.views.desk.words import ORDER_OPERATIONS, reason


_TROUBLE = {Outcome.FAILED, Outcome.UNKNOWN}
_MOVES_MONEY = {Operation.REDEEM, Operation.REVERSE, Operation.SETTLE}


def of_redemptions(
    events: Iterable[RedemptionEvent], *, currency: str = ""
) -> list[Moment]:
    """Tell the journal of one or more vouchers; each event with its ``redemption``.

    ``currency`` is left out where the vouchers are of several.
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
            detail=_details(event, currency),
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
            _("Amount: %(amount)s.") % {"amount": _price(event.amount, currency)}
        )
    # Of an experience voucher it is a sum of flags, and tells staff nothing.
    if event.balance is not None and not event.redemption.is_experience:
        parts.append(
            _("The voucher held %(amount)s.")
            % {"amount": _price(event.balance, currency)}
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


def _price(amount: Decimal, currency: str) -> str:
    return (
        format_price(amount, currency)
        if currency
        else number_format(amount, decimal_pos=2, force_grouping=True)
    )


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


def of_desk(actions: Iterable[DeskAction], *, currency: str = "") -> list[Moment]:
    """Tell what staff asked for at the voucher desk, and why."""
    return [
        Moment(
            at=action.created_at,
            what=_("Voucher desk: %(what)s") % {"what": action.get_verb_display()},
            outcome=_desk_outcome(action.outcome),
            detail=" ".join(
                part
                for part in (
                    _("Amount: %(amount)s.")
                    % {"amount": _price(action.amount, currency)}
                    if action.amount is not None
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
    if word in ERROR_CODES:
        return str(ERROR_CODES[word][1])
    return {
        "done": pgettext("voucher desk", "Done"),
        "pending": pgettext("voucher desk", "Not settled yet"),
    }.get(word, pgettext("voucher desk", "Begun"))
