"""Placing one order with Smart Gift at most once.

::

    queued ──T1──> placing ──T2──> placed | refused | queued (it never left)
                      │
                      └─ no answer, or our worker died: asked for by the number
                         that we gave its first voucher, or else a person decides

T1 writes down that the order is about to be sent, N sends it, T2 writes down what
came of it; no transaction spans N. Smart Gift has no idempotency key and may answer
a repeated reference with a second order, so an order whose request may have left is
never sent again: it is asked for with ``/redeem/check``, which knows every voucher
that was sold.
"""

import logging
import uuid
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from wagtail_smartgift import codes
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
)
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import VoucherOrder, VoucherOrderItem
from wagtail_smartgift.services import claims, gateway, vault
from wagtail_smartgift.services import sales_journal as journal
from wagtail_smartgift.services.timebox import TimeBox


logger = logging.getLogger(__name__)

#: Seconds after which an order that could not be sent is tried again, then the last
#: of them for ever: it has been paid for, so it is not given up.
RESEND_AFTER = (15, 30, 60, 120, 240, 480, 960, 1800, 3600)
#: Seconds between looks at an order of unknown outcome while Smart Gift does not
#: answer; after the last one a person decides.
LOOK_AFTER = (35, 60, 120, 240, 480, 960, 1920, 3600)
#: Seconds that a look waits when only the quota was in its way.
_QUOTA_PAUSE = 5.0

_PLACE, _CHECK = "place", "check"
S = OrderStatus


def send(order: VoucherOrder, account: Account, box: TimeBox) -> bool:
    """Send a queued order once; return whether it may be sent again at once."""
    client = gateway.connect(account, patience=box.patience)
    try:
        request = _request(order)
    except codes.UndecryptableError:
        _hand_over(order, journal.UNDECRYPTABLE)
        return False
    if not _begin(order):
        return False
    try:
        receipt = client.pos_sale(request, lane=Lane.CHECKOUT)
    except OutcomeUnknown as error:
        _leave_unknown(order, reason=journal.word(error))
    except Refused as error:
        return _take_refusal(order, error)
    except SmartGiftError as error:
        # Everything else that the client can raise was not applied.
        _requeue(order, error)
    else:
        _take_receipt(order, receipt)
    return False


def look(order: VoucherOrder, account: Account, box: TimeBox) -> None:
    """Find out what became of an order that was sent and not answered."""
    if not _claim_look(order):
        return
    first = order.items.order_by("position").first()
    if not order.own_codes or first is None or not first.number_encrypted:
        # Nothing that we could ask for.
        _hand_over(order, _doubt(order))
        return
    try:
        number = vault.open_sealed(first.number_encrypted)
    except codes.UndecryptableError:
        _hand_over(order, journal.UNDECRYPTABLE)
        return
    client = gateway.connect(account, patience=box.patience)
    try:
        client.check(
            voucher_no=number, site_id=order.smartgift_site_id, lane=Lane.MONEY
        )
    except Refused as error:
        _take_look(order, error)
    except SmartGiftError as error:
        _look_later(order, error)
    else:
        _found(order, reason="found")


def postpone(order: VoucherOrder) -> None:
    """Try an order that lacks something later; nothing has left for it."""
    journal.update(
        order,
        refusal=journal.UNAVAILABLE,
        looks=order.looks + 1,
        next_look_at=timezone.now() + timedelta(seconds=_resend_after(order)),
    )


# T1


def _begin(order: VoucherOrder) -> bool:
    """Write down that the order is about to be sent; False if somebody else did."""
    now = timezone.now()
    until = now + timedelta(seconds=claims.claim_seconds())
    return journal.step(
        order,
        _PLACE,
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


def _claim_look(order: VoucherOrder) -> bool:
    """Take an order of unknown outcome; False if somebody else has it."""
    with transaction.atomic(durable=True):
        now = timezone.now()
        if not journal.update(
            order,
            Q(claimed_until__isnull=True) | Q(claimed_until__lt=now),
            claimed_by=str(uuid.uuid4()),
            claimed_until=now + timedelta(seconds=claims.claim_seconds()),
        ):
            return False
        answered = order.events.filter(operation=_PLACE, attempt=order.attempt).exclude(
            outcome=Outcome.REQUESTED
        )
        if not answered.exists():
            journal.append(order, _PLACE, Outcome.UNKNOWN, reason="worker_died")
            VoucherOrder.objects.filter(pk=order.pk).update(looks=0)
            order.looks = 0
    return True


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


def _take_receipt(order: VoucherOrder, receipt: SaleReceipt) -> None:
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
                order, _PLACE, Outcome.SUCCEEDED, reason=reason, attempt=attempt
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


def _keep_answered_codes(order: VoucherOrder, answered: tuple[str, ...]) -> None:
    """Store the numbers that the answer names, where they are not ours anyway.

    inferred: they come in the order of the items. Numbers that could not be matched
    are not stored at all, since a wrong one is worse than none.
    """
    if not answered:
        return
    items = list(_items(order))
    ours = {item.fingerprint for item in items if item.fingerprint}
    account = get_conf().account(order.account)
    prints = [vault.fingerprint(number, account=account) for number in answered]
    if len(answered) != len(items) or set(prints) == ours:
        return
    try:
        with transaction.atomic():
            for item, number, print_ in zip(items, answered, prints, strict=True):
                item.number_encrypted = vault.seal(number)
                item.fingerprint = print_
                item.display_code = codes.display_code(number)
                item.save(
                    update_fields=["number_encrypted", "fingerprint", "display_code"]
                )
    except IntegrityError:
        logger.exception(
            "Smart Gift's answer for voucher order %s names a voucher of another "
            "order; its numbers were not stored.",
            order.reference,
        )


def _take_refusal(order: VoucherOrder, error: Refused) -> bool:
    """Write down a definite no; return whether to send again without our numbers."""
    reason = error.reason
    about_reference = (
        reason is RefusalReason.DUPLICATE_REFERENCE or "reference" in error.fields
    )
    doubtful = order.events.filter(operation=_PLACE, outcome=Outcome.UNKNOWN).exists()
    if reason is RefusalReason.INVALID_CODE and not about_reference and not doubtful:
        return _drop_codes(order)
    if reason in {RefusalReason.DUPLICATE_REFERENCE, RefusalReason.INVALID_CODE}:
        # Taken by whom? If by an earlier attempt of ours (or one that something on
        # the way sent twice), then it is sold; the first voucher's number tells.
        journal.step(
            order,
            _PLACE,
            Outcome.FAILED,
            reason=(
                RefusalReason.DUPLICATE_REFERENCE if about_reference else reason
            ).value,
            looks=0,
            **journal.later(timezone.now()),
        )
        return False
    journal.step(
        order,
        _PLACE,
        Outcome.FAILED,
        reason=reason.value,
        refusal=journal.refused_part(error),
        refusal_detail=error.message[:1000],
        **journal.settled(S.REFUSED),
    )
    return False


def _drop_codes(order: VoucherOrder) -> bool:
    """Give up numbers of our own for this order: it was refused because of them."""
    with transaction.atomic(durable=True):
        moved = journal.update(
            order,
            status=S.QUEUED,
            own_codes=False,
            **journal.later(timezone.now()),
        )
        if moved:
            journal.append(order, _PLACE, Outcome.FAILED, reason=journal.CODE_REFUSED)
            order.items.update(number_encrypted="", fingerprint="", display_code="")
    return moved


def _requeue(order: VoucherOrder, error: SmartGiftError) -> None:
    """Put back an order that was certainly not taken."""
    wait = error.retry_after or _resend_after(order)
    journal.step(
        order,
        _PLACE,
        Outcome.FAILED,
        status=S.QUEUED,
        reason=journal.word(error),
        refusal=journal.BUSY if journal.is_busy(error) else journal.UNAVAILABLE,
        looks=order.looks + 1,
        **journal.later(timezone.now() + timedelta(seconds=wait)),
    )


def _resend_after(order: VoucherOrder) -> int:
    return RESEND_AFTER[min(order.looks, len(RESEND_AFTER) - 1)]


def _leave_unknown(order: VoucherOrder, *, reason: str) -> None:
    """Leave an order alone until its request can no longer be on its way."""
    journal.step(
        order,
        _PLACE,
        Outcome.UNKNOWN,
        reason=reason,
        looks=0,
        **journal.later(journal.sent_at(order) + timedelta(seconds=get_conf().settle)),
    )


def _take_look(order: VoucherOrder, error: Refused) -> None:
    """Decide by a refusal of the first voucher's number.

    Only "that number is invalid" can mean that nothing was sold. Every other word
    about the voucher means that it exists; a word about our site number says nothing
    about the voucher.
    """
    if error.reason is RefusalReason.INVALID_SITE or "site_id" in error.fields:
        _look_later(order, error)
    elif error.reason is not RefusalReason.INVALID_VOUCHER:
        _found(order, reason=error.reason.value)
    elif timezone.now() < (
        late := journal.sent_at(order) + timedelta(seconds=get_conf().late)
    ):
        journal.step(
            order,
            _CHECK,
            Outcome.SUCCEEDED,
            reason="not_found",
            **journal.later(late),
        )
    else:
        # Whether a voucher can be checked the moment it is sold is not documented,
        # so that it is not found does not prove that it was not sold.
        _hand_over(order, _doubt(order), reason="not_found")


def _found(order: VoucherOrder, *, reason: str) -> None:
    """The first voucher exists, so the order was placed; its number stays unknown."""
    journal.step(
        order,
        _CHECK,
        Outcome.SUCCEEDED,
        reason=reason,
        **journal.settled(S.PLACED),
    )


def _look_later(order: VoucherOrder, error: SmartGiftError) -> None:
    quota = journal.is_busy(error)
    if not quota and order.looks >= len(LOOK_AFTER):
        _hand_over(order, _doubt(order), reason=journal.word(error))
        return
    wait = error.retry_after or (_QUOTA_PAUSE if quota else LOOK_AFTER[order.looks])
    journal.step(
        order,
        _CHECK,
        Outcome.FAILED,
        reason=journal.word(error),
        looks=order.looks + (not quota),
        **journal.later(timezone.now() + timedelta(seconds=wait)),
    )


def _doubt(order: VoucherOrder) -> str:
    """Return why nobody knows: no answer, or a refusal of the reference as taken."""
    last = order.events.filter(operation=_PLACE).order_by("-id").first()
    refused = last is not None and last.outcome == Outcome.FAILED
    return journal.REFERENCE_TAKEN if refused else journal.SALE_UNKNOWN


def _hand_over(order: VoucherOrder, code: str, *, reason: str = "") -> None:
    """Leave the rest to a person."""
    journal.step(
        order,
        _CHECK,
        Outcome.UNKNOWN,
        reason=reason or code,
        **journal.settled(S.NEEDS_ATTENTION, attention_code=code),
    )
