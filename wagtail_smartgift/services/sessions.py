"""The rows of a session as a whole: locking, allocating, moving on."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from wagtail_smartgift.choices import SessionStatus
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services.allocation import allocate
from wagtail_smartgift.services.journal import Stale


def lock(
    session_id: UUID,
    *,
    expected: Collection[SessionStatus],
    **changes: Any,
) -> PaymentSession:
    """Change a session by a conditional UPDATE, and lock it until the commit.

    Must be the first statement of its transaction: on SQLite it takes the write
    lock, on PostgreSQL the row's, so what is read after it stays true.

    Raises:
        Stale: the session is in none of the expected statuses.
    """
    updated = PaymentSession.objects.filter(pk=session_id, status__in=expected).update(
        version=F("version") + 1, updated_at=timezone.now(), **changes
    )
    if not updated:
        raise Stale
    return PaymentSession.objects.get(pk=session_id)


def rows(session: PaymentSession) -> list[Redemption]:
    """Return a session's redemptions in the order of adding."""
    return list(session.redemptions.order_by("position"))


def reallocate(session: PaymentSession) -> Decimal:
    """Share out an open session's amount anew, within the caller's lock.

    Returns what remains to be paid another way.
    """
    shares = allocate(session, rows(session))
    for row, share in shares.items():
        if row.amount != share:
            Redemption.objects.filter(pk=row.pk).update(
                amount=share, updated_at=timezone.now()
            )
    return session.amount_due - sum(shares.values(), Decimal("0.00"))
