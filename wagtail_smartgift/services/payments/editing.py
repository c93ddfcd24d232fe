"""Adding, changing, keeping and removing the vouchers of an open payment session."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from wagtail_smartgift import clock, ledger
from wagtail_smartgift.choices import COUNTED_REDEMPTION_STATUSES
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.redaction import hidden
from wagtail_smartgift.services import (
    guessing,
    vault,
    vouchers,
)
from wagtail_smartgift.services.payments.turn import (
    find,
    get_session,
    require_open,
    working,
)


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


def add_voucher(
    *,
    reference: str,
    voucher_no: str,
    amount: object = None,
    experiences: Sequence[int] | None = None,
) -> Added:
    """Hold a voucher for a session and check what is on it."""
    voucher_no = hidden(voucher_no)
    session = find(reference)
    require_open(session)
    # Within the claim: whatever else is asked of this payment waits for it, and would
    # tell by its own answer when Smart Gift has given one.
    with working(session) as (worker, session), guessing.refusals_alike():
        require_open(session)
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
    row = find(reference).redemptions.filter(pk=redemption_id).first()
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
    session = find(reference)
    if not session.redemptions.filter(pk=redemption_id).exists():
        raise PaymentError("not_found")
    with working(session) as (worker, session):
        row = session.redemptions.get(pk=redemption_id)
        require_open(session)
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
    with working(find(reference)) as (worker, session):
        vouchers.remove(worker, session, redemption_id)
    return get_session(reference=reference)


def release_holds(*, reference: str) -> ledger.Session:
    """Give every hold back while the customer finds another card."""
    with working(find(reference)) as (worker, session):
        require_open(session)
        vouchers.let_all_go(worker, session)
    return get_session(reference=reference)
