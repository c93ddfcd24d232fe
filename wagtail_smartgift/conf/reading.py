"""Reading one setting: the value that it comes to, or what it should be."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import permutations
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from wagtail_smartgift.conf.addresses import PRODUCTION_URL, is_safe_url
from wagtail_smartgift.conf.values import (
    SETTING,
    Account,
    DeliveryMethod,
    Throttles,
    WebhookEndpoint,
)
from wagtail_smartgift.money import parse_amount
from wagtail_smartgift.redaction import Secret, SecretBytes


#: More than a column for it holds.
_LARGEST_ID = 2**31 - 1
_KEY_HASH = re.compile("[0-9a-f]{32}")

#: Settings with keys in them.
SECRET = {
    "ACCOUNTS",
    "SERVER_KEYS",
    "WEBHOOK_SECRETS",
    "WEBHOOK_ENDPOINTS",
    "ENCRYPTION_KEYS",
    "FINGERPRINT_KEY",
}
_NUMBERS = {
    "SESSION_LIFETIME",
    "ABANDONED_AFTER",
    "RATE_LIMIT",
    "TIMEOUT",
    "SETTLE",
    "LATE",
    "KEEP_PERSONAL_DATA_DAYS",
}
_FLAGS = {"OWN_VOUCHER_CODES", "ALLOW_VOUCHERS_FOR_VOUCHERS"}
_OF_ACCOUNT = {"API_KEY", "BASE_URL", "SITE_ID", "EARLIER_KEY_HASHES"}


def plain(name: str, value: object) -> object:
    if name in _NUMBERS and (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        # What is no number is not below zero either.
        or not value >= 0
    ):
        raise _wrong(name, "a number, zero or more", value)
    if name in _FLAGS and not isinstance(value, bool):
        raise _wrong(name, "True or False", value)
    return value


def _accounts(name: str, value: object) -> Mapping[str, Account]:
    accounts = {}
    for alias, item in _mapping(name, value).items():
        where = f"{name}[{alias!r}]"
        item = _only(where, item, _OF_ACCOUNT)
        if not item.get("API_KEY"):
            raise _wrong(f"{where}['API_KEY']", "the secret key from Smart Gift", "")
        base_url = str(item.get("BASE_URL") or PRODUCTION_URL).rstrip("/")
        if not is_safe_url(base_url):
            raise _wrong(
                f"{where}['BASE_URL']",
                "an https address (http only for a loopback address)",
                base_url,
            )
        accounts[str(alias)] = Account(
            alias=str(alias),
            base_url=base_url,
            api_key=Secret(item["API_KEY"]),
            site_id=str(item.get("SITE_ID") or ""),
            earlier_key_hashes=_key_hashes(
                f"{where}['EARLIER_KEY_HASHES']", item.get("EARLIER_KEY_HASHES", ())
            ),
        )
    for one, other in permutations(accounts.values(), 2):
        _refuse_to_share(name, one, other)
    return accounts


def _key_hashes(where: str, value: object) -> tuple[str, ...]:
    hashes = _sequence(where, value)
    if not all(isinstance(item, str) and _KEY_HASH.fullmatch(item) for item in hashes):
        raise ImproperlyConfigured(
            f"{SETTING}: {where} must be a list of hashes as the checks W009 and W015 "
            "name them (32 hexadecimal digits in lower case). One is not, and is not "
            "shown here: it may be a key. Put its hash there instead, as the how-to "
            "about changing keys says."
        )
    return tuple(str(item) for item in hashes)


def _refuse_to_share(name: str, one: Account, other: Account) -> None:
    """Refuse an earlier key that two companies at one address are said to have had."""
    if one.base_url != other.base_url or one.key_hash == other.key_hash:
        return
    for key_hash in one.earlier_key_hashes:
        if key_hash in other.key_hashes:
            raise ImproperlyConfigured(
                f"{SETTING}: {name}[{one.alias!r}]['EARLIER_KEY_HASHES'] has {key_hash}, "
                f"which is that of a key of the account {other.alias!r}. A key is of one "
                "company: leave its hash with the account that had it."
            )


def _delivery_methods(name: str, value: object) -> tuple[DeliveryMethod, ...]:
    methods: list[DeliveryMethod] = []
    for item in _sequence(name, value):
        item = _only(name, item, {"id", "name", "price", "posted"})
        try:
            price = parse_amount(item.get("price", "0.00"), allow_zero=True)
        except ValueError as error:
            raise ImproperlyConfigured(f"{SETTING}[{name!r}]: {error}") from None
        if not item.get("id") or not item.get("name"):
            raise _wrong(name, "a list of {id, name, price, posted}", item)
        if str(item["id"]) in {method.id for method in methods}:
            raise _wrong(name, "a list of different ids", str(item["id"]))
        methods.append(
            DeliveryMethod(
                id=str(item["id"]),
                name=str(item["name"]),
                price=price,
                posted=bool(item.get("posted", False)),
            )
        )
    return tuple(methods)


def _endpoints(name: str, value: object) -> tuple[WebhookEndpoint, ...]:
    endpoints = []
    for item in _sequence(name, value):
        item = _only(name, item, {"url", "secret", "events", "allow_private"})
        if not item.get("url") or not item.get("secret"):
            raise _wrong(
                name,
                "a list of {url, secret, events?, allow_private?}",
                "an entry without",
            )
        try:
            urlsplit(str(item["url"]))
        except ValueError:
            raise _wrong(f"{name}: url", "an address", "one without sense") from None
        allow_private = item.get("allow_private", False)
        if not isinstance(allow_private, bool):
            raise _wrong(f"{name}: allow_private", "True or False", allow_private)
        endpoints.append(
            WebhookEndpoint(
                url=str(item["url"]),
                secret=Secret(item["secret"]),
                events=_strings(f"{name}: events", item.get("events") or ()),
                allow_private=allow_private,
            )
        )
    return tuple(endpoints)


def _throttles(name: str, value: object) -> Throttles:
    known = {item.name.upper() for item in fields(Throttles)}
    chosen = _only(name, value, known)
    return Throttles(**{key.lower(): number for key, number in chosen.items()})


def _strings(name: str, value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in _sequence(name, value) if item)


def _hosts(name: str, value: object) -> tuple[str, ...]:
    hosts = _strings(name, value)
    for host in hosts:
        # A port or a path would be compared with nothing, and so allow nothing.
        if "/" in host or (":" in host and not host.startswith("[")):
            raise _wrong(name, 'a list of hosts, such as "images.example.org"', host)
    return hosts


def _secrets(name: str, value: object) -> tuple[str, ...]:
    return tuple(Secret(item) for item in _sequence(name, value) if item)


def _payment_method(name: str, value: object) -> int | None:
    """Read an id of Smart Gift's; nothing, as an environment has it, is none."""
    if value is None or value == "":
        return None
    number = str(value)
    is_one = not isinstance(value, bool) and re.fullmatch("[1-9][0-9]{0,9}", number)
    if not is_one or int(number) > _LARGEST_ID:
        raise _wrong(name, "the id of a payment method of Smart Gift's, or None", value)
    return int(number)


def _only(where: str, value: object, known: set[str]) -> Mapping[str, Any]:
    mapping = _mapping(where, value)
    unknown = sorted(set(mapping) - known)
    if unknown:
        raise ImproperlyConfigured(
            f"{SETTING}: {where} has no {', '.join(map(repr, unknown))}. "
            f"Known are: {', '.join(sorted(known))}."
        )
    return mapping


def _mapping(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, "a dictionary", type(value).__name__)
    return value


def _sequence(where: str, value: object) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple, set)):
        # The type of a secret is one of our own.
        kind = "str" if isinstance(value, str) else type(value).__name__
        raise _wrong(where, "a list", kind)
    return tuple(value)


def _wrong(where: str, wanted: str, got: object) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{SETTING}: {where} must be {wanted}, not {got!r}.")


READERS: Mapping[str, Callable[[str, Any], object]] = {
    "ACCOUNTS": _accounts,
    "DELIVERY_METHODS": _delivery_methods,
    "WEBHOOK_ENDPOINTS": _endpoints,
    "THROTTLES": _throttles,
    "SERVER_KEYS": _secrets,
    "WEBHOOK_SECRETS": _secrets,
    "IMAGE_HOSTS": _hosts,
    "ATTENTION_EMAILS": _strings,
    "ENCRYPTION_KEYS": lambda name, value: tuple(
        fernet_key(key) for key in _secrets(name, value)
    ),
    "FINGERPRINT_KEY": lambda _name, value: SecretBytes(str(value or "").encode()),
    "PAYMENT_METHOD": _payment_method,
}


def fernet_key(text: str) -> bytes:
    """Use a Fernet key as it is; make one of any other text."""
    try:
        if len(base64.urlsafe_b64decode(text)) == 32:
            return SecretBytes(text.encode())
    except ValueError:
        pass
    digest = hashlib.sha256(text.encode())
    return SecretBytes(base64.urlsafe_b64encode(digest.digest()))
