"""The page without pages: a browser pays with nothing but the JSON API."""

import re
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from tests.example.browser import WIDTHS, look
from tests.example.shop import DECLINED_CARD, SERVER_KEY
from tests.test_amounts import AMOUNTS, NO_AMOUNTS
from wagtail_smartgift.money import parse_amount
from wagtail_smartgift.sandbox import Fault


pytestmark = pytest.mark.browser


class Headless:
    """The page, and what it asked for."""

    def __init__(self, page):
        self.page = page
        self.answers = []
        page.on("response", lambda one: self.answers.append(one))

    def begin(self):
        self.page.goto("/headless/")
        expect(self.page.get_by_label("Voucher number")).to_be_visible()
        return self

    def add(self, number):
        self.page.get_by_label("Voucher number").fill(number)
        self.page.get_by_role("button", name="Add voucher").click()

    def pay(self, **options):
        self.page.get_by_role("button", name="Pay ").click(**options)

    def says(self, words):
        """It is shown, and read out by the region that stays."""
        expect(self.page.locator("#message")).to_contain_text(words)
        self.is_read_out(words)

    def is_read_out(self, words):
        expect(self.page.locator("#spoken[role=status]")).to_contain_text(words)

    @property
    def rows(self):
        return self.page.locator("#held > li")

    @property
    def number(self):
        return self.page.locator("#number")

    @property
    def keep(self):
        return self.page.get_by_role("button", name="Keep it for me")

    @property
    def reference(self):
        """Of the order that this page is about."""
        return self.asked("POST", "/headless/orders/")[0].json()["reference"]

    def look_again(self):
        """As when the network is back: the page reads the payment anew."""
        self.page.evaluate("dispatchEvent(new Event('online'))")

    def left_to_pay(self, amount):
        expect(self.page.locator("#remaining")).to_have_text(amount)

    def is_paid(self):
        thanks = self.page.get_by_role("region", name="Thank you")
        expect(thanks).to_be_focused()
        return thanks.locator("#done-reference").inner_text()

    def asked(self, method, word):
        return [
            one
            for one in self.answers
            if one.request.method == method and word in one.url
        ]


@pytest.fixture
def headless(windows):
    return Headless(windows.open("/account/login/")).begin()


def test_an_order_is_paid_with_vouchers_and_a_card(
    headless, new_voucher, redeemed, shop
):
    first, second = new_voucher("50.00"), new_voucher("20.00")
    look(headless.page, widths=WIDTHS)

    headless.add(first)
    headless.says("Your voucher was added.")
    headless.add(second)
    headless.left_to_pay("£10.00")
    timers = headless.page.get_by_role("timer")
    expect(timers).to_have_text([re.compile(r"^4:[45]\d left$")] * 2)
    expect(headless.keep).to_have_count(0)
    look(headless.page, widths=WIDTHS)
    assert (redeemed(first), redeemed(second)) == ([], [])
    headless.pay()
    reference = headless.is_paid()
    look(headless.page, widths=WIDTHS)

    assert (redeemed(first), redeemed(second)) == ([50], [20])
    # Two doors and no other: the shop's backend, and the storefront's API.
    fetched = [one for one in headless.answers if one.request.resource_type == "fetch"]
    assert {
        re.sub(r"OM-\w+", "…", one.url.removeprefix(shop.url)) for one in fetched
    } == {
        "/headless/orders/",
        "/headless/orders/…/",
        "/headless/orders/…/pay/",
        "/smartgift/api/payment-session",
        "/smartgift/api/payment-session/redemptions",
    }
    for answer in fetched:
        assert SERVER_KEY not in str(answer.request.headers)
        assert SERVER_KEY not in answer.text()
    headless.page.get_by_role("link", name="Look at it").click()
    expect(headless.page.get_by_role("main")).to_contain_text(reference)
    expect(headless.page.get_by_role("main")).to_contain_text("Card •••• 4242")


def test_vouchers_alone_need_no_card(headless, new_voucher, redeemed):
    number = new_voucher("100.00")

    headless.add(number)
    headless.left_to_pay("£0.00")
    expect(headless.page.get_by_label("Card number")).to_be_hidden()
    expect(headless.page.get_by_label("Voucher number")).to_be_hidden()
    # Pressed twice, paid once.
    headless.pay(click_count=2)
    headless.is_paid()

    assert redeemed(number) == [80]
    assert len(headless.asked("POST", "/pay/")) == 1


@pytest.mark.slow
def test_a_refusal_is_said_and_the_number_stays(headless, new_voucher, sandbox):
    held = new_voucher("50.00")
    sandbox.hold_by_till(held)

    headless.add("NO-SUCH-NUMBER")
    headless.says("This voucher cannot be used here.")
    expect(headless.page.get_by_label("Voucher number")).to_be_focused()
    expect(headless.page.get_by_label("Voucher number")).to_have_value("NO-SUCH-NUMBER")
    look(headless.page, widths=WIDTHS)
    headless.add(held)
    headless.says("This voucher is in use elsewhere until")
    headless.left_to_pay("£80.00")
    expect(headless.number).to_have_attribute("aria-invalid", "true")


@pytest.mark.slow
def test_a_voucher_is_removed_and_a_reload_keeps_the_others(
    headless, new_voucher, sandbox
):
    kept, removed = new_voucher("20.00"), new_voucher("10.00")
    headless.add(kept)
    headless.left_to_pay("£60.00")
    headless.add(removed)
    headless.left_to_pay("£50.00")

    headless.begin()
    headless.left_to_pay("£50.00")
    name = f"Remove voucher …{removed[-4:]}"
    headless.page.get_by_role("button", name=name).click()

    headless.says("Nothing was taken from it.")
    headless.left_to_pay("£60.00")
    assert sandbox.voucher(removed).hold is None
    assert sandbox.voucher(kept).hold is not None


@pytest.mark.slow
def test_a_declined_card_takes_nothing(headless, new_voucher, redeemed):
    number = new_voucher("50.00")
    headless.add(number)
    headless.left_to_pay("£30.00")

    headless.page.get_by_label("Card number").fill(DECLINED_CARD)
    headless.pay()
    headless.says("Your card was declined.")
    expect(headless.rows.get_by_text("asked for again when you pay")).to_be_visible()
    assert redeemed(number) == []
    look(headless.page, widths=WIDTHS)

    headless.page.get_by_label("Card number").fill("4242 4242 4242 4242")
    headless.pay()
    headless.is_paid()
    assert redeemed(number) == [50]


def test_an_answer_that_was_lost_is_waited_for(
    headless, new_voucher, sandbox, redeemed
):
    number = new_voucher("50.00")
    headless.add(number)
    headless.left_to_pay("£30.00")
    sandbox.faults.add(Fault("redeem", "lost_after"))

    headless.pay()

    headless.says("We are confirming your vouchers.")
    headless.is_paid()
    assert redeemed(number) == [50]


def test_what_a_proxy_answers_in_place_of_the_shop_is_no_refusal(
    headless, new_voucher, redeemed
):
    number = new_voucher("50.00")
    headless.add(number)
    headless.left_to_pay("£30.00")
    heard = headless.page.evaluate_handle(
        """() => {
          const heard = [];
          const note = () => heard.push(document.getElementById("spoken").textContent);
          const options = { childList: true, subtree: true };
          new MutationObserver(note).observe(document.getElementById("spoken"), options);
          return heard;
        }"""
    )

    def fail(route):
        route.fetch()
        route.fulfill(status=502, body="<h1>Bad gateway</h1>", content_type="text/html")

    headless.page.route("**/pay/", fail)
    headless.pay()

    headless.is_paid()
    headless.says("Your vouchers have paid.")
    assert redeemed(number) == [50]
    assert not [words for words in heard.json_value() if "try again" in words]


@pytest.mark.slow
def test_a_shop_that_answers_no_more_asks_for_no_second_payment(
    headless, new_voucher, redeemed
):
    number = new_voucher("50.00")
    headless.add(number)
    headless.left_to_pay("£30.00")

    def fail(route):
        route.fetch()
        route.fulfill(status=502, body="Bad gateway")

    headless.page.route("**/headless/orders/**", fail)
    headless.pay()
    headless.says("The shop could not be reached.")
    expect(headless.page.get_by_role("button", name="Pay ")).to_be_hidden()
    # Each was asked once, and the page waits for a reason to ask again.
    headless.page.wait_for_timeout(1_000)
    assert len(headless.asked("POST", "/pay/")) == 1
    assert len(headless.asked("GET", "/headless/orders/")) == 1

    headless.page.unroute("**/headless/orders/**")
    headless.look_again()
    headless.is_paid()
    assert redeemed(number) == [50]


@pytest.mark.slow
def test_a_reload_while_an_order_is_confirmed_goes_on_with_it(
    headless, new_voucher, sandbox, redeemed
):
    number = new_voucher("50.00")
    headless.add(number)
    headless.left_to_pay("£30.00")
    sandbox.faults.add(Fault("redeem", "lost_after"))
    headless.pay()
    headless.says("We are confirming your vouchers.")
    reference = headless.reference

    headless.page.reload()

    headless.says("We are confirming your vouchers.")
    expect(headless.page.get_by_role("button", name="Pay ")).to_be_hidden()
    look(headless.page, widths=WIDTHS)
    assert headless.is_paid() == reference
    assert redeemed(number) == [50]
    # What was told is over.
    headless.page.get_by_role("link", name="pay for another one").click()
    headless.left_to_pay("£80.00")
    expect(headless.page.get_by_role("button", name="Pay £80.00")).to_be_visible()


@pytest.mark.slow
def test_without_a_network_the_same_intent_is_sent_again(
    headless, new_voucher, sandbox
):
    number = new_voucher("50.00")
    pattern = "**/payment-session/redemptions"
    keys = []

    def lose(route):
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    headless.page.route(pattern, lose)
    headless.add(number)
    headless.says("The shop could not be reached.")
    look(headless.page, widths=WIDTHS)
    headless.page.unroute(pattern)
    with headless.page.expect_response(pattern):
        headless.page.get_by_role("button", name="Add voucher").click()
    headless.left_to_pay("£30.00")

    [last] = headless.asked("POST", "/redemptions")
    assert {*keys, last.request.headers["idempotency-key"]} == {keys[0]}
    assert last.headers["idempotent-replayed"] == "true"
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 1


@pytest.mark.slow
def test_a_shop_that_does_not_answer_is_said(windows):
    page = windows.open("/account/login/")
    page.route("**/headless/orders/", lambda route: route.abort())

    page.goto("/headless/")

    expect(page.get_by_role("alert")).to_contain_text("The shop could not be reached.")
    expect(page.get_by_label("Voucher number")).to_be_hidden()
    look(page, widths=WIDTHS)


def test_without_javascript_the_page_says_so(windows):
    page = windows.open("/headless/", java_script_enabled=False)

    expect(page.get_by_text("Without JavaScript there is nothing")).to_be_visible()
    expect(page.get_by_label("Voucher number")).to_be_hidden()


# -- the end of a hold --------------------------------------------------------------


def test_the_end_of_a_hold_is_said_and_nothing_is_renewed_by_itself(
    headless, new_voucher, end_holds_of, sandbox
):
    number = new_voucher("10.00")
    headless.add(number)
    headless.left_to_pay("£70.00")
    expect(headless.keep).to_have_count(0)
    headless.number.fill("half a num")

    # One more minute is said; the button comes without taking the focus.
    end_holds_of(headless.reference, 62)
    headless.look_again()
    headless.is_read_out("is kept for you for one more minute. To keep it longer, ")
    expect(headless.keep).to_be_visible()
    expect(headless.number).to_be_focused()
    timer = headless.page.get_by_role("timer")
    expect(timer).to_have_text(re.compile("^0:5"))
    assert timer.get_attribute("aria-live") is None
    assert timer.evaluate("one => one.closest('[role=status]')") is None
    look(headless.page, widths=WIDTHS)

    # The end, too.
    end_holds_of(headless.reference, 2.5)
    headless.look_again()
    headless.is_read_out("is no longer kept for you.")
    expect(headless.rows.get_by_text("No longer kept for you.")).to_be_visible()
    expect(headless.number).to_be_focused()
    expect(headless.number).to_have_value("half a num")
    headless.left_to_pay("£70.00")
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 1
    assert headless.asked("POST", "/renew") == []

    # It is the customer's to ask.
    sandbox.release_by_till(number)
    headless.keep.click()
    headless.says("Your voucher is kept for you.")
    expect(headless.rows).to_be_focused()
    expect(headless.keep).to_have_count(0)
    expect(headless.number).to_have_value("half a num")
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 2


@pytest.mark.slow
def test_whoever_was_faster_is_told_of(headless, new_voucher, end_holds_of, sandbox):
    number = new_voucher("10.00")
    headless.add(number)
    headless.left_to_pay("£70.00")
    sandbox.release_by_till(number)
    sandbox.hold_by_till(number)
    end_holds_of(headless.reference, -1)
    headless.look_again()

    headless.keep.click()

    headless.says("Somebody else was faster: this voucher is in use elsewhere until")
    expect(headless.rows.locator("#message")).to_be_visible()
    # It stays, and so does the way out.
    expect(headless.keep).to_be_focused()
    expect(headless.page.get_by_role("button", name="Remove")).to_be_visible()
    headless.left_to_pay("£70.00")
    headless.page.wait_for_timeout(1_500)
    assert len(headless.asked("POST", "/renew")) == 1
    look(headless.page, widths=WIDTHS)


# -- a number that somebody else holds ----------------------------------------------


def refuse_as_held(headless, sandbox, number):
    sandbox.hold_by_till(number)
    headless.page.clock.install()
    headless.add(number)
    headless.says("If you leave this page open, it is tried once more for you then.")


def test_a_number_in_use_is_tried_once_more_and_only_once(
    headless, new_voucher, sandbox
):
    number, page = new_voucher("25.00"), headless.page
    refuse_as_held(headless, sandbox, number)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { get: () => window.away })"
    )

    # While nobody looks, nothing is tried.
    page.evaluate("window.away = true")
    page.clock.fast_forward(310_000)
    page.wait_for_timeout(200)
    assert len(headless.asked("POST", "/redemptions")) == 1
    page.evaluate("window.away = false")
    with page.expect_response("**/payment-session/redemptions"):
        page.clock.fast_forward(2_000)

    # It still is. From here on it is the customer's to try again.
    expect(page.locator("#message")).to_have_text(
        re.compile("Try again then, or pay another way.$")
    )
    page.clock.fast_forward(900_000)
    page.wait_for_timeout(200)
    assert len(headless.asked("POST", "/redemptions")) == 2
    # It is remembered by the field it was typed into, and nowhere else.
    expect(headless.number).to_have_value(number)
    kept = page.evaluate(
        "JSON.stringify([location.href, history.state, {...localStorage},"
        " {...sessionStorage}, document.cookie])"
    )
    assert number not in kept


@pytest.mark.slow
def test_another_number_is_not_tried_by_itself(headless, new_voucher, sandbox):
    number = new_voucher("25.00")
    refuse_as_held(headless, sandbox, number)
    sandbox.release_by_till(number)

    headless.number.fill(new_voucher("25.00"))
    headless.page.clock.fast_forward(310_000)
    headless.page.wait_for_timeout(200)
    assert len(headless.asked("POST", "/redemptions")) == 1


@pytest.mark.slow
def test_half_an_amount_is_not_sent_by_itself(headless, new_voucher, sandbox):
    number, page = new_voucher("50.00"), headless.page
    refuse_as_held(headless, sandbox, number)
    sandbox.release_by_till(number)

    page.get_by_text("Use only part of it").click()
    amount = page.get_by_label("Take no more than")
    amount.press_sequentially("2")
    page.clock.fast_forward(310_000)
    page.wait_for_timeout(200)
    assert len(headless.asked("POST", "/redemptions")) == 1
    headless.left_to_pay("£80.00")

    # Written to its end and left, it goes along.
    amount.press_sequentially("5")
    headless.number.focus()
    page.clock.fast_forward(2_000)
    headless.left_to_pay("£55.00")
    assert len(headless.asked("POST", "/redemptions")) == 2


# -- a part of a voucher, and what stays on it ----------------------------------------


def test_a_part_is_used_and_what_stays_is_told(headless, new_voucher, redeemed):
    number = new_voucher("50.00")
    headless.page.get_by_text("Use only part of it").click()
    amount = headless.page.get_by_label("Take no more than")

    # Nonsense is refused beside what is to be mended.
    amount.fill("some")
    headless.add(number)
    headless.says("such as 25.00")
    expect(amount).to_be_focused()
    expect(amount).to_have_attribute("aria-invalid", "true")
    expect(headless.number).to_have_attribute("aria-invalid", "false")

    amount.fill("£ 12,50")
    # The payment is read again after a refusal; a click is no second wish meanwhile.
    expect(headless.page.locator("#headless")).not_to_have_attribute(
        "aria-busy", "true"
    )
    headless.page.get_by_role("button", name="Add voucher").click()
    headless.says("Your voucher was added.")
    expect(headless.rows).to_contain_text("pays £12.50.")
    expect(headless.rows).to_contain_text("£37.50 stays on it.")
    headless.left_to_pay("£67.50")
    expect(amount).to_be_hidden()

    # The same number again, with another amount or none: that is how it is changed.
    headless.add(number)
    headless.says("Your voucher was changed.")
    expect(headless.rows).to_contain_text("£0.00 stays on it.")
    headless.left_to_pay("£30.00")
    headless.page.get_by_text("Use only part of it").click()
    amount.fill("20")
    headless.add(number)
    headless.left_to_pay("£60.00")
    headless.pay()
    headless.is_paid()
    assert redeemed(number) == [20]
    expect(headless.rows).to_contain_text("£30.00 stays on it.")
    headless.says("Your vouchers have paid.")
    expect(headless.page.get_by_role("button", name="Remove")).to_have_count(0)
    look(headless.page, widths=WIDTHS)


def test_amounts_are_read_as_the_voucher_field_reads_them(headless):
    sent = headless.page.evaluate(
        """async (typed) => {
          const { plainAmount } = await import("/static/mill/headless-words.js");
          return typed.map((text) => plainAmount(text, "GBP"));
        }""",
        [*AMOUNTS, *NO_AMOUNTS],
    )
    read, refused = sent[: len(AMOUNTS)], sent[len(AMOUNTS) :]
    for written, wanted in zip(read, AMOUNTS.values(), strict=True):
        assert parse_amount(written) == Decimal(wanted)
    for written in refused:
        with pytest.raises(ValueError, match="mount"):
            parse_amount(written)


# -- the language ----------------------------------------------------------------------


def test_words_amounts_and_the_api_are_in_one_language(windows, new_voucher, sandbox):
    page = windows.open("/language/de/?next=/account/login/")
    headless = Headless(page)
    page.goto("/headless/")
    section = page.locator("#vouchers")
    expect(section).to_have_attribute("lang", "de")
    number = new_voucher("50.00")

    def add(number):
        page.get_by_label("Gutscheinnummer").fill(number)
        page.locator("#add button").click()

    add("NO-SUCH-NUMBER")
    headless.says("Dieser Gutschein kann hier nicht verwendet werden.")
    expect(page.locator("#message")).to_have_attribute("lang", "de")
    page.locator("#part summary").click()
    page.locator("#amount").fill("12,50")
    add(number)
    headless.says("Ihr Gutschein wurde hinzugefügt.")
    headless.left_to_pay("67,50\xa0£")
    expect(headless.rows).to_contain_text("12,50\xa0£")
    assert {
        one.request.headers["accept-language"]
        for one in headless.answers
        if "/smartgift/api/" in one.url
    } == {"de"}

    # The shop's own words are English, and say so.
    page.get_by_label("Card number").fill(DECLINED_CARD)
    headless.pay()
    headless.says("Your card was declined.")
    expect(page.locator("#message")).to_have_attribute("lang", "en-GB")
    expect(page.locator("html")).to_have_attribute("lang", "en-GB")
    look(page, widths=WIDTHS)


# -- looked at again ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_payment_that_is_looked_at_again_is_read_again_and_seldom(
    headless, windows, new_voucher
):
    other = Headless(windows.open_tab(headless.page.context, "/account/login/"))
    other.begin()
    page = headless.page
    asked = len(headless.asked("GET", "/payment-session"))
    look_again = "document.dispatchEvent(new Event('visibilitychange'))"

    page.evaluate(look_again)
    page.wait_for_timeout(300)
    assert len(headless.asked("GET", "/payment-session")) == asked

    # Ten seconds later, by a clock that is moved on.
    page.evaluate(
        """() => {
          const real = performance.now.bind(performance);
          performance.now = () => real() + 11_000;
        }"""
    )
    with page.expect_response("**/payment-session"):
        page.evaluate(look_again)

    # The tabs are in step.
    other.add(new_voucher("25.00"))
    headless.left_to_pay("£55.00")

    # Paid in one, the other shows it when it comes back from the browser's cache.
    other.add(new_voucher("100.00"))
    other.left_to_pay("£0.00")
    other.pay()
    reference = other.is_paid()
    page.evaluate(
        "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
    )
    assert headless.is_paid() == reference
