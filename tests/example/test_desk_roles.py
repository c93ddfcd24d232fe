"""The administrator's journey in a real browser: test the connection, answer a customer."""

import json

import pytest
import requests
from playwright.sync_api import expect

from tests.example.browser import look
from tests.example.shop import SERVER_KEY


pytestmark = pytest.mark.browser

EMAIL = "rose.desk@example.org"
ORDER = {
    "reference": "desk-roles-1",
    "items": [{"product": 37, "price": "50.00", "to": "Anna", "message": "With love"}],
    "customer": {
        "first_name": "Rose",
        "last_name": "Weaver",
        "email": "Rose.Desk@Example.org",
        "address1": "1 Weir Cottages",
        "city": "Wendford",
        "postcode": "BA1 1AA",
    },
    "delivery": {"method": 1, "price": "0.00"},
}


@pytest.fixture
def sold(shop):
    answer = requests.post(
        f"{shop.url}/smartgift/api/server/voucher-orders",
        json=ORDER,
        headers={
            "Authorization": f"Bearer {SERVER_KEY}",
            "Idempotency-Key": "desk-roles-1",
        },
        timeout=60,
    )
    assert answer.status_code == 201, answer.text


@pytest.fixture
def desk(chromium, shop):
    """Return the administrator's window; what its scripts complain about is a failure."""
    context = chromium.new_context(
        base_url=shop.url, viewport={"width": 1280, "height": 900}
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto("/admin/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", "admin")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{shop.url}/admin/")
    yield page
    context.close()
    assert faults == []


def test_the_connection_is_tested(desk):
    page = desk
    page.goto("/admin/settings/wagtail_smartgift/smartgiftsettings/")
    expect(page.get_by_role("tab", name="Company")).to_be_visible()
    look(page)
    page.get_by_role("link", name="Test connection").click()
    look(page)

    page.get_by_role("button", name="Test connection").click()

    expect(page.get_by_text("It works.")).to_be_visible()
    expect(page.get_by_text("Smart Gift takes the key, and lists")).to_be_visible()
    look(page)
    page.get_by_role("link", name="Back to the settings").click()
    expect(page.locator("select[name=payment_method]")).to_be_visible()


def test_a_customer_is_answered_and_forgotten(desk, sold, shop):
    page = desk
    page.goto("/admin/smartgift/personal-data/")
    look(page)
    page.get_by_label("E-mail address of the customer").fill(EMAIL)
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_text("What was found")).to_be_visible()
    look(page)

    with page.expect_download() as download:
        page.get_by_role("button", name="Download all of it").click()
    document = json.loads(download.value.path().read_text("utf-8"))
    assert document["orders"][0]["items"][0]["to"] == "Anna"

    page.get_by_role("button", name="Erase…").click()
    expect(page.get_by_text("This cannot be undone.")).to_be_visible()
    look(page)
    page.get_by_role("button", name="Yes, erase all of it").click()
    expect(page.get_by_text("The customer was erased. Orders: 1.")).to_be_visible()
    assert EMAIL not in page.url

    page.get_by_label("E-mail address of the customer").fill(EMAIL)
    page.get_by_role("button", name="Look").click()
    expect(page.get_by_text("Nothing is known here of this address.")).to_be_visible()
    expect(page.get_by_text("What was done before")).to_be_visible()
    look(page)
    assert "Weaver" not in shop.manage(
        "smartgift_personal_data", "export", EMAIL, "--by", "test"
    )
