"""The only way to a client: one per account, with the quota wired in."""

from functools import cache

from wagtail_smartgift import budget
from wagtail_smartgift.client import SmartGiftClient
from wagtail_smartgift.conf import Account, get_conf


def connect(account: Account, *, patience: float = 2.0) -> SmartGiftClient:
    """Return a client that asks the shared quota before each call.

    ``patience`` is how many seconds a call may wait for its place. Connections are
    shared by everybody in this process who talks to the same account.
    """
    client = _client(account, float(get_conf().timeout))
    return client.with_gate(budget.gate(account, patience=patience))


@cache
def _client(account: Account, timeout: float) -> SmartGiftClient:
    return SmartGiftClient(
        base_url=account.base_url,
        api_key=account.api_key,
        timeout=timeout,
        observe=budget.observer(account),
    )


def close_all() -> None:
    """Close every connection of this process (tests, and before a fork)."""
    _client.cache_clear()
