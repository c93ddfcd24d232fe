"""The whole story of a payment or an order, from every book that tells of it.

That is its own journal, the events that the host was told, the webhooks sent of them,
the messages of the shop about its reference, and what people did in Wagtail. Each costs
one query, however long the story.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from wagtail.models import ModelLogEntry

from wagtail_smartgift.choices import (
    DeliveryStatus,
    InboxStatus,
    ShopEvent,
    Verdict,
)
from wagtail_smartgift.models import (
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    Redemption,
    RedemptionEvent,
    VoucherOrder,
    WebhookDelivery,
)
from wagtail_smartgift.services.cases import SETTLE_ACTION
from wagtail_smartgift.services.desk import MOVE_ACTION
from wagtail_smartgift.views.desk import deliveries, inbox, journals
from wagtail_smartgift.views.desk.timeline import Moment, Timeline


def of_payment(
    session: PaymentSession, redemptions: Sequence[Redemption], *, user: Any
) -> Timeline:
    """Tell all about a payment, with links to what ``user`` may see."""
    return Timeline(
        [
            Moment(at=session.created_at, what=_("Payment opened")),
            *journals.of_redemptions(
                RedemptionEvent.objects.filter(redemption__session=session)
                .select_related("redemption")
                .order_by("pk"),
                currency=session.currency,
            ),
            *journals.of_desk(session.desk_actions.all(), currency=session.currency),
            *_told(OutboxEvent.objects.filter(session=session), user),
            *_messages(session.reference, inbox.ABOUT_PAYMENTS, user),
            *_deeds([session, *redemptions]),
        ]
    )


def of_order(order: VoucherOrder, *, user: Any) -> Timeline:
    """Tell all about an order, with links to what ``user`` may see."""
    return Timeline(
        [
            Moment(at=order.created_at, what=_("Order stored")),
            *journals.of_order(order.events.order_by("pk")),
            *_told(OutboxEvent.objects.filter(order=order), user),
            *_messages(order.reference, inbox.ABOUT_ORDERS, user),
            *_deeds([order]),
        ]
    )


def _told(events: "QuerySet[OutboxEvent]", user: Any) -> Iterator[Moment]:
    """Tell what the host was told, and which webhooks that made."""
    may_look = deliveries.policy.user_has_any_permission(user, deliveries.MAY_LOOK)
    told = list(events.prefetch_related("deliveries").order_by("created_at", "pk"))
    for event in told:
        yield Moment(
            at=event.created_at,
            what=_("Event %(type)s") % {"type": event.type},
            outcome=pgettext("event", "Told")
            if event.dispatched_at
            else pgettext("event", "Waiting to be told"),
        )
        for row in event.deliveries.all():
            yield _webhook(event, row, may_look=may_look)


def _webhook(event: OutboxEvent, row: WebhookDelivery, *, may_look: bool) -> Moment:
    problem = deliveries.problem_text(row.problem, row.http_status)
    return Moment(
        at=row.settled_at or row.created_at,
        what=_("Webhook %(type)s") % {"type": event.type},
        outcome=row.get_status_display(),
        detail=f"{row.endpoint}: {problem}" if problem else row.endpoint,
        is_trouble=row.status == DeliveryStatus.FAILED,
        url=reverse("smartgift_deliveries:inspect", args=[row.pk]) if may_look else "",
    )


def _messages(
    reference: str, types: Collection[ShopEvent], user: Any
) -> Iterator[Moment]:
    """Tell what the shop said about this reference."""
    may_look = inbox.InboxViewSet.lets_in(user)
    rows = InboxMessage.objects.filter(reference=reference, type__in=types)
    for row in rows.order_by("received_at", "pk"):
        yield Moment(
            at=row.received_at,
            what=_("Message of the shop: %(event)s")
            % {"event": ShopEvent(row.type).label},
            outcome=row.get_status_display(),
            detail=inbox.reason(row.code),
            is_trouble=row.status == InboxStatus.FAILED,
            url=reverse(inbox.DETAIL, args=[row.pk]) if may_look else "",
        )


def _deeds(things: Iterable[Model]) -> Iterator[Moment]:
    """Tell what else people did about these in the admin, as Wagtail's log has it.

    What they asked for at the voucher desk, and how they settled a case, is told by books
    of its own, with what came of it: Wagtail's log knows only that they asked. That they
    let a payment go on, in which nothing was in doubt, stands here alone.
    """
    about = Q(pk__in=[])
    for thing in things:
        about |= Q(
            content_type=ContentType.objects.get_for_model(thing),
            object_id=str(thing.pk),
        )
    entries = (
        ModelLogEntry.objects.filter(about)
        .exclude(action=MOVE_ACTION)
        .filter(~Q(action=SETTLE_ACTION) | Q(data__verdict=Verdict.GO_ON.value))
        .select_related("user")
    )
    for entry in entries.order_by("timestamp", "pk"):
        yield Moment(
            at=entry.timestamp,
            what=entry.message,
            outcome=pgettext("log of what people did", "Done"),
            detail=entry.data.get("reason", ""),
            actor=entry.user_display_name,
        )
