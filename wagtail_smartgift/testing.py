"""For a host's own tests: a Smart Gift of one's own, over real HTTP.

With pytest::

    import pytest
    from wagtail_smartgift import payments
    from wagtail_smartgift.testing import running_sandbox


    @pytest.fixture
    def sandbox():
        with running_sandbox() as sandbox:
            yield sandbox


    def test_a_voucher_pays_for_the_order(db, sandbox):
        payments.open_session(reference="1", amount_due="80.00")
        payments.add_voucher(reference="1", voucher_no="GOOD-0050-0001")
        assert payments.confirm(reference="1").amount_remaining == 30
        assert sandbox.voucher("GOOD-0050-0001").balance == 0

A message of the shop, as it would be sent to ``webhooks/shop``::

    from wagtail_smartgift.testing import signed_webhook


    def test_our_shop_tells_of_its_orders(client, settings):
        body, headers = signed_webhook(
            "order.confirmed", {"reference": "1"}, secret=MY_SECRET
        )
        client.post(
            "/smartgift/api/webhooks/shop",
            body,
            content_type="application/json",
            headers=headers,
        )

With Django's runner, use the sandbox as ``self.enterContext(running_sandbox())``. Which
voucher numbers there are, how to make a call fail, and how to move the clock is in
``docs/sandbox.md``.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from django.conf import settings
from django.test import override_settings
from standardwebhooks import Webhook

from wagtail_smartgift.conf import SETTING
from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer
from wagtail_smartgift.services import gateway


@contextmanager
def running_sandbox(
    *, behaviour: Behaviour | None = None, **overrides: Any
) -> Iterator[Sandbox]:
    """Serve a fresh sandbox, and point every configured account at it.

    There is no limit of calls unless ``behaviour`` has one. ``overrides`` are
    settings of ``WAGTAIL_SMARTGIFT`` for the time of the block.
    """
    behaviour = behaviour or Behaviour(rate_limit=0)
    with SandboxServer(Sandbox(behaviour=behaviour)) as server:
        configured = getattr(settings, SETTING, {})
        accounts = {
            alias: {**account, "API_KEY": _key(account), "BASE_URL": server.url}
            for alias, account in (
                configured.get("ACCOUNTS") or {"default": {"SITE_ID": "1"}}
            ).items()
        }
        values = {
            **configured,
            "ACCOUNTS": accounts,
            "RATE_LIMIT": int(behaviour.rate_limit),
            **overrides,
        }
        with override_settings(**{SETTING: values}):
            try:
                yield server.sandbox
            finally:
                gateway.close_all()


def _key(account: Mapping[str, Any]) -> str:
    """Return a key that the sandbox knows; never send it a real one."""
    key = str(account.get("API_KEY", ""))
    return key if key.startswith("sk_sandbox") else "sk_sandbox"


def signed_webhook(
    event: str,
    data: Mapping[str, Any],
    *,
    secret: str,
    webhook_id: str | None = None,
    at: datetime | None = None,
    happened_at: datetime | None = None,
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a message, signed as the specification says.

    ``secret`` is one of ``WEBHOOK_SECRETS``; the message gets an id of its own unless
    ``webhook_id`` is given, and is signed now unless ``at`` says when. ``happened_at``
    stands in the body and stays the same when a message is sent again.
    """
    # The library takes the clock's digits, whatever the zone.
    at = (at or datetime.now(tz=timezone.utc)).astimezone(timezone.utc)
    webhook_id = webhook_id or f"msg_{uuid.uuid4().hex}"
    timestamp = (happened_at or at).isoformat()
    body = json.dumps({"type": event, "timestamp": timestamp, "data": dict(data)})
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, body),
    }
    return body.encode(), headers
