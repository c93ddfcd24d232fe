"""All that is known of one customer, by their e-mail address: to hand out, or to erase.

Voucher orders are found by a digest of the buyer's address. Payments are found by the
addresses that the shop put into their metadata, and by the references of the orders:
one order of a shop may have both. Messages of the shop are opened and read, which are
few: what they say is emptied once it is done. Webhooks and answers that are kept for
repeats name nobody (a test sees to that), so there is nothing of a person in them.

An erasure is written down first, with whom it is about marked in every row; what is
settled is then forgotten at once, and the rest by ``forgetting.prune`` when it is. So a
process that is killed leaves nothing undone for long.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from wagtail.log_actions import log

from wagtail_smartgift.choices import InboxStatus, PrivacyOperation, ShopEvent
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.emails import email_digest, emails_in, normalise_email
from wagtail_smartgift.models import (
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    PrivacyEvent,
    VoucherOrder,
    VoucherOrderItem,
    WebhookDelivery,
)
from wagtail_smartgift.money import format_money
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.services import erasures, forgetting, numbers, staff_words, vault


#: Names of the two in Wagtail's log.
EXPORT_ACTION = "wagtail_smartgift.privacy_export"
ERASE_ACTION = "wagtail_smartgift.privacy_erase"
#: Rows that are read at once.
BATCH = 200

Json = dict[str, Any]


class NoAddress(ValueError):
    """What was given is no e-mail address."""


@dataclass(frozen=True)
class Found:
    """What there is about one address."""

    email: str = field(repr=False)
    orders: int
    #: Of the orders: those that are not settled, so that they cannot be erased yet.
    orders_unsettled: int
    payments: int
    payments_unsettled: int
    #: Messages of the shop that failed, and those that are still worked on.
    messages: int
    messages_unsettled: int
    #: Messages that no configured key opens: nobody can tell whom they are about.
    unreadable: int
    #: Earlier exports and erasures, the newest first.
    history: tuple[PrivacyEvent, ...] = ()

    @property
    def is_nothing(self) -> bool:
        return not (self.orders or self.payments or self.messages)

    @property
    def unsettled(self) -> int:
        return self.orders_unsettled + self.payments_unsettled + self.messages_unsettled


@dataclass(frozen=True)
class Erased:
    """What became of an erasure."""

    orders: int
    payments: int
    messages: int
    #: Rows that keep what they need until they are settled.
    waiting: int


def find(email: str) -> Found:
    """Count what there is about an address, and tell what was done before.

    Raises:
        NoAddress
    """
    email = _read(email)
    orders, payments = _orders(email), _payments(email)
    messages, unreadable = _messages(email)
    settled = orders.filter(status__in=forgetting.SETTLED_ORDERS).count()
    at_rest = payments.filter(forgetting.is_at_rest()).count()
    failed = sum(message.status == InboxStatus.FAILED for message, _data in messages)
    count_of_orders, count_of_payments = orders.count(), payments.count()
    return Found(
        email=email,
        orders=count_of_orders,
        orders_unsettled=count_of_orders - settled,
        payments=count_of_payments,
        payments_unsettled=count_of_payments - at_rest,
        messages=len(messages),
        messages_unsettled=len(messages) - failed,
        unreadable=unreadable,
        history=tuple(
            PrivacyEvent.objects.filter(email_fingerprint=erasures.fingerprint(email))[
                :20
            ]
        ),
    )


# -- handing out --------------------------------------------------------------


def export(email: str, *, user: Any = None, actor: str = "") -> Json:
    """Return all that is known of an address as JSON, and write down that it was.

    Of voucher numbers there are the last characters: what the buyer has is the voucher.

    Raises:
        NoAddress
    """
    email = _read(email)
    messages, unreadable = _messages(email)
    document: Json = {
        "email": str(email),
        "exported_at": timezone.now().isoformat(),
        "orders": [_order(order) for order in _orders(email).order_by("created_at")],
        "payments": [_payment(row) for row in _payments(email).order_by("created_at")],
        "messages": [_message(message, data) for message, data in messages],
        "unreadable_messages": unreadable,
    }
    _write_down(
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


# -- erasing ------------------------------------------------------------------


def erase(email: str, *, user: Any = None, actor: str = "") -> Erased:
    """Take a customer out of everything that is settled, and note it for the rest.

    Amounts, dates and references stay for the books, and so do the notes in the
    journals. A message of the shop that failed is emptied, and can then not be replayed;
    one that is worked on is done first, and then forgotten with what it came to.

    Must not run inside a transaction.

    Raises:
        NoAddress
    """
    email = _read(email)
    found = _Rows.of(email)
    with transaction.atomic(durable=True):
        found.mark()
        emptied = sum(
            erasures.empty(message, actor=_name(user, actor))
            for message in found.messages
        )
        _write_down(
            PrivacyOperation.ERASE,
            email,
            user=user,
            actor=actor,
            orders=len(found.orders),
            payments=len(found.payments),
            messages=len(found.messages),
        )
    # What has come of a message meanwhile; whatever comes of one from now on, its
    # worker finds the erasure written down.
    late = _Rows.of(email)
    late.mark()
    emptied += sum(
        erasures.empty(message, actor=_name(user, actor)) for message in late.messages
    )
    rows = found | late
    return Erased(
        orders=sum(
            forgetting.forget_order(order)
            for some in _batches(rows.orders)
            for order in VoucherOrder.objects.filter(pk__in=some)
        ),
        payments=sum(
            forgetting.forget_payments(PaymentSession.objects.filter(pk__in=some))
            for some in _batches(rows.payments)
        ),
        messages=emptied,
        # By what was found before: what leads to a payment may be forgotten by now.
        waiting=rows.count_unforgotten(),
    )


@dataclass(frozen=True)
class _Rows:
    """What an erasure is about, as it was found."""

    orders: list[Any]
    payments: list[Any]
    messages: list[InboxMessage] = field(repr=False)

    @classmethod
    def of(cls, email: str) -> "_Rows":
        email = Secret(email)
        messages, _unreadable = _messages(email)
        return cls(
            orders=list(_orders(email).values_list("pk", flat=True)),
            payments=list(_payments(email).values_list("pk", flat=True)),
            messages=[message for message, _data in messages],
        )

    def __or__(self, other: "_Rows") -> "_Rows":
        known = {message.pk for message in self.messages}
        return _Rows(
            orders=list({*self.orders, *other.orders}),
            payments=list({*self.payments, *other.payments}),
            messages=[
                *self.messages,
                *(one for one in other.messages if one.pk not in known),
            ],
        )

    def mark(self) -> None:
        """Note for ``forgetting.prune`` that it is to be forgotten once it is settled."""
        for model, pks in (
            (VoucherOrder, self.orders),
            (PaymentSession, self.payments),
        ):
            for some in _batches(pks):
                _unforgotten(model).filter(pk__in=some, erase_asked_at=None).update(
                    erase_asked_at=timezone.now()
                )

    def count_unforgotten(self) -> int:
        """Count what keeps what it needs, until it is settled."""
        kept = InboxMessage.objects.exclude(payload_encrypted="")
        return sum(
            rows.filter(pk__in=some).count()
            for rows, pks in (
                (_unforgotten(VoucherOrder), self.orders),
                (_unforgotten(PaymentSession), self.payments),
                (kept, [message.pk for message in self.messages]),
            )
            for some in _batches(pks)
        )


def _unforgotten(model: Any) -> Any:
    return model.objects.filter(forgotten_at__isnull=True)


def _batches(pks: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(pks), BATCH):
        yield pks[start : start + BATCH]


# -- finding ------------------------------------------------------------------


def _read(email: str) -> str:
    normal = Secret(normalise_email(email))
    name, at, domain = normal.rpartition("@")
    if not (name and at and domain) or any(char.isspace() for char in normal):
        raise NoAddress
    return normal


def _orders(email: str) -> "QuerySet[VoucherOrder]":
    return VoucherOrder.objects.filter(email_digest=email_digest(email))


def _payments(email: str) -> "QuerySet[PaymentSession]":
    """Select the payments that name an address, or are about an order that does.

    Two subqueries by index: what is there is few, and the tables are long.
    """
    named = PaymentSession.objects.filter(emails__digest=email_digest(email))
    about = PaymentSession.objects.filter(
        reference__in=_orders(email).values("reference")
    )
    pks = {*named.values_list("pk", flat=True), *about.values_list("pk", flat=True)}
    return PaymentSession.objects.filter(pk__in=pks, forgotten_at__isnull=True)


def _messages(email: str) -> tuple[list[tuple[InboxMessage, Json]], int]:
    """Return the messages of the shop that name an address, and how many are unreadable.

    Only those about an order can: they alone say who bought something.
    """
    found, unreadable = [], 0
    rows = InboxMessage.objects.filter(type=ShopEvent.ORDER_PAID).exclude(
        payload_encrypted=""
    )
    for message in rows.order_by("pk").iterator(chunk_size=BATCH):
        try:
            data = json.loads(vault.open_sealed(message.payload_encrypted))
        except UndecryptableError:
            unreadable += 1
            continue
        if email in emails_in(data):
            found.append((message, data))
    return found, unreadable


def _name(user: Any, actor: str) -> str:
    name: str = user.get_username() if user is not None else actor
    return name[:150]


# -- writing down -------------------------------------------------------------


def _write_down(
    operation: PrivacyOperation,
    email: str,
    *,
    user: Any,
    actor: str,
    **counts: int,
) -> None:
    """Write who did what, here and in Wagtail's log; neither holds the address."""
    event = PrivacyEvent(
        operation=operation,
        email_fingerprint=erasures.fingerprint(email),
        actor=_name(user, actor),
        **counts,
    )
    event.save()
    is_export = operation is PrivacyOperation.EXPORT
    log(
        instance=event,
        action=EXPORT_ACTION if is_export else ERASE_ACTION,
        user=user,
        data=counts,
    )
