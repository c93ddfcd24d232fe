"""What staff wrote about a customer: why they did something at the desk, or settled a case.

It is free text, so it may name somebody. What a person wrote at the voucher desk, and the
copies of all of it in Wagtail's log, are forgotten with the payment or the order. The
notes in the journals stay: a journal is never changed, and is what the books rest on.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from wagtail.models import ModelLogEntry

from wagtail_smartgift.models import (
    DeskAction,
    PaymentSession,
    RedemptionEvent,
    VoucherOrder,
)


#: The member of an entry's data in Wagtail's log.
_REASON = "reason"


def about_payment(session: PaymentSession) -> list[dict[str, Any]]:
    """Return what was written about a payment, the oldest first, to hand it out.

    Not by whom: that is personal data of somebody else.
    """
    asked = [
        (action.created_at, action.verb, action.reason)
        for action in session.desk_actions.all()
    ]
    noted = RedemptionEvent.objects.filter(redemption__session=session)
    settled = noted.exclude(note="").values_list("created_at", "operation", "note")
    return _told([*asked, *settled])


def about_order(order: VoucherOrder) -> list[dict[str, Any]]:
    """Return what was written about an order, the oldest first, to hand it out."""
    noted = order.events.exclude(note="")
    return _told(noted.values_list("created_at", "operation", "note"))


def _told(rows: Iterable[tuple[Any, Any, str]]) -> list[dict[str, Any]]:
    return [
        {"at": at.isoformat(), "about": str(what), "text": text}
        for at, what, text in sorted(rows, key=lambda row: row[0])
        if text
    ]


def forget_payments(pks: Iterable[UUID]) -> None:
    """Blank what was written about payments; call it in the transaction of the rest."""
    keys = list(pks)
    DeskAction.objects.filter(session__in=keys).exclude(reason="").update(reason="")
    _forget_copies(PaymentSession, keys)


def forget_order(pk: UUID) -> None:
    """Blank what was written about an order; call it in the transaction of the rest."""
    _forget_copies(VoucherOrder, [pk])


def _forget_copies(model: Any, pks: Iterable[UUID]) -> None:
    """Blank the reasons in Wagtail's log; who did what and when stays."""
    entries = ModelLogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(model),
        object_id__in=[str(pk) for pk in pks],
    )
    for pk, data in entries.values_list("pk", "data"):
        if data.get(_REASON):
            ModelLogEntry.objects.filter(pk=pk).update(data={**data, _REASON: ""})
