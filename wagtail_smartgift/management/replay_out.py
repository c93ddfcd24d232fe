"""The part of ``smartgift_replay`` that sends webhooks again."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from wagtail_smartgift.choices import DeliveryStatus
from wagtail_smartgift.management.arguments import moment
from wagtail_smartgift.models import WebhookDelivery
from wagtail_smartgift.services import delivering
from wagtail_smartgift.signals import SIGNALS


HELP = (
    "Send webhooks to WEBHOOK_ENDPOINTS again: the same messages under the same ids, so "
    "a receiver that has dealt with one does nothing. Without --all only those that "
    "were given up. Where an endpoint does not answer, the others for it wait for the "
    "sweep. Exit status 1 if one of them was not delivered."
)

#: What is said of those that would be, and of those that were.
WOULD, DELIVERED = "would be sent", "delivered"


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
    chosen = select(options)
    foreign = chosen.exclude(delivering.ours()).count()
    if foreign:
        command.stderr.write(
            f"Left alone: {foreign}, made with another Smart Gift key or address than is "
            "configured now."
        )
    rows = list(chosen.filter(delivering.ours()))
    if not rows:
        command.stdout.write("There is nothing to send again.")
    outcomes = [WOULD] * len(rows) if options["dry_run"] else _send_all(rows)
    failed = 0
    for number, (row, said) in enumerate(zip(rows, outcomes, strict=True), 1):
        failed += said not in {WOULD, DELIVERED}
        command.stdout.write(
            f"{number}/{len(rows)} {row.event_id} {row.event.type} to {row.endpoint}: "
            f"{said}"
        )
    if failed:
        raise CommandError(f"Not delivered: {failed} of {len(rows)}.")


def _send_all(rows: Sequence[WebhookDelivery]) -> Iterator[str]:
    """Ask for all of them, then send one after the other; yield what came of each.

    So what is found out about an endpoint (it does not answer, it is gone) goes for the
    others that wait for it, as in the sweep, and none of them is tried in vain.
    """
    refusals: dict[int, str] = {}
    for row in rows:
        try:
            delivering.replay(row)
        except delivering.NotReplayable as error:
            refusals[row.pk] = str(error)
    for row in rows:
        yield refusals.get(row.pk) or _send(row)


def _send(row: WebhookDelivery) -> str:
    result = delivering.deliver(row.pk)
    if result is None:
        return _found(row)
    if result.delivered:
        return DELIVERED
    return _said(result.problem, result.http_status)


def _found(row: WebhookDelivery) -> str:
    """Say why a delivery was not to be tried now."""
    row.refresh_from_db()
    if row.status == DeliveryStatus.DELIVERED:
        return DELIVERED
    if row.status == DeliveryStatus.FAILED:
        return f"given up: {_said(row.problem, row.http_status)}"
    if row.claimed_until is not None and row.claimed_until > timezone.now():
        return "being sent by somebody else"
    return "left to the sweep: its endpoint does not answer"


def _said(problem: str | None, http_status: int | None) -> str:
    return " ".join(str(part) for part in (problem, http_status) if part is not None)
