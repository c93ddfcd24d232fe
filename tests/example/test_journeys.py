"""Paying with vouchers in a real browser, with and without JavaScript, in any language.

Each journey is taken once, on a telephone with JavaScript. ``slow`` takes all of them in
every ``Way``; what they say and what comes of them is the same in each.
"""

import re
from dataclasses import dataclass
from itertools import product

import pytest
from playwright.sync_api import expect

from tests.example import languages
from tests.example.browser import WIDTHS, look
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
    language: str = languages.ENGLISH

    def __str__(self):
        script = "script" if self.script else "plain"
        return f"{self.language}-{self.width}px-{script}{'-rtl' if self.rtl else ''}"

    def options(self):
        return {
            "locale": self.language,
            "viewport": {"width": self.width, "height": 800},
            "java_script_enabled": self.script,
            "scripts": RIGHT_TO_LEFT if self.rtl else "",
        }


USUAL = Way(360)
OTHERS = [
    *(
        Way(width, script=script, language=language)
        for language, width, script in product(
            (languages.ENGLISH, *languages.OTHERS), WIDTHS, (True, False)
        )
    ),
    Way(360, rtl=True),
    Way(1280, rtl=True),
]


def ways(*quick):
    """Take a journey in every way; in those that are given without ``slow``, too."""
    slow = (pytest.param(way, marks=pytest.mark.slow) for way in OTHERS)
    others = (one for one in slow if one.values[0] not in quick)
    return pytest.mark.parametrize("way", [*quick, *others], ids=str)


every_way = ways(USUAL)

NO_LONGER_KEPT = "No longer kept for you. It is asked for again when you pay."
IN_USE = "This voucher is in use elsewhere until %(time)s. Try again then, or pay another way."
#: What is written for eyes alone is followed by which voucher it is about.
KEEP = 'Keep it for me<span class="smartgift-visually-hidden">, voucher %(code)s</span>'
REMOVE = 'Remove <span class="smartgift-visually-hidden">voucher %(code)s</span>'
REFUSED = (
    "This voucher cannot be used here. Check the number, its capital and small letters "
    "included, or pay another way."
)
CHANGED = (
    "What is left to pay has changed, and nothing was taken. Look at the new amount, and "
    "pay again."
)
OFFLINE = (
    "The shop could not be reached. Check your connection and try again; nothing is done "
    "twice."
)
REMOVED = "Your voucher was removed. Nothing was taken from it."


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

    def words(self, message, **values):
        """Find a message, written in English here, in the language of the way."""
        return languages.pattern(self.way.language, message, **values)

    def money(self, amount):
        return languages.money(self.way.language, amount)

    def add(self, number, *, amount=None, **options):
        self.field.locator("[name=voucher_no]").fill(number)
        if amount:
            form = self.field.locator(".smartgift-vouchers__form")
            form.locator("summary").click()
            form.locator("[name=amount]").fill(amount)
        self.press("Add voucher", **options)

    def button(self, message):
        return self.field.get_by_role("button", name=self.words(message))

    def press(self, message, **options):
        self.button(message).click(**options)

    def says(self, message, **values):
        notices = self.field.locator(".smartgift-vouchers__notice")
        notice = notices.filter(has_text=self.words(message, **values))
        expect(notice).to_be_visible()

    def left_to_pay(self, amount):
        expect(self.field.locator("dd").last).to_have_text(self.money(amount))
        expect(self.page.locator("#order-summary")).to_contain_text(self.money(amount))
        card_amount = self.page.locator("#pay-form [name=card_amount]")
        expect(card_amount).to_have_value(amount)

    def stays_on_it(self, row, amount):
        words = self.words("%(amount)s stays on it.", amount=self.money(amount))
        expect(row).to_contain_text(words)

    def fill_in_card(self, number=GOOD_CARD):
        self.page.locator("[name=card_name]").fill("Jane Miller")
        self.page.locator("[name=card_number]").fill(number)

    def pay_by_card(self, number=GOOD_CARD, **options):
        self.fill_in_card(number)
        self.page.locator("#pay-form [type=submit]").click(**options)

    def pay(self, **options):
        expect(self.page.locator("[name=card_number]")).to_have_count(0)
        self.page.locator("#pay-form [type=submit]").click(**options)

    def is_thanked(self):
        heading = self.page.get_by_role("heading", level=1)
        expect(heading).to_have_text("Thank you, Jane")

    def look(self):
        """Nothing sticks out, all is in one language; with scripts axe can look, too."""
        page, way = self.page, self.way
        assert page.evaluate("document.documentElement.scrollWidth") <= way.width
        expect(self.field).to_have_attribute("lang", way.language)
        if way.language != languages.ENGLISH:
            assert languages.left_in_english(page, way.language) == []
        if way.script:
            look(page)


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
    shopper.left_to_pay("30.00")
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
    shopper.left_to_pay("30.00")
    # From the QR code on its card.
    shopper.add(f"https://gifts.example.org/v/{second}?lang=en")
    shopper.left_to_pay("0.00")
    shopper.stays_on_it(shopper.rows.nth(0), "0.00")
    shopper.stays_on_it(shopper.rows.nth(1), "20.00")
    # Nothing is left for a third one, and nothing for a card.
    expect(shopper.field.locator("[name=voucher_no]")).to_have_count(0)
    shopper.look()
    shopper.pay()

    shopper.is_thanked()
    assert (redeemed(first), redeemed(second)) == ([50], [30])
    assert sandbox.voucher(second).balance == 20


@ways(USUAL, Way(360, language="de"))
def test_a_part_of_a_voucher_pays(shopper, new_voucher, redeemed, sandbox):
    number = new_voucher("50.00")

    shopper.add(number, amount="20")
    shopper.left_to_pay("60.00")
    shopper.stays_on_it(shopper.rows, "30.00")
    # Less of it after all.
    shopper.rows.get_by_text(shopper.words("Use only part of it")).click()
    shopper.rows.get_by_label(shopper.words("Take no more than")).fill("12,50")
    shopper.press("Change")
    shopper.says("Your voucher was changed.")
    shopper.left_to_pay("67.50")
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
    shopper.left_to_pay("30.00")

    shopper.pay_by_card(DECLINED_CARD)

    declined = shopper.page.get_by_text("Your card was declined. Nothing was taken")
    expect(declined).to_be_in_viewport()
    expect(shopper.rows).to_contain_text(shopper.words(NO_LONGER_KEPT))
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
    shopper.left_to_pay("30.00")
    sandbox.release_by_till(number)
    end_holds_in(-1)
    shopper.page.reload()
    expect(shopper.rows).to_contain_text(shopper.words(NO_LONGER_KEPT))
    shopper.left_to_pay("30.00")
    shopper.look()

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
    shopper.left_to_pay("30.00")
    sandbox.release_by_till(number)
    sandbox.hold_by_till(number)
    end_holds_in(-1)

    shopper.pay_by_card()

    told = shopper.page.get_by_text(shopper.words(IN_USE))
    expect(told).to_contain_text(re.compile(r"\d\d:\d\d"))
    assert redeemed(number) == []
    shopper.look()
    # Without it the card pays all of it.
    shopper.press(REMOVE)
    shopper.says(REMOVED)
    shopper.pay_by_card()
    shopper.is_thanked()
    assert redeemed(number) == []


@every_way
def test_a_voucher_is_kept_for_whoever_asks(
    shopper, new_voucher, redeemed, sandbox, end_holds_in
):
    number = new_voucher("50.00")
    shopper.add(number)
    shopper.left_to_pay("30.00")
    keep = shopper.button(KEEP)
    # With the script it is shown when it is needed.
    expect(keep).to_be_visible(visible=not shopper.way.script)
    end_holds_in(50)
    shopper.page.reload()
    expect(keep).to_be_visible()
    shopper.look()

    keep.click()

    shopper.says("Your voucher is kept for you.")
    expect(shopper.rows).to_contain_text(shopper.words("Kept for you until %(time)s."))
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
    shopper.says(IN_USE)
    shopper.look()
    sandbox.release_by_till(number)
    if shopper.way.script:
        shopper.says("If you leave this page open, it is tried once more for you then.")
        # Nobody presses anything.
        shopper.page.clock.fast_forward(310_000)
    else:
        shopper.add(number)

    shopper.left_to_pay("30.00")
    assert sandbox.voucher(number).hold is not None


@every_way
def test_two_tabs_of_one_customer(shopper, windows, path, new_voucher, redeemed):
    other = Shopper(windows.open_tab(shopper.page.context, path), shopper.way)
    number = new_voucher("50.00")

    shopper.add(number)
    shopper.left_to_pay("30.00")
    if shopper.way.script:
        other.left_to_pay("30.00")
        other.page.bring_to_front()
    else:
        # It shows what was due when it was loaded, and no other amount is taken.
        other.pay_by_card()
        told = other.page.get_by_text(shopper.words(CHANGED))
        expect(told).to_be_visible()
        other.left_to_pay("30.00")
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
    shopper.left_to_pay("30.00")
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
    shopper.left_to_pay("30.00")
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
    shopper.says(REFUSED)
    page.reload()
    expect(shopper.field.locator(".smartgift-vouchers__notice")).to_have_count(0)
    expect(shopper.field.locator("[name=voucher_no]")).to_have_value("")
    shopper.add(number)
    shopper.says("Your voucher was added.")
    page.reload()
    shopper.left_to_pay("30.00")
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
        shopper.says(OFFLINE)
        expect(shopper.field.locator("[name=voucher_no]")).to_have_value(number)
        page.context.set_offline(False)
        shopper.press("Add voucher")
    else:
        # The browser says it by a page of its own.
        expect(shopper.field).to_have_count(0)
        page.context.set_offline(False)
        page.goto(path)
        shopper.add(number)
    shopper.left_to_pay("30.00")

    # The shop's own form is a plain one in either case.
    shopper.fill_in_card()
    page.context.set_offline(True)
    page.locator("#pay-form [type=submit]").click(no_wait_after=True)
    expect(shopper.field).to_have_count(0)
    assert redeemed(number) == []
    page.context.set_offline(False)
    page.goto(path)
    shopper.left_to_pay("30.00")
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
    shopper.says(REFUSED)
    # The focus is on what is to be mended.
    expect(shopper.field.locator("[name=voucher_no]")).to_be_focused()
    keys.press("Control+A")
    keys.type(number)
    keys.press("Enter")
    shopper.left_to_pay("30.00")
    expect(shopper.field.locator("[name=voucher_no]")).to_be_focused()
    keys.type(other)
    keys.press("Enter")
    shopper.left_to_pay("0.00")
    # Nothing is left to fill in there, so it is on the whole field.
    expect(shopper.field).to_be_focused()

    # Only a part of the first one.
    tab_to(page, "Use only part of it")
    keys.press("Enter")
    tab_to(page, "amount")
    keys.type("20")
    keys.press("Enter")
    shopper.left_to_pay("10.00")
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
    shopper.left_to_pay("60.00")
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
    shopper.says(REFUSED)
    look(page)
    shopper.add(number, amount="45")
    shopper.left_to_pay("35.00")
    look(page)
    end_holds_in(50)
    page.reload()
    shopper.press(KEEP)
    shopper.says("Your voucher is kept for you.")
    look(page)
    shopper.pay_by_card()
    shopper.is_thanked()
    assert redeemed(number) == [45]


def test_nothing_moves_for_whoever_wants_that(windows, visitor, path, new_voucher):
    page = windows.open(path, visitor=visitor, reduced_motion="reduce")
    shopper = Shopper(page, Way(1280))

    shopper.add(new_voucher("50.00"))
    shopper.left_to_pay("30.00")

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
