"""The guarded way out, against servers that mean no good."""

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from http.client import HTTPConnection

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests import receivers
from wagtail_smartgift import fetch, wire


def send(url, **more):
    return fetch.post(url, body=b"{}", headers={}, **{"seconds": 2.0, **more})


def reason(url, **more):
    with pytest.raises(fetch.FetchError) as failed:
        send(url, **more)
    # Neither the address nor what is secret in it.
    assert str(failed.value) == failed.value.reason
    assert failed.value.__cause__ is None
    return failed.value.reason


PUBLIC = [
    *("8.8.8.8", "1.1.1.1", "168.63.129.15", "100.63.255.255", "100.128.0.1"),
    *("2606:4700::1111", "2a00:1450:4001::1", "2001:200::1", "2001:4860:4860::8888"),
    *("::ffff:8.8.8.8", "64:ff9b::808:808"),
]
PRIVATE = [
    *("100.100.100.199", "fd00:ec3::254", "fd20:cf::254", "fd00:42::43"),
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *("127.0.0.1", "127.255.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"),
    *("::ffff:127.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1"),
]
NOBODYS = [
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "::ffff:169.254.169.254"),
    *("192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1"),
    *("2001:db8::1", "2002:a00:1::1", "2002:808:808::1", "3fff::1", "5f00::1"),
    *("fe80::1", "fe80::1%1", "fec0::1", "ff02::1"),
    # Translated (SIIT), compatible, and what is for protocols or not given out yet.
    *("::ffff:0:7f00:1", "::ffff:0:a9fe:a9fe", "::ffff:0:808:808", "::808:808"),
    *("64:ff9b:1::808:808", "64:ff9b::1:0:1", "100:0:0:1::1", "2001:2::1"),
    *("2001:10::1", "2001:20::1", "2001:3::1", "2001:4:112::1", "4000::1", "8000::1"),
    *("fe80::a9fe:a9fe", "fe80::5efe:a9fe:a9fe"),
]
#: Where the machines of the clouds get their keys, by whatever way.
KEYS_OF_A_CLOUD = [
    *("169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23"),
    *("192.0.0.192", "100.100.100.200", "168.63.129.16"),
    *("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42"),
    *("fd00:a9fe:a9fe::1", "fe80::a9fe:a9fe"),
    *("::ffff:100.100.100.200", "64:ff9b::6464:64c8", "2002:6464:64c8::1"),
    *("::ffff:168.63.129.16", "64:ff9b::a83f:8110", "::ffff:0:a83f:8110"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_may_be_called(address):
    assert fetch.is_public(ipaddress.ip_address(address))
    assert fetch.is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_machines_only_where_somebody_vouches(address):
    assert not fetch.is_public(ipaddress.ip_address(address))
    assert fetch.is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", NOBODYS + KEYS_OF_A_CLOUD)
def test_what_is_nobodys_machine_is_never_called(address):
    assert not fetch.is_public(ipaddress.ip_address(address))
    assert not fetch.is_allowed(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://10.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        # This machine in other words; the system's look-up knows them all.
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://0/",
        # Not encrypted.
        "http://example.org/",
        "http://10.0.0.1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "//127.0.0.1/",
        "",
    ],
)
def test_an_address_that_must_not_be_called_is_not(url, monkeypatch):
    monkeypatch.setattr(wire, "create_connection", _never)
    assert reason(url) == "address"


def _never(*args, **kwargs):
    raise AssertionError(f"connected to {args[0]}")


@pytest.mark.parametrize(
    "url", ["https://in valid/", "https://[::1/", "https://" + "a" * 300 + ".example/"]
)
def test_what_cannot_be_a_name_is_none(url, monkeypatch):
    monkeypatch.setattr(wire, "create_connection", _never)
    assert reason(url) in {"name", "address"}


@pytest.fixture
def names(monkeypatch):
    """A look-up of our own: host -> the answers, one after the other."""
    book = {}
    asked = []

    def getaddrinfo(host, port, *args, **kwargs):
        asked.append(host)
        if host not in book:
            return REAL(host, port, *args, **kwargs)
        found = book[host].pop(0) if len(book[host]) > 1 else book[host][0]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    book["asked"] = asked
    return book


REAL = socket.getaddrinfo


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["10.0.0.5"],
        ["8.8.8.8", "10.0.0.5"],
        ["169.254.169.254"],
        ["168.63.129.16"],
    ],
)
def test_a_name_that_leads_inside_is_refused(found, names, monkeypatch):
    monkeypatch.setattr(wire, "create_connection", _never)
    names["evil.example"] = [found]

    assert reason("https://evil.example/") == "address"


def test_what_was_looked_at_is_what_is_called(names, monkeypatch):
    """A name that changes its mind between the look and the call (DNS rebinding)."""
    called = []

    def connect(address, *args, **kwargs):
        called.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(wire, "create_connection", connect)
    names["evil.example"] = [["8.8.8.8"], ["127.0.0.1"]]

    assert reason("https://evil.example/") == "connection"

    assert called == ["8.8.8.8"]
    assert names["asked"].count("evil.example") == 1


def test_http_to_a_name_that_only_says_that_it_is_here(names, monkeypatch):
    monkeypatch.setattr(wire, "create_connection", _never)
    names["localhost"] = [["8.8.8.8"]]

    assert reason("http://localhost/") == "address"


def test_a_private_address_where_somebody_vouches(names, monkeypatch):
    called = []

    def connect(address, *args, **kwargs):
        called.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(wire, "create_connection", connect)
    names["till.example"] = [["10.0.0.5"]]
    names["cloud.example"] = [["169.254.169.254"]]

    assert reason("https://till.example/") == "address"
    assert reason("https://till.example/", allow_private=True) == "connection"
    assert reason("https://cloud.example/", allow_private=True) == "address"
    assert called == ["10.0.0.5"]


def test_no_proxy_is_asked(receiver, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", receiver.url)
    monkeypatch.setenv("https_proxy", receiver.url)
    monkeypatch.setattr(wire, "create_connection", _never)

    assert reason("https://10.0.0.1/") == "address"
    assert receiver.messages == receiver.wrong == []


@pytest.mark.parametrize("code", [200, 204, 299, 400, 410, 429, 500])
def test_any_answer_is_one(receiver, code):
    receiver.always = receivers.status(code)
    assert send(receiver.url) == fetch.Answer(status=code, retry_after=None)


def test_no_redirect_is_followed(receiver):
    with receivers.running_receiver() as elsewhere:
        receiver.always = receivers.status(307, Location=elsewhere.url)

        assert send(receiver.url).status == 307

        assert elsewhere.wrong == elsewhere.messages == []


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("-1", None), ("x", None), ("999999999", 86400)]
)
def test_how_long_it_wants_to_be_left_alone(receiver, text, seconds):
    receiver.always = receivers.status(429, retry_after=text)
    assert send(receiver.url).retry_after == seconds


@pytest.mark.parametrize("behaviour", [receivers.silence, receivers.dribble])
def test_it_is_over_in_time(receiver, behaviour):
    receiver.always = behaviour(8)
    began = time.monotonic()

    assert reason(receiver.url, seconds=0.5) == "timeout"

    assert time.monotonic() - began < 6


def test_an_answer_without_end_is_not_read(receiver):
    receiver.always = receivers.endless
    began = time.monotonic()

    assert send(receiver.url).status == 200

    assert time.monotonic() - began < 6


@pytest.mark.parametrize("behaviour", [receivers.hang_up, receivers.garbage])
def test_no_answer_is_no_answer(receiver, behaviour):
    receiver.always = behaviour
    assert reason(receiver.url) == "connection"


def test_an_answer_is_closed_at_once(receiver, monkeypatch):
    """And not when the last traceback is collected that has it."""
    answers = []
    getresponse = HTTPConnection.getresponse

    def kept(connection):
        answers.append(getresponse(connection))
        return answers[-1]

    monkeypatch.setattr(HTTPConnection, "getresponse", kept)
    receiver.always = receivers.status(500)

    assert send(receiver.url).status == 500

    [answer] = answers
    assert answer.isclosed()


def test_headers_without_end_are_no_answer(receiver):
    def answer(request):
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(10_000):
            request.wfile.write(f"X-{number}: {'x' * 1000}\r\n".encode())

    receiver.always = answer
    assert reason(receiver.url) == "connection"


def test_a_look_up_that_hangs_is_over_in_time(names, monkeypatch):
    free = threading.Event()
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *args, **kwargs: free.wait(10) and []
    )
    began = time.monotonic()

    assert reason("https://slow.example/", seconds=0.3) == "timeout"

    assert time.monotonic() - began < 6
    free.set()


def test_a_password_in_the_address_is_sent_and_nowhere_shown(receiver, caplog):
    seen = []

    def answer(request):
        seen.append(request.headers["Authorization"])
        # Odd headers make urllib3 log the whole address.
        request.wfile.write(b"HTTP/1.1 200 OK\r\nno colon\r\nX: y\r\n\r\n")

    receiver.always = answer
    url = receiver.url.replace("//", "//shop:p%40ss@") + "?token=t0ken"
    with caplog.at_level("DEBUG"):
        assert send(url).status == 200

    assert seen == ["Basic c2hvcDpwQHNz"]
    assert "t0ken" not in caplog.text
    assert "p%40ss" not in caplog.text


def test_a_server_that_speaks_no_tls_is_refused(receiver):
    assert reason(receiver.url.replace("http:", "https:")) == "tls"


# -- TLS -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate of ``hooks.example`` that nobody vouches for yet."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = dt.datetime.now(dt.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False
        )
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
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def _request(connection):
    """Read a request whole: what is left unread breaks the connection at its end."""
    text = connection.recv(65536).decode()
    length = int(text.lower().partition("content-length: ")[2].partition("\r\n")[0])
    while len(text.partition("\r\n\r\n")[2]) < length:
        text += connection.recv(65536).decode()
    return text


@pytest.fixture
def secure(certificate):
    """A receiver over TLS: its port, and what it saw of each request."""
    seen = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _sock, name, _context: seen.append(name)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(5)

    def serve():
        while True:
            try:
                raw, _address = listening.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(raw, server_side=True) as connection:
                    text = _request(connection)
                    seen.append(text.partition("Host: ")[2].partition("\r\n")[0])
                    connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            except OSError:
                raw.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1], seen
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def test_the_name_goes_with_the_address_that_was_looked_at(
    secure, certificate, names, monkeypatch
):
    port, seen = secure
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(fetch, "_tls_context", lambda: trusting)
    names["hooks.example"] = [["127.0.0.1"]]

    answer = send(f"https://hooks.example:{port}/", allow_private=True)

    assert answer.status == 204
    assert seen == ["hooks.example", f"hooks.example:{port}"]


def test_another_ones_certificate_is_refused(secure, certificate, names, monkeypatch):
    port, seen = secure
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr(fetch, "_tls_context", lambda: trusting)
    names["other.example"] = [["127.0.0.1"]]

    assert reason(f"https://other.example:{port}/", allow_private=True) == "tls"
    assert not any(":" in text for text in seen)


def test_a_certificate_that_nobody_knows_is_refused(secure, names):
    port, seen = secure
    names["hooks.example"] = [["127.0.0.1"]]

    assert reason(f"https://hooks.example:{port}/", allow_private=True) == "tls"
    assert not any(":" in text for text in seen)
