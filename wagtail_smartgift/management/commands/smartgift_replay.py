"""Do again what went wrong with other people's servers."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from wagtail_smartgift.management import replay_out


class Command(BaseCommand):
    help = "Send webhooks again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        ways = parser.add_subparsers(dest="way", required=True, metavar="WAY")
        out = ways.add_parser(
            "out", help="webhooks to others", description=replay_out.HELP
        )
        replay_out.add_arguments(out)

    def handle(self, *args: Any, **options: Any) -> None:
        replay_out.handle(self, options)
