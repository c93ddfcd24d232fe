"""Placing one order with Smart Gift at most once.

::

    queued ──T1──> placing ──T2──> placed | refused | queued (it never left)
                      │
                      └─ no answer, or our worker died: asked for by the number
                         that we gave its first voucher, or else a person decides
                         (queued again only where a probe showed that a number that
                         is not found was not sold)

T1 writes down that the order is about to be sent, N sends it, T2 writes down what
came of it; no transaction spans N. Smart Gift has no idempotency key and may answer
a repeated reference with a second order, so an order whose request may have left is
never sent again unasked: it is asked for with ``/redeem/check``, which knows every
voucher that was sold.
"""

import logging
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F

from wagtail_smartgift import clock, codes
from wagtail_smartgift.choices import Lane, OrderStatus, Outcome, ProductType
from wagtail_smartgift.client import (
    OutcomeUnknown,
    RefusalReason,
    Refused,
    SaleAddress,
    SaleCustomer,
    SaleDelivery,
    SaleItem,
    SaleReceipt,
    SaleRequest,
    SmartGiftError,
    is_about_code,
    is_about_reference,
)
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import VoucherOrder, VoucherOrderItem
from wagtail_smartgift.services import claims, gateway, keys, sales_looking, vault
from wagtail_smartgift.services import sales_journal as journal
from wagtail_smartgift.services.sales_journal import After
from wagtail_smartgift.services.timebox import Postponed, TimeBox


logger = logging.getLogger(__name__)

#: Seconds after which an order that could not be sent is tried again, then the last
#: of them for ever: it has been paid for, so it is not given up.
RESEND_AFTER = (15, 30, 60, 120, 240, 480, 960, 1800, 3600)

S = OrderStatus


def send(order: VoucherOrder, account: Account, box: TimeBox) -> After:
    """Send a queued order once."""
    client = gateway.connect(account, patience=box.patience, asker=str(order.pk))
    try:
        request = _request(order)
    except codes.UndecryptableError:
        sales_looking.hand_over(order, journal.UNDECRYPTABLE)
        return After.REST
    if not _begin(order):
        return After.REST
    try:
        receipt = client.pos_sale(request, lane=Lane.CHECKOUT)
    except OutcomeUnknown as error:
        _leave_unknown(order, reason=journal.word(error))
    except Refused as error:
        _take_refusal(order, error)
    except SmartGiftError as error:
        # Everything else that the client can raise was not applied.
        _requeue(order, error)
    else:
        return _take_receipt(order, receipt)
    return After.REST


def postpone(order: VoucherOrder) -> None:
    """Try an order that lacks something later; nothing has left for it."""
    journal.update(
        order,
        refusal=journal.UNAVAILABLE,
        looks=order.looks + 1,
        next_look_at=clock.now() + timedelta(seconds=_resend_after(order)),
    )


# T1


def _begin(order: VoucherOrder) -> bool:
    """Write down that the order is about to be sent; False if somebody else did."""
    now = clock.now()
    until = now + timedelta(seconds=claims.claim_seconds())
    return journal.step(
        order,
        journal.PLACE,
        Outcome.REQUESTED,
        status=S.PLACING,
        attempt=order.attempt + 1,
        sent_at=now,
        refusal="",
        refusal_detail="",
        claimed_by=str(uuid.uuid4()),
        claimed_until=until,
        # Should this worker die, the order counts as unknown from then on.
        next_look_at=max(until, now + timedelta(seconds=get_conf().settle)),
    )


# N


def _request(order: VoucherOrder) -> SaleRequest:
    """Build the call from the rows.

    Raises:
        UndecryptableError: a voucher number cannot be read.
    """
    if order.payment_method is None:
        raise ValueError(f"{order} has no payment method yet.")
    return SaleRequest(
        reference=order.remote_reference,
        items=tuple(_sale_item(item) for item in _items(order)),
        customer=SaleCustomer(**order.customer),
        delivery=_sale_delivery(order.delivery),
        payment_method_id=order.payment_method,
    )


def _sale_item(item: VoucherOrderItem) -> SaleItem:
    sealed = item.number_encrypted
    return SaleItem(
        id=item.product.remote_id,
        # Smart Gift computes the price of an experience itself.
        price=item.price if item.product.type == ProductType.MONETARY else None,
        persons=item.persons,
        to=item.to or None,
        from_=item.sender or None,
        message=item.message or None,
        code=vault.open_sealed(sealed) if sealed else None,
    )


def _sale_delivery(stored: dict[str, Any]) -> SaleDelivery:
    method, day, address = stored["method"], stored["date"], stored["address"]
    return SaleDelivery(
        method=method,
        price=Decimal(stored["price"]),
        date=date.fromisoformat(day) if day else None,
        address=SaleAddress(**address) if address else None,
    )


def _items(order: VoucherOrder) -> Iterable[VoucherOrderItem]:
    return order.items.select_related("product").order_by("position")


# T2


def _take_receipt(order: VoucherOrder, receipt: SaleReceipt) -> After:
    """Write down that it was sold. A late answer counts like any other.

    Meanwhile a look may have found the order, a person may have decided, or even
    another attempt may have been made: the last is two sales, so a person's.
    """
    rows = VoucherOrder.objects.filter(pk=order.pk)
    attempt = order.attempt
    order_id = (receipt.order_id or "")[:128]
    placed = {**journal.settled(S.PLACED), "order_id": order_id}
    doubled = journal.settled(S.NEEDS_ATTENTION, attention_code=journal.SOLD_TWICE)
    try:
        with transaction.atomic(durable=True):
            version = F("version") + 1
            this_attempt = rows.filter(attempt=attempt)
            reason = ""
            if this_attempt.exclude(status=S.PLACED).update(version=version, **placed):
                news = True
            elif this_attempt.update(version=version, **placed):
                # A look was faster; now its number at Smart Gift is known, too.
                news = False
            else:
                news = bool(rows.update(version=version, **doubled))
                reason = journal.SOLD_TWICE
            order.refresh_from_db()
            journal.append(
                order, journal.PLACE, Outcome.SUCCEEDED, reason=reason, attempt=attempt
            )
            if not reason:
                _keep_answered_codes(order, receipt.codes)
            if news:
                journal.tell(order)
    except DatabaseError:
        logger.exception(
            "Smart Gift sold voucher order %s (%s) and that could not be stored.",
            order.reference,
            order_id or "no order id",
        )
        raise
    return After.PLACED if news and not reason else After.REST


def _keep_answered_codes(order: VoucherOrder, answered: tuple[str, ...]) -> None:
    """Store the numbers that the answer names, where they are not ours anyway.

    inferred: they come in the order of the items. Numbers that could not be matched
    are not stored at all, since a wrong one is worse than none. Under the wrong
    FINGERPRINT_KEY they are stored without fingerprints: they are sold, and
    ``smartgift_rekey`` makes those up.
    """
    items = list(_items(order))
    if len(answered) != len(items) or set(answered) == _our_numbers(items):
        return
    account = get_conf().account(order.account)
    prints = [vault.fingerprint(number, account=account) for number in answered]
    try:
        try:
            with transaction.atomic():
                _store_numbers(items, answered, prints)
                keys.require_ours()
        except keys.WrongFingerprintKey:
            with transaction.atomic():
                _store_numbers(items, answered, [""] * len(items))
    except IntegrityError:
        logger.exception(
            "Smart Gift's answer for voucher order %s names a voucher of another "
            "order; its numbers were not stored.",
            order.reference,
        )


def _our_numbers(items: Iterable[VoucherOrderItem]) -> set[str]:
    numbers = set()
    for item in items:
        if item.number_encrypted:
            with suppress(codes.UndecryptableError):
                numbers.add(vault.open_sealed(item.number_encrypted))
    return numbers


def _store_numbers(
    items: Iterable[VoucherOrderItem], numbers: Iterable[str], prints: Iterable[str]
) -> None:
    for item, number, print_ in zip(items, numbers, prints, strict=True):
        item.number_encrypted = vault.seal(number)
        item.fingerprint = print_
        item.display_code = codes.display_code(number)
        item.fingerprint_next = ""
        item.save(
            update_fields=[
                "number_encrypted",
                "fingerprint",
                "fingerprint_next",
                "display_code",
            ]
        )


def _take_refusal(order: VoucherOrder, error: Refused) -> None:
    """Write down a refusal; whether it is so is looked up before it is told.

    Something on the way may have sent the request twice, or an attempt without an
    answer come late: then it is about what that one has sold, in whichever words. The
    first voucher's number tells. Where it has none of ours, a refusal is believed
    unless there was such an attempt, or a word about the reference: that is a person's.
    """
    doubtful = journal.was_unanswered(order) or is_about_reference(error)
    if doubtful or order.own_codes:
        after = {"looks": 0, **journal.later(clock.now())}
    else:
        after = journal.settled(S.REFUSED)
    journal.step(
        order,
        journal.PLACE,
        Outcome.FAILED,
        reason=(_kind(error) if doubtful else error.reason).value,
        refusal=journal.refused_part(error),
        refusal_detail=error.message[:1000],
        **after,
    )


def _kind(error: Refused) -> RefusalReason:
    """Return the reason, with any word about what is sold once as "that is taken"."""
    if is_about_reference(error):
        return RefusalReason.DUPLICATE_REFERENCE
    return RefusalReason.INVALID_CODE if is_about_code(error) else error.reason


def _requeue(order: VoucherOrder, error: SmartGiftError) -> None:
    """Put back an order that was certainly not taken."""
    wait = error.retry_after or _resend_after(order)
    journal.step(
        order,
        journal.PLACE,
        Outcome.FAILED,
        status=S.QUEUED,
        reason=journal.word(error),
        refusal=Postponed.by(error).code,
        looks=order.looks + 1,
        **journal.later(clock.now() + timedelta(seconds=wait)),
    )


def _resend_after(order: VoucherOrder) -> int:
    return RESEND_AFTER[min(order.looks, len(RESEND_AFTER) - 1)]


def _leave_unknown(order: VoucherOrder, *, reason: str) -> None:
    """Leave an order alone until its request can no longer be on its way."""
    journal.step(
        order,
        journal.PLACE,
        Outcome.UNKNOWN,
        reason=reason,
        looks=0,
        **journal.later(journal.sent_at(order) + timedelta(seconds=get_conf().settle)),
    )
