"""The shop window in a real browser: choosing a voucher, every state, the balance.

The quick tests go through each journey once; the slow ones through every kind of
voucher, width, colour scheme, and without scripts.
"""

import sqlite3
from contextlib import closing, contextmanager
from datetime import date, timedelta
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.example.browser import WIDTHS, look
from tests.example.shop import CUSTOMER, GOOD_CARD


pytestmark = pytest.mark.browser

MONETARY = "/gift-vouchers/the-old-mill-gift-voucher/"
BALANCE = "/smartgift/balance/"
#: 1280 pixels at 200 %: half as many of CSS.
ZOOMED = {"viewport": {"width": 640, "height": 450}, "device_scale_factor": 2}
PHONE = {"viewport": {"width": WIDTHS[0], "height": 740}}

_WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (!entry.hadRecentInput) {
      window.shifts.push(...entry.sources.map((one) => one.node?.outerHTML));
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def total(page):
    return page.locator("[data-smartgift-total]")


def button(page):
    return page.get_by_role("button", name="Add to basket")


def heading(page):
    return page.get_by_role("heading", level=1)


def tab_to(page, selector):
    """Press Tab until the focus is there; whatever is on the way can be left."""
    for _step in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(it) => document.activeElement.matches(it)", selector):
            return
    raise AssertionError(f"No way to {selector} with Tab.")


def pay_for_basket(page):
    """From the basket to the order's page."""
    page.get_by_role("link", name="To the checkout").click()
    for name, value in CUSTOMER.items():
        page.fill(f"[name={name}]", value)
    page.get_by_role("button", name="On to the payment").click()
    page.fill("[name=card_name]", "Jane Miller")
    page.fill("[name=card_number]", GOOD_CARD)
    page.get_by_role("button", name="Pay £").click()
    expect(heading(page)).to_have_text("Thank you, Jane")


# Buying


def test_an_amount_is_chosen_with_the_keyboard_alone(windows):
    # given
    page = windows.open(MONETARY, **PHONE)
    day = date.today() + timedelta(days=30)  # noqa: DTZ011 - the browser's own

    # when: another amount, words, post, a day
    tab_to(page, "[name=amount]")
    page.keyboard.press("ArrowUp")
    assert page.locator("[name=amount][value=other]").is_checked()
    outline = "(it) => getComputedStyle(it.nextElementSibling).outlineStyle"
    assert page.locator("[name=amount]:focus").evaluate(outline) == "solid"
    tab_to(page, "[name=amount_other]")
    page.keyboard.type("135")
    tab_to(page, "[name=to]")
    page.keyboard.type("Rose")
    tab_to(page, "[name=message]")
    page.keyboard.type("Happy birthday!")
    tab_to(page, "[name=delivery_method]")
    page.keyboard.press("ArrowDown")
    tab_to(page, "[name=delivery_when]")
    page.keyboard.press("ArrowDown")
    tab_to(page, "[name=delivery_date]")
    page.keyboard.type(day.strftime("%m%d%Y"))

    # then: what it comes to is said, and the voucher is for the eye alone
    expect(total(page)).to_have_text("Total: £138.95, of which £3.95 is for delivery")
    assert total(page).get_attribute("aria-live") is None
    preview = page.locator("[data-smartgift-preview]")
    expect(preview).to_contain_text("£135.00")
    expect(preview).to_contain_text("To Rose")
    expect(preview).to_contain_text("Happy birthday!")
    assert preview.get_attribute("aria-hidden") == "true"
    look(page)

    # when
    tab_to(page, "button[type=submit]")
    page.keyboard.press("Enter")

    # then
    expect(heading(page)).to_have_text("Your basket")
    expect(page.locator(".line")).to_contain_text("£135.00")
    page.goto("/checkout/")
    assert page.input_value("[name=delivery-date]") == day.isoformat()
    elsewhere = page.get_by_role("group", name="Who gets them")
    expect(elsewhere).to_be_hidden()
    page.get_by_label("Post them to the buyer").uncheck()
    expect(elsewhere).to_be_visible()
    look(page)
    page.get_by_label("By e-mail").check()
    expect(elsewhere).to_be_hidden()
    expect(page.get_by_label("Post them to the buyer")).to_be_hidden()


def test_a_delivery_may_be_called_as_an_answer_is(windows):
    """Methods stand before the day, and their ids are any words of the shop's."""
    page = windows.open(MONETARY)
    page.evaluate(
        "document.querySelector('[name=delivery_method]').value = 'later';"
        "document.querySelector('[name=to]').value = 'other'"
    )

    page.get_by_label("By first class post").check()
    page.get_by_label("On a day that you choose").check()
    expect(page.get_by_label("Send it on")).to_be_enabled()
    page.get_by_label("By e-mail").check()
    page.get_by_label("At once").check()
    expect(page.locator("[name=delivery_date]")).to_be_disabled()
    page.get_by_label("Another amount").check()
    expect(page.get_by_label("Your amount in £")).to_be_enabled()


def test_an_experience_is_bought_without_scripts(windows, sandbox):
    # given
    page = windows.open("/gift-vouchers/afternoon-tea/", java_script_enabled=False)
    expect(page.locator("[data-smartgift-preview]")).to_be_hidden()
    expect(page.get_by_label("Send it on")).to_be_hidden()

    # when
    page.get_by_label("4 people – £118.00").check()
    page.get_by_label("On a day that you choose").check()
    expect(page.get_by_label("Send it on")).to_be_visible()
    button(page).click()

    # then: up to the list of mistakes, without a script
    expect(page.get_by_text("Send it on: Choose the day.")).to_be_in_viewport()
    assert page.get_by_label("4 people – £118.00").is_checked()

    # when
    page.get_by_label("At once").check()
    button(page).click()
    pay_for_basket(page)

    # then
    (item,) = sandbox.sales()[-1].items
    assert (item["id"], item["persons"]) == (39, 4)


def test_two_clicks_and_the_way_back(windows):
    page = windows.open(MONETARY)
    page.get_by_label("£50", exact=True).check()

    button(page).dblclick()

    expect(heading(page)).to_have_text("Your basket")
    expect(page.locator(".line")).to_have_count(1)
    page.go_back()
    assert page.get_by_label("£50", exact=True).is_checked()
    expect(total(page)).to_have_text("Total: £50.00")
    # What was hidden again is meant no more.
    page.get_by_label("Another amount").check()
    page.get_by_label("Your amount in £").fill("7")
    expect(total(page)).to_have_text("")
    page.get_by_label("£100", exact=True).check()
    expect(total(page)).to_have_text("Total: £100.00")
    button(page).click()
    expect(page.locator(".line")).to_have_count(2)


#: What can be bought, how it is chosen, and what is sold: id, price in pounds, persons.
KINDS = {
    "chip": (MONETARY, "£25", (37, 25, None)),
    "typed": (MONETARY, "Another amount", (37, 135, None)),
    "all amounts": ("/gift-vouchers/p/38/", "£35", (38, 35, None)),
    "persons": ("/gift-vouchers/afternoon-tea/", "3 people – £88.50", (39, 88.5, 3)),
    "one or two": ("/gift-vouchers/spa-day/", "2 people – £210.00", (40, 210, 2)),
    "only so": ("/gift-vouchers/dinner-bed-breakfast/", "", (41, 430, 2)),
    "the last ones": ("/gift-vouchers/p/42/", "1 person – £85.00", (42, 85, 1)),
    "hidden": ("/gift-vouchers/p/44/", "2 people – £120.00", (44, 120, 2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_voucher_is_bought(windows, sandbox, kind, width, scripts):
    address, answer, (product, price, persons) = KINDS[kind]
    page = windows.open(
        address,
        viewport={"width": width, "height": 800},
        java_script_enabled=scripts,
    )
    if answer:
        page.get_by_label(answer, exact=True).check()
    if kind == "typed":
        page.get_by_label("Your amount in £").fill("135")
    page.get_by_label("To (optional)").fill("Rose")
    if scripts:
        expect(total(page)).to_have_text(f"Total: £{price:.2f}")
        look(page)

    button(page).click()
    pay_for_basket(page)

    (item,) = sandbox.sales()[-1].items
    assert (item["id"], item.get("persons"), item["to"]) == (product, persons, "Rose")
    assert sandbox.sales()[-1].total == price * 100
    if product == 42:
        sandbox.change_product(42, available_count=3)


# Every state


@contextmanager
def product(shop, remote_id, **values):
    """Change a product of the shop's for a while."""
    with closing(sqlite3.connect(shop.database, timeout=60)) as file:
        names = ", ".join(values)
        before = file.execute(
            f"SELECT {names} FROM wagtail_smartgift_voucherproduct WHERE remote_id = ?",
            [remote_id],
        ).fetchone()

    def write(new):
        with closing(sqlite3.connect(shop.database, timeout=60)) as file:
            file.execute(
                "UPDATE wagtail_smartgift_voucherproduct SET "
                + ", ".join(f"{name} = ?" for name in values)
                + " WHERE remote_id = ?",
                [*new, remote_id],
            )
            file.commit()

    write(values.values())
    try:
        yield
    finally:
        write(before)


def page_number(shop, slug):
    with closing(sqlite3.connect(shop.database, timeout=60)) as file:
        [[number]] = file.execute(
            "SELECT id FROM wagtailcore_page WHERE slug = ?", [slug]
        ).fetchall()
    return number


#: Addresses, and what they say.
STATES = {
    "/gift-vouchers/": "All vouchers",
    "/gift-vouchers/?search=zebra": "No voucher fits.",
    MONETARY: "Buy this voucher",
    "/gift-vouchers/p/42/": "Only 3 left.",
    "/gift-vouchers/p/43/": "Sold out at the moment.",
    "/gift-vouchers/p/44/": "Buy this voucher",
    "/gift-vouchers/p/45/": "This voucher is not on sale at the moment.",
    "/gift-vouchers/p/46/": "This voucher is only sold at our counter.",
    BALANCE: "Check your balance",
}

EVERY_WAY = [
    pytest.param(PHONE, id="phone"),
    pytest.param(
        {**PHONE, "color_scheme": "dark"}, id="dark phone", marks=pytest.mark.slow
    ),
    pytest.param(
        {"viewport": {"width": WIDTHS[1], "height": 900}},
        id="desk",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        {"color_scheme": "dark", "viewport": {"width": WIDTHS[1], "height": 900}},
        id="dark desk",
        marks=pytest.mark.slow,
    ),
    pytest.param(ZOOMED, id="zoomed", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("way", EVERY_WAY)
def test_every_state_is_readable_and_stands_still(windows, way):
    page = windows.open("/", scripts=_WATCH_SHIFTS, **way)

    for address, words in STATES.items():
        page.goto(address)
        expect(page.locator("main")).to_contain_text(words)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("window.shifts") == [], address
        look(page)


@pytest.mark.parametrize("way", EVERY_WAY)
def test_mistakes_are_listed_where_the_focus_is(windows, way):
    page = windows.open(MONETARY, **way)
    page.get_by_label("Another amount").check()
    page.get_by_label("Your amount in £").fill("7")
    page.get_by_label("On a day that you choose").check()

    button(page).click()

    mistakes = page.get_by_role("alert")
    expect(mistakes).to_be_focused()
    expect(mistakes).to_be_in_viewport()
    expect(mistakes).to_contain_text("in steps of £5.00")
    look(page)
    mistakes.get_by_text("Send it on: Choose the day.").click()
    expect(page.get_by_label("Send it on")).to_be_focused()


@pytest.mark.parametrize("way", EVERY_WAY)
def test_the_balance_is_told_refused_and_throttled(windows, shop, new_voucher, way):
    page = windows.open(BALANCE, **way)

    def ask(number):
        page.get_by_label("Voucher number").fill(number)
        with page.expect_navigation():
            page.get_by_role("button", name="Check the balance").click()
        assert number not in page.url
        look(page)

    try:
        number = new_voucher("12.50")
        ask(number)
        expect(page.get_by_role("status")).to_have_text(
            "There is £12.50 left on your voucher."
        )
        assert number not in page.content()
        for _guess in range(6):
            ask("NOBODYS-1")
            expect(page.get_by_role("alert")).to_be_visible()
            if "too many attempts" in page.get_by_role("alert").inner_text():
                break
        expect(page.get_by_role("alert")).to_contain_text("too many attempts")
    finally:
        # The same address guesses in other tests.
        shop.execute("DELETE FROM wagtail_smartgift_guesscounter")


#: Notes the address before any deferred script could read it.
_NOTE_ADDRESSES = """
window.addresses = [];
document.addEventListener("readystatechange", () => addresses.push(location.href));
"""


def test_a_scanned_card_fills_the_form_and_leaves_no_number(windows, new_voucher, shop):
    odd = "AB/12 #ü&=+?"
    page = windows.open("/", scripts=_NOTE_ADDRESSES, **PHONE)
    asked = []
    page.on("request", lambda one: asked.append(one))

    # when
    page.goto(f"{BALANCE}#voucher={quote(odd, safe='')}")

    # then: ready to be asked, and not asked
    field = page.get_by_label("Voucher number")
    expect(field).to_have_value(odd)
    expect(page.get_by_role("button", name="Check the balance")).to_be_focused()
    assert page.evaluate("addresses") == [shop.url + BALANCE] * 2
    assert page.evaluate("[location.href, history.state]") == [shop.url + BALANCE, None]
    assert {one.method for one in asked} == {"GET"}
    look(page)

    # The next card while the page is open, and what is no card's.
    number = new_voucher("12.50")
    page.evaluate("location.hash = 'top'")
    page.evaluate(f"location.hash = 'voucher={number}'")
    expect(field).to_have_value(number)
    assert page.url == shop.url + BALANCE
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("There is £12.50 left")
    # Ways back are ways to no number.
    page.go_back()
    assert number not in page.url
    assert number not in page.evaluate(
        "JSON.stringify([history.state, document.referrer])"
    )
    for one in asked:
        assert number not in one.url + str(one.headers)
        assert one.method == "GET" or one.url == shop.url + BALANCE
    shop.execute("DELETE FROM wagtail_smartgift_guesscounter")


def test_a_scanned_card_asks_for_its_number_without_scripts(windows):
    page = windows.open(f"{BALANCE}#voucher=ABCD", java_script_enabled=False)

    expect(page.get_by_label("Voucher number")).to_have_value("")
    expect(page.get_by_text("As it is printed on the voucher")).to_be_visible()


@pytest.mark.parametrize("way", EVERY_WAY)
def test_a_preview_says_why_nobody_could_buy_it(windows, visitor, shop, way):
    visitor.open("/account/login/")
    visitor.press("Log in", username="admin", password="admin")
    draft = f"/admin/pages/{page_number(shop, 'spa-day')}/view_draft/"

    with product(shop, 40, available_count=0):
        page = windows.open(draft, visitor=visitor, **way)
        note = page.get_by_role("note")
        expect(note).to_contain_text("None of this voucher is left at Smart Gift")
        look(page)


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_a_print_has_the_words_and_no_form(windows, width):
    page = windows.open(MONETARY, viewport={"width": width, "height": 900})
    page.emulate_media(media="print")

    expect(page.get_by_text("£10.00 to £1,000.00", exact=True)).to_be_visible()
    expect(page.get_by_text("How it works")).to_be_visible()
    expect(button(page)).to_be_hidden()
    page.goto("/gift-vouchers/")
    page.emulate_media(media="print")
    expect(page.get_by_text("Afternoon tea", exact=True)).to_be_visible()
    expect(page.get_by_role("navigation", name="Kinds of vouchers")).to_be_hidden()


@pytest.mark.slow
def test_what_is_chosen_shows_without_colours(windows):
    """Where the system's colours take the place of ours, axe sees neither."""
    page = windows.open(MONETARY, forced_colors="active", **PHONE)
    page.get_by_label("£50", exact=True).check()

    widths = page.locator(".smartgift-chip__face").evaluate_all(
        "(all) => all.map((it) => getComputedStyle(it).borderTopWidth)"
    )

    assert widths == ["1px", "1px", "3px", "1px", "1px", "1px", "1px"]


@pytest.mark.slow
def test_nothing_moves_for_those_who_want_it_still(windows):
    moves = """() => getComputedStyle(
      document.querySelector(".smartgift-card img")).transitionDuration"""

    calm = windows.open("/gift-vouchers/", reduced_motion="reduce")
    usual = windows.open("/gift-vouchers/")

    assert (calm.evaluate(moves), usual.evaluate(moves)) == ("0s", "0.2s")


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_from_right_to_left_it_is_mirrored(windows, width):
    page = windows.open(MONETARY, viewport={"width": width, "height": 900})
    places = """() => Object.fromEntries(
      [".smartgift-option__name", ".smartgift-option__price", ".smartgift-quote"].map(
        (one) => [one, document.querySelector(one).getBoundingClientRect().x]))"""
    before = page.evaluate(places)

    page.evaluate("document.documentElement.dir = 'rtl'")

    after = page.evaluate(places)
    name, price = ".smartgift-option__name", ".smartgift-option__price"
    assert before[name] < before[price]
    assert after[name] > after[price]
    look(page)
