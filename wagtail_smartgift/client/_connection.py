"""Connections that end when the call's time is up, and know whether anything left.

A socket's timeout is per read: a server that sends a byte now and then holds a call
for ever. Here every read, write, look-up and handshake gets what is left of the whole
call's time, so that no call outlives its deadline.

A connection also notes when it hands the first byte of a request to a socket. Before
that, and only before, a failure is certain to have changed nothing.
"""

import io
import ipaddress
import queue
import socket
import threading
import time
from contextvars import ContextVar
from http.client import HTTPException, HTTPResponse
from typing import Any

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


class _Connection(HTTPConnection):
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

    def _new_conn(self) -> socket.socket:
        attempt = current_attempt.get()
        step = Attempt(attempt.left(CONNECT_TIMEOUT))
        addresses = resolve(self.host, self.port, step.left(CONNECT_TIMEOUT))
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


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class ConnectionPool(HTTPConnectionPool):
    ConnectionCls = _Connection


class TLSConnectionPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


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
