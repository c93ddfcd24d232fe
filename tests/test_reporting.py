"""The figures of the reports: equal to Smart Gift's own ledger, and to the day.

Runs on SQLite and on PostgreSQL, which compute days, months and sums on their own.
"""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.utils import timezone as django_timezone
from wagtail.models import Site

from tests import report_rows as rows
from tests.services.test_sales import make_body
from wagtail_smartgift import payments, reporting, sales
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError, SaleError
from wagtail_smartgift.models import PaymentSession, VoucherOrder
from wagtail_smartgift.reporting import Figures, Grouping, Line, Period, Scope
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, reconciliation


pytestmark = [pytest.mark.django_db, pytest.mark.every_database]

YEAR = Period(first=date(2026, 1, 1), last=date(2026, 12, 31))


def figures(*periods, scope=None):
    """Add up everything, of one currency."""
    return reporting.total(
        reporting.lines(*(periods or [YEAR]), grouping=Grouping.MONTH, scope=scope)
    )


def by(grouping, *periods, **scope):
    """Return key -> figures."""
    found = reporting.lines(
        *(periods or [YEAR]), grouping=grouping, scope=Scope(**scope)
    )
    return {line.key: line.figures for line in found}


def utc(*parts):
    return datetime(*parts, tzinfo=timezone.utc)


# -- the report and Smart Gift's ledger -------------------------------------------


@pytest.fixture
def shop(sandbox, time_machine_now):
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    return sandbox


@pytest.fixture
def later(shop, time_machine_now):
    """Return a function that lets time pass here and at Smart Gift, then sweeps."""

    def pass_time(seconds):
        shop.clock.advance(seconds)
        time_machine_now.shift(seconds)
        reconciliation.reconcile()

    return pass_time


def pay(reference, *vouchers, due="80.00", confirm=True):
    payments.open_session(reference=reference, amount_due=due)
    for number in vouchers:
        payments.add_voucher(reference=reference, voucher_no=number)
    if confirm:
        payments.confirm(reference=reference)


def pounds(entries):
    return Decimal(sum(entry.pence for entry in entries)) / 100


def around_now():
    today = reporting.today()
    return Period(first=today - timedelta(days=2), last=today + timedelta(days=2))


def test_the_report_equals_the_ledger(shop, later):
    started = len(shop.ledger())
    for number in range(8):
        shop.add_voucher(f"TEST-{number}", balance="50.00")

    # Sold: one plainly, one whose answer is lost, one that is refused.
    sales.place_order(reference="sale-1", **make_body())
    shop.faults.add(Fault(operation="pos-sale", mode="lost_after"))
    sales.place_order(reference="sale-2", **make_body())
    shop.faults.add(Fault(operation="pos-sale", mode="refused", field="customer.email"))
    with pytest.raises(SaleError):
        sales.place_order(reference="sale-3", **make_body())
    # Redeemed, and nothing else.
    pay("plain", "TEST-0")
    # Refunded in part: £50 goes back, and £30 is redeemed again.
    pay("refunded", "TEST-1")
    payments.refund(reference="refunded", amount="20.00")
    # Cancelled after it was confirmed.
    pay("cancelled", "TEST-2")
    payments.cancel(reference="cancelled")
    # The second voucher is spent at a till, so the first is reversed again.
    with pytest.raises(PaymentError):
        pay("undone", "TEST-3", "GONE-0050-0001", due="100.00")
    # An answer is lost: applied, and not applied but redeemed anew.
    shop.faults.add(Fault(operation="redeem", mode="lost_after"))
    pay("lost-after", "TEST-4", due="10.00")
    shop.faults.add(Fault(operation="redeem", mode="lost_before"))
    pay("lost-before", "TEST-5", due="10.00")
    # One customer leaves while paying; another comes back in time.
    pay("left", "TEST-6", confirm=False)
    pay("came-back", "TEST-7", confirm=False)
    for seconds in (40, 100, 180):
        later(seconds)
    payments.confirm(reference="came-back")

    assert VoucherOrder.objects.get(reference="sale-2").status == "placed"
    for reference in ("lost-after", "lost-before", "came-back"):
        assert payments.get_session(reference=reference).status == "confirmed"
    found = figures(around_now())
    ledger = shop.ledger(after=started)
    redeemed, reversed_ = (
        pounds(entry for entry in ledger if entry.event == event and entry.by == "api")
        for event in ("redeem", "reverse")
    )
    again = Decimal("30.00")
    assert found == Figures(
        sold_count=2,
        sold=Decimal(sum(sale.total for sale in shop.sales())) / 100,
        redeemed_count=7,
        redeemed=redeemed - again,
        reversed_count=3,
        reversed=reversed_ - again,
        # Of the one who left, and of the payment that was undone and left.
        lost_count=2,
        lost=Decimal("51.00"),
    )
    assert found.net == sum(
        (
            Decimal(one.pence) / 100
            for one in shop.redemptions()
            if one.reversed_at is None and one.by == "api"
        ),
        Decimal(0),
    )
    assert (found.redeemed, found.reversed) == (Decimal("270.00"), Decimal("120.00"))


# -- each figure ------------------------------------------------------------------


def test_an_order_is_sold_once_when_it_is_first_known():
    order = rows.order("25.00", "10.00", at=utc(2026, 3, 1, 12))
    # Its answer came after a look had found it.
    rows.placed(order, at=utc(2026, 4, 1, 12))

    assert by(Grouping.MONTH) == {
        date(2026, 3, 1): Figures(sold_count=2, sold=Decimal("35.00"))
    }
    assert by(Grouping.MONTH, Period(date(2026, 4, 1), date(2026, 4, 30))) == {}


@pytest.mark.parametrize("status", ["queued", "placing", "refused", "needs_attention"])
def test_what_is_not_placed_is_not_sold(status):
    rows.order("25.00", status=status, sent_at=rows.NOON)

    assert by(Grouping.MONTH) == {}


def test_an_order_that_was_sold_counts_while_a_person_looks_at_it():
    order = rows.order("25.00")
    VoucherOrder.objects.filter(pk=order.pk).update(status="needs_attention")
    assert figures().sold == Decimal("25.00")

    VoucherOrder.objects.filter(pk=order.pk).update(status="refused")
    assert figures().sold == 0


def test_only_what_is_known_to_be_applied_is_redeemed():
    row = rows.redemption(amount="10.00", status="redeeming")
    for outcome in ("requested", "unknown", "failed"):
        rows.event(row, "redeem", outcome, amount="10.00")
    assert figures() == Figures()

    rows.event(row, "redeem", amount="10.00", status="redeemed")
    assert figures() == Figures(redeemed_count=1, redeemed=Decimal("10.00"))


def test_a_persons_word_counts_like_an_answer():
    row = rows.redemption(amount="10.00", status="needs_attention")
    rows.event(row, "redeem", "unknown", amount="10.00")
    rows.event(row, "settle", "unknown")
    rows.event(row, "settle", amount="10.00", status="redeemed")
    assert figures() == Figures(redeemed_count=1, redeemed=Decimal("10.00"))

    rows.event(row, "settle", amount="-10.00", status="reversed")
    assert figures() == Figures(
        redeemed_count=1,
        redeemed=Decimal("10.00"),
        reversed_count=1,
        reversed=Decimal("10.00"),
    )


def test_what_a_refund_redeems_again_makes_the_refund_less():
    whole = rows.redeemed("50.00", status="reversed", at=utc(2026, 3, 1, 12))
    rows.event(whole, "reverse", amount="50.00", at=utc(2026, 3, 31, 12))
    rows.redeemed("30.00", of=whole.session, replaces=whole, at=utc(2026, 4, 1, 12))

    assert by(Grouping.MONTH) == {
        date(2026, 3, 1): Figures(
            redeemed_count=1,
            redeemed=Decimal("50.00"),
            reversed_count=1,
            reversed=Decimal("50.00"),
        ),
        date(2026, 4, 1): Figures(reversed=Decimal("-30.00")),
    }
    assert figures().reversed == Decimal("20.00")
    assert figures().net == Decimal("30.00")


@pytest.mark.parametrize(
    ("payment", "status", "is_lost"),
    [
        ("open", "lapsed", True),
        ("cancelled", "released", True),
        ("cancelled", "lapsed", True),
        ("confirming", "lapsed", False),
        ("confirmed", "released", False),
        ("needs_attention", "lapsed", False),
        ("open", "refused", False),
        ("open", "held", False),
    ],
)
def test_which_lapsed_holds_are_lost_sales(payment, status, is_lost):
    rows.lapsed("15.00", payment=payment, status=status)

    lost = Figures(lost_count=1, lost=Decimal("15.00"))
    assert figures() == (lost if is_lost else Figures())


def test_a_hold_that_was_taken_again_is_not_lost_until_it_lapses_again():
    row = rows.lapsed("15.00", at=utc(2026, 3, 1, 12))
    rows.event(row, "hold", status="held", at=utc(2026, 3, 1, 13))
    assert figures() == Figures()

    rows.event(row, "lapse", status="lapsed", at=utc(2026, 4, 1, 12))
    assert by(Grouping.MONTH) == {
        date(2026, 4, 1): Figures(lost_count=1, lost=Decimal("15.00"))
    }


@pytest.mark.parametrize(
    ("reference", "is_lost"),
    [("desk-6f1f3f5e-6c4a-4c57-9d6e-0a4a2f0f6f0b", False), ("desk-1001", True)],
)
def test_what_the_desk_held_without_an_order_is_no_lost_sale(reference, is_lost):
    """A shop may have a desk of its own, whose orders are sales."""
    row = rows.lapsed("15.00")
    PaymentSession.objects.filter(pk=row.session_id).update(reference=reference)

    assert figures().lost_count == is_lost


def test_a_voucher_that_was_taken_off_or_never_was_held_is_not_lost():
    rows.lapsed("0.00", status="released", payment="cancelled")
    never = rows.redemption(rows.session("open"), status="refused")
    rows.event(never, "lapse", status="refused")

    assert figures() == Figures()


# -- days and months ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "day"),
    [
        # Summer time: London is an hour ahead.
        (utc(2026, 6, 30, 22, 59, 59), date(2026, 6, 30)),
        (utc(2026, 6, 30, 23, 0, 0), date(2026, 7, 1)),
        (utc(2026, 1, 31, 23, 59, 59), date(2026, 1, 31)),
        (utc(2026, 2, 1, 0, 0, 0), date(2026, 2, 1)),
        # A day of 25 hours, and one of 23.
        (utc(2026, 10, 24, 23, 0, 0), date(2026, 10, 25)),
        (utc(2026, 10, 25, 23, 59, 59), date(2026, 10, 25)),
        (utc(2026, 3, 29, 0, 0, 0), date(2026, 3, 29)),
        (utc(2026, 3, 29, 22, 59, 59), date(2026, 3, 29)),
        (utc(2026, 3, 29, 23, 0, 0), date(2026, 3, 30)),
    ],
)
def test_a_day_is_one_of_the_sites_time_zone(at, day):
    rows.redeemed("10.00", at=at)
    rows.order("5.00", at=at)
    rows.lapsed("1.00", at=at)

    # Whatever zone the reader has chosen for the admin.
    with django_timezone.override("Asia/Tokyo"):
        of_days = by(Grouping.DAY)
        assert list(of_days) == [day]
        assert list(by(Grouping.MONTH)) == [day.replace(day=1)]
        assert by(Grouping.DAY, Period(day, day)) == of_days
        for other in (day - timedelta(days=1), day + timedelta(days=1)):
            assert by(Grouping.DAY, Period(other, other)) == {}
    found = of_days[day]
    assert (found.redeemed, found.sold, found.lost) == (10, 5, 1)


def test_every_day_and_month_has_a_line():
    rows.redeemed("10.00", at=utc(2026, 3, 2, 12))
    period = Period(date(2026, 2, 27), date(2026, 3, 3))
    found = reporting.lines(period, grouping=Grouping.DAY)

    days = reporting.fill(found, period, grouping=Grouping.DAY, currency="GBP")
    assert [(line.key.day, int(line.figures.redeemed)) for line in days] == [
        (27, 0), (28, 0), (1, 0), (2, 10), (3, 0),
    ]  # fmt: skip
    year = Period(date(2025, 12, 31), date(2026, 2, 1))
    months = reporting.fill((), year, grouping=Grouping.MONTH, currency="GBP")
    assert [line.key for line in months] == [
        date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2026, 11, 25), date(2026, 10, 1), date(2026, 10, 25)),
        (date(2026, 3, 31), date(2026, 2, 1), date(2026, 2, 28)),
        (date(2026, 1, 1), date(2025, 12, 1), date(2025, 12, 1)),
    ],
)
def test_the_month_before_up_to_the_same_day(day, first, last):
    assert reporting.last_month_so_far(day) == Period(first, last)


def test_the_month_so_far():
    for at, amount in (
        (utc(2026, 7, 15, 12), "40.00"),
        (utc(2026, 6, 15, 22), "30.00"),
        # Later in the month before, and later in this one.
        (utc(2026, 6, 15, 23), "7.00"),
        (utc(2026, 7, 16, 12), "5.00"),
    ):
        rows.redeemed(amount, at=at)

    [month] = reporting.month_so_far(date(2026, 7, 15), currency="GBP")
    assert (month.this.redeemed, month.last.redeemed) == (40, 30)


# -- what it is confined to, and grouped by -------------------------------------------


def test_currencies_are_never_added():
    rows.redeemed("10.00", of=rows.session(currency="EUR"))
    rows.redeemed("20.00")
    rows.order("5.00", currency="EUR")

    found = reporting.lines(YEAR, grouping=Grouping.MONTH)
    assert found == (
        Line(
            key=date(2026, 7, 1),
            label="",
            currency="EUR",
            figures=Figures(
                sold_count=1,
                sold=Decimal("5.00"),
                redeemed_count=1,
                redeemed=Decimal("10.00"),
            ),
        ),
        Line(
            key=date(2026, 7, 1),
            label="",
            currency="GBP",
            figures=Figures(redeemed_count=1, redeemed=Decimal("20.00")),
        ),
    )
    assert figures(scope=Scope(currency="GBP")).redeemed == Decimal("20.00")
    assert reporting.currencies() == ["EUR", "GBP"]
    months = reporting.month_so_far(date(2026, 7, 31), currency="GBP")
    assert [one.currency for one in months] == ["GBP", "EUR"]


def test_an_order_keeps_the_currency_that_it_was_sold_in(shop, configure):
    sales.place_order(reference="sale-1", **make_body())
    configure(CURRENCY="EUR")

    assert VoucherOrder.objects.get().currency == "GBP"
    assert reporting.currencies() == ["GBP"]


def test_by_site_and_account():
    site = Site.objects.get()
    rows.redeemed("10.00", of=rows.session(site=site))
    rows.order("5.00", site=site)
    rows.redeemed("20.00", of=rows.session(account="quay"))

    found = reporting.lines(YEAR, grouping=Grouping.SITE)
    assert [(line.key, line.label) for line in found] == [
        (site.pk, str(site)),
        (None, ""),
    ]
    assert found[0].figures.redeemed == 10
    assert found[0].figures.sold == 5
    accounts = by(Grouping.ACCOUNT)
    assert {key: one.redeemed for key, one in accounts.items()} == {
        "default": 10,
        "quay": 20,
    }
    assert figures(scope=Scope(site_id=site.pk)).redeemed == 10
    assert figures(scope=Scope(account="quay")) == accounts["quay"]


def test_by_product_there_are_sales_alone():
    tea, bread = rows.product(39), rows.product(42)
    rows.order("10.00", of=tea)
    order = rows.order("25.00", of=bread)
    rows.VoucherOrderItem.objects.create(
        order=order, position=7, product=tea, price=Decimal("11.00")
    )
    rows.redeemed("20.00")

    found = reporting.lines(YEAR, grouping=Grouping.PRODUCT)
    assert [
        (line.label, line.figures.sold_count, line.figures.sold) for line in found
    ] == [
        ("Voucher 39", 2, Decimal("21.00")),
        ("Voucher 42", 1, Decimal("25.00")),
    ]
    # Of an order only what is of that product counts.
    assert figures(scope=Scope(product_id=tea.pk)) == Figures(
        sold_count=2, sold=Decimal("21.00")
    )
    assert list(reporting.sold_products()) == [tea, bread]


def test_pennies_add_up():
    for _number in range(30):
        rows.redeemed("0.10")
        rows.order("0.01")

    found = figures()
    assert str(found.redeemed) == "3.00"
    assert str(found.sold) == "0.30"


# -- what waits -------------------------------------------------------------------------


def test_the_queue():
    long_ago, lately = utc(2026, 1, 1), utc(2026, 6, 1)
    rows.order("5.00", status="queued", at=lately)
    rows.order("5.00", status="queued", at=long_ago)
    rows.session("confirming", confirm_began_at=lately, updated_at=long_ago)
    rows.session("refunding", updated_at=long_ago, currency="EUR")
    rows.session("needs_attention", updated_at=lately)
    rows.session("open")

    def waiting(**scope):
        return {
            (one.model.__name__, one.status.value): (one.count, one.since)
            for one in reporting.queue(Scope(**scope))
            if one.count
        }

    assert len(reporting.queue()) == 7
    assert waiting() == {
        ("VoucherOrder", "queued"): (2, long_ago),
        ("PaymentSession", "confirming"): (1, lately),
        ("PaymentSession", "refunding"): (1, long_ago),
        ("PaymentSession", "needs_attention"): (1, lately),
    }
    assert list(waiting(currency="EUR")) == [("PaymentSession", "refunding")]
    assert list(waiting(product_id=rows.product().pk)) == [("VoucherOrder", "queued")]
    assert waiting(account="quay") == {}
    assert [one.status for one in reporting.queue() if one.needs_a_person] == [
        "needs_attention",
        "needs_attention",
    ]


# -- what it costs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grouping", "cost"),
    [
        (Grouping.DAY, 3),
        (Grouping.MONTH, 3),
        (Grouping.ACCOUNT, 3),
        (Grouping.SITE, 4),
        (Grouping.PRODUCT, 2),
    ],
)
def test_the_number_of_queries_does_not_grow(grouping, cost, django_assert_num_queries):
    for number in range(12):
        at = utc(2026, 1 + number, 3, 12)
        rows.redeemed(at=at, of=rows.session(site=Site.objects.get()))
        rows.lapsed(at=at)
        rows.order("5.00", at=at, of=rows.product(30 + number))
    with django_assert_num_queries(cost):
        found = reporting.lines(YEAR, grouping=grouping)
    assert reporting.total(found).sold == 60
    with django_assert_num_queries(2):
        reporting.queue()
