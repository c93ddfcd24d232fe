"""A server of pictures on 127.0.0.1, as bad as is wanted."""

import contextlib
import io
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image


Answer = Callable[[BaseHTTPRequestHandler], None]


def drawn(kind: str = "PNG", size: tuple[int, int] = (64, 40)) -> bytes:
    with io.BytesIO() as file:
        Image.new("RGB", size, "#33658a").save(file, kind)
        return file.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """Say in some bytes that there are millions of pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def sends(content: bytes, kind: str = "image/png", status: int = 200, **headers: str):
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def sends_endlessly(request: BaseHTTPRequestHandler) -> None:
    """Name no length, and go on until nobody listens."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n")
    for _chunk in range(10_000):
        request.wfile.write(b"x" * 65536)


@dataclass
class Gallery:
    url: str = ""
    answer: Answer = field(default_factory=lambda: sends(drawn()))
    #: The paths that were asked for, and the headers.
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def running_gallery() -> Iterator[Gallery]:
    gallery = Gallery()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            gallery.asked.append((self.path, dict(self.headers.items())))
            self.close_connection = True
            with contextlib.suppress(OSError):  # The other side would not wait.
                gallery.answer(self)

        def log_message(self, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *args: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    gallery.url = f"http://127.0.0.1:{server.server_address[1]}/37.png"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield gallery
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
