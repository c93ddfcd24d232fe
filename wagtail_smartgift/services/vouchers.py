"""The vouchers of an open session: adding, changing, removing, letting go."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift import capabilities, clock, ledger
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    Lane,
    Operation,
    Outcome,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.client import Refused, SmartGiftError
from wagtail_smartgift.codes import MAX_VOUCHER_NUMBER_LENGTH, display_code
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, Redemption
from wagtail_smartgift.services import (
    guessing,
    holding,
    holds,
    journal,
    keys,
    releasing,
    sessions,
    vault,
)
from wagtail_smartgift.services.appraisal import UnknownExperience
from wagtail_smartgift.services.opening import amount as read_amount
from wagtail_smartgift.services.timebox import Postponed
from wagtail_smartgift.services.worker import Worker


S = RedemptionStatus


@dataclass(frozen=True)
class Wish:
    """What a customer asked for, read and normalised."""

    number: str = field(repr=False)
    fingerprint: str
    amount_limit: Decimal | None
    experiences: tuple[int, ...] | None


def read_wish(
    session: PaymentSession,
    worker: Worker,
    *,
    voucher_no: object,
    amount: object,
    experiences: Sequence[int] | None,
) -> Wish:
    """Read what came from outside.

    Raises:
        PaymentError: ``invalid``, or ``voucher_not_usable`` for what no voucher
            number can look like.
    """
    if not isinstance(voucher_no, str) or not (number := vault.normalise(voucher_no)):
        raise PaymentError(
            "invalid", fields={"voucher_no": _("Enter the number on the voucher.")}
        )
    if len(number) > MAX_VOUCHER_NUMBER_LENGTH:
        raise PaymentError("voucher_not_usable")
    return Wish(
        number=number,
        fingerprint=vault.fingerprint(number, account=worker.account),
        amount_limit=None if amount is None else read_amount("amount", amount),
        experiences=None if experiences is None else tuple(experiences),
    )


def add(worker: Worker, session: PaymentSession, wish: Wish) -> bool:
    """Hold a voucher for the session, or change one that is in it.

    Returns whether it is new in the session.

    Raises:
        PaymentError: see ``payments.add_voucher``.
    """
    row = _present(session, wish)
    if row is not None and row.status != S.HOLDING:
        return _add(worker, session, wish, row)
    with guessing.tried_for(session), guessing.asked_by_customer(session):
        return _add(worker, session, wish, row)


def _add(
    worker: Worker, session: PaymentSession, wish: Wish, row: Redemption | None
) -> bool:
    try:
        if row is not None and row.status != S.HOLDING:
            _change(worker, session, row, wish)
            return False
        if row is not None:
            # An earlier attempt never learnt whether it holds the voucher.
            with transaction.atomic(durable=True):
                holds.request(row, holds.ADDING, expected={S.HOLDING})
        else:
            releasing.release_leftovers(worker, wish.fingerprint)
            row = _insert(session, wish)
        holding.add(worker, session, row, experiences=wish.experiences)
    except UnknownExperience:
        raise PaymentError(
            "invalid",
            fields={"experiences": _("This is not among what the voucher offers.")},
        ) from None
    except holds.VoucherHeld as error:
        retry_after = _retry_after(worker, session, row, error)
        raise PaymentError(
            "voucher_held", retry_after=retry_after, is_ours=error.is_ours
        ) from None
    except (holds.HoldRefused, holding.Shortfall):
        _reallocate(session)
        raise PaymentError("voucher_not_usable") from None
    return True


def _present(session: PaymentSession, wish: Wish) -> Redemption | None:
    """Return the row of this voucher that counts in the session, if any."""
    rows = session.redemptions.filter(
        fingerprint=wish.fingerprint, status__in=COUNTED_REDEMPTION_STATUSES
    )
    for row in rows:
        holds.lapse(row)
        if row.status in COUNTED_REDEMPTION_STATUSES:
            return row
    return None


def _change(
    worker: Worker, session: PaymentSession, row: Redemption, wish: Wish
) -> None:
    """Take the new wish over; hold it again where the hold is over."""
    changes: dict[str, object] = {"amount_limit": wish.amount_limit}
    if wish.experiences is not None and row.is_experience:
        chosen = _chosen(row, wish.experiences)
        if chosen != row.experiences:
            changes |= {"experiences": chosen, "baseline": None}
    looks = row.status != S.HELD or changes.get("baseline", row.baseline) is None
    with guessing.asked_by_customer(session) if looks else nullcontext():
        _write_change(worker, session, row, changes)


def _write_change(
    worker: Worker,
    session: PaymentSession,
    row: Redemption,
    changes: dict[str, object],
) -> None:
    with transaction.atomic(durable=True):
        fresh = sessions.lock(
            session.pk, expected={SessionStatus.OPEN}, last_active_at=clock.now()
        )
        Redemption.objects.filter(pk=row.pk).update(**changes)
        sessions.reallocate(fresh)
    row.refresh_from_db()
    if row.status != S.HELD or row.baseline is None:
        # What it covers is allocated anew from what it really holds.
        holding.ensure(worker, session, row, may_fall=True)


def renew(worker: Worker, session: PaymentSession, row: Redemption) -> None:
    """Keep a voucher of an open session for longer: its customer asks for it.

    A hold cannot be prolonged, so it is given back and taken again, as ``prepare`` does
    with a short one. In the first half of its time nothing is asked of Smart Gift. What
    it covers is allocated anew from what it holds now.

    Raises:
        PaymentError: ``voucher_held`` (somebody was faster, or ``is_ours``; it stays in it),
            ``voucher_not_usable`` (it has left the session), ``throttled``.
    """
    whole = capabilities.of(worker.account).hold_lasts(holds.HOLD_SECONDS)
    holds.lapse(row)
    if holding.lasts(row, whole / 2):
        return
    try:
        with guessing.asked_by_customer(session):
            holding.ensure(worker, session, row, seconds=whole / 2, may_fall=True)
    except holds.VoucherHeld as error:
        retry_after = _retry_after(worker, session, row, error)
        raise PaymentError(
            "voucher_held", retry_after=retry_after, is_ours=error.is_ours
        ) from None
    except (holds.HoldRefused, holding.Shortfall):
        _reallocate(session)
        raise PaymentError("voucher_not_usable") from None


def _chosen(row: Redemption, wanted: Sequence[int]) -> list[int]:
    """Read a choice before anything is changed by it.

    Raises:
        UnknownExperience: nothing is chosen, or something that is not on offer.
    """
    offered = {item["bit_value"] for item in row.experiences_available}
    if not wanted or not set(wanted) <= offered:
        raise UnknownExperience
    return sorted(set(wanted))


def _insert(session: PaymentSession, wish: Wish) -> Redemption:
    """T1: the row that is the lock on this voucher, and the request to hold it.

    Raises:
        VoucherHeld: another session of this shop has it.
        PaymentError: nothing is left for a voucher to pay.
        WrongFingerprintKey: whether another one has it cannot be seen.
    """
    try:
        return _insert_once(session, wish)
    except IntegrityError:
        for rival in holds.rivals(wish.fingerprint):
            holds.lapse(rival)
    try:
        return _insert_once(session, wish)
    except IntegrityError:
        raise holds.held_by_rivals(wish.fingerprint) from None


def _insert_once(session: PaymentSession, wish: Wish) -> Redemption:
    with transaction.atomic(durable=True):
        fresh = sessions.lock(
            session.pk, expected={SessionStatus.OPEN}, last_active_at=clock.now()
        )
        rows = sessions.rows(fresh)
        covered = sum(
            (row.amount for row in rows if row.status in COUNTED_REDEMPTION_STATUSES),
            ledger.ZERO,
        )
        if covered >= fresh.amount_eligible:
            raise PaymentError(
                "invalid",
                fields={"voucher_no": _("Nothing is left for a voucher to pay.")},
            )
        legs = [row.leg for row in rows if row.fingerprint == wish.fingerprint]
        last = max((row.position for row in rows), default=0)
        row = Redemption.objects.create(
            session=fresh,
            position=last + 1,
            leg=max(legs, default=0) + 1,
            number_encrypted=vault.seal(wish.number),
            fingerprint=wish.fingerprint,
            display_code=display_code(wish.number),
            amount_limit=wish.amount_limit,
            hold_sent_at=clock.now(),
        )
        journal.append(row, Operation.HOLD, Outcome.REQUESTED)
        keys.require_ours()
        return row


def _retry_after(
    worker: Worker,
    session: PaymentSession,
    row: Redemption | None,
    error: holds.VoucherHeld,
) -> float:
    """Find out when somebody else's hold ends, if a look-up can be afforded."""
    if error.until is not None or row is None:
        return error.retry_after
    try:
        state = worker.client().check(
            voucher_no=vault.voucher_number(row),
            site_id=worker.site_id,
            lane=Lane.LOOKUP,
        )
    except (Refused, SmartGiftError, Postponed):
        return error.retry_after
    until = holds.zoned(worker.account, state).held_until
    if until is None or until.tzinfo is None:
        return error.retry_after
    return holds.VoucherHeld(until).retry_after


def remove(worker: Worker, session: PaymentSession, redemption_id: UUID) -> None:
    """Take a voucher out of an open session and give it back.

    Raises:
        PaymentError: ``not_found``, ``session_not_open``.
    """
    row = session.redemptions.filter(pk=redemption_id).first()
    if row is None:
        raise PaymentError("not_found")
    if row.status == S.RELEASED:
        return
    removable = {*COUNTED_REDEMPTION_STATUSES, S.REFUSED}
    if session.status != SessionStatus.OPEN or row.status not in removable:
        raise PaymentError("session_not_open")
    holding.drop(worker, row)
    _reallocate(session)


def let_all_go(worker: Worker, session: PaymentSession) -> None:
    """Give every hold of an open session back; its vouchers stay in it, lapsed."""
    for row in sessions.rows(session):
        holding.let_go(worker, row)


def _reallocate(session: PaymentSession) -> None:
    with transaction.atomic(durable=True):
        fresh = sessions.lock(
            session.pk, expected={SessionStatus.OPEN}, last_active_at=clock.now()
        )
        sessions.reallocate(fresh)
