"""A server on a raw socket, since only that can misbehave as real ones do."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from wagtail_smartgift.client import ApiCall, SmartGiftClient
from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer


DATA = Path(__file__).parent.parent / "data" / "smartgift"

API_KEY = "sk_secret0key1never2seen"


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """Gives each connection to ``behave(connection, server)`` in a thread of its own.

    ``requests`` are those that were read whole, ``connections`` counts the accepted.
    """

    def __init__(self, behave: Callable[[socket.socket, "Server"], None]) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.closing = threading.Event()
        self._behave = behave
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            self._behave(connection, self)
        connection.close()

    def read(self, connection: socket.socket) -> Request | None:
        """Read one request; None when the client has gone."""
        received = b""
        while b"\r\n\r\n" not in received:
            piece = connection.recv(65536)
            if not piece:
                return None
            received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        while len(body) < int(headers.get("Content-Length", 0)):
            body += connection.recv(65536)
        request = Request(method, path, headers, body)
        self.requests.append(request)
        return request

    def close(self) -> None:
        self.closing.set()
        # Wakes accept(), which closing alone does not do everywhere.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)
        for connection in self._open:
            connection.close()


def http(
    status: int, body: Any = b"", *, headers: dict[str, str] | None = None
) -> bytes:
    """Write an answer; anything but bytes becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}"]
    head += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + content


def answering(
    status: int = 200, body: Any = b"", *, headers: dict[str, str] | None = None
) -> Callable[[socket.socket, Server], None]:
    """Behave well: the same answer to every request, and the connection kept."""

    def behave(connection: socket.socket, server: Server) -> None:
        while server.read(connection) is not None:
            connection.sendall(http(status, body, headers=headers))

    return behave


def sample(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


@pytest.fixture
def sandbox_server() -> Iterator[SandboxServer]:
    """A Smart Gift of this test's own, without a limit of calls."""
    with SandboxServer(Sandbox(behaviour=Behaviour(rate_limit=0))) as server:
        yield server


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(behave: Callable[[socket.socket, Server], None]) -> Server:
        servers.append(Server(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def make_client() -> Iterator[Callable[..., SmartGiftClient]]:
    clients: list[SmartGiftClient] = []

    def make(server: Server | str, **options: Any) -> SmartGiftClient:
        url = server if isinstance(server, str) else server.url
        options = {"api_key": API_KEY, "timeout": 5.0} | options
        clients.append(SmartGiftClient(base_url=url, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def calls() -> list[ApiCall]:
    return []
