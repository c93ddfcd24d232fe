"""One run of the probe: the questions in order, then everything is given back.

What a run took is in its record before the next call is made. So a run that was killed
leaves pennies that the next one with the same voucher gives back first.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from wagtail_smartgift import codes
from wagtail_smartgift.choices import LIVE_REDEMPTION_STATUSES, ProductType
from wagtail_smartgift.client import RefusalReason
from wagtail_smartgift.codes import MAX_VOUCHER_NUMBER_LENGTH
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import CapabilityRecord, Redemption
from wagtail_smartgift.redaction import Secret, SecretBytes
from wagtail_smartgift.services import vault
from wagtail_smartgift.services.probing import (
    of_holds,
    of_quota,
    of_sales,
    of_tokens,
)
from wagtail_smartgift.services.probing.lab import PENNY, Lab, Skip, Stop


logger = logging.getLogger(__name__)

#: Pennies that are taken at the most, all of them at the same time.
MOST_PENNIES = 8


@dataclass(frozen=True)
class Scope:
    """What is to be asked beside the questions that cost neither time nor money."""

    #: Wait for a hold to run out, and for a new number to be found.
    wait: bool = False
    #: Place real orders.
    sale: of_sales.Sale | None = None
    #: Use the quota up, which keeps everybody else waiting.
    quota: bool = False


@dataclass(frozen=True)
class Report:
    record: CapabilityRecord
    #: Why questions were left out, a sentence each.
    skipped: tuple[str, ...]
    #: Money that the voucher has less than before; None: nobody knows.
    missing: Decimal | None
    #: Redeems whose outcome nobody knows; they may still be applied for a while.
    in_doubt: int
    #: A hold that could not be given back keeps the voucher busy for up to five minutes.
    lost_hold: bool
    #: Smart Gift's numbers of the orders that were placed.
    orders: tuple[str, ...]
    #: Somebody lost patience and pressed Ctrl-C.
    interrupted: bool = False


class NotProbed(Exception):
    """Nothing was asked, and nothing was taken; the sentence says why."""


def probe(
    *,
    account: Account,
    site_id: str,
    voucher_no: str,
    scope: Scope,
    tell: Callable[[str], None] = lambda _progress: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Report:
    """Ask a Smart Gift, with a voucher of one's own, what its documentation leaves open.

    Takes pennies and gives each of them back, also when somebody presses Ctrl-C: then
    the report tells so. Must not run inside a transaction.

    Raises:
        NotProbed: the voucher, the key or the site number will not do.
    """
    voucher_no = Secret(voucher_no)
    record, lab = _set_up(account, site_id, voucher_no, sleep)
    before = _first_look(lab)
    record.save()
    skipped: list[str] = []
    interrupted = False
    missing: Decimal | None = None
    try:
        _ask(lab, scope, skipped, tell)
    except Stop as stop:
        skipped.append(str(stop))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        try:
            tell("Giving everything back …")
            missing = _settle_up(lab, before)
            of_quota.conclude(lab)
        except KeyboardInterrupt:
            # Twice: what is owed is in the record, and the report tells of it.
            interrupted = True
    if interrupted:
        skipped.append("It was stopped before everything was asked.")
    skipped.extend(lab.warnings)
    return Report(
        record=record,
        skipped=tuple(dict.fromkeys(skipped)),
        missing=missing,
        in_doubt=lab.in_doubt,
        lost_hold=lab.lost_hold or lab.holds_something,
        orders=tuple(lab.orders),
        interrupted=interrupted,
    )


def _set_up(
    account: Account, site_id: str, voucher_no: str, sleep: Callable[[float], None]
) -> tuple[CapabilityRecord, Lab]:
    number = vault.normalise(voucher_no)
    if not number or len(number) > MAX_VOUCHER_NUMBER_LENGTH:
        raise NotProbed("That is no voucher number.")
    fingerprint = vault.fingerprint(number, account=account)
    if Redemption.objects.filter(
        fingerprint=fingerprint, status__in=LIVE_REDEMPTION_STATUSES
    ).exists():
        raise NotProbed("A payment of this shop is using that voucher at the moment.")
    record = CapabilityRecord(
        probed_with=codes.fingerprint(
            number, account=account.alias, key=SecretBytes(account.api_key.encode())
        )
    )
    record.bind_to(account)
    lab = Lab(
        account=account,
        number=number,
        site_id=site_id,
        record=record,
        keep=_keep,
        sleep=sleep,
    )
    return record, lab


def _keep(record: CapabilityRecord) -> None:
    if record.pk is not None:
        record.save()


def _first_look(lab: Lab) -> Decimal:
    """Return the balance, of a voucher that can be tried with.

    Raises:
        NotProbed: it cannot.
    """
    try:
        if _settle_earlier_runs(lab):
            logger.warning("Pennies of an earlier probe were given back.")
        looked = lab.check("check")
    except Stop as stop:
        raise NotProbed(str(stop)) from None
    if looked.reason is RefusalReason.INVALID_SITE or "site_id" in looked.fields:
        raise NotProbed(
            f"Smart Gift does not know the site number {lab.site_id!r}: it is in the "
            "dashboard, under Company configuration."
        )
    state = looked.value
    if state is None:
        raise NotProbed(
            "Smart Gift refuses that voucher."
            if looked.done is False
            else "Smart Gift did not answer."
        )
    if state.held:
        raise NotProbed("Somebody holds that voucher; try again in five minutes.")
    if state.type != ProductType.MONETARY:
        raise NotProbed("That is no monetary voucher.")
    if state.remaining_value < MOST_PENNIES * PENNY:
        raise NotProbed(
            f"There is too little on that voucher: up to {MOST_PENNIES} pennies are "
            "taken before they are given back."
        )
    return state.remaining_value


def _settle_earlier_runs(lab: Lab) -> bool:
    """Give back what an earlier run with this voucher could not; tell if there was any."""
    found = False
    for earlier in CapabilityRecord.objects.filter(
        CapabilityRecord.bound_to([lab.account]), probed_with=lab.record.probed_with
    ).exclude(owed=[]):
        left = _give_back(lab, earlier.owed)
        CapabilityRecord.objects.filter(pk=earlier.pk).update(owed=left)
        found = True
    return found


def _ask(
    lab: Lab, scope: Scope, skipped: list[str], tell: Callable[[str], None]
) -> None:
    refused: dict[str, bool | None] = {}
    series: list[tuple[str, Callable[[], object]]] = [
        ("Asking about holds …", lambda: refused.update(of_holds.ask(lab))),
        ("Asking about tokens …", lambda: of_tokens.ask(lab, refused)),
        ("Asking about reversals …", lambda: of_tokens.ask_about_reversals(lab)),
    ]
    if scope.wait:
        series.append(
            (
                "Waiting for a hold to run out, about five minutes …",
                lambda: of_tokens.ask_about_expired(lab),
            )
        )
    if scope.sale is not None:
        sale = scope.sale
        series.append(
            (
                "Asking about sales, with real orders …",
                lambda: of_sales.ask(lab, sale, wait=scope.wait),
            )
        )
    if scope.quota:
        series.append(
            (
                "Using the quota up, twice …",
                lambda: of_quota.ask_about_window(lab),
            )
        )
    for progress, ask in series:
        tell(progress)
        try:
            ask()
        except Skip as skip:
            skipped.append(str(skip))


def _settle_up(lab: Lab, before: Decimal) -> Decimal | None:
    """Release every hold and reverse every penny; return what is missing then."""
    try:
        lab.let_go()
        lab.owe(_give_back(lab, lab.record.owed))
        looked = lab.check("check at the end")
    except Stop as stop:
        logger.warning("A probe could not give everything back: %s", stop)
        return None
    finally:
        lab.record.save()
    return None if looked.value is None else before - looked.value.remaining_value


def _give_back(lab: Lab, owed: Sequence[int | str]) -> list[int | str]:
    """Reverse all at once, or one by one where that is refused; return what is left."""
    if not owed or lab.reverse(owed, "reverse all").done:
        return []
    left = []
    for one in owed:
        tried = lab.reverse([one], "reverse")
        if tried.done is None:
            tried = lab.reverse([one], "reverse, once more")
        # Refused as no redemption: reversed already, by a call whose answer was lost.
        # Whether that is so the balance tells in the end.
        if not tried.done and tried.reason is not RefusalReason.INVALID_REDEMPTIONS:
            left.append(one)
    return left
