"""What a host can listen to.

Each is sent after the commit of what it tells, from an outbox: at least once, and
again by the sweep when a receiver raises. Receivers get ``event`` (the name of the
same webhook, such as ``"session.confirmed"``), ``event_id`` (a UUID to know a
repeat by), ``data``, a ``payments.Session`` or a ``sales.Order`` as it is now, and
``redemption``: for ``voucher.*`` which voucher it was (``payments.RedemptionState``).
"""

from collections.abc import Mapping

from django.dispatch import Signal


voucher_held = Signal()
voucher_released = Signal()
voucher_redeemed = Signal()
voucher_reversed = Signal()

session_confirmed = Signal()
session_reopened = Signal()
session_cancelled = Signal()
session_refunded = Signal()
session_needs_attention = Signal()

voucher_order_placed = Signal()
voucher_order_failed = Signal()
voucher_order_needs_attention = Signal()

catalogue_synced = Signal()

#: Name of the event -> its signal.
SIGNALS: Mapping[str, Signal] = {
    "voucher.held": voucher_held,
    "voucher.released": voucher_released,
    "voucher.redeemed": voucher_redeemed,
    "voucher.reversed": voucher_reversed,
    "session.confirmed": session_confirmed,
    "session.reopened": session_reopened,
    "session.cancelled": session_cancelled,
    "session.refunded": session_refunded,
    "session.needs_attention": session_needs_attention,
    "voucher_order.placed": voucher_order_placed,
    "voucher_order.failed": voucher_order_failed,
    "voucher_order.needs_attention": voucher_order_needs_attention,
    "catalogue.synced": catalogue_synced,
}
