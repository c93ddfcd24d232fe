"""What the client concludes from each way in which a server can misbehave.

Nothing here is mocked: the failures are made on a raw socket, since "closed before
reading" and "closed after reading" differ nowhere else. Each case says how many redeems
the server has read and whether the client may call it "not applied".
"""

import gzip
import socket
import struct
import threading
import time
from decimal import Decimal

import pytest

from tests.client.conftest import Server, answering, http, sample
from wagtail_smartgift.client import (
    Applied,
    Misrouted,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    SmartGiftError,
    Unauthorised,
)


def redeem(client):
    return client.redeem(voucher_no="V1234567", site_id="1", value=Decimal(10))


def close_before_reading(connection: socket.socket, server: Server) -> None:
    pass


def close_after_reading(connection: socket.socket, server: Server) -> None:
    server.read(connection)


def reset_after_reading(connection: socket.socket, server: Server) -> None:
    server.read(connection)
    linger = struct.pack("ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def never_answer(connection: socket.socket, server: Server) -> None:
    server.read(connection)
    server.closing.wait(10)


def half_a_body(connection: socket.socket, server: Server) -> None:
    server.read(connection)
    connection.sendall(http(200, sample("redeem"))[:-10])


def half_a_chunk(connection: socket.socket, server: Server) -> None:
    server.read(connection)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'20\r\n{"data": {"redemptions"'
    )


def garbage(connection: socket.socket, server: Server) -> None:
    server.read(connection)
    connection.sendall(b"\x16\x03\x01 this is no HTTP\r\n\r\n")


def html(status: int):
    return answering(status, b"<html><h1>Bad Gateway</h1></html>")


@pytest.mark.parametrize(
    ("behave", "seen"),
    [
        (close_before_reading, 0),
        (close_after_reading, 1),
        (reset_after_reading, 1),
        (never_answer, 1),
        (half_a_body, 1),
        (half_a_chunk, 1),
        (garbage, 1),
        (html(200), 1),
        (html(502), 1),
        (html(500), 1),
        (html(504), 1),
        (answering(503, {"message": "Service Unavailable"}), 1),
        (answering(200, b""), 1),
        (answering(204), 1),
        (answering(200, b"\x1f\x8bnot gzip", headers={"Content-Encoding": "gzip"}), 1),
        (answering(200, b"\xff\xfe\xfd"), 1),
        (answering(200, b"[" * 100_000), 1),
        (answering(200, b'{"data": {"redemptions": [NaN]}}'), 1),
        (answering(200, {"data": {"message": "The voucher has been redeemed."}}), 1),
        (answering(200, {"data": {"redemptions": []}}), 1),
        (answering(200, {"data": {"redemptions": None}}), 1),
        (answering(200, {"data": {"redemptions": [True]}}), 1),
        (answering(200, {"data": {"redemptions": [1.5]}}), 1),
        (answering(200, {"data": {"redemptions": [[21]]}}), 1),
        (answering(200, {"data": {"redemptions": 21}}), 1),
        (answering(200, []), 1),
        (answering(302, headers={"Location": "/elsewhere"}), 1),
        (answering(307, headers={"Location": "/redeem"}), 1),
        (answering(308, headers={"Location": "http://127.0.0.1:1/"}), 1),
        (answering(304), 1),
        (answering(408, {"message": "Request Timeout"}), 1),
        (answering(409, {"message": "Conflict"}), 1),
        (answering(418, {"message": "?"}), 1),
        (answering(425, {"message": "Too Early"}), 1),
        (answering(499, {"message": "?"}), 1),
    ],
)
def test_what_may_have_been_applied_is_unknown_and_sent_once(
    serve, make_client, behave, seen
):
    server = serve(behave)
    with pytest.raises(OutcomeUnknown) as caught:
        redeem(make_client(server, timeout=1.0))
    assert caught.value.applied is Applied.UNKNOWN
    assert caught.value.operation == "redeem"
    # Once, and no second attempt while nobody looks.
    time.sleep(0.05)
    assert len(server.requests) == seen
    assert server.connections == 1


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (422, sample("error_not_enough_balance"), Refused),
        (422, b"", Refused),
        (422, b"<html>", Refused),
        (422, [], Refused),
        (422, {"message": None, "errors": [1]}, Refused),
        (422, {"message": "The Smart-Auth header is missing."}, Unauthorised),
        (422, {"message": "x", "errors": {"smart_auth": ["wrong"]}}, Unauthorised),
        (400, {"message": "Bad Request"}, Refused),
        (413, b"<html>", Refused),
        (415, b"", Refused),
        (401, {"message": "Unauthenticated."}, Unauthorised),
        (403, b"<html>", Unauthorised),
        (404, {"message": "Not Found"}, Misrouted),
        (405, b"", Misrouted),
        (429, {"message": "Too Many Attempts."}, RateLimited),
        (429, b"", RateLimited),
    ],
)
def test_a_definite_no_has_applied_nothing(serve, make_client, status, body, expected):
    server = serve(answering(status, body))
    with pytest.raises(SmartGiftError) as caught:
        redeem(make_client(server))
    assert type(caught.value) is expected
    assert caught.value.applied is Applied.NO
    assert caught.value.status == status
    assert len(server.requests) == 1


def test_a_refused_port_has_received_nothing(make_client):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotSent) as caught:
        redeem(make_client(f"http://127.0.0.1:{port}"))
    assert caught.value.applied is Applied.NO
    assert "ConnectionRefusedError" in str(caught.value)


def test_an_unknown_host_has_received_nothing(make_client, monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(NotSent) as caught:
        redeem(make_client("https://api.smartgift.test"))
    assert caught.value.applied is Applied.NO


def test_a_look_up_that_hangs_ends_with_the_call(make_client, monkeypatch):
    over = threading.Event()

    def hang(*args, **kwargs):
        over.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    with pytest.raises(NotSent, match="in time"):
        redeem(make_client("https://api.smartgift.test", timeout=0.3))
    assert time.monotonic() - started < 6.0
    over.set()


def test_a_host_that_swallows_everything_is_given_up_in_time(make_client):
    # A full backlog drops further connections, as a firewall would.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(address)
        started = time.monotonic()
        with pytest.raises(NotSent, match="in time"):
            redeem(make_client(f"http://127.0.0.1:{address[1]}", timeout=0.4))
        assert time.monotonic() - started < 6.0
        for sock in waiting:
            sock.close()


def dribble(answer: bytes):
    def behave(connection: socket.socket, server: Server) -> None:
        server.read(connection)
        for byte in answer:
            if server.closing.wait(0.3):
                return
            connection.sendall(bytes([byte]))

    return behave


def dribble_the_body(connection: socket.socket, server: Server) -> None:
    answer = http(200, sample("redeem"))
    head, gap, body = answer.partition(b"\r\n\r\n")
    server.read(connection)
    connection.sendall(head + gap)
    for byte in body:
        if server.closing.wait(0.3):
            return
        connection.sendall(bytes([byte]))


def endless_continues(connection: socket.socket, server: Server) -> None:
    server.read(connection)
    while not server.closing.wait(0.05):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize(
    ("behave", "call"),
    [
        (dribble(http(200, sample("redeem"))), redeem),
        (dribble_the_body, redeem),
        (endless_continues, redeem),
        (dribble_the_body, lambda client: client.hold(voucher_no="V1234567")),
    ],
    ids=["in the headers", "in the body", "before the headers", "kept alive"],
)
def test_a_server_that_dribbles_is_cut_at_the_deadline(
    serve, make_client, behave, call
):
    client = make_client(serve(behave), timeout=1.0)
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="in time"):
        call(client)
    assert 0.9 < time.monotonic() - started < 10.0


def test_a_server_that_reads_nothing_is_cut_at_the_deadline(serve, make_client):
    server = serve(lambda connection, server: server.closing.wait(10))
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        make_client(server, timeout=0.5).check(voucher_no="V" * 10_000_000, site_id="1")
    assert time.monotonic() - started < 8.0
    assert server.requests == []


def test_a_connection_that_died_while_idle_is_no_proof_for_calls_that_read(
    serve, make_client
):
    def answer_once(connection, server):
        server.read(connection)
        connection.sendall(http(200, sample("check_monetary")))
        # Reads what follows and closes without a word.
        server.read(connection)

    server = serve(answer_once)
    client = make_client(server)
    client.check(voucher_no="V1234567", site_id="1")
    with pytest.raises(OutcomeUnknown):
        client.check(voucher_no="V1234567", site_id="1")
    assert server.connections == 1


def test_money_never_moves_over_a_connection_that_was_idle(serve, make_client):
    server = serve(answering(200, sample("redeem") | sample("hold")))
    client = make_client(server)
    client.hold(voucher_no="V1234567")
    client.hold(voucher_no="V1234567")
    assert server.connections == 1
    redeem(client)
    redeem(client)
    assert server.connections == 3
    assert [item.headers["Connection"] for item in server.requests] == [
        "keep-alive",
        "keep-alive",
        "close",
        "close",
    ]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_an_answer_of_absurd_size_is_not_read(serve, make_client, encoding):
    content = b'{"data": "' + b"x" * 2_000_000 + b'"}'
    if encoding == "gzip":
        content = gzip.compress(content)
    server = serve(answering(200, content, headers={"Content-Encoding": encoding}))
    with pytest.raises(OutcomeUnknown, match="too large"):
        redeem(make_client(server))


def test_a_catalogue_may_be_larger_than_a_redemption(serve, make_client):
    product = sample("catalogue_v1")["data"][0] | {"selling_description": "x" * 2_000}
    products = [product | {"id": number} for number in range(1, 1_001)]
    client = make_client(serve(answering(200, {"data": products})))
    assert len(client.catalogue(known={}).news) == 1_000
