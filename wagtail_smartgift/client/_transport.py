"""One HTTP exchange: sent at most once, over before its deadline, of limited size.

Owns connections: shared by threads and kept alive for most calls, fresh for those that
move money, since "closed while idle" cannot be told from "closed after reading". Refuses
redirects, retries, cookies, unencrypted connections to other machines, and whatever
``.netrc`` would add. It returns what happened and judges nothing (see ``_classify``).

It stands on urllib3 and not on requests, which is made of it: urllib3's pools are safe
to share between threads, and its exceptions carry no request with our key in it.
"""

import io
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
from urllib3.util import make_headers, parse_url

from wagtail_smartgift.hosts import is_loopback
from wagtail_smartgift.redaction import SecretBytes
from wagtail_smartgift.wire import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Attempt,
    ConnectionPool,
    TLSConnectionPool,
    current_attempt,
    tls_context,
)


#: Connections that are kept for the next call, per process.
_KEPT_CONNECTIONS = 8
_CHUNK_BYTES = 65536


@dataclass(frozen=True)
class Answer:
    """A whole answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Failure:
    """No whole answer: what broke, whether anything had left, and what was seen."""

    error: Exception = field(repr=False)
    sent: bool
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class AnswerTooLarge(Exception):
    """The answer is larger than any that makes sense."""


class Transport:
    """Sends requests to one host; safe to share between threads, and over a fork."""

    def __init__(
        self, *, base_url: str, headers: Mapping[str, str], timeout: float
    ) -> None:
        self.host = check_base_url(base_url)
        self._base_url = base_url.rstrip("/")
        self._headers = dict(headers)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._shared: PoolManager | None = None
        self._shared_in_process = 0
        self._tls = tls_context() if base_url.startswith("https:") else None

    def exchange(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        fresh: bool,
        max_bytes: int,
    ) -> Answer | Failure:
        """Send one request and read its answer, all within the timeout.

        ``fresh`` opens a connection for this request alone.
        """
        attempt = Attempt(self._timeout)
        outer = current_attempt.set(attempt)
        pools = self._pools() if fresh else self._shared_pools()
        headers = self._headers | {"Connection": "close" if fresh else "keep-alive"}
        response: BaseHTTPResponse | None = None
        try:
            response = pools.urlopen(
                method,
                self._base_url + path,
                body=body,
                headers=headers,
                redirect=False,
                retries=False,
                timeout=Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
                preload_content=False,
            )
            content = SecretBytes(_read(response, max_bytes))
            return Answer(response.status, response.headers, content)
        except Exception as error:  # noqa: BLE001 - whatever broke, the caller must learn whether the request had left
            if response is None:
                return Failure(error, sent=attempt.sent)
            return Failure(
                error, sent=True, status=response.status, headers=response.headers
            )
        finally:
            if response is not None:
                response.close()
            if fresh:
                pools.clear()
            current_attempt.reset(outer)

    def close(self) -> None:
        """Close what is kept alive; a later call opens it again."""
        with self._lock:
            if self._shared is not None:
                self._shared.clear()
                self._shared = None

    def _shared_pools(self) -> PoolManager:
        with self._lock:
            # After a fork two processes would talk over one connection.
            if self._shared is None or self._shared_in_process != os.getpid():
                self._shared = self._pools()
                self._shared_in_process = os.getpid()
            return self._shared

    def _pools(self) -> PoolManager:
        proxy = _proxy(self._base_url)
        if proxy is None:
            pools = PoolManager(maxsize=_KEPT_CONNECTIONS, ssl_context=self._tls)
        else:
            auth = parse_url(proxy).auth
            pools = ProxyManager(
                proxy,
                proxy_headers=make_headers(proxy_basic_auth=auth) if auth else None,
                maxsize=_KEPT_CONNECTIONS,
                ssl_context=self._tls,
            )
        pools.pool_classes_by_scheme = {
            "http": ConnectionPool,
            "https": TLSConnectionPool,
        }
        return pools


def check_base_url(base_url: str) -> str:
    """Return the host of an address that a key may be sent to.

    Raises:
        ValueError: it is not https (or http to this machine), or has more than a host,
            a port and a path.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.username is not None or parts.query or parts.fragment or not host:
        raise ValueError(
            "The base URL has a host, perhaps a port and a path, and nothing else."
        )
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError(
            "The base URL is an https address; http is for a loopback address alone."
        )
    return host


def _proxy(base_url: str) -> str | None:
    """Return the proxy that the environment asks for; never for this machine."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme != "https" or is_loopback(host) or proxy_bypass(host):
        return None
    proxy = getproxies().get("https")
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    return proxy or None


def _read(response: BaseHTTPResponse, max_bytes: int) -> bytes:
    # Not kept in a variable of bytes: an error page would show them.
    content = io.BytesIO()
    while content.write(response.read(_CHUNK_BYTES, decode_content=True)):
        if content.tell() > max_bytes:
            raise AnswerTooLarge
    return content.getvalue()
