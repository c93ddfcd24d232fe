"""What a report is about: its dates, what its lines stand for, and what it is confined to.

What is not chosen is the usual: this month, by day, all sites, accounts and products.
Dates that are chosen by hand win over a period that has a name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import django_filters
from django.forms import RadioSelect
from django.utils.translation import gettext_lazy, pgettext_lazy
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet
from wagtail.models import Site

from wagtail_smartgift import reporting
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.reporting import Grouping, Period, Scope
from wagtail_smartgift.views.desk.listing import known_accounts


#: A report by day of more than these days would not be read: it is by month then.
MOST_DAYS = 366
#: Nobody has sold for longer.
MOST_YEARS = 30


def _last_month(today: date) -> Period:
    end = today.replace(day=1) - timedelta(days=1)
    return reporting.this_month(end)


def _year(day: date) -> Period:
    return Period(first=day.replace(month=1, day=1), last=day)


#: The periods with a name; "" is what nobody has to choose.
PERIODS: Mapping[str, tuple[Any, Callable[[date], Period]]] = {
    "": (pgettext_lazy("period", "This month"), reporting.this_month),
    "last_month": (pgettext_lazy("period", "Last month"), _last_month),
    "last_30_days": (
        pgettext_lazy("period", "Last 30 days"),
        lambda today: Period(first=today - timedelta(days=29), last=today),
    ),
    "this_year": (pgettext_lazy("period", "This year"), _year),
    "last_year": (
        pgettext_lazy("period", "Last year"),
        lambda today: _year(date(today.year - 1, 12, 31)),
    ),
}


class ReportFilterSet(WagtailFilterSet):
    """The form of a report. It filters nothing by itself: see ``Wanted``."""

    period = django_filters.ChoiceFilter(
        label=gettext_lazy("Period"),
        choices=[(name, label) for name, (label, _find) in PERIODS.items() if name],
        empty_label=PERIODS[""][0],
        widget=RadioSelect,
    )
    date = django_filters.DateFromToRangeFilter(
        label=gettext_lazy("Dates"), widget=DateRangePickerWidget
    )
    by = django_filters.ChoiceFilter(
        label=gettext_lazy("Show by"),
        choices=[one for one in Grouping.choices if one[0] != Grouping.DAY],
        empty_label=Grouping.DAY.label,
        widget=RadioSelect,
    )
    site = django_filters.ModelChoiceFilter(
        label=gettext_lazy("Site"),
        queryset=lambda _request: Site.objects.order_by("hostname", "port"),
        empty_label=gettext_lazy("All"),
    )
    account = django_filters.ChoiceFilter(
        label=gettext_lazy("Account"),
        empty_label=gettext_lazy("All"),
        widget=RadioSelect,
    )
    product = django_filters.ModelChoiceFilter(
        label=gettext_lazy("Product"),
        queryset=lambda _request: reporting.sold_products(),
        empty_label=gettext_lazy("All"),
    )
    currency = django_filters.ChoiceFilter(
        label=gettext_lazy("Currency"),
        empty_label=gettext_lazy("All"),
        widget=RadioSelect,
    )

    class Meta:
        # It needs one; nothing is read from it.
        model = PaymentSession
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Leave out what there is no choice of."""
        super().__init__(*args, **kwargs)
        currencies = [(one, one) for one in reporting.currencies()]
        for name, found in (("account", known_accounts()), ("currency", currencies)):
            self.filters[name].extra["choices"] = found
            if len(found) < 2:
                del self.filters[name]
        if Site.objects.count() < 2:
            del self.filters["site"]
        if not reporting.sold_products().exists():
            del self.filters["product"]


@dataclass(frozen=True)
class Wanted:
    """What somebody wants to see, made whole."""

    period: Period
    #: Its name in ``PERIODS``; None where the dates were chosen by hand.
    period_name: str | None
    grouping: Grouping
    scope: Scope
    #: Whether days were asked for and are too many.
    is_by_month_instead: bool = False

    @classmethod
    def read(cls, cleaned: Mapping[str, Any], *, today: date) -> "Wanted":
        """Read a form; a field that is missing or wrong counts as not filled in."""
        name = cleaned.get("period") or ""
        period = PERIODS[name][1](today)
        dates = cleaned.get("date")
        if dates is not None:
            period, name = _by_hand(dates, today), None
        grouping = Grouping(cleaned.get("by") or Grouping.DAY)
        too_many = grouping is Grouping.DAY and period.days > MOST_DAYS
        site, product = cleaned.get("site"), cleaned.get("product")
        return cls(
            period=period,
            period_name=name,
            grouping=Grouping.MONTH if too_many else grouping,
            scope=Scope(
                site_id=site.pk if site else None,
                account=cleaned.get("account") or "",
                product_id=product.pk if product else None,
                currency=cleaned.get("currency") or "",
            ),
            is_by_month_instead=too_many,
        )

    @property
    def knows_sales_alone(self) -> bool:
        """Whether it is about products: nobody says which a redeemed voucher was."""
        return self.grouping is Grouping.PRODUCT or self.scope.product_id is not None


def _by_hand(dates: slice, today: date) -> Period:
    """Return the period between two dates, of which one may be missing.

    Nothing happens in the future, so it is not shown; dates the wrong way round are
    put right.
    """
    last = min(dates.stop.date() if dates.stop else today, today)
    first = dates.start.date() if dates.start else last.replace(day=1)
    first, last = min(first, last), max(min(first, today), last)
    earliest = date(today.year - MOST_YEARS, 1, 1)
    return Period(first=max(first, earliest), last=max(last, earliest))
