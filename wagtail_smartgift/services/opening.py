"""Opening a payment session, and the secrets that let a browser into it."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import (
    COUNTED_REDEMPTION_STATUSES,
    LIVE_REDEMPTION_STATUSES,
    SessionStatus,
)
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.emails import email_digest, emails_in
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, SessionEmail, SessionSecret
from wagtail_smartgift.money import parse_amount
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.references import WRONG_REFERENCE, is_reference
from wagtail_smartgift.selectors import shop_for
from wagtail_smartgift.services import journal, sessions
from wagtail_smartgift.services.worker import ForeignRow, account_of


#: Characters of JSON that a shop may attach to a session.
METADATA_LIMIT = 16_384
#: Levels of objects and lists in it: deeper, and reading it back may fail somewhere.
METADATA_DEPTH = 32
_PAYING = frozenset({*LIVE_REDEMPTION_STATUSES, *COUNTED_REDEMPTION_STATUSES})


def open_session(
    *,
    reference: str,
    amount_due: object,
    amount_eligible: object = None,
    currency: str | None = None,
    site: Site | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> tuple[ledger.Session, bool]:
    """Open a session, or bring an open one up to date; tells whether it is new.

    A changed basket changes the amounts and so the allocation; the holds stay.

    Raises:
        PaymentError: ``invalid``, ``currency_mismatch``, ``session_not_open`` (the
            amounts of a closed session cannot change), ``smartgift_unavailable``
            (nor can those of a session of another key or address).
    """
    if not is_reference(reference):
        raise PaymentError("invalid", fields={"reference": WRONG_REFERENCE})
    due = amount("amount_due", amount_due, allow_zero=True)
    eligible = (
        due
        if amount_eligible is None
        else amount("amount_eligible", amount_eligible, allow_zero=True)
    )
    if eligible > due:
        raise PaymentError(
            "invalid",
            fields={"amount_eligible": _("This is more than the amount due.")},
        )
    session = PaymentSession.objects.filter(reference=reference).first()
    # One that was opened before the setting changed keeps its own.
    own = session.currency if session is not None else get_conf().currency
    if (currency or get_conf().currency) != own:
        raise PaymentError(
            "currency_mismatch",
            fields={"currency": _("This is not the currency of the vouchers.")},
        )
    _check_metadata(metadata)
    values: dict[str, Any] = {
        "amount_due": due,
        "amount_eligible": eligible,
        "due_by_desk": False,
    }
    if metadata is not None:
        # Whoever was taken out of it before may be in it again; that somebody wants to
        # be, stays until the payment is settled.
        values |= {"metadata": dict(metadata), "forgotten_at": None}
    created = session is None
    if session is None:
        try:
            session = _create(reference, site, values)
        except IntegrityError:
            # Somebody opened it in this very moment: it is theirs and ours.
            session = PaymentSession.objects.get(reference=reference)
            created = False
    if not created:
        session = _update(session, values)
    return ledger.describe(session, client_secret=issue_secret(session)), created


def open_for_desk(
    *, reference: str, amount_due: Decimal, site: Site | None
) -> PaymentSession | None:
    """Open a payment for what somebody at the desk says that an order comes to.

    Never in place of what the shop has said: returns None where there is a payment with
    this reference. No browser gets into it before the shop has opened it as well.
    """
    values = {
        "amount_due": amount_due,
        "amount_eligible": amount_due,
        "due_by_desk": True,
    }
    try:
        return _create(reference, site, values)
    except IntegrityError:
        return None


def correct_for_desk(session: PaymentSession, *, amount_due: Decimal) -> None:
    """Change what the desk itself has said of an order, before anything pays for it.

    Raises:
        PaymentError: ``invalid`` with ``amount_due``: the shop has said what it comes
            to, or a voucher is held for it; ``session_not_open``,
            ``smartgift_unavailable``: as for ``open_session``.
    """
    try:
        account_of(session)
    except ForeignRow:
        raise PaymentError("smartgift_unavailable") from None
    try:
        with transaction.atomic(durable=True):
            fresh = sessions.lock(
                session.pk,
                expected={SessionStatus.OPEN},
                amount_due=amount_due,
                amount_eligible=amount_due,
            )
            # Looked at under the lock; a refusal undoes what was written for it.
            _refuse_to_correct(fresh)
    except journal.Stale:
        raise PaymentError("session_not_open") from None


def _refuse_to_correct(session: PaymentSession) -> None:
    if not session.due_by_desk:
        why = _("The shop has told another amount for this order.")
    elif any(
        # One whose first hold was never answered pays nothing yet.
        row.amount and row.status in _PAYING
        for row in sessions.rows(session)
    ):
        why = _(
            "A voucher is held for this order already. Release it before you correct "
            "what the order comes to."
        )
    else:
        return
    raise PaymentError("invalid", fields={"amount_due": why})


def _create(
    reference: str, site: Site | None, values: Mapping[str, Any]
) -> PaymentSession:
    shop = shop_for(site)
    session = PaymentSession(
        reference=reference,
        site=site,
        smartgift_site_id=shop.site_id,
        currency=get_conf().currency,
        last_active_at=timezone.now(),
        **values,
    )
    session.bind_to(shop.account)
    with transaction.atomic(durable=True):
        session.save(force_insert=True)
        _note_emails(session)
    return session


def _note_emails(session: PaymentSession) -> None:
    """Keep by which addresses the payment is found, in the caller's transaction."""
    SessionEmail.objects.bulk_create(
        [
            SessionEmail(session=session, digest=email_digest(address))
            for address in sorted(emails_in(session.metadata))
        ]
    )


def _update(session: PaymentSession, values: Mapping[str, Any]) -> PaymentSession:
    amounts = (values["amount_due"], values["amount_eligible"])
    if session.status != SessionStatus.OPEN:
        if amounts != (session.amount_due, session.amount_eligible):
            raise PaymentError("session_not_open")
        return session
    try:
        account_of(session)
    except ForeignRow:
        if amounts != (session.amount_due, session.amount_eligible):
            raise PaymentError("smartgift_unavailable") from None
        return session
    try:
        with transaction.atomic(durable=True):
            fresh = sessions.lock(
                session.pk,
                expected={SessionStatus.OPEN},
                last_active_at=timezone.now(),
                **values,
            )
            if "metadata" in values:
                fresh.emails.all().delete()
                _note_emails(fresh)
            sessions.reallocate(fresh)
    except journal.Stale:
        raise PaymentError("session_not_open") from None
    return fresh


def amount(name: str, value: object, *, allow_zero: bool = False) -> Decimal:
    """Read an amount of money.

    Raises:
        PaymentError: ``invalid``, with the field's name.
    """
    try:
        return parse_amount(value, allow_zero=allow_zero)
    except ValueError:
        raise PaymentError(
            "invalid",
            fields={name: _("Use an amount with at most two decimals, such as 25.00.")},
        ) from None


def _check_metadata(metadata: Mapping[str, Any] | None) -> None:
    if metadata is None:
        return
    try:
        text = json.dumps(dict(metadata), allow_nan=False, ensure_ascii=False)
        # As escapes, NUL and halves of surrogate pairs pass JSON and no database.
        fits = len(text.encode()) <= METADATA_LIMIT and "\\u0000" not in text
    except (TypeError, ValueError, RecursionError):
        fits = False
    if not fits or _is_deeper(metadata, METADATA_DEPTH):
        raise PaymentError(
            "invalid",
            fields={
                "metadata": _(
                    "Use a JSON object of at most 16 kB, nested at most 32 deep."
                )
            },
        )


def _is_deeper(value: object, levels: int) -> bool:
    if isinstance(value, Mapping):
        parts: Iterable[object] = value.values()
    elif isinstance(value, (list, tuple)):
        parts = value
    else:
        return False
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)


def issue_secret(session: PaymentSession) -> str:
    """Make another secret for a session; only its digest is kept.

    Opening the session anew prolongs none of the earlier ones.
    """
    secret = Secret(f"sgs_{secrets.token_urlsafe(32)}")
    SessionSecret.objects.create(
        session=session,
        digest=_digest(secret),
        expires_at=timezone.now() + timedelta(seconds=get_conf().session_lifetime),
    )
    return secret


def session_for_secret(secret: str) -> PaymentSession:
    """Return the session that a secret opens.

    Raises:
        PaymentError: ``unauthenticated`` or ``session_expired``.
    """
    secret = Secret(secret)
    found = (
        SessionSecret.objects.select_related("session")
        .filter(digest=_digest(secret))
        .first()
    )
    if found is None:
        raise PaymentError("unauthenticated")
    if found.expires_at <= timezone.now():
        raise PaymentError("session_expired")
    return found.session


def _digest(secret: str) -> str:
    secret = Secret(secret)
    # 256 random bits need no slow hash.
    return hashlib.sha256(secret.encode()).hexdigest()
