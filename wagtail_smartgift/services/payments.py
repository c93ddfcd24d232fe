"""The verbs on a payment session.

Each writes its wish into the session by a conditional UPDATE and drives it as far
as the caller's time allows; whatever is left, the sweep finishes. The table of
which verb does what in which status is in ``docs/reference/payments.md``.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift import clock, ledger
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.redaction import hidden
from wagtail_smartgift.references import is_reference
from wagtail_smartgift.services import (
    guessing,
    holding,
    holds,
    journal,
    keys,
    opening,
    progress,
    refunding,
    sessions,
    vault,
    vouchers,
)
from wagtail_smartgift.services.claims import Claimed
from wagtail_smartgift.services.timebox import OutOfTime, Postponed, TimeBox
from wagtail_smartgift.services.worker import (
    ForeignRow,
    Worker,
    account_of,
    at_work,
)


logger = logging.getLogger(__name__)

Status = SessionStatus
#: Seconds that a request waits for another one on the same session.
WAIT_FOR_OTHERS = 10.0


@dataclass(frozen=True)
class Added:
    session: ledger.Session
    #: False where the voucher was in the session already.
    created: bool


@dataclass(frozen=True)
class Renewed:
    session: ledger.Session
    #: The voucher that was renewed pays less than before.
    fell: bool


def get_session(*, reference: str) -> ledger.Session:
    """Picture a session as it is now.

    Raises:
        PaymentError: ``not_found``.
    """
    return ledger.describe(_find(reference))


def _find(reference: str) -> PaymentSession:
    if not is_reference(reference):
        raise PaymentError("not_found")
    session = PaymentSession.objects.filter(reference=reference).first()
    if session is None:
        raise PaymentError("not_found")
    return session


@contextmanager
def _working(session: PaymentSession) -> Iterator[tuple[Worker, PaymentSession]]:
    """Work alone on a session, in the time that a request has."""
    box = TimeBox.request()
    try:
        with at_work(session, box=box, wait=WAIT_FOR_OTHERS) as worker:
            yield worker, worker.session()
    except Claimed:
        raise PaymentError("session_busy", retry_after=5) from None
    except ForeignRow:
        raise PaymentError("smartgift_unavailable") from None
    except Postponed as error:
        raise PaymentError(error.code, retry_after=error.retry_after) from None
    except journal.Stale:
        raise PaymentError("session_busy", retry_after=1) from None
    except keys.WrongFingerprintKey:
        logger.error(
            "No voucher can be taken: FINGERPRINT_KEY is not the key that the stored "
            "vouchers were fingerprinted with. Put that one back, or run smartgift_rekey."
        )
        raise PaymentError("smartgift_unavailable", retry_after=60) from None


def _refuse_foreign(session: PaymentSession) -> None:
    """Refuse to write into a session of another key or address, even a wish."""
    try:
        account_of(session)
    except ForeignRow:
        raise PaymentError("smartgift_unavailable") from None


def _require_open(session: PaymentSession) -> None:
    if session.status != Status.OPEN:
        raise PaymentError("session_not_open")


# -- while it is open ---------------------------------------------------------


def add_voucher(
    *,
    reference: str,
    voucher_no: str,
    amount: object = None,
    experiences: Sequence[int] | None = None,
) -> Added:
    """Hold a voucher for a session and check what is on it."""
    voucher_no = hidden(voucher_no)
    session = _find(reference)
    _require_open(session)
    # Within the claim: whatever else is asked of this payment waits for it, and would
    # tell by its own answer when Smart Gift has given one.
    with _working(session) as (worker, session), guessing.refusals_alike():
        _require_open(session)
        wish = vouchers.read_wish(
            session,
            worker,
            voucher_no=voucher_no,
            amount=amount,
            experiences=experiences,
        )
        created = vouchers.add(worker, session, wish)
    return Added(session=get_session(reference=reference), created=created)


def change_voucher(
    *,
    reference: str,
    redemption_id: UUID,
    amount: object = None,
    experiences: Sequence[int] | None = None,
) -> ledger.Session:
    """Change what a voucher of an open session is to pay, without its number."""
    row = _find(reference).redemptions.filter(pk=redemption_id).first()
    if row is None or row.status not in COUNTED_REDEMPTION_STATUSES:
        raise PaymentError("not_found")
    return add_voucher(
        reference=reference,
        voucher_no=vault.voucher_number(row),
        amount=amount,
        experiences=experiences,
    ).session


def renew_hold(*, reference: str, redemption_id: UUID) -> Renewed:
    """Keep a voucher of an open session for longer."""
    session = _find(reference)
    if not session.redemptions.filter(pk=redemption_id).exists():
        raise PaymentError("not_found")
    with _working(session) as (worker, session):
        row = session.redemptions.get(pk=redemption_id)
        _require_open(session)
        if row.status not in COUNTED_REDEMPTION_STATUSES:
            raise PaymentError("not_found")
        if row.balance is None:
            # Whether it is held at all is what its first request may still tell.
            raise PaymentError("session_busy", retry_after=5)
        PaymentSession.objects.filter(pk=session.pk).update(last_active_at=clock.now())
        before = row.amount
        vouchers.renew(worker, session, row)
        row.refresh_from_db()
    return Renewed(session=get_session(reference=reference), fell=row.amount < before)


def remove_voucher(*, reference: str, redemption_id: UUID) -> ledger.Session:
    """Give a voucher of an open session back."""
    with _working(_find(reference)) as (worker, session):
        vouchers.remove(worker, session, redemption_id)
    return get_session(reference=reference)


def release_holds(*, reference: str) -> ledger.Session:
    """Give every hold back while the customer finds another card."""
    with _working(_find(reference)) as (worker, session):
        _require_open(session)
        vouchers.let_all_go(worker, session)
    return get_session(reference=reference)


def prepare(*, reference: str) -> ledger.Session:
    """See that every voucher is held for long enough, and holds what it is to pay."""
    session = _find(reference)
    if (answer := _answer_to_prepare(session)) is not None:
        return answer
    with _working(session) as (worker, session):
        if (answer := _answer_to_prepare(session)) is not None:
            return answer
        PaymentSession.objects.filter(pk=session.pk).update(last_active_at=clock.now())
        for row in sessions.rows(session):
            if row.status in COUNTED_REDEMPTION_STATUSES and row.amount > 0:
                _prepare(worker, session, row)
    return get_session(reference=reference)


def _answer_to_prepare(session: PaymentSession) -> ledger.Session | None:
    if session.status in {Status.CONFIRMING, Status.CONFIRMED}:
        return ledger.describe(session)
    _refuse_other(session, open_code=None)
    return None


def _prepare(worker: Worker, session: PaymentSession, row: Redemption) -> None:
    try:
        holding.ensure(worker, session, row, anew=True)
    except holds.VoucherHeld as error:
        raise PaymentError(
            "voucher_held", retry_after=error.retry_after, is_ours=error.is_ours
        ) from None
    except holds.HoldRefused:
        _reallocate(session)
        raise PaymentError("hold_lost") from None
    except holding.Shortfall:
        _reallocate(session)
        raise PaymentError("shortfall") from None


def _reallocate(session: PaymentSession) -> None:
    with transaction.atomic(durable=True):
        sessions.reallocate(sessions.lock(session.pk, expected={Status.OPEN}))


# -- confirming ---------------------------------------------------------------


def confirm(
    *, reference: str, amount_remaining: object = None, plan: str | None = None
) -> ledger.Session:
    """Redeem every voucher of the session, all or none.

    ``plan`` is ``ledger.plan`` of what a person was shown. It is held against what is
    shared out under the session's lock, so nothing fits in between.

    Raises:
        PaymentError: ``amount_changed``: what remains, or the plan, is another by now,
            and nothing was redeemed.
    """
    expected = (
        None
        if amount_remaining is None
        else opening.amount("amount_remaining", amount_remaining, allow_zero=True)
    )
    session = _find(reference)
    if (answer := _answer_to_confirm(session)) is not None:
        return answer
    with _working(session) as (worker, session):
        if (answer := _answer_to_confirm(session)) is not None:
            return answer
        with transaction.atomic(durable=True):
            fresh = sessions.lock(
                session.pk,
                expected={Status.OPEN},
                status=Status.CONFIRMING,
                confirm_began_at=clock.now(),
                undo_reason="",
                next_look_at=clock.now(),
            )
            remaining = sessions.reallocate(fresh)
            if expected is not None and expected != remaining:
                raise PaymentError("amount_changed")
            if plan is not None and plan != ledger.plan(ledger.describe(fresh)):
                raise PaymentError("amount_changed")
        _drive_confirmation(worker, fresh)
        session = worker.session()
    if session.status == Status.OPEN:
        raise PaymentError(session.undo_reason or "hold_lost")
    _refuse_other(session, open_code=None)
    return ledger.describe(session)


def undone_since(*, reference: str, moment: datetime) -> str | None:
    """Return why a confirmation was undone that began after ``moment``, if one was.

    Whoever asked for it then has had its answer, and a repeat that nobody asked for
    must not begin another: its customer may have paid otherwise.

    Raises:
        PaymentError: ``not_found``.
    """
    session = _find(reference)
    began = session.confirm_began_at
    if session.status != Status.OPEN or began is None or began < moment:
        return None
    return session.undo_reason or None


def _answer_to_confirm(session: PaymentSession) -> ledger.Session | None:
    if session.status in {Status.CONFIRMING, Status.CONFIRMED}:
        return ledger.describe(session)
    _refuse_other(session, open_code=None)
    return None


def _drive_confirmation(worker: Worker, session: PaymentSession) -> None:
    """Go as far as the request's time allows.

    Where nothing was asked of Smart Gift's money yet, the session is opened again
    and the shop told so; else it is pending, and the sweep goes on.
    """
    try:
        progress.advance(worker, session)
    except OutOfTime:
        return
    except Postponed:
        session = worker.session()
        if session.undo_reason or not _untouched(session):
            return
        with transaction.atomic(durable=True):
            # Whoever has taken it over meanwhile may be about to redeem.
            worker.claim.renew()
            fresh = sessions.lock(
                session.pk,
                expected={Status.CONFIRMING},
                status=Status.OPEN,
                next_look_at=None,
            )
            if fresh.cancel_requested:
                # It came this moment, and was promised: the sweep does it.
                transaction.set_rollback(True)
                return
        raise


def _untouched(session: PaymentSession) -> bool:
    quiet = (
        *COUNTED_REDEMPTION_STATUSES,
        RedemptionStatus.RELEASED,
        RedemptionStatus.REFUSED,
    )
    return (
        not session.cancel_requested
        and not session.redemptions.exclude(status__in=quiet).exists()
    )


# -- afterwards ---------------------------------------------------------------


#: What ``cancel`` acts on. Of the others it says in its own words why not.
_CANCELLABLE = frozenset({Status.OPEN, Status.CONFIRMING, Status.CONFIRMED})


def cancel(
    *, reference: str, expected: Collection[SessionStatus] = frozenset(SessionStatus)
) -> ledger.Session:
    """Give everything back: holds are released, redemptions reversed.

    ``expected`` are the statuses in which the caller wants that: a person who has seen
    an open payment has not said that one confirmed since is to be reversed. They are
    held against the one that the session is locked in, so nothing fits in between. One
    that is cancelled, or about to be, is answered in any case.

    Raises:
        PaymentError: ``amount_changed``: it is in another one by now, and nothing of it
            was done.
    """
    session = _find(reference)
    if session.status in {Status.CANCELLED, Status.CANCELLING}:
        return ledger.describe(session)
    _refuse_unexpected(session, expected)
    if session.status == Status.CONFIRMING:
        return _cancel_later(session)
    _refuse_other(session, open_code=None)
    with _working(session) as (worker, session):
        if session.status in {Status.OPEN, Status.CONFIRMED}:
            # From here it can only be changed under this claim, or ``_undertake``,
            # which locks it in this very status, finds it stale.
            _refuse_unexpected(session, expected)
            _undertake(
                worker, session, status=Status.CANCELLING, next_look_at=clock.now()
            )
            session = worker.session()
    # Answered by what was seen under the claim: since then the sweep may have brought
    # it to rest, and a wish that nobody wrote down must not look as if it was done.
    if session.status == Status.CONFIRMING:
        _refuse_unexpected(session, expected)
        return _cancel_later(session)
    if session.status == Status.REFUNDING:
        raise PaymentError("session_busy", retry_after=5)
    if session.status == Status.NEEDS_ATTENTION:
        raise PaymentError("needs_attention")
    return get_session(reference=reference)


def _refuse_unexpected(
    session: PaymentSession, expected: Collection[SessionStatus]
) -> None:
    if session.status in _CANCELLABLE and session.status not in expected:
        raise PaymentError("amount_changed")


def _cancel_later(session: PaymentSession) -> ledger.Session:
    """Write the wish down; it is undone once what is in doubt has settled."""
    _refuse_foreign(session)
    try:
        with transaction.atomic(durable=True):
            fresh = sessions.lock(
                session.pk, expected={Status.CONFIRMING}, cancel_requested=True
            )
    except journal.Stale:
        raise PaymentError("session_busy", retry_after=1) from None
    return ledger.describe(fresh)


def refund(
    *,
    reference: str,
    amount: object = None,
    claim: refunding.RefundKey | None = None,
) -> ledger.Session:
    """Give an amount, or all that is left, back onto the vouchers.

    ``claim`` is the caller's on its idempotency key, or on its message: what that has
    begun before is answered and not begun again. While another refund is running, what
    is asked for under a key of its own is added to it, and so is all that is left; an
    amount without a key may be a repeat, and is not.
    """
    wanted = None if amount is None else opening.amount("amount", amount)
    session = _find(reference)
    if claim is not None and claim.refund_target is not None:
        if session.status == Status.NEEDS_ATTENTION:
            raise PaymentError("needs_attention")
        return ledger.describe(session)
    if session.status == Status.REFUNDING:
        if wanted is not None and claim is None:
            return ledger.describe(session)
        if _extend_refund(session, wanted, claim):
            return ledger.describe(_find(reference))
    _refuse_refund(session, also=Status.REFUNDING)
    with _working(session) as (worker, session):
        running = session.status == Status.REFUNDING
        if not running:
            _refuse_refund(session)
            _begin_refund(worker, session, wanted, claim)
    if running and not _extend_refund(session, wanted, claim):
        raise PaymentError("session_busy", retry_after=5)
    session = _find(reference)
    if session.status == Status.NEEDS_ATTENTION:
        raise PaymentError("needs_attention")
    return ledger.describe(session)


def _begin_refund(
    worker: Worker,
    session: PaymentSession,
    wanted: Decimal | None,
    claim: refunding.RefundKey | None,
) -> None:
    rows = sessions.rows(session)
    left = ledger.standing(rows)
    wanted = left if wanted is None else wanted
    _check_refund(rows, wanted, left=left)
    if wanted:
        _undertake(
            worker,
            session,
            status=Status.REFUNDING,
            refund_target=ledger.refunded(rows) + wanted,
            next_look_at=clock.now(),
            claim=claim,
        )


def _extend_refund(
    session: PaymentSession,
    wanted: Decimal | None,
    claim: refunding.RefundKey | None,
) -> bool:
    """Add to the refund that is running, whoever is at it; false where none is any more.

    Whoever is at it sees the higher target before it comes to rest.
    """
    if wanted is not None and claim is None:
        return False
    _refuse_foreign(session)
    try:
        with transaction.atomic(durable=True):
            fresh = sessions.lock(
                session.pk, expected={Status.REFUNDING}, next_look_at=clock.now()
            )
            rows = sessions.rows(fresh)
            left = ledger.taken(rows) - fresh.refund_target
            more = left if wanted is None else wanted
            _check_refund(rows, more, left=left, running=fresh.refund_target)
            target = fresh.refund_target + more
            PaymentSession.objects.filter(pk=fresh.pk).update(refund_target=target)
            if claim is not None:
                claim.note_refund(target)
    except journal.Stale:
        return False
    try:
        with at_work(session, box=TimeBox.request()) as worker:
            progress.advance(worker)
    except (Claimed, Postponed):
        pass  # Whoever is at it goes on, or the sweep.
    return True


def _refuse_refund(session: PaymentSession, *, also: Status | None = None) -> None:
    if session.status in {Status.CONFIRMED, also}:
        return
    if session.status in {Status.CONFIRMING, Status.REFUNDING}:
        raise PaymentError("session_busy", retry_after=5)
    _refuse_other(session, open_code="not_confirmed")


def _check_refund(
    rows: Sequence[Redemption],
    wanted: Decimal,
    *,
    left: Decimal,
    running: Decimal | None = None,
) -> None:
    """Refuse what cannot be given back, on top of what a ``running`` refund comes to."""
    if wanted > left:
        raise PaymentError(
            "amount_too_large",
            fields={"amount": _("This is more than is left to refund.")},
        )
    if not refunding.can_refund(rows, wanted, running=running):
        raise PaymentError(
            "invalid",
            fields={"amount": _("An experience can only be refunded as a whole.")},
        )


def _undertake(
    worker: Worker,
    session: PaymentSession,
    *,
    status: Status,
    claim: refunding.RefundKey | None = None,
    **changes: Any,
) -> None:
    """Take on what a session was told, and drive it; the sweep does what is left."""
    with transaction.atomic(durable=True):
        fresh = sessions.lock(
            session.pk, expected={Status(session.status)}, status=status, **changes
        )
        if claim is not None:
            claim.note_refund(fresh.refund_target)
    _quietly(lambda: progress.advance(worker, fresh))


def _quietly(drive: Callable[[], None]) -> None:
    try:
        drive()
    except Postponed:
        return  # It has begun: the session is pending, and the sweep goes on.


def _refuse_other(session: PaymentSession, *, open_code: str | None) -> None:
    """Refuse a verb in the statuses in which nearly all are refused."""
    codes = {
        Status.OPEN: open_code,
        Status.CANCELLING: "session_busy",
        Status.REFUNDING: "session_busy",
        Status.CANCELLED: "session_cancelled",
        Status.NEEDS_ATTENTION: "needs_attention",
    }
    code = codes.get(Status(session.status))
    if code is not None:
        raise PaymentError(code, retry_after=5 if code == "session_busy" else None)
