"""Idempotency-Key: what is sent twice is done once."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.api.conftest import Api, assert_problem
from wagtail_smartgift import payments
from wagtail_smartgift.api import idempotency
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import PaymentSession, SessionSecret, StoredAnswer
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import answers, progress, reconciliation
from wagtail_smartgift.services import payments as verbs


FIFTY, HUNDRED = "GOOD-0050-0001", "GOOD-0100-0001"
OPEN = {"reference": "order-1", "amount_due": "80.00"}
OTHER_KEY = "another-key-for-tests"


class Crash(BaseException):
    """A worker that dies: no ``except Exception`` sees it."""


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


def open_session(server, key="k1", **changes):
    return server.post("server/payment-sessions", {**OPEN, **changes}, **keyed(key))


def refund(server, amount=None, key="r1"):
    body = None if amount is None else {"amount": amount}
    return server.post("server/payment-sessions/order-1/refund", body, **keyed(key))


@pytest.fixture
def confirmed(server, customer):
    """A payment of 80.00, all of it taken from a voucher of 100.00."""
    added = customer.post("payment-session/redemptions", {"voucher_no": HUNDRED})
    assert added.status_code == 201
    assert server.post("server/payment-sessions/order-1/confirm").status_code == 200


# -- the stored answer --------------------------------------------------------


def test_a_repeat_gets_the_stored_answer_and_does_nothing(server, sandbox):
    first = open_session(server)
    again = open_session(server)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again["Content-Type"] == first["Content-Type"]
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    # Without the key it would have been 200 and made another secret.
    assert SessionSecret.objects.count() == 1


def test_the_order_of_a_bodys_members_does_not_matter(server, sandbox):
    first = open_session(server)
    turned = json.dumps(dict(reversed(OPEN.items())), indent=3).encode()

    again = server._client.post(
        "/smartgift/api/server/payment-sessions",
        turned,
        content_type="application/json",
        headers={**server._headers, **keyed("k1")},
    )

    assert again.content == first.content


def test_another_body_is_a_conflict(server, sandbox):
    open_session(server)

    answer = open_session(server, amount_due="81.00")

    assert_problem(answer, "idempotency_conflict", 409)
    assert PaymentSession.objects.get().amount_due == 80


def test_a_key_belongs_to_a_credential_and_a_path(server, sandbox, configure):
    configure(SERVER_KEYS=["server-key-for-tests", OTHER_KEY])
    open_session(server)

    assert open_session(Api(OTHER_KEY), amount_due="81.00").status_code == 200
    elsewhere = "server/payment-sessions/order-1/prepare"
    assert server.post(elsewhere, {}, **keyed("k1")).status_code == 200
    assert_problem(open_session(server, reference="x"), "idempotency_conflict", 409)


def test_a_stored_answer_is_not_for_strangers(server, sandbox, configure):
    open_session(server)
    configure(SERVER_KEYS=[OTHER_KEY])

    assert_problem(open_session(server), "unauthenticated", 401)


def test_answers_are_encrypted_and_forgotten_after_a_day(
    server, sandbox, time_machine_now
):
    secret = open_session(server).json()["client_secret"]
    stored = StoredAnswer.objects.get()
    assert secret not in str(vars(stored))
    assert "order-1" not in str(vars(stored))

    time_machine_now.shift(24 * 3600 - 60)
    assert open_session(server).json()["client_secret"] == secret
    assert answers.prune() == 0

    time_machine_now.shift(120)
    later = open_session(server, amount_due="81.00")
    assert later.status_code == 200
    assert later.json()["client_secret"] != secret

    time_machine_now.shift(25 * 3600)
    reconciliation.reconcile()
    assert not StoredAnswer.objects.exists()


def test_an_answer_whose_encryption_key_is_gone_is_worked_out_anew(
    server, sandbox, configure
):
    open_session(server)
    configure(ENCRYPTION_KEYS=["an entirely different key of the shop's"])

    assert open_session(server).status_code == 200
    assert open_session(server)["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    "key", ["", " ", "k" * 65, "tab\tkey", "clé", "line\x7f"], ids=repr
)
def test_a_key_that_is_none_is_malformed(server, key):
    assert_problem(open_session(server, key), "malformed", 400)
    assert not PaymentSession.objects.exists()


def test_a_long_key_is_a_key(server, sandbox):
    assert open_session(server, "k" * 64).status_code == 201


def test_refusals_for_good_are_kept(server, sandbox):
    refused = open_session(server, amount_due="-1")
    assert_problem(refused, "invalid", 422)

    assert open_session(server, amount_due="-1").content == refused.content
    assert_problem(open_session(server), "idempotency_conflict", 409)
    assert open_session(server, "k2").status_code == 201


def test_a_missing_payment_stays_missing_for_the_same_key(server, sandbox):
    path = "server/payment-sessions/order-1/prepare"
    assert_problem(server.post(path, **keyed("p")), "not_found", 404)
    open_session(server)

    again = server.post(path, **keyed("p"))

    assert_problem(again, "not_found", 404)
    assert again["Idempotent-Replayed"] == "true"
    assert server.post(path).status_code == 200


# -- what is not final --------------------------------------------------------


def test_answers_that_are_not_final_free_the_key(server, customer, sandbox):
    body = {"voucher_no": FIFTY}
    path = "payment-session/redemptions"
    sandbox.hold_by_till(FIFTY)
    assert_problem(customer.post(path, body, **keyed("a")), "voucher_held", 409)

    sandbox.clock.advance(301)
    sandbox.faults.add(Fault(operation="*", mode="status", status=503, times=None))
    unavailable = customer.post(path, body, **keyed("a"))
    assert_problem(unavailable, "smartgift_unavailable", 503)
    assert not StoredAnswer.objects.exists()


def test_an_unsettled_answer_is_asked_for_anew(server, customer, sandbox):
    customer.post("payment-session/redemptions", {"voucher_no": FIFTY})
    sandbox.faults.add(Fault(operation="redeem", mode="lost_after"))
    path = "server/payment-sessions/order-1/confirm"

    assert server.post(path, **keyed("c")).status_code == 202
    PaymentSession.objects.update(status="confirmed")

    assert server.post(path, **keyed("c")).status_code == 200


def test_a_fault_of_ours_frees_the_key(server, sandbox, monkeypatch):
    def fail(**_kwargs):
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("wagtail_smartgift.services.opening.open_session", fail)
        with pytest.raises(ZeroDivisionError):
            open_session(server)

    assert open_session(server).status_code == 201


# -- two at once, and crashes -------------------------------------------------


def test_the_second_of_two_at_once_is_told_so(server, sandbox, monkeypatch):
    seconds = []
    original = answers.claim

    def claim(**kwargs):
        claimed = original(**kwargs)
        monkeypatch.setattr(answers, "claim", original)
        seconds.append(open_session(server))
        seconds.append(open_session(server, amount_due="1.00"))
        return claimed

    monkeypatch.setattr(answers, "claim", claim)
    first = open_session(server)

    assert first.status_code == 201
    assert_problem(seconds[0], "in_progress", 409)
    assert int(seconds[0]["Retry-After"]) >= 1
    assert_problem(seconds[1], "idempotency_conflict", 409)
    assert open_session(server).content == first.content


@pytest.mark.django_db(transaction=True)
def test_only_one_of_many_threads_gets_the_key():
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads cannot share a SQLite database in memory")

    def claim(_number):
        try:
            answers.claim(caller="me", path="/x", key="k", body=b"{}")
        except PaymentError as error:
            return error.code
        finally:
            connection.close()
        return "claimed"

    with ThreadPoolExecutor(8) as pool:
        results = sorted(pool.map(claim, range(8)))

    assert results == ["claimed", *["in_progress"] * 7]


def test_a_claim_outlives_the_longest_request_and_runs_out(
    server, sandbox, monkeypatch, time_machine_now
):
    def crash(*_args):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(answers, "settle", crash)
        with pytest.raises(Crash):
            open_session(server)

    time_machine_now.shift(45)
    assert_problem(open_session(server), "in_progress", 409)
    time_machine_now.shift(20)
    assert open_session(server).status_code == 200


# -- refunds ------------------------------------------------------------------


def test_a_refund_of_an_amount_needs_a_key(server, confirmed, sandbox):
    path = "server/payment-sessions/order-1/refund"
    answer = server.post(path, {"amount": "10.00"})

    assert_problem(answer, "idempotency_key_required", 400)
    assert sandbox.voucher(HUNDRED).balance == 20
    assert server.post(path, {}).status_code == 200
    assert sandbox.voucher(HUNDRED).balance == 100


def test_a_refund_is_given_once_for_each_key(server, confirmed, sandbox):
    for _twice in range(2):
        answer = refund(server, "10.00")
        assert answer.status_code == 200
        assert answer.json()["amount_refunded"] == "10.00"
    assert sandbox.voucher(HUNDRED).balance == 30

    assert refund(server, "10.00", "r2").json()["amount_refunded"] == "20.00"
    assert sandbox.voucher(HUNDRED).balance == 40
    assert_problem(refund(server, "11.00"), "idempotency_conflict", 409)


def test_a_crash_after_the_refund_does_not_refund_twice(
    server, confirmed, sandbox, monkeypatch, time_machine_now
):
    def crash(*_args):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(answers, "settle", crash)
        with pytest.raises(Crash):
            refund(server, "10.00")
    assert sandbox.voucher(HUNDRED).balance == 30

    assert_problem(refund(server, "10.00"), "in_progress", 409)
    time_machine_now.shift(61)
    again = refund(server, "10.00")

    assert again.status_code == 200
    assert again.json()["amount_refunded"] == "10.00"
    assert sandbox.voucher(HUNDRED).balance == 30
    assert refund(server, "10.00").content == again.content


@pytest.mark.parametrize("dies", [True, False], ids=["killed", "told to stop"])
def test_a_crash_before_the_money_moved_refunds_once(
    server, confirmed, sandbox, monkeypatch, time_machine_now, dies
):
    def crash(*_args):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(progress, "advance", crash)
        if dies:
            patched.setattr(answers, "free", lambda claim: None)
        with pytest.raises(Crash):
            refund(server, "10.00")
    assert sandbox.voucher(HUNDRED).balance == 20
    time_machine_now.shift(61)

    # It has begun, so it is not settled, and the sweep goes on with it.
    assert refund(server, "10.00").status_code == 202
    reconciliation.reconcile()

    settled = refund(server, "10.00")
    assert settled.status_code == 200
    assert settled.json()["amount_refunded"] == "10.00"
    assert sandbox.voucher(HUNDRED).balance == 30


def test_a_refund_that_settles_later_is_not_begun_again(
    server, confirmed, sandbox, time_machine_now
):
    sandbox.hold_by_till(HUNDRED)
    assert refund(server, "10.00").status_code == 202
    assert refund(server, "10.00").status_code == 202

    sandbox.clock.advance(301)
    time_machine_now.shift(400)
    reconciliation.reconcile()

    assert refund(server, "10.00").status_code == 200
    assert refund(server, "10.00").json()["amount_refunded"] == "10.00"
    assert sandbox.voucher(HUNDRED).balance == 30


def test_a_worker_that_lost_its_key_begins_no_refund(
    server, confirmed, sandbox, time_machine_now
):
    late = answers.claim(caller="s", path="/r", key="k", body=b"{}")
    time_machine_now.shift(61)
    answers.claim(caller="s", path="/r", key="k", body=b"{}")

    with pytest.raises(PaymentError) as refused:
        verbs.refund(reference="order-1", amount="10.00", claim=late)

    assert refused.value.code == "session_busy"
    assert sandbox.voucher(HUNDRED).balance == 20
    assert payments.get_session(reference="order-1").status == "confirmed"


def test_every_post_documents_the_key(anonymous):
    paths = anonymous.get("openapi.json").json()["paths"]
    with_key = {
        path.removeprefix("/smartgift/api/")
        for path, calls in paths.items()
        for parameter in calls.get("post", {}).get("parameters", [])
        if parameter["name"] == idempotency.HEADER
    }
    posts = {
        path.removeprefix("/smartgift/api/")
        for path, calls in paths.items()
        if "post" in calls
    }
    # Of a message of the shop, its id is the key.
    assert with_key == {path for path in posts if not path.startswith("webhooks/")}
