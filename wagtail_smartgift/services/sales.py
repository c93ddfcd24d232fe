"""Selling vouchers: taking an order, placing it once, and telling what became of it.

This is the only writer of voucher orders, with ``sales_protocol`` for the call itself
and ``sales_looking`` for one without an answer. An order is stored before it is sent,
under the shop's own ``reference``; the same reference again is the same order and never
a second sale. It never takes money: the shop places an order when it has been paid.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift import capabilities, clock, codes, keycheck, selectors
from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.client import SmartGiftError
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.emails import email_digest
from wagtail_smartgift.exceptions import SaleError
from wagtail_smartgift.ledger import Order, OrderItem, describe_order
from wagtail_smartgift.models import VoucherOrder, VoucherOrderItem
from wagtail_smartgift.references import WRONG_REFERENCE, is_reference
from wagtail_smartgift.selectors import PaymentMethod, Shop
from wagtail_smartgift.services import (
    catalogue,
    keys,
    patience,
    sales_journal,
    sales_looking,
    sales_protocol,
    vault,
)
from wagtail_smartgift.services.sales_journal import After
from wagtail_smartgift.services.sales_pricing import PricedItem, price_order
from wagtail_smartgift.services.sales_reading import (
    WantedOrder,
    read_order,
)
from wagtail_smartgift.services.timebox import (
    PATIENCE,
    REQUEST_SECONDS,
    Postponed,
    TimeBox,
)
from wagtail_smartgift.services.worker import ForeignRow, account_of


logger = logging.getLogger(__name__)

#: Seconds that the request which stored an order has to send it before the sweep may.
_HEAD_START = timedelta(seconds=15)
#: Seconds after which the sweep comes back to an order that made it fail.
_AFTER_FAILURE = timedelta(minutes=5)
#: Steps of an order within one request: learning the payment method, sending it with
#: numbers of our own, a look at what became of it, and sending it without; or a look,
#: sending it again, and a look.
_MOST_STEPS = 4

S = OrderStatus

_REFUSALS = {
    "items": _("Smart Gift refused one of the vouchers. Nothing was sold."),
    "customer": _("Smart Gift refused the buyer's details. Nothing was sold."),
    "delivery": _("Smart Gift refused the delivery details. Nothing was sold."),
    "payment_method_id": _("Smart Gift refused the payment method. Nothing was sold."),
}


@dataclass(frozen=True)
class Progress:
    """What one pass over the orders that are due did."""

    #: Orders that were worked on.
    advanced: int
    #: Orders whose work failed with a fault of ours; they are in the log.
    failed: int
    #: Unfinished orders of another key or address, which are left alone.
    foreign: int


def place_order(
    *,
    reference: str,
    items: Sequence[Mapping[str, Any]],
    customer: Mapping[str, Any],
    delivery: Mapping[str, Any],
    payment_method: int | None = None,
    site: Site | None = None,
    dry_run: bool = False,
    patience: float = PATIENCE,
) -> Order:
    """Sell vouchers, once for each ``reference``, when the shop has been paid.

    The same order again returns the same sale; one that is still queued is tried
    again. A refused order may be sent again, changed or not. ``dry_run`` finds every
    fault that we can find and neither stores nor sells anything: call it before the
    customer pays. ``patience`` is how many seconds to wait for a place in the quota.
    Starts no remote call later than 15 seconds after it began.

    Must not run inside a transaction.

    Raises:
        SaleError: ``invalid`` with ``fields``; ``reference_conflict``: the reference
            was used for another order; ``order_refused``: Smart Gift sold nothing;
            ``smartgift_unavailable``: the configured FINGERPRINT_KEY is not that of
            the stored vouchers, so none can be stored.
    """
    box = TimeBox(seconds=REQUEST_SECONDS, patience=patience)
    if not is_reference(reference):
        raise SaleError("invalid", fields={"reference": WRONG_REFERENCE})
    wanted = read_order(
        items=items,
        customer=customer,
        delivery=delivery,
        payment_method=payment_method,
    )
    shop = selectors.shop_for(site)
    order = _join(reference, wanted, shop)
    if order is None:
        priced = price_order(wanted, shop)
        chosen = _choose_payment_method(wanted, shop)
        if dry_run:
            if get_conf().own_voucher_codes and not keycheck.is_ours():
                raise _wrong_key()
            return _rehearsed(reference, priced)
        order = _store(reference, wanted, shop, site, priced, chosen)
    sold = False
    if not dry_run:
        try:
            order, sold = _advance(order, box)
        except ForeignRow as error:
            logger.warning("%s", error)
    if order.status == S.REFUSED:
        raise SaleError("order_refused", _REFUSALS.get(order.refusal))
    return replace(describe_order(order), placed_now=sold and order.status == S.PLACED)


def get_order(*, reference: str) -> Order:
    """Return what became of an order, without asking Smart Gift.

    Raises:
        SaleError: ``not_found``.
    """
    if not is_reference(reference):
        raise SaleError("not_found")
    order = VoucherOrder.objects.filter(reference=reference).first()
    if order is None:
        raise SaleError("not_found")
    return describe_order(order)


def payment_methods(*, site: Site | None = None) -> tuple[PaymentMethod, ...]:
    """Return Smart Gift's payment methods, from what the last sync read.

    Raises:
        SaleError: ``busy`` or ``smartgift_unavailable``: none was ever read, and
            they cannot be read now.
    """
    account = selectors.shop_for(site).account
    known = selectors.payment_methods(account)
    if not known:
        try:
            known = catalogue.refresh_payment_methods(account, patience=PATIENCE)
        except catalogue.CatalogueSyncError as error:
            raise _unavailable(error) from error
    return known


def _unavailable(error: Exception) -> SaleError:
    """Return what a shop is told while Smart Gift's payment methods are not known."""
    cause = error.__cause__
    if not isinstance(cause, SmartGiftError):
        return SaleError("smartgift_unavailable", retry_after=30)
    postponed = Postponed.by(cause)
    return SaleError(postponed.code, retry_after=postponed.retry_after)


def advance_due(*, limit: int = 100) -> Progress:
    """Work on the orders that are due, the longest due first."""
    box = TimeBox.sweep()
    open_orders = VoucherOrder.objects.filter(status__in=(S.QUEUED, S.PLACING))
    ours = VoucherOrder.ours()
    foreign = open_orders.exclude(ours).count()
    if foreign:
        logger.warning(
            "%d voucher orders were made with an account that is not configured like "
            "that any more; they are left alone.",
            foreign,
        )
    now = clock.now()
    is_due = Q(next_look_at__lte=now) | Q(next_look_at__gt=now + patience.furthest())
    due = open_orders.filter(ours, is_due)
    advanced = failed = 0
    for order in due.order_by("next_look_at")[:limit]:
        try:
            _advance(order, box)
        except Exception:  # One bad row must not stop the others.
            logger.exception("Voucher order %s could not be worked on.", order)
            failed += 1
            VoucherOrder.objects.filter(pk=order.pk, version=order.version).update(
                next_look_at=clock.now() + _AFTER_FAILURE
            )
        else:
            advanced += 1
    return Progress(advanced=advanced, failed=failed, foreign=foreign)


# Taking an order


def _join(reference: str, wanted: WantedOrder, shop: Shop) -> VoucherOrder | None:
    """Return the order that this is a repeat of; None if it is to be stored.

    Raises:
        SaleError: ``reference_conflict``.
    """
    order = VoucherOrder.objects.filter(reference=reference).first()
    if order is None or order.status == S.REFUSED:
        return None
    if order.content_digest != wanted.digest(account=shop.account.alias):
        raise SaleError("reference_conflict")
    return order


def _choose_payment_method(wanted: WantedOrder, shop: Shop) -> int | None:
    """Return the method asked for, the shop's, or the first; None: not known yet.

    Raises:
        SaleError: ``invalid``: Smart Gift does not list the one that was asked for.
    """
    known = [method.id for method in selectors.payment_methods(shop.account)]
    if wanted.payment_method is None:
        return shop.payment_method or next(iter(known), None)
    if known and wanted.payment_method not in known:
        raise SaleError(
            "invalid",
            fields={"payment_method": _("Smart Gift has no such payment method.")},
        )
    return wanted.payment_method


def _store(
    reference: str,
    wanted: WantedOrder,
    shop: Shop,
    site: Site | None,
    priced: Sequence[PricedItem],
    payment_method: int | None,
) -> VoucherOrder:
    """Store a new order, or a refused one anew; join whoever was faster."""
    own_codes = (
        get_conf().own_voucher_codes and capabilities.of(shop.account).takes_own_codes
    )
    values: dict[str, Any] = {
        "site": site,
        "smartgift_site_id": shop.site_id,
        "currency": get_conf().currency,
        "status": S.QUEUED,
        "content_digest": wanted.digest(account=shop.account.alias),
        "customer": asdict(wanted.customer),
        "email_digest": email_digest(wanted.customer.email),
        # A refused one that comes again may have been forgotten meanwhile.
        "forgotten_at": None,
        "erase_asked_at": None,
        "delivery": _storable(wanted),
        "payment_method": payment_method,
        "own_codes": own_codes,
        "remote_reference": get_conf().reference_prefix + reference,
        "next_look_at": clock.now() + _HEAD_START,
        "account": shop.account.alias,
        "account_base_url": shop.account.base_url,
        "account_key_hash": shop.account.key_hash,
    }
    try:
        with transaction.atomic(durable=True):
            # The UPDATE comes first: it is the lock, and it decides who was faster.
            if VoucherOrder.objects.filter(
                reference=reference, status=S.REFUSED
            ).update(
                version=F("version") + 1,
                # An answer to the refused one that is still on its way is not this one's.
                attempt=F("attempt") + 1,
                updated_at=timezone.now(),
                refusal="",
                refusal_detail="",
                looks=0,
                **values,
            ):
                order = VoucherOrder.objects.get(reference=reference)
                order.items.all().delete()
            else:
                order = VoucherOrder.objects.create(reference=reference, **values)
            VoucherOrderItem.objects.bulk_create(
                _item_row(order, position, item, shop.account, own_codes=own_codes)
                for position, item in enumerate(priced)
            )
            if own_codes:
                keys.require_ours()
    except keys.WrongFingerprintKey:
        raise _wrong_key() from None
    except IntegrityError:
        # Somebody was faster; if not with this order, then with another one of this
        # reference, or of one that is the same text behind another prefix.
        joined = VoucherOrder.objects.filter(
            reference=reference, content_digest=values["content_digest"]
        ).first()
        if joined is None:
            raise SaleError("reference_conflict") from None
        return joined
    return order


def _wrong_key() -> SaleError:
    logger.error(
        "No voucher can be sold: FINGERPRINT_KEY is not the key that the stored "
        "vouchers were fingerprinted with. Put that one back, or run smartgift_rekey."
    )
    return SaleError("smartgift_unavailable", retry_after=60)


def _item_row(
    order: VoucherOrder,
    position: int,
    item: PricedItem,
    account: Account,
    *,
    own_codes: bool,
) -> VoucherOrderItem:
    row = VoucherOrderItem(
        order=order,
        position=position,
        product=item.product,
        price=item.price,
        persons=item.persons,
        to=item.to,
        sender=item.sender,
        message=item.message,
    )
    if own_codes:
        number = codes.generate_voucher_number()
        row.number_encrypted = vault.seal(number)
        row.fingerprint = vault.fingerprint(number, account=account)
        row.display_code = codes.display_code(number)
    return row


def _storable(wanted: WantedOrder) -> dict[str, Any]:
    delivery = wanted.delivery
    return {
        "method": delivery.method,
        "price": str(delivery.price),
        "date": delivery.date.isoformat() if delivery.date else None,
        "address": asdict(delivery.address) if delivery.address else None,
    }


# Taking it further


def advance(order: VoucherOrder) -> VoucherOrder:
    """Take an unfinished order as far as a request has time for; the sweep does the rest.

    Raises:
        ForeignRow: it was made with another key or address than is configured now.
    """
    order, _placed = _advance(order, TimeBox.request())
    return order


def _advance(order: VoucherOrder, box: TimeBox) -> tuple[VoucherOrder, bool]:
    """Take an order as far as it goes now; tell whether one of these steps placed it."""
    if order.status not in {S.QUEUED, S.PLACING}:
        return order, False
    account = account_of(order)
    after = After.REST
    for _step in range(_MOST_STEPS):
        if box.left() <= 0:
            break
        if order.status == S.QUEUED:
            if order.payment_method is None:
                # A call of its own: whether there is time for the sale is asked anew.
                after = _fill_payment_method(order, account, box)
            else:
                after = sales_protocol.send(order, account, box)
        elif sales_journal.is_due(order):
            after = sales_looking.look(order, account, box)
        else:
            break
        order = VoucherOrder.objects.get(pk=order.pk)
        if order.status == S.QUEUED and after is not After.NEXT:
            break
    return order, after is After.PLACED


def _fill_payment_method(order: VoucherOrder, account: Account, box: TimeBox) -> After:
    """Give an order that came before Smart Gift's list was known its method."""
    try:
        known = selectors.payment_methods(account) or catalogue.refresh_payment_methods(
            account, patience=box.patience
        )
    except catalogue.CatalogueSyncError:
        known = ()
    if not known:
        sales_protocol.postpone(order)
        return After.REST
    filled = sales_journal.update(order, payment_method=known[0].id)
    return After.NEXT if filled else After.REST


# Telling


def _rehearsed(reference: str, priced: Sequence[PricedItem]) -> Order:
    return Order(
        reference=reference,
        status=S.QUEUED,
        order_id=None,
        items=tuple(
            OrderItem(
                product=item.product.remote_id,
                price=item.price,
                persons=item.persons,
                voucher_no=None,
            )
            for item in priced
        ),
    )
