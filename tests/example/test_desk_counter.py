"""The voucher desk and Needs attention in a real browser, as staff on the telephone use them."""

import re
from itertools import count

import pytest
import requests
from playwright.sync_api import expect

from tests.example.browser import look
from tests.example.shop import SERVER_KEY
from wagtail_smartgift.sandbox import Fault


pytestmark = pytest.mark.browser

_orders = count(1)


@pytest.fixture
def desk(windows):
    """A window of the Wagtail admin, with somebody logged in."""
    page = windows.open("/admin/login/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{page.url.split('/admin/')[0]}/admin/")
    return page


def go_to(page, item):
    page.get_by_role("button", name="Gift vouchers").click()
    page.get_by_role("link", name=item).click()
    expect(page.get_by_role("heading", level=1).first).to_be_attached()


def call(shop, path, secret, **body):
    answer = requests.post(
        f"{shop.url}/smartgift/api/{path}",
        json=body,
        headers={"Authorization": f"Bearer {secret}"},
        timeout=60,
    )
    assert answer.status_code < 500, answer.text
    return answer.json()


def test_a_telephone_order_is_paid_with_a_voucher(desk, new_voucher, redeemed):
    number, order = new_voucher(), f"phone-{next(_orders)}"
    page = desk
    go_to(page, "Voucher desk")
    look(page)

    page.get_by_label("Voucher number").fill(number)
    page.get_by_role("button", name="Look it up").click()
    expect(page.get_by_text("50.00").first).to_be_visible()
    assert number not in page.content()
    look(page)

    panel = page.locator("#apply-content")
    panel.get_by_label("Reference of the order").fill(order)
    panel.get_by_label("What the order comes to").fill("80")
    panel.get_by_label("Reason").fill("Read out on the telephone.")
    panel.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="Apply voucher …")).to_be_visible()
    look(page)
    page.get_by_role("button", name="Yes, apply it").click()

    expect(page.get_by_text("is held. Nothing has been taken")).to_be_visible()
    assert number not in page.url
    assert redeemed(number) == []
    look(page)

    page.get_by_role("link", name="Redeem", exact=True).click()
    expect(page.get_by_text("£30.00 remain to be paid another way.")).to_be_visible()
    look(page)
    page.get_by_label("Reason").fill("The rest was paid by card.")
    page.get_by_role("button", name="Yes, redeem").click()

    expect(page.get_by_text("Done. The payment is now: Confirmed.")).to_be_visible()
    expect(page.get_by_text("Read out on the telephone.")).to_be_visible()
    assert redeemed(number) == [50]
    assert number not in page.content()


def test_of_an_experience_voucher_what_is_chosen_is_used(desk, sandbox):
    tea = "TEA-0002-0002"
    page = desk
    go_to(page, "Voucher desk")
    page.get_by_label("Voucher number").fill(tea)
    page.get_by_role("button", name="Look it up").click()

    panel = page.locator("#hold-content")
    walk = panel.get_by_label("A walk to the weir with our gardener")
    expect(panel.get_by_label("Afternoon tea for two")).not_to_be_checked()
    expect(page.get_by_text("Looked up at the voucher desk")).to_be_visible()
    look(page)
    walk.focus()
    page.keyboard.press("Space")
    expect(walk).to_be_checked()
    panel.get_by_label("Amount").fill("20")
    panel.get_by_label("Reason").fill("Paid at the till.")
    panel.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("used up as a whole: A walk to the weir")).to_be_visible()
    look(page)
    page.get_by_role("button", name="Yes, hold it").click()
    expect(page.get_by_text("is held. Nothing has been taken")).to_be_visible()
    look(page)

    page.get_by_role("link", name="Redeem", exact=True).click()
    expect(page.get_by_text("worth £25.00 here and pay £20.00.")).to_be_visible()
    look(page)
    page.get_by_label("Reason").fill("She wants it so.")
    page.get_by_role("button", name="Yes, redeem").click()

    expect(page.get_by_text("Done. The payment is now: Confirmed.")).to_be_visible()
    experiences = sandbox.voucher(tea).experiences
    used = [one.bit_value for one in experiences if one.used_by is not None]
    assert used == [8]


def test_a_case_is_settled(desk, shop, sandbox, new_voucher, redeemed):
    number, order = new_voucher(), f"case-{next(_orders)}"
    opened = call(
        shop,
        "server/payment-sessions",
        SERVER_KEY,
        reference=order,
        amount_due="50.00",
    )
    call(
        shop, "payment-session/redemptions", opened["client_secret"], voucher_no=number
    )
    call(shop, f"server/payment-sessions/{order}/confirm", SERVER_KEY)
    sandbox.faults.add(
        Fault(operation="reverse", mode="refused", voucher_no=number, times=None)
    )
    call(shop, f"server/payment-sessions/{order}/cancel", SERVER_KEY)
    sandbox.faults.clear()
    assert redeemed(number) == [50]

    page = desk
    page.reload()
    page.get_by_role("button", name="Gift vouchers").click()
    # In the menu; the panel of the home page leads there too.
    item = page.get_by_role(
        "link", name=re.compile(r"^Needs attention \(\d+ cases?\)$")
    )
    # Others of the same shop may have left some.
    expect(item).to_have_attribute("data-smartgift-count", re.compile(r"^[1-9]"))
    item.click()
    look(page)
    page.get_by_role("link", name=order).click()
    expect(page.get_by_text("What to look up")).to_be_visible()
    look(page)
    page.get_by_role("button", name="Read its balance now").click()
    expect(page.get_by_text("Its balance was read; see below.")).to_be_visible()

    page.get_by_role("link", name="It was not reversed: try again").click()
    expect(page.get_by_text("The cancellation goes on")).to_be_visible()
    look(page)
    page.get_by_label("Reason").fill("The voucher was blocked; it is not any more.")
    page.get_by_role("button", name="Yes, write it down").click()

    expect(page.get_by_text("The payment is settled: Cancelled.")).to_be_visible()
    assert redeemed(number) == []
    look(page)
