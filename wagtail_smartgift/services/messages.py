"""What a webhook says, and how it is signed.

A message is written once, from how things are when its event is told, and kept with
the event, encrypted: a receiver that gets it again gets the same bytes under the same
id. Only the time of sending and the signature over it are new.
"""

import json
from collections.abc import Mapping
from datetime import datetime

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from wagtail_smartgift import ledger, representations
from wagtail_smartgift.conf import WebhookEndpoint
from wagtail_smartgift.models import OutboxEvent
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.services import vault


def write(
    event: OutboxEvent, data: ledger.Session | ledger.Order | ledger.CatalogueNews
) -> None:
    """Keep what is said of ``event``, unless that was written before."""
    # The shop is told the numbers of what it sold.
    text = Secret(
        json.dumps(
            {
                "type": event.type,
                "timestamp": representations.zulu(event.created_at),
                "data": representations.of(data),
            },
            separators=(",", ":"),
        )
    )
    OutboxEvent.objects.filter(pk=event.pk, message_encrypted="").update(
        message_encrypted=vault.seal(text)
    )


def read(event: OutboxEvent) -> str:
    """Return what is said of ``event``; write it now if nobody has.

    Raises:
        UndecryptableError: its key is no longer configured.
    """
    if not event.message_encrypted:
        write(event, ledger.describe_event(event))
        # Somebody else may have written it first: then it is theirs that counts.
        event.refresh_from_db(fields=["message_encrypted"])
    return vault.open_sealed(event.message_encrypted)


def sign(
    event: OutboxEvent, text: str, *, endpoint: WebhookEndpoint, now: datetime
) -> Mapping[str, str]:
    """Return the headers with which ``text`` goes to ``endpoint`` (``now`` in UTC).

    Raises:
        ValueError: its secret is not of the form ``whsec_…`` (check E007).
    """
    message_id = str(event.pk)
    try:
        signature = Webhook(endpoint.secret).sign(message_id, now, text)
    except EmptyWebhookSecretError as error:
        raise ValueError(str(error)) from None
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
