"""The payment calls of the JSON API, to the letter."""

import re

import pytest

from tests.api.conftest import Api, assert_problem
from wagtail_smartgift.exceptions import ERROR_CODES, PaymentError
from wagtail_smartgift.models import PaymentSession, SessionSecret
from wagtail_smartgift.sandbox import Fault


FIFTY, HUNDRED = "GOOD-0050-0001", "GOOD-0100-0001"
SESSION = {
    "reference",
    "currency",
    "amount_due",
    "amount_eligible",
    "amount_covered",
    "amount_remaining",
    "amount_redeemed",
    "amount_refunded",
    "status",
    "now",
    "redemptions",
}
REDEMPTION = {
    "id",
    "display_code",
    "type",
    "status",
    "amount",
    "balance",
    "experiences",
    "held_until",
}
ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def add(customer, number=FIFTY, **more):
    return customer.post("payment-session/redemptions", {"voucher_no": number, **more})


def verb(server, name, body=None, **headers):
    return server.post(f"server/payment-sessions/order-1/{name}", body, **headers)


def test_amounts_of_another_keys_payment_cannot_change(server, opened, sandbox):
    """A copy of the production database on a staging host."""
    PaymentSession.objects.update(account_key_hash="of production")
    calls = len(sandbox.log())
    body = {"reference": "order-1", "amount_due": "80.00"}
    assert server.post("server/payment-sessions", body).status_code == 200

    answer = server.post("server/payment-sessions", {**body, "amount_due": "90.00"})

    assert_problem(answer, "smartgift_unavailable", 503)
    assert int(answer["Retry-After"]) >= 1
    assert PaymentSession.objects.get().amount_due == 80
    assert len(sandbox.log()) == calls
    described = server.get("openapi.json").json()["paths"]
    refusals = described["/smartgift/api/server/payment-sessions"]["post"]["responses"]
    assert "smartgift_unavailable" in refusals["503"]["description"]


def test_the_whole_journey(server, customer, opened, sandbox):
    assert set(opened) == SESSION | {"client_secret"}
    assert (opened["amount_due"], opened["status"]) == ("80.00", "open")
    assert ZULU.fullmatch(opened["now"])

    added = add(customer)
    assert added.status_code == 201
    body = added.json()
    assert set(body) == SESSION
    assert (body["amount_covered"], body["amount_remaining"]) == ("50.00", "30.00")
    [voucher] = body["redemptions"]
    assert set(voucher) == REDEMPTION
    assert (voucher["status"], voucher["amount"]) == ("held", "50.00")
    assert (voucher["balance"], voucher["display_code"]) == ("50.00", "…0001")
    assert ZULU.fullmatch(voucher["held_until"])
    assert FIFTY not in added.content.decode()

    again = add(customer, amount="20.00")
    assert again.status_code == 200
    assert again.json()["amount_covered"] == "20.00"
    assert add(customer).json()["amount_covered"] == "50.00"

    assert verb(server, "prepare").status_code == 200
    confirmed = verb(server, "confirm", {"amount_remaining": "30.00"})
    assert confirmed.status_code == 200
    assert confirmed.json()["status"] == "confirmed"
    assert confirmed.json()["amount_redeemed"] == "50.00"
    assert sandbox.voucher(FIFTY).balance == 0

    refunded = verb(server, "refund")
    assert refunded.status_code == 200
    assert refunded.json()["amount_refunded"] == "50.00"
    assert refunded.json()["amount_covered"] == "0.00"
    assert sandbox.voucher(FIFTY).balance == 50

    seen = server.get("server/payment-sessions/order-1").json()
    assert set(seen) == SESSION | {"journal"}
    assert [(line["operation"], line["outcome"]) for line in seen["journal"]][-2:] == [
        ("reverse", "requested"),
        ("reverse", "succeeded"),
    ]


def test_the_same_reference_updates_and_gives_another_working_secret(
    server, opened, customer
):
    again = server.post(
        "server/payment-sessions", {"reference": "order-1", "amount_due": 60.5}
    )

    assert again.status_code == 200
    assert again.json()["amount_due"] == "60.50"
    assert Api(again.json()["client_secret"]).get("payment-session").status_code == 200
    assert customer.get("payment-session").json()["amount_due"] == "60.50"
    assert PaymentSession.objects.count() == 1


def test_removing_answers_204_however_often(customer, sandbox):
    [voucher] = add(customer).json()["redemptions"]

    for _twice in range(2):
        answer = customer.delete(f"payment-session/redemptions/{voucher['id']}")
        assert answer.status_code == 204
        assert answer.content == b""

    assert customer.get("payment-session").json()["redemptions"] == []
    assert sandbox.voucher(FIFTY).hold is None
    assert add(customer).status_code == 201


def test_a_hold_is_renewed_and_says_so(customer, sandbox, time_machine_now):
    [voucher] = add(customer).json()["redemptions"]
    path = f"payment-session/redemptions/{voucher['id']}/renew"
    sandbox.clock.advance(200)
    time_machine_now.shift(200)

    answers = [
        customer.post(path, {}, **{"Idempotency-Key": "keep-1"}),
        customer.post(path, {}, **{"Idempotency-Key": "keep-1"}),
        customer.post(path),
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert answers[1]["Idempotent-Replayed"] == "true"
    [renewed] = answers[0].json()["redemptions"]
    assert renewed["held_until"] > voucher["held_until"]
    assert renewed | {"held_until": None} == voucher | {"held_until": None}
    assert [line.operation for line in sandbox.log()][2:] == [
        "release",
        "hold",
        "check",
    ]


def test_whoever_is_faster_gets_it_and_the_customer_is_told(
    customer, sandbox, time_machine_now
):
    [voucher] = add(customer).json()["redemptions"]
    sandbox.clock.advance(400)
    time_machine_now.shift(400)
    sandbox.hold_by_till(FIFTY)

    answer = customer.post(f"payment-session/redemptions/{voucher['id']}/renew")

    assert_problem(answer, "voucher_held", 409)
    assert 280 < int(answer["Retry-After"]) <= 301
    session = customer.get("payment-session").json()
    assert session["redemptions"][0]["status"] == "lapsed"
    assert session["amount_covered"] == "50.00"


def test_a_voucher_of_another_session_is_not_found(server, customer):
    [voucher] = add(customer).json()["redemptions"]
    other = server.post(
        "server/payment-sessions", {"reference": "order-2", "amount_due": "9.00"}
    ).json()["client_secret"]

    answer = Api(other).delete(f"payment-session/redemptions/{voucher['id']}")

    assert_problem(answer, "not_found", 404)
    assert_problem(Api(other).delete("payment-session/redemptions/x"), "not_found", 404)
    assert customer.get("payment-session").json()["redemptions"][0]["status"] == "held"


def test_a_voucher_cannot_be_removed_once_it_is_redeemed(server, customer):
    [voucher] = add(customer).json()["redemptions"]
    verb(server, "confirm")

    answer = customer.delete(f"payment-session/redemptions/{voucher['id']}")

    assert_problem(answer, "session_not_open", 409)


@pytest.mark.parametrize(
    "number", ["WRONG", "EXPIRED-0025-0001", "EMPTY-0000-0001", "QUAY-0050-0001"]
)
def test_one_answer_for_every_voucher_that_cannot_be_used(customer, number):
    body = assert_problem(add(customer, number), "voucher_not_usable", 422)

    assert number not in str(body)
    assert body["detail"] == (
        "This voucher cannot be used here. Check the number, its capital and small "
        "letters included, or pay another way."
    )
    assert customer.get("payment-session").json()["redemptions"] == []


def test_a_held_voucher_says_when_to_try_again(customer, sandbox):
    sandbox.hold_by_till(FIFTY)

    answer = add(customer)

    assert_problem(answer, "voucher_held", 409)
    assert 280 < int(answer["Retry-After"]) <= 301


def test_smart_gift_down_is_a_clear_503(customer, sandbox):
    sandbox.faults.add(Fault(operation="*", mode="status", status=503, times=None))

    answer = add(customer)

    assert_problem(answer, "smartgift_unavailable", 503)
    assert int(answer["Retry-After"]) >= 1


def test_a_payment_of_another_key_is_a_503_that_says_when(
    customer, server, sandbox, configure, settings
):
    """A copy of the database, say: its vouchers are not this host's to touch."""
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "API_KEY": "sk_sandbox_other"}})
    calls = len(sandbox.log())

    for answer in (add(customer), verb(server, "confirm"), verb(server, "cancel")):
        assert_problem(answer, "smartgift_unavailable", 503)
        assert int(answer["Retry-After"]) >= 1
    assert len(sandbox.log()) == calls
    assert PaymentSession.objects.get().status == "open"


def test_an_unknown_outcome_is_202(server, customer, sandbox):
    add(customer, HUNDRED, amount="30.00")
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))

    answer = verb(server, "confirm")

    assert answer.status_code == 202
    assert answer.json()["status"] == "confirming"
    assert answer.json()["amount_remaining"] == "50.00"
    for name in ("prepare", "confirm", "cancel"):
        assert verb(server, name).status_code == 202
    assert_problem(verb(server, "refund"), "session_busy", 409)
    assert_problem(add(customer), "session_not_open", 409)


def test_confirm_wants_the_amount_that_the_card_authorised(server, customer, sandbox):
    add(customer)

    answer = verb(server, "confirm", {"amount_remaining": "29.99"})

    assert_problem(answer, "amount_changed", 409)
    assert sandbox.redemptions(FIFTY) == []


def test_verbs_by_status(server, customer):
    assert_problem(verb(server, "refund"), "not_confirmed", 409)
    add(customer)
    verb(server, "confirm")
    assert verb(server, "prepare").status_code == 200
    assert verb(server, "confirm").status_code == 200
    too_much = verb(server, "refund", {"amount": "50.01"}, **{"Idempotency-Key": "k"})
    assert_problem(too_much, "amount_too_large", 422)
    assert verb(server, "cancel").json()["status"] == "cancelled"
    assert verb(server, "cancel").status_code == 200
    for name in ("prepare", "confirm", "refund"):
        assert_problem(verb(server, name), "session_cancelled", 409)
    again = server.post(
        "server/payment-sessions", {"reference": "order-1", "amount_due": "81.00"}
    )
    assert_problem(again, "session_not_open", 409)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reference"),
        ({"reference": "order-9"}, "amount_due"),
        ({"reference": "order-9", "amount_due": "1e3"}, "amount_due"),
        ({"reference": "order-9", "amount_due": "-1"}, "amount_due"),
        ({"reference": "order-9", "amount_due": "1.005"}, "amount_due"),
        ({"reference": "order-9", "amount_due": 0.1 + 0.2}, "amount_due"),
        ({"reference": "order-9", "amount_due": True}, "amount_due"),
        ({"reference": "order-9", "amount_due": "123456789.00"}, "amount_due"),
        ({"reference": "a b", "amount_due": "1.00"}, "reference"),
        ({"reference": 5, "amount_due": "1.00"}, "reference"),
        ({"reference": "order-9", "amount_due": "1.00", "amout": "1"}, "amout"),
        ({"reference": "order-9", "amount_due": "1.00", "site": "no.such"}, "site"),
        (
            {"reference": "order-9", "amount_due": "1.00", "amount_eligible": "1.01"},
            "amount_eligible",
        ),
    ],
)
def test_bad_bodies_name_the_field(server, body, field):
    problem = assert_problem(
        server.post("server/payment-sessions", body), "invalid", 422
    )

    assert field in [error["field"] for error in problem["errors"]]
    assert not PaymentSession.objects.exists()


def test_another_currency_has_a_code_of_its_own(server):
    body = {"reference": "order-9", "amount_due": "1.00", "currency": "EUR"}
    assert_problem(
        server.post("server/payment-sessions", body), "currency_mismatch", 422
    )


def test_what_is_no_json_is_malformed(server):
    answer = server._client.post(
        "/smartgift/api/server/payment-sessions",
        b"{",
        content_type="application/json",
        headers=server._headers,
    )
    assert_problem(answer, "malformed", 400)


def test_an_unknown_reference_is_not_found(server, sandbox):
    for name in ("prepare", "confirm", "cancel", "refund"):
        answer = server.post(f"server/payment-sessions/nobody/{name}")
        assert_problem(answer, "not_found", 404)
    assert_problem(server.get("server/payment-sessions/nobody"), "not_found", 404)


# -- who may ------------------------------------------------------------------

_SERVER_CALLS = [
    ("POST", "server/payment-sessions"),
    ("GET", "server/payment-sessions/order-1"),
    ("POST", "server/payment-sessions/order-1/prepare"),
    ("POST", "server/payment-sessions/order-1/confirm"),
    ("POST", "server/payment-sessions/order-1/cancel"),
    ("POST", "server/payment-sessions/order-1/refund"),
    ("POST", "server/voucher-orders"),
    ("GET", "server/voucher-orders/order-1"),
    ("GET", "server/payment-methods"),
]
_SESSION_CALLS = [
    ("GET", "payment-session"),
    ("POST", "payment-session/redemptions"),
    ("DELETE", "payment-session/redemptions/00000000-0000-4000-8000-000000000000"),
]


@pytest.mark.parametrize(("method", "path"), _SERVER_CALLS + _SESSION_CALLS)
@pytest.mark.parametrize("token", [None, "", "wrong", "sgs_wrong", "ключ"])
def test_nobody_gets_in_without_the_right_credential(opened, method, path, token):
    answer = Api(token)(method, path, {})

    assert_problem(answer, "unauthenticated", 401)
    assert PaymentSession.objects.get().status == "open"


@pytest.mark.parametrize(("method", "path"), _SERVER_CALLS)
def test_a_sessions_secret_opens_no_server_call(customer, method, path):
    assert_problem(customer(method, path, {}), "unauthenticated", 401)


@pytest.mark.parametrize(("method", "path"), _SESSION_CALLS)
def test_a_server_key_opens_no_session(server, opened, method, path):
    assert_problem(server(method, path, {}), "unauthenticated", 401)


def test_a_secret_expires(customer, time_machine_now):
    time_machine_now.shift(86_401)
    assert_problem(customer.get("payment-session"), "session_expired", 401)


def test_without_server_keys_nobody_is_the_server(opened, configure):
    configure(SERVER_KEYS=[])
    assert_problem(
        Api("").get("server/payment-sessions/order-1"), "unauthenticated", 401
    )


def test_secrets_are_kept_hashed(opened):
    stored = SessionSecret.objects.get()
    assert opened["client_secret"] not in str(stored.__dict__)


# -- whatever else comes in ---------------------------------------------------


@pytest.mark.parametrize("reference", ["a%00b", "a%20b", "x" * 65, "%F0%9F%8D%B0"])
def test_what_cannot_be_a_reference_is_not_found(server, reference):
    for path in (
        f"server/payment-sessions/{reference}",
        f"server/voucher-orders/{reference}",
    ):
        assert_problem(server.get(path), "not_found", 404)


def test_an_address_that_is_none_is_a_problem_document(anonymous):
    for method in ("GET", "POST"):
        assert_problem(anonymous(method, "no/such/call"), "not_found", 404)


def test_the_api_is_open_where_a_middleware_wants_logins(opened, customer, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    assert customer.get("payment-session").status_code == 200
    assert_problem(Api("wrong").get("payment-session"), "unauthenticated", 401)
    assert Api(None).get("vouchers").status_code == 200
    assert Api(None).get("openapi.json").status_code == 200


def test_a_null_amount_does_not_refund_everything(server, customer, sandbox):
    add(customer)
    verb(server, "confirm")

    assert_problem(verb(server, "refund", {"amount": None}), "invalid", 422)

    assert sandbox.voucher(FIFTY).balance == 0


@pytest.mark.parametrize(
    "query", ["site=localhost:%C2%B2", "search=%00", "type=%00", "site=%00"]
)
def test_odd_queries_are_refused(anonymous, query):
    assert_problem(anonymous.get(f"vouchers?{query}"), "invalid", 422)


@pytest.mark.parametrize(
    ("fault", "code", "says"),
    [
        (
            "unauthorised",
            "smartgift_unavailable",
            r"Try again in a few minutes, or pay",
        ),
        ("rate_limited", "busy", r"nothing was taken\. Try again at \d\d:\d\d\."),
    ],
)
def test_a_customer_is_told_what_to_do_next(customer, sandbox, fault, code, says):
    sandbox.faults.add(Fault("*", fault, times=None))

    body = assert_problem(add(customer), code, 503)

    assert re.search(says, body["detail"])


def test_what_a_customer_can_do_is_said_of_every_refusal(
    customer, server, sandbox, time_machine_now
):
    """By the operations of a payment's own secret; a shop's server is told what it was."""
    [voucher] = add(customer).json()["redemptions"]
    sandbox.hold_by_till(HUNDRED)
    held = assert_problem(add(customer, HUNDRED), "voucher_held", 409)
    assert re.search(r"until \d\d:\d\d\. Try again then, or pay", held["detail"])
    time_machine_now.shift(200)
    sandbox.clock.advance(200)
    sandbox.faults.add(Fault("hold", "lost_after", times=1))
    lost = assert_problem(renew(customer, voucher), "voucher_held", 409)
    assert "most likely kept for you" in lost["detail"]
    by_server = assert_problem(verb(server, "prepare"), "voucher_held", 409)
    assert by_server["detail"] == "This voucher is in use elsewhere at the moment."
    time_machine_now.shift(310)
    sandbox.clock.advance(310)
    verb(server, "confirm")
    over = assert_problem(add(customer), "session_not_open", 409)
    assert over["detail"].endswith("Look at your order to see how it stands.")


def renew(customer, voucher):
    return customer.post(f"payment-session/redemptions/{voucher['id']}/renew")


def test_no_code_of_the_customers_operations_is_without_advice(anonymous):
    """Whatever the description says that they answer, but what only a program meets."""
    described = anonymous.get("openapi.json").json()["paths"]
    codes = {
        code
        for path, operations in described.items()
        for operation in operations.values()
        if "/server/" not in path
        if "/payment-session" in path or path.endswith("/balance")
        for answer in operation["responses"].values()
        for content in answer.get("content", {}).values()
        for code in content.get("examples", {})
    }
    only_programs = {
        "malformed",
        "invalid",
        "unauthenticated",
        "not_found",
        "in_progress",
        "idempotency_conflict",
    }

    assert {"voucher_held", "session_expired", "throttled"} <= codes
    for code in codes - only_programs:
        advice = PaymentError(code).advice
        assert advice != str(ERROR_CODES[code][1]), code
