"""The same shop without its pages: plain HTTP and JSON, as another front uses it."""

from decimal import Decimal

import pytest
import requests

from tests.example.shop import SERVER_KEY, Shop, Visitor
from tests.inbox import SECRET
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.testing import signed_webhook


class Api:
    """The JSON API with one credential, over one connection."""

    def __init__(self, shop, token):
        self._url = f"{shop.url}/smartgift/api/"
        self._http = requests.Session()
        self._http.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, method, path, body=None, **headers):
        return self._http.request(
            method, self._url + path, json=body, headers=headers, timeout=30
        )

    def close(self):
        self._http.close()


@pytest.fixture
def api(shop):
    opened = []

    def connect(token):
        opened.append(Api(shop, token))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def test_a_voucher_is_sold_and_then_pays_without_any_page(api, shop, sandbox, redeemed):
    server = api(SERVER_KEY)

    # given: what is on sale
    listed = requests.get(
        f"{shop.url}/smartgift/api/vouchers?type=monetary", timeout=30
    ).json()
    product = next(item for item in listed["items"] if item["max"] == "1000.00")
    assert product["url"].startswith("http")

    # when: one is bought
    order = {
        "reference": "headless-sale",
        "items": [{"product": product["id"], "price": "50.00", "to": "Rose"}],
        "customer": {
            "first_name": "Jane",
            "last_name": "Miller",
            "email": "jane@example.org",
            "address1": "1 Mill Lane",
            "city": "Bath",
            "postcode": "BA1 1AA",
        },
        "delivery": {"method": "1", "price": "0.00"},
    }
    sold = server("POST", "server/voucher-orders", order)
    assert (sold.status_code, sold.json()["status"]) == (201, "placed")
    assert server("POST", "server/voucher-orders", order).status_code == 200
    number = sold.json()["items"][0]["voucher_no"]
    sales = [sale for sale in sandbox.sales() if sale.reference == "headless-sale"]
    assert [sale.vouchers for sale in sales] == [[number]]

    # and: it pays for something, together with another
    opened = server(
        "POST",
        "server/payment-sessions",
        {"reference": "headless-1", "amount_due": "80.00"},
    )
    assert opened.status_code == 201
    customer = api(opened.json()["client_secret"])
    sandbox.add_voucher("MILL-HEADLESS", balance="20.00")
    for voucher in (number, "MILL-HEADLESS"):
        added = customer("POST", "payment-session/redemptions", {"voucher_no": voucher})
        assert added.status_code == 201
    assert added.json()["amount_remaining"] == "10.00"
    assert (redeemed(number), redeemed("MILL-HEADLESS")) == ([], [])

    path = "server/payment-sessions/headless-1"
    assert server("POST", f"{path}/prepare").status_code == 200
    confirmed = server("POST", f"{path}/confirm", {"amount_remaining": "10.00"})
    assert (confirmed.status_code, confirmed.json()["status"]) == (200, "confirmed")
    assert (redeemed(number), redeemed("MILL-HEADLESS")) == ([50], [20])

    # then: half of it goes back, the last voucher first, and then the rest
    refunded = server(
        "POST",
        f"{path}/refund",
        {"amount": "35.00"},
        **{"Idempotency-Key": "headless-refund-1"},
    )
    assert refunded.status_code == 200
    assert refunded.json()["amount_refunded"] == "35.00"
    assert (redeemed(number), redeemed("MILL-HEADLESS")) == ([35], [])
    assert server("POST", f"{path}/cancel").json()["status"] == "cancelled"
    assert (redeemed(number), redeemed("MILL-HEADLESS")) == ([], [])
    assert sandbox.voucher(number).balance == 50


def test_without_a_server_key_the_servers_calls_are_closed(filled_shop, smart_gift):
    keyless = Shop(filled_shop.folder, smart_gift.url, SMARTGIFT_SERVER_KEY="")
    with keyless.serving() as closed:
        for token in ("", SERVER_KEY):
            answer = requests.get(
                f"{closed.url}/smartgift/api/server/payment-methods",
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
            assert (answer.status_code, answer.json()["code"]) == (
                401,
                "unauthenticated",
            )


def test_half_of_a_payment_by_two_vouchers_goes_back(api, shop, sandbox, new_voucher):
    """At each step our books and Smart Gift's say the same."""
    first, second = new_voucher("50.00"), new_voucher("60.00")
    server = api(SERVER_KEY)
    path = "server/payment-sessions/headless-half"

    def books():
        return {
            number: (
                sandbox.voucher(number).balance,
                sandbox.voucher(number).hold is not None,
                [
                    (Decimal(line.pence) / 100, line.reversed_at is not None)
                    for line in sandbox.redemptions(number)
                ],
            )
            for number in (first, second)
        }

    def amounts(answer, status):
        assert answer.status_code == status, answer.text
        body = answer.json()
        assert body["amount_due"] == "100.00"
        return tuple(
            body[f"amount_{name}"]
            for name in ("covered", "remaining", "redeemed", "refunded")
        )

    untouched = (50, False, []), (60, False, [])
    assert tuple(books().values()) == untouched

    # open: nothing is asked of Smart Gift
    calls = len(sandbox.log())
    opened = server(
        "POST",
        "server/payment-sessions",
        {"reference": "headless-half", "amount_due": "100.00"},
    )
    assert amounts(opened, 201) == ("0.00", "100.00", "0.00", "0.00")
    assert len(sandbox.log()) == calls
    customer = api(opened.json()["client_secret"])

    # two vouchers: each held, nothing taken
    added = customer("POST", "payment-session/redemptions", {"voucher_no": first})
    assert amounts(added, 201) == ("50.00", "50.00", "0.00", "0.00")
    assert tuple(books().values()) == ((50, True, []), (60, False, []))
    added = customer("POST", "payment-session/redemptions", {"voucher_no": second})
    assert amounts(added, 201) == ("100.00", "0.00", "0.00", "0.00")
    assert tuple(books().values()) == ((50, True, []), (60, True, []))

    # prepare: still nothing taken
    prepared = server("POST", f"{path}/prepare")
    assert amounts(prepared, 200) == ("100.00", "0.00", "0.00", "0.00")
    assert tuple(books().values()) == ((50, True, []), (60, True, []))

    # confirm: each once, and a repeat takes nothing more
    for _twice in range(2):
        confirmed = server("POST", f"{path}/confirm", {"amount_remaining": "0.00"})
        assert amounts(confirmed, 200) == ("100.00", "0.00", "100.00", "0.00")
        assert tuple(books().values()) == (
            (0, False, [(50, False)]),
            (10, False, [(50, False)]),
        )

    # refund half: the last voucher first, and once for each key
    for _twice in range(2):
        refunded = server(
            "POST",
            f"{path}/refund",
            {"amount": "50.00"},
            **{"Idempotency-Key": "headless-half-1"},
        )
        assert amounts(refunded, 200) == ("50.00", "50.00", "100.00", "50.00")
        assert tuple(books().values()) == (
            (0, False, [(50, False)]),
            (60, False, [(50, True)]),
        )

    # A part of what is left: given back in full, and the rest taken again.
    refunded = server(
        "POST",
        f"{path}/refund",
        {"amount": "20.00"},
        **{"Idempotency-Key": "headless-half-2"},
    )
    assert amounts(refunded, 200) == ("30.00", "70.00", "100.00", "70.00")
    assert tuple(books().values()) == (
        (20, False, [(50, True), (30, False)]),
        (60, False, [(50, True)]),
    )

    # and the journal tells the same story
    journal = server("GET", path).json()["journal"]
    moved = [
        (line["operation"], line["amount"])
        for line in journal
        if line["operation"] in {"redeem", "reverse"} and line["outcome"] == "succeeded"
    ]
    assert moved == [
        ("redeem", "50.00"),
        ("redeem", "50.00"),
        ("reverse", "50.00"),
        ("reverse", "50.00"),
        ("redeem", "30.00"),
    ]


@pytest.mark.parametrize(
    ("secret", "status", "code"), [(SECRET, 202, "not_found"), ("", 401, None)]
)
def test_the_shops_messages_come_in_where_there_is_a_secret(
    filled_shop, smart_gift, secret, status, code
):
    other = Shop(filled_shop.folder, smart_gift.url, SMARTGIFT_WEBHOOK_SECRET=secret)
    body, headers = signed_webhook(
        "order.cancelled", {"reference": "nobodys"}, secret=SECRET
    )
    with other.serving() as served:
        answer = requests.post(
            f"{served.url}/smartgift/api/webhooks/shop",
            data=body,
            headers={"Content-Type": "application/json", **headers},
            timeout=60,
        )
    assert answer.status_code == status
    assert answer.json()["code"] == (code or "unauthenticated")


# -- the backend of the page -------------------------------------------------------


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


def test_an_order_is_found_again_until_its_payment_is_told(
    backend, shop, new_voucher, sandbox, redeemed
):
    number = new_voucher("80.00")
    placed = backend("POST", "/headless/orders/", {}).json()
    assert placed["status"] == "awaiting_payment"
    added = requests.post(
        f"{shop.url}/smartgift/api/payment-session/redemptions",
        json={"voucher_no": number},
        headers={"Authorization": f"Bearer {placed['client_secret']}"},
        timeout=60,
    )
    assert added.status_code == 201
    sandbox.faults.add(Fault("redeem", "lost_after"))
    paying = backend("POST", placed["pay_url"], {"card_amount": "0.00"})
    assert paying.json()["status"] == "confirming"

    # while it is confirmed: with another secret of the same payment
    again = backend("POST", "/headless/orders/", {})
    assert (again.status_code, again.json()["status"]) == (201, "confirming")
    assert again.json()["reference"] == placed["reference"]
    session = requests.get(
        f"{shop.url}/smartgift/api/payment-session",
        headers={"Authorization": f"Bearer {again.json()['client_secret']}"},
        timeout=60,
    )
    assert session.json()["status"] == "confirming"

    # when it is paid and nobody was told: it would be paid a second time
    shop.manage("smartgift_reconcile")
    assert redeemed(number) == [80]
    again = backend("POST", "/headless/orders/", {}).json()
    assert (again["reference"], again["status"]) == (placed["reference"], "paid")

    # and then
    assert backend("GET", placed["url"]).json()["status"] == "paid"
    other = backend("POST", "/headless/orders/", {}).json()
    assert other["reference"] != placed["reference"]
    assert other["status"] == "awaiting_payment"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (None, "amount_changed"),
        ([], "amount_changed"),
        ({}, "amount_changed"),
        ({"card_amount": "80.00"}, "card_declined"),
        ("x", "amount_changed"),
    ],
)
def test_nonsense_pays_nothing(backend, sent, code):
    order = backend("POST", "/headless/orders/", {}).json()

    refused = backend("POST", order["pay_url"], sent)

    assert refused.status_code == 409
    assert refused.json()["code"] == code
    assert backend("GET", order["url"]).json()["status"] == "awaiting_payment"


def test_an_order_is_its_browser_s_alone(backend, shop):
    order = backend("POST", "/headless/orders/", {}).json()

    with Visitor(shop) as stranger:
        assert stranger.http.get(shop.url + order["url"], timeout=60).status_code == 404
        # And nobody's without a word of this site's.
        forged = stranger.http.post(shop.url + "/headless/orders/", json={}, timeout=60)
        assert forged.status_code == 403
    assert requests.get(shop.url + order["url"], timeout=60).status_code == 404
