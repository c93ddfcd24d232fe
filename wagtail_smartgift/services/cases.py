"""Settling what no rule can decide: a person says what happened, and it goes on.

A verdict is written like any other step: a conditional UPDATE of the row that the person
has seen, an event of the journal with who said so and why, and the payment's or order's
next status, in one transaction. So of two people one is told that somebody was faster,
and a crash leaves either the case or its verdict. From there the rules go on, at once or
by the sweep: nothing here asks Smart Gift to move anything.

``evidence`` says which verdicts there are for a case.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from wagtail.log_actions import log

from wagtail_smartgift import clock
from wagtail_smartgift.choices import (
    AttentionReason,
    Operation,
    Outcome,
    Proof,
    RedemptionStatus,
    SessionStatus,
    Verdict,
)
from wagtail_smartgift.ledger import PENDING
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.redaction import Secret, hidden
from wagtail_smartgift.services import (
    attention,
    evidence,
    holds,
    journal,
    numbers,
    outbox,
    progress,
    reversing,
    sessions,
)
from wagtail_smartgift.services.claims import Claimed
from wagtail_smartgift.services.evidence import Case, Question
from wagtail_smartgift.services.timebox import Postponed, TimeBox
from wagtail_smartgift.services.worker import ForeignRow, account_of, at_work


logger = logging.getLogger(__name__)

S, Status = RedemptionStatus, SessionStatus
ZERO = Decimal("0.00")
#: Name of a verdict in Wagtail's log.
SETTLE_ACTION = "wagtail_smartgift.settle"


class Moved(Exception):
    """Somebody settled it before, or it has moved on by itself: look again."""


class NotSettled(Exception):
    """A verdict that cannot be taken; ``problem`` says why, in a word of ours."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


@dataclass(frozen=True)
class Step:
    """What a verdict makes of a row."""

    status: RedemptionStatus
    #: What of it stands redeemed from then on.
    stands: Decimal = ZERO
    changes: dict[str, Any] = field(default_factory=dict)
    event: str = ""
    #: What is redeemed again, since more was given back than was asked for.
    rest: Decimal = ZERO


def settle(
    *,
    redemption_id: UUID,
    verdict: Verdict,
    seen: str,
    user: Any,
    note: str,
    redemption_ids: Sequence[int | str] = (),
) -> PaymentSession:
    """Write down what a person says of one voucher, and let the payment go on.

    ``seen`` is the ``version`` of the case that they were shown.

    Raises:
        Moved: it is not what they were shown any more; nothing was written.
        NotSettled: ``not_offered``, ``ids_needed``, ``ids_of_another``, ``number_in_note``,
            ``number_as_id``, ``foreign``, ``in_use`` (another payment is using the voucher right now).
    """
    note = Secret(note)
    row = _find(redemption_id)
    _require_ours(row.session)
    _refuse_numbers_in(note, row.session, redemption_ids)
    if verdict is Verdict.REVERSED:
        # A rest claims the voucher; a hold that is long over must not be in its way.
        for rival in holds.rivals(row.fingerprint, but=row):
            holds.lapse(rival)
    try:
        with transaction.atomic(durable=True):
            session = _lock(row.session_id, seen)
            case = evidence.of(_find(redemption_id), session)
            if case is None or case.version != seen:
                raise Moved
            step = plan(case, verdict, tuple(redemption_ids))
            _write(case, step, verdict, actor=user.get_username(), note=str(note))
            session = _go_on(session)
            _log(session, user, verdict, note, voucher=case.row.display_code)
    except journal.Stale:
        raise Moved from None
    except IntegrityError:
        raise NotSettled("in_use") from None
    return _drive(session)


def go_on(*, session_id: UUID, seen: int | str, user: Any, note: str) -> PaymentSession:
    """Let a payment go on in which nothing is left to decide.

    Raises:
        Moved: it is not what was shown any more.
        NotSettled: ``not_offered`` (something is to be decided), ``foreign``.
    """
    note = Secret(note)
    session = PaymentSession.objects.filter(pk=session_id).first()
    if session is None:
        raise Moved
    _require_ours(session)
    _refuse_numbers_in(note, session)
    try:
        with transaction.atomic(durable=True):
            session = _lock(session_id, str(seen))
            if session.status != Status.NEEDS_ATTENTION:
                raise Moved
            if evidence.of_session(session):
                raise NotSettled("not_offered")
            session = _go_on(session)
            _log(session, user, Verdict.GO_ON, note)
    except journal.Stale:
        raise Moved from None
    return _drive(session)


def _refuse_numbers_in(
    note: str, session: PaymentSession, ids: Sequence[int | str] = ()
) -> None:
    """Refuse the number of any voucher of the payment in what a person has typed."""
    note = Secret(note)
    known = hidden(numbers.known(session.redemptions.all()))
    if numbers.are_in([note], known):
        raise NotSettled("number_in_note")
    if numbers.are_among(ids, known):
        raise NotSettled("number_as_id")


def _find(redemption_id: UUID) -> Redemption:
    row = Redemption.objects.select_related("session").filter(pk=redemption_id).first()
    if row is None:
        raise Moved
    return row


def _require_ours(session: PaymentSession) -> None:
    """Refuse what was made with another key or address: a copy settles nothing."""
    try:
        account_of(session)
    except ForeignRow:
        raise NotSettled("foreign") from None


def _lock(session_id: UUID, seen: str) -> PaymentSession:
    """Lock the payment, as the person saw it: its version is the first of ``seen``."""
    session = sessions.touch(session_id)
    # ``touch`` has counted itself.
    if str(session.version - 1) != seen.partition(".")[0]:
        raise Moved
    session.version -= 1
    return session


# -- what a verdict makes of a row -----------------------------------------------


def plan(case: Case, verdict: Verdict, ids: tuple[int | str, ...] = ()) -> Step:
    """Return what a verdict makes of a case; nothing is written.

    Raises:
        NotSettled: see ``settle``.
    """
    if verdict not in case.verdicts:
        raise NotSettled("not_offered")
    if verdict is Verdict.IDS_ARE and not ids:
        raise NotSettled("ids_needed")
    _refuse_others_ids(case.row, ids)
    if verdict in {Verdict.REDEEMED, Verdict.GIVE_BACK}:
        return _redeemed(case, ids)
    if verdict in {Verdict.NOT_REDEEMED, Verdict.TRY_REST}:
        return _not_redeemed(case, verdict)
    if verdict in {Verdict.NOT_REVERSED, Verdict.IDS_ARE}:
        return _still_redeemed(case, ids or tuple(case.row.redemption_ids))
    if verdict is Verdict.EXTRA_REVERSED:
        return _still_redeemed(case, _ids_before(case), amount=case.taken_before)
    return _given_back(case, verdict)


def _refuse_others_ids(row: Redemption, ids: tuple[int | str, ...]) -> None:
    """Refuse ids of another redemption of this voucher: reversing those robs somebody."""
    if not ids:
        return
    wanted = {str(one) for one in ids}
    rivals = Redemption.objects.filter(fingerprint=row.fingerprint).exclude(pk=row.pk)
    for others in rivals.values_list("redemption_ids", flat=True):
        if wanted & {str(one) for one in others}:
            raise NotSettled("ids_of_another")


def _redeemed(case: Case, ids: tuple[int | str, ...]) -> Step:
    row = case.row
    late = case.question is Question.LATE
    amount = case.taken if late else row.amount
    known = tuple(ids) or (case.known_ids if late else tuple(row.redemption_ids))
    told_before = bool(row.proof) and case.question is not Question.LATE
    return Step(
        S.REDEEMED,
        stands=amount,
        changes={
            "amount": amount,
            "redemption_ids": list(known),
            "proof": Proof.RESPONSE if late and known else Proof.PERSON,
        },
        event="" if told_before else "voucher.redeemed",
    )


def _still_redeemed(
    case: Case, ids: tuple[int | str, ...], *, amount: Decimal | None = None
) -> Step:
    stands = case.row.amount if amount is None else amount
    proof = case.row.proof
    if not proof or (proof == Proof.RESPONSE and not ids):
        proof = Proof.PERSON
    return Step(
        S.REDEEMED,
        stands=stands,
        changes={"amount": stands, "redemption_ids": list(ids), "proof": proof},
    )


def _ids_before(case: Case) -> tuple[int | str, ...]:
    extra = set(case.extra_ids)
    return tuple(one for one in case.row.redemption_ids if one not in extra)


def _not_redeemed(case: Case, verdict: Verdict) -> Step:
    changes: dict[str, Any] = {"proof": "", "redemption_ids": []}
    if case.question is Question.REST and verdict is Verdict.NOT_REDEEMED:
        return Step(S.RELEASED, changes={**changes, "amount": ZERO})
    if case.question is Question.BOOKS:
        if case.row.proof and case.interrupted in {Status.CANCELLING, Status.REFUNDING}:
            return Step(S.REVERSED)
        return Step(S.RELEASED, changes=changes)
    return Step(S.LAPSED, changes=changes)


def _given_back(case: Case, verdict: Verdict) -> Step:
    forgotten: dict[str, Any] = {"proof": "", "redemption_ids": []}
    late = case.question is Question.LATE
    if case.is_undone and (late or verdict is Verdict.PAID_BACK):
        # Nothing is left to be paid with it here; whoever wants to adds it anew.
        gone = {**forgotten, "amount": ZERO}
        return Step(S.RELEASED, changes=gone, event="voucher.reversed")
    if case.is_undone or case.interrupted == Status.CONFIRMING:
        return Step(S.LAPSED, changes=forgotten, event="voucher.reversed")
    amount = {"amount": case.taken} if late else {}
    return Step(S.REVERSED, changes=amount, event="voucher.reversed", rest=case.rest)


# -- writing ---------------------------------------------------------------------


def _write(case: Case, step: Step, verdict: Verdict, *, actor: str, note: str) -> None:
    row, changes = case.row, dict(step.changes)
    stands = changes.pop("amount", row.amount)
    if stands != row.amount:
        # A late answer may be of another amount than the row has come to since.
        Redemption.objects.filter(pk=row.pk).update(amount=stands)
        row.amount = stands
    journal.record(
        row,
        Operation.SETTLE,
        Outcome.SUCCEEDED,
        status=step.status,
        reason=verdict.value,
        # What the journal says is taken becomes what stands.
        amount=step.stands - case.taken,
        actor=actor,
        note=note,
        attention_code="",
        next_look_at=None,
        looks=0,
        **changes,
    )
    if step.rest:
        reversing.add_rest(row, step.rest, {})
    if step.event:
        outbox.emit(step.event, session=case.session, redemption=row)


def _go_on(session: PaymentSession) -> PaymentSession:
    """Set the payment going again, where nothing else of it waits for a person."""
    if session.status != Status.NEEDS_ATTENTION:
        if session.status in PENDING:
            _update(session, next_look_at=clock.now())
        return session
    wrong = journal.disagreeing(session.pk)
    if wrong is not None:
        code = wrong.attention_code
        if wrong.status != S.NEEDS_ATTENTION:
            code = AttentionReason.BOOKS_DIFFER
        _update(session, attention_code=code)
        return session
    attention.forget(session=session)
    status, changes, event = next_status(session)
    _update(
        session,
        status=status,
        interrupted="",
        attention_code="",
        next_look_at=clock.now() if status in PENDING else None,
        **changes,
    )
    if status == Status.OPEN:
        sessions.reallocate(session)
    if event:
        outbox.emit(event, session=session)
    return session


def next_status(session: PaymentSession) -> tuple[SessionStatus, dict[str, Any], str]:
    """Return how a payment goes on from where it was interrupted, and what is told.

    What is pending afterwards is told by whoever brings it to rest.
    """
    interrupted = session.interrupted
    redeemed = session.redemptions.filter(status=S.REDEEMED).exists()
    if interrupted == Status.OPEN:
        # Whatever was taken while it was open goes back, and it opens again.
        return Status.CONFIRMING, {"undo_reason": "hold_lost"}, ""
    if interrupted in {Status.CANCELLED, Status.CANCELLING}:
        return Status.CANCELLING, {}, ""
    if interrupted in {Status.CONFIRMING, Status.REFUNDING}:
        return Status(interrupted), {}, ""
    if interrupted == Status.CONFIRMED or redeemed:
        return Status.CONFIRMED, {}, "session.confirmed"
    # Nobody wrote down where it stood: nothing is moved.
    return Status.OPEN, {}, "session.reopened"


def _update(session: PaymentSession, **changes: Any) -> None:
    PaymentSession.objects.filter(pk=session.pk).update(**changes)
    for name, value in changes.items():
        setattr(session, name, value)


def _log(
    session: PaymentSession,
    user: Any,
    verdict: Verdict,
    note: str,
    *,
    voucher: str = "",
) -> None:
    data = {"verdict": verdict.value, "voucher": voucher, "reason": str(note)}
    log(instance=session, action=SETTLE_ACTION, user=user, data=data)


def _drive(session: PaymentSession) -> PaymentSession:
    """Take the payment as far as there is time for; the sweep does what is left."""
    try:
        with at_work(session, box=TimeBox.request()) as worker:
            progress.advance(worker)
    except (Claimed, ForeignRow, Postponed):
        logger.info("Payment %s is left to the sweep.", session.pk)
    return PaymentSession.objects.get(pk=session.pk)
