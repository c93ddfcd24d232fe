"""Forget customers, and what is spent, once their days are over."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.services import forgetting


#: Seconds between two lines about how far it is.
PACE = 5.0


class Command(BaseCommand):
    help = (
        "Takes the customers out of voucher orders and payments that were settled more "
        "than KEEP_PERSONAL_DATA_DAYS ago, or whose erasure somebody asked for, and "
        "deletes messages of the shop, events, stored answers, client secrets and "
        "look-ups at the voucher desk past their days. What was sold and paid, when, and under which reference stays. "
        "What is not settled, or needs a person, is not touched. Run it once a day; it "
        "may run beside the shop and beside itself. Exits with 1 if it could not work; "
        "what it has done by then stays done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Only count; change nothing."
        )
        parser.add_argument(
            "--batch",
            type=int,
            default=forgetting.BATCH,
            metavar="ROWS",
            help="Rows that are read at once (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError("--batch takes a number of rows above zero.")
        self._told_at = time.monotonic()
        try:
            days = get_conf().keep_personal_data_days
            report = forgetting.prune(
                dry_run=options["dry_run"],
                batch=options["batch"],
                progress=self._progress,
            )
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database could not be used: {type(error).__name__}. What is done "
                "stays done; run the command again."
            ) from None
        counts = ", ".join(f"{name}: {count}" for name, count in vars(report).items())
        would = "would be forgotten" if options["dry_run"] else "forgotten"
        self.stdout.write(f"{would} (people after {days:g} days): {counts}")

    def _progress(self, what: str, done: int) -> None:
        if time.monotonic() - self._told_at >= PACE:
            self._told_at = time.monotonic()
            self.stdout.write(f"{what}: {done} forgotten …")
