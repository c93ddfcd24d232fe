"""What the shop is told about an order of vouchers."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from wagtail_smartgift import codes
from wagtail_smartgift.choices import OrderStatus
from wagtail_smartgift.models import VoucherOrder, VoucherOrderItem
from wagtail_smartgift.services import sales_journal, vault
from wagtail_smartgift.services.sales_pricing import PricedItem


logger = logging.getLogger(__name__)

S = OrderStatus


@dataclass(frozen=True)
class OrderItem:
    """One voucher of an order.

    ``voucher_no`` is its number in clear, once it is sold and known: bearer money,
    for the shop's server alone.
    """

    product: int
    price: Decimal
    persons: int | None
    voucher_no: str | None = field(repr=False)
    display_code: str


@dataclass(frozen=True)
class Order:
    """What became of an order so far.

    ``pending``: it is not settled yet, so the buyer is told neither yes nor no.
    ``order_id`` is Smart Gift's number for it, when its answer arrived. ``code`` is
    one of the documented error codes: why it is not placed.
    """

    reference: str
    status: OrderStatus
    order_id: str | None
    items: tuple[OrderItem, ...]
    code: str | None
    pending: bool


def present(order: VoucherOrder) -> Order:
    status = OrderStatus(order.status)
    return Order(
        reference=order.reference,
        status=status,
        order_id=order.order_id or None,
        items=tuple(
            OrderItem(
                product=item.product.remote_id,
                price=item.price,
                persons=item.persons,
                voucher_no=_number(item) if status == S.PLACED else None,
                display_code=item.display_code if status == S.PLACED else "",
            )
            for item in order.items.select_related("product").order_by("position")
        ),
        code=_code(order),
        pending=status in {S.QUEUED, S.PLACING, S.NEEDS_ATTENTION},
    )


def rehearsed(reference: str, priced: Sequence[PricedItem]) -> Order:
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
                display_code="",
            )
            for item in priced
        ),
        code=None,
        pending=False,
    )


def _number(item: VoucherOrderItem) -> str | None:
    if not item.number_encrypted:
        return None
    try:
        return vault.open_sealed(item.number_encrypted)
    except codes.UndecryptableError:
        logger.error(
            "The number of voucher %s cannot be read: its encryption key is gone.",
            item.display_code,
        )
        return None


def _code(order: VoucherOrder) -> str | None:
    if order.status == S.REFUSED:
        return "order_refused"
    if order.status == S.NEEDS_ATTENTION:
        return "needs_attention"
    if order.status == S.QUEUED and order.refusal:
        busy = order.refusal == sales_journal.QUOTA
        return "busy" if busy else "smartgift_unavailable"
    return None
