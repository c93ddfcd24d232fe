"""This month beside the last one, up to the same day."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from wagtail_smartgift.reporting.figures import lines
from wagtail_smartgift.reporting.terms import Figures, Grouping, Period


@dataclass(frozen=True)
class MonthSoFar:
    """This month, and the last one up to the same day; in one currency."""

    currency: str
    this: Figures
    last: Figures


def this_month(day: date) -> Period:
    return Period(first=day.replace(day=1), last=day)


def last_month_so_far(day: date) -> Period:
    """Return the month before ``day`` up to the same day, or to its end."""
    end = day.replace(day=1) - timedelta(days=1)
    return Period(first=end.replace(day=1), last=end.replace(day=min(day.day, end.day)))


def month_so_far(day: date, *, currency: str) -> list[MonthSoFar]:
    """Compare the month of ``day`` with the one before: ``currency``, then others."""
    this, last = this_month(day), last_month_so_far(day)
    found: dict[str, dict[Any, Figures]] = {currency: {}}
    for line in lines(this, last, grouping=Grouping.MONTH):
        found.setdefault(line.currency, {})[line.key] = line.figures
    return [
        MonthSoFar(
            currency=name,
            this=figures.get(this.first, Figures()),
            last=figures.get(last.first, Figures()),
        )
        for name, figures in found.items()
    ]
