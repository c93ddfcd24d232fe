"""What each type of the shop's messages does: a verb, a sale, or a look at the catalogue.

Nothing here knows how a message is claimed, retried or kept; see ``inbox``. Whatever
is refused raises, and whatever is under way at Smart Gift counts as done: the sweep
finishes it, and an event tells the shop.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Protocol

from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift import selectors
from wagtail_smartgift.choices import (
    InboxStatus,
    InboxStep,
    SessionStatus,
    ShopEvent,
)
from wagtail_smartgift.client import SmartGiftError
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import CatalogueSync, InboxEvent, InboxMessage
from wagtail_smartgift.services import catalogue, counters, erasures, payments, sales
from wagtail_smartgift.services.timebox import Postponed, TimeBox


#: However many messages say that the catalogue has changed, it is read once in so many
#: seconds: one call of the sixty, in the last lane.
CATALOGUE_SECONDS = 60
_CATALOGUE = counters.Counter("inbox-catalogue", CATALOGUE_SECONDS)
#: When an account was read that never was.
_NEVER = dt.datetime.min.replace(tzinfo=dt.timezone.utc)

Data = Mapping[str, Any]


class Attempt(Protocol):
    """This worker's attempt at the message, and what an earlier one has begun."""

    @property
    def worker(self) -> str: ...

    @property
    def refund_target(self) -> Decimal | None: ...

    def note_refund(self, target: Decimal) -> None: ...

    def renew(self) -> None: ...

    def has_begun(self) -> bool: ...


def carry_out(message: InboxMessage, data: Data, attempt: Attempt) -> None:
    """Do what a message asks for.

    Raises:
        PaymentError, SaleError: it was refused, for now or for good.
    """
    _WORK[ShopEvent(message.type)](message, data, attempt)


def _confirm(message: InboxMessage, data: Data, attempt: Attempt) -> None:
    """Confirm a payment; what an earlier attempt has begun in vain is not begun again.

    Its worker may have died over it, and the sweep may have undone it and told the shop.
    """
    if message.attempts > 1:
        undone = payments.undone_since(
            reference=data["reference"], moment=message.asked_at
        )
        if undone is not None:
            raise PaymentError(undone)
    payments.confirm(reference=data["reference"], amount_remaining=data.get("amount"))


def _cancel(message: InboxMessage, data: Data, attempt: Attempt) -> None:
    """Cancel all of a payment; an amount that is not all of it was meant otherwise."""
    reference, amount = data["reference"], data.get("amount")
    session = payments.get_session(reference=reference)
    over = session.status in {SessionStatus.CANCELLING, SessionStatus.CANCELLED}
    covered = session.amount_covered
    if session.status == SessionStatus.CONFIRMING:
        # Not all of it is redeemed yet, and all of it is to come back.
        covered = session.amount_due - session.amount_remaining
    if amount is not None and not over and Decimal(amount) != covered:
        raise PaymentError("amount_changed")
    payments.cancel(reference=reference)


def _refund(message: InboxMessage, data: Data, attempt: Attempt) -> None:
    session = payments.refund(
        reference=data["reference"], amount=data.get("amount"), claim=attempt
    )
    if session.pending and not attempt.has_begun():
        # Another refund is under way, and this one was not begun.
        raise PaymentError("session_busy", retry_after=5)


def _sell(message: InboxMessage, data: Data, attempt: Attempt) -> None:
    order = {name: value for name, value in data.items() if name != "site"}
    try:
        sales.place_order(**order, site=_site(message, data.get("site")))
    finally:
        # What was refused may have been stored as well.
        erasures.carry_over(message, data)


def _site(message: InboxMessage, hostname: str | None) -> Site | None:
    if not hostname:
        return message.site
    site = selectors.site_named(hostname)
    if site is None:
        raise PaymentError(
            "invalid", fields={"site": _("There is no site of this name.")}
        )
    return site


def _read_catalogue(message: InboxMessage, data: Data, attempt: Attempt) -> None:
    """Read the catalogue of every account, for all who say that it has changed.

    One attempt begins readings for as long as a request may. Where that is not enough
    for all accounts, or one cannot be read, the next attempt goes on with the others:
    what was read since the message came is not read again for it.
    """
    waiting = _to_be_read(message)
    if waiting:
        _take_turn()
    box = TimeBox.request()
    failure: PaymentError | None = None
    for account in waiting:
        if box.left() <= 0:
            failure = failure or PaymentError("busy", retry_after=5)
            break
        attempt.renew()
        try:
            catalogue.sync(account, patience=box.patience)
        except catalogue.CatalogueSyncError as error:
            failure = failure or _unread(error)
    if failure is not None:
        raise failure
    _answer_the_others(message, attempt)


def _take_turn() -> None:
    try:
        counters.count(_CATALOGUE, limit=1)
    except counters.Full as full:
        raise PaymentError("busy", retry_after=full.retry_after) from None


def _to_be_read(message: InboxMessage) -> list[Account]:
    """Return the accounts that were not read since the message came (or was replayed).

    First those that nobody has tried for longest: one that fails holds up no other.
    """
    read, tried = {}, {}
    for row in CatalogueSync.objects.all():
        read[row.account] = row.synced_at or _NEVER
        tried[row.account] = max(read[row.account], row.failed_at or _NEVER)
    waiting = [
        account
        for account in get_conf().accounts.values()
        if read.get(account.alias, _NEVER) < message.asked_at
    ]
    return sorted(waiting, key=lambda account: tried.get(account.alias, _NEVER))


def _unread(error: catalogue.CatalogueSyncError) -> PaymentError:
    cause = error.__cause__
    if not isinstance(cause, SmartGiftError):
        return PaymentError("smartgift_unavailable", retry_after=30)
    postponed = Postponed.by(cause)
    return PaymentError(postponed.code, retry_after=postponed.retry_after)


def _answer_the_others(message: InboxMessage, attempt: Attempt) -> None:
    """What they tell of was there to be read when the readings began."""
    now = timezone.now()
    accounts = get_conf().accounts
    read_at = CatalogueSync.objects.filter(account__in=list(accounts)).aggregate(
        oldest=Min("synced_at")
    )["oldest"]
    with transaction.atomic(durable=True):
        InboxMessage.objects.filter(
            InboxMessage.bound_to(accounts.values()),
            type=message.type,
            status=InboxStatus.RECEIVED,
            asked_at__lte=read_at,
        ).update(
            status=InboxStatus.PROCESSED,
            code="",
            payload_encrypted="",
            next_attempt_at=None,
            finished_at=now,
            claimed_by=attempt.worker,
        )
        answered = InboxMessage.objects.filter(
            status=InboxStatus.PROCESSED, claimed_by=attempt.worker
        )
        InboxEvent.objects.bulk_create(
            InboxEvent(message_id=pk, step=InboxStep.PROCESSED)
            for pk in list(answered.values_list("pk", flat=True))
        )
        answered.update(claimed_by="")


_WORK: dict[ShopEvent, Callable[[InboxMessage, Data, Attempt], None]] = {
    ShopEvent.ORDER_CONFIRMED: _confirm,
    ShopEvent.ORDER_CANCELLED: _cancel,
    ShopEvent.ORDER_REFUNDED: _refund,
    ShopEvent.ORDER_PAID: _sell,
    ShopEvent.CATALOGUE_CHANGED: _read_catalogue,
}
