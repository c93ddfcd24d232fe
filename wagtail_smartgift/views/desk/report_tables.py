"""The sections of a report: one for each currency, with its charts and its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_smartgift import reporting
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.formats import format_price, short_day, short_month
from wagtail_smartgift.reporting import Figures, Grouping, Line
from wagtail_smartgift.views.desk.charts import Bar, Chart, LyingChart, UprightChart


#: Bars of a chart by name: the largest ones; the table has them all.
MOST_BARS = 20
#: Bars of days that can be told apart; more are drawn as months.
MOST_DAY_BARS = 62


@dataclass(frozen=True)
class FigureColumn:
    """One of the figures: its name in ``Figures``, and its heading."""

    name: str
    heading: Promise
    is_money: bool = False
    #: The heading of its chart.
    chart: Promise | None = None

    def text(self, figures: Figures, currency: str) -> str | int:
        value = getattr(figures, self.name)
        return format_price(value, currency) if self.is_money else value


SALES = (
    FigureColumn("sold_count", gettext_lazy("Vouchers sold")),
    FigureColumn(
        "sold", gettext_lazy("Sold"), is_money=True, chart=gettext_lazy("Vouchers sold")
    ),
)
COLUMNS = (
    *SALES,
    FigureColumn("redeemed_count", gettext_lazy("Redemptions")),
    FigureColumn(
        "redeemed",
        gettext_lazy("Redeemed"),
        is_money=True,
        chart=gettext_lazy("Redeemed"),
    ),
    FigureColumn("reversed_count", gettext_lazy("Reversals")),
    FigureColumn(
        "reversed",
        gettext_lazy("Reversed"),
        is_money=True,
        chart=gettext_lazy("Reversed"),
    ),
    FigureColumn("net", gettext_lazy("Redeemed less reversed"), is_money=True),
    FigureColumn("lost_count", gettext_lazy("Lost sales")),
    FigureColumn(
        "lost",
        gettext_lazy("Amount of lost sales"),
        is_money=True,
        chart=gettext_lazy("Lost sales"),
    ),
)


@dataclass(frozen=True)
class Row:
    label: str
    cells: Sequence[str | int]


@dataclass(frozen=True)
class Section:
    """All there is of one currency: amounts of two are never added."""

    currency: str
    charts: Sequence[Chart]
    rows: Sequence[Row]
    total: Row


def line_name(line: Line, grouping: Grouping) -> str:
    """Return what a line stands for, as people say it."""
    if grouping is Grouping.DAY:
        return date_format(line.day, "SHORT_DATE_FORMAT")
    if grouping is Grouping.MONTH:
        return date_format(line.day, "YEAR_MONTH_FORMAT")
    return line.label or _("No site")


def sections(
    lines: Sequence[Line], columns: Sequence[FigureColumn], grouping: Grouping
) -> list[Section]:
    """Return the sections of a report, that of the shop's own currency first."""
    usual = get_conf().currency
    by_currency: dict[str, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line.currency != usual):
        by_currency.setdefault(line.currency, []).append(line)
    return [
        Section(
            currency=currency,
            charts=_charts(found, columns, grouping, currency),
            rows=[
                _row(line_name(line, grouping), line.figures, columns, currency)
                for line in found
            ],
            total=_row(_("Total"), reporting.total(found), columns, currency),
        )
        for currency, found in by_currency.items()
    ]


def _row(
    label: str, figures: Figures, columns: Sequence[FigureColumn], currency: str
) -> Row:
    return Row(
        label=label,
        cells=[column.text(figures, currency) for column in columns],
    )


def _charts(
    lines: Sequence[Line],
    columns: Sequence[FigureColumn],
    grouping: Grouping,
    currency: str,
) -> list[Chart]:
    drawn = lines
    if grouping is Grouping.DAY and len(lines) > MOST_DAY_BARS:
        grouping, drawn = Grouping.MONTH, _as_months(lines)
    return [
        _chart(column, drawn, grouping, currency)
        for column in columns
        if column.chart and any(getattr(one.figures, column.name) for one in drawn)
    ]


def _chart(
    column: FigureColumn, lines: Sequence[Line], grouping: Grouping, currency: str
) -> Chart:
    bars = [
        Bar(
            label=_short_name(line, grouping),
            value=getattr(line.figures, column.name),
            name=line_name(line, grouping),
        )
        for line in lines
    ]
    kind: type[Chart] = UprightChart
    if not grouping.is_of_time:
        kind = LyingChart
        bars = sorted(bars, key=lambda bar: -bar.value)[:MOST_BARS]
    return kind(
        bars,
        name=f"{column.name}-{currency.lower()}",
        heading=_("%(figure)s %(grouping)s, in %(currency)s")
        % {
            "figure": column.chart,
            "grouping": grouping.in_words,
            "currency": currency,
        },
        description=_describe(bars, total=len(lines), currency=currency),
        currency=currency,
    )


def _as_months(lines: Sequence[Line]) -> list[Line]:
    months: dict[date, Figures] = {}
    for line in lines:
        first = line.day.replace(day=1)
        months[first] = months.get(first, Figures()) + line.figures
    return [
        Line(key=first, label="", currency=lines[0].currency, figures=figures)
        for first, figures in months.items()
    ]


def _short_name(line: Line, grouping: Grouping) -> str:
    """Return what fits under a bar."""
    if grouping is Grouping.DAY:
        return short_day(line.day)
    if grouping is Grouping.MONTH:
        return short_month(line.day)
    return line_name(line, grouping)


def _describe(bars: Sequence[Bar], *, total: int, currency: str) -> str:
    """Say what a chart shows to those who do not see it."""
    highest = max(bars, key=lambda bar: bar.value)
    parts = [
        _("The highest bar is %(name)s with %(amount)s.")
        % {"name": highest.name, "amount": format_price(highest.value, currency)}
    ]
    if len(bars) < total:
        parts.append(
            ngettext(
                "Only the largest is drawn.",
                "Only the %(count)d largest are drawn.",
                len(bars),
            )
            % {"count": len(bars)}
        )
    parts.append(_("Amounts are rounded. The table below has all figures."))
    return " ".join(parts)
