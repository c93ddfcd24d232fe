"""The voucher field with its script: no reload, nothing twice, nothing kept from anyone.

Without the script the same field is tested by ``tests/views/test_checkout.py``, the way
through the whole checkout by ``test_journeys.py``, and how each state looks, in every
width, by ``test_states.py``.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.example.browser import look
from wagtail_smartgift.sandbox import Experience, Fault


pytestmark = pytest.mark.browser

ADD = "**/smartgift/payment/vouchers/"
FIELD = "#smartgift-vouchers"


class Checkout:
    """The payment page of one order in one window."""

    def __init__(self, page):
        self.page = page
        self.sent = []
        page.on("request", lambda one: one.method == "POST" and self.sent.append(one))
        # Gone after a reload.
        page.evaluate("window.neverReloaded = true")

    @property
    def never_reloaded(self):
        return self.page.evaluate("window.neverReloaded === true")

    @property
    def field(self):
        return self.page.locator(FIELD)

    @property
    def number(self):
        return self.field.locator("[name=voucher_no]")

    def add(self, number):
        self.number.fill(number)
        self.press("Add voucher")

    def press(self, name, **options):
        self.field.get_by_role("button", name=name).click(**options)

    def says(self, words):
        """It is shown, and read out by the region that stays."""
        expect(self.field.locator(".smartgift-vouchers__notice")).to_contain_text(words)
        self.is_read_out(words)

    def is_read_out(self, words):
        expect(self.page.locator(".smartgift-live[role=status]")).to_contain_text(words)

    def left_to_pay(self, amount):
        expect(self.field.locator("dd").last).to_have_text(amount)
        # The shop's own parts follow.
        expect(self.page.locator("#order-summary")).to_contain_text(amount)
        expect(self.page.locator("#pay-form [name=card_amount]")).to_have_value(
            amount.removeprefix("£")
        )

    def focus_is_on(self, selector):
        expect(self.page.locator(selector)).to_be_focused()


@pytest.fixture
def path(visitor, shop):
    """The payment page of a new order over £80.00, which is the visitor's."""
    return visitor.order_hamper().address.removeprefix(shop.url)


@pytest.fixture
def checkout(windows, visitor, path):
    return Checkout(windows.open(path, visitor=visitor))


def test_vouchers_come_and_go_without_a_reload(checkout, new_voucher, sandbox):
    number = new_voucher("25.00")
    page = checkout.page
    page.get_by_label("Name on the card").fill("Jane Miller")

    # A number that is none: said, and left there to be mended.
    checkout.add("NO-SUCH-NUMBER")
    checkout.says("This voucher cannot be used here.")
    checkout.focus_is_on(f"{FIELD} [name=voucher_no][aria-invalid=true]")
    expect(checkout.number).to_have_value("NO-SUCH-NUMBER")
    expect(checkout.field.locator(".smartgift-vouchers__notice + form")).to_be_visible()
    look(page)

    # A good one: the field is empty for the next.
    checkout.add(number)
    checkout.says("Your voucher was added.")
    checkout.left_to_pay("£55.00")
    checkout.focus_is_on(f"{FIELD} [name=voucher_no]")
    expect(checkout.number).to_have_value("")
    expect(checkout.field.get_by_role("timer")).to_have_text(
        re.compile(r"^4:5\d left$")
    )
    assert sandbox.voucher(number).hold is not None
    look(page)

    # A part of it; the customer comes back to where it was asked for.
    row = checkout.field.locator("li")
    row.get_by_text("Use only part of it").click()
    row.get_by_label("Take no more than").fill("10")
    look(page)
    checkout.press("Change")
    checkout.says("Your voucher was changed.")
    checkout.left_to_pay("£70.00")
    expect(row.locator("summary")).to_be_focused()
    expect(row.locator("details")).not_to_have_attribute("open", "")

    # Nonsense leaves the form as it is.
    row.get_by_text("Use only part of it").click()
    row.get_by_label("Take no more than").fill("all")
    checkout.press("Change")
    checkout.says("such as 25.00")
    expect(row.get_by_label("Take no more than")).to_have_value("all")

    checkout.focus_is_on(f"{FIELD} li [name=amount][aria-invalid=true]")

    # With a new number, it is still the amount that is led to.
    checkout.field.get_by_text("Use only part of it").last.click()
    checkout.field.get_by_label("Take no more than").last.fill("some")
    checkout.add(number)
    checkout.says("such as 25.00")
    checkout.focus_is_on(f"{FIELD}-amount[aria-invalid=true]")
    look(page)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(500)
    checkout.says("such as 25.00")
    checkout.number.fill("")

    # And away again.
    checkout.press("Remove")
    checkout.says("Your voucher was removed. Nothing was taken from it.")
    checkout.focus_is_on(FIELD)
    assert sandbox.voucher(number).hold is None
    look(page)

    assert checkout.never_reloaded
    expect(page.get_by_label("Name on the card")).to_have_value("Jane Miller")
    assert number not in page.content()


@pytest.mark.slow
def test_nothing_left_to_pay_needs_no_card(checkout, new_voucher):
    number = new_voucher("100.00")
    heard = (
        "addEventListener('smartgift:change', (event) => (window.heard = event.detail))"
    )
    checkout.page.evaluate(heard)

    checkout.add(number)

    checkout.left_to_pay("£0.00")
    checkout.focus_is_on(FIELD)
    assert checkout.page.evaluate("window.heard") == {
        "status": "open",
        "amountCovered": "80.00",
        "amountRemaining": "0.00",
    }
    look(checkout.page)
    checkout.page.get_by_role("button", name="Pay with your vouchers").click()
    expect(checkout.page.get_by_role("heading", level=1)).to_contain_text("Thank you")


@pytest.mark.slow
def test_experiences_are_chosen(checkout, sandbox, new_voucher):
    tea, walk = "Afternoon tea for two", "A walk to the weir with our gardener"
    outing = [Experience(2, tea), Experience(8, walk)]
    number = new_voucher(None, experiences=outing)
    checkout.add(number)
    # £84.00 of £80.00
    checkout.left_to_pay("£0.00")

    row = checkout.field.locator("li")
    row.get_by_text("Choose the experiences").click()
    row.get_by_label(walk).uncheck()
    look(checkout.page)
    checkout.press("Change")

    checkout.says("Your voucher was changed.")
    row.get_by_text("Choose the experiences").click()
    expect(row.get_by_label(walk)).not_to_be_checked()
    expect(row.get_by_label(tea)).to_be_checked()
    checkout.left_to_pay("£21.00")
    assert checkout.never_reloaded


def test_a_double_click_sends_once(checkout, new_voucher, sandbox):
    number = new_voucher("25.00")
    # Long enough to be said, too.
    sandbox.faults.add(Fault("hold", "slow", seconds=1.5))
    checkout.number.fill(number)

    checkout.press("Add voucher", click_count=2)
    checkout.number.press("Enter")

    expect(checkout.field).to_have_attribute("aria-busy", "true")
    checkout.is_read_out("One moment, please.")
    look(checkout.page)
    checkout.says("Your voucher was added.")
    expect(checkout.field).not_to_have_attribute("aria-busy", "true")
    assert len(checkout.sent) == 1
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 1
    checkout.left_to_pay("£55.00")


@pytest.mark.slow
def test_no_network_is_said_and_nothing_is_lost(checkout, new_voucher):
    number = new_voucher("25.00")
    checkout.page.route(ADD, lambda route: route.abort())

    checkout.add(number)
    checkout.says("The shop could not be reached.")
    expect(checkout.number).to_have_value(number)
    look(checkout.page)
    assert len(checkout.sent) == 1

    checkout.page.unroute_all()
    checkout.press("Add voucher")
    checkout.says("Your voucher was added.")
    expect(checkout.field.locator(".smartgift-vouchers__notice")).to_have_count(1)
    assert checkout.never_reloaded


def test_a_lost_answer_is_made_up_for_when_the_network_is_back(
    checkout, new_voucher, sandbox
):
    number = new_voucher("25.00")

    def lose(route):
        route.fetch(max_redirects=0)
        route.abort()

    checkout.page.route(ADD, lose)
    checkout.add(number)
    checkout.says("The shop could not be reached.")
    assert sandbox.voucher(number).hold is not None

    checkout.page.evaluate("dispatchEvent(new Event('online'))")

    checkout.left_to_pay("£55.00")
    assert checkout.never_reloaded
    assert len(checkout.sent) == 1


@pytest.mark.slow
def test_a_page_that_cannot_be_read_is_read_when_it_can(checkout, new_voucher, path):
    number = new_voucher("25.00")
    checkout.page.route(f"**{path}", lambda route: route.abort())

    checkout.add(number)
    checkout.says("The shop could not be reached.")
    checkout.page.unroute_all()
    checkout.page.evaluate("dispatchEvent(new Event('online'))")

    checkout.left_to_pay("£55.00")
    assert checkout.never_reloaded


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503, "headers": {"Retry-After": "1"}, "body": "Back soon."},
        {"status": 403, "body": "<h1>CSRF</h1>"},
        {"status": 200, "body": "<h1>Welcome</h1>"},
    ],
    ids=lambda answer: str(answer["status"]),
)
@pytest.mark.slow
def test_what_nobody_expects_is_left_to_the_plain_form(checkout, new_voucher, answer):
    number = new_voucher("25.00")
    answers = iter([answer])

    def handle(route):
        unexpected = next(answers, None)
        if unexpected:
            route.fulfill(**unexpected)
        else:
            route.continue_()

    checkout.page.route(ADD, handle)
    checkout.add(number)

    expect(checkout.page.get_by_text("Your voucher was added.")).to_be_visible()
    assert not checkout.never_reloaded
    assert [one.is_navigation_request() for one in checkout.sent] == [False, True]


NOTICE = "smartgift-notice"


def strip_of_requests(route):
    headers = route.request.headers
    headers.pop(NOTICE, None)
    route.continue_(headers=headers)


def strip_of_answers(route):
    answer = route.fetch(max_redirects=0)
    headers = answer.headers
    headers.pop(NOTICE, None)
    route.fulfill(response=answer, headers=headers)


@pytest.fixture
def behind_a_proxy(checkout, path):
    """Put a proxy that drops the header before the forms and the page."""

    def put(strip):
        checkout.page.route("**/smartgift/payment/vouchers/**", strip)
        checkout.page.route(f"**{path}", strip)

    return put


def test_a_proxy_that_drops_the_header_of_forms_changes_nothing(
    checkout, new_voucher, sandbox, behind_a_proxy
):
    number = new_voucher("25.00")
    behind_a_proxy(strip_of_requests)

    checkout.add("NO-SUCH-NUMBER")
    checkout.says("This voucher cannot be used here.")
    checkout.focus_is_on(f"{FIELD} [name=voucher_no][aria-invalid=true]")
    checkout.add(number)
    checkout.says("Your voucher was added.")
    checkout.left_to_pay("£55.00")
    expect(checkout.number).to_have_value("")
    checkout.press("Remove")
    checkout.says("Your voucher was removed.")

    assert checkout.never_reloaded
    assert len(checkout.sent) == 3
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 1


def test_a_proxy_that_drops_the_header_of_answers_takes_the_words_alone(
    checkout, new_voucher, sandbox, behind_a_proxy, end_holds_in
):
    number = new_voucher("25.00")
    behind_a_proxy(strip_of_answers)

    checkout.add(number)
    checkout.left_to_pay("£55.00")
    end_holds_in(30)
    checkout.page.evaluate("dispatchEvent(new Event('online'))")
    checkout.press("Keep it for me")
    expect(checkout.field.get_by_role("timer")).to_have_text(re.compile("^4:5"))
    checkout.press("Remove")
    expect(checkout.field.locator("li")).to_have_count(0)
    expect(checkout.page.locator("#pay-form [name=card_amount]")).to_have_value("80.00")

    expect(checkout.field.locator(".smartgift-vouchers__notice")).to_have_count(0)
    assert checkout.never_reloaded
    assert len(checkout.sent) == 3
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 2


@pytest.mark.slow
def test_why_it_is_paused_is_said(checkout, new_voucher, sandbox):
    held, busy = new_voucher("25.00"), new_voucher("25.00")
    sandbox.hold_by_till(held)

    checkout.add(held)
    checkout.says("This voucher is in use elsewhere until")
    look(checkout.page)
    sandbox.faults.add(Fault("hold", "unauthorised", times=None))
    checkout.add(busy)
    checkout.says("Vouchers cannot be reached at the moment and nothing was taken.")
    expect(checkout.number).to_have_value(busy)
    assert checkout.never_reloaded


def test_the_end_of_a_hold_is_counted_down_to_and_said(
    checkout, new_voucher, end_holds_in, sandbox
):
    number = new_voucher("10.00")
    checkout.add(number)
    checkout.says("Your voucher was added.")
    keep = checkout.field.get_by_role("button", name="Keep it for me")
    expect(keep).to_be_hidden()
    checkout.page.get_by_label("Name on the card").fill("Jane Miller")
    checkout.number.fill("half a num")

    # One more minute is said once.
    end_holds_in(62)
    checkout.page.evaluate("dispatchEvent(new Event('online'))")
    expect(checkout.field.get_by_role("timer")).to_have_text(re.compile("^1:0"))
    checkout.is_read_out(
        "is kept for you for one more minute. To keep it longer, press"
    )
    # It has come without taking the focus from whoever is typing.
    expect(keep).to_be_visible()
    checkout.focus_is_on(f"{FIELD} [name=voucher_no]")
    expect(checkout.field.get_by_role("timer")).to_have_text(re.compile("^0:5"))

    # The end is seen without a reload, and disturbs nobody who is typing.
    end_holds_in(2.5)
    checkout.page.evaluate("dispatchEvent(new Event('online'))")
    expect(checkout.field.get_by_role("timer")).to_have_text(
        re.compile("^0:0[12] left")
    )
    checkout.is_read_out("is no longer kept for you.")
    expect(checkout.field.get_by_text("No longer kept for you.")).to_be_visible()
    expect(checkout.field.get_by_role("timer")).to_have_count(0)
    checkout.focus_is_on(f"{FIELD} [name=voucher_no]")
    expect(checkout.number).to_have_value("half a num")
    expect(checkout.page.get_by_label("Name on the card")).to_have_value("Jane Miller")
    checkout.left_to_pay("£70.00")
    look(checkout.page)
    assert checkout.never_reloaded

    # It was renewed by nobody: 80 pages that did it would use up the quota.
    assert len(checkout.sent) == 1
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 1
    sandbox.release_by_till(number)
    keep.click()
    checkout.says("Your voucher is kept for you.")
    expect(checkout.field.locator("li")).to_be_focused()
    expect(checkout.number).to_have_value("half a num")
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 2


@pytest.mark.slow
def test_a_renewal_that_came_too_late_is_told_beside_its_voucher(
    checkout, new_voucher, sandbox, end_holds_in
):
    number = new_voucher("10.00")
    checkout.add(new_voucher("10.00"))
    checkout.left_to_pay("£70.00")
    checkout.add(number)
    checkout.left_to_pay("£60.00")
    sandbox.release_by_till(number)
    sandbox.hold_by_till(number)
    end_holds_in(-1, display_code=f"%{number[-4:]}")
    checkout.page.evaluate("dispatchEvent(new Event('online'))")

    row = checkout.field.locator("li").last
    row.get_by_role("button", name="Keep it for me").click()

    checkout.says("Somebody else was faster: this voucher is in use elsewhere until")
    expect(row.locator(".smartgift-vouchers__notice")).to_be_visible()
    expect(row).to_be_focused()
    look(checkout.page)
    # The customer has asked once, so it is asked for once.
    assert len(checkout.sent) == 3


def refuse_as_held(checkout, sandbox, number):
    sandbox.hold_by_till(number)
    checkout.page.clock.install()
    checkout.add(number)
    checkout.says("it is tried once more for you then.")


def test_a_number_in_use_is_tried_once_more_and_only_once(
    checkout, new_voucher, sandbox
):
    number, clock = new_voucher("25.00"), checkout.page.clock
    refuse_as_held(checkout, sandbox, number)

    clock.fast_forward(240_000)
    checkout.page.wait_for_timeout(200)
    assert len(checkout.sent) == 1
    with checkout.page.expect_request(ADD):
        clock.fast_forward(70_000)

    # It still is. From here on it is the customer's to try again.
    notice = checkout.field.locator(".smartgift-vouchers__notice")
    expect(notice).to_have_text(re.compile("Try again then, or pay another way.$"))
    clock.fast_forward(900_000)
    checkout.page.wait_for_timeout(200)
    assert len(checkout.sent) == 2
    # It is remembered by the field it was typed into, and nowhere else.
    expect(checkout.number).to_have_value(number)
    kept = checkout.page.evaluate(
        "JSON.stringify([location.href, history.state, {...localStorage},"
        " {...sessionStorage}, document.cookie])"
    )
    assert number not in kept


def test_a_promised_try_outlives_whatever_else_is_done(checkout, new_voucher, sandbox):
    number, page, clock = new_voucher("25.00"), checkout.page, checkout.page.clock
    checkout.add(new_voucher("10.00"))
    checkout.left_to_pay("£70.00")
    checkout.add(kept := new_voucher("5.00"))
    checkout.left_to_pay("£65.00")
    refuse_as_held(checkout, sandbox, number)

    # Another notice comes in between.
    checkout.field.get_by_role("button", name="Remove").first.click()
    checkout.says("Your voucher was removed.")
    checkout.left_to_pay("£75.00")
    expect(checkout.number).to_have_value(number)

    # And something is being sent when its time has come.
    sandbox.release_by_till(number)
    clock.fast_forward(290_000)
    waiting = []
    page.route("**/vouchers/remove/", lambda route: waiting.append(route))
    checkout.press("Remove")
    expect(checkout.field).to_have_attribute("aria-busy", "true")
    clock.fast_forward(25_000)
    page.wait_for_timeout(300)
    assert len(checkout.sent) == 5
    waiting[0].continue_()

    checkout.left_to_pay("£55.00")
    checkout.says("Your voucher was added.")
    expect(checkout.number).to_have_value("")
    assert sandbox.voucher(kept).hold is None


@pytest.mark.slow
def test_nobody_is_tried_for_who_looks_elsewhere(checkout, new_voucher, sandbox):
    number, page = new_voucher("25.00"), checkout.page
    refuse_as_held(checkout, sandbox, number)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { get: () => window.away })"
    )
    sandbox.release_by_till(number)

    page.evaluate("window.away = true")
    page.clock.fast_forward(400_000)
    page.wait_for_timeout(300)
    assert len(checkout.sent) == 1

    page.evaluate(
        "window.away = false; document.dispatchEvent(new Event('visibilitychange'))"
    )
    checkout.left_to_pay("£55.00")
    assert len(checkout.sent) == 2


@pytest.mark.slow
def test_another_number_is_not_tried_by_itself(checkout, new_voucher, sandbox):
    refuse_as_held(checkout, sandbox, new_voucher("25.00"))

    checkout.number.fill(new_voucher("25.00"))
    checkout.page.clock.fast_forward(400_000)
    checkout.page.wait_for_timeout(300)

    assert len(checkout.sent) == 1


@pytest.mark.slow
def test_a_wrong_clock_of_the_customer_changes_nothing(
    windows, visitor, path, new_voucher
):
    visitor.add_voucher(new_voucher("10.00"))
    ahead = "const real = Date.now; Date.now = () => real() + 3_600_000;"

    page = windows.open(path, visitor=visitor, scripts=ahead)

    expect(page.get_by_role("timer")).to_have_text(re.compile(r"^4:[45]\d left$"))


@pytest.mark.slow
def test_two_tabs_are_in_step(checkout, windows, path, new_voucher):
    other = Checkout(windows.open_tab(checkout.page.context, path))
    other.page.get_by_label("Name on the card").fill("Jane Miller")

    checkout.add(new_voucher("25.00"))
    other.left_to_pay("£55.00")
    other.press("Remove")
    other.says("Your voucher was removed.")
    expect(checkout.field.locator("li")).to_have_count(0)
    assert checkout.never_reloaded
    assert other.never_reloaded
    expect(other.page.get_by_label("Name on the card")).to_have_value("Jane Miller")

    # Paid in one, the other shows the order when it is looked at again.
    checkout.add(new_voucher("100.00"))
    other.left_to_pay("£0.00")
    checkout.page.get_by_role("button", name="Pay with your vouchers").click()
    expect(checkout.page.get_by_role("heading", level=1)).to_contain_text("Thank you")
    other.page.evaluate(
        "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
    )
    expect(other.page.get_by_role("heading", level=1)).to_contain_text("Thank you")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (None, "Your voucher was added."),
        pytest.param(
            "NO-SUCH-NUMBER",
            "This voucher cannot be used here.",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["added", "refused"],
)
def test_what_came_of_a_form_is_told_by_its_own_window(
    checkout, windows, path, new_voucher, number, words
):
    other = Checkout(windows.open_tab(checkout.page.context, path))
    read = []
    other.page.on("response", lambda answer: read.append(answer.url))

    def read_by_the_other_first(route):
        while not read:
            other.page.wait_for_timeout(50)
        route.continue_()

    checkout.page.route(f"**{path}", read_by_the_other_first)
    checkout.add(number or new_voucher("25.00"))

    checkout.says(words)
    assert read
    if not number:
        other.left_to_pay("£55.00")
    expect(other.field.locator(".smartgift-vouchers__notice")).to_have_count(0)
    # Nor is it kept for whoever comes next.
    other.page.reload()
    expect(other.field.locator(".smartgift-vouchers__notice")).to_have_count(0)
    checkout.says(words)
    assert words not in other.page.content()


def test_a_page_that_is_looked_at_again_is_read_again_and_seldom(
    checkout, visitor, new_voucher
):
    asked = []

    def note(request):
        # Of a busy machine a picture of the page itself may still be on its way.
        if request.resource_type == "fetch":
            asked.append(request)

    checkout.page.on("request", note)
    look_again = "document.dispatchEvent(new Event('visibilitychange'))"
    visitor.add_voucher(new_voucher("25.00"))

    checkout.page.evaluate(look_again)
    checkout.page.wait_for_timeout(300)
    assert asked == []

    # Ten seconds later, by a clock that is moved on.
    checkout.page.evaluate(
        """() => {
          const real = performance.now.bind(performance);
          performance.now = () => real() + 11_000;
        }"""
    )
    checkout.page.evaluate(look_again)
    checkout.left_to_pay("£55.00")
    assert len(asked) == 1
    assert checkout.never_reloaded


@pytest.mark.slow
def test_an_unchanged_page_is_left_alone_its_notice_too(checkout, new_voucher):
    checkout.add(new_voucher("25.00"))
    checkout.left_to_pay("£55.00")
    checkout.page.evaluate(
        f"window.row = document.querySelector('{FIELD} li');"
        "window.panel = document.querySelector('#pay-form')"
    )

    with checkout.page.expect_response(lambda answer: answer.url.endswith("/pay/")):
        checkout.page.evaluate("dispatchEvent(new Event('online'))")
    checkout.page.wait_for_timeout(200)

    assert checkout.page.evaluate("row.isConnected && panel.isConnected")
    checkout.says("Your voucher was added.")


@pytest.mark.slow
@pytest.mark.parametrize("scripted", [True, False], ids=["script", "no script"])
def test_a_print_says_what_is_paid_and_has_nothing_to_press(
    windows, visitor, path, new_voucher, scripted
):
    visitor.add_voucher(new_voucher("25.00"))
    page = windows.open(path, visitor=visitor, java_script_enabled=scripted)
    field = page.locator(FIELD)

    page.emulate_media(media="print")

    expect(field.get_by_text("pays £25.00.")).to_be_visible()
    expect(field.locator("dd").last).to_be_visible()
    pressed = field.locator("button, input, summary, a, [role=timer]")
    assert pressed.count() > 4
    assert not any(one.is_visible() for one in pressed.all())
    page.emulate_media(media="screen")
    expect(field.get_by_role("button", name="Add voucher")).to_be_visible()


@pytest.mark.slow
def test_without_javascript_it_is_the_same_field(windows, visitor, path, new_voucher):
    page = windows.open(path, visitor=visitor, java_script_enabled=False)

    page.get_by_label("Voucher number").fill(new_voucher("25.00"))
    page.get_by_role("button", name="Add voucher").click()

    expect(page.get_by_text("Your voucher was added.")).to_be_visible()
    expect(page.get_by_role("heading", name="Pay £55.00 by card")).to_be_visible()
    expect(page.get_by_text("Kept for you until")).to_be_visible()


@pytest.mark.slow
def test_a_script_that_does_not_come_is_not_missed(windows, visitor, path, new_voucher):
    page = windows.open(path, visitor=visitor)
    page.route("**/smartgift.js", lambda route: route.abort())
    page.reload()

    page.get_by_label("Voucher number").fill(new_voucher("25.00"))
    page.get_by_role("button", name="Add voucher").click()

    expect(page.get_by_text("Your voucher was added.")).to_be_visible()


@pytest.mark.slow
def test_half_an_amount_is_not_sent_by_the_second_try(checkout, new_voucher, sandbox):
    number = new_voucher("50.00")
    refuse_as_held(checkout, sandbox, number)
    form = checkout.field.locator("form").last
    form.get_by_text("Use only part of it").click()
    # Of twenty-five.
    form.get_by_label("Take no more than").press_sequentially("2")
    sandbox.release_by_till(number)
    sent = len(checkout.sent)

    checkout.page.clock.fast_forward(310_000)
    checkout.page.clock.run_for(5_000)

    assert len(checkout.sent) == sent
    form.get_by_label("Take no more than").press_sequentially("5")
    checkout.number.focus()
    checkout.page.clock.run_for(2_000)
    checkout.left_to_pay("£55.00")


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 9])
def test_what_was_refused_is_told_after_a_proxys_error(checkout, path, times):
    errors = []

    def fail(route):
        reads = route.request.resource_type == "fetch" and route.request.method == "GET"
        if reads and len(errors) < times:
            errors.append(route)
            return route.fulfill(status=502, body="Bad gateway")
        return route.continue_()

    checkout.page.route(f"**{path}", fail)
    checkout.add("NO-SUCH-NUMBER")

    if times > 1:
        checkout.says("The shop could not be reached")
        errors += [None] * times
        checkout.page.evaluate("dispatchEvent(new Event('online'))")
    expect(checkout.field.locator(".smartgift-vouchers__notice")).to_contain_text(
        "This voucher cannot be used here"
    )
    assert checkout.never_reloaded
    assert len(checkout.sent) == 1
