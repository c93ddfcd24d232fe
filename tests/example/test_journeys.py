"""Paying with vouchers in a real browser, with and without JavaScript.

Each journey is taken once, on a telephone with JavaScript. ``slow`` takes all of them in
every ``Way``; what they say and what comes of them is the same in each.
"""

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tests.example.browser import look
from tests.example.shop import DECLINED_CARD, GOOD_CARD
from wagtail_smartgift.sandbox import Fault


pytestmark = pytest.mark.browser

FIELD = "#smartgift-vouchers"
RIGHT_TO_LEFT = (
    "document.addEventListener('DOMContentLoaded',"
    " () => (document.documentElement.dir = 'rtl'));"
)


@dataclass(frozen=True)
class Way:
    """How somebody comes to the shop."""

    width: int
    script: bool = True
    rtl: bool = False

    def __str__(self):
        script = "script" if self.script else "plain"
        return f"{self.width}px-{script}{'-rtl' if self.rtl else ''}"

    def options(self):
        return {
            "viewport": {"width": self.width, "height": 800},
            "java_script_enabled": self.script,
            "scripts": RIGHT_TO_LEFT if self.rtl else "",
        }


USUAL = Way(360)
OTHERS = [
    Way(360, script=False),
    Way(1280),
    Way(1280, script=False),
    Way(360, rtl=True),
    Way(1280, rtl=True),
]
every_way = pytest.mark.parametrize(
    "way",
    [USUAL, *(pytest.param(way, marks=pytest.mark.slow) for way in OTHERS)],
    ids=str,
)


class Shopper:
    """Somebody at the payment page of an order over £80.00."""

    def __init__(self, page, way):
        self.page = page
        self.way = way

    @property
    def field(self):
        return self.page.locator(FIELD)

    @property
    def rows(self):
        return self.field.locator(".smartgift-vouchers__item")

    def add(self, number, *, amount=None, **options):
        self.field.locator("[name=voucher_no]").fill(number)
        if amount:
            form = self.field.locator(".smartgift-vouchers__form")
            form.get_by_text("Use only part of it").click()
            form.locator("[name=amount]").fill(amount)
        self.press("Add voucher", **options)

    def press(self, name, **options):
        self.field.get_by_role("button", name=name).click(**options)

    def says(self, words):
        notices = self.field.locator(".smartgift-vouchers__notice")
        expect(notices.filter(has_text=words)).to_be_visible()

    def left_to_pay(self, amount):
        expect(self.field.locator("dd").last).to_have_text(amount)
        expect(self.page.locator("#order-summary")).to_contain_text(amount)
        card_amount = self.page.locator("#pay-form [name=card_amount]")
        expect(card_amount).to_have_value(amount.removeprefix("£"))

    def fill_in_card(self, number=GOOD_CARD):
        self.page.locator("[name=card_name]").fill("Jane Miller")
        self.page.locator("[name=card_number]").fill(number)

    def pay_by_card(self, number=GOOD_CARD, **options):
        self.fill_in_card(number)
        self.page.get_by_role("button", name="Pay £").click(**options)

    def pay(self, **options):
        self.page.get_by_role("button", name="Pay with your vouchers").click(**options)

    def is_thanked(self):
        heading = self.page.get_by_role("heading", level=1)
        expect(heading).to_have_text("Thank you, Jane")

    def look(self):
        """Nothing sticks out; with scripts axe can look, too."""
        if self.way.script:
            look(self.page)


@pytest.fixture
def path(visitor, shop):
    return visitor.order_hamper().address.removeprefix(shop.url)


@pytest.fixture
def shopper(windows, visitor, path, way):
    page = windows.open(path, visitor=visitor, **way.options())
    return Shopper(page, way)


@every_way
def test_a_voucher_pays_its_part_and_a_card_the_rest(
    shopper, new_voucher, redeemed, sandbox
):
    number = new_voucher("50.00")

    shopper.add(number)
    shopper.says("Your voucher was added.")
    shopper.left_to_pay("£30.00")
    shopper.look()
    shopper.pay_by_card()

    shopper.is_thanked()
    assert redeemed(number) == [50]
    assert number not in shopper.page.url
    assert number not in shopper.page.content()


@every_way
def test_two_vouchers_pay_all_of_it(shopper, new_voucher, redeemed, sandbox):
    first, second = new_voucher("50.00"), new_voucher("50.00")

    shopper.add(first)
    shopper.left_to_pay("£30.00")
    # From the QR code on its card.
    shopper.add(f"https://gifts.example.org/v/{second}?lang=en")
    shopper.left_to_pay("£0.00")
    expect(shopper.rows.nth(0)).to_contain_text("£0.00 stays on it.")
    expect(shopper.rows.nth(1)).to_contain_text("£20.00 stays on it.")
    # Nothing is left for a third one, and nothing for a card.
    expect(shopper.field.locator("[name=voucher_no]")).to_have_count(0)
    expect(shopper.page.locator("[name=card_number]")).to_have_count(0)
    shopper.look()
    shopper.pay()

    shopper.is_thanked()
    assert (redeemed(first), redeemed(second)) == ([50], [30])
    assert sandbox.voucher(second).balance == 20


@every_way
def test_a_part_of_a_voucher_pays(shopper, new_voucher, redeemed, sandbox):
    number = new_voucher("50.00")

    shopper.add(number, amount="20")
    shopper.left_to_pay("£60.00")
    expect(shopper.rows).to_contain_text("£30.00 stays on it.")
    # Less of it after all.
    shopper.rows.get_by_text("Use only part of it").click()
    shopper.rows.get_by_label("Take no more than").fill("12,50")
    shopper.press("Change")
    shopper.left_to_pay("£67.50")
    shopper.look()
    shopper.pay_by_card()

    shopper.is_thanked()
    assert redeemed(number) == [pytest.approx(12.5)]
    assert sandbox.voucher(number).balance == pytest.approx(37.5)


@every_way
def test_a_declined_card_takes_nothing_and_another_one_pays(
    shopper, new_voucher, redeemed, sandbox
):
    number = new_voucher("50.00")
    shopper.add(number)
    shopper.left_to_pay("£30.00")

    shopper.pay_by_card(DECLINED_CARD)

    declined = shopper.page.get_by_text("Your card was declined. Nothing was taken")
    expect(declined).to_be_in_viewport()
    expect(shopper.rows).to_contain_text("No longer kept for you.")
    assert sandbox.voucher(number).hold is None
    assert redeemed(number) == []
    shopper.look()
    shopper.pay_by_card()
    shopper.is_thanked()
    assert redeemed(number) == [50]


@every_way
def test_a_hold_that_has_ended_is_taken_again_by_pay(
    shopper, new_voucher, redeemed, sandbox, end_holds_in
):
    number = new_voucher("50.00")
    shopper.add(number)
    shopper.left_to_pay("£30.00")
    sandbox.release_by_till(number)
    end_holds_in(-1)
    shopper.page.reload()
    expect(shopper.rows).to_contain_text(
        "No longer kept for you. It is asked for again when you pay."
    )
    shopper.left_to_pay("£30.00")

    shopper.pay_by_card()

    shopper.is_thanked()
    assert redeemed(number) == [50]
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 2


@every_way
def test_one_that_a_till_has_taken_meanwhile_is_told_before_the_card(
    shopper, new_voucher, redeemed, sandbox, end_holds_in
):
    number = new_voucher("50.00")
    shopper.add(number)
    shopper.left_to_pay("£30.00")
    sandbox.release_by_till(number)
    sandbox.hold_by_till(number)
    end_holds_in(-1)

    shopper.pay_by_card()

    told = shopper.page.get_by_text("This voucher is in use elsewhere until")
    expect(told).to_contain_text(re.compile(r"until \d\d:\d\d\. Try again then"))
    assert redeemed(number) == []
    shopper.look()
    # Without it the card pays all of it.
    shopper.press("Remove")
    shopper.says("Your voucher was removed.")
    shopper.pay_by_card()
    shopper.is_thanked()
    assert redeemed(number) == []


@every_way
def test_a_voucher_is_kept_for_whoever_asks(
    shopper, new_voucher, redeemed, sandbox, end_holds_in
):
    number = new_voucher("50.00")
    shopper.add(number)
    shopper.left_to_pay("£30.00")
    keep = shopper.field.get_by_role("button", name="Keep it for me")
    # With the script it is shown when it is needed.
    expect(keep).to_be_visible(visible=not shopper.way.script)
    end_holds_in(50)
    shopper.page.reload()
    expect(keep).to_be_visible()
    shopper.look()

    keep.click()

    shopper.says("Your voucher is kept for you.")
    expect(shopper.rows).to_contain_text("Kept for you until")
    expect(keep).to_be_visible(visible=not shopper.way.script)
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 2
    shopper.pay_by_card()
    shopper.is_thanked()
    assert redeemed(number) == [50]


@every_way
def test_one_in_use_elsewhere_is_added_when_it_is_free(shopper, new_voucher, sandbox):
    number = new_voucher("50.00")
    sandbox.hold_by_till(number)
    if shopper.way.script:
        shopper.page.clock.install()

    shopper.add(number)
    shopper.says(re.compile(r"This voucher is in use elsewhere until \d\d:\d\d\."))
    shopper.look()
    sandbox.release_by_till(number)
    if shopper.way.script:
        shopper.says("If you leave this page open, it is tried once more for you then.")
        # Nobody presses anything.
        shopper.page.clock.fast_forward(310_000)
    else:
        shopper.add(number)

    shopper.left_to_pay("£30.00")
    assert sandbox.voucher(number).hold is not None


@every_way
def test_two_tabs_of_one_customer(shopper, windows, path, new_voucher, redeemed):
    other = Shopper(windows.open_tab(shopper.page.context, path), shopper.way)
    number = new_voucher("50.00")

    shopper.add(number)
    shopper.left_to_pay("£30.00")
    if shopper.way.script:
        other.left_to_pay("£30.00")
        other.page.bring_to_front()
    else:
        # It shows what was due when it was loaded, and no other amount is taken.
        other.pay_by_card()
        told = other.page.get_by_text("What is left to pay has changed")
        expect(told).to_be_visible()
        other.left_to_pay("£30.00")
    assert redeemed(number) == []
    other.pay_by_card()
    other.is_thanked()

    # The first one cannot pay a second time.
    shopper.page.bring_to_front()
    shopper.page.reload()
    shopper.is_thanked()
    assert redeemed(number) == [50]


@every_way
def test_the_way_back_pays_nothing_twice(shopper, new_voucher, redeemed):
    number = new_voucher("50.00")
    shopper.add(number)
    shopper.left_to_pay("£30.00")
    shopper.pay_by_card()
    shopper.is_thanked()

    shopper.page.go_back()

    # It is not the page that was left: the order is shown as it is now.
    shopper.is_thanked()
    assert redeemed(number) == [50]


@every_way
def test_a_double_click_does_everything_once(shopper, new_voucher, redeemed, sandbox):
    number = new_voucher("50.00")
    sandbox.faults.add(Fault("hold", "slow", seconds=0.5, voucher_no=number))

    shopper.add(number, click_count=2)
    shopper.left_to_pay("£30.00")
    expect(shopper.rows).to_have_count(1)
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 1
    shopper.pay_by_card(click_count=2)

    # A second click may come back before the first is done: told so, and no more.
    waiting = shopper.page.get_by_role("link", name="Look again")
    for _look in range(20):
        heading = shopper.page.get_by_role("heading", level=1)
        expect(heading).not_to_have_text("Payment")
        if not waiting.is_visible():
            break
        waiting.click()
    shopper.is_thanked()
    assert redeemed(number) == [50]


@every_way
def test_a_reload_at_every_step_changes_nothing(
    shopper, new_voucher, redeemed, sandbox
):
    page, number = shopper.page, new_voucher("50.00")
    page.reload()
    shopper.add("NO-SUCH-NUMBER")
    shopper.says("This voucher cannot be used here.")
    page.reload()
    expect(shopper.field.locator(".smartgift-vouchers__notice")).to_have_count(0)
    expect(shopper.field.locator("[name=voucher_no]")).to_have_value("")
    shopper.add(number)
    shopper.says("Your voucher was added.")
    page.reload()
    shopper.left_to_pay("£30.00")
    page.reload()
    shopper.pay_by_card()
    shopper.is_thanked()
    page.reload()

    shopper.is_thanked()
    assert redeemed(number) == [50]
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 1


@every_way
def test_without_a_network_nothing_is_lost(shopper, path, new_voucher, redeemed):
    page, number = shopper.page, new_voucher("50.00")

    page.context.set_offline(True)
    shopper.add(number, no_wait_after=True)
    if shopper.way.script:
        shopper.says("The shop could not be reached.")
        expect(shopper.field.locator("[name=voucher_no]")).to_have_value(number)
        page.context.set_offline(False)
        shopper.press("Add voucher")
    else:
        # The browser says it by a page of its own.
        expect(shopper.field).to_have_count(0)
        page.context.set_offline(False)
        page.goto(path)
        shopper.add(number)
    shopper.left_to_pay("£30.00")

    # The shop's own form is a plain one in either case.
    shopper.fill_in_card()
    page.context.set_offline(True)
    page.get_by_role("button", name="Pay £").click(no_wait_after=True)
    expect(shopper.field).to_have_count(0)
    assert redeemed(number) == []
    page.context.set_offline(False)
    page.goto(path)
    shopper.left_to_pay("£30.00")
    shopper.pay_by_card()

    shopper.is_thanked()
    assert redeemed(number) == [50]


def focused(page):
    """Return what the focus is on, as its name and the size of its outline."""
    return page.evaluate(
        """() => {
          const one = document.activeElement;
          const outline = getComputedStyle(one);
          return {
            name: one.name || "",
            text: (one.labels?.[0] ?? one).textContent.trim().replace(/\\s+/g, " "),
            seen: outline.outlineStyle !== "none" && parseFloat(outline.outlineWidth) >= 2,
          };
        }"""
    )


def tab_to(page, text, *, key="Tab"):
    """Press a key until what has that text or name is reached, seeing each stop."""
    for _press in range(40):
        page.keyboard.press(key)
        at = focused(page)
        assert at["seen"], at
        if text in (at["name"], at["text"]) or at["text"].startswith(text):
            return
    raise AssertionError(f"{text!r} cannot be reached by {key}.")


def test_with_the_keyboard_alone(
    windows, visitor, path, new_voucher, redeemed, sandbox, end_holds_in
):
    number, other = new_voucher("50.00"), new_voucher("50.00")
    page = windows.open(path, visitor=visitor, viewport={"width": 1280, "height": 800})
    shopper = Shopper(page, Way(1280))
    keys = page.keyboard

    tab_to(page, "voucher_no")
    keys.type("NO-SUCH-NUMBER")
    keys.press("Enter")
    shopper.says("This voucher cannot be used here.")
    # The focus is on what is to be mended.
    expect(shopper.field.locator("[name=voucher_no]")).to_be_focused()
    keys.press("Control+A")
    keys.type(number)
    keys.press("Enter")
    shopper.left_to_pay("£30.00")
    expect(shopper.field.locator("[name=voucher_no]")).to_be_focused()
    keys.type(other)
    keys.press("Enter")
    shopper.left_to_pay("£0.00")
    # Nothing is left to fill in there, so it is on the whole field.
    expect(shopper.field).to_be_focused()

    # Only a part of the first one.
    tab_to(page, "Use only part of it")
    keys.press("Enter")
    tab_to(page, "amount")
    keys.type("20")
    keys.press("Enter")
    shopper.left_to_pay("£10.00")
    assert focused(page)["text"].startswith("Use only part of it")

    # Keep it, and remove the other one.
    end_holds_in(50)
    page.reload()
    tab_to(page, "Keep it for me")
    keys.press("Enter")
    shopper.says("Your voucher is kept for you.")
    expect(shopper.rows.first).to_be_focused()
    tab_to(page, "Remove")
    tab_to(page, "Remove")
    keys.press("Space")
    shopper.left_to_pay("£60.00")
    expect(shopper.field).to_be_focused()

    tab_to(page, "card_name")
    keys.type("Jane Miller")
    tab_to(page, "card_number")
    keys.type(GOOD_CARD)
    keys.press("Enter")
    shopper.is_thanked()
    assert (redeemed(number), redeemed(other)) == ([20], [])
    assert sandbox.voucher(other).hold is None


@pytest.mark.parametrize(
    ("width", "size"),
    [
        # A desk's window at 200 %, as a browser does it: half as many pixels.
        pytest.param(640, 100, id="page"),
        # Text alone twice as large.
        pytest.param(1280, 200, id="text", marks=pytest.mark.slow),
    ],
)
def test_at_twice_the_size(
    windows, visitor, path, new_voucher, redeemed, end_holds_in, width, size
):
    scripts = (
        "document.addEventListener('DOMContentLoaded', () =>"
        f" (document.documentElement.style.fontSize = '{size}%'));"
    )
    number = new_voucher("50.00")
    page = windows.open(
        path,
        visitor=visitor,
        scripts=scripts if size != 100 else "",
        viewport={"width": width, "height": 400},
    )
    shopper = Shopper(page, Way(width))

    shopper.add("NO-SUCH-NUMBER")
    shopper.says("This voucher cannot be used here.")
    look(page)
    shopper.add(number, amount="45")
    shopper.left_to_pay("£35.00")
    look(page)
    end_holds_in(50)
    page.reload()
    shopper.press("Keep it for me")
    shopper.says("Your voucher is kept for you.")
    look(page)
    shopper.pay_by_card()
    shopper.is_thanked()
    assert redeemed(number) == [45]


def test_nothing_moves_for_whoever_wants_that(windows, visitor, path, new_voucher):
    page = windows.open(path, visitor=visitor, reduced_motion="reduce")
    shopper = Shopper(page, Way(1280))

    shopper.add(new_voucher("50.00"))
    shopper.left_to_pay("£30.00")

    moving = page.evaluate(
        f"""() => [...document.querySelectorAll("{FIELD}, {FIELD} *")].filter((one) => {{
          const {{ transitionDuration, animationName }} = getComputedStyle(one);
          return parseFloat(transitionDuration) > 0 || animationName !== "none";
        }}).map((one) => one.outerHTML)"""
    )
    assert moving == []
    assert page.evaluate("document.getAnimations().length") == 0
    # The seconds are counted all the same: they are news and no decoration.
    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^4:5\d left$"))
