"""The sweep's part in webhooks: sending what is due, and forgetting what is over.

Endpoints take turns, and one that does not answer is passed over, so that it costs the
others one attempt's time. All of it has a few seconds of a pass: money comes first.
"""

import logging
import random
import time
from collections import deque
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from wagtail_smartgift.choices import DeliveryProblem, DeliveryStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import OutboxEvent, StaffNotice, WebhookDelivery
from wagtail_smartgift.services import delivering, retrying


logger = logging.getLogger(__name__)

#: Seconds of one pass in which attempts are begun.
SECONDS = 10.0
#: Days that an event is kept: delivered, and with a delivery that was given up.
KEEP_DELIVERED, KEEP_GIVEN_UP = 30, 90
#: Events that one pass forgets, and deliveries that it gives up, at most.
BATCH = 500


def deliver_due(*, seconds: float = SECONDS) -> int:
    """Send what is due, for so many seconds; returns how many were delivered."""
    _give_up_waiting()
    began = time.monotonic()
    digests = list(delivering.endpoints())
    # Where one takes all the time of a pass, another is first in the next.
    random.shuffle(digests)
    turns = deque(digests)
    delivered = 0
    while turns and time.monotonic() - began < seconds:
        digest = turns.popleft()
        delivery_id = _next(digest)
        if delivery_id is None:
            continue
        try:
            result = delivering.deliver(delivery_id)
        except Exception:
            # What is wrong with one must not keep the others back.
            logger.exception("The sweep failed on webhook delivery %s.", delivery_id)
            continue
        delivered += result is not None and result.delivered
        if result is None or not result.rests:
            turns.append(digest)
    return delivered


def _next(digest: str) -> int | None:
    """Return the oldest delivery to an endpoint that is due: in the order of events."""
    return (
        WebhookDelivery.objects.filter(
            delivering.ours(), delivering.due(), endpoint_digest=digest
        )
        .order_by("pk")
        .values_list("pk", flat=True)
        .first()
    )


def _give_up_waiting() -> None:
    """Give up what waited too long for an endpoint that is away, or not there."""
    limit = timezone.now() - timedelta(seconds=retrying.PATIENCE)
    waiting = WebhookDelivery.objects.filter(
        delivering.ours(),
        Q(claimed_until__isnull=True) | Q(claimed_until__lt=timezone.now()),
        status=DeliveryStatus.PENDING,
        began_at__lt=limit,
    ).values_list("pk", flat=True)
    known = Q(endpoint_digest__in=list(delivering.endpoints()))
    delivering.give_up(waiting.filter(known)[:BATCH], DeliveryProblem.EXPIRED)
    delivering.give_up(waiting.exclude(known)[:BATCH], DeliveryProblem.REMOVED)


def prune() -> int:
    """Forget events that are over and past their days, with their deliveries."""
    old = past_their_days().order_by("created_at")
    batch = list(old.values_list("pk", flat=True)[:BATCH])
    with transaction.atomic(durable=True):
        # Locked as by whoever has one sent again; then looked at once more.
        delivering.lock_events(batch)
        ids = list(past_their_days().filter(pk__in=batch).values_list("pk", flat=True))
        OutboxEvent.objects.filter(pk__in=ids).delete()
    return len(ids)


def past_their_days() -> "QuerySet[OutboxEvent]":
    """Select the events that nobody is to be told of any more, and are old enough."""
    now = timezone.now()
    of_event = WebhookDelivery.objects.filter(event=OuterRef("pk"))
    pending = Exists(of_event.filter(status=DeliveryStatus.PENDING))
    given_up = Exists(of_event.filter(status=DeliveryStatus.FAILED))
    untold = Exists(
        StaffNotice.objects.filter(event=OuterRef("pk"), told_at__isnull=True)
    )
    # A replay makes a row young again: what somebody asked for stays to be seen.
    young = Exists(of_event.filter(began_at__gte=now - timedelta(days=KEEP_DELIVERED)))
    old = OutboxEvent.objects.filter(
        ~pending,
        ~young,
        ~given_up | Q(created_at__lt=now - timedelta(days=KEEP_GIVEN_UP)),
        created_at__lt=now - timedelta(days=KEEP_DELIVERED),
        dispatched_at__isnull=False,
    )
    if get_conf().attention_emails:
        old = old.exclude(untold)
    return old
