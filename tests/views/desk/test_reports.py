"""Reports, quota and health, and the panel on the home page, as staff see them."""

import csv
import io
import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook
from wagtail.models import Site

from tests import report_rows as rows
from wagtail_smartgift import budget, payments, reporting
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import CallBudget, CatalogueSync, Heartbeat
from wagtail_smartgift.reporting import Grouping, Period, Scope
from wagtail_smartgift.services import catalogue, reconciliation
from wagtail_smartgift.views.desk.report_filters import Wanted
from wagtail_smartgift.views.desk.standing import months, standings


pytestmark = pytest.mark.django_db

HOME = reverse("wagtailadmin_home")
OVERVIEW, FIGURES, RESULTS, HEALTH = (
    reverse(f"smartgift_reports:{name}")
    for name in ("index", "figures", "figures_results", "health")
)
TODAY = date(2026, 7, 20)


@pytest.fixture
def today(time_machine):
    """Noon of a Monday in July, in London."""
    time_machine.move_to(rows.NOON + timedelta(days=5))
    return TODAY


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


def said(answer):
    """Return the words of a page, without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text(answer)))


def table(answer):
    """Return the cells of each section's table."""
    return [
        [[row.label, *row.cells] for row in [*section.rows, section.total]]
        for section in answer.context["sections"]
    ]


# -- who may see what -------------------------------------------------------------


@pytest.mark.parametrize(
    ("codename", "seen"),
    [
        ("report_paymentsession", {OVERVIEW, FIGURES, RESULTS, HEALTH}),
        ("view_paymentsession", {HEALTH}),
        ("view_voucherorder", set()),
        ("settle_paymentsession", set()),
    ],
)
def test_who_may_see_what(staff, codename, seen):
    client = staff(codename)

    for url in (OVERVIEW, FIGURES, RESULTS, HEALTH):
        answer = client.get(url)
        assert (answer.status_code == 200) is (url in seen), url
        export = client.get(url, {"export": "csv"})
        assert (export.status_code == 200) is (url in seen), url
    home = text(client.get(HOME))
    assert (f'"{OVERVIEW}"' in home) is bool(seen)
    assert ('id="smartgift-section"' in home) is bool(seen)
    assert (f'href="{OVERVIEW}"' in home) is (OVERVIEW in seen)


def test_who_may_see_payments_alone_is_led_to_the_health(staff):
    answer = staff("view_paymentsession").get(OVERVIEW)

    assert (answer.status_code, answer.url) == (302, HEALTH)


def test_a_stranger_is_sent_to_log_in(client):
    for url in (OVERVIEW, FIGURES, RESULTS, HEALTH):
        answer = client.get(url)
        assert answer.status_code == 302
        assert "/login/" in answer.url


# -- figures ----------------------------------------------------------------------


def test_this_month_by_day(staff, today):
    rows.redeemed("1234.50")
    rows.order("25.00", "10.00")
    rows.lapsed("7.00")
    rows.redeemed("99.00", at=rows.NOON - timedelta(days=30))
    client = staff("report_paymentsession")

    answer = client.get(FIGURES)

    assert "1 Jul 2026 to 20 Jul 2026" in said(answer)
    [lines] = table(answer)
    assert len(lines) == 21
    full = [2, "£35.00", 1, "£1,234.50", 0, "£0.00", "£1,234.50", 1, "£7.00"]
    assert lines[14] == ["15/07/2026", *full]
    assert lines[-1] == ["Total", *full]
    assert lines[0][1:] == [0, "£0.00"] * 3 + ["£0.00", 0, "£0.00"]


def test_last_month_by_a_link(staff, today):
    rows.redeemed("99.00", at=rows.NOON - timedelta(days=30))
    client = staff("report_paymentsession")

    looks = client.get(FIGURES, {"by": "month"}).context["periods"]
    [link] = [way.url for way in looks if way.label == "Last month"]
    answer = client.get(link)

    assert link == f"{FIGURES}?by=month&period=last_month"
    assert [row[0] for row in table(answer)[0]] == ["June 2026", "Total"]
    assert "£99.00" in text(answer)
    here = [way.label for way in answer.context["periods"] if way.is_here]
    assert here == ["Last month"]
    assert [way.label for way in answer.context["groupings"] if way.is_here] == [
        "Month"
    ]


def test_dates_by_hand(staff, today):
    rows.redeemed("99.00", at=rows.NOON - timedelta(days=30))
    query = {"date_from": "2026-06-10", "date_to": "2026-06-16", "period": "last_year"}

    answer = staff("report_paymentsession").get(RESULTS, query)

    assert [row[0] for row in table(answer)[0]][0] == "10/06/2026"
    assert len(table(answer)[0]) == 8
    assert "£99.00" in text(answer)
    assert not any(way.is_here for way in answer.context["periods"])
    # Another period is not confined to these dates.
    assert all("date_" not in way.url for way in answer.context["periods"])


@pytest.mark.parametrize(
    ("first", "last", "period"),
    [
        ("2026-07-10", "2026-07-12", (date(2026, 7, 10), date(2026, 7, 12))),
        ("2026-07-12", "2026-07-10", (date(2026, 7, 10), date(2026, 7, 12))),
        ("2026-07-10", "", (date(2026, 7, 10), TODAY)),
        ("", "2026-07-10", (date(2026, 7, 1), date(2026, 7, 10))),
        ("2026-07-10", "9999-12-31", (date(2026, 7, 10), TODAY)),
        ("2027-01-01", "2027-01-31", (TODAY, TODAY)),
        ("1066-10-14", "1066-10-15", (date(1996, 1, 1), date(1996, 1, 1))),
        # Not a date: what was not understood is not there.
        ("soon", "", (date(2026, 7, 1), TODAY)),
    ],
)
def test_dates_that_make_little_sense(staff, today, first, last, period):
    answer = staff("report_paymentsession").get(
        FIGURES, {"date_from": first, "date_to": last}
    )

    found = answer.context["wanted"].period
    assert (found.first, found.last) == period


def test_more_than_a_year_is_by_month(staff, today):
    answer = staff("report_paymentsession").get(FIGURES, {"date_from": "2024-01-01"})

    assert "More than a year is shown by month." in said(answer)
    assert table(answer)[0][0][0] == "January 2024"
    assert len(table(answer)[0]) == 31 + 1


@pytest.mark.parametrize(
    ("name", "period"),
    [
        ("", Period(date(2026, 3, 1), date(2026, 3, 31))),
        ("last_month", Period(date(2026, 2, 1), date(2026, 2, 28))),
        ("last_30_days", Period(date(2026, 3, 2), date(2026, 3, 31))),
        ("this_year", Period(date(2026, 1, 1), date(2026, 3, 31))),
        ("last_year", Period(date(2025, 1, 1), date(2025, 12, 31))),
    ],
)
def test_periods_with_a_name(name, period):
    wanted = Wanted.read({"period": name}, today=date(2026, 3, 31))

    assert wanted.period == period
    assert (wanted.grouping, wanted.scope) == (Grouping.DAY, Scope())


def test_it_is_filtered(staff, today, configure):
    accounts = get_conf().accounts["default"]
    configure(
        ACCOUNTS={
            name: {"API_KEY": name, "BASE_URL": accounts.base_url}
            for name in ("default", "quay")
        }
    )
    site = Site.objects.get()
    other = Site.objects.create(hostname="quay.test", root_page=site.root_page)
    rows.redeemed("10.00", of=rows.session(site=site))
    rows.redeemed("20.00", of=rows.session(account="quay", site=other))
    rows.redeemed("40.00", of=rows.session(currency="EUR"))
    tea = rows.product(39)
    rows.order("5.00", of=tea)
    client = staff("report_paymentsession")

    def total(**query):
        answer = client.get(FIGURES, {"by": "month", **query})
        return [lines[-1][1:5] for lines in table(answer)]

    assert total() == [[1, "£5.00", 2, "£30.00"], [0, "€0.00", 1, "€40.00"]]
    assert total(site=other.pk) == [[0, "£0.00", 1, "£20.00"]]
    assert total(account="quay") == [[0, "£0.00", 1, "£20.00"]]
    assert total(currency="EUR") == [[0, "€0.00", 1, "€40.00"]]
    assert total(product=tea.pk) == [[1, "£5.00"]]
    # What nobody can choose is as good as not chosen.
    assert total(account="nobody", site=4711, by="moon") == total()


def test_what_there_is_no_choice_of_is_no_filter(staff, today):
    rows.redeemed("10.00")

    form = staff("report_paymentsession").get(FIGURES).context["filters"].form

    assert list(form.fields) == ["period", "date", "by"]


def test_by_site_account_and_product(staff, today):
    site = Site.objects.get()
    rows.redeemed("10.00", of=rows.session(site=site))
    rows.redeemed("20.00")
    rows.order("5.00", of=rows.product(39))
    client = staff("report_paymentsession")

    def names(by):
        return [row[0] for row in table(client.get(FIGURES, {"by": by}))[0]]

    assert names("site") == [str(site), "No site", "Total"]
    assert names("account") == ["default", "Total"]
    assert names("product") == ["Voucher 39", "Total"]
    answer = client.get(FIGURES, {"by": "product"})
    assert table(answer)[0][-1] == ["Total", 1, "£5.00"]
    assert "nobody says as which product a redeemed voucher was sold" in said(answer)


def test_nothing_is_said_to_be_nothing(staff, today):
    client = staff("report_paymentsession")

    assert len(table(client.get(FIGURES))[0]) == 21
    answer = client.get(FIGURES, {"by": "site"})
    assert table(answer) == []
    assert "Nothing was sold or redeemed in this period." in said(answer)


def test_a_name_of_others_is_shown_as_text(staff, today):
    mill = rows.product(39)
    mill.title = "<script>alert(1)</script>"
    mill.save()
    rows.order("5.00", of=mill)

    page = text(staff("report_paymentsession").get(FIGURES, {"by": "product"}))

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_there_is_no_style_or_script_within(staff, today):
    rows.redeemed("10.00")
    rows.order("5.00")
    client = staff("report_paymentsession")

    for query in ({}, {"by": "product"}, {"by": "site"}):
        results = text(client.get(RESULTS, query))
        assert "style=" not in results
        assert "<script" not in results
        assert "<style" not in results
        assert " on" not in re.sub(r">[^<]*<|\"[^\"]*\"", "><", results)


# -- exports ------------------------------------------------------------------------


def test_the_csv_is_the_table(staff, today):
    rows.redeemed("1234.50")
    rows.order("25.00", "10.00")
    client = staff("report_paymentsession")

    answer = client.get(FIGURES, {"export": "csv", "period": ""})

    assert answer["Content-Type"].startswith("text/csv")
    assert 'filename="gift-vouchers-2026-07-20.csv"' in answer["Content-Disposition"]
    found = list(csv.reader(io.StringIO(answer.getvalue().decode())))
    assert found[0] == [
        "Day", "Currency", "Vouchers sold", "Sold", "Redemptions", "Redeemed",
        "Reversals", "Reversed", "Redeemed less reversed", "Lost sales",
        "Amount of lost sales",
    ]  # fmt: skip
    assert len(found) == 21
    assert found[15] == [
        "2026-07-15", "GBP", "2", "35.00", "1", "1234.50", "0", "0.00", "1234.50",
        "0", "0.00",
    ]  # fmt: skip


def test_the_spreadsheet_has_numbers_and_dates(staff, today):
    rows.redeemed("1234.50")
    client = staff("report_paymentsession")

    answer = client.get(FIGURES, {"export": "xlsx"})
    sheet = load_workbook(io.BytesIO(answer.getvalue())).active

    line = [cell.value for cell in sheet[16]]
    assert line[0] == date(2026, 7, 15)
    assert (line[1], line[4], line[5]) == ("GBP", 1, 1234.5)
    by_month = client.get(FIGURES, {"export": "xlsx", "by": "month"})
    sheet = load_workbook(io.BytesIO(by_month.getvalue())).active
    assert sheet["A2"].value == "2026-07"


def test_a_name_in_an_export_is_no_formula(staff, today):
    mill = rows.product(39)
    mill.title = "=HYPERLINK(1)"
    mill.save()
    rows.order("5.00", of=mill)
    client = staff("report_paymentsession")

    answer = client.get(FIGURES, {"by": "product", "export": "csv"})
    assert answer.getvalue().decode().splitlines()[1:] == ["'=HYPERLINK(1),GBP,1,5.00"]


# -- what it costs --------------------------------------------------------------------


@pytest.mark.parametrize("url", [OVERVIEW, FIGURES, RESULTS, HEALTH, HOME])
def test_the_number_of_queries_does_not_grow(staff, today, url):
    client = staff("report_paymentsession")

    def fill(several):
        for _number in range(several):
            rows.redeemed("10.00")
            rows.order("5.00")
            rows.lapsed("1.00")
            rows.session("confirming", confirm_began_at=timezone.now())

    def cost():
        with CaptureQueriesContext(connection) as queries:
            text(client.get(url))
        return len(queries)

    fill(1)
    cost()
    few = cost()
    fill(20)
    assert cost() == few


def test_the_panel_costs_few_queries(db, django_assert_num_queries):
    # Three for the figures, two for what waits, one for the catalogues and one for
    # each account's budget.
    with django_assert_num_queries(3 + 2 + 1 + 1):
        months(reporting.today())
        reporting.queue()
        standings()


# -- the home page ----------------------------------------------------------------------


def test_the_panel_tells_how_things_stand(staff, today, sandbox):
    CatalogueSync.objects.create(
        account="default",
        synced_at=timezone.now() - timedelta(hours=3),
        failed_at=timezone.now() - timedelta(hours=1),
        failure="It was away.",
    )
    rows.redeemed("30.00")
    rows.redeemed("20.00", at=rows.NOON - timedelta(days=30))
    # Later in the month before than it is now.
    rows.redeemed("50.00", at=rows.NOON - timedelta(days=20))
    rows.order("5.00", status="queued", at=timezone.now() - timedelta(minutes=10))
    rows.session("needs_attention")
    rows.order("5.00", status="needs_attention")

    words = said(staff("report_paymentsession").get(HOME))

    assert "Redeemed £30.00 £20.00 +50 %" in words
    assert "1 Jul to 20 Jul 1 Jun to 20 Jun" in words
    assert "2 cases need a person." in words
    assert "Voucher orders: Queued: 1 (the oldest for 10 minutes)" in words
    assert "default : Smart Gift answers." in words
    assert "The catalogue was read 3 hours ago." in words
    assert "It could not be read 1 hour ago." in words


def test_the_panel_has_figures_only_for_who_may_see_reports(staff, today):
    rows.redeemed("30.00")
    rows.session("needs_attention")

    panel = text(staff("view_paymentsession").get(HOME))
    panel = panel[panel.index('id="smartgift-section"') :]

    assert "1</b> case needs a person." in panel
    assert "Smart Gift answers." in panel
    for word in ("30.00", "£", "Redeemed", "Lost sales"):
        assert word not in panel


def test_the_home_page_outlives_a_panel_that_cannot_be_read(
    staff, today, caplog, monkeypatch
):
    client = staff("report_paymentsession")
    with connection.cursor() as cursor:
        # A migration that was not run: the table is not what it should be.
        cursor.execute(
            "ALTER TABLE wagtail_smartgift_voucherorderevent RENAME TO other"
        )

    words = said(client.get(HOME))

    assert "This could not be read from the database." in words
    assert "Reports" in words
    assert "The panel of gift vouchers could not be read." in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)


def test_the_panel_of_a_host_with_atomic_requests(staff, today, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    assert 'id="smartgift-section"' in text(staff("report_paymentsession").get(HOME))


@pytest.mark.parametrize(
    ("now", "before", "change"),
    [
        ("15.00", "10.00", "+50\N{NO-BREAK SPACE}%"),
        ("5.00", "10.00", "\N{MINUS SIGN}50\N{NO-BREAK SPACE}%"),
        ("10.00", "10.00", "±0\N{NO-BREAK SPACE}%"),
        ("10.00", None, ""),
    ],
)
def test_the_change_is_written_with_its_sign(now, before, change):
    rows.redeemed(now)
    if before:
        rows.redeemed(before, at=rows.NOON - timedelta(days=30))

    [month] = months(TODAY)
    assert [one.change for one in month.figures if one.heading == "Redeemed"] == [
        change
    ]


# -- quota and health ---------------------------------------------------------------------


def test_the_quota_is_shown_by_lane_and_nobody_is_asked(staff, sandbox, configure):
    configure(RATE_LIMIT=60)
    catalogue.sync(get_conf().account("default"))
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    payments.confirm(reference="order-1")
    reconciliation.reconcile()
    calls = len(sandbox.log())
    quota = budget.status(get_conf().account("default"))
    client = staff("view_paymentsession")

    words = said(client.get(HEALTH))

    assert len(sandbox.log()) == calls
    assert f"{quota.used} of 60 used, {quota.left} left." in words
    assert f"Redeeming and giving back {quota.lanes[0]} now" in words
    assert f"Holding, and selling vouchers {quota.lanes[1]} now" in words
    assert f"Reading the catalogue {quota.lanes[3]} now" in words
    assert quota.lanes[3] >= 1
    assert "Smart Gift answers." in words
    assert "0 payments, orders and events have been due" in words
    assert "Last came to its end On" in words
    # The doctor's findings, those without a call.
    assert "Fine sweep it last ran" in words
    # What only a deployment changes is left to the command.
    assert "migrations are applied" not in words
    assert "sk_sandbox" not in words


def test_what_is_wrong_is_said(staff, sandbox, configure):
    configure(RATE_LIMIT=60)
    account = get_conf().account("default")
    now = timezone.now().timestamp()
    CallBudget.objects.create(
        key=budget.store.key_of(account),
        limit=60,
        failures=9,
        probed_at=now,
        blocked_until=now + 30,
        askers="",
    )
    CatalogueSync.objects.create(
        account="default", failed_at=timezone.now(), failure="It was away."
    )
    Heartbeat.objects.create(name="sweep", at=timezone.now() - timedelta(hours=5))
    rows.session("confirming", next_look_at=timezone.now() - timedelta(hours=1))

    words = said(staff("report_paymentsession").get(HEALTH))

    assert "Smart Gift does not answer. Calls are held back" in words
    assert "Smart Gift wants no call before" in words
    assert "Never read." in words
    assert ": It was away." in words
    assert "5 hours ago" in words
    assert "1 payment, order or event has been due for five minutes." in words
    assert "Fault sweep it last ran 5 hours ago." in words


def test_the_health_of_a_host_with_atomic_requests(
    transactional_db, staff, monkeypatch
):
    """One look that fails must not spoil the others: on PostgreSQL it would."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    client = staff("report_paymentsession")
    in_a_transaction = []

    def watch(execute, sql, params, many, context):
        if "wagtail_smartgift_heartbeat" in sql:
            in_a_transaction.append(connection.in_atomic_block)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        text(client.get(HEALTH))

    assert in_a_transaction
    assert not any(in_a_transaction)


def test_a_quota_that_is_switched_off(staff, configure):
    configure(RATE_LIMIT=0)

    words = said(staff("report_paymentsession").get(HEALTH))
    assert "The quota is switched off (RATE_LIMIT)." in words


def test_an_order_is_shown_in_its_currency_on_the_overview(staff, today):
    rows.order("5.00", currency="EUR")
    rows.redeemed("10.00")

    words = said(staff("report_paymentsession").get(OVERVIEW))

    assert "In GBP" in words
    assert "In EUR" in words
    assert "Sold €5.00 €0.00 –" in words
    assert f"{Decimal(10):.2f}" in words
