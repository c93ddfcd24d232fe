"""What is told to us and by us: messages of the shop, signals and webhooks."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from wagtail_smartgift import health
from wagtail_smartgift.choices import DeliveryStatus
from wagtail_smartgift.models import OutboxEvent, WebhookDelivery
from wagtail_smartgift.services import delivering, replaying
from wagtail_smartgift.services.doctor.findings import Finding, ok, warning


#: Attempts after which an event is not refused by accident.
_MANY_ATTEMPTS = 5


def inbox() -> Iterator[Finding]:
    """Report messages of the shop that failed; overdue ones are the sweep's."""
    failed = replaying.count_replayable()
    if failed:
        yield warning(
            "messages",
            f"{failed} of the shop's failed: what they ask for was not done",
            "See why under “Messages of the shop” in the Wagtail admin, then run "
            "`manage.py smartgift_replay in`.",
        )
    else:
        yield ok("messages", "none of the shop's waits for a replay")


def outbox() -> Iterator[Finding]:
    waiting = OutboxEvent.objects.filter(dispatched_at__isnull=True)
    refused = waiting.filter(attempts__gte=_MANY_ATTEMPTS).count()
    if refused:
        yield warning(
            "events",
            f"{refused} were tried {_MANY_ATTEMPTS} times and more, and a receiver "
            "refuses them",
            "The log of wagtail_smartgift tells which receiver raised what.",
        )
    else:
        yield ok("events", f"{waiting.count()} are on their way")


def webhooks() -> Iterator[Finding]:
    """Report what did not arrive at the endpoints that are configured now."""
    rows = WebhookDelivery.objects.filter(
        delivering.ours(), endpoint_digest__in=list(delivering.endpoints())
    )
    pending = rows.filter(status=DeliveryStatus.PENDING)
    given_up = rows.filter(status=DeliveryStatus.FAILED).count()
    limit = timezone.now() - timedelta(seconds=health.OVERDUE)
    overdue = pending.filter(next_attempt_at__lte=limit).count()
    if given_up:
        yield warning(
            "webhooks",
            f"{given_up} were given up",
            "See why under Gift vouchers > Webhooks, then run `manage.py "
            "smartgift_replay out`.",
        )
    if overdue:
        yield warning(
            "webhooks",
            f"{overdue} have been due for five minutes",
            "The sweep sends them for ten seconds of each pass: run it more often, or "
            "give the host a queue (TASKS).",
        )
    if not (given_up or overdue):
        yield ok(
            "webhooks", f"{pending.count()} are on their way, and none was given up"
        )
