"""Do again what failed between the shop and us, or between us and others."""

from argparse import ArgumentParser
from types import ModuleType
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from wagtail_smartgift.management import replay_in, replay_out


#: Word on the command line -> what it stands for, and its part of the command.
WAYS: dict[str, tuple[str, ModuleType]] = {
    "in": ("messages of the shop", replay_in),
    "out": ("webhooks to others", replay_out),
}


class Command(BaseCommand):
    help = (
        "Replay messages that failed: those of the shop (in), the webhooks that were "
        "given up (out), or both if you say neither. “in --help” and “out --help” tell "
        "how to choose some. Exit status 1 if one failed again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        ways = parser.add_subparsers(dest="way", metavar="in|out")
        for name, (title, part) in WAYS.items():
            way = ways.add_parser(name, help=title, description=part.HELP)
            part.add_arguments(way)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["way"]:
            WAYS[options["way"]][1].handle(self, options)
            return
        failures = []
        for _title, part in WAYS.values():
            try:
                part.handle(self, _defaults(part))
            except CommandError as error:
                # The other way is gone all the same.
                failures.append(str(error))
        if failures:
            raise CommandError(" ".join(failures))


def _defaults(part: ModuleType) -> dict[str, Any]:
    parser = ArgumentParser()
    part.add_arguments(parser)
    return vars(parser.parse_args([]))
