"""Taking one customer out of everything.

An erasure is written down first, with whom it is about marked in every row; what is
settled is then forgotten at once, and the rest by ``forgetting.prune`` when it is. So a
process that is killed leaves nothing undone for long.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from wagtail_smartgift.choices import PrivacyOperation
from wagtail_smartgift.models import InboxMessage, PaymentSession, VoucherOrder
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.services import erasures, forgetting
from wagtail_smartgift.services.privacy.entries import name_of, write_down
from wagtail_smartgift.services.privacy.finding import (
    BATCH,
    messages_of,
    orders_of,
    payments_of,
    read_address,
)


@dataclass(frozen=True)
class Erased:
    """What became of an erasure."""

    orders: int
    payments: int
    messages: int
    #: Rows that keep what they need until they are settled.
    waiting: int


def erase(email: str, *, user: Any = None, actor: str = "") -> Erased:
    """Take a customer out of everything that is settled, and note it for the rest.

    Amounts, dates and references stay for the books, and so do the notes in the
    journals. A message of the shop that failed is emptied, and can then not be replayed;
    one that is worked on is done first, and then forgotten with what it came to.

    Must not run inside a transaction.

    Raises:
        NoAddress
    """
    email = read_address(email)
    found = _Rows.of(email)
    with transaction.atomic(durable=True):
        found.mark()
        emptied = sum(
            erasures.empty(message, actor=name_of(user, actor))
            for message in found.messages
        )
        write_down(
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
        erasures.empty(message, actor=name_of(user, actor)) for message in late.messages
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
        messages, _unreadable = messages_of(email)
        return cls(
            orders=list(orders_of(email).values_list("pk", flat=True)),
            payments=list(payments_of(email).values_list("pk", flat=True)),
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
