"""The part of ``smartgift_replay`` that sends webhooks again."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from wagtail_smartgift.choices import DeliveryStatus
from wagtail_smartgift.management.arguments import moment
from wagtail_smartgift.models import WebhookDelivery
from wagtail_smartgift.services import delivering
from wagtail_smartgift.signals import SIGNALS


HELP = (
    "Send webhooks to WEBHOOK_ENDPOINTS again: the same messages under the same ids, so "
    "a receiver that has dealt with one does nothing. Without --all only those that "
    "were given up. Exit status 1 if one of them was not delivered."
)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--event",
        type=UUID,
        metavar="UUID",
        help="Only of the event with this id, which is the webhook-id of its messages.",
    )
    parser.add_argument(
        "--type", choices=sorted(SIGNALS), help="Only of events of this type."
    )
    parser.add_argument(
        "--endpoint",
        default="",
        metavar="TEXT",
        help="Only to endpoints with this in their addresses, as the admin shows them.",
    )
    parser.add_argument(
        "--since",
        type=moment,
        metavar="WHEN",
        help="Only of events since then: a day, a time, or how long ago.",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="Also those that were delivered or are still being tried.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only say which; send nothing."
    )


def select(options: dict[str, Any]) -> QuerySet[WebhookDelivery]:
    """Return the deliveries that the options name, in the order of their events."""
    rows = WebhookDelivery.objects.select_related("event").order_by("pk")
    if not options["all"]:
        rows = rows.filter(status=DeliveryStatus.FAILED)
    if options["event"]:
        rows = rows.filter(event=options["event"])
    if options["type"]:
        rows = rows.filter(event__type=options["type"])
    if options["endpoint"]:
        rows = rows.filter(endpoint__contains=options["endpoint"])
    if options["since"]:
        rows = rows.filter(event__created_at__gte=options["since"])
    return rows


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    """Send them one by one, and say of each what came of it."""
    failed = 0
    rows = list(select(options))
    for number, row in enumerate(rows, 1):
        said = "would be sent" if options["dry_run"] else _send(row)
        failed += said not in {"would be sent", "delivered"}
        command.stdout.write(
            f"{number}/{len(rows)} {row.event_id} {row.event.type} to {row.endpoint}: "
            f"{said}"
        )
    if not rows:
        command.stdout.write("There is nothing to send again.")
    if failed:
        raise CommandError(f"Not delivered: {failed} of {len(rows)}.")


def _send(row: WebhookDelivery) -> str:
    try:
        delivering.replay(row)
    except delivering.NotReplayable as error:
        return str(error)
    result = delivering.deliver(row.pk)
    if result is None:
        return "being sent by somebody else"
    if result.delivered:
        return "delivered"
    return " ".join(
        str(part) for part in (result.problem, result.http_status) if part is not None
    )
