"""Giving redeemed money back, by the ids of its redemption.

The ids are a natural key: a reversal whose answer was lost is asked for again, and
"no valid redemptions" then means that it was done. Each id is reversed in full, so
a part is given back by reversing all and redeeming the rest again under a hold.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from django.db import IntegrityError, transaction
from django.db.models import Max

from wagtail_smartgift import capabilities, clock
from wagtail_smartgift.choices import (
    Lane,
    Operation,
    Outcome,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.client import (
    OutcomeUnknown,
    RefusalReason,
    Refused,
    SmartGiftError,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import Redemption, RedemptionEvent
from wagtail_smartgift.services import (
    holds,
    journal,
    outbox,
    patience,
    releasing,
    settling,
    vault,
)
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import Worker


S = RedemptionStatus
#: In these a session gives back what it took.
_REVERSES_IN = frozenset(
    {SessionStatus.CONFIRMING, SessionStatus.CANCELLING, SessionStatus.REFUNDING}
)
ZERO = Decimal("0.00")
#: Seconds after which a voucher that another payment of this shop holds is looked at
#: again, at the latest.
LOOK_AT_RIVALS = 15.0


class NotReversible(Exception):
    """It cannot be given back by a machine; ``code`` says why, for a person."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class VoucherBusy(Postponed):
    """Another session, or a till, holds the voucher: its money comes back later."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("voucher_held", retry_after=retry_after)


def begin(worker: Worker, row: Redemption) -> None:
    """T1: make the row ``reversing``, which claims the voucher in this database.

    Raises:
        NotReversible: the ids of its redemption are not known.
        VoucherBusy: another session is using the voucher.
        Postponed: a lost request of its redeem may still arrive, and would take
            again what was given back.
    """
    if not row.redemption_ids:
        with transaction.atomic(durable=True):
            journal.record(
                row,
                Operation.REVERSE,
                Outcome.FAILED,
                status=S.NEEDS_ATTENTION,
                expected={S.REDEEMED},
                reason="ids_lost",
                attention_code="ids_lost",
            )
        raise NotReversible("ids_lost")
    settled_at = settling.may_still_arrive_until(row)
    if settled_at is not None and clock.now() < settled_at:
        patience.look_again(row, settled_at)
        raise Postponed("smartgift_unavailable")
    for rival in holds.rivals(row.fingerprint, but=row):
        holds.lapse(rival)
    try:
        with transaction.atomic(durable=True):
            worker.claim.renew(expected=_REVERSES_IN)
            journal.record(
                row,
                Operation.REVERSE,
                Outcome.REQUESTED,
                status=S.REVERSING,
                expected={S.REDEEMED},
                amount=row.amount,
                attempt=row.attempt + 1,
                sent_at=None,
                looks=0,
                next_look_at=None,
            )
    except IntegrityError:
        held = holds.held_by_rivals(row.fingerprint, but=row)
        # It may be given back long before its end, and to look costs no call.
        raise VoucherBusy(min(held.retry_after, LOOK_AT_RIVALS)) from None


def finish(
    worker: Worker,
    row: Redemption,
    *,
    status: RedemptionStatus,
    rest: Decimal = ZERO,
) -> None:
    """Ask for the reversal of a row that is ``reversing``, and go to ``status``.

    ``rest`` is money that stays redeemed: a row of its own takes it over, and the
    hold of this one with it.

    Raises:
        NotReversible: Smart Gift refuses; a person has to look.
        Postponed: not now; the row stays as it is and is asked for again.
    """
    settled_at = _on_its_way_until(row)
    if settled_at is not None and clock.now() < settled_at:
        patience.look_again(row, settled_at)
        raise Postponed("smartgift_unavailable")
    if patience.is_early(row):
        raise Postponed("smartgift_unavailable")
    try:
        _reverse(worker, row, status=status, rest=rest)
    except VoucherBusy as busy:
        if busy.retry_after:
            raise
        # It was our own hold, and it is released now.
        _reverse(worker, row, status=status, rest=rest)


def _on_its_way_until(row: Redemption) -> datetime | None:
    """Return when a reversal without an answer has settled; None without one."""
    last = journal.last_step(row.pk, Operation.REVERSE)
    if row.sent_at is None or last is None:
        return None
    if last.outcome not in {Outcome.UNKNOWN, Outcome.REQUESTED}:
        return None
    return row.sent_at + timedelta(seconds=get_conf().settle)


def _reverse(
    worker: Worker, row: Redemption, *, status: RedemptionStatus, rest: Decimal
) -> None:
    again = row.sent_at is not None
    sent_before = row.sent_at
    if again and _was_done_before(worker, row):
        write_reversed(row, status=status, rest=rest, reason="reversed_before")
        return
    with transaction.atomic(durable=True):
        worker.claim.renew(expected=_REVERSES_IN)
        journal.record(
            row,
            Operation.REVERSE,
            Outcome.REQUESTED,
            status=S.REVERSING,
            amount=row.amount,
            sent_at=clock.now(),
        )
    try:
        worker.client().reverse(
            voucher_no=vault.voucher_number(row),
            site_id=worker.site_id,
            redemptions=row.redemption_ids,
            lane=Lane.MONEY,
        )
    except OutcomeUnknown as error:
        _write_unknown(row)
        if not patience.back_off(row, Postponed.by(error)):
            _give_up(row, "unreachable")
        raise Postponed.by(error) from None
    except Refused as error:
        if not _is_reversed(worker, row, error, again=again):
            raise NotReversible(row.attention_code) from None
        write_reversed(row, status=status, rest=rest, reason="reversed_before")
    except (SmartGiftError, Postponed) as error:
        _write_failure(row, "not_sent", sent_at=sent_before)
        if isinstance(error, SmartGiftError):
            raise Postponed.by(error) from None
        raise
    else:
        write_reversed(row, status=status, rest=rest)


def _was_done_before(worker: Worker, row: Redemption) -> bool:
    """Tell whether a reversal is not to be asked for again, because it was applied.

    Asking again is harmless where a second one is refused. Where a probe saw that it is
    taken, and so may give back twice, the balance is looked at first.

    Raises:
        Postponed: it cannot be looked at now.
    """
    may_double = capabilities.of(worker.account).reversals_may_double
    return may_double and _is_back(worker, row)


def write_reversed(
    row: Redemption,
    *,
    status: RedemptionStatus,
    rest: Decimal = ZERO,
    reason: str = "",
) -> None:
    """T2 of a reversal: the money is back on the voucher.

    A row that goes back to ``lapsed`` is free to be redeemed again; what it took
    and gave back stays in its journal.
    """
    changes: dict[str, Any] = {}
    if status == S.LAPSED:
        changes |= {"proof": "", "redemption_ids": []}
    hold = _live_hold(row) if rest else None
    if hold:
        changes |= {"hold_token_encrypted": "", "held_until": None}
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REVERSE,
            Outcome.SUCCEEDED,
            status=status,
            reason=reason,
            amount=row.amount,
            next_look_at=None,
            **changes,
        )
        if rest:
            add_rest(row, rest, hold or {})
        outbox.emit("voucher.reversed", session=row.session, redemption=row)


def is_held_for_rest(row: Redemption) -> bool:
    """Tell whether we hold the voucher since after it was redeemed.

    The redeem may have ended the hold that it was made under, so that one's token
    is no use for what comes after.
    """
    hold = journal.last_step(row.pk, Operation.HOLD)
    redeem = journal.last_step(row.pk, Operation.REDEEM)
    return (
        hold is not None
        and redeem is not None
        and hold.pk > redeem.pk
        and hold.outcome == Outcome.SUCCEEDED
        and holds.seconds_left(row) > 0
    )


def _live_hold(row: Redemption) -> dict[str, Any]:
    if not is_held_for_rest(row):
        return {}
    return {
        "hold_token_encrypted": row.hold_token_encrypted,
        "hold_sent_at": row.hold_sent_at,
        "their_hold_at": row.their_hold_at,
        "held_until": row.held_until,
    }


def add_rest(row: Redemption, amount: Decimal, hold: dict[str, Any]) -> None:
    """Insert the row that redeems the rest, under the hold that we still have.

    Without one it claims the voucher at once, so that no other session of this shop
    comes between.
    """
    # Read after this transaction's first write, when no change of keys can come between.
    row.refresh_from_db(fields=["fingerprint", "number_encrypted"])
    legs = Redemption.objects.filter(
        session_id=row.session_id, fingerprint=row.fingerprint
    )
    rest = Redemption.objects.create(
        session_id=row.session_id,
        position=row.position,
        leg=(legs.aggregate(last=Max("leg"))["last"] or 0) + 1,
        number_encrypted=row.number_encrypted,
        fingerprint=row.fingerprint,
        display_code=row.display_code,
        type=row.type,
        status=S.HELD if hold else S.HOLDING,
        amount=amount,
        balance=row.balance,
        replaces=row,
        **(hold or {"hold_sent_at": clock.now()}),
    )
    journal.append(
        rest,
        Operation.HOLD,
        Outcome.SUCCEEDED if hold else Outcome.REQUESTED,
        reason="taken_over" if hold else "",
    )


def _write_unknown(row: Redemption) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REVERSE,
            Outcome.UNKNOWN,
            status=S.REVERSING,
            reason="no_answer",
            amount=row.amount,
        )


def _is_reversed(
    worker: Worker, row: Redemption, error: Refused, *, again: bool
) -> bool:
    """Read a refusal: an earlier attempt may be the reason. Else a person's case."""
    if error.reason is RefusalReason.ALREADY_HELD:
        _held_elsewhere(worker, row)
    bad_ids = error.reason is RefusalReason.INVALID_REDEMPTIONS
    if bad_ids and again and _is_back(worker, row):
        return True
    _give_up(row, "reverse_refused_ids" if bad_ids else "reverse_refused")
    return False


def _held_elsewhere(worker: Worker, row: Redemption) -> NoReturn:
    """Somebody holds the voucher: us (release and come back), or a till (wait)."""
    ours = bool(row.hold_token_encrypted)
    _write_failure(row, "held", sent_at=row.sent_at)
    if ours:
        releasing.release(worker, row, status=S.REVERSING)
        raise VoucherBusy(0)
    raise VoucherBusy(holds.HOLD_SECONDS)


def _is_back(worker: Worker, row: Redemption) -> bool:
    """Tell whether the balance shows that an earlier reversal was applied."""
    try:
        state = holds.look(worker, row, lane=Lane.MONEY)
    except Refused:
        return False
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.CHECK,
            Outcome.SUCCEEDED,
            status=S.REVERSING,
            seen=state.remaining_value,
        )
    if row.is_experience:
        bits = sum(row.experiences)
        return bool(int(state.remaining_value) & bits == bits)
    # What it held before it was redeemed is on it again, or more; but for what other
    # payments of this shop have taken and given back since.
    return row.baseline is not None and (
        state.remaining_value >= row.baseline + _moved_by_others_here(row)
    )


def _moved_by_others_here(row: Redemption) -> Decimal:
    """Return what our other redemptions have done to the voucher since this redeem."""
    redeem = journal.last_step(row.pk, Operation.REDEEM)
    if redeem is None:
        return ZERO
    events = RedemptionEvent.objects.filter(
        redemption__fingerprint=row.fingerprint,
        id__gt=redeem.pk,
        operation__in=(Operation.REDEEM, Operation.REVERSE),
        outcome=Outcome.SUCCEEDED,
    )
    # A late answer is about a redeem of long ago.
    events = events.exclude(redemption=row).exclude(reason="late_answer")
    return sum(
        (
            (event.amount or ZERO) * (1 if event.operation == Operation.REVERSE else -1)
            for event in events
        ),
        ZERO,
    )


def _write_failure(row: Redemption, reason: str, **changes: Any) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REVERSE,
            Outcome.FAILED,
            status=S.REVERSING,
            reason=reason,
            amount=row.amount,
            **changes,
        )


def _give_up(row: Redemption, code: str) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REVERSE,
            Outcome.FAILED,
            status=S.NEEDS_ATTENTION,
            reason=code,
            amount=row.amount,
            attention_code=code,
            next_look_at=None,
        )
