"""The redemption's journal: the one place where its status changes.

A step is written as an event and a conditional UPDATE of the row in the same
transaction: the UPDATE comes first, since it is also the lock (a row lock on
PostgreSQL, the write lock on SQLite), and it refuses a worker whose picture of the
row is stale. What the row says can always be folded again from its events.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from wagtail_smartgift.choices import Operation, Outcome, RedemptionStatus
from wagtail_smartgift.models import Redemption, RedemptionEvent


class Stale(Exception):
    """The row is no longer in the state that this step starts from."""


S = RedemptionStatus

#: Who asked for what this thread does, where a person did.
_actor: ContextVar[str] = ContextVar("actor", default="")


@contextmanager
def asked_by(actor: str) -> Iterator[None]:
    """Have every step in here say who asked for it; what the sweep does later does not."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


#: What a row may be that gives its hold back: a redeem need not have ended it.
_WITHOUT_A_HOLD = frozenset(
    {
        S.RELEASED,
        S.LAPSED,
        S.REFUSED,
        S.REDEEMING,
        S.REDEEMED,
        S.REVERSING,
        S.REVERSED,
    }
)

#: (operation, outcome) -> the statuses that a row may be in afterwards. What is
#: not here is a bug, and refused.
TRANSITIONS: dict[tuple[Operation, Outcome], frozenset[RedemptionStatus]] = {
    (Operation.HOLD, Outcome.REQUESTED): frozenset(
        # A hold before a reversal, or as a fence round an unknown redeem, is taken
        # by a row that goes on being what it is.
        {S.HOLDING, S.REVERSING, S.REDEEMING}
    ),
    (Operation.HOLD, Outcome.SUCCEEDED): frozenset({S.HELD, S.REVERSING, S.REDEEMING}),
    (Operation.HOLD, Outcome.FAILED): frozenset(
        {S.REFUSED, S.LAPSED, S.REVERSING, S.REDEEMING, S.NEEDS_ATTENTION}
    ),
    (Operation.HOLD, Outcome.UNKNOWN): frozenset({S.HOLDING, S.REVERSING, S.REDEEMING}),
    (Operation.CHECK, Outcome.SUCCEEDED): frozenset(
        # A person may look before they say what happened.
        {S.HELD, S.REDEEMING, S.REVERSING, S.REDEEMED, S.NEEDS_ATTENTION}
    ),
    (Operation.CHECK, Outcome.FAILED): frozenset(
        {S.HELD, S.REDEEMING, S.REVERSING, S.REFUSED, S.NEEDS_ATTENTION}
    ),
    (Operation.CHECK, Outcome.UNKNOWN): frozenset({S.HELD, S.REDEEMING, S.REVERSING}),
    (Operation.REDEEM, Outcome.REQUESTED): frozenset({S.REDEEMING}),
    (Operation.REDEEM, Outcome.SUCCEEDED): frozenset({S.REDEEMED, S.NEEDS_ATTENTION}),
    (Operation.REDEEM, Outcome.FAILED): frozenset(
        {S.HELD, S.LAPSED, S.REFUSED, S.REDEEMING, S.NEEDS_ATTENTION}
    ),
    (Operation.REDEEM, Outcome.UNKNOWN): frozenset({S.REDEEMING, S.NEEDS_ATTENTION}),
    (Operation.REVERSE, Outcome.REQUESTED): frozenset({S.REVERSING}),
    (Operation.REVERSE, Outcome.SUCCEEDED): frozenset({S.REVERSED, S.LAPSED}),
    (Operation.REVERSE, Outcome.FAILED): frozenset(
        {S.REDEEMED, S.REVERSING, S.NEEDS_ATTENTION}
    ),
    (Operation.REVERSE, Outcome.UNKNOWN): frozenset({S.REVERSING}),
    (Operation.RELEASE, Outcome.REQUESTED): _WITHOUT_A_HOLD,
    (Operation.RELEASE, Outcome.SUCCEEDED): _WITHOUT_A_HOLD,
    # One that could not be sent, and was only to make room for a new hold.
    (Operation.RELEASE, Outcome.FAILED): _WITHOUT_A_HOLD | {S.HELD},
    (Operation.RELEASE, Outcome.UNKNOWN): _WITHOUT_A_HOLD,
    (Operation.LAPSE, Outcome.SUCCEEDED): frozenset({S.LAPSED, S.RELEASED, S.REFUSED}),
    (Operation.SETTLE, Outcome.UNKNOWN): frozenset({S.NEEDS_ATTENTION}),
    (Operation.SETTLE, Outcome.SUCCEEDED): frozenset(S),
}


#: A row in one of these owns money, or may: only steps that are about money, or a
#: person, move it on.
_OWNS_MONEY = frozenset({S.REDEEMING, S.REDEEMED, S.REVERSING, S.NEEDS_ATTENTION})
_ABOUT_MONEY = frozenset({Operation.REDEEM, Operation.REVERSE, Operation.SETTLE})


def record(
    redemption: Redemption,
    operation: Operation,
    outcome: Outcome,
    *,
    status: RedemptionStatus,
    expected: Collection[RedemptionStatus] | None = None,
    reason: str = "",
    amount: Decimal | None = None,
    seen: Decimal | None = None,
    actor: str = "",
    note: str = "",
    **changes: Any,
) -> Redemption:
    """Write one step: the conditional UPDATE of the row, then its event.

    The row must still be at the version that ``redemption`` shows and, where
    ``expected`` is given, in one of those statuses. ``seen`` is what the voucher was
    read to hold. Must run in a transaction whose first statement this, or the
    session's own UPDATE, is.

    Raises:
        Stale: somebody else changed the row.
        ValueError: that step never leads to that status.
    """
    if status not in TRANSITIONS[operation, outcome]:
        raise ValueError(f"{operation} {outcome} does not lead to {status}.")
    if (
        redemption.status in _OWNS_MONEY
        and status != redemption.status
        and operation not in _ABOUT_MONEY
    ):
        raise ValueError(f"{operation} does not end {redemption.status}.")
    if expected is not None and redemption.status not in expected:
        raise Stale
    updated = Redemption.objects.filter(
        pk=redemption.pk, version=redemption.version, status=redemption.status
    ).update(
        status=status, version=F("version") + 1, updated_at=timezone.now(), **changes
    )
    if not updated:
        raise Stale
    redemption.status = status
    redemption.version += 1
    for name, value in changes.items():
        setattr(redemption, name, value)
    append(
        redemption,
        operation,
        outcome,
        reason=reason,
        amount=amount,
        seen=seen,
        actor=actor,
        note=note,
    )
    return redemption


def append(
    redemption: Redemption,
    operation: Operation,
    outcome: Outcome,
    *,
    reason: str = "",
    amount: Decimal | None = None,
    seen: Decimal | None = None,
    actor: str = "",
    note: str = "",
) -> None:
    """Add an event for a row whose columns this transaction has already written."""
    RedemptionEvent.objects.create(
        redemption=redemption,
        operation=operation,
        outcome=outcome,
        status=redemption.status,
        attempt=redemption.attempt,
        reason=reason,
        amount=amount,
        balance=seen,
        held_until=redemption.held_until,
        redemption_ids=redemption.redemption_ids
        if outcome == Outcome.SUCCEEDED
        else [],
        actor=(actor or _actor.get())[:150],
        note=note,
    )


@dataclass(frozen=True)
class Folded:
    """What a journal says, whatever the row says."""

    status: RedemptionStatus
    #: Money that redeems took and reversals have not given back.
    taken: Decimal
    #: Whether a redeem or a reverse was asked for and not answered for good.
    in_doubt: bool


def fold(events: Iterable[RedemptionEvent]) -> Folded:
    """Fold a redemption's events, oldest first, into what they add up to."""
    status = S.HOLDING
    taken = Decimal("0.00")
    in_doubt = False
    for event in events:
        status = S(event.status)
        if event.operation not in {Operation.REDEEM, Operation.REVERSE}:
            if event.operation == Operation.SETTLE:
                in_doubt = False
                taken += event.amount or 0
            continue
        if event.outcome in {Outcome.REQUESTED, Outcome.UNKNOWN}:
            in_doubt = True
            continue
        in_doubt = status == S.NEEDS_ATTENTION
        if event.outcome == Outcome.SUCCEEDED:
            sign = 1 if event.operation == Operation.REDEEM else -1
            taken += sign * (event.amount or 0)
    return Folded(status=status, taken=taken, in_doubt=in_doubt)


def disagreeing(session_id: UUID) -> Redemption | None:
    """Return a redemption of the session that must not be built upon.

    That is one that is not what its events add up to (only a bug, or somebody with a
    database shell, changes a row past the journal), or one that waits for a person.
    """
    journals: dict[UUID, list[RedemptionEvent]] = defaultdict(list)
    for event in RedemptionEvent.objects.filter(
        redemption__session_id=session_id
    ).order_by("id"):
        journals[event.redemption_id].append(event)
    for row in Redemption.objects.filter(session_id=session_id).order_by():
        if row.status == S.NEEDS_ATTENTION or not agrees(row, journals[row.pk]):
            return row
    return None


def agrees(row: Redemption, events: Iterable[RedemptionEvent]) -> bool:
    """Tell whether a redemption is what its events, oldest first, add up to."""
    folded = fold(events)
    standing = bool(row.proof) and row.status != S.REVERSED
    taken = row.amount if standing else Decimal("0.00")
    return (folded.status, folded.taken) == (row.status, taken)


def last_step(redemption_id: UUID, operation: Operation) -> RedemptionEvent | None:
    """Return the newest event of that operation."""
    return (
        RedemptionEvent.objects.filter(redemption_id=redemption_id, operation=operation)
        .order_by("-id")
        .first()
    )
