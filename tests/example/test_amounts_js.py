"""The voucher page's script reads an amount as the server does, from one table."""

from decimal import Decimal
from pathlib import Path

import pytest

import wagtail_smartgift
from tests.test_amounts import AMOUNTS, NO_AMOUNTS


pytestmark = pytest.mark.browser

SCRIPT = Path(wagtail_smartgift.__file__).parent.joinpath(
    "static/wagtail_smartgift/voucher-page.js"
)
#: Whatever is an amount is sold here.
PAGE = """<!DOCTYPE html>
<form data-smartgift-purchase data-money="1,234.56" data-currency="GBP"
  data-lowest="0.01" data-highest="99999999.99" data-step="0.01"
  data-word-total="{total}" data-word-total-with-delivery="{total} {delivery}">
  <input name="amount_other"><output data-smartgift-total></output>
</form>
<script type="module" src="/voucher-page.js"></script>"""


@pytest.fixture(scope="module")
def total_of(chromium):
    """Return a function that types an amount and returns what the page then shows."""
    page = chromium.new_page()
    page.route(
        "**/*",
        lambda route: (
            route.fulfill(path=SCRIPT, content_type="text/javascript")
            if route.request.url.endswith(".js")
            else route.fulfill(body=PAGE, content_type="text/html")
        ),
    )
    page.goto("http://shop.example/")

    def read(text):
        page.locator("input").fill(text)
        return page.locator("output").inner_text()

    assert read("7") == "7.00"
    yield read
    page.close()


@pytest.mark.parametrize(("text", "amount"), AMOUNTS.items())
def test_the_total_is_of_what_the_server_reads(total_of, text, amount):
    assert total_of(text) == f"{Decimal(amount):,.2f}"


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_there_is_no_total_of_what_the_server_refuses(total_of, text):
    total_of("7")

    assert total_of(text) == ""
