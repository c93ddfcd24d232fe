"""Finish what is unfinished; run it every minute from cron, or with --watch."""

import logging
import time
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, close_old_connections

from wagtail_smartgift.services import reconciliation


logger = logging.getLogger(__name__)

#: Seconds between two passes at most, however many have failed in a row.
LONGEST_PAUSE = 60.0


class Command(BaseCommand):
    help = (
        "Make one pass over every payment, voucher order and event that is not "
        "finished: ask Smart Gift what became of them, go on, or give them to a "
        "person. Safe to run from several processes at once and while customers shop. "
        "Exit status 0 also when cases wait for a person, 1 if it, or a part of it, could "
        "not work."
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
            self._pass_once()
            return
        if options["watch"] <= 0:
            raise CommandError("--watch takes a number of seconds above zero.")
        try:
            self._watch(options["watch"])
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _pass_once(self) -> None:
        try:
            report = reconciliation.reconcile()
        except DatabaseError as error:
            raise CommandError(f"The database could not be used: {error}") from error
        self._tell(report)
        if report.broken_off:
            raise CommandError(
                f"Parts of the pass that broke off: {report.broken_off}. The log of "
                "wagtail_smartgift tells which and why."
            )

    def _watch(self, seconds: float) -> None:
        """Make passes until stopped; after some that failed, less often."""
        failed = 0
        while True:
            began = time.monotonic()
            failed = 0 if self._watched_pass() else failed + 1
            pause = pause_after(failed, seconds)
            time.sleep(max(0.0, pause - (time.monotonic() - began)))

    def _watched_pass(self) -> bool:
        """Make a pass, and return whether it came to its end.

        Whatever is wrong now may be right for the next one: nobody would start us again.
        """
        try:
            self._tell(reconciliation.reconcile(), quiet=True)
        except DatabaseError as error:
            self.stderr.write(f"The database could not be used: {error}")
        except Exception as error:
            logger.exception("A pass of the sweep failed.")
            self.stderr.write(f"The pass failed: {type(error).__name__}.")
        else:
            return True
        finally:
            close_old_connections()
        return False

    def _tell(self, report: reconciliation.Report, *, quiet: bool = False) -> None:
        done = {name: count for name, count in asdict(report).items() if count}
        if not done:
            if not quiet:
                self.stdout.write("Nothing was due.")
            return
        self.stdout.write(", ".join(f"{name}: {count}" for name, count in done.items()))


def pause_after(failed: int, seconds: float) -> float:
    """Return the seconds from one pass to the next, after so many failed in a row."""
    longest = max(seconds, LONGEST_PAUSE)
    return min(seconds * 2.0 ** min(failed, 10), longest)
