"""The sandbox on a socket: HTTP/1.1 with keep-alive, one thread per connection."""

import contextlib
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any

from .api import Api, Reply, Request
from .control import Control
from .core import Sandbox


#: Longer bodies are refused.
MOST_BYTES = 1_000_000

#: Seconds between two bytes of a dribbling answer.
DRIBBLE = 0.3

#: Seconds that a connection may idle, as nginx has it by default.
KEEP_ALIVE = 75.0

#: Seconds that closing waits for the threads of connections.
_PATIENCE = 5.0


class SandboxServer:
    """Serves a sandbox from a thread of its own::

        with SandboxServer(Sandbox()) as server:
            requests.get(f"{server.url}/vouchers", …)

    Leaving the block ends every connection, waits for the threads, and closes the
    sandbox. ``port`` 0 takes any free one. ``control`` switches ``/_sandbox/…`` and the
    buttons of the page on; they answer to this machine alone.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(
        self,
        sandbox: Sandbox | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        control: bool = True,
    ) -> None:
        self.sandbox = Sandbox() if sandbox is None else sandbox
        self._http = _HttpServer((host, port), self.sandbox, control=control)
        self._host, self.port = host, self._http.server_address[1]
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address without a slash at the end."""
        host = "127.0.0.1" if self._host in ("", "0.0.0.0") else self._host  # noqa: S104 - compared, not bound
        return f"http://{host}:{self.port}"

    def start(self) -> "SandboxServer":
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.02,), name="sandbox", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """End all connections and close the sandbox; may be called again."""
        if self._thread is not None:
            self._http.shutdown()
            self._thread.join(_PATIENCE)
            self._thread = None
        self._http.stop()
        self.sandbox.close()

    def __enter__(self) -> "SandboxServer":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], sandbox: Sandbox, *, control: bool
    ) -> None:
        self.stopping = threading.Event()
        self.sandbox = sandbox
        self.api = Api(sandbox, pause=self.stopping.wait)
        self.control = Control(sandbox, enabled=control)
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._guard = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the resolver for the host's name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "sandbox", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="sandbox connection",
            daemon=True,
        )
        with self._guard:
            self._connections[request] = thread
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._connections.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that hang up are what the sandbox is for; the rest is our fault.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.stopping.set()
        self.server_close()
        with self._guard:
            open_now = dict(self._connections)
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + _PATIENCE
        for thread in open_now.values():
            thread.join(max(0.0, deadline - time.monotonic()))


class _Handler(BaseHTTPRequestHandler):
    """Reads requests and delivers replies, whole or as a fault has them."""

    server: _HttpServer
    protocol_version = "HTTP/1.1"
    server_version = "SmartGiftSandbox"
    sys_version = ""
    disable_nagle_algorithm = True
    # One packet for head and body: they are flushed together.
    wbufsize = 65_536
    timeout = KEEP_ALIVE

    def _answer(self) -> None:
        body = self._body()
        if body is None:
            return
        host = self.headers.get("Host") or f"127.0.0.1:{self.server.server_port}"
        path, _, query = self.path.partition("?")
        request = Request(
            method=self.command,
            path=path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            base_url=f"http://{host}",
            query=query,
            client=self.client_address[0],
        )
        control = self.server.control
        handle = control.handle if control.serves(path) else self.server.api.handle
        self._deliver(handle(request))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer

    def _body(self) -> bytes | None:
        """Return the request's body; refuse what has no usable length."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._deliver(Reply(411))
        elif not (length.isascii() and length.isdigit()) or int(length) > MOST_BYTES:
            self.close_connection = True
            self._deliver(Reply(413 if length.isdigit() else 400))
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                return body
            self.close_connection = True
        return None

    def _deliver(self, reply: Reply) -> None:
        if reply.delay and self.server.stopping.wait(reply.delay):
            reply.delivery = "none"
        if reply.delivery == "none":
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        body = b"" if self.command == "HEAD" else reply.body
        if reply.delivery == "half":
            body = body[: len(body) // 2]
            self.close_connection = True
        elif reply.delivery == "dribble":
            self._dribble(body)
            return
        self.wfile.write(body)
        self.wfile.flush()

    def _dribble(self, body: bytes) -> None:
        self.wfile.flush()
        for number in range(len(body)):
            if self.server.stopping.wait(DRIBBLE):
                self.close_connection = True
                return
            self.wfile.write(body[number : number + 1])
            self.wfile.flush()

    def date_time_string(self, timestamp: float | None = None) -> str:
        # The Date header tells the sandbox's time, so that clients see it move.
        return super().date_time_string(
            self.server.sandbox.clock.now() if timestamp is None else timestamp
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Stay quiet: the sandbox keeps a log of its own."""
