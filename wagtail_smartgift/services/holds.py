"""Claiming a whole voucher for five minutes.

A hold has no amount and no renewal: to prolong one is to release it and take it
anew, with a gap in which a till may be faster. The token is shown once, so it is
committed before anything else happens; when the answer was lost, the hold (if any)
can only be waited out.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from wagtail_smartgift import capabilities, clock
from wagtail_smartgift.choices import (
    LIVE_REDEMPTION_STATUSES,
    Lane,
    Operation,
    Outcome,
    RedemptionStatus,
)
from wagtail_smartgift.client import (
    Filters,
    HoldReceipt,
    OutcomeUnknown,
    RefusalReason,
    Refused,
    SmartGiftError,
    VoucherState,
)
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import Redemption
from wagtail_smartgift.services import journal, vault
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import ForeignRow, Worker, account_of


logger = logging.getLogger(__name__)

#: Smart Gift's docs, /redeem/hold: a hold lasts five minutes.
HOLD_SECONDS = 300
#: Seconds by which we take a hold to end early: clocks differ.
DEADLINE_MARGIN = 5
#: How often a call is made before it counts as not answered.
ATTEMPTS = 3

S = RedemptionStatus


class VoucherHeld(Exception):
    """Somebody else holds the voucher; ``until`` is when that ends, if known.

    With ``is_ours`` it is most likely we: a hold for this payment whose answer was lost.
    """

    def __init__(self, until: datetime | None = None, *, is_ours: bool = False) -> None:
        self.until = until
        self.is_ours = is_ours
        super().__init__()

    @property
    def retry_after(self) -> float:
        """Seconds until the hold ends; a whole hold when that is not known."""
        if self.until is None:
            return HOLD_SECONDS
        seconds = (self.until - clock.now()).total_seconds()
        return min(max(1.0, seconds), HOLD_SECONDS + DEADLINE_MARGIN)


class HoldRefused(Exception):
    """The voucher cannot be held at all: unknown, foreign, expired, empty."""


@dataclass(frozen=True)
class Stay:
    """The statuses of a row while it takes a hold, and where that leads."""

    meanwhile: RedemptionStatus
    success: RedemptionStatus
    #: Held by somebody else, or not asked: there may be another time.
    failed: RedemptionStatus
    #: Refused for good.
    unusable: RedemptionStatus


#: A voucher that is added, and one that lapsed and is taken again.
ADDING = Stay(S.HOLDING, success=S.HELD, failed=S.REFUSED, unusable=S.REFUSED)
RETAKING = Stay(S.HOLDING, success=S.HELD, failed=S.LAPSED, unusable=S.REFUSED)
#: A new hold as a fence round a redeem that nobody knows the outcome of.
FENCING = Stay(S.REDEEMING, S.REDEEMING, S.REDEEMING, S.REDEEMING)
#: A hold before a reversal whose rest is redeemed again.
REVERSING = Stay(S.REVERSING, S.REVERSING, S.REVERSING, S.REVERSING)


def seconds_left(row: Redemption, *, now: datetime | None = None) -> float:
    """Return how long our hold certainly still stands; 0 without one."""
    if row.held_until is None or not row.hold_token_encrypted:
        return 0.0
    return max(0.0, (row.held_until - (now or clock.now())).total_seconds())


def is_of_another_time(row: Redemption, *, now: datetime | None = None) -> bool:
    """Tell whether the database's clock was set back since our hold was asked for.

    It may still stand, and is to be given back; for how long nobody knows.
    """
    latest = (now or clock.now()) + timedelta(seconds=DEADLINE_MARGIN)
    return row.hold_sent_at is not None and row.hold_sent_at > latest


def deadline(
    sent_at: datetime,
    state: VoucherState | None = None,
    *,
    lasts: int = HOLD_SECONDS,
) -> datetime:
    """Return when a hold asked for at ``sent_at`` ends for us.

    Five minutes from before it was sent, less where a probe has found that it lasts
    less (``lasts``), or what Smart Gift says where that is earlier and carries an
    offset (or has got one: ``zoned``); in all cases a little early.
    """
    ours = sent_at + timedelta(seconds=lasts)
    theirs = state.held_until if state is not None else None
    if theirs is not None and theirs.tzinfo is not None and _is_soon(theirs, state):
        if state is not None and state.answered_at is not None:
            # Their clock may be off: count what it says is left from our own.
            theirs = clock.now() + (theirs - state.answered_at)
        # A hold that is shown, and over, is a clock or a time zone gone wrong.
        if theirs > clock.now():
            ours = min(ours, theirs)
    return ours - timedelta(seconds=DEADLINE_MARGIN)


def zoned(account: Account, state: VoucherState) -> VoucherState:
    """Give the end of a hold its time zone, where a probe has found that out.

    Clocks that were put forward or back since make it wrong by a quarter of an hour at
    least. No hold lasts so long: what cannot be the end of one stays without a zone, and
    is not believed.
    """
    until = state.held_until
    if until is None or until.tzinfo is not None:
        return state
    until = capabilities.of(account).with_zone(until)
    now = state.answered_at or clock.now()
    if until.tzinfo is None or not (
        now <= until <= now + timedelta(seconds=2 * HOLD_SECONDS)
    ):
        return state
    return state.model_copy(update={"held_until": until})


def _is_soon(held_until: datetime, state: VoucherState | None) -> bool:
    """Tell whether this can be the end of a hold at all: a far one cannot."""
    answered = state.answered_at if state is not None else None
    return abs(held_until - (answered or clock.now())) < timedelta(days=1)


def rivals(fingerprint: str, *, but: Redemption | None = None) -> list[Redemption]:
    """Return the rows that use this voucher in this shop now (one at the most)."""
    rows = Redemption.objects.select_related("session").filter(
        fingerprint=fingerprint, status__in=LIVE_REDEMPTION_STATUSES
    )
    return list(rows if but is None else rows.exclude(pk=but.pk))


def held_by_rivals(fingerprint: str, *, but: Redemption | None = None) -> "VoucherHeld":
    """Return the refusal for a voucher that another session has, with its end."""
    now = clock.now()
    ends = [hold_ends(rival) for rival in rivals(fingerprint, but=but)]
    # One that is over and still there is not ours to end, so nobody knows when it will.
    return VoucherHeld(
        max((end for end in ends if end is not None and end > now), default=None)
    )


def claim_again(row: Redemption, stay: Stay) -> None:
    """T1 of a row that is not live: claim the voucher and ask for its hold.

    Raises:
        VoucherHeld: another session of this shop has taken it meanwhile.
        Stale: somebody else changed the row.
    """
    for rival in rivals(row.fingerprint, but=row):
        lapse(rival)
    try:
        with transaction.atomic(durable=True):
            request(row, stay, expected={S.LAPSED, S.HOLDING})
    except IntegrityError:
        raise held_by_rivals(row.fingerprint, but=row) from None


def request(
    row: Redemption, stay: Stay, *, expected: Collection[RedemptionStatus]
) -> None:
    """T1: write down that a hold is about to be asked for."""
    journal.record(
        row,
        Operation.HOLD,
        Outcome.REQUESTED,
        status=stay.meanwhile,
        expected=expected,
        hold_token_encrypted="",
        hold_sent_at=clock.now(),
        their_hold_at=None,
        held_until=None,
    )


def take(worker: Worker, row: Redemption, stay: Stay, *, lane: Lane) -> None:
    """Hold a voucher whose request is already in the journal, and keep the token.

    Raises:
        VoucherHeld: somebody else has it, or our own lost hold has.
        HoldRefused: it cannot be held.
        Postponed: it could not be asked for; nothing is held, as far as we know.
    """
    lost = False
    # Asked before, so that nothing comes between the answer and its token's being kept.
    lasts = capabilities.of(worker.account).hold_lasts(HOLD_SECONDS)
    for attempt in range(ATTEMPTS):
        sent_at = clock.now()
        try:
            receipt = worker.client().hold(
                voucher_no=vault.voucher_number(row), lane=lane
            )
        except OutcomeUnknown as error:
            lost = True
            _write_lost(row, stay, sent_at)
            if attempt + 1 == ATTEMPTS or worker.box.left() <= 0:
                raise Postponed.by(error) from None
        except Refused as error:
            if error.reason is RefusalReason.ALREADY_HELD:
                if lost:
                    # Most likely ours, and its token is lost: wait it out.
                    raise VoucherHeld(row.held_until, is_ours=True) from None
                _write_failure(row, stay.failed, "held")
                raise VoucherHeld from None
            _write_failure(row, stay.unusable, "unusable")
            raise HoldRefused from None
        except SmartGiftError as error:
            if lost:
                raise Postponed.by(error, tried=True) from None
            _write_failure(row, stay.failed, "not_sent")
            raise Postponed.by(error) from None
        except Postponed:
            if not lost:
                _write_failure(row, stay.failed, "not_sent")
            raise
        except UndecryptableError:
            logger.error("The number of %s cannot be read with our keys.", row.pk)
            _write_failure(row, stay.unusable, "undecryptable")
            raise HoldRefused from None
        else:
            _write_token(row, stay, receipt, deadline(sent_at, lasts=lasts), sent_at)
            return


def _write_token(
    row: Redemption,
    stay: Stay,
    receipt: HoldReceipt,
    until: datetime,
    sent_at: datetime,
) -> None:
    changes: dict[str, Any] = {"baseline": None} if stay.success == S.HELD else {}
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.HOLD,
            Outcome.SUCCEEDED,
            status=stay.success,
            hold_token_encrypted=vault.seal(receipt.hold_token),
            hold_sent_at=sent_at,
            their_hold_at=_credible(receipt.answered_at, sent_at),
            held_until=until,
            **changes,
        )


def _credible(answered_at: datetime | None, sent_at: datetime) -> datetime | None:
    """Return what Smart Gift's clock said, unless nobody could reckon by it."""
    if answered_at is None or abs(answered_at - sent_at) > timedelta(days=1):
        return None
    return answered_at


def _write_lost(row: Redemption, stay: Stay, sent_at: datetime) -> None:
    # The token is gone; until then the voucher may be held in our name.
    until = sent_at + timedelta(seconds=HOLD_SECONDS + DEADLINE_MARGIN)
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.HOLD,
            Outcome.UNKNOWN,
            status=stay.meanwhile,
            reason="no_answer",
            held_until=until,
        )


def _write_failure(row: Redemption, status: RedemptionStatus, reason: str) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.HOLD,
            Outcome.FAILED,
            status=status,
            reason=reason,
            held_until=None,
        )


def filters_for(classifications: Sequence[str]) -> Filters | None:
    """Return what a look asks for where only some experiences can be used."""
    return Filters(classifications=tuple(classifications)) if classifications else None


def look(
    worker: Worker, row: Redemption, *, lane: Lane, filters: Filters | None = None
) -> VoucherState:
    """Check the voucher; reading is safe, so a lost answer is asked for again.

    ``filters`` choose what is offered to a customer. A look that decides what became
    of a redeem has none: it is about the voucher, and not about what may be used here.

    Raises:
        Refused: Smart Gift says no (the caller knows what that means here).
        Postponed: no answer was to be had.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _check(worker, row, lane, filters)
        except Refused:
            raise
        except OutcomeUnknown as error:
            if attempt == ATTEMPTS:
                raise Postponed.by(error) from None
        except SmartGiftError as error:
            raise Postponed.by(error, tried=attempt > 1) from None
    raise AssertionError("unreachable")


def _check(
    worker: Worker, row: Redemption, lane: Lane, filters: Filters | None
) -> VoucherState:
    state = worker.client().check(
        voucher_no=vault.voucher_number(row),
        site_id=worker.site_id,
        filters=filters,
        lane=lane,
    )
    return zoned(worker.account, state)


def hold_ends(row: Redemption) -> datetime | None:
    """Return when a hold that this row has, or may have, is over at the latest.

    A worker that died between asking and writing the answer leaves no deadline;
    the hold that it may have got began when it was asked for.
    """
    if row.held_until is not None or row.hold_sent_at is None:
        return row.held_until
    return row.hold_sent_at + timedelta(seconds=HOLD_SECONDS + DEADLINE_MARGIN)


def lapse(row: Redemption) -> bool:
    """Move a hold past its deadline to ``lapsed``; anybody who meets one may.

    But for a row of another key or address: on a copy of the production database it
    may be the original's, whose picture must not change here.

    Returns whether this call did it.
    """
    ends = hold_ends(row)
    if row.status not in {S.HELD, S.HOLDING} or ends is None or ends > clock.now():
        return False
    try:
        account_of(row.session)
    except ForeignRow:
        return False
    try:
        with transaction.atomic(durable=True):
            journal.record(
                row,
                Operation.LAPSE,
                Outcome.SUCCEEDED,
                # A first hold whose answer was lost never became the customer's.
                status=S.LAPSED if row.balance is not None else S.REFUSED,
                hold_token_encrypted="",
                held_until=None,
            )
    except journal.Stale:
        return False
    return True
