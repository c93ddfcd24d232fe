"""A shop that tells what happens to its orders, and what is found of it afterwards."""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timezone
from typing import Any

from django.test import Client
from standardwebhooks import Webhook

from wagtail_smartgift.models import InboxEvent, InboxMessage
from wagtail_smartgift.testing import signed_webhook


SECRET = "whsec_" + base64.b64encode(b"a secret of the shop, 32 bytes..").decode()
OTHER_SECRET = (
    "whsec_" + base64.b64encode(b"another secret of the shop, 36 bytes").decode()
)
#: When it happened, which is the same each time that it is told.
HAPPENED = datetime(2026, 3, 1, 14, 32, tzinfo=timezone.utc)
ADDRESS = "/smartgift/api/webhooks/shop"
ORDER = {
    "items": [{"product": 37, "price": "50.00"}],
    "customer": {
        "first_name": "John",
        "last_name": "Smith",
        "email": "john@example.org",
        "address1": "1 Mill Lane",
        "city": "Bath",
        "postcode": "BA1 1AA",
    },
    "delivery": {"method": 1, "price": "0.00"},
}


class Shop:
    """The sending side: the specification's own library, and a client without mercy."""

    def __init__(self, address: str = ADDRESS) -> None:
        self.address = address
        self.client = Client(enforce_csrf_checks=True)

    def send(self, body: bytes | str, headers: dict[str, str], **options: Any) -> Any:
        """Post bytes as they are."""
        content = body.encode() if isinstance(body, str) else body
        return self.client.generic(
            "POST",
            self.address,
            content,
            content_type="application/json",
            headers=headers,
            **options,
        )

    def tell(
        self,
        event: str,
        data: Any,
        *,
        webhook_id: str = "msg-1",
        secret: str = SECRET,
        at: datetime | None = None,
    ) -> Any:
        """Tell of an event as a good shop does."""
        return self.send(
            *signed_webhook(
                event,
                data,
                secret=secret,
                webhook_id=webhook_id,
                at=at,
                happened_at=HAPPENED,
            )
        )

    def say(self, document: object, *, webhook_id: str = "msg-1") -> Any:
        """Sign and send any text, or what JSON makes of anything else."""
        text = document if isinstance(document, str) else json.dumps(document)
        return self.send(text, sign(text, webhook_id=webhook_id))


def sign(
    text: str,
    *,
    webhook_id: str = "msg-1",
    secret: str = SECRET,
    at: datetime | None = None,
) -> dict[str, str]:
    at = at or datetime.now(tz=timezone.utc)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, at, text),
    }


def sign_bytes(body: bytes, *, webhook_id: str = "msg-1") -> dict[str, str]:
    """Sign what is no text, which the specification's library does not do."""
    seconds = int(datetime.now(tz=timezone.utc).timestamp())
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{webhook_id}.{seconds}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def message(webhook_id: str = "msg-1") -> InboxMessage:
    return InboxMessage.objects.get(webhook_id=webhook_id)


def timeline(webhook_id: str = "msg-1") -> list[str]:
    """Return the steps of a message, each with why."""
    events = InboxEvent.objects.filter(message__webhook_id=webhook_id).order_by("pk")
    return [f"{one.step} {one.reason}".strip() for one in events]
