"""A voucher in a session: held, looked at under the hold, and given its share.

``holds`` speaks with Smart Gift about one hold; this is what a session makes of it.
"""

import contextlib
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from wagtail_smartgift import budget, clock, ledger, selectors
from wagtail_smartgift.choices import (
    Lane,
    Operation,
    Outcome,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.client import RefusalReason, Refused, VoucherState
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import holds, journal, outbox, releasing, sessions
from wagtail_smartgift.services.appraisal import (
    Appraisal,
    UnknownExperience,
    Unusable,
    appraise,
)
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import Worker


S = RedemptionStatus
#: A session in one of these may still take a hold.
_MAY_HOLD = frozenset(
    {SessionStatus.OPEN, SessionStatus.CONFIRMING, SessionStatus.REFUNDING}
)
#: Calls that a hold costs which is exchanged: release, hold, check.
_RENEWAL_CALLS = 3


class Shortfall(Exception):
    """The voucher holds less than it was to cover."""


def add(
    worker: Worker,
    session: PaymentSession,
    row: Redemption,
    *,
    experiences: Sequence[int] | None,
) -> None:
    """Hold and check a voucher whose first request is in the journal.

    Raises:
        VoucherHeld, HoldRefused, UnknownExperience, Postponed: it is not in the
            session then, and nothing is held but by a lost answer.
    """
    holds.take(worker, row, holds.ADDING, lane=Lane.CHECKOUT)
    try:
        _appraise(worker, session, row, lane=Lane.CHECKOUT, chosen=experiences)
    except (Unusable, Shortfall):
        raise holds.HoldRefused from None
    except Postponed:
        releasing.release(worker, row, status=S.REFUSED)
        raise


def lasts(row: Redemption, seconds: float = 0) -> bool:
    """Tell whether a voucher is held for long enough to redeem it, or for longer."""
    least = max(seconds, get_conf().lease)
    now = clock.now()
    long_enough = row.status == S.HELD and holds.seconds_left(row, now=now) >= least
    return long_enough and not holds.is_of_another_time(row, now=now)


def ensure(
    worker: Worker,
    session: PaymentSession,
    row: Redemption,
    *,
    anew: bool = False,
    seconds: float = 0,
    may_fall: bool = False,
) -> None:
    """See that a counted voucher is held long enough and was looked at.

    A hold that is too short for a redeem, or for ``seconds``, is exchanged for a new
    one, but not where the quota has no room for that now: then it stays as it is. One
    that lapsed is taken again. With ``anew`` a voucher is looked at in any
    case: once, since one that was taken here has been. With ``may_fall`` it may cover
    less from here on, as long as that is something.

    Raises:
        VoucherHeld, HoldRefused: it could not be taken again.
        Shortfall: it holds less than it was to cover.
        Postponed: Smart Gift could not be asked.
    """
    holds.lapse(row)
    if row.status == S.HELD and not lasts(row, seconds):
        _require_room(worker)
        releasing.release_to_renew(worker, row)
    if row.status != S.HELD:
        _take_again(worker, row)
    if anew or row.baseline is None:
        reappraise(worker, session, row, may_fall=may_fall)


def _require_room(worker: Worker) -> None:
    """See that the quota, as it stands, lets a hold be given back, taken and looked at.

    Others may be faster at its last places: then the voucher is lapsed, as it is while a
    hold is exchanged. A window that ends within our patience has room enough.

    Raises:
        Postponed: it has no room now.
    """
    quota = budget.status(worker.account)
    wait = quota.waits[Lane.MONEY]
    if quota.limit and quota.left < _RENEWAL_CALLS and quota.window_ends_at is not None:
        wait = max(wait, (quota.window_ends_at - timezone.now()).total_seconds())
    if wait > worker.box.patience:
        broken = quota.breaker is budget.BreakerState.OPEN
        code = "smartgift_unavailable" if broken else "busy"
        raise Postponed(code, retry_after=wait, counts=False)


def _take_again(worker: Worker, row: Redemption) -> None:
    releasing.release_leftovers(worker, row.fingerprint)
    row.refresh_from_db()
    if holds.seconds_left(row):
        # Our own old hold could not be given back, so a new one would be refused.
        raise Postponed("smartgift_unavailable", retry_after=holds.seconds_left(row))
    # An earlier hold of ours whose answer was lost, and when it is over.
    lost = row.held_until if row.status == S.HOLDING else None
    holds.claim_again(row, holds.RETAKING)
    try:
        holds.take(worker, row, holds.RETAKING, lane=Lane.MONEY)
    except holds.VoucherHeld as error:
        if error.is_ours or lost is None:
            raise
        raise holds.VoucherHeld(lost, is_ours=True) from None


def reappraise(
    worker: Worker, session: PaymentSession, row: Redemption, *, may_fall: bool = False
) -> None:
    """Look at a held voucher anew; one that became empty leaves the session.

    Raises:
        Shortfall: it holds less than it was to cover.
        HoldRefused: it can no longer be used.
        Postponed: Smart Gift could not be asked; the hold stays.
    """
    wanted = ledger.ZERO if may_fall else row.amount
    chosen = row.experiences or None
    try:
        _appraise(worker, session, row, lane=Lane.MONEY, chosen=chosen)
    except (Unusable, UnknownExperience):
        raise Shortfall from None
    if row.balance is None or row.balance < wanted:
        raise Shortfall


def _appraise(
    worker: Worker,
    session: PaymentSession,
    row: Redemption,
    *,
    lane: Lane,
    chosen: Sequence[int] | None,
) -> None:
    """Read the voucher under our hold; what cannot be used is released."""
    try:
        state = holds.look(
            worker,
            row,
            lane=lane,
            filters=holds.filters_for(selectors.classifications_of(session.site_id)),
        )
        appraisal = appraise(session, state, chosen=chosen)
    except Refused as error:
        _note_refusal(error)
        releasing.release(worker, row, status=S.REFUSED)
        raise holds.HoldRefused from None
    except (Unusable, UnknownExperience):
        releasing.release(worker, row, status=S.REFUSED)
        raise
    try:
        _write(session, row, state, appraisal)
    except journal.Stale:
        # The session was closed meanwhile, or another worker has the row: then the
        # hold is theirs, and this one's picture of the row may not touch it.
        with contextlib.suppress(journal.Stale):
            releasing.release(worker, row, status=S.RELEASED)
        raise


def _note_refusal(error: Refused) -> None:
    if error.reason is RefusalReason.INVALID_SITE:
        holds.logger.error(
            "Smart Gift does not know the site number: check SITE_ID of the account."
        )


def _write(
    session: PaymentSession, row: Redemption, state: VoucherState, appraisal: Appraisal
) -> None:
    first = row.balance is None
    until = holds.deadline(row.hold_sent_at or clock.now(), state)
    if row.held_until is not None:
        # What was reckoned when it was taken knows how long a hold lasts here.
        until = min(until, row.held_until)
    with transaction.atomic(durable=True):
        fresh = sessions.lock(session.pk, expected=_MAY_HOLD)
        journal.record(
            row,
            Operation.CHECK,
            Outcome.SUCCEEDED,
            status=S.HELD,
            seen=state.remaining_value,
            type=appraisal.type,
            balance=appraisal.balance,
            baseline=appraisal.baseline,
            experiences_available=appraisal.experiences_available,
            experiences=appraisal.experiences,
            held_until=until,
        )
        if fresh.status == SessionStatus.OPEN:
            sessions.reallocate(fresh)
        if first:
            outbox.emit("voucher.held", session=fresh, redemption=row)
    if fresh.status == SessionStatus.OPEN:
        row.refresh_from_db()


def drop(worker: Worker, row: Redemption) -> None:
    """Give a voucher back that this session does not need (any more)."""
    if row.hold_token_encrypted:
        releasing.release(worker, row, status=S.RELEASED)
        return
    with transaction.atomic(durable=True):
        journal.record(row, Operation.RELEASE, Outcome.SUCCEEDED, status=S.RELEASED)


def let_go(worker: Worker, row: Redemption) -> None:
    """Give a hold back, but keep the voucher in the session as lapsed."""
    if row.status == S.HELD:
        releasing.release(worker, row, status=S.LAPSED)
