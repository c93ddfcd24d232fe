"""Giving back a part, or all, of what a confirmed session took.

The last allocated voucher first; whole redemptions where the amount allows. Of the
last one a part may have to stay redeemed: it is held, reversed in full, and the
rest is redeemed again under that hold, so that nobody can come between. A rest that is
refused was given back without anybody asking for it: that is a person's before anything
else is done, whoever learnt it and whether they lived to say so.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from django.db import transaction

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import (
    Lane,
    Operation,
    Outcome,
    RedemptionStatus,
)
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import (
    holds,
    journal,
    redeeming,
    releasing,
    reversing,
    sessions,
    spending,
)
from wagtail_smartgift.services.worker import Worker


S = RedemptionStatus
ZERO = Decimal("0.00")
_UNFINISHED_REST = frozenset({S.HOLDING, S.HELD, S.LAPSED, S.REDEEMING})
#: A rest in one of these that still has an amount was refused, and nobody knows yet.
_REFUSED_REST = frozenset({S.REFUSED, S.RELEASED})


class RefundKey(Protocol):
    """What a refund was asked for under: it begins one refund and never another."""

    @property
    def refund_target(self) -> Decimal | None:
        """What all refunds come to once the one that it has begun is done."""

    def note_refund(self, target: Decimal) -> None:
        """Remember, in the transaction that begins it, that this key began a refund."""


class NotRefundable(Exception):
    """Some of it has to be given back by a person."""


def can_refund(
    rows: Sequence[Redemption], amount: Decimal, *, running: Decimal | None = None
) -> bool:
    """Tell whether ``amount`` can be given back without splitting an experience.

    ``running`` is what the refund that is under way comes to, which goes first.
    """
    standing = [
        row
        for row in rows
        if row.status in {S.REDEEMED, S.REVERSING}
        or (row.replaces_id and row.status in _UNFINISHED_REST)
    ]
    standing.sort(key=lambda row: row.position, reverse=True)
    amounts = {row.pk: row.amount for row in standing}
    given = ledger.taken(rows) - sum(amounts.values())
    left = ZERO
    for wish in (max(ZERO, (running or ZERO) - given), amount):
        left = wish
        for row in standing:
            here = amounts[row.pk]
            if here <= left or not row.is_experience:
                amounts[row.pk] -= min(here, left)
                left -= min(here, left)
    return left == 0


def _redeemed(rows: Sequence[Redemption]) -> list[Redemption]:
    return sorted(
        (row for row in rows if row.status == S.REDEEMED),
        key=lambda row: row.position,
        reverse=True,
    )


def advance(worker: Worker, session: PaymentSession) -> None:
    """Give back until ``refund_target`` is reached, as it is when this ends.

    ``session`` learns of what was added to it meanwhile.

    Raises:
        NotRefundable: what could be given back is; the rest is for a person.
        Postponed: not done yet.
    """
    while True:
        session.refresh_from_db(fields=["refund_target"])
        rows = sessions.rows(session)
        due = session.refund_target - ledger.refunded(rows)
        ours = max(ZERO, due - _with_a_person(rows))
        row = _unfinished(rows) or _next(rows, ours)
        if row is None:
            break
        try:
            _step(worker, session, row, ours)
        except (reversing.NotReversible, spending.PersonNeeded):
            continue
    if any(row.status == S.NEEDS_ATTENTION for row in rows):
        raise NotRefundable
    if due < 0 and not _was_settled(session):
        # More than was asked for is never said to be what was asked for.
        raise NotRefundable


def _unfinished(rows: Sequence[Redemption]) -> Redemption | None:
    """Return what an earlier step has begun: the rest first, it is owed to the shop."""
    for row in rows:
        if row.replaces_id and (row.status in _UNFINISHED_REST or _is_refused(row)):
            return row
    return next((row for row in rows if row.status == S.REVERSING), None)


def _is_refused(row: Redemption) -> bool:
    """Tell whether a rest was refused, and whoever learnt it did not live to say so.

    One that a person has let go of has no amount any more.
    """
    return row.status in _REFUSED_REST and row.amount > 0 and not row.proof


def _was_settled(session: PaymentSession) -> bool:
    """Tell whether a person has decided on some of it: then more may rightly be back."""
    verdicts = ledger.journal(session.pk).filter(
        operation=Operation.SETTLE, outcome=Outcome.SUCCEEDED
    )
    return verdicts.exists()


def _with_a_person(rows: Sequence[Redemption]) -> Decimal:
    """Return what stands redeemed and is a person's to give back.

    Taken from another voucher as well, it would come back twice.
    """
    return ledger.standing(
        [row for row in rows if row.status == S.NEEDS_ATTENTION and row.proof]
    )


def _next(rows: Sequence[Redemption], due: Decimal) -> Redemption | None:
    """Return what is given back next; what only a person could give back comes last."""
    if due <= 0:
        return None
    redeemed = _redeemed(rows)
    redeemed.sort(key=lambda row: not row.redemption_ids)
    for row in redeemed:
        if row.amount <= due or not row.is_experience:
            return row
    return None


def _step(
    worker: Worker, session: PaymentSession, row: Redemption, due: Decimal
) -> None:
    if row.status == S.REDEEMED:
        reversing.begin(worker, row)
    if row.status == S.REVERSING:
        _give_back(worker, row, rest=max(ZERO, row.amount - due))
    elif _is_refused(row):
        _to_person(row)
    else:
        _redeem_rest(worker, session, row)


def _give_back(worker: Worker, row: Redemption, *, rest: Decimal) -> None:
    if rest and not reversing.is_held_for_rest(row):
        _hold_first(worker, row)
    spending.or_person(
        row,
        lambda: reversing.finish(worker, row, status=S.REVERSED, rest=rest),
    )


def _hold_first(worker: Worker, row: Redemption) -> None:
    """Hold the voucher before it is reversed, so that its rest stays ours to take.

    A voucher that was spent to the last penny may not be held before it is
    reversed; it is held at once afterwards then.
    """
    releasing.release(worker, row, status=S.REVERSING)
    releasing.release_leftovers(worker, row.fingerprint)
    with transaction.atomic(durable=True):
        holds.request(row, holds.REVERSING, expected={S.REVERSING})
    try:
        spending.or_person(
            row, lambda: holds.take(worker, row, holds.REVERSING, lane=Lane.MONEY)
        )
    except holds.VoucherHeld as error:
        raise reversing.VoucherBusy(error.retry_after) from None
    except holds.HoldRefused:
        return


def _redeem_rest(worker: Worker, session: PaymentSession, row: Redemption) -> None:
    try:
        if row.status == S.REDEEMING:
            spending.settle(worker, row)
        else:
            spending.spend(worker, session, row)
    except redeeming.NotRedeemed as error:
        if error.held_for is not None:
            raise reversing.VoucherBusy(error.held_for) from None
        row.refresh_from_db()
        _to_person(row)


def _to_person(row: Redemption) -> None:
    code = "remainder_not_redeemed"
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.FAILED,
            status=S.NEEDS_ATTENTION,
            reason=code,
            attention_code=code,
            next_look_at=None,
        )
    raise spending.PersonNeeded
