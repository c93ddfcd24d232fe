"""Headers, keys, the rate limit, and the wire itself."""

import json
import socket
import threading
import time

import pytest

from tests.sandbox.conftest import HEADERS, Caller
from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer


def without(name):
    return {key: value for key, value in HEADERS.items() if key != name}


@pytest.mark.parametrize("key", [None, "", "sk_wrong"])
def test_a_bad_key_is_refused_before_anything_else(api, key):
    headers = without("Smart-Auth") if key is None else {**HEADERS, "Smart-Auth": key}

    got = api.send("POST", "/redeem/hold", {}, headers)

    assert got.status == 401
    assert "Smart-Auth" in got.json["message"]


def test_without_accept_errors_come_as_html(api):
    got = api.send("GET", "/vouchers", headers={"Accept": "application/json"})
    assert got.status == 401
    assert got.headers["Content-Type"] == "application/json"

    got = api.send("GET", "/vouchers", headers={})
    assert got.status == 401
    assert got.headers["Content-Type"].startswith("text/html")

    got = api.send("POST", "/redeem/hold", {"voucher_no": "x"}, without("Accept"))
    assert got.status == 302
    assert b"<html" in got.text


def test_a_body_that_is_not_declared_as_json_is_not_read(api, sandbox):
    headers = without("Content-Type")

    got = api.send("POST", "/redeem/hold", {"voucher_no": "GOOD-0050-0001"}, headers)

    assert got.errors == {"voucher_no": ["The voucher no field is required."]}
    assert "Content-Type" in sandbox.log()[-1].note


@pytest.mark.parametrize("raw", [b"{", b"[1]", b'"x"', b'{"voucher_no": NaN}', b"\xff"])
def test_a_body_that_is_no_json_object_is_an_empty_one(api, raw):
    got = api.send("POST", "/redeem/hold", raw=raw)

    assert got.errors == {"voucher_no": ["The voucher no field is required."]}


def test_numbers_are_trimmed(api):
    assert api.check("  GOOD-0050-0001\n").status == 200


def test_unknown_paths_and_methods_answer_like_laravel(api):
    assert api.get("/nowhere").status == 404
    got = api.get("/redeem/check")
    assert got.status == 405
    assert got.headers["Allow"] == "POST"
    assert "GET method is not supported for route redeem/check" in got.json["message"]


def test_a_voucher_of_another_company_is_refused(api):
    assert api.check("QUAY-0050-0001").status == 422
    quay = {**HEADERS, "Smart-Auth": "sk_sandbox_quay"}
    body = {"voucher_no": "QUAY-0050-0001", "site_id": "9"}
    assert api.send("POST", "/redeem/check", body, quay).status == 200
    assert api.send("POST", "/redeem/check", {**body, "site_id": "1"}, quay).errors == {
        "site_id": ["This site number is invalid"]
    }


def test_the_limit_follows_laravels_rule(api, sandbox):
    sandbox.behaviour.rate_limit = 3

    for left in (2, 1, 0):
        got = api.get("/payment-methods")
        assert got.headers["X-RateLimit-Limit"] == "3"
        assert got.headers["X-RateLimit-Remaining"] == str(left)
        assert "X-RateLimit-Reset" not in got.headers
    sandbox.clock.advance(20)
    for _ in range(3):
        got = api.get("/payment-methods")
        assert got.status == 429
        assert got.json == {"message": "Too Many Attempts."}
        assert got.headers["Retry-After"] == "40"
        reset = int(got.headers["X-RateLimit-Reset"])
        assert reset == int(sandbox.clock.now()) + 40
    # Refused calls were not counted and prolonged nothing; the window began at the
    # first call, not at the full minute.
    sandbox.clock.advance(40)
    assert api.get("/payment-methods").headers["X-RateLimit-Remaining"] == "2"


def test_each_key_has_a_limit_of_its_own(api, sandbox):
    sandbox.behaviour.rate_limit = 1
    assert api.get("/vouchers").status == 200
    assert api.get("/vouchers").status == 429

    other = {**HEADERS, "Smart-Auth": "sk_sandbox_quay"}
    assert api.get("/vouchers", other).status == 200


def test_a_refused_call_did_nothing(api, sandbox):
    sandbox.behaviour.rate_limit = 1
    api.get("/vouchers")

    assert api.hold("GOOD-0050-0001").status == 429
    assert sandbox.voucher("GOOD-0050-0001").hold is None


def test_the_date_header_tells_the_sandboxs_time(api, sandbox):
    before = api.get("/vouchers").headers["Date"]
    sandbox.clock.advance(3600)

    assert api.get("/vouchers").headers["Date"] != before


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 2000000", b"413"),
        (b"Content-Length: -1", b"400"),
        (b"Transfer-Encoding: chunked", b"411"),
    ],
)
def test_a_body_without_a_usable_length_ends_the_connection(server, head, status):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as wire:
        wire.sendall(b"POST /redeem HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
        answer = wire.makefile("rb").read()

    assert answer.split()[1] == status


def test_many_threads_redeem_no_penny_twice(server, sandbox):
    sandbox.add_voucher("SHARED", balance=10)
    statuses = []

    def work():
        caller = Caller(server.port)
        statuses.extend(caller.redeem("SHARED", 1).status for _ in range(5))
        caller.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert statuses.count(200) == 10
    assert statuses.count(422) == 20
    assert sandbox.voucher("SHARED").balance == 0


def test_stopping_ends_idle_and_waiting_connections_at_once():
    sandbox = Sandbox(behaviour=Behaviour(latency=60))
    server = SandboxServer(sandbox).start()
    idle = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    waiting = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    waiting.sendall(b"GET /vouchers HTTP/1.1\r\nHost: x\r\n\r\n")
    deadline = time.monotonic() + 5
    while not sandbox.log() and time.monotonic() < deadline:
        time.sleep(0.01)

    began = time.monotonic()
    server.stop()

    assert time.monotonic() - began < 20
    assert idle.recv(1) == b""
    assert waiting.recv(1) == b""
    idle.close()
    waiting.close()
    server.stop()


def test_the_log_keeps_requests_and_answers_but_no_key(api, sandbox):
    api.hold("GOOD-0050-0001")

    line = sandbox.log()[-1]

    assert (line.method, line.path, line.operation) == ("POST", "/redeem/hold", "hold")
    assert (line.status, line.request) == (200, {"voucher_no": "GOOD-0050-0001"})
    assert line.answer["message"] == "Voucher hold successful"
    assert "sk_sandbox" not in json.dumps(line.__dict__, default=str)
