"""The only way to a client: one per account, with the quota wired in."""

import threading

from wagtail_smartgift import budget
from wagtail_smartgift.client import SmartGiftClient
from wagtail_smartgift.conf import Account, get_conf


_clients: dict[tuple[Account, float], SmartGiftClient] = {}
_lock = threading.Lock()


def connect(
    account: Account, *, patience: float = 2.0, asker: str = ""
) -> SmartGiftClient:
    """Return a client that asks the shared quota before each call.

    ``patience`` is how many seconds a call may wait for its place, ``asker`` for whom
    the calls are made (empty: for the shop as a whole). Connections are shared by everybody in this process who talks to the same account.
    """
    timeout = float(get_conf().timeout)
    with _lock:
        client = _clients.get((account, timeout))
        if client is None:
            client = _clients[account, timeout] = SmartGiftClient(
                base_url=account.base_url,
                api_key=account.api_key,
                timeout=timeout,
                observe=budget.observer(account),
            )
    return client.with_gate(budget.gate(account, patience=patience, asker=asker))


def close_all() -> None:
    """Close every connection of this process (after a test, or before a fork)."""
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        client.close()
