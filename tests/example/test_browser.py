"""The journey of the README in a real browser, on a telephone and on a desk."""

import pytest
from playwright.sync_api import expect

from tests.example.browser import look
from tests.example.shop import CUSTOMER, DECLINED_CARD, GOOD_CARD


pytestmark = pytest.mark.browser


@pytest.fixture(params=[360, 1280], ids=lambda width: f"{width}px")
def window(request, chromium, shop):
    """A page of that width; what it complains about fails the test."""
    context = chromium.new_context(
        viewport={"width": request.param, "height": 800}, base_url=shop.url
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "response",
        lambda answer: answer.status >= 400 and faults.append(answer.url),
    )
    yield page
    context.close()
    assert faults == []


def fill_in(page):
    for name, value in CUSTOMER.items():
        page.fill(f"[name={name}]", value)


def pay_by_card(page, number):
    page.fill("[name=card_name]", "Jane Miller")
    page.fill("[name=card_number]", number)
    page.get_by_role("button", name="Pay £").click()


@pytest.mark.slow
def test_buy_a_voucher_pay_with_it_and_get_it_back(window, sandbox, redeemed):
    page = window
    heading = page.get_by_role("heading", level=1)

    # Buy a voucher of £50.
    page.goto("/")
    look(page)
    page.get_by_role("navigation").get_by_text("Gift vouchers").click()
    look(page)
    page.get_by_role("link", name="The Old Mill gift voucher").click()
    look(page)
    page.get_by_label("£50", exact=True).check()
    page.get_by_label("To (optional)").fill("Rose")
    page.get_by_role("button", name="Add to basket").click()
    expect(heading).to_have_text("Your basket")
    look(page)
    page.get_by_role("link", name="To the checkout").click()
    fill_in(page)
    look(page)
    page.get_by_role("button", name="On to the payment").click()
    pay_by_card(page, GOOD_CARD)
    expect(heading).to_have_text("Thank you, Jane")
    look(page)
    shown = page.locator(".smartgift-order__number code").inner_text()
    number = "".join(shown.split())
    assert sandbox.voucher(number).balance == 50

    # Pay an order of £80 with it; the first card is declined.
    page.goto("/shop/mill-hamper/")
    look(page)
    page.get_by_role("button", name="Add to basket").click()
    page.get_by_role("link", name="To the checkout").click()
    fill_in(page)
    page.get_by_role("button", name="On to the payment").click()
    page.get_by_label("Voucher number").fill(shown)
    page.get_by_role("button", name="Add voucher").click()
    expect(page.get_by_role("heading", name="Pay £30.00 by card")).to_be_visible()
    look(page)
    pay_by_card(page, DECLINED_CARD)
    expect(page.get_by_text("Your card was declined.")).to_be_in_viewport()
    assert sandbox.voucher(number).hold is None
    pay_by_card(page, GOOD_CARD)
    expect(heading).to_have_text("Thank you, Jane")
    assert redeemed(number) == [50]

    # Refund it.
    page.get_by_role("button", name="Refund").click()
    expect(page.get_by_text("£80.00 is refunded.")).to_be_visible()
    look(page)
    assert sandbox.voucher(number).balance == 50
    page.goto("/account/orders/")
    look(page)


@pytest.mark.slow
def test_it_can_be_read_in_the_dark(chromium, shop):
    context = chromium.new_context(base_url=shop.url, color_scheme="dark")
    page = context.new_page()
    for path in ("/", "/gift-vouchers/", "/shop/mill-hamper/", "/account/login/"):
        page.goto(path)
        look(page)
    context.close()
