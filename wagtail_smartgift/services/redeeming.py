"""Spending a voucher under its hold, exactly once.

One call, in three parts, and what each of its answers means. A redeem whose answer was
lost is never simply sent again; ``settling`` finds out what became of it.
"""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, transaction

from wagtail_smartgift import clock
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
)
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services import (
    journal,
    outbox,
    sessions,
    their_clock,
    vault,
)
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import Worker


logger = logging.getLogger(__name__)

S = RedemptionStatus
#: In these a session redeems; it is being driven, and will see a late answer itself.
REDEEMS_IN = frozenset({SessionStatus.CONFIRMING, SessionStatus.REFUNDING})
#: What is written of a refusal. Beside an unknown outcome each of them contradicts what
#: we had read under our own hold: see ``_write_refusal``.
HOLD_GONE, SHORTFALL, REFUSED = "hold_gone", "shortfall", "refused"
CONTRADICTIONS = frozenset({HOLD_GONE, SHORTFALL, REFUSED})


class NotRedeemed(Exception):
    """Nothing was taken; ``code`` says what the shop is told.

    ``held_for`` is given where somebody else holds the voucher: the seconds until
    that ends.
    """

    def __init__(self, code: str, *, held_for: float | None = None) -> None:
        self.code = code
        self.held_for = held_for
        super().__init__(code)


class InDoubt(Exception):
    """It was sent, and it is not sure what became of it: see ``settling``."""


def value_of(row: Redemption) -> Decimal:
    """Return what is sent as ``value``: money, or the sum of chosen bit values."""
    return Decimal(sum(row.experiences)) if row.is_experience else row.amount


def sent_at(row: Redemption) -> datetime:
    """Return when this redeem was last asked for."""
    if row.sent_at is None:
        raise ValueError("This redeem was never sent.")
    return row.sent_at


def redeem(worker: Worker, row: Redemption) -> None:
    """Redeem a held and checked voucher for its allocated amount.

    Raises:
        NotRedeemed: refused, nothing was taken.
        Postponed: not sent, nothing was taken; the row is held as before.
        InDoubt: sent, and nobody knows what became of it.
        Claimed: another worker has taken the session over, or it is not to redeem any
            more; nothing was sent.
        Stale: another worker has moved the row on.
    """
    with transaction.atomic(durable=True):
        # The fence against a worker that slept through the end of its claim, and against
        # one that opens the session again under this one.
        worker.claim.renew(expected=REDEEMS_IN)
        now = clock.now()
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.REQUESTED,
            status=S.REDEEMING,
            expected={S.HELD},
            amount=row.amount,
            seen=row.baseline,
            attempt=row.attempt + 1,
            sent_at=now,
            their_sent_at=their_clock.time_there(row, now),
            redemption_ids=[],
            proof="",
            looks=0,
            next_look_at=None,
        )
    try:
        receipt = send(worker, row)
    except OutcomeUnknown as error:
        _write_unknown(row, error.operation)
        raise InDoubt from None
    except Refused as error:
        _write_refusal(row, error)
    except (SmartGiftError, Postponed) as error:
        write_not_sent(row)
        if isinstance(error, SmartGiftError):
            raise Postponed.by(error) from None
        raise
    else:
        write_receipt(row, receipt)


def send(worker: Worker, row: Redemption) -> RedeemReceipt:
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
            and session.status in REDEEMS_IN
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
        if not wanted and session.status not in REDEEMS_IN:
            sessions.hand_over(session, "late_answer")
            outbox.emit("session.needs_attention", session=session)
    row.refresh_from_db()


def _write_unknown(row: Redemption, why: str) -> None:
    try:
        with transaction.atomic(durable=True):
            journal.record(
                row,
                Operation.REDEEM,
                Outcome.UNKNOWN,
                status=S.REDEEMING,
                reason="no_answer",
                amount=row.amount,
            )
    except journal.Stale:
        write_overtaken(row)
        raise
    finally:
        logger.warning("The outcome of a %s of %s is unknown.", why, row.pk)


def write_overtaken(row: Redemption) -> None:
    """Keep that a request has had no answer whose row others have moved on meanwhile.

    Where they are still finding out what became of it, or know that it was applied, it
    is no news. Else they have decided that it was not, while it was on its way: it may
    have been applied since, perhaps beside another attempt, and only a person can see.
    """
    with transaction.atomic(durable=True):
        session = sessions.touch(row.session_id)
        current = Redemption.objects.get(pk=row.pk)
        same = current.attempt == row.attempt
        if same and current.status in {S.REDEEMING, S.REDEEMED, S.NEEDS_ATTENTION}:
            return
        journal.record(
            current,
            Operation.REDEEM,
            Outcome.UNKNOWN,
            status=S.NEEDS_ATTENTION,
            reason="late_answer",
            amount=row.amount,
            attention_code="late_answer",
            next_look_at=None,
        )
        if session.status != SessionStatus.NEEDS_ATTENTION:
            sessions.hand_over(session, "late_answer")
            outbox.emit("session.needs_attention", session=session)
    logger.error("A redeem of %s was overtaken, and its answer is lost.", row.pk)


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
    """T2 of a first answer that is a refusal.

    It is sure that *this* request took nothing. But between us and Smart Gift there may
    be something that sends a request twice, and answers with what the second one was
    told. The hold was ours and the money was there, so whatever the refusal says of
    either came about in between: by our own spending, as far as anybody knows. The
    balance is looked at before it is believed.

    Raises:
        NotRedeemed: there never was so much on it; nothing was taken.
        InDoubt: ``settling`` looks.
    """
    if error.reason in {RefusalReason.ALREADY_HELD, RefusalReason.NOT_HELD}:
        reason = HOLD_GONE
    elif error.reason is RefusalReason.NOT_ENOUGH_BALANCE:
        reason = SHORTFALL
    else:
        reason = REFUSED
    if row.baseline is None or value_of(row) > row.baseline:
        # Still held by us: what is really on it is read before it counts again.
        fail(row, S.HELD, SHORTFALL, baseline=None)
        raise NotRedeemed(SHORTFALL)
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.UNKNOWN,
            status=S.REDEEMING,
            reason=reason,
            amount=row.amount,
        )
    logger.info("A redeem of %s was refused (%s), and is looked at.", row.pk, reason)
    raise InDoubt


def fail(
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
