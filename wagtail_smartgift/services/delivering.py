"""Webhooks to the endpoints of ``WEBHOOK_ENDPOINTS``: at least once, usually once.

A row for each endpoint is written in the transaction of the event itself, so no crash
loses one, and an endpoint that is added later gets no old events. An attempt has three
parts like every call, and no transaction spans the network: claim the row and log the
attempt; send; log what came of it. A worker that dies in between leaves its claim to
run out, and the message is sent again under the same id.
"""

import logging
import random
import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from wagtail.log_actions import log

from wagtail_smartgift import fetch
from wagtail_smartgift.choices import (
    DeliveryOperation,
    DeliveryProblem,
    DeliveryStatus,
    Outcome,
)
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.conf import WebhookEndpoint, get_conf
from wagtail_smartgift.models import OutboxEvent, WebhookAttempt, WebhookDelivery
from wagtail_smartgift.services import messages, nudges, retrying


logger = logging.getLogger(__name__)

#: Seconds for one attempt; the specification asks senders for 15 to 30.
TIMEOUT = 15.0
#: Seconds after which the worker of an attempt is taken for dead.
CLAIM = TIMEOUT + 15
#: The name under which Wagtail's log keeps who asked for a delivery again.
REPLAY_ACTION = "wagtail_smartgift.replay_webhook"


@dataclass(frozen=True)
class Result:
    """What came of one attempt."""

    delivered: bool
    problem: DeliveryProblem | None = None
    http_status: int | None = None
    #: Seconds that the endpoint asks for, or None.
    asked: float | None = None
    #: Whether the endpoint is left alone for a while.
    rests: bool = False


class NotReplayable(Exception):
    """The delivery cannot be sent (any more) by this host; ``str()`` says why."""


def endpoints() -> dict[str, WebhookEndpoint]:
    """Return the configured endpoints by their digests."""
    return {endpoint.digest: endpoint for endpoint in get_conf().webhook_endpoints}


def plan(event: OutboxEvent) -> None:
    """Write, in the caller's transaction, to whom ``event`` has to go."""
    wanted = {
        endpoint.digest: endpoint
        for endpoint in get_conf().webhook_endpoints
        if endpoint.wants(event.type)
    }
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(event=event, endpoint_digest=digest, endpoint=endpoint.label)
        for digest, endpoint in wanted.items()
    )


def nudge(event: OutboxEvent) -> None:
    """Have an event's deliveries begun, where somebody else than a customer waits."""
    if not endpoints() or nudges.runs_in_the_request():
        return
    waiting = event.deliveries.filter(status=DeliveryStatus.PENDING)
    for delivery_id in waiting.order_by("pk").values_list("pk", flat=True):
        nudges.nudge("deliver_webhook", delivery_id)


def due() -> Q:
    """Select the deliveries that may be tried now, by whoever comes first."""
    now = timezone.now()
    unclaimed = Q(claimed_until__isnull=True) | Q(claimed_until__lt=now)
    return unclaimed & Q(status=DeliveryStatus.PENDING, next_attempt_at__lte=now)


def ours() -> Q:
    """Select the deliveries about accounts as they are configured now.

    A copy of the production database must not tell production's endpoints anything.
    """
    accounts = get_conf().accounts.values()
    return OutboxEvent.bound_to(accounts, prefix="event__")


def deliver(delivery_id: int) -> Result | None:
    """Make one attempt; None if it is not due, not ours, or somebody else's now."""
    row = (
        WebhookDelivery.objects.filter(ours(), due(), pk=delivery_id)
        .select_related("event", "event__session", "event__order")
        .first()
    )
    endpoint = endpoints().get(row.endpoint_digest) if row else None
    if row is None or endpoint is None:
        return None
    worker = str(uuid.uuid4())
    if not _claim(row, worker):
        return None
    began = time.monotonic()
    result = _send(row.event, endpoint)
    return _settle(row, worker, result, seconds=time.monotonic() - began)


def _claim(row: WebhookDelivery, worker: str) -> bool:
    with transaction.atomic(durable=True):
        # Of its own columns alone: PostgreSQL looks at a joined row only once.
        taken = WebhookDelivery.objects.filter(due(), pk=row.pk).update(
            claimed_by=worker,
            claimed_until=timezone.now() + timedelta(seconds=CLAIM),
            tries=F("tries") + 1,
            attempts=F("attempts") + 1,
        )
        if taken:
            row.refresh_from_db(fields=["tries", "attempts"])
            _append(row, DeliveryOperation.SEND, Outcome.REQUESTED)
    return bool(taken)


def _send(event: OutboxEvent, endpoint: WebhookEndpoint) -> Result:
    """Send the message once; whatever goes wrong is a problem with a name."""
    try:
        text = messages.read(event)
    except UndecryptableError:
        return Result(delivered=False, problem=DeliveryProblem.UNREADABLE)
    try:
        headers = messages.sign(event, text, endpoint=endpoint, now=timezone.now())
    except ValueError:
        return Result(delivered=False, problem=DeliveryProblem.SECRET)
    try:
        answer = fetch.post(
            endpoint.url,
            body=text.encode(),
            headers=headers,
            seconds=TIMEOUT,
            allow_private=endpoint.allow_private,
        )
    except fetch.FetchError as error:
        return Result(delivered=False, problem=DeliveryProblem(error.reason))
    problem = retrying.problem_of(answer.status)
    return Result(
        delivered=problem is None,
        problem=problem,
        http_status=answer.status,
        asked=answer.retry_after,
    )


def _settle(
    row: WebhookDelivery, worker: str, result: Result, *, seconds: float
) -> Result:
    """Log what came of an attempt, and decide what is next."""
    with transaction.atomic(durable=True):
        _append(
            row,
            DeliveryOperation.SEND,
            Outcome.SUCCEEDED if result.delivered else Outcome.FAILED,
            reason=result.problem or "",
            http_status=result.http_status,
            milliseconds=int(seconds * 1000),
        )
        if result.problem is None:
            # Also what somebody has given up in the meantime: it has arrived.
            WebhookDelivery.objects.filter(pk=row.pk).update(
                **_settled(DeliveryStatus.DELIVERED), http_status=result.http_status
            )
            return result
        pause = _settle_failure(row, worker, result, result.problem)
    return _let_others_wait(row, result, result.problem, pause)


def _settle_failure(
    row: WebhookDelivery, worker: str, result: Result, problem: DeliveryProblem
) -> float | None:
    """Write what is next for this one; returns the seconds until then, if any."""
    gone = problem == DeliveryProblem.GONE
    pause = None
    if not gone:
        pause = retrying.pause_after(
            row.tries,
            asked=result.asked,
            chance=random.random(),  # noqa: S311 - no secret: it spreads the load
        )
    changes: dict[str, Any] = {"http_status": result.http_status}
    if pause is None:
        changes |= _settled(DeliveryStatus.FAILED, problem)
    else:
        at = timezone.now() + timedelta(seconds=pause)
        changes |= {"problem": problem, "next_attempt_at": at, **_NOBODYS}
    mine = WebhookDelivery.objects.filter(
        pk=row.pk, claimed_by=worker, status=DeliveryStatus.PENDING
    )
    # Whose claim ran out decides nothing: somebody else is at it.
    if mine.update(**changes) and pause is None:
        _append(row, DeliveryOperation.GIVE_UP, Outcome.SUCCEEDED, reason=problem)
    logger.warning(
        "Event %s was not delivered to %s (attempt %d): %s%s.",
        row.event_id,
        row.endpoint,
        row.attempts,
        problem.value,
        f" {result.http_status}" if result.http_status else "",
    )
    return pause


def _let_others_wait(
    row: WebhookDelivery,
    result: Result,
    problem: DeliveryProblem,
    pause: float | None,
) -> Result:
    """Leave an endpoint alone that does not answer, or is gone.

    After the attempt's own transaction, in one statement that waits for no row: two
    workers that fail at one endpoint would each hold a row that the other one wants.
    """
    waiting = WebhookDelivery.objects.filter(
        ours(), endpoint_digest=row.endpoint_digest, status=DeliveryStatus.PENDING
    )
    if problem == DeliveryProblem.GONE:
        give_up(waiting.values_list("pk", flat=True), problem)
        return result
    rest = retrying.rest_after(problem, result.http_status, pause)
    if rest is None:
        return result
    until = timezone.now() + timedelta(seconds=rest)
    # A row that is locked is being tried, or put off by somebody who has failed as well.
    # The rows of their events are not ours to lock. SQLite, with one writer at a time,
    # needs none of this and ignores it.
    free = waiting.select_for_update(skip_locked=True, of=("self",))
    with transaction.atomic(durable=True):
        WebhookDelivery.objects.filter(
            pk__in=free.filter(next_attempt_at__lt=until).values("pk")
        ).update(next_attempt_at=until)
    return replace(result, rests=True)


_NOBODYS: Mapping[str, Any] = {"claimed_by": "", "claimed_until": None}


def _settled(status: DeliveryStatus, problem: str = "") -> dict[str, Any]:
    return {
        "status": status,
        "problem": problem,
        "settled_at": timezone.now(),
        **_NOBODYS,
    }


def _append(
    row: WebhookDelivery, operation: DeliveryOperation, outcome: Outcome, **more: Any
) -> None:
    WebhookAttempt(
        delivery=row,
        operation=operation,
        outcome=outcome,
        attempt=row.attempts,
        **more,
    ).save()


def give_up(delivery_ids: Collection[int], problem: DeliveryProblem) -> int:
    """Stop trying these; returns how many were still pending."""
    count = 0
    for row in WebhookDelivery.objects.filter(pk__in=list(delivery_ids)):
        with transaction.atomic():
            moved = WebhookDelivery.objects.filter(
                pk=row.pk, status=DeliveryStatus.PENDING
            ).update(**_settled(DeliveryStatus.FAILED, problem))
            if moved:
                _append(
                    row, DeliveryOperation.GIVE_UP, Outcome.SUCCEEDED, reason=problem
                )
        count += moved
    return count


def lock_events(pks: Collection[UUID]) -> int:
    """Lock events until the commit, so that none is sent again and forgotten at once.

    By an UPDATE that changes nothing: on SQLite it takes the write lock, on PostgreSQL
    the rows'. Returns how many there still are.
    """
    return OutboxEvent.objects.filter(pk__in=pks).update(created_at=F("created_at"))


def check_replayable(row: WebhookDelivery) -> None:
    """See whether this host may send a delivery.

    Raises:
        NotReplayable: it is another host's, or its endpoint is not configured.
    """
    account = get_conf().accounts.get(row.event.account)
    if account is None or not row.event.is_bound_to(account):
        raise NotReplayable(
            _(
                "It was made with another Smart Gift key or address than is configured "
                "now."
            )
        )
    if row.endpoint_digest not in endpoints():
        raise NotReplayable(_("Its endpoint is not in WEBHOOK_ENDPOINTS any more."))


def replay(row: WebhookDelivery, *, user: Any = None) -> None:
    """Have a delivery sent again, whatever came of it: due now, with all its attempts.

    The message and its id are the same, so a receiver that has dealt with it does
    nothing. ``user`` is who asked; a command has none.

    Raises:
        NotReplayable: nothing was changed.
    """
    check_replayable(row)
    now = timezone.now()
    with transaction.atomic():
        if not lock_events([row.event_id]):
            raise NotReplayable(_("Its days are over, and it was forgotten."))
        WebhookDelivery.objects.filter(pk=row.pk).update(
            status=DeliveryStatus.PENDING,
            problem="",
            settled_at=None,
            tries=0,
            began_at=now,
            next_attempt_at=now,
        )
        _append(
            row,
            DeliveryOperation.REPLAY,
            Outcome.REQUESTED,
            actor=user.get_username()[:150] if user is not None else "",
        )
        if user is not None:
            log(instance=row, action=REPLAY_ACTION, user=user)
