"""The part of ``smartgift_replay`` that works on messages of the shop again."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wagtail_smartgift.choices import InboxStatus
from wagtail_smartgift.management.arguments import moment
from wagtail_smartgift.models import InboxMessage
from wagtail_smartgift.services import replaying


HELP = (
    "Do what failed messages of the shop ask for, as if they had just come in; all of "
    "them, or what the options name. What was done already is not done twice. Exit "
    "status 1 if one failed again or could not be found."
)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--id",
        action="append",
        default=[],
        metavar="WEBHOOK_ID",
        help="This message, by its webhook-id; may be given several times.",
    )
    parser.add_argument(
        "--type", default="", help="Only those of this type, such as order.refunded."
    )
    parser.add_argument(
        "--since",
        type=moment,
        metavar="WHEN",
        help=(
            "Only those that came in since: a day (2026-03-01), a time "
            "(2026-03-01T14:32), or how long ago (1:30:00, “2 00:00:00” for two days)."
        ),
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only say which; do nothing."
    )


def handle(command: BaseCommand, options: dict[str, Any]) -> None:
    """Replay them one by one, and say of each what came of it."""
    rows = replaying.find_replayable(
        webhook_ids=options["id"], type=options["type"], since=options["since"]
    )
    missing = set(options["id"]) - {row.webhook_id for row in rows}
    for webhook_id in sorted(missing):
        command.stderr.write(f"No failed message has the id {webhook_id!r}.")
    outdated = 0 if options["id"] else replaying.count_outdated()
    if outdated:
        command.stderr.write(
            f"Left alone: {outdated} order.confirmed, so old that the orders may have "
            "been paid another way. Look at each, and replay it by its --id."
        )
    if not rows and not missing:
        command.stdout.write("There is no failed message.")
    failed = len(missing)
    for row in rows:
        ok, outcome = (
            (True, "would be replayed")
            if options["dry_run"]
            else _replay(row, is_named=bool(options["id"]))
        )
        (command.stdout if ok else command.stderr).write(f"{row}: {outcome}")
        failed += not ok
    if failed:
        raise CommandError(f"Not done: {failed}.")


def _replay(message: InboxMessage, *, is_named: bool) -> tuple[bool, str]:
    try:
        replaying.replay_now(message, even_outdated=is_named)
    except replaying.NotReplayable:
        return False, "cannot be replayed (any more)"
    outcome = f"{message.status} ({message.code})" if message.code else message.status
    return message.status != InboxStatus.FAILED, outcome
