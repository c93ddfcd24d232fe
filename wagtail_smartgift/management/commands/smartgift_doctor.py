"""Tell everything that is wrong with this installation, and what to do about it."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wagtail_smartgift.services import doctor


class Command(BaseCommand):
    help = (
        "Looks at the settings, the database, the sweep, what waits for somebody, and "
        "Smart Gift itself, and prints a line for each with what to do. Makes one call "
        "for each site number, among the balance look-ups. Exits with 1 if there is a "
        "fault; warnings alone are 0."
    )
    # The doctor runs them itself: what is broken is what it is for.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--offline",
            action="store_true",
            help="Make no call to Smart Gift.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        styles = {
            doctor.Level.OK: self.style.SUCCESS,
            doctor.Level.WARNING: self.style.WARNING,
            doctor.Level.FAULT: self.style.ERROR,
        }
        counts: Counter[doctor.Level] = Counter()
        for finding in doctor.examine(offline=options["offline"]):
            counts[finding.level] += 1
            level = styles[finding.level](f"{finding.level.value:>7}")
            self.stdout.write(f"{level}  {finding.about}: {finding.says}")
            if finding.advice:
                self.stdout.write(f"{'':9}{finding.advice}")
        faults, warnings = counts[doctor.Level.FAULT], counts[doctor.Level.WARNING]
        summary = f"{faults} faults, {warnings} warnings."
        if faults:
            raise CommandError(summary)
        self.stdout.write(summary)
