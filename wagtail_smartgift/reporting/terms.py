"""What a report is about, and what it says: periods, figures, lines."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Q, TextChoices
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy


ZERO = Decimal("0.00")


class Grouping(TextChoices):
    """What a line of a report stands for."""

    DAY = "day", pgettext_lazy("report by", "Day")
    MONTH = "month", pgettext_lazy("report by", "Month")
    SITE = "site", pgettext_lazy("report by", "Site")
    ACCOUNT = "account", pgettext_lazy("report by", "Account")
    PRODUCT = "product", pgettext_lazy("report by", "Product")

    @property
    def is_of_time(self) -> bool:
        return self in {Grouping.DAY, Grouping.MONTH}

    @property
    def in_words(self) -> str | Promise:
        """Say it within a heading: “Sold by day”."""
        return _IN_WORDS[self]


_IN_WORDS: Mapping[Grouping, str | Promise] = {
    Grouping.DAY: pgettext_lazy("report", "by day"),
    Grouping.MONTH: pgettext_lazy("report", "by month"),
    Grouping.SITE: pgettext_lazy("report", "by site"),
    Grouping.ACCOUNT: pgettext_lazy("report", "by account"),
    Grouping.PRODUCT: pgettext_lazy("report", "by product"),
}


@dataclass(frozen=True)
class Period:
    """From the beginning of one day to the end of another, in ``TIME_ZONE``."""

    first: date
    last: date

    @property
    def begins(self) -> datetime:
        return _midnight(self.first)

    @property
    def ends(self) -> datetime:
        """The moment after it: a day may have 23 or 25 hours."""
        return _midnight(self.last + timedelta(days=1))

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True)
class Scope:
    """What a report is confined to; nothing of it: all there is."""

    site_id: int | None = None
    account: str = ""
    #: Of what was sold alone: of a voucher that is redeemed nobody says which it was.
    product_id: int | None = None
    currency: str = ""

    def rows(self, path: str = "") -> Q:
        """Select payments or orders, whatever product; ``path`` is the way to them."""
        wanted = {
            "site": self.site_id,
            "account": self.account,
            "currency": self.currency,
        }
        return Q(**{f"{path}{name}": value for name, value in wanted.items() if value})


@dataclass(frozen=True)
class Figures:
    """What came to pass; amounts of one currency."""

    sold_count: int = 0
    sold: Decimal = ZERO
    redeemed_count: int = 0
    redeemed: Decimal = ZERO
    reversed_count: int = 0
    reversed: Decimal = ZERO
    lost_count: int = 0
    lost: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """What is redeemed still: what vouchers really paid."""
        return self.redeemed - self.reversed

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in fields(self)
            }
        )


@dataclass(frozen=True)
class Line:
    """The figures of one day, month, site, account or product, in one currency."""

    #: A date (of a month its first), a primary key, an alias; None: of no site.
    key: date | int | str | None
    #: What people call it; empty for dates and for what has no name.
    label: str
    currency: str
    figures: Figures

    @property
    def day(self) -> date:
        """The day of a line by day, the first one of a line by month."""
        if not isinstance(self.key, date):
            raise TypeError("This line is not of a day or a month.")
        return self.key


def today() -> date:
    """Return the day that it is in ``TIME_ZONE``."""
    return timezone.localdate(timezone=timezone.get_default_timezone())


def total(lines: Iterable[Line]) -> Figures:
    """Add up lines of one currency."""
    return sum((line.figures for line in lines), Figures())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())
