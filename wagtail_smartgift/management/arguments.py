"""Arguments that several commands have: a voucher's number, an account, a moment."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, time, timedelta

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime, parse_duration

from wagtail_smartgift.conf import SETTING, Account, get_conf
from wagtail_smartgift.models.settings import DEFAULT_ACCOUNT
from wagtail_smartgift.redaction import Secret


def add_voucher_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "voucher_no",
        metavar="VOUCHER_NO",
        type=Secret,
        help="The voucher's number, or - to read it from standard input, so that it is "
        "not in the history of the shell. It is never printed.",
    )
    parser.add_argument(
        "--account",
        default=DEFAULT_ACCOUNT,
        metavar="ALIAS",
        help=f"The account of {SETTING}['ACCOUNTS'] to ask (default: %(default)s).",
    )
    parser.add_argument(
        "--site-id",
        metavar="NUMBER",
        help="The site number to ask for (default: the account's own).",
    )


def read_voucher_no(given: str) -> str:
    """Return the number that was given, or the first line of standard input for -."""
    given = Secret(given)
    number = Secret((sys.stdin.readline() if given == "-" else given).strip())
    if not number:
        raise CommandError("There is no voucher number.")
    return number


def read_account(alias: str, site_id: str | None) -> tuple[Account, str]:
    """Return the account, and the site number to ask for."""
    try:
        account = get_conf().account(alias)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from None
    number = site_id or account.site_id
    if not number:
        raise CommandError(
            f"The account {alias!r} has no SITE_ID. Give one with --site-id."
        )
    return account, number


def moment(text: str) -> datetime:
    """Read a day (its beginning), a time, or how long ago.

    Raises:
        ArgumentTypeError: it is none of these.
    """
    try:
        if (day := parse_date(text)) is not None:
            return timezone.make_aware(datetime.combine(day, time.min))
        if (given := parse_datetime(text)) is not None:
            return given if timezone.is_aware(given) else timezone.make_aware(given)
        ago: timedelta | None = parse_duration(text)
        if ago is not None:
            return timezone.now() - abs(ago)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError(f"{text!r} is neither a day, a time nor a duration.")
