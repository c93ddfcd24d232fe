"""What was sold, redeemed, reversed and lost: the definition of every figure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, Sum
from django.db.models.functions import TruncDay, TruncMonth
from django.utils import timezone
from wagtail.models import Site

from wagtail_smartgift.choices import (
    Operation,
    OrderStatus,
    Outcome,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.models import (
    RedemptionEvent,
    VoucherOrderEvent,
    VoucherProduct,
)
from wagtail_smartgift.money import PENNY
from wagtail_smartgift.references import OF_DESK
from wagtail_smartgift.reporting.terms import (
    ZERO,
    Figures,
    Grouping,
    Line,
    Period,
    Scope,
)


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
        scope.rows("order__"),
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
        scope.rows("redemption__session__"),
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
    customer has taken off since covers nothing, so it has no amount. What was held at the
    voucher desk without an order is nobody's sale.
    """
    later = RedemptionEvent.objects.filter(
        Q(operation=Operation.LAPSE)
        | Q(operation=Operation.HOLD, outcome=Outcome.SUCCEEDED),
        redemption=OuterRef("redemption"),
        id__gt=OuterRef("id"),
    )
    events = RedemptionEvent.objects.filter(
        ~Exists(later),
        ~Q(redemption__session__reference__regex=OF_DESK),
        _within(periods),
        scope.rows("redemption__session__"),
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
