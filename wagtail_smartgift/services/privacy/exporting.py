"""Handing out what there is about one customer."""

from typing import Any

from django.db.models import Q
from django.utils import timezone

from wagtail_smartgift.choices import PrivacyOperation
from wagtail_smartgift.models import (
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    VoucherOrder,
    VoucherOrderItem,
    WebhookDelivery,
)
from wagtail_smartgift.money import format_money
from wagtail_smartgift.services import numbers, staff_words
from wagtail_smartgift.services.privacy.entries import write_down
from wagtail_smartgift.services.privacy.finding import (
    messages_of,
    orders_of,
    payments_of,
    read_address,
)


Json = dict[str, Any]


def export(email: str, *, user: Any = None, actor: str = "") -> Json:
    """Return all that is known of an address as JSON, and write down that it was.

    Of voucher numbers there are the last characters: what the buyer has is the voucher.

    Raises:
        NoAddress
    """
    email = read_address(email)
    messages, unreadable = messages_of(email)
    document: Json = {
        "email": str(email),
        "exported_at": timezone.now().isoformat(),
        "orders": [_order(order) for order in orders_of(email).order_by("created_at")],
        "payments": [
            _payment(row) for row in payments_of(email).order_by("created_at")
        ],
        "messages": [_message(message, data) for message, data in messages],
        "unreadable_messages": unreadable,
    }
    write_down(
        PrivacyOperation.EXPORT,
        email,
        user=user,
        actor=actor,
        orders=len(document["orders"]),
        payments=len(document["payments"]),
        messages=len(messages),
    )
    return document


def _order(order: VoucherOrder) -> Json:
    items = list(order.items.select_related("product").order_by("position"))
    hide = numbers.Hider(items, account=order.account)
    return {
        "reference": order.reference,
        "status": order.status,
        "created_at": order.created_at.isoformat(),
        "updated_at": order.updated_at.isoformat(),
        "site": str(order.site) if order.site else None,
        "smart_gift_order": order.order_id or None,
        "payment_method": order.payment_method,
        "customer": order.customer,
        "delivery": order.delivery,
        "items": [_item(item) for item in items],
        "refusal": hide.part(order.refusal_detail or None),
        "written_by_staff": hide.part(staff_words.about_order(order)),
        "told": _told(Q(order=order)),
    }


def _item(item: VoucherOrderItem) -> Json:
    return {
        "product": item.product.remote_id,
        "title": item.product.title,
        "price": format_money(item.price),
        "persons": item.persons,
        "to": item.to,
        "from": item.sender,
        "message": item.message,
        "voucher": item.display_code or None,
    }


def _payment(session: PaymentSession) -> Json:
    rows = list(session.redemptions.order_by("position", "leg"))
    hide = numbers.Hider(rows, account=session.account)
    return {
        "reference": session.reference,
        "status": session.status,
        "created_at": session.created_at.isoformat(),
        "updated_at": session.updated_at.isoformat(),
        "site": str(session.site) if session.site else None,
        "currency": session.currency,
        "amount_due": format_money(session.amount_due),
        "metadata": hide.part(session.metadata),
        "vouchers": [
            {
                "voucher": row.display_code,
                "status": row.status,
                "amount": format_money(row.amount),
            }
            for row in rows
        ],
        "written_by_staff": hide.part(staff_words.about_payment(session)),
        "told": _told(Q(session=session)),
    }


def _told(about: Q) -> list[Json]:
    """Return who else was told of it by webhook: what is sent holds no personal data."""
    events = OutboxEvent.objects.filter(about)
    rows = WebhookDelivery.objects.filter(event__in=events).select_related("event")
    return [
        {
            "event": row.event.type,
            "at": row.created_at.isoformat(),
            "to": row.endpoint,
            "status": row.status,
        }
        for row in rows.order_by("pk")
    ]


def _message(message: InboxMessage, data: Json) -> Json:
    return {
        "event": message.type,
        "reference": message.reference,
        "received_at": message.received_at.isoformat(),
        "status": message.status,
        "content": data,
    }
