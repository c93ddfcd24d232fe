"""Which host names lead to this very machine. Knows no Django, and looks nothing up."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether ``host``, a name or an address, is this very machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
