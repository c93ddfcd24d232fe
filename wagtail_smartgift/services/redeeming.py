"""Spending a voucher under its hold, exactly once.

A redeem whose answer was lost is never simply sent again. What became of it is
found out in this order: send it again where a second application cannot fit; else
wait until it has settled and look at the balance under our hold; else fence it with
a new hold and look again; else a person decides.
"""

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from wagtail_smartgift.choices import (
    Lane,
    Operation,
    Outcome,
    Proof,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.client import (
    OutcomeUnknown,
    RedeemReceipt,
    RefusalReason,
    Refused,
    SmartGiftError,
    VoucherState,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services import (
    holds,
    journal,
    outbox,
    patience,
    sessions,
    vault,
)
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import Worker


logger = logging.getLogger(__name__)

S = RedemptionStatus
#: A session in one of these is being driven, and will see a late answer itself.
_WAITS_FOR_ANSWERS = frozenset({SessionStatus.CONFIRMING, SessionStatus.REFUNDING})
#: Refusals that mean that our hold was not what we took it for.
_HOLD_REASONS = frozenset({RefusalReason.ALREADY_HELD, RefusalReason.NOT_HELD})
#: Seconds that must be left of a hold, beyond a call's deadline, to replay in it.
_REPLAY_MARGIN = 5


class NotRedeemed(Exception):
    """Nothing was taken; ``code`` says what the shop is told.

    ``held_for`` is given where somebody else holds the voucher: the seconds until
    that ends.
    """

    def __init__(self, code: str, *, held_for: float | None = None) -> None:
        self.code = code
        self.held_for = held_for
        super().__init__(code)


class HoldGone(Exception):
    """Our hold was no longer there; a new one may do."""


class NotSettledYet(Postponed):
    """What became of it cannot be known yet; the sweep will look again."""

    def __init__(self) -> None:
        super().__init__("smartgift_unavailable")


def value_of(row: Redemption) -> Decimal:
    """Return what is sent as ``value``: money, or the sum of chosen bit values."""
    return Decimal(sum(row.experiences)) if row.is_experience else row.amount


def redeem(worker: Worker, row: Redemption) -> None:
    """Redeem a held and checked voucher for its allocated amount.

    Raises:
        NotRedeemed: refused, nothing was taken.
        HoldGone: refused since our hold was gone, nothing was taken.
        Postponed: not sent, nothing was taken; the row is held as before.
        NotSettledYet: sent, and nobody knows what became of it.
        Claimed: another worker has taken the session over; nothing was sent.
    """
    with transaction.atomic(durable=True):
        # The fence against a worker that slept through the end of its claim.
        worker.claim.renew()
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.REQUESTED,
            status=S.REDEEMING,
            expected={S.HELD},
            amount=row.amount,
            seen=row.baseline,
            attempt=row.attempt + 1,
            sent_at=timezone.now(),
            redemption_ids=[],
            proof="",
            looks=0,
            next_look_at=None,
        )
    try:
        receipt = _send(worker, row)
    except OutcomeUnknown as error:
        _write_unknown(row, error.operation)
        settle(worker, row)
    except Refused as error:
        _write_refusal(row, error)
    except (SmartGiftError, Postponed) as error:
        write_not_sent(row)
        if isinstance(error, SmartGiftError):
            raise Postponed.by(error) from None
        raise
    else:
        write_receipt(row, receipt)


def _send(worker: Worker, row: Redemption) -> RedeemReceipt:
    return worker.client().redeem(
        voucher_no=vault.voucher_number(row),
        site_id=worker.site_id,
        value=value_of(row),
        hold_token=vault.hold_token(row),
        lane=Lane.MONEY,
    )


def write_receipt(
    row: Redemption, receipt: RedeemReceipt, *, proof: Proof = Proof.RESPONSE
) -> None:
    """T2 of an applied redeem. A late answer is never dropped, whatever has become
    of the row meanwhile: its ids are the only handle for a reversal.
    """
    ids = list(receipt.redemptions)
    try:
        with transaction.atomic(durable=True):
            journal.record(
                row,
                Operation.REDEEM,
                Outcome.SUCCEEDED,
                status=S.REDEEMED,
                amount=row.amount,
                seen=row.baseline,
                redemption_ids=ids,
                proof=proof,
                next_look_at=None,
            )
            outbox.emit("voucher.redeemed", session=row.session, redemption=row)
    except journal.Stale:
        logger.error(
            "A redeem of %s was answered after it had been given up; its ids are %s.",
            row.pk,
            ids,
        )
        _write_late_receipt(row, ids)
    except DatabaseError:
        # The last resort: without its ids nobody can give this money back.
        logger.exception("The redeem of %s, ids %s, could not be stored.", row.pk, ids)
        _write_late_receipt(row, ids)


def _write_late_receipt(row: Redemption, ids: list[int | str]) -> None:
    """Keep what an answer says, whatever has become of its row meanwhile.

    Where the row still waits for it, or is only known to be applied, it completes
    the row. Else money was taken that nothing here asks for any more: a person's.
    """
    with transaction.atomic(durable=True):
        session = sessions.touch(row.session_id)
        current = Redemption.objects.get(pk=row.pk)
        known = current.status == S.REDEEMED
        wanted = (
            current.attempt == row.attempt
            and not current.redemption_ids
            and session.status in _WAITS_FOR_ANSWERS
            and current.status in {S.REDEEMING, S.REDEEMED, S.HELD, S.LAPSED}
        )
        journal.record(
            current,
            Operation.CHECK if known and wanted else Operation.REDEEM,
            Outcome.SUCCEEDED,
            status=S.REDEEMED if wanted else S.NEEDS_ATTENTION,
            reason="late_answer",
            amount=row.amount,
            redemption_ids=ids if wanted else current.redemption_ids + ids,
            proof=Proof.RESPONSE,
            attention_code="" if wanted else "late_answer",
            next_look_at=None,
        )
        if wanted and not known:
            outbox.emit("voucher.redeemed", session=session, redemption=current)
        if not wanted and session.status not in _WAITS_FOR_ANSWERS:
            sessions.hand_over(session, "late_answer")
            outbox.emit("session.needs_attention", session=session)
    row.refresh_from_db()


def _write_unknown(row: Redemption, why: str) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.UNKNOWN,
            status=S.REDEEMING,
            reason="no_answer",
            amount=row.amount,
        )
    logger.warning("The outcome of a %s of %s is unknown.", why, row.pk)


def write_not_sent(row: Redemption) -> None:
    """T2 of a redeem that certainly did not reach Smart Gift."""
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.FAILED,
            status=S.HELD,
            reason="not_sent",
            amount=row.amount,
        )


def _write_refusal(row: Redemption, error: Refused) -> None:
    """T2 of a first answer that is a refusal: it cannot be about our own spending."""
    if error.reason in _HOLD_REASONS:
        _fail(row, S.LAPSED, "hold_gone", hold_token_encrypted="", held_until=None)
        raise HoldGone
    if error.reason is RefusalReason.NOT_ENOUGH_BALANCE:
        # Still held by us: what is really on it is read before it counts again.
        _fail(row, S.HELD, "shortfall", baseline=None)
        raise NotRedeemed("shortfall")
    _fail(row, S.REFUSED, "refused")
    raise NotRedeemed("hold_lost")


def _fail(
    row: Redemption, status: RedemptionStatus, reason: str, **changes: Any
) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.FAILED,
            status=status,
            reason=reason,
            amount=row.amount,
            next_look_at=None,
            **changes,
        )


# -- What became of it --------------------------------------------------------


def settle(worker: Worker, row: Redemption) -> None:
    """Find out what became of a redeem without an answer, as far as it is time to.

    Leaves the row redeemed, held again (not applied), lapsed (not applied and the
    hold is over), or with a person.

    Raises:
        NotSettledYet: it is too early to know; ``next_look_at`` says when.
        Postponed: Smart Gift could not be asked.
    """
    _note_death(row)
    if _may_replay(row):
        _replay(worker, row)
        return
    settled_at = _sent_at(row) + timedelta(seconds=get_conf().settle)
    if timezone.now() < settled_at:
        patience.look_again(row, settled_at)
        raise NotSettledYet
    if patience.is_early(row):
        raise NotSettledYet
    _settle_by_balance(worker, row)


def _note_death(row: Redemption) -> None:
    """Write down that whoever asked did not live to write what came of it."""
    last = journal.last_step(row.pk, Operation.REDEEM)
    if last is not None and last.outcome == Outcome.REQUESTED:
        with transaction.atomic(durable=True):
            journal.record(
                row,
                Operation.REDEEM,
                Outcome.UNKNOWN,
                status=S.REDEEMING,
                reason="worker_died",
                amount=row.amount,
            )


def may_still_arrive_until(row: Redemption) -> datetime | None:
    """Return until when a lost request of this redeem may still be applied.

    Known to be applied is not enough to give it back: where it was asked for twice,
    the other request would find its money on the voucher again. None: it was
    answered at once, and nothing is on its way.
    """
    unknown = row.events.filter(
        operation=Operation.REDEEM, outcome=Outcome.UNKNOWN, attempt=row.attempt
    )
    if row.sent_at is None or not unknown.exists():
        return None
    return row.sent_at + timedelta(seconds=get_conf().late)


def fits_twice(row: Redemption) -> bool:
    """Tell whether a second application of this redeem could be accepted.

    An experience is a flag that is used up, and of money more than half of what
    was there cannot be taken twice.
    """
    if row.is_experience:
        return False
    return row.baseline is None or 2 * row.amount <= row.baseline


def is_fenced(row: Redemption) -> bool:
    """Tell whether the hold of this row was taken after its redeem was sent."""
    return bool(row.hold_sent_at and row.sent_at and row.hold_sent_at > row.sent_at)


def _may_replay(row: Redemption) -> bool:
    enough = get_conf().timeout + _REPLAY_MARGIN
    return (
        not fits_twice(row)
        and not is_fenced(row)
        and holds.seconds_left(row) >= enough
        # After a refusal that did not say "spent", the balance must tell.
        and not _was_replayed_in_vain(row)
    )


def _was_replayed_in_vain(row: Redemption) -> bool:
    last = journal.last_step(row.pk, Operation.REDEEM)
    return last is not None and last.reason in {"replay_refused", "replay_unknown"}


def _replay(worker: Worker, row: Redemption) -> None:
    with transaction.atomic(durable=True):
        # A request of its own: whatever comes of it settles from now on, also when
        # this worker does not live to see its answer.
        worker.claim.renew()
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.REQUESTED,
            status=S.REDEEMING,
            reason="replay",
            amount=row.amount,
            sent_at=timezone.now(),
        )
    try:
        receipt = _send(worker, row)
    except OutcomeUnknown:
        _write_replay(row, Outcome.UNKNOWN, "replay_unknown")
        raise NotSettledYet from None
    except Refused as error:
        if error.reason is RefusalReason.NOT_ENOUGH_BALANCE:
            _write_applied(row, Proof.REPLAY)
            return
        _write_replay(row, Outcome.UNKNOWN, "replay_refused")
        raise NotSettledYet from None
    except SmartGiftError as error:
        raise Postponed.by(error) from None
    write_receipt(row, receipt)


def _write_replay(row: Redemption, outcome: Outcome, reason: str) -> None:
    settle_at = timezone.now() + timedelta(seconds=get_conf().settle)
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REDEEM,
            outcome,
            status=S.REDEEMING,
            reason=reason,
            amount=row.amount,
            next_look_at=settle_at,
        )


def _write_applied(
    row: Redemption, proof: Proof, *, seen: Decimal | None = None
) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.SUCCEEDED,
            status=S.REDEEMED,
            reason="ids_lost",
            amount=row.amount,
            seen=seen,
            redemption_ids=[],
            proof=proof,
            next_look_at=None,
        )
        outbox.emit("voucher.redeemed", session=row.session, redemption=row)


def _settle_by_balance(worker: Worker, row: Redemption) -> None:
    try:
        state = holds.look(worker, row, lane=Lane.MONEY)
    except Refused as error:
        if error.reason is not RefusalReason.INVALID_SITE:
            # Expired or blocked meanwhile: nothing can be read any more.
            _to_person(row, "unreadable")
            return
        # About our settings and not about the voucher: somebody may yet mend them.
        _wait_longer(row, Postponed.by(error))
        return
    except Postponed as error:
        _wait_longer(row, error)
        return
    # Asked after the answer: a hold that ended on the way kept nobody out.
    held = holds.seconds_left(row) > 0
    _write_look(row, state)
    fallen = (row.baseline or 0) - state.remaining_value
    if fallen == 0:
        _not_fallen(worker, row, held=held)
    elif fallen == value_of(row) and held and not is_fenced(row):
        used_up = state.held is False
        _write_applied(
            row,
            Proof.HOLD if used_up else Proof.BALANCE,
            seen=state.remaining_value,
        )
    else:
        # It moved while nothing of ours kept others away, or by another amount.
        _to_person(row, "balance_moved")


def _wait_longer(row: Redemption, error: Postponed) -> None:
    """Set the next look, or give it to a person when there were enough.

    Raises:
        Postponed: there will be another look.
    """
    if patience.back_off(row, error):
        raise error
    _to_person(row, "unreachable")


def _not_fallen(worker: Worker, row: Redemption, *, held: bool) -> None:
    """The balance is what it was: make sure that it cannot still be taken."""
    late_at = _sent_at(row) + timedelta(seconds=get_conf().late)
    if timezone.now() >= late_at:
        _write_not_applied(row, held=held)
        return
    if held and not is_fenced(row):
        _fence(worker, row)
    patience.look_again(row, late_at)
    raise NotSettledYet


def _fence(worker: Worker, row: Redemption) -> None:
    """Exchange our hold for a new one, so that a late redeem with the old is refused."""
    if not holds.release(worker, row, status=S.REDEEMING):
        return  # The old one stands; the balance under it decides in the end.
    with transaction.atomic(durable=True):
        holds.request(row, holds.FENCING, expected={S.REDEEMING})
    try:
        holds.take(worker, row, holds.FENCING, lane=Lane.MONEY)
    except (holds.VoucherHeld, holds.HoldRefused, Postponed):
        # No fence: the balance after the latest possible moment decides.
        logger.info("No fence could be taken for %s.", row.pk)


def _write_not_applied(row: Redemption, *, held: bool) -> None:
    _fail(row, S.HELD if held else S.LAPSED, "not_applied")


def _write_look(row: Redemption, state: VoucherState) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.CHECK,
            Outcome.SUCCEEDED,
            status=S.REDEEMING,
            seen=state.remaining_value,
        )


def _to_person(row: Redemption, why: str) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.UNKNOWN,
            status=S.NEEDS_ATTENTION,
            reason=why,
            amount=row.amount,
            attention_code=why,
            next_look_at=None,
        )


def _sent_at(row: Redemption) -> datetime:
    if row.sent_at is None:
        raise ValueError("This redeem was never sent.")
    return row.sent_at
