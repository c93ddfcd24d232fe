"""Whatever else comes in: what is no JSON, no call, too much, or odd.

Each is refused by a problem document with a documented code, and nothing happens.
"""

import json
import time

import pytest
from django.test import Client

from tests.api.conftest import API, SERVER_KEY, Api, assert_problem
from tests.factories import make_product
from wagtail_smartgift.api import errors, events, fields, reading
from wagtail_smartgift.api.errors import message_for
from wagtail_smartgift.api.reading import LARGEST
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, StoredAnswer


FIFTY = "GOOD-0050-0001"
JSON = "application/json"
OPEN = "server/payment-sessions"
KEY = {"Authorization": f"Bearer {SERVER_KEY}"}
GOOD = b'{"reference": "order-1", "amount_due": "80.00"}'


def send(body, path=OPEN, *, kind=JSON, method="POST", **headers):
    return Client().generic(
        method, f"{API}/{path}", body, content_type=kind, headers={**KEY, **headers}
    )


# -- bodies -------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff\xfe\xfd",
        b'{"reference": "order-1", "amount_due": NaN}',
        b'{"reference": "order-1", "amount_due": -Infinity}',
        b'{"reference": "order-1", "amount_due": "1.00", "amount_due": "80.00"}',
        b'{"reference": "order-1", "amount_due": 1' + b"0" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"reference=order-1&amount_due=80.00",
    ],
    ids=lambda body: repr(body[:60]),
)
@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["", "with a key"])
@pytest.mark.django_db
def test_what_is_no_json_is_malformed(body, key):
    problem = assert_problem(send(body, **key), "malformed", 400)

    assert "Traceback" not in str(problem)
    assert not PaymentSession.objects.exists()


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x/y"],
)
@pytest.mark.django_db
def test_what_says_that_it_is_no_json_is_not_read(kind):
    problem = assert_problem(send(GOOD, kind=kind), "malformed", 400)

    assert "application/json" in problem["detail"]
    assert not PaymentSession.objects.exists()


@pytest.mark.parametrize(
    "kind",
    [JSON, "application/json; charset=utf-8", "application/merge-patch+json", ""],
)
def test_json_is_read_by_any_of_its_names(kind, sandbox, db):
    assert send(GOOD, kind=kind).status_code == 201


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b'"text"', b"null", b"true"])
@pytest.mark.django_db
def test_json_of_another_kind_is_invalid(body):
    assert_problem(send(body), "invalid", 422)
    assert not PaymentSession.objects.exists()


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["", "with a key"])
@pytest.mark.django_db
def test_a_body_of_megabytes_is_not_read(key):
    huge = b'{"reference": "' + b"x" * 3_000_000 + b'"}'

    problem = assert_problem(send(huge, **key), "malformed", 400)

    assert "too large" in problem["detail"]
    assert not StoredAnswer.objects.exists()


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k"}], ids=["", "with a key"])
def test_a_stranger_and_a_customer_have_short_bodies(anonymous, customer, key):
    long = {"voucher_no": "x", "more": "x" * LARGEST}
    for caller, path in (
        (anonymous, "balance"),
        (customer, "payment-session/redemptions"),
    ):
        problem = assert_problem(caller.post(path, long, **key), "malformed", 400)
        assert "too large" in problem["detail"]
    assert not StoredAnswer.objects.exists()


def test_very_many_faults_cost_no_more_than_those_that_are_told(server, monkeypatch):
    put_into_words = []

    def count(item):
        put_into_words.append(item)
        return message_for(item)

    monkeypatch.setattr(errors, "message_for", count)
    body = {f"field_{number}": 1 for number in range(5000)}

    problem = assert_problem(
        server.post("server/payment-sessions", body), "invalid", 422
    )

    assert len(problem["errors"]) == len(put_into_words) == errors.MOST_FIELDS


def test_a_payment_may_not_fill_the_table_of_answers(customer, configure):
    configure(THROTTLES={"BALANCE_PER_MINUTE": 3})
    for number in range(3):
        answer = customer.post(
            "payment-session/redemptions", {}, **{"Idempotency-Key": f"k{number}"}
        )
        assert_problem(answer, "invalid", 422)

    answer = customer.post(
        "payment-session/redemptions", {}, **{"Idempotency-Key": "k4"}
    )

    assert_problem(answer, "throttled", 429)
    assert StoredAnswer.objects.count() == 3


@pytest.mark.django_db
def test_a_query_of_a_thousand_fields_is_not_read(anonymous):
    query = "&".join(f"f{number}=1" for number in range(1100))
    assert_problem(anonymous.get(f"vouchers?{query}"), "malformed", 400)


@pytest.mark.django_db
def test_who_may_not_call_is_told_so_first():
    for body in (b"{", b"x" * 3_000_000):
        answer = send(body, Authorization="Bearer wrong")
        assert_problem(answer, "unauthenticated", 401)


def test_metadata_may_not_be_a_pit(server, sandbox):
    def nested(depth):
        value = {}
        for _level in range(depth - 1):
            value = {"in": value}
        return {"reference": "order-1", "amount_due": "1.00", "metadata": value}

    assert_problem(server.post(OPEN, nested(33)), "invalid", 422)
    assert_problem(server.post(OPEN, nested(800)), "invalid", 422)
    assert not PaymentSession.objects.exists()
    assert server.post(OPEN, nested(32)).status_code == 201


def read_request(body):
    reading.strict_json(body)


def read_message(body):
    with pytest.raises(PaymentError) as refusal:
        events.read_event(body)
    assert refusal.value.code == "malformed"


@pytest.mark.parametrize("read", [read_request, read_message])
def test_depth_makes_no_body_slow_to_read(read):
    """A body of a megabyte took a minute: each level looked at all that was in it."""
    texts = json.dumps(["a"] * 20_000)

    def seconds(depth):
        body = ('{"a":[' * depth + texts + "]}" * depth).encode()
        began = time.process_time()
        read(body)
        return time.process_time() - began

    flat, deep = (min(seconds(depth) for _again in range(3)) for depth in (1, 200))
    # Looked at once for each level it is 200 times as much.
    assert deep < 80 * flat


def test_a_thousand_unknown_fields_make_no_thousand_errors(server):
    body = {f"{'x' * 500}{number}": 1 for number in range(1000)}

    answer = server.post(OPEN, body)

    problem = assert_problem(answer, "invalid", 422)
    assert len(problem["errors"]) <= 50
    assert len(answer.content) < 10_000


# -- values -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("25", "25.00"),
        ("25.5", "25.50"),
        ("25.00", "25.00"),
        ("00000025", "25.00"),
        ("99999999.99", "99999999.99"),
        ("0", "0.00"),
        (25, "25.00"),
        (25.5, "25.50"),
        (0, "0.00"),
        (0.1, "0.10"),
        (1e3, "1000.00"),
    ],
)
def test_amounts_that_are_read(server, sandbox, value, read):
    answer = server.post(OPEN, {"reference": "order-1", "amount_due": value})

    assert answer.status_code == 201
    assert answer.json()["amount_due"] == read


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", " 25.00", "25.00 ", "25.00\n", "+25", "-25", "-0", "25.", ".5"),
        *("25.000", "1e3", "1E3", "0x10", "1_000", "1,000.00", "25,00", "٢٥", "²"),
        *("123456789", "100000000.00", "NaN", "Infinity", "\x00", "25.00\x00"),
        *(-1, -0.01, 0.001, 25.005, 100_000_000, 1e15, 10**30, True, False),
        *(["25.00"], {"amount": "25.00"}),
    ],
    ids=repr,
)
@pytest.mark.django_db
def test_amounts_that_are_none(server, value):
    answer = server.post(OPEN, {"reference": "order-1", "amount_due": value})

    body = assert_problem(answer, "invalid", 422)
    assert [error["field"] for error in body["errors"]] == ["amount_due"]
    assert not PaymentSession.objects.exists()


@pytest.mark.parametrize("zero", ["0", "0.00", 0, 0.0, "00000000"])
def test_zero_is_no_amount_to_take_or_to_give_back(server, customer, sandbox, zero):
    body = {"voucher_no": FIFTY, "amount": zero}
    added = customer.post("payment-session/redemptions", body)
    path = "server/payment-sessions/order-1/refund"
    refunded = server.post(path, {"amount": zero}, **{"Idempotency-Key": "k"})

    for answer in (added, refunded):
        problem = assert_problem(answer, "invalid", 422)
        assert [error["field"] for error in problem["errors"]] == ["amount"]
    assert sandbox.log() == []


@pytest.mark.parametrize("reference", ["a", "A-Z_0.9~", "x" * 64])
def test_references_that_are_some(server, sandbox, reference):
    body = {"reference": reference, "amount_due": "1.00"}
    assert server.post(OPEN, body).status_code == 201
    assert server.get(f"{OPEN}/{reference}").json()["reference"] == reference


@pytest.mark.parametrize(
    "reference",
    ["", "x" * 65, "a b", "a/b", "ä", "a\n", "a\x00", "a:b", None, 5, ["a"]],
)
@pytest.mark.django_db
def test_references_that_are_none(server, reference):
    body = {"reference": reference, "amount_due": "1.00"}

    problem = assert_problem(server.post(OPEN, body), "invalid", 422)

    assert [error["field"] for error in problem["errors"]] == ["reference"]
    assert not PaymentSession.objects.exists()


@pytest.mark.parametrize(
    "bits", ["2", 2, [True], ["2"], [2.5], [None], [[2]], list(range(65)), {"a": 1}]
)
def test_experiences_are_bit_values(customer, sandbox, bits):
    body = {"voucher_no": "TEA-0002-0001", "experiences": bits}
    answer = customer.post("payment-session/redemptions", body)

    problem = assert_problem(answer, "invalid", 422)
    assert problem["errors"][0]["field"].partition(".")[0] == "experiences"
    assert sandbox.log() == []


def worth(session, voucher, bits):
    return 10 * len(bits)


def test_a_bit_value_that_nobody_has(customer, sandbox, configure):
    configure(EXPERIENCE_VALUE="tests.api.test_requests.worth")
    body = {"voucher_no": "TEA-0002-0001", "experiences": [10**40]}
    answer = customer.post("payment-session/redemptions", body)

    problem = assert_problem(answer, "invalid", 422)
    assert problem["errors"][0]["field"] == "experiences"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        *(
            (f"vouchers?limit={value}", "limit")
            for value in (0, 1001, -1, "", "x", "1e2")
        ),
        *((f"vouchers?offset={value}", "offset") for value in (-1, 10**30, "x")),
        ("vouchers?type=chocolate", "type"),
        ("vouchers?site=no.such", "site"),
        (f"vouchers?search={'x' * 201}", "search"),
        ("vouchers/1?site=no.such", "site"),
    ],
)
@pytest.mark.django_db
def test_queries_that_are_none(anonymous, path, field):
    problem = assert_problem(anonymous.get(path), "invalid", 422)
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("product", ["0", "-1", "x", "1.5", "9" * 30, "%00", "1%202"])
@pytest.mark.django_db
def test_an_id_that_cannot_be_one_names_nothing(anonymous, product):
    assert_problem(anonymous.get(f"vouchers/{product}"), "not_found", 404)


def test_verbs_without_a_body_take_no_fields(server, customer, sandbox):
    """``cancel`` with an amount must not give everything back."""
    body = {"voucher_no": FIFTY}
    assert customer.post("payment-session/redemptions", body).status_code == 201
    path = "server/payment-sessions/order-1"
    assert server.post(f"{path}/confirm", {}).status_code == 200

    for verb in ("prepare", "cancel"):
        answer = server.post(f"{path}/{verb}", {"amount": "5.00"})
        problem = assert_problem(answer, "invalid", 422)
        assert [error["field"] for error in problem["errors"]] == ["amount"]
        assert_problem(send(b"{", f"{path}/{verb}"), "malformed", 400)
    assert sandbox.voucher(FIFTY).balance == 0
    assert server.post(f"{path}/cancel", {}).status_code == 200


# -- sites --------------------------------------------------------------------


@pytest.mark.parametrize("where", ["query", "body"])
def test_the_site_is_named_in_the_query_or_in_the_body(server, sandbox, where):
    body = {"reference": "order-1", "amount_due": "1.00"}
    if where == "body":
        answer = server.post(OPEN, {**body, "site": "no.such"})
    else:
        answer = server.post(f"{OPEN}?site=no.such", body)

    problem = assert_problem(answer, "invalid", 422)
    assert [error["field"] for error in problem["errors"]] == ["site"]
    assert not PaymentSession.objects.exists()
    assert server.post(f"{OPEN}?site=localhost", body).status_code == 201


# -- methods and addresses ----------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "vouchers", {"GET", "HEAD"}),
        ("PUT", "vouchers/1", {"GET", "HEAD"}),
        ("GET", "balance", {"POST"}),
        ("HEAD", "balance", {"POST"}),
        ("OPTIONS", "balance", {"POST"}),
        ("TRACE", "health", {"GET", "HEAD"}),
        ("PATCH", "server/payment-sessions/order-1", {"GET", "HEAD"}),
        ("DELETE", "server/payment-sessions/order-1/refund", {"POST"}),
        ("QUUX", "payment-session", {"GET", "HEAD"}),
    ],
)
@pytest.mark.django_db
def test_a_method_that_an_address_does_not_have(method, path, allowed):
    french = {"Accept-Language": "fr"}
    answer = send(b"{}", path, method=method, **french)

    assert set(answer["Allow"].split(", ")) == allowed
    assert answer["Content-Language"] == "fr"
    assert answer["Cache-Control"] == "no-store"
    if method == "HEAD":
        assert (answer.status_code, answer.content) == (405, b"")
    else:
        assert_problem(answer, "malformed", 405)


def test_head_is_get_without_the_body(anonymous, sandbox):
    make_product()
    got = anonymous.get("vouchers")

    head = anonymous("HEAD", "vouchers")

    assert (head.status_code, head.content) == (200, b"")
    assert head["ETag"] == got["ETag"]
    assert head["Content-Length"] == str(len(got.content))
    unchanged = anonymous("HEAD", "vouchers", **{"If-None-Match": got["ETag"]})
    assert unchanged.status_code == 304


@pytest.mark.parametrize(
    "path",
    ["", "no/such", "vouchers/", "balance/", "server/", "server/payment-sessions/"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.django_db
def test_an_address_that_is_none_is_not_found(path, method):
    answer = send(b"", path, method=method, **{"Accept-Language": "fr"})

    assert_problem(answer, "not_found", 404)
    assert answer["Content-Language"] == "fr"


# -- idempotency of what anybody may ask --------------------------------------


def test_a_balance_is_told_once_for_each_key(anonymous, sandbox):
    key = {"Idempotency-Key": "k"}
    first = anonymous.post("balance", {"voucher_no": FIFTY}, **key)
    calls = len(sandbox.log())

    again = anonymous.post("balance", {"voucher_no": FIFTY}, **key)

    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"
    assert len(sandbox.log()) == calls
    other = anonymous.post("balance", {"voucher_no": "GOOD-0100-0001"}, **key)
    assert_problem(other, "idempotency_conflict", 409)
    elsewhere = anonymous.post("balance?site=localhost", {"voucher_no": FIFTY}, **key)
    assert_problem(elsewhere, "idempotency_conflict", 409)
    assert FIFTY not in str(StoredAnswer.objects.values())


def test_a_stored_answer_keeps_its_language(server, sandbox):
    key = {"Idempotency-Key": "k"}
    first = server.post(OPEN, {}, **key, **{"Accept-Language": "fr"})
    again = server.post(OPEN, {}, **key, **{"Accept-Language": "en"})

    assert again.content == first.content
    assert first["Content-Language"] == again["Content-Language"] == "fr"


# -- nothing internal ---------------------------------------------------------


def test_every_error_is_translated(server, customer, monkeypatch):
    """With a language in which each text is marked, none comes out unmarked."""
    marked = "«%s»"
    for module in ("errors", "fields", "reading"):
        monkeypatch.setattr(
            f"wagtail_smartgift.api.{module}._", lambda text: marked % text
        )
    monkeypatch.setattr(fields, "WRONG_REFERENCE", marked % fields.WRONG_REFERENCE)
    bodies = [
        b"{",
        b'{"a": 1, "a": 2}',
        b"[]",
        json.dumps({"reference": "\x00", "amount_due": "1e3", "x": 1}).encode(),
        json.dumps({"reference": 5, "metadata": 5, "site": []}).encode(),
    ]
    for body in bodies:
        problem = send(body).json()
        for error in problem.get("errors", []):
            assert error["message"].startswith("«"), error
    added = Api(None).post("balance", {"voucher_no": 5}).json()
    assert added["errors"][0]["message"].startswith("«")


def test_no_name_of_ours_gets_out(server):
    body = {
        "reference": "o",
        "items": [{"product": "37", "price": [], "persons": True}],
        "customer": [],
        "delivery": {"method": [], "price": {}, "date": 5, "address": "x"},
        "dry_run": "no",
    }

    problem = assert_problem(server.post("server/voucher-orders", body), "invalid", 422)

    assert [error["field"] for error in problem["errors"]] == [
        "items.0.product",
        "items.0.price",
        "items.0.persons",
        "customer",
        "delivery.method",
        "delivery.price",
        "delivery.date",
        "delivery.address",
        "dry_run",
    ]
