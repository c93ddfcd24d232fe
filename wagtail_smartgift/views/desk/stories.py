"""The journals of payments and orders, told line by line for the timeline."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from wagtail_smartgift.choices import (
    AttentionReason,
    Operation,
    OrderStatus,
    Outcome,
    RedemptionStatus,
    Verdict,
)
from wagtail_smartgift.exceptions import ERROR_CODES
from wagtail_smartgift.models import DeskAction, RedemptionEvent, VoucherOrderEvent
from wagtail_smartgift.services import sales_journal
from wagtail_smartgift.views.desk.timeline import Moment


_REASONS = {**dict(AttentionReason.choices), **dict(Verdict.choices)}


def reason(word: str) -> str:
    """Return a journal's word for why, as somebody would say it."""
    return str(_REASONS.get(word, word.replace("_", " ")))


def of_redemptions(
    events: Iterable[RedemptionEvent], *, currency: str = ""
) -> list[Moment]:
    """Tell the journal of one or more vouchers; each event with its ``redemption``."""
    return [
        Moment(
            at=event.created_at,
            what=f"{event.get_operation_display()} {event.redemption.display_code}",
            outcome=_outcome(event.get_outcome_display(), event.reason),
            detail=_details(event, currency),
            actor=event.actor,
            is_trouble=event.status == RedemptionStatus.NEEDS_ATTENTION
            and event.operation != Operation.CHECK,
        )
        for event in events
    ]


def _outcome(outcome: str, word: str) -> str:
    return f"{outcome}: {reason(word)}" if word else outcome


def _details(event: RedemptionEvent, currency: str) -> str:
    parts = []
    if event.amount is not None and event.operation != Operation.SETTLE:
        parts.append(
            _("Amount %(amount)s.") % {"amount": f"{event.amount} {currency}".strip()}
        )
    if event.balance is not None:
        parts.append(_("It held %(balance)s.") % {"balance": event.balance})
    if event.redemption_ids and event.operation != Operation.RELEASE:
        ids = ", ".join(str(one) for one in event.redemption_ids)
        parts.append(_("Redemption ids %(ids)s.") % {"ids": ids})
    if event.note:
        parts.append(event.note)
    return " ".join(parts)


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
                    _("Amount %(amount)s.") % {"amount": f"{action.amount} {currency}"}
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
        "done": _("Done"),
        "pending": _("Not settled yet"),
    }.get(word, _("Begun"))


_OPERATIONS = {
    sales_journal.PLACE: lambda: _("Place"),
    sales_journal.CHECK: lambda: _("Look for it"),
    sales_journal.SETTLE: lambda: str(Operation.SETTLE.label),
}


def of_order(events: Iterable[VoucherOrderEvent]) -> list[Moment]:
    """Tell the journal of a voucher order."""
    return [
        Moment(
            at=event.created_at,
            what=_OPERATIONS[event.operation](),
            outcome=_outcome(str(Outcome(event.outcome).label), event.reason),
            detail=event.note
            or (
                _("Attempt %(number)d") % {"number": event.attempt}
                if event.attempt
                else ""
            ),
            actor=event.actor,
            is_trouble=event.status == OrderStatus.NEEDS_ATTENTION,
        )
        for event in events
    ]
