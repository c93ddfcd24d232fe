"""Which addresses and secrets may stand in the settings."""

import base64
from urllib.parse import urlsplit

from wagtail_smartgift.hosts import is_loopback


#: What the docs print for the two environments of the vendor.
PRODUCTION_URL = "https://api.smart-gift.co.uk"
#: The domain of the vendor's hosts for trying things out.
DEVELOPMENT_HOST = "devsmartgift.co.uk"
#: Bytes that the Standard Webhooks specification asks of a signing secret.
SHORTEST_WEBHOOK_SECRET = 24


def is_safe_url(url: str) -> bool:
    """Tell whether ``url`` is https, or http to this very machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def is_for_trying(url: str) -> bool:
    """Tell whether no real voucher can be at ``url``: a loopback address, or the
    vendor's development host. Whatever else stands there counts as production.
    """
    host = urlsplit(url).hostname or ""
    return host.endswith(f".{DEVELOPMENT_HOST}") or is_loopback(host)


def is_loopback_url(url: str) -> bool:
    """Tell whether ``url`` leads to this very machine, as that of a sandbox does."""
    return is_loopback(urlsplit(url).hostname or "")


def is_webhook_secret(text: str) -> bool:
    """Tell whether ``text`` is a signing secret: ``whsec_`` and enough base64.

    Libraries are lenient, and skip characters that are not base64: what is left of
    a mistyped secret may be a very short one.
    """
    kind, _mark, encoded = text.partition("_")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    return kind == "whsec" and len(secret) >= SHORTEST_WEBHOOK_SECRET
