"""What processes of the nursery do about webhooks: cause them, send them, die at it."""

import os
import signal
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.test import override_settings

from wagtail_smartgift import fetch, payments
from wagtail_smartgift.models import PaymentSession, WebhookDelivery
from wagtail_smartgift.services import delivering, delivery_rounds, outbox

from .world import forget_everything


def _with(endpoint: dict[str, Any]) -> Any:
    values = {**settings.WAGTAIL_SMARTGIFT, "WEBHOOK_ENDPOINTS": [endpoint]}
    return override_settings(WAGTAIL_SMARTGIFT=values)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def cause_webhooks(endpoint: dict[str, Any], count: int, dies: bool = False) -> None:
    """Write events; or die when they are committed and before anybody is told."""
    forget_everything()
    payments.open_session(reference="order-1", amount_due="80.00")
    session = PaymentSession.objects.get()
    if dies:
        outbox._dispatch_after_work = lambda event_id: _die()
    with _with(endpoint):
        for _number in range(count):
            outbox.emit("session.confirmed", session=session)


def send_webhooks(endpoint: dict[str, Any], dies: str = "", locked: bool = True) -> int:
    """Send what is due; or die before, or after, the first has been sent.

    ``locked`` False takes the claims out, to show what they prevent.
    """
    post: Callable[..., Any] = fetch.post

    def mortal(*args: Any, **values: Any) -> Any:
        if dies == "before":
            _die()
        answer = post(*args, **values)
        if dies == "after":
            _die()
        return answer

    if dies:
        fetch.post = mortal
    if not locked:
        delivering._claim = lambda row, worker: True
    with _with(endpoint):
        return delivery_rounds.deliver_due(seconds=30)


def webhook_rows() -> list[tuple[str, int]]:
    rows = WebhookDelivery.objects.order_by("pk")
    return list(rows.values_list("status", "attempts"))
