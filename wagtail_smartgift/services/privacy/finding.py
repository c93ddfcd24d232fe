"""What there is about one customer.

Voucher orders are found by a digest of the buyer's address. Payments are found by the
addresses that the shop put into their metadata, and by the references of the orders:
one order of a shop may have both. Messages of the shop are opened and read, which are
few: what they say is emptied once it is done. Webhooks and answers that are kept for
repeats name nobody (a test sees to that), so there is nothing of a person in them.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from wagtail_smartgift.choices import InboxStatus, ShopEvent
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.emails import email_digest, emails_in, normalise_email
from wagtail_smartgift.models import (
    InboxMessage,
    PaymentSession,
    PrivacyEvent,
    VoucherOrder,
)
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.services import erasures, forgetting, vault


#: Rows that are read at once.
BATCH = 200


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


def find(email: str) -> Found:
    """Count what there is about an address, and tell what was done before.

    Raises:
        NoAddress
    """
    email = read_address(email)
    orders, payments = orders_of(email), payments_of(email)
    messages, unreadable = messages_of(email)
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


def read_address(email: str) -> str:
    """Return the one form of an address.

    Raises:
        NoAddress
    """
    normal = Secret(normalise_email(email))
    name, at, domain = normal.rpartition("@")
    if not (name and at and domain) or any(char.isspace() for char in normal):
        raise NoAddress
    return normal


def orders_of(email: str) -> "QuerySet[VoucherOrder]":
    return VoucherOrder.objects.filter(email_digest=email_digest(email))


def payments_of(email: str) -> "QuerySet[PaymentSession]":
    """Select the payments that name an address, or are about an order that does.

    Two subqueries by index: what is there is few, and the tables are long.
    """
    named = PaymentSession.objects.filter(emails__digest=email_digest(email))
    about = PaymentSession.objects.filter(
        reference__in=orders_of(email).values("reference")
    )
    pks = {*named.values_list("pk", flat=True), *about.values_list("pk", flat=True)}
    return PaymentSession.objects.filter(pk__in=pks, forgotten_at__isnull=True)


def messages_of(email: str) -> tuple[list[tuple[InboxMessage, dict[str, Any]]], int]:
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
