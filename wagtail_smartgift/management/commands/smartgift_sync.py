"""Read Smart Gift's catalogue from the command line or a cron job."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.services import catalogue


class Command(BaseCommand):
    help = (
        "Reads the voucher products that Smart Gift lists, and its payment methods, "
        "into the database. Run it every few minutes: pages show what it read last. "
        "Running it again changes nothing. Exits with 1 if an account's catalogue "
        "could not be read; what was known of it then stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--account",
            metavar="ALIAS",
            help="Only this account of WAGTAIL_SMARTGIFT['ACCOUNTS'] (default: all).",
        )
        parser.add_argument(
            "--allow-empty",
            action="store_true",
            help="Believe Smart Gift when it lists no products where there were some, "
            "and take them all off sale.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            conf = get_conf()
            accounts = (
                [conf.account(options["account"])]
                if options["account"]
                else list(conf.accounts.values())
            )
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        if not accounts:
            raise CommandError("WAGTAIL_SMARTGIFT['ACCOUNTS'] has no account.")
        failed = [
            account.alias
            for account in accounts
            if not self._sync(account, allow_empty=options["allow_empty"])
        ]
        if failed:
            raise CommandError(
                f"Not read: {', '.join(failed)}. What was known of it stays as it is."
            )

    def _sync(self, account: Account, *, allow_empty: bool) -> bool:
        self.stdout.write(f"{account.alias}: reading {account.base_url} …")
        try:
            result = catalogue.sync(
                account,
                allow_empty=allow_empty,
                progress=lambda done, total: self.stdout.write(
                    f"{account.alias}: {done} of {total} written"
                ),
            )
        except catalogue.CatalogueSyncError as error:
            self.stderr.write(self.style.ERROR(f"{account.alias}: {error}"))
            return False
        self.stdout.write(
            f"{account.alias}: {result.added} added, {result.changed} changed, "
            f"{result.unchanged} unchanged, {result.gone} gone, "
            f"{result.returned} returned"
        )
        try:
            catalogue.refresh_payment_methods(account, only_if_old=True)
        except catalogue.CatalogueSyncError as error:
            # Products are on sale all the same, and a shop that names its payment
            # method in the settings needs no list of them.
            self.stderr.write(
                self.style.WARNING(f"{account.alias}: no payment methods: {error}")
            )
        return True
