"""What was sold, redeemed, reversed and lost, and what waits now: reads only.

Owns the definition of every figure in the reports (``docs/reference/reports.md`` has
them in words). They are added up by the database from the journals, which nobody can
change afterwards, in a number of queries that does not depend on how much there is.
Days and months are those of ``TIME_ZONE``, whatever time zone the reader has chosen, so
that two people see the same figures. Money of different currencies is never added.
"""

from wagtail_smartgift.reporting.figures import fill, lines
from wagtail_smartgift.reporting.months import (
    MonthSoFar,
    last_month_so_far,
    month_so_far,
    this_month,
)
from wagtail_smartgift.reporting.terms import (
    Figures,
    Grouping,
    Line,
    Period,
    Scope,
    today,
    total,
)
from wagtail_smartgift.reporting.waiting import (
    Waiting,
    currencies,
    queue,
    sold_products,
)


__all__ = [
    "Figures",
    "Grouping",
    "Line",
    "MonthSoFar",
    "Period",
    "Scope",
    "Waiting",
    "currencies",
    "fill",
    "last_month_so_far",
    "lines",
    "month_so_far",
    "queue",
    "sold_products",
    "this_month",
    "today",
    "total",
]
