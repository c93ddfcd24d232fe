"""Limits at the door: who the client of a request is, and whether it may ask.

Limits and counting are in ``services.guessing``, since pages are bound by them too,
and the counters in the database, which all processes share. Ninja's own throttles
count in a cache, in two steps between which others count as well, and take any
address for the client's that it cares to send.
"""

import ipaddress
import threading

from django.http import HttpRequest
from ninja.throttling import BaseThrottle

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.services import guessing


#: Providers give one subscriber so many bits of an IPv6 address to choose from.
IPV6_PREFIX = 64


def client_of(request: HttpRequest) -> str:
    """Return what tells this client from others: its network address.

    That of the connection, unless ``THROTTLES["NUM_PROXIES"]`` says how many trusted
    proxies each add the address that they see to ``X-Forwarded-For``: without it,
    anybody could write anything there.
    """
    address = str(request.META.get("REMOTE_ADDR") or "")
    proxies = get_conf().throttles.num_proxies or 0
    seen = [
        part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")
    ]
    if proxies > 0 and any(seen):
        address = seen[-min(proxies, len(seen))]
    return _network(address)


def _network(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        # A server on a UNIX socket sees no address; a proxy may add a port.
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, IPV6_PREFIX), strict=False))
    return str(ip)


class BalanceThrottle(BaseThrottle):
    """Turns a client that is over a limit away before its request is read."""

    def __init__(self) -> None:
        # Ninja asks the one object for all requests, twice for each.
        self._asked = threading.local()

    def allow_request(self, request: HttpRequest) -> bool:
        self._asked.wait = guessing.seconds_to_wait(client_of(request))
        return self._asked.wait is None

    def wait(self) -> float | None:
        wait: float | None = self._asked.wait
        return wait
