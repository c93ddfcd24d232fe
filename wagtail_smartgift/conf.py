"""The ``WAGTAIL_SMARTGIFT`` setting, read once, as frozen dataclasses.

Keys live in settings and never in the database. An unknown name or a value of the
wrong kind is ``ImproperlyConfigured`` with the names that are known; the system
checks (``checks.py``) report the same text at start.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from functools import cache
from itertools import permutations
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from wagtail_smartgift.hosts import is_loopback
from wagtail_smartgift.money import parse_amount
from wagtail_smartgift.redaction import Secret, SecretBytes, hidden_items


SETTING = "WAGTAIL_SMARTGIFT"
#: What the docs print for the two environments of the vendor.
PRODUCTION_URL = "https://api.smart-gift.co.uk"
#: The domain of the vendor's hosts for trying things out.
DEVELOPMENT_HOST = "devsmartgift.co.uk"
#: Bytes that the Standard Webhooks specification asks of a signing secret.
SHORTEST_WEBHOOK_SECRET = 24
_KEY_HASH = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True)
class Account:
    """One Smart Gift company: its key, where its API is, and its usual site number."""

    alias: str
    base_url: str
    api_key: str = field(repr=False)
    site_id: str
    #: Of the keys that the same company had before: what they made is this account's.
    earlier_key_hashes: tuple[str, ...] = ()

    @property
    def key_hash(self) -> str:
        """Tell one key from another without knowing either (hex, 32 characters)."""
        return hashlib.sha256(f"smartgift\0{self.api_key}".encode()).hexdigest()[:32]

    @property
    def key_hashes(self) -> tuple[str, ...]:
        """The hashes of all keys that this company is known by, the present one first."""
        return (self.key_hash, *self.earlier_key_hashes)


@dataclass(frozen=True)
class DeliveryMethod:
    """A way that Smart Gift sends a voucher; its API cannot be asked for them."""

    id: str
    name: str
    price: Decimal
    posted: bool


@dataclass(frozen=True)
class WebhookEndpoint:
    """Somebody's server that is told of events; all of them where it names none."""

    url: str = field(repr=False)
    secret: str = field(repr=False)
    events: tuple[str, ...] = ()
    #: The house's own: it may have a private address.
    allow_private: bool = False

    def wants(self, event: str) -> bool:
        return not self.events or event in self.events

    @property
    def digest(self) -> str:
        """Know the endpoint again without its address (hex, 32 characters)."""
        return hashlib.sha256(f"smartgift\0{self.url}".encode()).hexdigest()[:32]

    @property
    def label(self) -> str:
        """The address without the parts in which a password may be."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}"[:255]


@dataclass(frozen=True)
class Throttles:
    """Limits for guessing; failures are counted, not customers."""

    balance_per_minute: int = 20
    balance_failures: int = 5
    #: Seconds over which ``balance_failures`` counts.
    balance_failures_window: int = 600
    session_failures: int = 10
    #: Times that a payment's customer may have a voucher held or looked at anew.
    session_holds: int = 20
    #: Seconds over which ``session_holds`` counts.
    session_holds_window: int = 600
    global_failures_per_minute: int = 20
    #: Trusted proxies in front of the shop; None reads REMOTE_ADDR alone.
    num_proxies: int | None = None


@dataclass(frozen=True)
class Conf:
    """Every setting with its default; names are the lower-case of the setting's."""

    accounts: Mapping[str, Account]
    server_keys: tuple[str, ...] = field(default=(), repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    webhook_endpoints: tuple[WebhookEndpoint, ...] = ()
    encryption_keys: tuple[bytes, ...] = field(default=(), repr=False)
    fingerprint_key: bytes = field(default=b"", repr=False)
    currency: str = "GBP"
    payment_method: int | None = None
    delivery_methods: tuple[DeliveryMethod, ...] = ()
    reference_prefix: str = ""
    own_voucher_codes: bool = True
    allow_vouchers_for_vouchers: bool = False
    experience_value: str | None = None
    normalise_voucher_number: str | None = None
    add_to_basket: str | None = None
    #: Seconds that a client secret opens its session.
    session_lifetime: int = 86400
    #: Seconds without a sign of the customer after which holds are given back.
    abandoned_after: int = 1800
    #: Calls a minute that the key may make, all processes together.
    rate_limit: int = 60
    #: Seconds for a whole call.
    timeout: float = 25.0
    #: Seconds after which a request that was lost is no longer in the server.
    settle: float = 35.0
    #: Seconds after which even a delayed request is no longer applied.
    late: float = 130.0
    throttles: Throttles = Throttles()
    image_hosts: tuple[str, ...] = ()
    attention_emails: tuple[str, ...] = ()
    keep_personal_data_days: int = 730

    def account(self, alias: str) -> Account:
        """Return the account of that alias.

        Raises:
            ImproperlyConfigured: there is none.
        """
        try:
            return self.accounts[alias]
        except KeyError:
            raise ImproperlyConfigured(
                f"{SETTING}['ACCOUNTS'] has no account {alias!r}; it has "
                f"{', '.join(sorted(self.accounts)) or 'none'}."
            ) from None

    @property
    def keep_personal_data(self) -> timedelta:
        """How long people stay in what is settled; a century stands for ever."""
        return timedelta(days=min(self.keep_personal_data_days, 36_500))

    @property
    def lease(self) -> float:
        """Seconds of hold that must be left before a redeem may start."""
        return self.timeout + self.settle + 30

    def hook(self, name: str) -> Callable[..., Any] | None:
        """Import the host's function named by a dotted-path setting, if any."""
        path = getattr(self, name)
        return import_string(path) if path else None


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
    raw = hidden_items(raw, _SECRET)
    known = {item.name.upper() for item in fields(Conf)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise ImproperlyConfigured(
            f"{SETTING} has no setting {', '.join(map(repr, unknown))}. "
            f"Known are: {', '.join(sorted(known))}."
        )
    values: dict[str, Any] = {
        name.lower(): _READERS.get(name, _plain)(name, value)
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
    return (_fernet_key(Secret(f"smartgift encryption {django_settings.SECRET_KEY}")),)


def _default_fingerprint_key() -> bytes:
    secret = SecretBytes(django_settings.SECRET_KEY.encode())
    return SecretBytes(
        hmac.new(secret, b"smartgift fingerprint", hashlib.sha256).digest()
    )


def _fernet_key(text: str) -> bytes:
    """Use a Fernet key as it is; make one of any other text."""
    try:
        if len(base64.urlsafe_b64decode(text)) == 32:
            return SecretBytes(text.encode())
    except ValueError:
        pass
    digest = hashlib.sha256(text.encode())
    return SecretBytes(base64.urlsafe_b64encode(digest.digest()))


#: Settings with keys in them.
_SECRET = {
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


def _plain(name: str, value: object) -> object:
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
    if isinstance(value, bool) or not re.fullmatch("[1-9][0-9]{0,9}", number, re.ASCII):
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


_READERS: Mapping[str, Callable[[str, Any], object]] = {
    "ACCOUNTS": _accounts,
    "DELIVERY_METHODS": _delivery_methods,
    "WEBHOOK_ENDPOINTS": _endpoints,
    "THROTTLES": _throttles,
    "SERVER_KEYS": _secrets,
    "WEBHOOK_SECRETS": _secrets,
    "IMAGE_HOSTS": _hosts,
    "ATTENTION_EMAILS": _strings,
    "ENCRYPTION_KEYS": lambda name, value: tuple(
        _fernet_key(key) for key in _secrets(name, value)
    ),
    "FINGERPRINT_KEY": lambda _name, value: SecretBytes(str(value or "").encode()),
    "PAYMENT_METHOD": _payment_method,
}


def _forget(*, setting: str, **_kwargs: object) -> None:
    if setting in {SETTING, "SECRET_KEY", "DEBUG"}:
        _load.cache_clear()


setting_changed.connect(_forget, dispatch_uid="wagtail_smartgift.conf")
