"""Telling the host what happened: after the commit, at least once.

``emit`` writes a row in the transaction of the change that it tells, so neither is
there without the other, and beside it a row for each webhook endpoint and for staff.
After the commit the signal is sent; the sweep sends what a receiver refused or a crash
left behind.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from wagtail_smartgift import ledger
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import (
    OutboxEvent,
    PaymentSession,
    Redemption,
    VoucherOrder,
)
from wagtail_smartgift.services import attention, delivering, messages
from wagtail_smartgift.signals import SIGNALS


logger = logging.getLogger(__name__)

#: Seconds until an event is sent again for the first time; doubled each time, up to an
#: hour.
FIRST_PAUSE = 30
LONGEST_PAUSE = 3600

#: Events of work that is still going on in this thread; None outside of any.
_held_back: ContextVar[list[UUID] | None] = ContextVar("held_back", default=None)


def emit(
    event: str,
    *,
    session: PaymentSession | None = None,
    order: VoucherOrder | None = None,
    redemption: Redemption | None = None,
    account: Account | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write an event within the caller's transaction, to be sent after it.

    It is about a session, an order, or else a catalogue: that of ``account``, with the
    ``details`` of ``ledger.CatalogueNews``.
    """
    if event not in SIGNALS:
        raise ValueError(f"{event!r} is no event of ours.")
    row = OutboxEvent(
        type=event,
        session=session,
        order=order,
        redemption=redemption,
        details=dict(details or {}),
    )
    if account is not None:
        row.bind_to(account)
    for about in filter(None, (session, order)):
        row.account = about.account
        row.account_base_url = about.account_base_url
        row.account_key_hash = about.account_key_hash
    heard = _is_heard(event)
    if not heard:
        row.dispatched_at = timezone.now()
    row.save(force_insert=True)
    delivering.plan(row)
    attention.plan(row)
    if not heard:
        return
    # Robust: what goes wrong in telling must not break the payment it tells of.
    transaction.on_commit(partial(_dispatch_after_work, row.pk), robust=True)


def _is_heard(event: str) -> bool:
    """Tell whether anybody is to be told: four queries are saved where nobody is."""
    return SIGNALS[event].has_listeners(OutboxEvent) or bool(delivering.endpoints())


@contextmanager
def held_back() -> Iterator[None]:
    """Send the signals of a piece of work when it is over, whatever came of it.

    A receiver may then call a verb on the very payment that it is told of: nobody
    is at work on it any more.
    """
    waiting: list[UUID] = []
    token = _held_back.set(waiting)
    try:
        yield
    finally:
        _held_back.reset(token)
        for event_id in waiting:
            dispatch(event_id)


def _dispatch_after_work(event_id: UUID) -> None:
    waiting = _held_back.get()
    if waiting is None:
        dispatch(event_id)
    else:
        waiting.append(event_id)


def dispatch(event_id: UUID) -> bool:
    """Send one event's signal, unless somebody else has just done so.

    Returns whether it has been sent now. A receiver that raises is logged and
    called again by the sweep; it never breaks the payment that it was told of.
    """
    now = timezone.now()
    taken = OutboxEvent.objects.filter(
        pk=event_id, dispatched_at__isnull=True, next_attempt_at__lte=now
    ).update(
        attempts=F("attempts") + 1, next_attempt_at=now + timedelta(seconds=FIRST_PAUSE)
    )
    if not taken:
        return False
    row = OutboxEvent.objects.select_related("session", "order", "redemption").get(
        pk=event_id
    )
    try:
        data = ledger.describe_event(row)
        _begin_webhooks(row, data)
        SIGNALS[row.type].send(
            sender=OutboxEvent,
            event=row.type,
            event_id=row.pk,
            data=data,
            redemption=row.redemption and ledger.describe_redemption(row.redemption),
        )
    except Exception:
        # Whatever a host's receiver raises must not undo what it was told of.
        logger.exception("A receiver of %s raised; it is called again.", row.type)
        pause = min(FIRST_PAUSE * 2 ** (row.attempts - 1), LONGEST_PAUSE)
        OutboxEvent.objects.filter(pk=event_id).update(
            next_attempt_at=now + timedelta(seconds=pause)
        )
        return False
    OutboxEvent.objects.filter(pk=event_id).update(dispatched_at=timezone.now())
    return True


def _begin_webhooks(
    row: OutboxEvent, data: ledger.Session | ledger.Order | ledger.CatalogueNews
) -> None:
    """Write what webhooks say while it is new, and have them sent where somebody can.

    Both are done by the sweep otherwise, so whatever goes wrong here is no matter.
    """
    if not delivering.endpoints():
        return
    try:
        messages.write(row, data)
        delivering.nudge(row)
    except Exception:
        logger.exception("The webhooks of %s are left to the sweep.", row.type)


def dispatch_due(*, limit: int = 100) -> int:
    """Send what is still to be sent; returns how many events were.

    A copy of the production database must not write to its customers, so events of
    rows of another key or address stay where they are.
    """
    ours = OutboxEvent.ours()
    due = list(
        OutboxEvent.objects.filter(
            ours, dispatched_at__isnull=True, next_attempt_at__lte=timezone.now()
        ).values_list("pk", flat=True)[:limit]
    )
    return sum(dispatch(event_id) for event_id in due)
