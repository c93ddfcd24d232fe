"""Connections that end when the call's time is up, and know whether anything left.

What the client and ``fetch`` have in common, below both; it knows no Django.

A socket's timeout is per read: a server that sends a byte now and then holds a call
for ever. Here every read, write, look-up and handshake gets what is left of the whole
call's time, so that no call outlives its deadline.

A connection also notes when it hands the first byte of a request to a socket. Before
that, and only before, a failure is certain to have changed nothing.
"""

import datetime as dt
import io
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.connection import create_connection

from wagtail_smartgift.redaction import hidden


#: Seconds for looking a name up and connecting, all addresses together; as many again
#: for the TLS handshake.
CONNECT_TIMEOUT = 3.0
#: Seconds between two pieces of an answer.
READ_TIMEOUT = 20.0


class Attempt:
    """One call on the wire: when it must end, and whether anything of it has left."""

    def __init__(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self.sent = False

    def left(self, at_most: float) -> float:
        """Return the seconds that the next step may take.

        Raises:
            TimeoutError: the call's time is up.
        """
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the whole call's time is up")
        return min(left, at_most)


#: The attempt that this thread (or greenlet, or task) is making.
current_attempt: ContextVar[Attempt] = ContextVar("smartgift_attempt")


class NotConnected(NewConnectionError):
    """There was no connection to send anything over."""


class _Reader(io.RawIOBase):
    """Reads a socket, each time with what is left of the call's time."""

    def __init__(self, sock: socket.socket, attempt: Attempt) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._attempt.left(READ_TIMEOUT))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ReadableSocket:
    """As much of a socket as ``http.client`` asks for when it reads an answer."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._sock, current_attempt.get()))


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(_ReadableSocket(sock), *args, **kwargs)  # type: ignore[arg-type] # of a socket it uses makefile alone


class Connection(HTTPConnection):
    response_class = _Response
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        except (OSError, HTTPException, HTTPError) as error:
            raise NotConnected(self, type(error).__name__) from error
        finally:
            self._connecting = False

    def addresses(self, seconds: float) -> list[str]:
        """Return the addresses to try; the connection is made to one of these.

        Raises:
            OSError: there is none.
        """
        return resolve(self.host, self.port, seconds)

    def _new_conn(self) -> socket.socket:
        attempt = current_attempt.get()
        step = Attempt(attempt.left(CONNECT_TIMEOUT))
        addresses = self.addresses(step.left(CONNECT_TIMEOUT))
        failure: OSError = OSError("the name has no address")
        for tried, address in enumerate(addresses):
            # An address that swallows everything must not use up the others' time.
            share = step.left(CONNECT_TIMEOUT) / (len(addresses) - tried)
            try:
                sock = create_connection(
                    (address, self.port),
                    share,
                    source_address=self.source_address,
                    socket_options=self.socket_options,
                )
            except OSError as error:
                failure = error
            else:
                # What follows is the TLS handshake, or a proxy's.
                sock.settimeout(attempt.left(CONNECT_TIMEOUT))
                return sock
        raise failure

    def send(self, data: Any) -> None:
        # Headers and body in one: the key, and whatever is asked.
        data = hidden(data)
        if self.sock is None:
            self.connect()
        if not self._connecting:
            attempt = current_attempt.get()
            self.sock.settimeout(attempt.left(READ_TIMEOUT))
            attempt.sent = True
        super().send(data)


class TLSConnection(Connection, HTTPSConnection):
    pass


class ConnectionPool(HTTPConnectionPool):
    ConnectionCls = Connection


class TLSConnectionPool(HTTPSConnectionPool):
    ConnectionCls = TLSConnection


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """Look a name up, for so many seconds at most.

    The system's look-up cannot be interrupted, so it is left behind in its thread.

    Raises:
        OSError: there is no such name, or no answer in time.
    """
    host = host.strip("[]")
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answers.put(error)
        else:
            answers.put(list(dict.fromkeys(str(item[4][0]) for item in found)))

    threading.Thread(target=look_up, name="smartgift-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError("no answer to the look-up of the name in time") from None
    if isinstance(answer, list):
        return answer
    raise socket.gaierror(socket.EAI_NONAME, "the name is not known")


def tls_context() -> ssl.SSLContext:
    """Trust what the system trusts, and the bundle for systems that have none."""
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from what was raised to what happened, through every kind of wrapping.

    urllib3 keeps the inner exception in ``reason``, in ``original_error``, among the
    arguments, or as the cause. The last one is the innermost.
    """
    seen: set[int] = set()
    inner: object = error
    while isinstance(inner, BaseException) and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        wrapped = [
            getattr(inner, "reason", None),
            getattr(inner, "original_error", None),
            *inner.args,
            inner.__cause__,
        ]
        inner = next(
            (item for item in wrapped if isinstance(item, BaseException)), None
        )


# --- Headers ----------------------------------------------------------------------------


def header_number(headers: Mapping[str, str], name: str) -> int | None:
    """Read a header that is a whole number; None when it is not one."""
    text = headers.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else None


def server_date(headers: Mapping[str, str]) -> dt.datetime | None:
    """Return the server's own clock (aware, UTC)."""
    return _http_date(headers.get("Date", ""))


def server_now(headers: Mapping[str, str]) -> dt.datetime:
    """Times in headers are the server's, and so is the clock to hold them against."""
    return server_date(headers) or dt.datetime.now(dt.timezone.utc)


def pause(headers: Mapping[str, str], *, longest: float) -> float | None:
    """Return the seconds that ``Retry-After`` asks for (seconds or date)."""
    seconds: float | None = header_number(headers, "Retry-After")
    if seconds is None:
        until = _http_date(headers.get("Retry-After", ""))
        if until is None:
            return None
        seconds = (until - server_now(headers)).total_seconds()
    return min(max(float(seconds), 0.0), longest)


def _http_date(text: str) -> dt.datetime | None:
    try:
        when = parsedate_to_datetime(text)
        return when.replace(tzinfo=when.tzinfo or dt.timezone.utc).astimezone(
            dt.timezone.utc
        )
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
