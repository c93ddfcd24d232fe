"""What comes in at the shop's door: who may, what is one, and what is answered.

A refusal has two halves: the status, and that there is no row, no call to Smart Gift
and nothing moved.
"""

import json
from datetime import datetime, timedelta, timezone

import pytest
from django.db import connection
from django.urls import include, path
from ninja import NinjaAPI

from tests.api.conftest import assert_problem
from tests.inbox import (
    ORDER,
    OTHER_SECRET,
    SECRET,
    Shop,
    message,
    sign,
    sign_bytes,
    timeline,
)
from wagtail_smartgift import payments
from wagtail_smartgift.api import mounting, webhooks
from wagtail_smartgift.models import InboxMessage
from wagtail_smartgift.testing import signed_webhook


pytestmark = pytest.mark.django_db(transaction=True)

HUNDRED = "GOOD-0100-0001"
CONFIRMED = ("order.confirmed", {"reference": "order-1"})


@pytest.fixture
def shop(configure, sandbox):
    configure(WEBHOOK_SECRETS=[SECRET])
    return Shop()


@pytest.fixture
def held(shop):
    """A payment that one voucher covers, ready to be confirmed."""
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no=HUNDRED)


@pytest.fixture
def nothing_done(held, sandbox):
    """Return a check that a delivery has left no trace at all."""
    calls = len(sandbox.log())

    def check():
        assert not InboxMessage.objects.exists()
        assert len(sandbox.log()) == calls
        assert payments.get_session(reference="order-1").status == "open"

    return check


# -- a good message -----------------------------------------------------------


def test_the_first_time_and_every_other_time(shop, held, sandbox):
    first = shop.tell(*CONFIRMED)
    calls = len(sandbox.log())
    again = shop.tell(*CONFIRMED)

    assert (first.status_code, again.status_code) == (202, 200)
    assert (
        first.json()
        == again.json()
        == {
            "id": "msg-1",
            "type": "order.confirmed",
            "status": "processed",
            "code": None,
        }
    )
    assert payments.get_session(reference="order-1").status == "confirmed"
    assert timeline() == ["received", "begun", "processed"]
    assert len(sandbox.log()) == calls


def test_a_repeat_is_signed_anew_and_need_not_be_written_alike(shop, held):
    document = {
        "type": "order.confirmed",
        "timestamp": "2026-03-01T14:32:00Z",
        "data": {"reference": "order-1"},
    }
    shop.say(document)
    later = datetime.now(tz=timezone.utc) + timedelta(seconds=60)
    text = json.dumps(dict(reversed(document.items())), indent=2)

    assert shop.send(text, sign(text, at=later)).status_code == 200


def test_the_same_id_with_another_body_is_a_conflict(shop, held, sandbox):
    shop.tell(*CONFIRMED)
    calls = len(sandbox.log())

    answer = shop.tell("order.cancelled", {"reference": "order-1"})

    problem = assert_problem(answer, "idempotency_conflict", 409)
    assert problem["detail"] == "This webhook-id was used for another message."
    assert payments.get_session(reference="order-1").status == "confirmed"
    assert len(sandbox.log()) == calls
    assert message().type == "order.confirmed"
    assert InboxMessage.objects.count() == 1


def test_an_unknown_type_is_kept_and_ignored(shop, sandbox):
    answer = shop.tell("customer.moved", {"street": "1 Mill Lane"})

    assert answer.status_code == 202
    assert answer.json()["status"] == "ignored"
    assert shop.tell("customer.moved", {"street": "1 Mill Lane"}).status_code == 200
    assert_problem(
        shop.tell("customer.moved", {"street": "2"}), "idempotency_conflict", 409
    )
    assert message().payload_encrypted == ""
    assert timeline() == ["ignored"]
    assert not sandbox.log()


@pytest.mark.parametrize(
    "event", ["order.confirmed", "order.cancelled", "order.refunded"]
)
def test_an_unknown_reference_is_kept_as_failed(shop, sandbox, event):
    answer = shop.tell(event, {"reference": "nobodys", "amount": "5.00"})

    assert answer.status_code == 202
    assert (answer.json()["status"], answer.json()["code"]) == ("failed", "not_found")
    assert shop.tell(event, {"reference": "nobodys", "amount": "5.00"}).status_code == (
        200
    )
    assert message().reference == "nobodys"
    assert timeline() == ["received", "begun", "failed not_found"]
    assert not sandbox.log()


def test_a_message_of_another_id_is_another_message(shop, held):
    shop.tell(*CONFIRMED)

    assert shop.tell(*CONFIRMED, webhook_id="msg-2").status_code == 202
    assert message("msg-2").status == "processed"


# -- who signed it ------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1])
def test_any_of_several_secrets_will_do(shop, held, configure, number):
    configure(WEBHOOK_SECRETS=[SECRET, OTHER_SECRET])

    answer = shop.tell(*CONFIRMED, secret=[SECRET, OTHER_SECRET][number])

    assert answer.status_code == 202


def test_any_of_several_signatures_will_do(shop, held):
    body, headers = signed_webhook(*CONFIRMED, secret=SECRET)
    other = sign(body.decode(), secret=OTHER_SECRET)["webhook-signature"]
    good = headers["webhook-signature"]
    headers["webhook-signature"] = f"v1a,abcd v1,!!! v1 {other}  {good}"

    assert shop.send(body, headers).status_code == 202


def test_no_secret_no_message(shop, nothing_done, configure):
    configure(WEBHOOK_SECRETS=[])

    assert_problem(shop.tell(*CONFIRMED), "unauthenticated", 401)
    # Whatever else is wrong with it.
    assert_problem(shop.send(b"", {}), "unauthenticated", 401)
    nothing_done()


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_not base64 at all, and long enough to be",
        "whsec_é" * 8,
        "whsec_c2hvcnQ=",
        SECRET.removeprefix("whsec_"),
    ],
)
def test_a_secret_that_is_none_opens_nothing(shop, nothing_done, configure, secret):
    configure(WEBHOOK_SECRETS=[secret])

    assert_problem(shop.tell(*CONFIRMED), "unauthenticated", 401)
    nothing_done()


def test_a_secret_that_is_none_does_not_spoil_the_others(shop, held, configure, caplog):
    configure(WEBHOOK_SECRETS=["whsec_!!!", SECRET])

    assert shop.tell(*CONFIRMED).status_code == 202
    assert "E007" in caplog.text
    assert "!!!" not in caplog.text


def _good():
    return signed_webhook(*CONFIRMED, secret=SECRET, webhook_id="msg-1")


FORGED = {
    "with another secret": lambda: signed_webhook(*CONFIRMED, secret=OTHER_SECRET),
    "for another id": lambda: (_good()[0], {**_good()[1], "webhook-id": "msg-2"}),
    "at another time": lambda: (
        _good()[0],
        {
            **_good()[1],
            "webhook-timestamp": str(int(_good()[1]["webhook-timestamp"]) - 9),
        },
    ),
    "truncated": lambda: (_good()[0][:-1], _good()[1]),
    "empty": lambda: (b"", _good()[1]),
    "with something after it": lambda: (_good()[0] + b"\n", _good()[1]),
    "changed": lambda: (_good()[0].replace(b"order-1", b"order-2"), _good()[1]),
    "re-encoded": lambda: (
        json.dumps(json.loads(_good()[0]), separators=(",", ":")).encode(),
        _good()[1],
    ),
    "in UTF-16": lambda: (_good()[0].decode().encode("utf-16"), _good()[1]),
    "with a mark of its order": lambda: (b"\xef\xbb\xbf" + _good()[0], _good()[1]),
    "that is no text": lambda: (b"\xff\xfe" + _good()[0], _good()[1]),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_message_that_nobody_signed(shop, nothing_done, name):
    assert_problem(shop.send(*FORGED[name]()), "unauthenticated", 401)
    nothing_done()


@pytest.mark.parametrize(
    "signature",
    [
        "v1",
        "v1,",
        ",",
        "v1,,",
        "v1,abc",
        "v1,====",
        "v1,é",
        "v1,日本".encode().decode("latin-1"),
        "v1a,{good}",
        "v2,{good}",
        "{good}",
        "v1,{good},v1,{good}",
        "V1,{good}",
        "v1,{good}=",
        "v1,{cut}",
        "v1 ,{good}",
    ],
)
def test_a_signature_that_is_none(shop, nothing_done, signature):
    body, headers = _good()
    good = headers["webhook-signature"].removeprefix("v1,")
    headers["webhook-signature"] = signature.format(good=good, cut=good[:-2])

    assert_problem(shop.send(body, headers), "unauthenticated", 401)
    nothing_done()


# -- what is missing or late --------------------------------------------------


@pytest.mark.parametrize(
    "header", ["webhook-id", "webhook-timestamp", "webhook-signature"]
)
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_header_is_missing(shop, nothing_done, header, value):
    body, headers = _good()
    del headers[header]
    if value is not None:
        headers[header] = value

    problem = assert_problem(shop.send(body, headers), "malformed", 400)
    assert problem["errors"] == [
        {"field": header, "message": "This header is required."}
    ]
    nothing_done()


@pytest.mark.parametrize("seconds", [-301, -3600, 303, 3600, -(10**9), 10**9])
def test_it_is_stale_or_from_the_future(shop, nothing_done, seconds):
    at = datetime.now(tz=timezone.utc) + timedelta(seconds=seconds)

    assert_problem(shop.tell(*CONFIRMED, at=at), "malformed", 400)
    nothing_done()


@pytest.mark.parametrize("seconds", [-290, 290])
def test_five_minutes_either_way_are_allowed(shop, held, seconds):
    at = datetime.now(tz=timezone.utc) + timedelta(seconds=seconds)

    assert shop.tell(*CONFIRMED, at=at).status_code == 202


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "{now}.0",
        "{now}.5",
        "0{now}",
        "+{now}",
        "-{now}",
        "{now},{now}",
        "{now}000",
        "1e9",
        "nan",
        "inf",
        "0x7",
        "9" * 400,
        "2026-03-01T14:32:00Z",
        "１２３",
        "1_0",
        "",
    ],
)
def test_a_time_that_is_none(shop, nothing_done, text):
    body, headers = _good()
    headers["webhook-timestamp"] = (
        text.format(now=headers["webhook-timestamp"]).encode().decode("latin-1")
    )

    assert_problem(shop.send(body, headers), "malformed", 400)
    nothing_done()


def test_a_missing_header_is_told_before_a_wrong_signature(shop, nothing_done):
    body, headers = signed_webhook(*CONFIRMED, secret=OTHER_SECRET)

    assert_problem(shop.send(body, {**headers, "webhook-id": ""}), "malformed", 400)
    assert_problem(
        shop.send(body, {**headers, "webhook-timestamp": "1"}), "malformed", 400
    )
    nothing_done()


@pytest.mark.parametrize("webhook_id", ["x" * 65, "tab\tin", "clé"])
def test_an_id_that_is_none(shop, nothing_done, webhook_id):
    body, _headers = _good()
    # As bytes on the wire: what Python's client sends as latin-1.
    headers = sign(body.decode(), webhook_id=webhook_id)

    assert_problem(shop.send(body, headers), "malformed", 400)
    nothing_done()
    forged = sign(body.decode(), webhook_id=webhook_id, secret=OTHER_SECRET)
    assert_problem(shop.send(body, forged), "unauthenticated", 401)


@pytest.mark.parametrize("webhook_id", ["x", "x" * 64, "order-1042.refund.1", "a b"])
def test_an_id_that_is_one(shop, held, webhook_id):
    assert shop.tell(*CONFIRMED, webhook_id=webhook_id).status_code == 202
    assert message(webhook_id).status == "processed"


# -- what shape it has --------------------------------------------------------

TIME = "2026-03-01T14:32:00Z"
REFERENCE = {"reference": "order-1"}


def _event(data, kind="order.refunded", **more):
    return {"type": kind, "timestamp": TIME, "data": data, **more}


SHAPELESS = {
    "no JSON": "{",
    "nothing": "",
    "a list": [],
    "a text": "order.confirmed",
    "null": "null",
    "NaN": f'{{"type":"x","timestamp":"{TIME}","data":NaN}}',
    "as deep as a well": "[" * 100_000,
    "a very long number": '{"type":' + "9" * 5000 + "}",
    "no type": {"timestamp": TIME, "data": REFERENCE},
    "no timestamp": {"type": "order.confirmed", "data": REFERENCE},
    "no data": {"type": "order.confirmed", "timestamp": TIME},
    "a type that is a number": _event(REFERENCE, 7),
    "an empty type": _event(REFERENCE, ""),
    "a type with a space": _event(REFERENCE, "order confirmed"),
    "a type with a NUL": _event(REFERENCE, "order\0confirmed"),
    "a type that is too long": _event(REFERENCE, "x" * 129),
    "a time in seconds": {**_event(REFERENCE), "timestamp": 1772375520},
    "a time in a text of seconds": {**_event(REFERENCE), "timestamp": "1772375520"},
    "a time without a zone": {**_event(REFERENCE), "timestamp": TIME[:-1]},
    "a day": {**_event(REFERENCE), "timestamp": "2026-03-01"},
    "data that are null": _event(None),
    "data that are a list": _event([REFERENCE]),
    "no reference": _event({}),
    "a reference that is a number": _event({"reference": 1}),
    "an empty reference": _event({"reference": ""}),
    "a reference with a slash": _event({"reference": "order/1"}),
    "a reference with a NUL": _event({"reference": "order\0"}),
    "a reference that is too long": _event({"reference": "x" * 65}),
    "a misspelt amount": _event({**REFERENCE, "ammount": "5.00"}),
    "an amount in words": _event({**REFERENCE, "amount": "five"}),
    "an amount with three decimals": _event({**REFERENCE, "amount": "5.001"}),
    "an amount of nothing": _event({**REFERENCE, "amount": 0}),
    "a negative amount": _event({**REFERENCE, "amount": "-5.00"}),
    "an amount that is null": _event({**REFERENCE, "amount": None}),
    "an amount that is true": _event({**REFERENCE, "amount": True}),
    "the reference twice": (
        f'{{"type":"order.refunded","timestamp":"{TIME}",'
        '"data":{"reference":"order-1","reference":"order-2"}}'
    ),
    "the type twice": (
        f'{{"type":"order.refunded","timestamp":"{TIME}","type":"order.confirmed",'
        '"data":{"reference":"order-1"}}'
    ),
    "a verb's body that is another's": _event(
        {**REFERENCE, "amount_remaining": "1.00"}, "order.confirmed"
    ),
    "an order without items": _event({**REFERENCE, "items": []}, "order.paid"),
    "an order with an unknown field": _event(
        {**REFERENCE, "vouchers": 1}, "order.paid"
    ),
    "a catalogue that says what changed": _event({"id": 37}, "catalogue.changed"),
    "half a pair": _event({**REFERENCE, **ORDER, "site": "\ud800"}, "order.paid"),
    "half a pair in an address": _event(
        {
            **REFERENCE,
            **ORDER,
            "delivery": {**ORDER["delivery"], "address": {"city": "\ud800"}},
        },
        "order.paid",
    ),
    "a NUL in a name of an address": _event(
        {
            **REFERENCE,
            **ORDER,
            "delivery": {**ORDER["delivery"], "address": {"ci\0ty": "Bath"}},
        },
        "order.paid",
    ),
    "a number beyond all numbers": json.dumps(
        _event(
            {
                **REFERENCE,
                **ORDER,
                "delivery": {**ORDER["delivery"], "address": {"city": "BIG"}},
            },
            "order.paid",
        )
    ).replace('"BIG"', "1e999"),
    "an address as deep as a well": json.dumps(
        _event(
            {
                **REFERENCE,
                **ORDER,
                "delivery": {**ORDER["delivery"], "address": {"city": "WELL"}},
            },
            "order.paid",
        )
    ).replace('"WELL"', "[" * 500 + "]" * 500),
    "a NUL in a site's name": _event(
        {**REFERENCE, **ORDER, "site": "\0"}, "order.paid"
    ),
}


@pytest.mark.parametrize("name", SHAPELESS)
def test_it_is_signed_and_has_not_the_right_shape(shop, nothing_done, name):
    problem = assert_problem(shop.say(SHAPELESS[name]), "malformed", 400)

    assert "order-1" not in str(problem)
    nothing_done()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe\xfd",
        json.dumps(_event(REFERENCE)).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(_event(REFERENCE)).encode(),
        json.dumps(_event(REFERENCE)).encode().replace(b"order-1", b"order\xe9"),
    ],
    ids=["bytes", "UTF-16", "a mark of its order", "Latin-1"],
)
def test_it_is_signed_and_is_no_text(shop, nothing_done, body):
    """The shop's mistake, which it has to see: who is refused looks for a wrong secret."""
    headers = sign_bytes(body)

    assert_problem(shop.send(body, headers), "malformed", 400)
    assert_problem(
        shop.send(body, {**headers, "webhook-id": "msg-2"}), "unauthenticated", 401
    )
    nothing_done()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ammount", "ammount"),
        ("amountDue", "amountDue"),
        ("address_1", "address_1"),
        (HUNDRED, "…0001"),
        ("7KQ4WMX2PD9HRT3C", "…RT3C"),
        ("7kq4wmx2pd9hrt3c", "…rt3c"),
        ("5019000000001234", "…1234"),
        ("x" * 5000, "…xxxx"),
        ("é", "…"),
        ("", "…"),
    ],
)
def test_no_voucher_number_is_repeated_as_the_name_of_a_member(
    shop, server, nothing_done, name, shown
):
    """By neither door: what is no name of ours may be anything."""
    told = shop.say(_event({**REFERENCE, name: "1"}, "order.refunded"))
    posted = server.post("server/payment-sessions/order-1/refund", {name: "1"})

    assert_problem(told, "malformed", 400)
    assert_problem(posted, "invalid", 422)
    assert [one["field"] for one in told.json()["errors"]] == [f"data.{shown}"]
    assert [one["field"] for one in posted.json()["errors"]] == [shown]
    nothing_done()


def test_a_401_asks_for_a_signature(shop, held):
    """HTTP wants a challenge with each, and a bearer token opens nothing here."""
    for more in ({}, {"authorization": "Bearer nothing"}):
        answer = shop.send("{}", {**sign("{}", secret=OTHER_SECRET), **more})
        assert_problem(answer, "unauthenticated", 401)
        assert answer["WWW-Authenticate"] == "Standard-Webhooks"


def test_it_says_what_is_wrong_where(shop, nothing_done):
    problem = shop.say(_event({"amount": "x", "b": 1}, "order.refunded")).json()

    assert {one["field"]: one["message"] for one in problem["errors"]} == {
        "data.reference": "This field is required.",
        "data.amount": problem["errors"][0]["message"],
        "data.b": "This field is not known.",
    }
    assert "at most two decimals" in problem["errors"][0]["message"]
    nothing_done()


def test_the_envelope_may_grow(shop, held):
    answer = shop.say(
        _event(REFERENCE, "order.confirmed", version=2, meta={"attempt": 1})
    )

    assert answer.status_code == 202
    assert message().status == "processed"


@pytest.mark.parametrize("limit", [2_621_440, 1000, None])
def test_a_body_that_is_too_large_is_not_read(shop, nothing_done, settings, limit):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit
    text = json.dumps(_event({**REFERENCE, "note": "x" * 1024 * 1024}))

    problem = assert_problem(shop.say(text), "malformed", 400)
    assert problem["detail"] == "The message is too large."
    nothing_done()


def test_only_what_is_posted_counts(shop, nothing_done):
    assert shop.client.get(shop.address).status_code == 405
    nothing_done()


# -- on a host ----------------------------------------------------------------


def test_a_repeat_while_the_first_is_at_work(shop, held, monkeypatch):
    """The second delivery arrives while the first one redeems."""
    confirm = payments._verbs.confirm
    meanwhile = []

    def slowly(**values):
        meanwhile.append(Shop().tell(*CONFIRMED))
        return confirm(**values)

    monkeypatch.setattr(payments._verbs, "confirm", slowly)
    answer = shop.tell(*CONFIRMED)

    assert answer.status_code == 202
    [second] = meanwhile
    assert second.status_code == 200
    assert second.json()["status"] == "processing"
    assert timeline() == ["received", "begun", "processed"]


def test_a_host_with_atomic_requests(shop, held, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    answer = shop.tell(*CONFIRMED)

    assert answer.status_code == 202
    assert message().status == "processed"


def test_a_host_that_wants_a_login_everywhere(shop, held, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    assert shop.tell(*CONFIRMED).status_code == 202
    assert shop.tell(*CONFIRMED, secret=OTHER_SECRET).status_code == 401


_own = NinjaAPI(urls_namespace="host", docs_url=None)
mounting.install(_own)
_own.add_router("gift/", webhooks.router)
urlpatterns = [
    path("own/", _own.urls),
    path("smartgift/", include("wagtail_smartgift.urls")),
]


def test_a_host_that_has_an_api_of_its_own(shop, held, settings):
    settings.ROOT_URLCONF = __name__
    own = Shop("/own/gift/shop")

    assert_problem(own.tell(*CONFIRMED, secret=OTHER_SECRET), "unauthenticated", 401)
    assert own.tell(*CONFIRMED).status_code == 202
    assert payments.get_session(reference="order-1").status == "confirmed"


def test_nothing_secret_is_logged(shop, held, sandbox, caplog):
    caplog.set_level("DEBUG")
    order = {"reference": "order-9", "note": HUNDRED}
    shop.say(_event(order))
    shop.tell(*CONFIRMED, secret=OTHER_SECRET)
    shop.tell("order.refunded", {"reference": "nobodys"})

    ours = [one for one in caplog.records if one.name.startswith("wagtail_smartgift")]
    said = " ".join(one.getMessage() for one in ours)
    assert "nobodys" not in said
    assert HUNDRED not in said
    assert SECRET not in said
