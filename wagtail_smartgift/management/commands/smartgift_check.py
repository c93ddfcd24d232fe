"""Look at one voucher: at Smart Gift, and in this database."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.client import VoucherState
from wagtail_smartgift.codes import MAX_VOUCHER_NUMBER_LENGTH
from wagtail_smartgift.management.arguments import (
    add_voucher_arguments,
    read_account,
    read_voucher_no,
)
from wagtail_smartgift.services import enquiry


class Command(BaseCommand):
    help = (
        "Shows what Smart Gift says of a voucher now (type, balance, experiences, who "
        "holds it) and what this database knows of it: the payments it was used for, and "
        "the order it was sold in. The number is shown as its last four characters. "
        "Exits with 1 if Smart Gift refuses it or cannot be asked; what is known here is "
        "shown all the same."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_voucher_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        account, site_id = read_account(options["account"], options["site_id"])
        number = read_voucher_no(options["voucher_no"])
        if len(number) > MAX_VOUCHER_NUMBER_LENGTH:
            raise CommandError("That is no voucher number: it is too long.")
        try:
            answer = enquiry.ask(account=account, site_id=site_id, voucher_no=number)
        except DatabaseError as error:
            raise CommandError(f"The database could not be used: {error}") from error
        self.stdout.write(
            f"{answer.display_code}, account {account.alias} at {account.base_url}"
        )
        if answer.state is not None:
            self._tell(answer.state, site_id)
        self._tell_what_is_known(answer)
        if answer.state is None:
            raise CommandError(_why_not(answer))

    def _tell(self, state: VoucherState, site_id: str) -> None:
        self.stdout.write(f"Type: {state.type}")
        if state.type == ProductType.MONETARY:
            self.stdout.write(f"Balance: {state.remaining_value}")
            if state.available_to_redeem not in (None, state.remaining_value):
                self.stdout.write(f"At site {site_id}: {state.available_to_redeem}")
        for experience in state.experiences:
            name = experience.name or "without a name"
            self.stdout.write(f"Experience {experience.bit_value}: {name}")
        if state.sold_out:
            self.stdout.write("Nothing is left on it.")
        self.stdout.write(f"Held: {self._hold(state)}")

    def _hold(self, state: VoucherState) -> str:
        if state.held is None:
            return "not told"
        if not state.held:
            return "no"
        if state.held_until is None:
            return "yes"
        if state.held_until.tzinfo is None:
            return f"until {state.held_until:%H:%M:%S}, in a time zone that is not told"
        return f"until {timezone.localtime(state.held_until):%H:%M:%S %Z}"

    def _tell_what_is_known(self, answer: enquiry.Answer) -> None:
        for item in answer.sold_in:
            self.stdout.write(
                f"Sold here in order {item.order.reference} ({item.order.status}) for "
                f"{item.price}, {_day(item.order.created_at)}"
            )
        if len(answer.uses) == enquiry.MOST_USES:
            self.stdout.write(f"Its last {enquiry.MOST_USES} payments:")
        for row in reversed(answer.uses):
            session = row.session
            why = f", {row.attention_code}" if row.attention_code else ""
            self.stdout.write(
                f"Payment {session.reference} ({session.status}): {row.status}{why}, "
                f"{row.amount} {session.currency}, {_day(row.created_at)}"
            )
        if not answer.is_known:
            self.stdout.write("Nothing is known of it here.")


def _why_not(answer: enquiry.Answer) -> str:
    """Say why there is no answer, as exactly as an operator needs it."""
    if not answer.refused:
        return f"Smart Gift could not be asked ({answer.trouble})."
    said = f" It says: {answer.words}" if answer.words else ""
    return f"Smart Gift refuses it ({answer.reason}).{said}"


def _day(moment: Any) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}"
