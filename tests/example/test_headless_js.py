"""The page without pages: a browser pays with nothing but the JSON API."""

import re

import pytest
import requests
from playwright.sync_api import expect

from tests.example.browser import WIDTHS, look
from tests.example.shop import DECLINED_CARD, SERVER_KEY, Visitor
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
        expect(self.page.get_by_role("status").first).to_contain_text(words)

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
    expect(headless.page.get_by_text("Kept for you for 4:5")).to_have_count(2)
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
    headless.says("in use elsewhere at the moment. Try again in 5 min.")
    headless.left_to_pay("£80.00")


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
    expect(headless.page.get_by_text("asked for again when you pay")).to_be_visible()
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

    headless.says("We are confirming your vouchers. Please do not pay again.")
    headless.is_paid()
    assert redeemed(number) == [50]


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


# -- the backend ------------------------------------------------------------------


@pytest.fixture
def backend(visitor):
    """Ask the shop's backend as the page does."""
    visitor.open("/headless/")
    token = visitor.field("csrfmiddlewaretoken")

    def ask(method, path, body=None, **headers):
        return visitor.http.request(
            method,
            visitor.shop.url + path,
            json=body,
            headers={"X-CSRFToken": token, **headers},
            timeout=60,
        )

    return ask


def test_an_order_that_waits_is_found_again(backend):
    first = backend("POST", "/headless/orders/", {}).json()
    second = backend("POST", "/headless/orders/", {}).json()

    assert first["reference"] == second["reference"]
    assert first["client_secret"] != second["client_secret"]
    assert first["lines"] == [{"name": "The miller's hamper", "total": "80.00"}]
    state = backend("GET", first["url"]).json()
    assert state["status"] == "awaiting_payment"


@pytest.mark.parametrize("sent", [None, [], {}, {"card_amount": "80.00"}, "x"])
def test_nonsense_pays_nothing(backend, sent):
    order = backend("POST", "/headless/orders/", {}).json()

    refused = backend("POST", order["pay_url"], sent)

    assert refused.status_code == 409
    assert refused.json()["detail"]
    assert backend("GET", order["url"]).json()["status"] == "awaiting_payment"


def test_an_order_is_its_browser_s_alone(backend, shop):
    order = backend("POST", "/headless/orders/", {}).json()

    with Visitor(shop) as stranger:
        assert stranger.http.get(shop.url + order["url"], timeout=60).status_code == 404
        # And nobody's without a word of this site's.
        forged = stranger.http.post(shop.url + "/headless/orders/", json={}, timeout=60)
        assert forged.status_code == 403
    assert requests.get(shop.url + order["url"], timeout=60).status_code == 404
