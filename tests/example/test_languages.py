"""Buying vouchers in a real browser in every language that the package speaks.

Every kind goes into one basket, so that each width, with and without scripts, costs one
checkout. Paying is ``test_journeys.py``.
"""

from datetime import date, timedelta
from itertools import product

import pytest
from django.utils import translation
from django.utils.formats import date_format
from playwright.sync_api import expect

from tests.example import languages
from tests.example.browser import WIDTHS, look
from tests.example.shop import CUSTOMER, GOOD_CARD


pytestmark = pytest.mark.browser

VOUCHERS = "/gift-vouchers/"
#: Address, what is chosen there, and what is sold: id, price in pounds, persons.
KINDS = (
    ("the-old-mill-gift-voucher/", {"amount": "25.00"}, (37, "25.00", None)),
    ("the-old-mill-gift-voucher/", {"amount": "other"}, (37, "135.00", None)),
    ("p/38/", {"amount": "35.00"}, (38, "35.00", None)),
    ("afternoon-tea/", {"persons": "3"}, (39, "88.50", 3)),
    ("spa-day/", {"persons": "2"}, (40, "210.00", 2)),
    ("dinner-bed-breakfast/", {}, (41, "430.00", 2)),
    ("p/44/", {"persons": "2"}, (44, "120.00", 2)),
)
TOGETHER = "1,043.50"
#: The way that the quick tests take.
USUAL = ("de", 360, False)


def see(page, language, scripts):
    """Nothing sticks out, and the package's parts are in that language alone."""
    page_width, window = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert page_width <= window
    assert page.locator("main [lang]").first.get_attribute("lang") == language
    if language != languages.ENGLISH:
        assert languages.left_in_english(page, language) == []
    if scripts:
        look(page)


def way(language, width, scripts):
    """Return a way to come to the shop; all but one are slow."""
    return pytest.param(
        language,
        width,
        scripts,
        id=f"{language}-{width}px-{'script' if scripts else 'plain'}",
        marks=() if (language, width, scripts) == USUAL else pytest.mark.slow,
    )


@pytest.mark.parametrize(
    ("language", "width", "scripts"),
    [
        way(*each)
        for each in product(
            (languages.ENGLISH, *languages.OTHERS), WIDTHS, (True, False)
        )
    ],
)
def test_every_kind_of_voucher_is_bought(windows, sandbox, language, width, scripts):
    # given
    page = windows.open(
        "/",
        locale=language,
        viewport={"width": width, "height": 800},
        java_script_enabled=scripts,
    )

    def words(*message, **values):
        return languages.pattern(language, *message, **values)

    def money(amount):
        return languages.money(language, amount)

    # when: one of each
    for address, chosen, (_product, price, _persons) in KINDS:
        page.goto(VOUCHERS + address)
        for name, value in chosen.items():
            page.locator(f"[name={name}][value='{value}']").check()
        if chosen == {"amount": "other"}:
            page.locator("[name=amount_other]").fill("135,00")
        page.locator("[name=to]").fill("Rose")
        if scripts:
            total = page.locator("[data-smartgift-total]")
            expect(total).to_have_text(words("Total: %(total)s", total=money(price)))
        see(page, language, scripts)
        page.get_by_role("button", name=words("Add to basket")).click()
        expect(page.locator(".line").last).to_contain_text(money(price))

    # then: the checkout, with a mistake first
    page.goto("/checkout/")
    see(page, language, scripts)
    day = date.today() + timedelta(days=30)  # noqa: DTZ011 - the browser's own
    form = page.locator("form.panel")
    form.locator("[type=submit]").click()
    mistakes = page.get_by_role("alert")
    expect(mistakes).to_contain_text(words("Please look at these again"))
    see(page, language, scripts)
    for name, value in CUSTOMER.items():
        page.fill(f"[name={name}]", value)
    page.locator("[name=delivery-method]").first.check()
    page.fill("[name=delivery-date]", day.isoformat())
    form.locator("[type=submit]").click()
    page.fill("[name=card_name]", "Jane Miller")
    page.fill("[name=card_number]", GOOD_CARD)
    expect(page.locator("#pay-title")).to_contain_text(money(TOGETHER))
    page.locator("#pay-form [type=submit]").click()

    # and: what was sold, and the day as readers of that language write it
    expect(page.locator("h1")).to_have_text("Thank you, Jane")
    ready = page.locator("#smartgift-order-title")
    expect(ready).to_have_text(
        words(
            "Your gift voucher is ready",
            "Your gift vouchers are ready",
            number=len(KINDS),
        )
    )
    with translation.override(language):
        written = date_format(day, "DATE_FORMAT")
    expect(page.locator("main")).to_contain_text(
        words(
            "It is sent on %(day)s.",
            "They are sent on %(day)s.",
            number=len(KINDS),
            day=written,
        )
    )
    see(page, language, scripts)
    sold = [
        (item["id"], item.get("persons"), item["to"])
        for item in sandbox.sales()[-1].items
    ]
    assert sold == [(number, persons, "Rose") for *_, (number, _, persons) in KINDS]


def test_what_is_left_in_english_is_found(windows):
    page = windows.open(f"{VOUCHERS}afternoon-tea/")

    assert "Add to basket" in languages.left_in_english(page, "de")
