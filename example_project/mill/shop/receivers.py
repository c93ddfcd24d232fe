"""What the plugin tells the shop, whoever found out: a request or the sweep.

Each is told at least once, and again when it raises.
"""

from typing import Any

from django.dispatch import receiver

from mill.shop import checkout, mailing, refunds
from mill.shop.models import Order, OrderStatus
from wagtail_smartgift import payments, sales, signals


@receiver(signals.session_confirmed)
@receiver(signals.session_reopened)
@receiver(signals.session_cancelled)
@receiver(signals.session_refunded)
def payment_settled(data: payments.Session, **_kwargs: Any) -> None:
    # Orders of other doors, such as a headless shop, are none of ours.
    order = Order.objects.filter(reference=data.reference).first()
    if order is None:
        return
    a_request_waits = order.status == OrderStatus.PAYING
    checkout.settle(order)
    if order.status == OrderStatus.CANCELLING and not a_request_waits:
        # The card failed after the vouchers were redeemed, and it is for us to undo.
        checkout.settle(order, mine=True)


@receiver(signals.voucher_order_placed)
def vouchers_sold(data: sales.Order, **_kwargs: Any) -> None:
    order = Order.objects.filter(reference=data.reference).first()
    if order is not None:
        mailing.send_vouchers(order)


@receiver(signals.voucher_order_failed)
def vouchers_not_sold(data: sales.Order, **_kwargs: Any) -> None:
    order = Order.objects.filter(reference=data.reference).first()
    if order is None or order.vouchers_refused:
        return
    if order.status == OrderStatus.REFUNDING:
        raise RuntimeError(f"{order} is being refunded; this has to wait.")
    refunds.refund_unsold_vouchers(order)
