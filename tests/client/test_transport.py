import datetime as dt
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from decimal import Decimal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.client.conftest import Server, answering, http, sample
from wagtail_smartgift.client import NotSent, OutcomeUnknown, SmartGiftClient
from wagtail_smartgift.wire import Attempt


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.smart-gift.co.uk",
        "https://api.smart-gift.co.uk/",
        "https://api.smart-gift.co.uk:8443/prefix",
        "http://127.0.0.1:8765",
        "http://127.9.9.9",
        "http://[::1]:8765",
        "http://localhost:8765",
    ],
)
def test_a_key_may_be_sent_over_https_or_to_this_machine(base_url):
    client = SmartGiftClient(base_url=base_url, api_key="sk_x")
    assert "sk_x" not in repr(client)
    client.close()


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.smart-gift.co.uk",
        "http://api.smart-gift.co.uk",
        "http://10.0.0.1",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://user:pass@api.smart-gift.co.uk",
        "https://api.smart-gift.co.uk?x=1",
        "https://api.smart-gift.co.uk#x",
    ],
)
def test_a_key_is_sent_nowhere_else(base_url):
    with pytest.raises(ValueError, match="base URL") as caught:
        SmartGiftClient(base_url=base_url, api_key="sk_x")
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("api_key", ["", "sk\nx", "sk\rx", "skü", "sk\0"])
def test_a_key_that_can_be_no_header_is_refused_without_showing_it(api_key):
    with pytest.raises(ValueError, match="API key") as caught:
        SmartGiftClient(base_url="https://api.smart-gift.co.uk", api_key=api_key)
    assert not api_key or api_key not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_call_needs_time(timeout):
    with pytest.raises(ValueError, match="timeout"):
        SmartGiftClient(
            base_url="https://api.smart-gift.co.uk", api_key="sk_x", timeout=timeout
        )


def test_no_step_is_begun_when_the_time_is_up():
    assert Attempt(5.0).left(at_most=3.0) == 3.0
    assert 4.0 < Attempt(5.0).left(at_most=20.0) <= 5.0
    with pytest.raises(TimeoutError):
        Attempt(0.0).left(at_most=3.0)


def test_a_connection_is_used_again(serve, make_client):
    server = serve(answering(200, sample("check_monetary")))
    client = make_client(server)
    for _ in range(5):
        client.check(voucher_no="V1", site_id="1")
    assert len(server.requests) == 5
    assert server.connections == 1


def test_a_connection_that_the_server_closed_is_replaced(serve, make_client):
    closed = threading.Event()

    def answer_once(connection, server):
        server.read(connection)
        connection.sendall(http(200, sample("check_monetary")))
        connection.close()
        closed.set()

    server = serve(answer_once)
    client = make_client(server)
    client.check(voucher_no="V1", site_id="1")
    assert closed.wait(2)
    client.check(voucher_no="V1", site_id="1")
    assert server.connections == 2


def test_a_client_is_usable_after_it_was_closed(serve, make_client):
    server = serve(answering(200, sample("check_monetary")))
    client = make_client(server)
    with client:
        client.check(voucher_no="V1", site_id="1")
    client.close()
    client.check(voucher_no="V1", site_id="1")
    assert server.connections == 2


def test_a_forked_process_does_not_speak_over_its_parents_connection(
    serve, make_client, monkeypatch
):
    server = serve(answering(200, sample("check_monetary")))
    parent = make_client(server)
    parent.check(voucher_no="V1", site_id="1")
    inherited = parent._transport._shared
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        parent.check(voucher_no="V1", site_id="1")
    assert server.connections == 2
    inherited.clear()


def test_threads_may_share_a_client(serve, make_client):
    def echo(connection, server):
        while (request := server.read(connection)) is not None:
            number = request.json["voucher_no"]
            body = sample("check_monetary")["data"] | {"voucher_no": number}
            connection.sendall(http(200, body))

    server = serve(echo)
    client = make_client(server)
    wrong: list[str] = []

    def ask(name: str) -> None:
        for turn in range(20):
            number = f"{name}-{turn}"
            if client.check(voucher_no=number, site_id="1").voucher_no != number:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(f"T{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert not wrong
    assert len(server.requests) == 160


def test_neither_cookies_nor_netrc_add_to_a_request(
    serve, make_client, tmp_path, monkeypatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(
        answering(200, sample("check_monetary"), headers={"Set-Cookie": "a=b"})
    )
    client = make_client(server)
    client.check(voucher_no="V1", site_id="1")
    client.check(voucher_no="V1", site_id="1")
    assert set(server.requests[1].headers) == {
        "Host",
        "Smart-Auth",
        "Content-Type",
        "Accept",
        "Accept-Encoding",
        "User-Agent",
        "Connection",
        "Content-Length",
    }


def test_this_machine_is_never_reached_through_a_proxy(serve, make_client, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    client = make_client(serve(answering(200, sample("check_monetary"))))
    assert client.check(voucher_no="V1", site_id="1").remaining_value == 10


# --- TLS --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for localhost and api.smartgift.test, and where it is stored."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Smart Gift tests")])
    now = dt.datetime.now(dt.timezone.utc)
    names = [x509.DNSName("localhost"), x509.DNSName("api.smartgift.test")]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


def over_tls(
    certificate, behave: Callable[[socket.socket, Server], None]
) -> Callable[[socket.socket, Server], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def behave_over_tls(connection: socket.socket, server: Server) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            behave(secure, server)

    return behave_over_tls


def secure_url(server: Server) -> str:
    return f"https://localhost:{server.port}"


def test_calls_work_over_tls(serve, make_client, trusted):
    server = serve(over_tls(trusted, answering(200, sample("redeem"))))
    client = make_client(secure_url(server))
    for _ in range(2):
        receipt = client.redeem(voucher_no="V1", site_id="1", value=Decimal(1))
        assert receipt.redemptions == (21, 22, 23)


def test_a_certificate_that_nobody_trusts_has_stopped_the_request(
    serve, make_client, certificate
):
    server = serve(over_tls(certificate, answering(200, sample("redeem"))))
    with pytest.raises(NotSent, match="secure connection"):
        make_client(secure_url(server)).redeem(
            voucher_no="V1", site_id="1", value=Decimal(1)
        )
    assert server.requests == []


def test_a_certificate_of_somebody_else_has_stopped_the_request(
    serve, make_client, trusted
):
    server = serve(over_tls(trusted, answering(200, sample("redeem"))))
    with pytest.raises(NotSent, match="secure connection"):
        make_client(f"https://127.0.0.1:{server.port}").redeem(
            voucher_no="V1", site_id="1", value=Decimal(1)
        )
    assert server.requests == []


@pytest.mark.parametrize(
    "behave",
    [
        lambda connection, server: None,
        lambda connection, server: connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"),
        lambda connection, server: server.closing.wait(10),
    ],
    ids=["closed", "no TLS", "silent"],
)
def test_a_handshake_that_fails_has_stopped_the_request(
    serve, make_client, trusted, behave
):
    with pytest.raises(NotSent):
        make_client(secure_url(serve(behave)), timeout=0.5).redeem(
            voucher_no="V1", site_id="1", value=Decimal(1)
        )


def test_a_server_that_dribbles_over_tls_is_cut_at_the_deadline(
    serve, make_client, trusted
):
    def dribble(connection, server):
        server.read(connection)
        for byte in http(200, sample("redeem")):
            if server.closing.wait(0.1):
                return
            connection.sendall(bytes([byte]))

    server = serve(over_tls(trusted, dribble))
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown, match="in time"):
        make_client(secure_url(server), timeout=1.0).redeem(
            voucher_no="V1", site_id="1", value=Decimal(1)
        )
    assert time.monotonic() - started < 10
    assert len(server.requests) == 1


# --- Proxies ----------------------------------------------------------------------------


def tunnel_to(target: Callable[[], int], seen: list[str]):
    """Behave as a proxy that connects every tunnel to one local port."""

    def behave(connection: socket.socket, server: Server) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += connection.recv(65536)
        seen.append(request.decode())
        with socket.create_connection(("127.0.0.1", target())) as far:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(far, connection))
            back.start()
            _pump(connection, far)
            back.join(timeout=5)

    return behave


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_a_proxy_of_the_environment_sees_where_and_not_what(
    serve, make_client, trusted, monkeypatch
):
    seen: list[str] = []
    api = serve(over_tls(trusted, answering(200, sample("redeem"))))
    proxy = serve(tunnel_to(lambda: api.port, seen))
    monkeypatch.setenv("https_proxy", f"me:pass@127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    client = make_client("https://api.smartgift.test")
    receipt = client.redeem(voucher_no="V1", site_id="1", value=Decimal(1))
    assert receipt.redemptions == (21, 22, 23)
    assert len(api.requests) == 1
    assert seen[0].startswith("CONNECT api.smartgift.test:443")
    assert "proxy-authorization: basic" in seen[0].lower()
    assert "smart-auth" not in seen[0].lower()


@pytest.mark.parametrize(
    "behave",
    [
        answering(403, b""),
        lambda connection, server: None,
        lambda connection, server: server.closing.wait(10),
    ],
    ids=["refuses", "closes", "silent"],
)
def test_a_proxy_that_fails_has_stopped_the_request(
    serve, make_client, trusted, monkeypatch, behave
):
    proxy = serve(behave)
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(NotSent):
        make_client("https://api.smartgift.test", timeout=0.5).redeem(
            voucher_no="V1", site_id="1", value=Decimal(1)
        )
