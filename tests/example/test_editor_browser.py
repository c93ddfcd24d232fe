"""An editor's day in a real browser: what changed at Smart Gift, a picture, publishing."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.example.browser import look


pytestmark = [pytest.mark.browser, pytest.mark.slow]

#: The dinner with a bed, which the example shop has a page about.
PRODUCT = 41
PANEL = "#panel-child-content-smartgift-section"
#: Where somebody who wants to see it has pictures put.
SHOTS = os.environ.get("SMARTGIFT_SHOTS")


@pytest.fixture
def sync(shop, sandbox):
    """Reads the catalogue; afterwards everything costs what it did."""
    kept = sandbox.product(PRODUCT)
    yield lambda: shop.manage("smartgift_sync")
    sandbox.put_product(kept)
    shop.manage("smartgift_sync")


def shoot(page, name):
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def number_of_the_page(shop):
    with closing(sqlite3.connect(shop.database, timeout=60)) as file:
        found = file.execute(
            "SELECT id FROM wagtailcore_page WHERE slug = 'dinner-bed-breakfast'"
        )
        return found.fetchone()[0]


def open_editor(windows, shop, width):
    page = windows.open("/admin/login/", viewport={"width": width, "height": 900})
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "admin")
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"/admin/pages/{number_of_the_page(shop)}/edit/")
    expect(page.locator(PANEL)).to_be_visible()
    return page


def publish(page):
    page.get_by_role("button", name="More actions").click()
    page.locator("[name=action-publish]").click()
    expect(page.get_by_text("has been published").first).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360], ids=lambda width: f"{width}px")
def test_what_changed_is_seen_and_published(windows, shop, sandbox, sync, width):
    # The page is published as things are.
    page = open_editor(windows, shop, width)
    publish(page)
    price = (sandbox.product(PRODUCT).value or 0) + 1500
    sandbox.change_product(PRODUCT, value=price)
    sync()

    # What has changed is said, and nothing sticks out.
    page = open_editor(windows, shop, width)
    panel = page.locator(PANEL)
    said = f"to £{price / 100:.2f} on"
    expect(
        panel.get_by_text("Changed at Smart Gift since you last published")
    ).to_be_visible()
    expect(panel.get_by_text(said)).to_be_visible()
    assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth")
    look(page, within=PANEL)
    panel.scroll_into_view_if_needed()
    shoot(page, f"editor-{width}")

    # The picture is imported in one click and stands where one would have chosen it.
    button = panel.get_by_role("button", name="Smart Gift's picture")
    button.click()
    expect(panel.get_by_role("status")).to_contain_text("The picture")
    chooser = page.locator("#id_image-chooser")
    expect(chooser).to_contain_text("Dinner, bed & breakfast (Smart Gift)")
    look(page, within=PANEL)
    shoot(page, f"editor-imported-{width}")
    publish(page)

    # What is published shows it, and there is nothing left to tell.
    page = open_editor(windows, shop, width)
    expect(page.locator(PANEL).get_by_text("since you last published")).to_have_count(0)
    expect(page.locator("#id_image-chooser")).to_contain_text("(Smart Gift)")
    page.goto("/gift-vouchers/dinner-bed-breakfast/")
    expect(page.locator(".smartgift-price").first).to_contain_text(
        f"{price * 2 / 100:.2f}"
    )
    look(page)


@pytest.mark.parametrize("width", [1280, 360], ids=lambda width: f"{width}px")
def test_a_balance_is_asked_for_on_any_page(windows, new_voucher, width):
    number = new_voucher("37.50")
    page = windows.open("/", viewport={"width": width, "height": 900})
    look(page)
    shoot(page, f"home-{width}")

    page.get_by_label("Voucher number").fill(number)
    page.get_by_role("button", name="Check the balance").click()

    expect(page.get_by_role("status").get_by_text("£37.50")).to_be_visible()
    assert number not in page.url
    assert number not in page.content()
    look(page)
    page.get_by_label("Voucher number").fill("NOBODYS-0001")
    page.get_by_role("button", name="Check the balance").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing to be used here")
    look(page)
    shoot(page, f"balance-{width}")


def test_it_can_be_read_in_the_dark(windows, shop):
    page = windows.open("/smartgift/balance/", color_scheme="dark")
    look(page)
    page = open_editor(windows, shop, 1280)
    page.emulate_media(color_scheme="dark")
    look(page, within=PANEL)
    page.locator(PANEL).scroll_into_view_if_needed()
    shoot(page, "editor-dark")
