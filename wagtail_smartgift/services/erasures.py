"""What was asked to be erased while the shop's message about it was still at work.

A message is marked with nobody's name: that the person in it wants to be forgotten is
known by the entry that ``privacy.erase`` writes down. Whoever works on a message looks
for one when the work is done, so whichever of the two comes first, the other sees it.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from wagtail_smartgift.choices import (
    InboxStatus,
    InboxStep,
    PrivacyOperation,
    ShopEvent,
)
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.emails import emails_in, normalise_email
from wagtail_smartgift.models import (
    InboxEvent,
    InboxMessage,
    PaymentSession,
    PrivacyEvent,
    VoucherOrder,
)
from wagtail_smartgift.redaction import Secret, hidden
from wagtail_smartgift.services import vault


def fingerprint(email: str) -> str:
    """Return what an address is known by once it is erased (hex)."""
    email = Secret(normalise_email(email))
    message = Secret(f"e-mail\0{email}")
    return hmac.new(
        get_conf().fingerprint_key, message.encode(), hashlib.sha256
    ).hexdigest()


def was_asked(emails: Iterable[str], *, since: datetime) -> bool:
    """Tell whether the erasure of one of these addresses was asked for after a moment."""
    wanted = [fingerprint(one) for one in hidden(list(emails))]
    return PrivacyEvent.objects.filter(
        operation=PrivacyOperation.ERASE,
        email_fingerprint__in=wanted,
        created_at__gte=since,
    ).exists()


def carry_over(message: InboxMessage, data: Mapping[str, Any]) -> None:
    """Mark what a message has come to, where who is in it asked to be erased meanwhile."""
    if not was_asked(emails_in(data), since=message.received_at):
        return
    for model in (VoucherOrder, PaymentSession):
        rows: Any = model._default_manager
        rows.filter(
            reference=data["reference"],
            forgotten_at__isnull=True,
            erase_asked_at__isnull=True,
        ).update(erase_asked_at=timezone.now())


def empty_if_asked(message: InboxMessage) -> None:
    """Empty a message that has failed, where who is in it asked to be erased meanwhile."""
    if message.type != ShopEvent.ORDER_PAID:
        return
    try:
        data = json.loads(vault.open_sealed(message.payload_encrypted))
    except UndecryptableError:
        return
    if was_asked(emails_in(data), since=message.received_at):
        empty(message)


def empty(message: InboxMessage, *, actor: str = "") -> bool:
    """Empty a failed message; False if it is worked on (again)."""
    with transaction.atomic():
        emptied = InboxMessage.objects.filter(
            pk=message.pk,
            status=InboxStatus.FAILED,
            payload_encrypted=message.payload_encrypted,
        ).update(payload_encrypted="")
        if emptied:
            InboxEvent.objects.create(
                message_id=message.pk, step=InboxStep.ERASED, actor=actor
            )
    return bool(emptied)
