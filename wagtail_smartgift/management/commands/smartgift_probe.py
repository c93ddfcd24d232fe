"""Find out how the Smart Gift at the other end behaves, with one test voucher."""

import sys
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from wagtail_smartgift import selectors
from wagtail_smartgift.client import SaleCustomer, SaleDelivery
from wagtail_smartgift.conf import Account, get_conf, is_for_trying
from wagtail_smartgift.management.arguments import (
    add_voucher_arguments,
    read_account,
    read_voucher_no,
)
from wagtail_smartgift.money import parse_amount
from wagtail_smartgift.services import probing


class Command(BaseCommand):
    help = (
        "Settles what Smart Gift's documentation leaves open: what a hold keeps out, "
        "whether dead tokens are refused, what a repeated sale does, and more. It needs "
        "a monetary voucher of your own with a few pounds on it, takes pennies of it and "
        "gives each of them back. The dated answers are stored for this key and address, "
        "and payments and sales go by them for 90 days. It takes the last places of the "
        "quota, so that customers go first. Exits with 1 if it could not ask, or could "
        "not give everything back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_voucher_arguments(parser)
        parser.add_argument(
            "--yes",
            action="store_true",
            help="Do not ask whether to go on. What will be spent is printed first.",
        )
        parser.add_argument(
            "--production",
            action="store_true",
            help="The address is not Smart Gift's development host, and the voucher is "
            "real money: go on all the same.",
        )
        length = parser.add_mutually_exclusive_group()
        length.add_argument(
            "--quick",
            action="store_true",
            help="Leave out what takes minutes (this is the default).",
        )
        length.add_argument(
            "--wait",
            action="store_true",
            help="Also let a hold run out and try its token, which takes five minutes; "
            "with --sell, look for a new number a second time after two minutes.",
        )
        parser.add_argument(
            "--quota",
            action="store_true",
            help="Also use the quota up, twice, to learn how long its window is. "
            "Everybody who shares the key waits meanwhile: not against production.",
        )
        self._add_sale(parser)

    def _add_sale(self, parser: ArgumentParser) -> None:
        sale = parser.add_argument_group(
            "sales",
            f"With --sell up to {probing.MOST_ORDERS} real orders of that product are "
            "placed. They are booked and mailed like any others, and can only be "
            "cancelled by hand in Smart Gift's dashboard.",
        )
        sale.add_argument("--sell", type=int, metavar="PRODUCT_ID")
        sale.add_argument(
            "--price", metavar="POUNDS", help="What a monetary product is sold for."
        )
        sale.add_argument(
            "--persons", type=int, help="For how many an experience is sold."
        )
        sale.add_argument("--email", help="Who gets the mail; required with --sell.")
        for name, default in (
            ("first-name", "Smart Gift"),
            ("last-name", "Probe"),
            ("address1", "1 Test Street"),
            ("city", "Test"),
            ("county", "Test"),
            ("postcode", "TE1 1ST"),
            ("phone", "01632 960000"),
        ):
            sale.add_argument(
                f"--{name}", default=default, help="The buyer's (default: %(default)s)."
            )
        sale.add_argument(
            "--delivery-method",
            metavar="ID",
            help="Smart Gift's number (default: the first of DELIVERY_METHODS that is "
            "not posted).",
        )
        sale.add_argument(
            "--payment-method",
            type=int,
            metavar="ID",
            help="Smart Gift's number (default: PAYMENT_METHOD, or the first known).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        account, site_id = read_account(options["account"], options["site_id"])
        real = not is_for_trying(account.base_url)
        if real and not options["production"]:
            raise CommandError(
                f"{account.base_url} is not a development address. Pass --production "
                "if you mean to probe it with a real voucher."
            )
        if real and options["quota"]:
            raise CommandError(
                "--quota keeps tills and customers waiting, so it is not for production."
            )
        scope = probing.Scope(
            wait=options["wait"],
            sale=self._sale(account, options) if options["sell"] else None,
            quota=options["quota"],
        )
        self._confirm(account, scope, options)
        try:
            report = probing.probe(
                account=account,
                site_id=site_id,
                voucher_no=read_voucher_no(options["voucher_no"]),
                scope=scope,
                tell=self.stdout.write,
            )
        except probing.NotProbed as refusal:
            raise CommandError(str(refusal)) from None
        except DatabaseError as error:
            raise CommandError(f"The database could not be used: {error}") from error
        self._tell(report)
        self._close(report)

    # What will be done

    def _confirm(
        self, account: Account, scope: probing.Scope, options: dict[str, Any]
    ) -> None:
        self.stdout.write(
            f"At {account.base_url}, account {account.alias}: the voucher is held "
            "several times, and up to "
            f"{probing.MOST_PENNIES} times {probing.PENNY} is redeemed and reversed."
        )
        if scope.sale is not None:
            self.stdout.write(
                self.style.WARNING(
                    f"Up to {probing.MOST_ORDERS} REAL ORDERS of product "
                    f"{scope.sale.product} are placed for {scope.sale.customer.email}. "
                    "Only Smart Gift's dashboard can cancel them."
                )
            )
        if scope.quota:
            self.stdout.write(
                self.style.WARNING(
                    "The quota is used up twice; everybody who shares the key waits."
                )
            )
        if options["yes"]:
            return
        if options["voucher_no"] == "-" or not sys.stdin.isatty():
            raise CommandError("Nothing was done. Pass --yes to go on.")
        if input("Type yes to go on: ").strip().lower() != "yes":
            raise CommandError("Nothing was done.")

    def _sale(self, account: Account, options: dict[str, Any]) -> probing.Sale:
        if not options["email"]:
            raise CommandError("--sell needs --email: Smart Gift mails the buyer.")
        price: Decimal | None = None
        if options["price"] is not None:
            try:
                price = parse_amount(options["price"])
            except ValueError as error:
                raise CommandError(f"--price: {error}") from None
        conf = get_conf()
        delivery = options["delivery_method"] or next(
            (method.id for method in conf.delivery_methods if not method.posted), None
        )
        if delivery is None:
            raise CommandError("--sell needs --delivery-method: none is configured.")
        known = selectors.payment_methods(account)
        payment = (
            options["payment_method"]
            or conf.payment_method
            or next((method.id for method in known), None)
        )
        if payment is None:
            raise CommandError(
                "--sell needs --payment-method: none is known. smartgift_sync reads them."
            )
        return probing.Sale(
            product=options["sell"],
            price=price,
            persons=options["persons"],
            customer=SaleCustomer(
                **{
                    name: options[name]
                    for name in (
                        "first_name",
                        "last_name",
                        "email",
                        "address1",
                        "city",
                        "county",
                        "postcode",
                        "phone",
                    )
                }
            ),
            delivery=SaleDelivery(method=delivery, price=Decimal("0.00")),
            payment_method=payment,
        )

    # What came of it

    def _tell(self, report: probing.Report) -> None:
        self.stdout.write("")
        for question in probing.QUESTIONS:
            answer = getattr(report.record, question.name)
            line = f"{question.text} {question.words(answer).capitalize()}."
            alarming = answer in question.alarming and answer is not None
            self.stdout.write(self.style.ERROR(line) if alarming else line)
            consequence = question.consequence(answer)
            if consequence:
                self.stdout.write(f"    {consequence}")
        self.stdout.write("")
        for sentence in report.skipped:
            self.stderr.write(self.style.WARNING(sentence))
        if report.lost_hold:
            self.stderr.write(
                "A hold could not be given back: the voucher may be held for five minutes."
            )
        if report.orders:
            self.stdout.write(f"Orders placed: {', '.join(report.orders)}.")
        self.stdout.write(
            f"Stored for account {report.record.account} at "
            f"{report.record.account_base_url}; it counts for 90 days."
        )

    def _close(self, report: probing.Report) -> None:
        if report.in_doubt:
            self.stderr.write(
                self.style.WARNING(
                    f"{report.in_doubt} redeems were not answered. One that was lost on "
                    "the way may still be applied: look at the voucher again in three "
                    "minutes (smartgift_check)."
                )
            )
        if report.missing is None:
            raise CommandError(
                "The voucher could not be looked at in the end: look at it with "
                "smartgift_check. What is owed to it is given back by the next run."
            )
        if report.record.owed:
            raise CommandError(
                f"{len(report.record.owed)} redemptions could not be reversed, with the "
                f"ids {', '.join(map(str, report.record.owed))}. The next run with this "
                "voucher tries again; or reverse them in Smart Gift's dashboard."
            )
        if report.missing:
            raise CommandError(
                f"The voucher has {report.missing} less than before, and the ids of that "
                "redemption were lost with its answer: reverse it in Smart Gift's "
                "dashboard."
            )
        if report.interrupted:
            raise CommandError("It was stopped. Everything was given back.")
        self.stdout.write(self.style.SUCCESS("Everything was given back."))
