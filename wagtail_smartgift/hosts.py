"""Which host names lead to this very machine. Knows no Django, and looks nothing up."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether ``host``, a name or an address, is this very machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    # One that hides an IPv4 address is none, as every Python before 3.13 has it.
    return address.is_loopback and getattr(address, "ipv4_mapped", None) is None
