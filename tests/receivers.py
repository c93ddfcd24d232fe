"""Somebody's server that gets webhooks: real HTTP on 127.0.0.1, as bad as is wanted."""

import base64
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


SECRET = "whsec_" + base64.b64encode(b"a secret of the tests, long enough").decode()

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Message:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    #: What it says, once the specification's own library has verified it.
    said: dict[str, Any]

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """What came in, and how the next ones are answered."""

    url: str = ""
    messages: list[Message] = field(default_factory=list)
    #: Refused: the signature, the time or the form was wrong.
    wrong: list[Exception] = field(default_factory=list)
    #: One for each of the next requests; then ``always``.
    answers: list[Answer] = field(default_factory=list)
    always: Answer = field(default_factory=lambda: status(204))

    @property
    def types(self) -> list[str]:
        return [message.said["type"] for message in self.messages]

    def as_endpoint(self, **more: Any) -> dict[str, Any]:
        return {"url": self.url, "secret": SECRET, **more}


def status(code: int, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def silence(seconds: float) -> Answer:
    """Keep the connection open and say nothing."""
    return lambda request: time.sleep(seconds)


def dribble(seconds: float) -> Answer:
    """Send a byte now and then: each read of it is quick, and the whole never ends."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        end = time.monotonic() + seconds
        line = b"HTTP/1.1 200 OK\r\nX: "
        while time.monotonic() < end:
            request.wfile.write(line[:1] or b"x")
            line = line[1:]
            time.sleep(0.05)

    return answer


def hang_up(request: BaseHTTPRequestHandler) -> None:
    """Close without a word."""


def endless(request: BaseHTTPRequestHandler) -> None:
    """Say 200 and then more than anybody can keep."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
    for _chunk in range(10_000):
        request.wfile.write(b"x" * 65536)


def garbage(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"\x00\xffSSH-2.0\r\n\r\n")


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): text for name, text in self.headers.items()}
            try:
                said = Webhook(SECRET).verify(body, headers)
                receiver.messages.append(Message(self.path, headers, body, said))
            except Exception as error:  # noqa: BLE001 - the test looks at it
                receiver.wrong.append(error)
            self.close_connection = True
            answer = receiver.answers.pop(0) if receiver.answers else receiver.always
            with contextlib.suppress(OSError):  # The other side would not wait.
                answer(self)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

        def handle_error(self, *args: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
