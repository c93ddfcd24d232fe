"""The ``WAGTAIL_SMARTGIFT`` setting, read once, as frozen dataclasses.

Keys live in settings and never in the database. An unknown name or a value of the
wrong kind is ``ImproperlyConfigured`` with the names that are known; the system
checks (``checks.py``) report the same text at start.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from wagtail_smartgift.conf import reading
from wagtail_smartgift.conf.addresses import (
    DEVELOPMENT_HOST,
    PRODUCTION_URL,
    SHORTEST_WEBHOOK_SECRET,
    is_for_trying,
    is_loopback_url,
    is_safe_url,
    is_webhook_secret,
)
from wagtail_smartgift.conf.values import (
    SETTING,
    Account,
    Conf,
    DeliveryMethod,
    Throttles,
    WebhookEndpoint,
)
from wagtail_smartgift.redaction import Secret, SecretBytes, hidden_items


__all__ = [
    "DEVELOPMENT_HOST",
    "PRODUCTION_URL",
    "SETTING",
    "SHORTEST_WEBHOOK_SECRET",
    "Account",
    "Conf",
    "DeliveryMethod",
    "Throttles",
    "WebhookEndpoint",
    "get_conf",
    "is_for_trying",
    "is_loopback_url",
    "is_safe_url",
    "is_webhook_secret",
]


def get_conf() -> Conf:
    """Return the settings of this process.

    Raises:
        ImproperlyConfigured: names the setting and what it should be.
    """
    return _load()


@cache
def _load() -> Conf:
    raw = getattr(django_settings, SETTING, None)
    if not isinstance(raw, Mapping):
        raise ImproperlyConfigured(
            f"{SETTING} must be a dictionary with at least "
            '{"ACCOUNTS": {"default": {"API_KEY": …, "BASE_URL": …, "SITE_ID": …}}}.'
        )
    # A mistake in one setting is an error page, which shows what is at hand.
    raw = hidden_items(raw, reading.SECRET)
    known = {item.name.upper() for item in fields(Conf)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise ImproperlyConfigured(
            f"{SETTING} has no setting {', '.join(map(repr, unknown))}. "
            f"Known are: {', '.join(sorted(known))}."
        )
    values: dict[str, Any] = {
        name.lower(): reading.READERS.get(name, reading.plain)(name, value)
        for name, value in raw.items()
    }
    values.setdefault("accounts", {})
    for name, derive in (
        ("encryption_keys", _default_encryption_keys),
        ("fingerprint_key", _default_fingerprint_key),
    ):
        if not values.get(name):
            values[name] = derive()
    return Conf(**values)


def _default_encryption_keys() -> tuple[bytes, ...]:
    """In DEBUG a key from SECRET_KEY; outside it the shop must choose (check E003)."""
    if not django_settings.DEBUG:
        return ()
    return (
        reading.fernet_key(
            Secret(f"smartgift encryption {django_settings.SECRET_KEY}")
        ),
    )


def _default_fingerprint_key() -> bytes:
    secret = SecretBytes(django_settings.SECRET_KEY.encode())
    return SecretBytes(
        hmac.new(secret, b"smartgift fingerprint", hashlib.sha256).digest()
    )


def _forget(*, setting: str, **_kwargs: object) -> None:
    if setting in {SETTING, "SECRET_KEY", "DEBUG"}:
        _load.cache_clear()


setting_changed.connect(_forget, dispatch_uid="wagtail_smartgift.conf")
