"""Finding out what became of a redeem that nobody answered.

In this order: send it again where a second application cannot fit; else wait until it
has settled and look at the balance under our hold; else fence it with a new hold and
look again; else a person decides. How long the fence has to stand, and what a fallen
balance proves, depends on what a probe has found out (``capabilities``); where nothing
is known, on the worst that can be.
"""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction

from wagtail_smartgift import capabilities, clock
from wagtail_smartgift.capabilities import Capabilities
from wagtail_smartgift.choices import (
    Lane,
    Operation,
    Outcome,
    Proof,
    RedemptionStatus,
)
from wagtail_smartgift.client import (
    OutcomeUnknown,
    RefusalReason,
    Refused,
    SmartGiftError,
    VoucherState,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services import (
    fencing,
    holds,
    journal,
    outbox,
    patience,
    redeeming,
    their_clock,
)
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import Worker


S = RedemptionStatus
#: Seconds that must be left of a hold, beyond a call's deadline, to replay in it.
_REPLAY_MARGIN = 5


class NotSettledYet(Postponed):
    """What became of it cannot be known yet; the sweep will look again."""

    def __init__(self) -> None:
        super().__init__("smartgift_unavailable")


def settle(worker: Worker, row: Redemption) -> None:
    """Find out what became of a redeem without an answer, as far as it is time to.

    Leaves the row redeemed, held again (not applied), lapsed (not applied and the
    hold is over), or with a person.

    Raises:
        NotRedeemed: it was refused, and the balance says so, too.
        NotSettledYet: it is too early to know; ``next_look_at`` says when.
        Postponed: Smart Gift could not be asked.
    """
    _note_death(row)
    known = capabilities.of(worker.account)
    if _may_replay(row, known):
        _replay(worker, row, known)
        return
    settled_at = redeeming.sent_at(row) + timedelta(seconds=get_conf().settle)
    # A refusal was answered: whatever was the reason for it has happened before.
    if not _refusal(row) and clock.now() < settled_at:
        patience.look_again(row, settled_at)
        raise NotSettledYet
    if patience.is_early(row):
        raise NotSettledYet
    _settle_by_balance(worker, row, known)


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


def _fits_twice(row: Redemption) -> bool:
    """Tell whether a second application of this redeem could be accepted.

    An experience is a flag that is used up, and of money more than half of what
    was there cannot be taken twice.
    """
    if row.is_experience:
        return False
    return row.baseline is None or 2 * row.amount <= row.baseline


def _may_replay(row: Redemption, known: Capabilities) -> bool:
    enough = get_conf().timeout + _REPLAY_MARGIN
    return (
        not _fits_twice(row)
        and not fencing.is_fenced(row)
        and holds.seconds_left(row) >= enough
        and not holds.is_of_another_time(row)
        # After a refusal that did not say "spent", the balance must tell.
        and not _was_replayed_in_vain(row)
        # Where holds keep nobody out, a till may be why it is spent.
        and not known.holds_are_porous
    )


def _was_replayed_in_vain(row: Redemption) -> bool:
    last = journal.last_step(row.pk, Operation.REDEEM)
    in_vain = {"replay_refused", "replay_unknown", *redeeming.CONTRADICTIONS}
    return last is not None and last.reason in in_vain


def _refusal(row: Redemption) -> str:
    """Return how its first answer contradicts what was read under our hold, if it does."""
    last = journal.last_step(row.pk, Operation.REDEEM)
    is_unknown = last is not None and last.outcome == Outcome.UNKNOWN
    if last is None or not is_unknown or last.reason not in redeeming.CONTRADICTIONS:
        return ""
    return last.reason


def _replay(worker: Worker, row: Redemption, known: Capabilities) -> None:
    with transaction.atomic(durable=True):
        # A request of its own: whatever comes of it settles from now on, also when
        # this worker does not live to see its answer.
        worker.claim.renew(expected=redeeming.REDEEMS_IN)
        now = clock.now()
        journal.record(
            row,
            Operation.REDEEM,
            Outcome.REQUESTED,
            status=S.REDEEMING,
            reason="replay",
            amount=row.amount,
            sent_at=now,
            their_sent_at=their_clock.time_there(row, now),
        )
    try:
        receipt = redeeming.send(worker, row)
    except OutcomeUnknown:
        try:
            _write_replay(row, Outcome.UNKNOWN, "replay_unknown")
        except journal.Stale:
            redeeming.write_overtaken(row)
            raise
        raise NotSettledYet from None
    except Refused as error:
        # It is our redeem that has spent it, as long as our hold kept others away.
        lasts = known.hold_lasts(holds.HOLD_SECONDS)
        over = their_clock.is_over(row, error.answered_at, lasts)
        if error.reason is RefusalReason.NOT_ENOUGH_BALANCE and not over:
            _write_applied(row, Proof.REPLAY)
            return
        _write_replay(row, Outcome.UNKNOWN, "replay_refused")
        raise NotSettledYet from None
    except SmartGiftError as error:
        raise Postponed.by(error) from None
    redeeming.write_receipt(row, receipt)


def _write_replay(row: Redemption, outcome: Outcome, reason: str) -> None:
    settle_at = clock.now() + timedelta(seconds=get_conf().settle)
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


def _settle_by_balance(worker: Worker, row: Redemption, known: Capabilities) -> None:
    # Before the question: whatever comes after it is not in the answer.
    asked_at = clock.now()
    try:
        state = holds.look(worker, row, lane=Lane.MONEY)
    except Refused as error:
        about_us = error.reason is RefusalReason.INVALID_SITE or error.status != 422
        if not about_us:
            _cannot_be_read(row)
            return
        # About our settings or what lies in between (a proxy that takes no request of
        # this kind), and not about the voucher: somebody may yet mend that.
        _wait_longer(row, Postponed.by(error))
        return
    except Postponed as error:
        _wait_longer(row, error)
        return
    # Asked after the answer: a hold that ended on the way kept nobody out.
    lasts = known.hold_lasts(holds.HOLD_SECONDS)
    held = holds.seconds_left(row) > 0 and not their_clock.is_over(
        row, state.answered_at, lasts
    )
    _write_look(row, state)
    fallen = (row.baseline or 0) - state.remaining_value
    ours = held and not fencing.is_fenced(row) and _is_our_doing(state, known)
    refused = _refusal(row)
    # A refusal is the better witness, unless our hold is known to stand after a redeem.
    proves = not refused or known.redeem_ends_hold is False
    if refused and fallen >= 0 and not _has_lost_ours(row, state):
        _write_refused(worker, row, known, held=held, fallen=fallen)
    elif fallen == 0:
        _not_fallen(worker, row, state, known, held=held, asked_at=asked_at)
    elif ours and state.held is False and _has_lost_ours(row, state):
        _write_applied(row, Proof.HOLD, seen=state.remaining_value)
    elif ours and proves and fallen == redeeming.value_of(row):
        _write_applied(row, Proof.BALANCE, seen=state.remaining_value)
    else:
        # It moved while nothing of ours kept others away, or by another amount.
        _to_person(row, "balance_moved")


def _cannot_be_read(row: Redemption) -> None:
    """Smart Gift refuses to tell what is on the voucher: expired or blocked meanwhile.

    Raises:
        NotRedeemed: it refused to redeem it as well, and not for want of money.
    """
    if _refusal(row) == redeeming.REFUSED:
        redeeming.fail(row, S.REFUSED, redeeming.REFUSED)
        raise redeeming.NotRedeemed("hold_lost")
    _to_person(row, "unreadable")


def _write_refused(
    worker: Worker,
    row: Redemption,
    known: Capabilities,
    *,
    held: bool,
    fallen: Decimal,
) -> None:
    """It was refused, and what it asked for is on the voucher still, or never was ours.

    Where our hold is said to be gone, a new one is taken and the balance compared with
    what it was under the old one, before the next attempt.

    Raises:
        NotRedeemed: another attempt would be refused, too.
    """
    why = _refusal(row)
    if why == redeeming.REFUSED:
        redeeming.fail(row, S.REFUSED, why)
        raise redeeming.NotRedeemed("hold_lost")
    if why == redeeming.SHORTFALL:
        # What is really on it is read before it counts again.
        redeeming.fail(row, S.HELD if held else S.LAPSED, why, baseline=None)
        raise redeeming.NotRedeemed("shortfall")
    if not fencing.is_fenced(row) and not fallen:
        fencing.fence(worker, row)
        if fencing.is_fenced(row) and holds.seconds_left(row) > 0:
            _settle_by_balance(worker, row, known)
            return
        # The old hold went for the sake of a fence that was not to be had.
        held = holds.seconds_left(row) > 0
    if held and fencing.is_fenced(row):
        redeeming.fail(row, S.HELD, why, baseline=None if fallen else row.baseline)
    else:
        redeeming.fail(row, S.LAPSED, why)


def _has_lost_ours(row: Redemption, state: VoucherState) -> bool:
    """Tell whether what we asked for is gone from the voucher, others' share aside.

    A hold that is over before its time was used up by our redeem: nothing else ends
    one that we did not give back. From then on a till may have taken more.
    """
    before, now = row.baseline or Decimal(0), state.remaining_value
    if row.is_experience:
        return not int(now) & sum(row.experiences)
    return before - now >= row.amount


def _wait_longer(row: Redemption, error: Postponed) -> None:
    """Set the next look, or give it to a person when there were enough.

    Raises:
        Postponed: there will be another look.
    """
    if patience.back_off(row, error):
        raise error
    _to_person(row, "unreachable")


def _is_our_doing(state: VoucherState, known: Capabilities) -> bool:
    """Tell whether a balance that fell under our hold fell by our redeem.

    That is what a hold is for. A probe may have seen that holds keep nobody out, or
    that a redeem leaves its hold standing: one that is gone all the same was ended by
    something else, and others may have come between.
    """
    gone_without_us = known.redeem_ends_hold is False and state.held is False
    return not (known.holds_are_porous or gone_without_us)


def _not_fallen(
    worker: Worker,
    row: Redemption,
    state: VoucherState,
    known: Capabilities,
    *,
    held: bool,
    asked_at: datetime,
) -> None:
    """The balance is what it was: make sure that it cannot still be taken."""
    decided_from = fencing.decided_from(row, known, held=held)
    if asked_at >= decided_from:
        early = their_clock.early(row, state.answered_at, decided_from)
        if early and patience.doubt_clock(row, early):
            raise NotSettledYet
        _write_not_applied(row, held=held)
        return
    if held and not fencing.is_fenced(row):
        fencing.fence(worker, row)
        held = holds.seconds_left(row) > 0
    patience.look_again(row, fencing.decided_from(row, known, held=held))
    raise NotSettledYet


def _write_not_applied(row: Redemption, *, held: bool) -> None:
    redeeming.fail(row, S.HELD if held else S.LAPSED, "not_applied")


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
