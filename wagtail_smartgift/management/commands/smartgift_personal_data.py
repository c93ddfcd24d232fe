"""Hand out, or erase, all that is known of one customer."""

import getpass
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.services import privacy


class Command(BaseCommand):
    help = (
        "Shows, exports or erases what is known of the customer with an e-mail address: "
        "voucher orders, what the shop attached to payments, and messages of the shop "
        "that failed. Upper and lower case make no difference. An export is JSON. An "
        "erasure keeps amounts, dates and references; what is not settled yet is erased "
        "by smartgift_prune once it is. Both are written down with who did it, and "
        "without the address. Exits with 1 if it could not work."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "what",
            choices=["find", "export", "erase"],
            help="find only counts; export writes JSON; erase asks first.",
        )
        parser.add_argument(
            "email",
            metavar="EMAIL",
            type=Secret,
            help="The address, or - to read it from standard input, so that it is not "
            "in the history of the shell.",
        )
        parser.add_argument(
            "--output",
            metavar="FILE",
            type=Path,
            help="Write the export into this new file, which only you can read, "
            "instead of to standard output.",
        )
        parser.add_argument(
            "--yes", action="store_true", help="Erase without asking once more."
        )
        parser.add_argument(
            "--by",
            metavar="NAME",
            default="",
            help="Who does this, for the log (default: your name on this machine).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        email = Secret(options["email"])
        if email == "-":
            email = Secret(sys.stdin.readline().strip())
        actor = options["by"] or _whoever()
        try:
            getattr(self, f"_{options['what']}")(email, actor, options)
        except privacy.NoAddress:
            raise CommandError("That is no e-mail address.") from None
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database could not be used: {type(error).__name__}."
            ) from None

    def _find(self, email: str, actor: str, options: dict[str, Any]) -> None:
        found = privacy.find(email)
        self.stdout.write(
            f"voucher orders: {found.orders} ({found.orders_unsettled} not settled), "
            f"payments: {found.payments} ({found.payments_unsettled} not settled), "
            f"messages: {found.messages} ({found.messages_unsettled} not settled)"
        )
        if found.unreadable:
            self.stderr.write(
                self.style.WARNING(
                    f"{found.unreadable} messages of the shop cannot be read with the "
                    "configured ENCRYPTION_KEYS, so nobody can tell whom they are about."
                )
            )
        for event in found.history:
            by = f" by {event.actor}" if event.actor else ""
            self.stdout.write(
                f"{event.created_at:%Y-%m-%d %H:%M} "
                f"{event.get_operation_display().lower()}{by}"
            )

    def _export(self, email: str, actor: str, options: dict[str, Any]) -> None:
        target: Path | None = options["output"]
        try:
            # Made first: an export is only written down once there is where to put it.
            file = None if target is None else target.open("x", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{target}: {error.strerror}.") from None
        if file is None:
            self.stdout.write(_json(privacy.export(email, actor=actor)))
            return
        with file:
            target.chmod(0o600) if target else None
            file.write(_json(privacy.export(email, actor=actor)))
        self.stdout.write(f"Written to {target}.")

    def _erase(self, email: str, actor: str, options: dict[str, Any]) -> None:
        self._find(email, actor, options)
        if not options["yes"] and not self._agreed():
            raise CommandError("Nothing was erased.")
        done = privacy.erase(email, actor=actor)
        self.stdout.write(
            f"erased: {done.orders} voucher orders, {done.payments} payments, "
            f"{done.messages} messages"
        )
        if done.waiting:
            self.stdout.write(
                f"{done.waiting} are not settled yet. Orders and payments among them "
                "are erased by smartgift_prune once they are; for messages run this "
                "again then."
            )

    def _agreed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError("Nobody is at the terminal: say --yes to erase.")
        return input("Erase all of this? It cannot be undone. [yes/no] ") == "yes"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n"


def _whoever() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"
