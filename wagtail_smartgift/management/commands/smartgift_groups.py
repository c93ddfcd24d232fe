"""Make the groups of those who work with gift vouchers."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from wagtail_smartgift.services import groups


ROLES = [role.name for role in groups.ROLES]
#: Characters of a group's name that Django keeps.
LONGEST_NAME = 150


def named(text: str) -> tuple[str, str]:
    """Read ``role=name``."""
    role, equals, name = text.partition("=")
    if role not in ROLES or not equals or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise ArgumentTypeError(
            f"{text!r} is not ROLE=NAME, with one of {', '.join(ROLES)}."
        )
    return role, name.strip()


class Command(BaseCommand):
    help = (
        "Makes or brings up to date the groups of editors, shop assistants, finance and "
        "administrators of gift vouchers. Permissions that a group lacks are added; "
        "what somebody has given it beyond them stays. Doing it again changes nothing, "
        "so run it after every update. Put people into groups under Settings > Users."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--role",
            action="append",
            choices=ROLES,
            default=[],
            help="Only this group; may be given several times (default: all).",
        )
        parser.add_argument(
            "--name",
            action="append",
            type=named,
            default=[],
            metavar="ROLE=NAME",
            help="Use the group of this name for a role, such as editor=Editors, "
            "whether or not there is one. Say it each time.",
        )
        parser.add_argument(
            "--pages",
            action="store_true",
            help="Let editors and administrators add, change and publish the voucher "
            "indexes that there are, and all pages below them.",
        )
        parser.add_argument(
            "--reset",
            action="store_true",
            help="Also take every other permission away from the groups, those of other "
            "apps included. Permissions on pages, collections and sites stay.",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Only say what would be done.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = dict(options["name"])
        self._refuse_two_roles(names)
        try:
            changes = groups.ensure(
                roles=options["role"],
                names=names,
                reset=options["reset"],
                pages=options["pages"],
                dry_run=options["dry_run"],
            )
        except groups.MissingPermissions as error:
            raise CommandError(
                f"These permissions are not there: {error}. Run `manage.py migrate`."
            ) from None
        except DatabaseError as error:
            raise CommandError(
                f"The database could not be used: {type(error).__name__}."
            ) from None
        for change in changes:
            self._say(change)
        if options["dry_run"]:
            self.stdout.write("Nothing was changed.")

    def _refuse_two_roles(self, names: dict[str, str]) -> None:
        """Refuse one group for two roles: whoever is in it could do what is parted.

        The usual names count, also of roles that are not looked after this time.
        """
        taken: dict[str, str] = {}
        for role, name in groups.names_in_force(names).items():
            other = taken.setdefault(name.casefold(), role)
            if other != role:
                raise CommandError(
                    f"{name!r} would be the group of two roles, {other} and {role}. "
                    "Give one of them another with --name."
                )

    def _say(self, change: groups.Change) -> None:
        if change.is_nothing:
            self.stdout.write(f"{change.group}: as it should be")
            return
        new = " (new)" if change.created else ""
        self.stdout.write(f"{change.group}{new}:")
        for sign, lines in (
            ("+", [*change.added, *change.pages]),
            ("-", change.removed),
        ):
            for line in lines:
                self.stdout.write(f"  {sign} {line}")
