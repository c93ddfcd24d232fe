"""The guarded way to other people's servers.

Whose server it is, somebody else decides: whoever wrote an address, and whoever owns
the name in it. So a call goes to public addresses alone (or where the caller vouches
for more, to private ones), over TLS (or to this very machine), to the very address
that was looked at; it follows no redirect, asks no proxy, and is over in time whatever
the other side does. What is raised has a word for what happened and never the address,
which may hold a password.
"""

import ipaddress
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPResponse
from socket import gaierror
from typing import Literal, TypeVar
from urllib.parse import unquote

from urllib3 import HTTPHeaderDict
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, make_headers, parse_url

from wagtail_smartgift import hosts, wire
from wagtail_smartgift.redaction import SecretBytes


#: ``name``: nobody has that name, or it cannot be one. ``address``: one that must not be
#: called, or not without TLS. ``tls``: no secure connection. ``timeout``: not over in
#: time. ``connection``: refused or broken off, or not HTTP.
Reason = Literal["name", "address", "tls", "timeout", "connection"]

#: ``status``: an error. ``redirect``: to somewhere else, which is not followed.
#: ``type``: says that it is something else. ``size``: more than may be.
Unwanted = Literal["status", "redirect", "type", "size"]

_T = TypeVar("_T")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[_Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


#: Where a house keeps machines of its own.
_PRIVATE = _networks(
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8"),
    *("fc00::/7", "::1/128"),
)
#: Where the machines of a cloud get their keys: some have an address as private as a
#: house's own, and Azure's is as public as any. The link-local ones are nobody's anyway.
_KEYS_OF_A_CLOUD = _networks(
    # Alibaba Cloud, Azure.
    *("100.100.100.200/32", "168.63.129.16/32"),
    # AWS, Google Cloud, Scaleway, Linode.
    *("fd00:ec2::/32", "fd20:ce::/32", "fd00:42::42/128", "fd00:a9fe:a9fe::/48"),
)
#: Nobody's machine. ``is_global`` knows most of them, but not in every Python.
_NEVER = _networks(
    *("0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.88.99.0/24"),
    *("198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
    # Of the public ones below: what is for protocols, and documentation. Among them
    # 6to4 and Teredo, whose addresses hide others.
    *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
)
#: All that is given out of IPv6: whatever stands elsewhere is nobody's yet, local, or
#: hides another address (mapped, translated, compatible, NAT64 of one's own).
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
#: Behind it stands an IPv4 address that is really called (NAT64).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


#: Seconds of a ``Retry-After`` that are believed; more would be never.
_LONGEST_PAUSE = 86_400.0


@dataclass(frozen=True)
class Answer:
    """What a server said, without what it said it in: nobody reads that."""

    status: int
    #: Seconds for which it asks to be left alone.
    retry_after: float | None


@dataclass(frozen=True)
class Download:
    """What was at an address, and what its server says that it is."""

    content: bytes
    type: str


class FetchError(Exception):
    """There was no answer. ``str()`` is the reason and nothing else."""

    def __init__(self, reason: Reason) -> None:
        self.reason: Reason = reason
        super().__init__(reason)


class NotWanted(Exception):
    """There was an answer, but not what was asked for. ``str()`` is the reason."""

    def __init__(self, reason: Unwanted) -> None:
        self.reason: Unwanted = reason
        super().__init__(reason)


class _AddressRefused(OSError):
    """A name leads to where nobody may be called."""


def host_of(url: str) -> str:
    """Return the host that a call of ``url`` goes to, in lower case; empty: there is none.

    Whoever allows some hosts alone asks here: other readers of addresses take another
    host out of one with a backslash or two at signs in it.
    """
    try:
        return (parse_url(url).host or "").strip("[]").lower()
    except LocationParseError:
        return ""


def public_part(url: str) -> str:
    """Return an address without what may be secret: user, password, query, fragment."""
    try:
        return parse_url(url)._replace(auth=None, query=None, fragment=None).url
    except LocationParseError:
        return ""


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    allow_private: bool = False,
) -> Answer:
    """Send ``body`` once, and return the answer's status, whatever that is.

    It is over in ``seconds``. A user and password in ``url`` are sent as Basic
    authentication. ``allow_private`` allows for private addresses.

    Raises:
        FetchError: there was no answer; the request may have arrived all the same.
    """
    body = SecretBytes(body)

    def read(answer: HTTPResponse) -> Answer:
        return Answer(
            status=answer.status,
            retry_after=wire.pause(
                HTTPHeaderDict(answer.headers.items()), longest=_LONGEST_PAUSE
            ),
        )

    return _exchange(
        "POST",
        url,
        body=body,
        headers=headers,
        seconds=seconds,
        allow_private=allow_private,
        read=read,
    )


def download(
    url: str,
    *,
    types: Collection[str],
    most_bytes: int,
    seconds: float,
    allow_private: bool = False,
) -> Download:
    """Return what is at ``url``, if it says that it is one of ``types``.

    It is over in ``seconds``, and no more than ``most_bytes`` are read. What it says
    is not what it is: look into it before you believe it.

    Raises:
        NotWanted: there was an answer, but another one than was asked for.
        FetchError: there was none.
    """

    def read(answer: HTTPResponse) -> Download:
        kind = answer.headers.get_content_type()
        length = answer.headers.get("Content-Length", "")
        if answer.status != HTTPStatus.OK:
            moved = (
                HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST
            )
            raise NotWanted("redirect" if moved else "status")
        if kind not in types:
            raise NotWanted("type")
        if length.isdecimal() and int(length[:12]) > most_bytes:
            raise NotWanted("size")
        content = answer.read(most_bytes + 1)
        if len(content) > most_bytes:
            raise NotWanted("size")
        return Download(content=content, type=kind)

    return _exchange(
        "GET",
        url,
        body=None,
        headers={"Accept": ", ".join(types), "Accept-Encoding": "identity"},
        seconds=seconds,
        allow_private=allow_private,
        read=read,
    )


def _exchange(
    method: str,
    url: str,
    *,
    body: bytes | None,
    headers: Mapping[str, str],
    seconds: float,
    allow_private: bool,
    read: Callable[[HTTPResponse], _T],
) -> _T:
    """Ask once, and return what ``read`` makes of the answer."""
    try:
        target = parse_url(url)
    except LocationParseError:
        raise FetchError("name") from None
    connection = _connection(target, allow_private=allow_private)
    outer = wire.current_attempt.set(wire.Attempt(seconds))
    try:
        connection.request(
            method,
            target.request_uri,
            body=body,
            headers={
                "User-Agent": "wagtail-smartgift",
                "Connection": "close",
                **_authorisation(target),
                **headers,
            },
        )
        # Not urllib3's: it logs the whole address where an answer's headers are odd.
        # An answer that ends with its connection is not closed by closing that.
        with HTTPConnection.getresponse(connection) as answer:
            return read(answer)
    except NotWanted:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a stranger's server makes of it, the caller gets a word
        # Not as its cause: an exception of the connection may quote the address.
        raise FetchError(_reason(error)) from None
    finally:
        connection.close()
        wire.current_attempt.reset(outer)


def _authorisation(target: Url) -> dict[str, str]:
    if target.auth is None:
        return {}
    return make_headers(basic_auth=unquote(target.auth))


def _connection(target: Url, *, allow_private: bool) -> wire.Connection:
    """Return a connection, not made yet, that only goes where it may.

    Raises:
        FetchError: it may go nowhere.
    """
    host = (target.host or "").strip("[]")
    here = hosts.is_loopback(host)
    if not host or not (target.scheme == "https" or (target.scheme == "http" and here)):
        raise FetchError("address")
    elsewhere = is_allowed if allow_private else is_public
    allowed = _is_this_machine if here else elsewhere
    connection: _Guarded
    if target.scheme == "http":
        connection = _Plain(host, target.port or 80)
    else:
        connection = _Secure(host, target.port or 443, ssl_context=_tls_context())
    connection.allows = allowed
    return connection


class _Guarded(wire.Connection):
    """Goes to the very addresses that it has looked at."""

    allows: Callable[[_Address], bool]

    def addresses(self, seconds: float) -> list[str]:
        found = super().addresses(seconds)
        # One that is private among public ones is no accident.
        if not all(self.allows(ipaddress.ip_address(item)) for item in found):
            raise _AddressRefused
        return found


class _Plain(_Guarded):
    pass


class _Secure(_Guarded, wire.TLSConnection):
    pass


@cache
def _tls_context() -> ssl.SSLContext:
    return wire.tls_context()


def is_public(address: _Address) -> bool:
    """Tell whether the address is one of the public internet's."""
    address = _really(address)
    if address.version == 6 and address not in _GIVEN_OUT:
        return False
    return address.is_global and not _is_in(
        address, (*_NEVER, *_PRIVATE, *_KEYS_OF_A_CLOUD)
    )


def is_allowed(address: _Address) -> bool:
    """Tell whether the address is public, or private and somebody's machine.

    Not link-local, nor where else the machines of a cloud get their keys.
    """
    really = _really(address)
    return is_public(address) or (
        _is_in(really, _PRIVATE) and not _is_in(really, _KEYS_OF_A_CLOUD)
    )


def _is_this_machine(address: _Address) -> bool:
    return _really(address).is_loopback


def _really(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_in(address: _Address, networks: tuple[_Network, ...]) -> bool:
    return any(
        address in network for network in networks if network.version == address.version
    )


def _reason(error: Exception) -> Reason:
    """Say what happened in a word of ours: the exceptions' texts quote the address."""
    kinds: tuple[tuple[type[BaseException], Reason], ...] = (
        (_AddressRefused, "address"),
        (TimeoutError, "timeout"),
        (ssl.SSLError, "tls"),
        (gaierror, "name"),
        (UnicodeError, "name"),
    )
    for inner in wire.causes(error):
        for kind, reason in kinds:
            if isinstance(inner, kind):
                return reason
    return "connection"
