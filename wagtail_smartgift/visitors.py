"""Who asks: what tells one visitor of the site from others, for limits on guessing."""

import ipaddress

from django.http import HttpRequest

from wagtail_smartgift.conf import get_conf


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
