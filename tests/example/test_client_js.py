"""The client for the browser, in a real one, against the shop that is served."""

import itertools
import json
import threading
import time

import pytest
import requests

from tests.example.shop import SERVER_KEY
from wagtail_smartgift.exceptions import ERROR_CODES
from wagtail_smartgift.sandbox import Fault


pytestmark = pytest.mark.browser

_references = itertools.count(1)
REDEMPTIONS = "**/payment-session/redemptions"
HARNESS = """async ({body, secret, options}) => {
  const module = await import("/static/wagtail_smartgift/smartgift.js");
  const client = new module.SmartGift({
    baseUrl: "/smartgift/api", clientSecret: secret, ...options});
  const run = Object.getPrototypeOf(async () => {}).constructor;
  try {
    return await (new run("client", "module", body))(client, module);
  } catch (error) {
    return {failed: error.name, isOurs: error instanceof module.SmartGiftError, ...error};
  }
}"""


class Console:
    """Runs code on a page of the shop, with a client of one payment."""

    def __init__(self, page, secret):
        self.page = page
        self.secret = secret
        self.asked = []

    def run(self, body, *, secret=None, **options):
        """Run ``body``, which sees ``client`` and ``module``; an error is a result."""
        return self.page.evaluate(
            HARNESS,
            {"body": body, "secret": secret or self.secret, "options": options},
        )

    def asked_for(self, word):
        return [one for one in self.asked if word in one.url]

    def keys(self):
        return [
            one.headers.get("idempotency-key") for one in self.asked_for("/redemptions")
        ]


@pytest.fixture(scope="module")
def blank_page(chromium, shop):
    """An empty page with the shop's address, one for all: opening is what takes time."""
    context = chromium.new_context(base_url=shop.url)
    page = context.new_page()
    page.route("**/blank", lambda route: route.fulfill(body="<!DOCTYPE html>"))
    page.goto("/blank")
    yield page
    context.close()


@pytest.fixture
def console(blank_page, shop):
    reference = f"client-{next(_references)}"
    opened = requests.post(
        f"{shop.url}/smartgift/api/server/payment-sessions",
        headers={"Authorization": f"Bearer {SERVER_KEY}"},
        json={"reference": reference, "amount_due": "80.00"},
        timeout=30,
    )
    console = Console(blank_page, opened.json()["client_secret"])

    def listen(request):
        console.asked.append(request)

    blank_page.on("request", listen)
    yield console
    blank_page.remove_listener("request", listen)
    blank_page.unroute_all()


def fail_once(page, pattern, answer):
    """Let ``answer(route)`` stand in for the first answer; return what was asked."""
    asked = []

    def handle(route):
        asked.append(route.request)
        if len(asked) == 1:
            answer(route)
        else:
            route.continue_()

    page.route(pattern, handle)
    return asked


def always(page, pattern, **answer):
    asked = []

    def handle(route):
        asked.append(route.request)
        route.fulfill(**answer)

    page.route(pattern, handle)
    return asked


def a_problem(code, status, retry_after=None, **more):
    headers = {"Content-Type": "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    body = {"code": code, "status": status, "detail": f"Said of {code}.", **more}
    return {"status": status, "headers": headers, "body": json.dumps(body)}


# -- the calls ------------------------------------------------------------------


def test_a_voucher_is_added_changed_and_removed(console, sandbox, new_voucher):
    number = new_voucher("50.00")

    added = console.run(f"return client.addVoucher('{number}')")
    assert added["amount_remaining"] == "30.00"
    assert sandbox.voucher(number).hold is not None

    changed = console.run(
        f"return client.changeVoucher('{number}', {{amount: '20.00'}})"
    )
    assert changed["amount_covered"] == "20.00"
    [redemption] = changed["redemptions"]
    assert redemption["id"] == added["redemptions"][0]["id"]

    kept = console.run(f"return client.renewHold('{redemption['id']}')")
    # Its time has just begun, so nothing was asked for.
    assert kept["redemptions"] == changed["redemptions"]
    assert len(sandbox.ledger(event="hold", voucher_no=number)) == 1

    removed = f"await client.removeVoucher('{redemption['id']}')"
    assert (
        console.run(f"{removed}; {removed}; return client.session()")["redemptions"]
        == []
    )
    assert sandbox.voucher(number).hold is None


def test_an_unchanged_list_is_not_sent_again(console):
    answers = []

    def note(response):
        # The page's own files may still be coming in.
        if "/api/vouchers" in response.url:
            answers.append(response.status)

    console.page.on("response", note)

    first, second, other = console.run(
        """
        const first = await client.vouchers({type: "monetary"});
        const count = first.items.length;
        first.items.length = 0;  // What the caller does to it stays the caller's.
        const second = await client.vouchers({type: "monetary"});
        return [count, second.items.length, (await client.vouchers()).items.length];
        """
    )

    assert answers == [200, 304, 200]
    assert first == second < other


def test_a_product_and_a_balance(console, new_voucher):
    number = new_voucher("12.50")

    product, balance, missing = console.run(
        f"""
        const [item] = (await client.vouchers()).items;
        const missing = await client.voucher(999999).catch((error) => error.code);
        return [(await client.voucher(item.id)).id === item.id,
                await client.balance("{number}"), missing];
        """
    )

    assert product is True
    assert balance == {
        "type": "monetary",
        "balance": "12.50",
        "experiences": [],
        "held_until": None,
    }
    assert missing == "not_found"


def test_the_site_and_the_language_are_sent(console):
    console.run(
        "await client.vouchers(); await client.balance('X').catch(() => {})",
        site="localhost",
        language="cy",
    )
    listed, asked = console.asked_for("/api/")

    assert "site=localhost" in listed.url
    assert listed.headers["accept-language"] == "cy"
    assert json.loads(asked.post_data)["site"] == "localhost"


# -- what goes wrong --------------------------------------------------------------


def test_a_refusal_is_an_error_with_its_code(console, sandbox, new_voucher):
    held = new_voucher()
    sandbox.hold_by_till(held)

    unusable = console.run("return client.addVoucher('NO-SUCH-NUMBER')")
    assert unusable["failed"] == "SmartGiftError"
    assert (unusable["code"], unusable["status"]) == ("voucher_not_usable", 422)
    assert unusable["detail"].startswith("This voucher cannot be used here.")
    elsewhere = console.run(f"return client.addVoucher('{held}')")
    assert elsewhere["code"] == "voucher_held"
    assert 0 < elsewhere["retryAfter"] <= 300
    wrong = console.run("return client.addVoucher('X', {amount: 'all'})")
    assert wrong["code"] == "invalid"
    assert set(wrong["fields"]) == {"amount"}
    stranger = console.run("return client.session()", secret="sgs_nobody")
    assert (stranger["code"], stranger["status"]) == ("unauthenticated", 401)
    # No refusal is asked about twice.
    assert len(console.asked_for("/api/")) == 4


@pytest.mark.parametrize(
    "status", sorted({status for status, _ in ERROR_CODES.values()})
)
def test_every_code_of_the_api_arrives(console, status):
    asked, got = 0, {}
    for code in (code for code, (of, _title) in ERROR_CODES.items() if of == status):
        console.page.unroute_all()
        seen = always(
            console.page,
            REDEMPTIONS,
            **a_problem(code, status, "40", errors=[{"field": "f", "message": "m"}]),
        )
        got[code] = console.run("return client.addVoucher('X')")
        asked += len(seen)

    for code, error in got.items():
        assert error["isOurs"]
        assert (error["code"], error["status"]) == (code, status)
        assert error["detail"] == f"Said of {code}."
        assert error["fields"] == {"f": "m"}
        assert error["retryAfter"] == 40
    assert asked == len(got)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"status": 200, "body": "<h1>Welcome</h1>"}, "unexpected"),
        ({"status": 200, "body": "[1"}, "unexpected"),
        ({"status": 200, "body": '"text"'}, "unexpected"),
        ({"status": 502, "body": "<h1>Bad gateway</h1>"}, "unexpected"),
        ({"status": 404, "body": '{"detail": "none of ours"}'}, "unexpected"),
        ({"status": 307, "headers": {"Location": "/account/login/"}}, "network"),
    ],
)
def test_an_answer_that_is_not_the_api_s_has_a_code(console, answer, code):
    always(console.page, "**/api/balance", **answer)

    got = console.run("return client.balance('X')")

    assert (got["code"], got["detail"], got["fields"]) == (code, "", {})
    assert got["status"] == (answer["status"] if code == "unexpected" else 0)


def test_a_lost_answer_is_asked_for_again_under_the_same_key(
    console, sandbox, new_voucher
):
    number = new_voucher("50.00")

    def lose(route):
        assert route.fetch().status == 201
        route.abort()

    fail_once(console.page, REDEMPTIONS, lose)
    added = console.run(f"return client.addVoucher('{number}')")

    assert added["amount_covered"] == "50.00"
    keys = console.keys()
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32


def test_a_connection_that_is_lost_while_the_voucher_is_being_held(
    console, shop, sandbox, new_voucher
):
    """The shop is still at work on it when it is asked again: its answer is waited for."""
    number = new_voucher("50.00")
    sandbox.faults.add(Fault("hold", "slow", seconds=2.5, voucher_no=number))
    began, first, statuses = [], [], []

    def lose(route):
        headers = route.request.all_headers()
        body = route.request.post_data_buffer

        def ask():
            answer = requests.post(
                route.request.url, data=body, headers=headers, timeout=30
            )
            first.append(answer.status_code)

        began.append(threading.Thread(target=ask))
        began[0].start()
        while sandbox.faults.active():
            time.sleep(0.05)
        route.abort()

    def note(response):
        # Whatever else the page loads meanwhile.
        if response.url.endswith("/redemptions"):
            statuses.append(response.status)

    console.page.on("response", note)
    fail_once(console.page, REDEMPTIONS, lose)
    added = console.run(f"return client.addVoucher('{number}')")
    began[0].join(30)

    assert first == [201]
    assert added["amount_covered"] == "50.00"
    assert (statuses[0], statuses[-1]) == (409, 201)
    assert 3 <= len(console.keys()) <= 6
    assert len(set(console.keys())) == 1
    # Held once, and looked at once.
    asked = [one for one in sandbox.log() if one.request.get("voucher_no") == number]
    assert [one.operation for one in asked] == ["hold", "check"]


def test_a_lost_network_is_given_up_and_the_key_survives(console, new_voucher):
    number = new_voucher("50.00")
    console.page.route(REDEMPTIONS, lambda route: route.abort())

    lost = console.run(f"return client.addVoucher('{number}')")
    assert (lost["code"], lost["status"], lost["detail"]) == ("network", 0, "")
    assert console.keys() == [lost["idempotencyKey"]] * 3

    console.page.unroute_all()
    key = lost["idempotencyKey"]
    again = console.run(
        f"return client.addVoucher('{number}', {{idempotencyKey: '{key}'}})"
    )
    assert again["amount_covered"] == "50.00"
    assert console.keys()[-1] == key


def test_each_intent_has_a_key_of_its_own(console, new_voucher):
    numbers = new_voucher(), new_voucher()

    for number in numbers:
        console.run(f"return client.addVoucher('{number}')")

    assert len(set(console.keys())) == 2


def test_busy_is_waited_for_as_long_as_it_says(console, new_voucher):
    number = new_voucher("50.00")
    busy = a_problem("busy", 503, "1")
    asked = fail_once(console.page, REDEMPTIONS, lambda route: route.fulfill(**busy))

    took, added = console.run(
        f"""
        const begun = performance.now();
        const added = await client.addVoucher("{number}");
        return [performance.now() - begun, added];
        """
    )

    assert added["amount_covered"] == "50.00"
    assert took >= 1000
    assert len(asked) == 2


def test_a_long_wait_is_the_customer_s_to_decide(console):
    asked = always(console.page, "**/payment-session", **a_problem("busy", 503, "60"))

    got = console.run("return client.session()")

    assert (got["code"], got["retryAfter"], len(asked)) == ("busy", 60, 1)


def test_a_look_at_a_balance_is_never_repeated(console):
    asked = []
    console.page.route("**/api/balance", lambda route: (asked.append(1), route.abort()))

    assert console.run("return client.balance('X')")["code"] == "network"
    assert len(asked) == 1


def test_when_to_try_again_is_a_table(console):
    network = {"code": "network", "status": 0, "retryAfter": None}
    busy = {"code": "busy", "status": 503, "retryAfter": 2}
    working = {"code": "in_progress", "status": 409, "retryAfter": 1}
    cases = [
        (network, True, 0, 500),
        (network, True, 1, 2000),
        (network, True, 2, None),
        (network, False, 0, None),
        (busy, True, 0, 2000),
        (busy, True, 2, None),
        (busy, False, 0, None),
        ({**busy, "retryAfter": 8}, True, 0, 8000),
        ({**busy, "retryAfter": 9}, True, 0, None),
        ({**busy, "retryAfter": None}, True, 0, None),
        ({**busy, "status": 429}, True, 0, None),
        ({**busy, "status": 409}, True, 0, None),
        ({**busy, "status": 500}, True, 0, None),
        ({"code": "unexpected", "status": 502, "retryAfter": None}, True, 0, None),
        (working, True, 0, 1000),
        (working, True, 5, 5000),
        (working, True, 8, 8000),
        (working, True, 9, None),
        (working, False, 0, None),
        ({**working, "retryAfter": None}, True, 0, None),
        ({**working, "retryAfter": 60}, True, 0, None),
    ]

    got = console.run(
        f"""return {json.dumps(cases)}.map(([error, safe, attempt]) =>
            module.retryDelay(error, {{safe, attempt, random: () => 1}}))"""
    )

    assert got == [delay for *_, delay in cases]
    assert (
        console.run(
            f"""return module.retryDelay({json.dumps(network)},
                {{safe: true, attempt: 0, random: () => 0}})"""
        )
        == 250
    )


def test_it_stops_when_told_to(console):
    always(console.page, "**/payment-session", **a_problem("busy", 503, "5"))

    before, meanwhile, took = console.run(
        """
        const before = await client.session({signal: AbortSignal.abort()})
          .catch((error) => error.name);
        const begun = performance.now();
        const meanwhile = await client.session({signal: AbortSignal.timeout(300)})
          .catch((error) => error.name);
        return [before, meanwhile, performance.now() - begun];
        """
    )

    assert (before, meanwhile) == ("AbortError", "TimeoutError")
    assert took < 4000
    assert len(console.asked_for("/payment-session")) == 1


def test_a_server_that_does_not_answer_is_no_network(console):
    console.page.route("**/payment-session", lambda route: None)

    got = console.run("return client.session()", timeout=400)

    assert got["code"] == "network"
    assert len(console.asked_for("/payment-session")) == 1


# -- secrets, and time ------------------------------------------------------------


def test_secret_and_number_are_kept_nowhere(console, new_voucher):
    number = new_voucher()

    seen = console.run(
        f"""
        await client.addVoucher("{number}");
        const wrong = await client.addVoucher("NO-SUCH-NUMBER").catch((error) => error);
        return JSON.stringify([
          localStorage, sessionStorage, document.cookie, location.href, client,
          Object.getOwnPropertyNames(client), wrong, String(wrong), wrong.stack,
          performance.getEntries(), (await caches.keys()),
          (await indexedDB.databases()),
        ]);
        """
    )

    assert not {number, console.secret, "NO-SUCH-NUMBER"} & set(seen.split('"'))
    for word in (number, console.secret, "NO-SUCH-NUMBER"):
        assert word not in seen
        assert not any(word in one.url for one in console.asked)


def test_holds_are_counted_down_by_the_server_s_clock(console, new_voucher):
    number = new_voucher()

    first, later, stopped, far = console.run(
        f"""
        const session = await client.addVoucher("{number}");
        const real = Date.now;
        Date.now = () => real() + 3_600_000;
        const seen = [];
        const stop = module.watchHolds(session, (left) => seen.push(Object.values(left)[0]));
        await new Promise((resolve) => setTimeout(resolve, 1200));
        stop();
        const count = seen.length;
        await new Promise((resolve) => setTimeout(resolve, 1200));
        let far;
        module.watchHolds(session, (left) => (far = Object.values(left)[0]),
          {{since: performance.now() - 400_000}});
        return [seen[0], seen[count - 1], seen.length === count, far];
        """
    )

    assert 285 <= first <= 300
    assert first - 2 <= later <= first - 1
    assert stopped is True
    assert far == 0


def test_a_countdown_ticks_at_each_second_and_ends(console):
    seen = console.run(
        """
        const session = {now: "2026-03-01T12:00:00Z", redemptions: [
          {id: "a", held_until: "2026-03-01T12:00:02Z"}, {id: "b", held_until: null}]};
        const seen = [];
        module.watchHolds(session, (left) => seen.push(left));
        await new Promise((resolve) => setTimeout(resolve, 3000));
        module.watchHolds(session, () => seen.push("no"), {signal: AbortSignal.abort()});
        return seen;
        """
    )

    assert seen == [{"a": 2}, {"a": 1}, {"a": 0}]
