"""The reports in a real browser: from the home page to a spreadsheet, in both themes."""

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.example.browser import look


pytestmark = pytest.mark.browser


@pytest.fixture
def paid(visitor, new_voucher):
    """An order that was paid with a voucher of £50."""
    visitor.order_hamper().add_voucher(new_voucher("50.00"))
    visitor.pay()


@pytest.fixture(params=["light", pytest.param("dark", marks=pytest.mark.slow)])
def page(request, chromium, shop):
    """The administrator's window, in Wagtail's light and dark theme."""
    context = chromium.new_context(
        base_url=shop.url,
        color_scheme=request.param,
        viewport={"width": 1280, "height": 900},
        accept_downloads=True,
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "admin")
    page.get_by_role("button", name="Sign in").click()
    yield page
    context.close()
    assert faults == []


def test_from_the_home_page_to_a_spreadsheet(page, paid):
    panel = page.get_by_role("region", name="Gift vouchers")
    expect(panel.get_by_role("rowheader", name="Redeemed").first).to_be_visible()
    look(page)

    panel.get_by_role("link", name="Reports").click()
    expect(page.get_by_role("heading", name="Waiting now")).to_be_visible()
    look(page)

    page.get_by_role("link", name="This month, by day").click()
    expect(page.get_by_role("img", name="Redeemed by day, in GBP")).to_be_visible()
    look(page)
    page.get_by_role("link", name="Product", exact=True).click()
    expect(page.get_by_text("Only what was sold is shown")).to_be_visible()
    look(page)

    page.get_by_role("link", name="Day", exact=True).click()
    page.get_by_role("link", name="Last month", exact=True).click()
    expect(page.get_by_role("link", name="Last month", exact=True)).to_have_attribute(
        "aria-current", "true"
    )
    page.get_by_role("button", name="Actions").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    with Path(download.value.path()).open(newline="") as file:
        days = [line["Day"] for line in csv.DictReader(file)]
    last = date.today().replace(day=1) - timedelta(days=1)  # noqa: DTZ011 - London, here
    assert (days[0], days[-1]) == (f"{last:%Y-%m}-01", f"{last:%Y-%m-%d}")

    page.get_by_role("link", name="Quota and health").click()
    expect(page.get_by_text("Smart Gift answers.", exact=True)).to_be_visible()
    look(page)


def test_a_filter_changes_the_report_where_it_stands(page, paid):
    page.goto("/admin/smartgift/reports/figures/")
    page.get_by_role("button", name="Show filters").click()
    page.get_by_role("button", name="Show by").click()
    page.get_by_label("Month", exact=True).check()

    expect(page.get_by_role("img", name="Redeemed by month, in GBP")).to_be_visible()
    assert "by=month" in page.url
