"""What the settings come to: frozen dataclasses, with every default."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string


SETTING = "WAGTAIL_SMARTGIFT"


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
