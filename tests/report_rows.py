"""Rows for reports, written past the services: many at once, and at any time."""

import uuid
from datetime import datetime, timezone
from decimal import Decimal

from tests.factories import make_product
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    PaymentSession,
    Redemption,
    RedemptionEvent,
    VoucherOrder,
    VoucherOrderEvent,
    VoucherOrderItem,
    VoucherProduct,
)


NOON = datetime(2026, 7, 15, 12, tzinfo=timezone.utc)


def bind(row):
    row.bind_to(get_conf().account("default"))
    return row


def session(status="confirmed", **values):
    row = bind(
        PaymentSession(
            reference=uuid.uuid4().hex,
            currency="GBP",
            amount_due=Decimal("100.00"),
            amount_eligible=Decimal("100.00"),
            last_active_at=NOON,
            status=status,
        )
    )
    for name, value in values.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    return row


def redemption(of=None, *, status="redeemed", amount="10.00", **values):
    if status in {"redeemed", "reversed"}:
        values = {"proof": "person", **values}
    return Redemption.objects.create(
        session=of or session(),
        position=1,
        number_encrypted="sealed",
        fingerprint=uuid.uuid4().hex,
        display_code="0001",
        status=status,
        amount=Decimal(amount),
        **values,
    )


def event(row, operation, outcome="succeeded", *, at=NOON, amount=None, status=None):
    return RedemptionEvent.objects.create(
        redemption=row,
        operation=operation,
        outcome=outcome,
        status=status or row.status,
        amount=None if amount is None else Decimal(amount),
        created_at=at,
    )


def redeemed(amount="10.00", *, at=NOON, of=None, **values):
    """A voucher that was redeemed, with its line in the journal."""
    row = redemption(of, amount=amount, **values)
    event(row, "redeem", at=at, amount=amount)
    return row


def lapsed(amount="10.00", *, at=NOON, payment="open", status="lapsed", **values):
    """A voucher whose hold ran out while its customer was paying."""
    row = redemption(session(payment, **values), status=status, amount=amount)
    event(row, "hold", at=at, status="held")
    event(row, "lapse", at=at, status="lapsed")
    return row


def product(remote_id=37):
    return VoucherProduct.objects.filter(remote_id=remote_id).first() or make_product(
        remote_id
    )


def order(*prices, at=NOON, status="placed", of=None, **values):
    """An order of one voucher for each price, with the line that says it is placed."""
    row = bind(
        VoucherOrder(
            reference=uuid.uuid4().hex,
            remote_reference=uuid.uuid4().hex,
            content_digest="made by a test",
            status=status,
            created_at=at,
        )
    )
    for name, value in values.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    for position, price in enumerate(prices):
        VoucherOrderItem.objects.create(
            order=row, position=position, product=of or product(), price=Decimal(price)
        )
    if status == "placed":
        placed(row, at=at)
    return row


def placed(row, *, at=NOON, operation="place", status="placed"):
    return VoucherOrderEvent.objects.create(
        order=row,
        operation=operation,
        outcome="succeeded",
        status=status,
        created_at=at,
    )
