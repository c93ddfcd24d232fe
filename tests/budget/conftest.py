import time
from collections.abc import Callable

import pytest

from wagtail_smartgift.budget import store
from wagtail_smartgift.client import ApiCall
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import CallBudget


@pytest.fixture
def account() -> Account:
    return get_conf().account("default")


@pytest.fixture
def make_row(account) -> Callable[..., CallBudget]:
    """Write the account's row with a window that is open for another half minute."""

    def make(**values) -> CallBudget:
        now = time.time()
        values = {
            "limit": 60,
            "epoch": 3,
            "confirmed": True,
            "since": now - 30.2,
            "began": now - 30,
            "ends_at": now + 30,
            "seen_at": now - 30,
        } | values
        return CallBudget.objects.create(key=store.key_of(account), **values)

    return make


def make_call(status: int | None = 200, **values) -> ApiCall:
    """Return what the client tells after a call."""
    values = {
        "operation": "check",
        "lane": 0,
        "rate_limit": None,
        "rate_remaining": None,
        "rate_reset": None,
        "retry_after": None,
        "elapsed": 0.01,
        "server_date": None,
    } | values
    return ApiCall(status=status, **values)
