"""The rows of a session as a whole: locking, allocating, moving on."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from wagtail_smartgift.choices import RedemptionStatus, SessionStatus
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services.allocation import allocate
from wagtail_smartgift.services.journal import Stale


ZERO = Decimal("0.00")
#: A row in one of these pays nothing in its session any more.
_OUT = frozenset({RedemptionStatus.REFUSED, RedemptionStatus.RELEASED})


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


def fallen_out(rows: Sequence[Redemption]) -> bool:
    """Tell whether a voucher that was to pay has been refused since the allocation."""
    return any(row.status in _OUT and row.amount for row in rows)


def touch(session_id: UUID) -> PaymentSession:
    """Lock a session in whatever status it is, like ``lock``."""
    return lock(session_id, expected=tuple(SessionStatus))


def hand_over(session: PaymentSession, why: str) -> None:
    """Put a session that this transaction has locked in front of a person."""
    if session.status != SessionStatus.NEEDS_ATTENTION:
        session.interrupted = session.status
    session.status = SessionStatus.NEEDS_ATTENTION
    session.attention_code = why
    session.next_look_at = None
    session.save(
        update_fields=["status", "attention_code", "next_look_at", "interrupted"]
    )


def rows(session: PaymentSession) -> list[Redemption]:
    """Return a session's redemptions in the order of adding."""
    return list(session.redemptions.order_by("position"))


def reallocate(session: PaymentSession) -> Decimal:
    """Share out an open session's amount anew, within the caller's lock.

    What fell out of the session covers nothing from here on, so a refused row with
    an amount is one that fell out since: see ``fallen_out``.

    Returns what remains to be paid another way.
    """
    every = rows(session)
    shares = allocate(session, every)
    for row in every:
        share = shares.get(row, ZERO)
        if row.amount != share and (row in shares or row.status in _OUT):
            Redemption.objects.filter(pk=row.pk).update(
                amount=share, updated_at=timezone.now()
            )
    return session.amount_due - sum(shares.values(), Decimal("0.00"))
