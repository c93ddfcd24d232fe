"""The only way to a client: one per account, with the quota wired in."""

import threading
from collections.abc import Callable

from wagtail_smartgift import budget
from wagtail_smartgift.client import ApiCall, SmartGiftClient
from wagtail_smartgift.conf import Account, get_conf


_clients: dict[tuple[Account, float], SmartGiftClient] = {}
_lock = threading.Lock()


def connect(
    account: Account,
    *,
    patience: float = 2.0,
    asker: str = "",
    leave_until: float | None = None,
    observe: Callable[[ApiCall], None] | None = None,
) -> SmartGiftClient:
    """Return a client that asks the shared quota before each call.

    ``patience`` is how many seconds a call may wait for its place, ``asker`` for whom
    the calls are made (empty: for the shop as a whole). ``leave_until`` is when
    (``time.monotonic``) the right to call ends: nothing is sent later. ``observe`` is told of every
    attempt, as the quota is. Connections are shared by everybody in this process who
    talks to the same account.
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
    client = client.with_gate(budget.gate(account, patience=patience, asker=asker))
    if leave_until is not None:
        client = client.leaving_until(leave_until)
    return client if observe is None else client.with_observer(observe)


def connect_past_the_quota(
    account: Account, *, observe: Callable[[ApiCall], None]
) -> SmartGiftClient:
    """Return a client that nothing keeps back, to see what Smart Gift itself refuses.

    The quota is told of its calls all the same. For the probe alone.
    """

    def let_pass(_operation: str, _lane: int) -> None:
        return

    return connect(account, observe=observe).with_gate(let_pass)


def close_all() -> None:
    """Close every connection of this process (after a test, or before a fork)."""
    with _lock:
        clients = list(_clients.values())
        _clients.clear()
    for client in clients:
        client.close()
