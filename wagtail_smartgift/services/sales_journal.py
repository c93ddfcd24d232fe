"""The one place where a voucher order changes, and the words for why.

A step is a conditional UPDATE of the order and an event in the same transaction. The
UPDATE comes first: it is also the lock, and it refuses a worker whose picture of the
row is stale.
"""

from datetime import datetime
from enum import Enum
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from wagtail_smartgift import clock
from wagtail_smartgift.choices import OrderStatus, Outcome
from wagtail_smartgift.client import (
    CircuitOpen,
    Misrouted,
    OutcomeUnknown,
    Refused,
    SmartGiftError,
    Unauthorised,
)
from wagtail_smartgift.models import VoucherOrder, VoucherOrderEvent
from wagtail_smartgift.services import outbox, patience
from wagtail_smartgift.services.timebox import is_kept_back


#: What the journal of an order records: placing it, asking for its number, and what a
#: person said of it.
PLACE, CHECK, SETTLE = "place", "check", "settle"
#: Why an order waits (``VoucherOrder.refusal``), in the words of the documented codes.
UNAVAILABLE = "smartgift_unavailable"
#: In the journal: Smart Gift took none of our own voucher numbers.
CODE_REFUSED = "code_refused"
#: In the journal: it was asked for by its number, and is certainly not sold.
NOT_SOLD = "not_sold"
#: Why a person has to decide (``VoucherOrder.attention_code``).
SALE_UNKNOWN = "sale_unknown"
REFERENCE_TAKEN = "reference_taken"
SOLD_TWICE = "sold_twice"
UNDECRYPTABLE = "undecryptable"

_EVENTS = {
    OrderStatus.PLACED: "voucher_order.placed",
    OrderStatus.REFUSED: "voucher_order.failed",
    OrderStatus.NEEDS_ATTENTION: "voucher_order.needs_attention",
}


class After(Enum):
    """What one step leaves to whoever made it."""

    #: Nothing now.
    REST = "rest"
    #: The next step at once.
    NEXT = "next"
    #: Nothing, and it was this very step by which the order came to be placed.
    PLACED = "placed"


def is_due(order: VoucherOrder) -> bool:
    """Tell whether an order that was sent is nobody's now and may be looked for."""
    now = clock.now()
    return (
        order.status == OrderStatus.PLACING
        and order.next_look_at is not None
        and not now < order.next_look_at <= now + patience.furthest()
        and (order.claimed_until is None or order.claimed_until < now)
    )


def settled(status: OrderStatus, *, attention_code: str = "") -> dict[str, Any]:
    """Return the columns of an order that no worker comes back to."""
    return {
        "status": status,
        "attention_code": attention_code,
        "next_look_at": None,
        "claimed_by": "",
        "claimed_until": None,
        "updated_at": timezone.now(),
    }


def later(at: datetime) -> dict[str, Any]:
    """Return the columns of an order that is nobody's until somebody looks again."""
    return {"next_look_at": at, "claimed_by": "", "claimed_until": None}


def step(
    order: VoucherOrder,
    operation: str,
    outcome: Outcome,
    *,
    reason: str = "",
    actor: str = "",
    note: str = "",
    **changes: Any,
) -> bool:
    """Write one step, its UPDATE and its event; False if the row has moved on."""
    with transaction.atomic(durable=True):
        if not update(order, **changes):
            # What was learnt is kept, even where it no longer decides anything.
            if outcome is not Outcome.REQUESTED:
                append(order, operation, outcome, reason=reason)
            return False
        append(order, operation, outcome, reason=reason, actor=actor, note=note)
        if "status" in changes:
            tell(order)
    return True


def tell(order: VoucherOrder) -> None:
    """Tell the host, after this transaction, that an order is settled."""
    event = _EVENTS.get(OrderStatus(order.status))
    if event:
        outbox.emit(event, order=order)


def update(order: VoucherOrder, *conditions: Q, **changes: Any) -> bool:
    """Change the row if it is still as ``order`` shows it."""
    changes.setdefault("updated_at", timezone.now())
    moved = VoucherOrder.objects.filter(
        *conditions, pk=order.pk, version=order.version, status=order.status
    ).update(version=F("version") + 1, **changes)
    if moved:
        order.version += 1
        for name, value in changes.items():
            setattr(order, name, value)
    return bool(moved)


def append(
    order: VoucherOrder,
    operation: str,
    outcome: Outcome,
    *,
    reason: str = "",
    attempt: int | None = None,
    actor: str = "",
    note: str = "",
) -> None:
    VoucherOrderEvent(
        order=order,
        operation=operation,
        outcome=outcome,
        status=order.status,
        attempt=order.attempt if attempt is None else attempt,
        reason=reason[:64],
        actor=actor[:150],
        note=note,
    ).save()


def was_unanswered(order: VoucherOrder) -> bool:
    """Tell whether an attempt was never answered: it may have sold, or may yet sell."""
    return order.events.filter(operation=PLACE, outcome=Outcome.UNKNOWN).exists()


def sent_at(order: VoucherOrder) -> datetime:
    if order.sent_at is None:
        raise ValueError(f"{order} was never sent.")
    return order.sent_at


def word(error: SmartGiftError) -> str:
    """Return the journal's word for an error that decided nothing."""
    if isinstance(error, CircuitOpen):
        return "not_sent"
    if is_kept_back(error):
        return "quota"
    if isinstance(error, (Unauthorised, Misrouted, Refused)):
        return "configuration"
    return "no_answer" if isinstance(error, OutcomeUnknown) else "not_sent"


def refused_part(error: Refused) -> str:
    """Return our word for what Smart Gift refused: the part of the order it names."""
    parts = {name.split(".", 1)[0] for name in error.fields}
    for part in ("items", "customer", "delivery", "payment_method_id"):
        if part in parts:
            return part
    return "other"
