"""How things stand, in words: the month so far, what waits, each account.

What the overview of the reports, the panel on the home page and the page about quota
and health have in common.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from wagtail_smartgift import budget, reporting
from wagtail_smartgift.budget import BreakerState, BudgetStatus
from wagtail_smartgift.choices import Lane
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.formats import format_price, short_day
from wagtail_smartgift.models import CatalogueSync, VoucherOrder
from wagtail_smartgift.reporting import Waiting
from wagtail_smartgift.services.sync_failures import in_words


#: The lanes in the words of those who wait in them.
LANES: dict[Lane, Promise] = {
    Lane.MONEY: gettext_lazy("Redeeming and giving back"),
    Lane.CHECKOUT: gettext_lazy("Holding, and selling vouchers"),
    Lane.LOOKUP: gettext_lazy("Looking up balances"),
    Lane.CATALOGUE: gettext_lazy("Reading the catalogue"),
}

BREAKER: dict[BreakerState, Promise] = {
    BreakerState.CLOSED: gettext_lazy("Smart Gift answers."),
    BreakerState.OPEN: gettext_lazy(
        "Smart Gift does not answer. Calls are held back for some seconds at a time."
    ),
    BreakerState.HALF_OPEN: gettext_lazy(
        "Smart Gift did not answer lately. The next call tries again."
    ),
}


# -- the month so far -----------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """One figure of this month beside that of the last, up to the same day."""

    heading: str | Promise
    this: str
    last: str
    #: "+12 %"; empty where there is nothing to compare with.
    change: str


@dataclass(frozen=True)
class Month:
    currency: str
    this_days: str
    last_days: str
    figures: Sequence[Comparison]


def months(day: date) -> list[Month]:
    """Compare this month with the last, a table for each currency."""
    this, last = reporting.this_month(day), reporting.last_month_so_far(day)
    return [
        Month(
            currency=one.currency,
            this_days=_days(this),
            last_days=_days(last),
            figures=[
                _comparison(heading, now, before, one.currency)
                for heading, now, before in (
                    (
                        pgettext_lazy("figure", "Sold"),
                        one.this.sold,
                        one.last.sold,
                    ),
                    (
                        pgettext_lazy("figure", "Redeemed"),
                        one.this.redeemed,
                        one.last.redeemed,
                    ),
                    (
                        pgettext_lazy("figure", "Reversed"),
                        one.this.reversed,
                        one.last.reversed,
                    ),
                    (
                        pgettext_lazy("figure", "Lost sales"),
                        one.this.lost,
                        one.last.lost,
                    ),
                )
            ],
        )
        for one in reporting.month_so_far(day, currency=get_conf().currency)
    ]


def _days(period: reporting.Period) -> str:
    first, last = (short_day(day) for day in (period.first, period.last))
    return (
        first
        if first == last
        else _("%(first)s to %(last)s") % {"first": first, "last": last}
    )


def _comparison(
    heading: str | Promise, now: Decimal, before: Decimal, currency: str
) -> Comparison:
    return Comparison(
        heading=heading,
        this=format_price(now, currency),
        last=format_price(before, currency),
        change=_change(now, before),
    )


def _change(now: Decimal, before: Decimal) -> str:
    if before <= 0:
        return ""
    percent = ((now - before) * 100 / before).quantize(Decimal(1))
    sign = "\N{MINUS SIGN}" if percent < 0 else "+" if percent else "±"
    return f"{sign}{number_format(abs(percent))}\N{NO-BREAK SPACE}%"


# -- what waits -------------------------------------------------------------------


@dataclass(frozen=True)
class WaitingRow:
    what: str
    count: int
    since: datetime | None
    #: Nobody but a person moves it on.
    is_trouble: bool


def waiting_rows(queue: Iterable[Waiting]) -> list[WaitingRow]:
    """Return the queue with the names of its statuses."""
    return [
        WaitingRow(
            what=(
                _("Voucher orders: %(status)s")
                if one.model is VoucherOrder
                else _("Payments: %(status)s")
            )
            % {"status": one.status.label},
            count=one.count,
            since=one.since,
            is_trouble=one.needs_a_person and one.count > 0,
        )
        for one in queue
    ]


# -- each account -----------------------------------------------------------------


@dataclass(frozen=True)
class LaneUse:
    name: Promise
    used: int
    #: Seconds until a call in it could be made; 0: now.
    wait: int


@dataclass(frozen=True)
class Standing:
    """One account as far as this database knows it: nobody was asked."""

    account: str
    synced_at: datetime | None
    #: When the catalogue could not be read, if that was after it last could.
    failed_at: datetime | None
    failure: str
    quota: BudgetStatus
    lanes: Sequence[LaneUse]
    breaker: Promise
    is_answering: bool


def standings() -> list[Standing]:
    """Return every configured account: a query for each, and one for all."""
    syncs = {row.account: row for row in CatalogueSync.objects.all()}
    return [
        _standing(account, syncs.get(alias))
        for alias, account in get_conf().accounts.items()
    ]


def _standing(account: Account, sync: CatalogueSync | None) -> Standing:
    quota = budget.status(account)
    synced_at = sync.synced_at if sync else None
    failed_at = sync.failed_at if sync else None
    if failed_at is not None and synced_at is not None and failed_at <= synced_at:
        failed_at = None
    return Standing(
        account=account.alias,
        synced_at=synced_at,
        failed_at=failed_at,
        failure=in_words(sync.failure, account=account.alias)
        if sync and failed_at
        else "",
        quota=quota,
        lanes=[
            LaneUse(name=name, used=used, wait=round(wait))
            for (name, used, wait) in zip(
                LANES.values(), quota.lanes, quota.waits, strict=True
            )
        ],
        breaker=BREAKER[quota.breaker],
        is_answering=quota.breaker is BreakerState.CLOSED,
    )
