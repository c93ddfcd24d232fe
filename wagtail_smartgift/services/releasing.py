"""Giving a hold back: when it is not needed any more, and for a new one."""

import contextlib
import logging
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from wagtail_smartgift import clock
from wagtail_smartgift.choices import Lane, Operation, Outcome, RedemptionStatus
from wagtail_smartgift.client import (
    OutcomeUnknown,
    RefusalReason,
    Refused,
    SmartGiftError,
)
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import holds, journal, outbox, vault
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import Worker


logger = logging.getLogger(__name__)

S = RedemptionStatus
#: Rows that no longer use a hold but may still own its token.
_DONE_WITH_HOLD = (S.LAPSED, S.RELEASED, S.REFUSED, S.REDEEMED, S.REVERSED)
#: Why a release certainly did not reach Smart Gift.
_NOT_SENT = frozenset({"not_sent", "undecryptable"})
#: Rows that go on while they give their hold back.
_GOES_ON = frozenset({S.REDEEMING, S.REVERSING})


def release(worker: Worker, row: Redemption, *, status: RedemptionStatus) -> bool:
    """Give a hold back and go to ``status``, whatever Smart Gift answers.

    A release that fails costs nothing but time: the hold ends by itself. Its token
    is kept until then, and the next hold of this voucher here releases with it.

    Returns False where it could not be sent, so that the hold still stands.
    """
    if not row.hold_token_encrypted:
        return True
    return _give_back(worker, row, status=status).reason not in _NOT_SENT


def release_to_renew(worker: Worker, row: Redemption) -> None:
    """Give a standing hold back for a new one; until that is taken it is lapsed.

    Raises:
        Postponed: it could not be sent, so the voucher is held as it was.
    """
    answer = _give_back(worker, row, status=S.LAPSED, kept=S.HELD)
    if answer.postponed is not None:
        raise answer.postponed


class _Answer(NamedTuple):
    """What came of a release; ``postponed`` where it may be asked for another time."""

    outcome: Outcome
    reason: str = ""
    postponed: Postponed | None = None


def _give_back(
    worker: Worker,
    row: Redemption,
    *,
    status: RedemptionStatus,
    kept: RedemptionStatus | None = None,
) -> _Answer:
    """Release and go to ``status``, or to ``kept`` where it could not be sent."""
    held_until, ours = row.held_until, holds.seconds_left(row) > 0
    changes: dict[str, Any] = {}
    if status in _GOES_ON:
        # From here on nobody may take a moved balance for our own doing.
        changes = {"held_until": None}
    with transaction.atomic(durable=True):
        journal.record(
            row, Operation.RELEASE, Outcome.REQUESTED, status=status, **changes
        )
    answer = _release(worker, row) if ours else _Answer(Outcome.SUCCEEDED, "over")
    if answer.outcome == Outcome.SUCCEEDED:
        changes = {"hold_token_encrypted": "", "held_until": None}
    elif answer.reason in _NOT_SENT:
        changes = {"held_until": held_until}
    if kept is not None and answer.postponed is not None:
        # Unless another session has claimed the voucher meanwhile.
        with contextlib.suppress(IntegrityError):
            _write_answer(row, answer, status=kept, **changes)
            return answer
    _write_answer(row, answer, status=status, **changes)
    return answer


def _write_answer(
    row: Redemption, answer: _Answer, *, status: RedemptionStatus, **changes: Any
) -> None:
    with transaction.atomic(durable=True):
        journal.record(
            row,
            Operation.RELEASE,
            answer.outcome,
            status=status,
            reason=answer.reason,
            **changes,
        )
        if status == S.RELEASED:
            outbox.emit("voucher.released", session=row.session, redemption=row)


def _release(worker: Worker, row: Redemption) -> _Answer:
    try:
        worker.client().release(
            voucher_no=vault.voucher_number(row),
            hold_token=vault.hold_token(row),
            lane=Lane.MONEY,
        )
    except Refused as error:
        if error.reason is RefusalReason.NOT_HELD:
            return _Answer(Outcome.SUCCEEDED, "not_held")
        return _Answer(Outcome.FAILED, "refused")
    except OutcomeUnknown:
        return _Answer(Outcome.UNKNOWN, "no_answer")
    except SmartGiftError as error:
        return _Answer(Outcome.FAILED, "not_sent", Postponed.by(error))
    except Postponed as error:
        return _Answer(Outcome.FAILED, "not_sent", error)
    except UndecryptableError:
        logger.error("The hold of %s cannot be given back with our keys.", row.pk)
        return _Answer(Outcome.FAILED, "undecryptable")
    return _Answer(Outcome.SUCCEEDED)


def release_leftovers(worker: Worker, fingerprint: str) -> None:
    """Release what earlier uses of this voucher may still hold in our name.

    A redemption that is over, or a release whose answer was lost, leaves a token
    behind; with it a customer need not wait five minutes for their own voucher.
    """
    leftovers = Redemption.objects.filter(
        PaymentSession.bound_to([worker.account], prefix="session__"),
        fingerprint=fingerprint,
        status__in=_DONE_WITH_HOLD,
        held_until__gt=clock.now(),
    ).exclude(hold_token_encrypted="")
    for row in leftovers:
        try:
            release(worker, row, status=S(row.status))
        except journal.Stale:
            logger.info("A leftover hold was being worked on elsewhere.")
