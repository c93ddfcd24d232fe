"""What was sold, redeemed, reversed and lost, and what waits now: reads only.

Owns the definition of every figure in the reports (``docs/reference/reports.md`` has
them in words). They are added up by the database from the journals, which nobody can
change afterwards, in a number of queries that does not depend on how much there is.
Days and months are those of ``TIME_ZONE``, whatever time zone the reader has chosen, so
that two people see the same figures. Money of different currencies is never added.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import (
    Case,
    Count,
    DateTimeField,
    Exists,
    F,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Sum,
    TextChoices,
    When,
)
from django.db.models.functions import TruncDay, TruncMonth
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from wagtail.models import Site

from wagtail_smartgift.choices import (
    Operation,
    OrderStatus,
    Outcome,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.models import (
    PaymentSession,
    RedemptionEvent,
    VoucherOrder,
    VoucherOrderEvent,
    VoucherOrderItem,
    VoucherProduct,
)
from wagtail_smartgift.money import PENNY


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


@dataclass(frozen=True)
class Waiting:
    """How much of one kind waits now, and since when the oldest does."""

    model: type[PaymentSession] | type[VoucherOrder]
    status: OrderStatus | SessionStatus
    count: int
    since: datetime | None

    @property
    def needs_a_person(self) -> bool:
        return self.status in {
            OrderStatus.NEEDS_ATTENTION,
            SessionStatus.NEEDS_ATTENTION,
        }


def today() -> date:
    """Return the day that it is in ``TIME_ZONE``."""
    return timezone.localdate(timezone=timezone.get_default_timezone())


def total(lines: Iterable[Line]) -> Figures:
    """Add up lines of one currency."""
    return sum((line.figures for line in lines), Figures())


# -- figures --------------------------------------------------------------------


def lines(
    *periods: Period, grouping: Grouping, scope: Scope | None = None
) -> tuple[Line, ...]:
    """Return what came to pass in the periods, a line for each that there is any of.

    By currency, then by time or name. Four queries: three for the figures, one for the
    names.
    """
    scope = scope or Scope()
    found: dict[tuple[Any, str], Figures] = {}
    wanted = [_sold]
    if grouping is not Grouping.PRODUCT and scope.product_id is None:
        wanted += [_moved, _lost]
    for read in wanted:
        for key, currency, figures in read(periods, grouping, scope):
            if isinstance(key, datetime):
                key = key.date()
            old = found.get((key, currency), Figures())
            found[key, currency] = old + figures
    names = _names(grouping, [key for key, _currency in found])
    made = (
        Line(key=key, label=names.get(key, ""), currency=currency, figures=figures)
        for (key, currency), figures in found.items()
        if figures != Figures()
    )
    return tuple(sorted(made, key=_place))


def fill(
    given: Sequence[Line], period: Period, *, grouping: Grouping, currency: str
) -> list[Line]:
    """Return a line for each day or month of the period, also where nothing was."""
    known = {line.key: line for line in given if line.currency == currency}
    nothing = Line(key=None, label="", currency=currency, figures=Figures())
    return [
        known.get(day) or replace(nothing, key=day) for day in _steps(period, grouping)
    ]


def _steps(period: Period, grouping: Grouping) -> Iterable[date]:
    if grouping is Grouping.DAY:
        return (period.first + timedelta(days=number) for number in range(period.days))
    first, last = (day.year * 12 + day.month - 1 for day in (period.first, period.last))
    return (date(number // 12, number % 12 + 1, 1) for number in range(first, last + 1))


def _sold(
    periods: Sequence[Period], grouping: Grouping, scope: Scope
) -> Iterable[tuple[Any, str, Figures]]:
    """Orders by the first event that says that they are placed.

    A look and an answer may both say so. An order that somebody has since found not to
    be sold is refused, and counts no more.
    """
    earlier = VoucherOrderEvent.objects.filter(
        order=OuterRef("order"), status=OrderStatus.PLACED, id__lt=OuterRef("id")
    )
    events = VoucherOrderEvent.objects.filter(
        ~Exists(earlier),
        _within(periods),
        _confined(scope, "order__"),
        status=OrderStatus.PLACED,
    ).exclude(order__status=OrderStatus.REFUSED)
    if scope.product_id is not None:
        events = events.filter(order__items__product=scope.product_id)
    for row in _grouped(events, grouping, "order__").annotate(
        count=Count("order__items"), amount=Sum("order__items__price")
    ):
        yield (
            row["key"],
            row["currency"],
            Figures(sold_count=row["count"], sold=_exact(row["amount"])),
        )


def _moved(
    periods: Sequence[Period], grouping: Grouping, scope: Scope
) -> Iterable[tuple[Any, str, Figures]]:
    """Money that left vouchers and came back, by the events that say that it did.

    A person's word counts like an answer. What a partial refund redeems again is no
    new payment: it makes what was reversed less.
    """
    rest = Q(redemption__replaces__isnull=False)
    taken = Q(operation=Operation.REDEEM) | Q(operation=Operation.SETTLE, amount__gt=0)
    back = Q(operation=Operation.REVERSE)
    back_by_word = Q(operation=Operation.SETTLE, amount__lt=0)
    events = RedemptionEvent.objects.filter(
        taken | back | back_by_word,
        _within(periods),
        _confined(scope, "redemption__session__"),
        outcome=Outcome.SUCCEEDED,
    )
    for row in _grouped(events, grouping, "redemption__session__").annotate(
        redeemed_count=Count("id", filter=taken & ~rest),
        redeemed=Sum("amount", filter=taken & ~rest),
        again=Sum("amount", filter=taken & rest),
        reversed_count=Count("id", filter=back | back_by_word),
        back=Sum("amount", filter=back),
        back_by_word=Sum("amount", filter=back_by_word),
    ):
        yield (
            row["key"],
            row["currency"],
            Figures(
                redeemed_count=row["redeemed_count"],
                redeemed=_exact(row["redeemed"]),
                reversed_count=row["reversed_count"],
                reversed=_exact(row["back"])
                - _exact(row["back_by_word"])
                - _exact(row["again"]),
            ),
        )


def _lost(
    periods: Sequence[Period], grouping: Grouping, scope: Scope
) -> Iterable[tuple[Any, str, Figures]]:
    """Holds that ran out while their customer was paying, and were not taken again.

    Those of payments that came to nothing: still open, or cancelled. A voucher that the
    customer has taken off since covers nothing, so it has no amount.
    """
    later = RedemptionEvent.objects.filter(
        Q(operation=Operation.LAPSE)
        | Q(operation=Operation.HOLD, outcome=Outcome.SUCCEEDED),
        redemption=OuterRef("redemption"),
        id__gt=OuterRef("id"),
    )
    events = RedemptionEvent.objects.filter(
        ~Exists(later),
        _within(periods),
        _confined(scope, "redemption__session__"),
        operation=Operation.LAPSE,
        status=RedemptionStatus.LAPSED,
        redemption__status__in=(RedemptionStatus.LAPSED, RedemptionStatus.RELEASED),
        redemption__amount__gt=0,
        redemption__session__status__in=(SessionStatus.OPEN, SessionStatus.CANCELLED),
    )
    for row in _grouped(events, grouping, "redemption__session__").annotate(
        count=Count("id"), amount=Sum("redemption__amount")
    ):
        yield (
            row["key"],
            row["currency"],
            Figures(lost_count=row["count"], lost=_exact(row["amount"])),
        )


def _grouped(events: Any, grouping: Grouping, path: str) -> Any:
    zone = timezone.get_default_timezone()
    keys: Mapping[Grouping, Any] = {
        Grouping.DAY: TruncDay("created_at", tzinfo=zone),
        Grouping.MONTH: TruncMonth("created_at", tzinfo=zone),
        Grouping.SITE: F(f"{path}site"),
        Grouping.ACCOUNT: F(f"{path}account"),
        Grouping.PRODUCT: F(f"{path}items__product"),
    }
    return (
        events.order_by()
        .annotate(key=keys[grouping], currency=F(f"{path}currency"))
        .values("key", "currency")
    )


def _within(periods: Sequence[Period]) -> Q:
    within = Q(pk__in=[])
    for period in periods:
        within |= Q(created_at__gte=period.begins, created_at__lt=period.ends)
    return within


def _confined(scope: Scope, path: str = "") -> Q:
    wanted = {
        "site": scope.site_id,
        "account": scope.account,
        "currency": scope.currency,
    }
    return Q(**{f"{path}{name}": value for name, value in wanted.items() if value})


def _names(grouping: Grouping, keys: Iterable[Any]) -> dict[Any, str]:
    if grouping is Grouping.ACCOUNT:
        return {key: str(key) for key in keys}
    wanted = {key for key in keys if key is not None}
    if grouping is Grouping.SITE:
        return {site.pk: str(site) for site in Site.objects.filter(pk__in=wanted)}
    if grouping is Grouping.PRODUCT:
        return dict(
            VoucherProduct.objects.filter(pk__in=wanted).values_list("pk", "title")
        )
    return {}


def _place(line: Line) -> tuple[Any, ...]:
    # What has no name comes last.
    key = line.key
    if isinstance(key, date):
        return line.currency, key.toordinal()
    return line.currency, not line.label, line.label.casefold(), key or 0


def _exact(amount: Decimal | None) -> Decimal:
    # SQLite adds up in binary fractions: whole pennies come back a hair off.
    return ZERO if amount is None else Decimal(amount).quantize(PENNY)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_default_timezone())


# -- what waits -----------------------------------------------------------------

_ORDERS = (OrderStatus.QUEUED, OrderStatus.PLACING, OrderStatus.NEEDS_ATTENTION)
_PAYMENTS = (
    SessionStatus.CONFIRMING,
    SessionStatus.CANCELLING,
    SessionStatus.REFUNDING,
    SessionStatus.NEEDS_ATTENTION,
)


def queue(scope: Scope | None = None) -> tuple[Waiting, ...]:
    """Return what waits now, also the kinds of which nothing does (two queries).

    An order waits since it was taken, a confirmation since it began; what is being
    cancelled or refunded, or needs a person, since it was last moved on.
    """
    scope = scope or Scope()
    orders = VoucherOrder.objects.filter(_confined(scope))
    payments = PaymentSession.objects.filter(_confined(scope))
    if scope.product_id is not None:
        items = VoucherOrderItem.objects.filter(
            order=OuterRef("pk"), product=scope.product_id
        )
        orders, payments = orders.filter(Exists(items)), payments.none()
    begun: Any = Case(
        When(status=SessionStatus.CONFIRMING, then=F("confirm_began_at")),
        default=F("updated_at"),
        output_field=DateTimeField(),
    )
    taken: Any = Case(
        When(status=OrderStatus.NEEDS_ATTENTION, then=F("updated_at")),
        default=F("created_at"),
        output_field=DateTimeField(),
    )
    return (
        *_waiting(VoucherOrder, orders, _ORDERS, taken),
        *_waiting(PaymentSession, payments, _PAYMENTS, begun),
    )


def _waiting(
    model: Any, rows: "QuerySet[Any]", statuses: Sequence[Any], since: Any
) -> Iterable[Waiting]:
    found = {
        row["status"]: row
        for row in rows.filter(status__in=statuses)
        .order_by()
        .values("status")
        .annotate(count=Count("pk"), oldest=Min(since))
    }
    for status in statuses:
        row = found.get(status)
        yield Waiting(
            model=model,
            status=status,
            count=row["count"] if row else 0,
            since=row["oldest"] if row else None,
        )


# -- what there is to choose from -------------------------------------------------


def currencies() -> list[str]:
    """Return every currency that there is a payment or an order in."""
    found: set[str] = set()
    for model in (PaymentSession, VoucherOrder):
        found.update(
            model.objects.order_by().values_list("currency", flat=True).distinct()
        )
    return sorted(found)


def sold_products() -> "QuerySet[VoucherProduct]":
    """Return the products that somebody has ordered, by title."""
    items = VoucherOrderItem.objects.filter(product=OuterRef("pk"))
    return VoucherProduct.objects.filter(Exists(items)).order_by("title", "pk")


# -- this month -------------------------------------------------------------------


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
