"""Two days of the shop's staff in a real browser: a new voucher, and the books."""

import csv
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import expect

from tests.example.browser import look


pytestmark = pytest.mark.browser

PRODUCTS = "/admin/smartgift/vouchers/"
SYNC = "/admin/smartgift/vouchers/sync/"
PAYMENTS = "/admin/smartgift/payments/"
ORDERS = "/admin/smartgift/orders/"


@pytest.fixture
def desk(windows):
    """The administrator's window, after logging in."""
    page = windows.open("/admin/login/", accept_downloads=True)
    page.set_default_timeout(60_000)
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "admin")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    return page


def test_a_product_is_read_dressed_and_published(desk, shop):
    page = desk
    page.goto(PRODUCTS)
    look(page)
    page.get_by_role("link", name="Sync now").click()
    look(page)

    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("default: ", exact=False).first).to_contain_text(
        "unchanged"
    )
    look(page)

    page.goto(f"{PRODUCTS}?pages=no&q=bread")
    page.get_by_role("button", name="Create page").click()
    expect(page.get_by_text("A draft was made.")).to_be_visible()
    page.locator("footer [data-w-dropdown-target=toggle]").first.click()
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("has been published")).to_be_visible()

    page.goto("/gift-vouchers/cookery-class-bread/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Cookery class: bread")
    page.goto(f"{PRODUCTS}?q=bread")
    page.get_by_role("link", name="Cookery class: bread").first.click()
    expect(page.get_by_role("heading", name="Smart Gift's own words")).to_be_visible()
    expect(page.get_by_role("cell", name="live")).to_be_visible()
    look(page)
    page.goto(f"{PRODUCTS}pages/")
    look(page)


def test_the_page_of_a_sync_goes_on_by_itself(desk, shop):
    later = datetime.now(tz=timezone.utc) + timedelta(hours=1)
    shop.execute(
        "INSERT INTO wagtail_smartgift_syncrun (account, status, actor, asked_at,"
        " due_at, claimed_by, written, to_write, added, changed, unchanged, gone,"
        " returned, failure) VALUES ('default', 'running', 'somebody',"
        f" '{later:%F %T}', '{later:%F %T}', 'w', 500, 2000, 0, 0, 0, 0, 0, '')"
    )
    page = desk
    page.goto(SYNC)
    expect(page.get_by_text("500 of 2000 products written.")).to_be_visible()
    look(page)
    page.evaluate("document.querySelector('[role=status]').isKept = true")

    shop.execute("UPDATE wagtail_smartgift_syncrun SET written = 1500")
    expect(page.get_by_text("1500 of 2000 products written.")).to_be_visible()
    shop.execute(
        "UPDATE wagtail_smartgift_syncrun SET status = 'done', added = 7, due_at = NULL"
        f", finished_at = '{later:%F %T}' WHERE status = 'running'"
    )

    expect(page.get_by_text("7 new, 0 changed").first).to_be_visible()
    expect(page.get_by_role("button", name="Sync now")).to_be_visible()
    # Of a live region that is put in anew nothing is read out.
    assert page.evaluate("document.querySelector('[role=status]').isKept")


def test_payments_are_filtered_told_and_taken_away(
    desk, shop, visitor, new_voucher, tmp_path
):
    visitor.order_hamper().add_voucher(new_voucher("50.00")).pay()
    paid = visitor.reference
    visitor.order_hamper()
    page = desk
    page.goto(PAYMENTS)
    expect(page.get_by_role("link", name=paid)).to_be_visible()
    look(page)

    page.get_by_role("button", name="Show filters").click()
    page.get_by_role("button", name="Status").click()
    page.get_by_role("radio", name="Confirmed").check()
    expect(page.get_by_role("link", name=visitor.reference)).to_have_count(0)
    expect(page.get_by_role("link", name=paid)).to_be_visible()
    page.goto(f"{PAYMENTS}?status=confirmed")
    page.get_by_role("button", name="Actions").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    download.value.save_as(tmp_path / "payments.csv")
    with (tmp_path / "payments.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["Status"] for row in rows} == {"Confirmed"}
    [row] = [row for row in rows if row["Reference"] == paid]
    assert (row["Due"], row["Covered"], row["Remaining"]) == ("80.00", "50.00", "30.00")

    page.get_by_role("link", name=paid).click()
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    expect(page.get_by_role("cell", name="Redeem, voucher").first).to_be_visible()
    look(page)
    page.goto(ORDERS)
    look(page)
