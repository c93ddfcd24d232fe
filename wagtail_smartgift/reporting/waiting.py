"""What waits now, and what reports can be confined to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    Exists,
    F,
    Min,
    OuterRef,
    QuerySet,
    When,
)

from wagtail_smartgift.choices import OrderStatus, SessionStatus
from wagtail_smartgift.models import (
    PaymentSession,
    VoucherOrder,
    VoucherOrderItem,
    VoucherProduct,
)
from wagtail_smartgift.reporting.terms import Scope


_ORDERS = (OrderStatus.QUEUED, OrderStatus.PLACING, OrderStatus.NEEDS_ATTENTION)
_PAYMENTS = (
    SessionStatus.CONFIRMING,
    SessionStatus.CANCELLING,
    SessionStatus.REFUNDING,
    SessionStatus.NEEDS_ATTENTION,
)


@dataclass(frozen=True)
class Waiting:
    """How much of one kind waits now, and since when the oldest does."""

    model: type[PaymentSession] | type[VoucherOrder]
    status: OrderStatus | SessionStatus
    count: int
    since: datetime | None

    @property
    def needs_a_person(self) -> bool:
        return self.status in {
            OrderStatus.NEEDS_ATTENTION,
            SessionStatus.NEEDS_ATTENTION,
        }


def queue(scope: Scope | None = None) -> tuple[Waiting, ...]:
    """Return what waits now, also the kinds of which nothing does (two queries).

    An order waits since it was taken, a confirmation since it began; what is being
    cancelled or refunded, or needs a person, since it was last moved on.
    """
    scope = scope or Scope()
    orders = VoucherOrder.objects.filter(scope.rows())
    payments = PaymentSession.objects.filter(scope.rows())
    if scope.product_id is not None:
        items = VoucherOrderItem.objects.filter(
            order=OuterRef("pk"), product=scope.product_id
        )
        orders, payments = orders.filter(Exists(items)), payments.none()
    begun: Any = Case(
        When(status=SessionStatus.CONFIRMING, then=F("confirm_began_at")),
        default=F("updated_at"),
        output_field=DateTimeField(),
    )
    taken: Any = Case(
        When(status=OrderStatus.NEEDS_ATTENTION, then=F("updated_at")),
        default=F("created_at"),
        output_field=DateTimeField(),
    )
    return (
        *_waiting(VoucherOrder, orders, _ORDERS, taken),
        *_waiting(PaymentSession, payments, _PAYMENTS, begun),
    )


def _waiting(
    model: Any, rows: "QuerySet[Any]", statuses: Sequence[Any], since: Any
) -> Iterable[Waiting]:
    found = {
        row["status"]: row
        for row in rows.filter(status__in=statuses)
        .order_by()
        .values("status")
        .annotate(count=Count("pk"), oldest=Min(since))
    }
    for status in statuses:
        row = found.get(status)
        yield Waiting(
            model=model,
            status=status,
            count=row["count"] if row else 0,
            since=row["oldest"] if row else None,
        )


def currencies() -> list[str]:
    """Return every currency that there is a payment or an order in."""
    found: set[str] = set()
    for model in (PaymentSession, VoucherOrder):
        found.update(
            model.objects.order_by().values_list("currency", flat=True).distinct()
        )
    return sorted(found)


def sold_products() -> "QuerySet[VoucherProduct]":
    """Return the products that somebody has ordered, by title."""
    items = VoucherOrderItem.objects.filter(product=OuterRef("pk"))
    return VoucherProduct.objects.filter(Exists(items)).order_by("title", "pk")
