"""Change the keys that stored secrets are kept with, under a running shop."""

import time
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models.sealed import SEALED_COLUMNS, SealedColumn
from wagtail_smartgift.services import rekeying


#: Passes over a column after which somebody still writes with another key.
PASSES = 3
#: Seconds between two lines about how far it is.
PACE = 5.0


class Command(BaseCommand):
    help = (
        "Encrypts every stored secret with the first of ENCRYPTION_KEYS, and makes "
        "every fingerprint with FINGERPRINT_KEY, after either was changed in the "
        "settings. No key is asked for: encryption keys are those of the settings (the "
        "old ones stay behind the new one until this command is done), and new "
        "fingerprints are made from the numbers. Safe while the shop works; killed or "
        "not, it may be run again. Rows that cannot be read are named by their primary "
        "key, and the exit status is 1 then."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Only count what would be changed.",
        )
        parser.add_argument(
            "--leave-unreadable",
            action="store_true",
            help="Change the fingerprint key although some voucher numbers cannot be "
            "read with any key; those vouchers are not recognised by them any more.",
        )
        parser.add_argument(
            "--batch",
            type=int,
            default=rekeying.BATCH,
            metavar="ROWS",
            help="Rows that are read at once (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["batch"] < 1:
            raise CommandError("--batch takes a number of rows above zero.")
        try:
            if not get_conf().encryption_keys:
                raise CommandError("ENCRYPTION_KEYS is not set.")
            self._told_at = time.monotonic()
            faults = [
                *self._reencrypt(options["dry_run"], options["batch"]),
                *self._refingerprint(options),
            ]
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except rekeying.RekeyError as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database could not be used: {type(error).__name__}. What is done "
                "stays done; run the command again."
            ) from None
        if faults:
            raise CommandError(f"Not done: {'; '.join(faults)}.")

    def _reencrypt(self, dry_run: bool, batch: int) -> Iterable[str]:
        for column in SEALED_COLUMNS:
            passes = [self._pass(column, dry_run, batch)]
            while not dry_run and _did_something(passes[-1]) and len(passes) < PASSES:
                # Somebody may have written with the old settings meanwhile.
                passes.append(self._pass(column, dry_run, batch))
            first, tally = passes[0], passes[-1]
            words = "to be encrypted" if dry_run else "encrypted"
            self._say(first, f"{first.changed} {words} with the first key")
            yield from self._unreadable(tally)
            if not dry_run and _did_something(tally):
                yield (
                    f"{tally.column} is still being written with another first key: "
                    "restart every process of the shop, and run the command again"
                )

    def _pass(self, column: SealedColumn, dry_run: bool, batch: int) -> rekeying.Tally:
        return rekeying.reencrypt(
            column, dry_run=dry_run, batch=batch, progress=self._progress
        )

    def _refingerprint(self, options: dict[str, Any]) -> Iterable[str]:
        tallies = rekeying.refingerprint(
            dry_run=options["dry_run"],
            leave_unreadable=options["leave_unreadable"],
            batch=options["batch"],
            progress=self._progress,
        )
        for tally in tallies:
            words = "to be made" if options["dry_run"] else "made"
            self._say(tally, f"{tally.changed} {words} with FINGERPRINT_KEY")
            if tally.busy:
                yield f"{tally.column}: {tally.busy} rows were busy, run it again"
            if tally.doubled:
                self._name(tally.column, "is live in another row, too", tally.doubled)
                yield f"{tally.column}: {len(tally.doubled)} vouchers are live twice"

    def _say(self, tally: rekeying.Tally, what: str) -> None:
        self.stdout.write(f"{tally.column}: {what}, {tally.current} were already")

    def _unreadable(self, tally: rekeying.Tally) -> Iterable[str]:
        if tally.unreadable:
            self._name(tally.column, "no configured key opens it", tally.unreadable)
            yield f"{tally.column}: {len(tally.unreadable)} rows cannot be read"

    def _name(self, column: str, what: str, rows: list[str]) -> None:
        for pk in rows:
            self.stderr.write(self.style.ERROR(f"{column} {pk}: {what}"))

    def _progress(self, column: str, done: int, total: int) -> None:
        if time.monotonic() - self._told_at >= PACE:
            self._told_at = time.monotonic()
            self.stdout.write(f"{column}: {done} of {total} read …")


def _did_something(tally: rekeying.Tally) -> bool:
    return bool(tally.changed or tally.busy)
