"""What is known of a case: the question that it puts, and what speaks for an answer.

Reads only. Everything is folded from the journal, so two people who look at a case at
the same time see the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

from django.db.models import QuerySet

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    AttentionReason,
    Operation,
    OrderStatus,
    Outcome,
    RedemptionStatus,
    SessionStatus,
    Verdict,
)
from wagtail_smartgift.models import (
    PaymentSession,
    Redemption,
    RedemptionEvent,
    VoucherOrder,
)
from wagtail_smartgift.services import journal, progress, redeeming


S = RedemptionStatus
ZERO = Decimal("0.00")


class Question(Enum):
    """What only a person can answer."""

    #: A redeem was asked for, and nobody knows what came of it.
    REDEEMED = "redeemed"
    #: It is redeemed and was to be given back.
    REVERSED = "reversed"
    #: A partial refund gave all back, and its rest could not be redeemed again.
    REST = "rest"
    #: An answer came when nobody asked for that money any more.
    LATE = "late"
    #: The row is not what its journal says.
    BOOKS = "books"


@dataclass(frozen=True)
class Look:
    """What the voucher was once read to hold."""

    at: datetime
    balance: Decimal


@dataclass(frozen=True)
class Case:
    """One voucher of a payment that a person has to decide about."""

    row: Redemption
    session: PaymentSession
    question: Question
    events: tuple[RedemptionEvent, ...] = field(repr=False)
    #: What the journal says is taken of it.
    taken: Decimal
    #: Late answer: what was taken before it came, and the ids that only it brought.
    taken_before: Decimal = ZERO
    extra_ids: tuple[int | str, ...] = ()
    #: What of it is to stay redeemed once it has been given back.
    rest: Decimal = ZERO

    @property
    def version(self) -> str:
        """Return what a person has seen; a verdict on anything else is refused."""
        return f"{self.session.version}.{self.row.version}"

    @property
    def why(self) -> str:
        return (
            AttentionReason.BOOKS_DIFFER
            if self.question is Question.BOOKS
            else self.row.attention_code
        )

    @property
    def interrupted(self) -> str:
        return self.session.interrupted

    @property
    def is_undone(self) -> bool:
        """Whether what it belongs to is being undone, so that the payment opens again."""
        return self.interrupted == SessionStatus.OPEN or (
            self.interrupted == SessionStatus.CONFIRMING
            and bool(self.session.undo_reason)
        )

    @property
    def known_ids(self) -> tuple[int | str, ...]:
        """Return the ids by which what stands of it could be given back from here."""
        return tuple(self.extra_ids or self.row.redemption_ids)

    @property
    def looks(self) -> tuple[Look, ...]:
        return tuple(
            Look(at=event.created_at, balance=event.balance)
            for event in self.events
            if event.operation == Operation.CHECK and event.balance is not None
        )

    @property
    def last_look(self) -> Look | None:
        """Return what was read since it was last asked to be redeemed."""
        looks = self.looks
        if not looks or self.row.sent_at is None or looks[-1].at < self.row.sent_at:
            return None
        return looks[-1]

    @property
    def fallen(self) -> Decimal | None:
        """Return by how much the balance was seen to be lower than before it."""
        if self.last_look is None or self.row.baseline is None:
            return None
        return self.row.baseline - self.last_look.balance

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Return what can be said of it."""
        return _VERDICTS[self.question](self)

    def contradicts(self, verdict: Verdict) -> bool:
        """Tell whether what was last seen speaks against a verdict."""
        if self.question is not Question.REDEEMED or self.fallen is None:
            return False
        if verdict is Verdict.REDEEMED:
            return self.fallen < redeeming.value_of(self.row)
        return verdict is Verdict.NOT_REDEEMED and self.fallen != 0

    def others(self) -> list[Redemption]:
        """Return the vouchers of the payment that wait for a person beside this one."""
        return list(
            self.session.redemptions.filter(status=S.NEEDS_ATTENTION).exclude(
                pk=self.row.pk
            )
        )


def _of_redeem(case: Case) -> tuple[Verdict, ...]:
    return (
        (Verdict.REDEEMED, Verdict.NOT_REDEEMED)
        if case.row.amount > 0
        else (Verdict.NOT_REDEEMED,)
    )


def _of_reverse(case: Case) -> tuple[Verdict, ...]:
    found = [Verdict.REVERSED]
    if case.row.redemption_ids:
        found.append(Verdict.NOT_REVERSED)
    found.append(Verdict.IDS_ARE)
    if not case.rest:
        found.append(Verdict.PAID_BACK)
    return tuple(found)


def _of_rest(case: Case) -> tuple[Verdict, ...]:
    return Verdict.TRY_REST, Verdict.NOT_REDEEMED, Verdict.REDEEMED


def _of_late(case: Case) -> tuple[Verdict, ...]:
    if case.taken_before:
        return (Verdict.EXTRA_REVERSED,)
    if case.interrupted in {SessionStatus.CONFIRMING, SessionStatus.REFUNDING}:
        return Verdict.REDEEMED, Verdict.REVERSED
    if case.interrupted == SessionStatus.CONFIRMED:
        # Its other vouchers have paid: a refund would not begin with this one.
        return (Verdict.REVERSED,)
    return Verdict.GIVE_BACK, Verdict.REVERSED


_VERDICTS = {
    Question.REDEEMED: _of_redeem,
    Question.REVERSED: _of_reverse,
    Question.REST: _of_rest,
    Question.LATE: _of_late,
    Question.BOOKS: _of_redeem,
}


def of(row: Redemption, session: PaymentSession | None = None) -> Case | None:
    """Return the case of a voucher; None where there is nothing to decide."""
    session = session or row.session
    events = tuple(row.events.order_by("id"))
    taken = journal.fold(events).taken
    if row.status != S.NEEDS_ATTENTION:
        if session.status != SessionStatus.NEEDS_ATTENTION or not _differs(row, events):
            return None
        return Case(row, session, Question.BOOKS, events, taken)
    late = _late_answer(row, events)
    if late is not None:
        before = [event for event in events if event.pk < late.pk]
        known = {
            one
            for event in before
            if event.outcome == Outcome.SUCCEEDED
            for one in event.redemption_ids
        }
        return Case(
            row,
            session,
            Question.LATE,
            events,
            taken,
            taken_before=journal.fold(before).taken,
            extra_ids=tuple(one for one in late.redemption_ids if one not in known),
        )
    question = _question(row, events)
    rest = (
        _rest(row, session)
        if question is Question.REVERSED
        and session.interrupted == SessionStatus.REFUNDING
        else ZERO
    )
    return Case(row, session, question, events, taken, rest=rest)


def _late_answer(
    row: Redemption, events: Sequence[RedemptionEvent]
) -> RedemptionEvent | None:
    if row.attention_code != AttentionReason.LATE_ANSWER:
        return None
    return next(
        (event for event in reversed(events) if event.reason == "late_answer"), None
    )


def _question(row: Redemption, events: Sequence[RedemptionEvent]) -> Question:
    if row.attention_code == AttentionReason.REMAINDER_NOT_REDEEMED:
        return Question.REST
    before = next(
        (event.status for event in reversed(events) if event.status != row.status), ""
    )
    # What it was when it came before a person says what was being done to it.
    to_be_reversed = {S.REDEEMED, S.REVERSING}
    return Question.REVERSED if before in to_be_reversed else Question.REDEEMED


def _rest(row: Redemption, session: PaymentSession) -> Decimal:
    """Return what of a voucher a partial refund leaves redeemed."""
    if row.is_experience:
        return ZERO
    rows = list(session.redemptions.all())
    due = session.refund_target - ledger.refunded(rows)
    return max(ZERO, row.amount - due)


def _differs(row: Redemption, events: Sequence[RedemptionEvent]) -> bool:
    return not journal.agrees(row, events)


def of_session(session: PaymentSession) -> list[Case]:
    """Return what has to be decided about a payment, in the order of its vouchers."""
    rows = session.redemptions.order_by("position", "leg")
    return [case for row in rows if (case := of(row, session)) is not None]


def in_doubt(
    sessions: Sequence[PaymentSession],
) -> dict[UUID, list[Redemption]]:
    """Return session -> the vouchers that its case is about, in one query.

    Those that wait for a person; where none does (the books differ, a refund), those
    from which money was taken. One that a rest has replaced is not counted twice.
    """
    found: dict[UUID, list[Redemption]] = {session.pk: [] for session in sessions}
    rows = Redemption.objects.filter(session__in=list(found))
    for row in rows.order_by("position", "leg"):
        found[row.session_id].append(row)
    return {pk: _in_doubt(rows) for pk, rows in found.items()}


def _in_doubt(rows: Sequence[Redemption]) -> list[Redemption]:
    waiting = [row for row in rows if row.status == S.NEEDS_ATTENTION]
    replaced = {row.replaces_id for row in rows}
    return waiting or [row for row in rows if row.proof and row.pk not in replaced]


# -- what follows from a verdict ---------------------------------------------------


class Sequel(Enum):
    """What becomes of a payment once nothing of it waits for a person any more."""

    REFUND_GOES_ON = "refund_goes_on"
    CANCELLATION_GOES_ON = "cancellation_goes_on"
    CONFIRMED_AS_BEFORE = "confirmed_as_before"
    #: It was being undone, and the customer can pay anew.
    OPENS = "opens"
    CONFIRMED = "confirmed"
    #: Its other vouchers are redeemed first.
    OTHERS_FIRST = "others_first"
    #: The others were not redeemed in time: all is given back, this one too.
    ALL_UNDONE = "all_undone"
    REDEEMED_ANEW = "redeemed_anew"
    #: Too late to redeem it now: what the others have paid is given back.
    OTHERS_UNDONE = "others_undone"
    TOO_LATE = "too_late"


def sequel_of(case: Case, verdict: Verdict) -> Sequel:
    """Tell what a verdict leads to, where nothing else of the payment is in doubt.

    By the rules of ``progress``, and as it stands now: it may be too late in a minute.
    """
    going = case.interrupted
    if going == SessionStatus.REFUNDING:
        return Sequel.REFUND_GOES_ON
    if going in {SessionStatus.CANCELLING, SessionStatus.CANCELLED} or (
        case.session.cancel_requested
    ):
        return Sequel.CANCELLATION_GOES_ON
    if going == SessionStatus.CONFIRMED:
        return Sequel.CONFIRMED_AS_BEFORE
    if case.is_undone:
        return Sequel.OPENS
    return _of_confirmation(case, verdict)


def _of_confirmation(case: Case, verdict: Verdict) -> Sequel:
    late = progress.is_too_old(case.session)
    others = case.session.redemptions.exclude(pk=case.row.pk)
    if verdict is Verdict.REDEEMED:
        unpaid = others.filter(status__in=COUNTED_REDEMPTION_STATUSES, amount__gt=0)
        if not unpaid.exists():
            return Sequel.CONFIRMED
        return Sequel.ALL_UNDONE if late else Sequel.OTHERS_FIRST
    if not late:
        return Sequel.REDEEMED_ANEW
    if others.filter(status=S.REDEEMED).exists():
        return Sequel.OTHERS_UNDONE
    return Sequel.TOO_LATE


# -- all of them ---------------------------------------------------------------


def payments() -> "QuerySet[PaymentSession]":
    """Select the payments about which a person has to decide something."""
    return PaymentSession.objects.filter(status=SessionStatus.NEEDS_ATTENTION)


def orders() -> "QuerySet[VoucherOrder]":
    """Select the voucher orders about which a person has to decide."""
    return VoucherOrder.objects.filter(status=OrderStatus.NEEDS_ATTENTION)


def count() -> int:
    """Count the cases: two small queries by index, however long the tables are."""
    return payments().count() + orders().count()
