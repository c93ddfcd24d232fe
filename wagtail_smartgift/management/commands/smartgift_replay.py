"""Have messages that failed worked on again."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Protocol

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_duration

from wagtail_smartgift.choices import InboxStatus
from wagtail_smartgift.services import replaying


@dataclass(frozen=True)
class Wanted:
    """Which messages are to be replayed."""

    ids: tuple[str, ...] = ()
    type: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Found:
    """One that can be replayed."""

    id: str
    label: str
    row: Any


@dataclass(frozen=True)
class Replayed:
    """What came of one of them; it is a failure where ``ok`` is False."""

    ok: bool
    outcome: str


class Direction(Protocol):
    """Messages that came in, or went out: how they are found and replayed."""

    def find(self, wanted: Wanted) -> Iterable[Found]:
        """Return each failed one that is wanted, the oldest first."""

    def replay(self, found: Found) -> Replayed:
        """Replay one, now."""


class Incoming:
    """What the shop told us."""

    def find(self, wanted: Wanted) -> Iterable[Found]:
        rows = replaying.failed(
            webhook_ids=wanted.ids, type=wanted.type, since=wanted.since
        )
        return [Found(id=row.webhook_id, label=str(row), row=row) for row in rows]

    def replay(self, found: Found) -> Replayed:
        message = found.row
        try:
            replaying.replay_now(message)
        except replaying.NotReplayable:
            return Replayed(ok=False, outcome="cannot be replayed (any more)")
        outcome = message.status
        if message.code:
            outcome += f" ({message.code})"
        return Replayed(ok=message.status != InboxStatus.FAILED, outcome=outcome)


#: Word on the command line -> what it stands for.
DIRECTIONS: Mapping[str, Callable[[], Direction]] = {"in": Incoming}


class Command(BaseCommand):
    help = (
        "Replays messages that failed: does what they ask for, as if they had just "
        "come in. What was done already is not done twice. Say which ones: by --id, "
        "or all that failed (--failed), or those of them of a --type or --since a time. "
        "Exits with 1 if one of them failed again or could not be found."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "direction",
            nargs="?",
            choices=sorted(DIRECTIONS),
            help="in: messages of the shop. Left out: every direction there is.",
        )
        parser.add_argument(
            "--id",
            action="append",
            default=[],
            metavar="WEBHOOK_ID",
            help="This message, by its webhook-id; may be given several times.",
        )
        parser.add_argument(
            "--failed", action="store_true", help="All messages that failed."
        )
        parser.add_argument(
            "--type",
            default="",
            metavar="EVENT",
            help="Only failed messages of this type, such as order.refunded.",
        )
        parser.add_argument(
            "--since",
            metavar="WHEN",
            help=(
                "Only failed messages that came in since: a day (2026-03-01), a time "
                "(2026-03-01T14:32), or how long ago (1:30:00, or “2 00:00:00” for two "
                "days)."
            ),
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Only list what would be replayed."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Wanted(
            ids=tuple(options["id"]),
            type=options["type"],
            since=_moment(options["since"]),
        )
        if not (wanted.ids or wanted.type or wanted.since or options["failed"]):
            raise CommandError(
                "Say which messages: --id, --failed, --type or --since; see --help."
            )
        chosen = [options["direction"]] if options["direction"] else sorted(DIRECTIONS)
        work = [
            (name, direction, found)
            for name in chosen
            for direction in [DIRECTIONS[name]()]
            for found in direction.find(wanted)
        ]
        missing = set(wanted.ids) - {found.id for _name, _direction, found in work}
        for webhook_id in sorted(missing):
            self.stderr.write(f"No failed message has the id {webhook_id!r}.")
        if not work and not missing:
            self.stdout.write("Nothing to replay.")
        failures = len(missing)
        for name, direction, found in work:
            if options["dry_run"]:
                self.stdout.write(f"{name}: {found.label}")
                continue
            replayed = direction.replay(found)
            stream = self.stdout if replayed.ok else self.stderr
            stream.write(f"{name}: {found.label}: {replayed.outcome}")
            failures += not replayed.ok
        if failures:
            raise CommandError(f"Not done: {failures}.")


def _moment(text: str | None) -> datetime | None:
    """Read ``--since``.

    Raises:
        CommandError: it is no time.
    """
    if not text:
        return None
    try:
        if (day := parse_date(text)) is not None:
            return timezone.make_aware(datetime.combine(day, time.min))
        if (moment := parse_datetime(text)) is not None:
            return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
        ago: timedelta | None = parse_duration(text)
        if ago is not None:
            return timezone.now() - abs(ago)
    except (ValueError, OverflowError):
        pass
    raise CommandError(f"--since: {text!r} is neither a day, a time nor a duration.")
