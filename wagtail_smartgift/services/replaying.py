"""Working on a failed message again, because somebody says so.

A replay starts a message anew, as if it had just come in; what it has begun before is
in its row and not begun again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from wagtail.log_actions import log

from wagtail_smartgift import clock
from wagtail_smartgift.choices import InboxStatus, InboxStep, ShopEvent
from wagtail_smartgift.models import InboxMessage
from wagtail_smartgift.services import inbox, nudges


#: Name of a replay in Wagtail's log.
REPLAY_ACTION = "wagtail_smartgift.replay"


class NotReplayable(Exception):
    """It is not (or no longer) failed, or was the business of another key.

    Or it is a confirmation that nobody waits for any more, and nobody has looked.
    """


def find_replayable(
    *,
    webhook_ids: Sequence[str] = (),
    type: str = "",
    since: datetime | None = None,
) -> list[InboxMessage]:
    """Return the messages that can be replayed, the oldest first; all by default.

    Confirmations that nobody waits for any more are only among them by their ids.
    """
    rows = _replayable().order_by("received_at", "pk")
    if webhook_ids:
        rows = rows.filter(webhook_id__in=webhook_ids)
    else:
        rows = rows.exclude(_outdated())
    if type:
        rows = rows.filter(type=type)
    if since is not None:
        rows = rows.filter(received_at__gte=since)
    return list(rows)


def count_replayable() -> int:
    """Count the failed messages that can be replayed, outdated confirmations too."""
    return _replayable().count()


def count_outdated() -> int:
    """Count the confirmations that are replayed by their ids only."""
    return _replayable().filter(_outdated()).count()


def _outdated() -> Q:
    """Select confirmations of orders that may have been paid another way since.

    A voucher that is redeemed for one of these is charged to a customer who has long
    paid by card, or never got anything.
    """
    since = clock.now() - timedelta(seconds=inbox.PATIENCE_TO_CONFIRM)
    return Q(type=ShopEvent.ORDER_CONFIRMED, received_at__lt=since)


def is_replayable(message: InboxMessage) -> bool:
    """Tell whether ``replay`` would take it."""
    return _replayable().filter(pk=message.pk).exists()


def is_outdated(message: InboxMessage) -> bool:
    """Tell whether somebody has to look at its order before it is replayed."""
    return InboxMessage.objects.filter(_outdated(), pk=message.pk).exists()


def _replayable() -> "QuerySet[InboxMessage]":
    # One without content was emptied when its time was over.
    return InboxMessage.objects.filter(inbox.ours(), status=InboxStatus.FAILED).exclude(
        payload_encrypted=""
    )


def replay(
    message: InboxMessage, *, user: Any = None, even_outdated: bool = False
) -> None:
    """Have a failed message worked on again, by the host's queue if it has one.

    ``user`` is whoever asks for it, for the timeline and Wagtail's log. Only with
    ``even_outdated`` that may be a confirmation that nobody waits for any more: somebody
    has looked whether its order was paid another way.

    Raises:
        NotReplayable: it is not failed, or was for another key than is configured.
    """
    _start_anew(message, user, even_outdated=even_outdated)
    nudges.nudge("process_inbox_message", message.pk)
    message.refresh_from_db()


def replay_now(
    message: InboxMessage, *, user: Any = None, even_outdated: bool = False
) -> None:
    """Work on a failed message again, here; ``message`` then says what came of it.

    Raises:
        NotReplayable: as for ``replay``.
    """
    _start_anew(message, user, even_outdated=even_outdated)
    inbox.process(message.pk)
    message.refresh_from_db()


def _start_anew(message: InboxMessage, user: Any, *, even_outdated: bool) -> None:
    now = clock.now()
    rows = _replayable().filter(pk=message.pk)
    if not even_outdated:
        rows = rows.exclude(_outdated())
    with transaction.atomic(durable=True):
        taken = rows.update(
            status=InboxStatus.RECEIVED,
            code="",
            asked_at=now,
            next_attempt_at=now,
            finished_at=None,
            attempts=0,
        )
        if not taken:
            raise NotReplayable
        actor = user.get_username() if user else ""
        inbox.note(message.pk, InboxStep.REPLAYED, actor=actor[:150])
        log(instance=message, action=REPLAY_ACTION, user=user)
