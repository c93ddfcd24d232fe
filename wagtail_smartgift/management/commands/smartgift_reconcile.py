"""Finish what is unfinished; run it every minute from cron, or with --watch."""

import time
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from wagtail_smartgift.services import reconciliation


class Command(BaseCommand):
    help = (
        "Make one pass over every payment, voucher order and event that is not "
        "finished: ask Smart Gift what became of them, go on, or give them to a "
        "person. Safe to run from several processes at once and while customers shop. "
        "Exit status 0 also when cases wait for a person, 1 if it could not work."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--watch",
            type=float,
            metavar="SECONDS",
            help="Go on until stopped, with a pass every so many seconds.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["watch"] is None:
            self._tell(self._pass())
            return
        if options["watch"] <= 0:
            raise CommandError("--watch takes a number of seconds above zero.")
        try:
            while True:
                began = time.monotonic()
                self._watched_pass()
                time.sleep(max(0.0, options["watch"] - (time.monotonic() - began)))
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _watched_pass(self) -> None:
        """Make a pass; a database that is away now may be there for the next one."""
        try:
            self._tell(reconciliation.reconcile(), quiet=True)
        except DatabaseError as error:
            self.stderr.write(f"The database could not be used: {error}")
        finally:
            close_old_connections()

    def _pass(self) -> reconciliation.Report:
        try:
            return reconciliation.reconcile()
        except DatabaseError as error:
            raise CommandError(f"The database could not be used: {error}") from error

    def _tell(self, report: reconciliation.Report, *, quiet: bool = False) -> None:
        done = {name: count for name, count in asdict(report).items() if count}
        if not done:
            if not quiet:
                self.stdout.write("Nothing was due.")
            return
        self.stdout.write(", ".join(f"{name}: {count}" for name, count in done.items()))
