"""The shop's messages: stored before any work, worked on once, kept when they fail.

A message is a row before anything is done about it. Whoever works on it claims the
row by a conditional UPDATE: the request that brought it in (or the host's queue), and
the sweep, which also comes back to what was postponed and to what a dead worker left.
What each type of message does is in ``inbox_work``; this module owns the row.

A message that is delivered again is known by its id and does nothing. One that is
replayed does its work again, and everything that it can do has a natural key (the
reference of an order), or keeps what it began in its row: see ``Claim.note_refund``.
"""

import hashlib
import hmac
import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift import clock, selectors
from wagtail_smartgift.choices import InboxStatus, InboxStep, ShopEvent
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError, SmartGiftPluginError
from wagtail_smartgift.models import InboxEvent, InboxMessage
from wagtail_smartgift.redaction import Secret, SecretBytes
from wagtail_smartgift.services import (
    answers,
    erasures,
    inbox_work,
    journal,
    nudges,
    vault,
)


logger = logging.getLogger(__name__)

S = InboxStatus
#: Statuses in which something is left to be done.
OPEN = (S.RECEIVED, S.PROCESSING)

#: Seconds until a message is tried again; doubled each time, up to a quarter of an hour.
FIRST_PAUSE = 15
LONGEST_PAUSE = 900
#: Refusals that may pass by themselves.
PASSING = frozenset(
    {"busy", "smartgift_unavailable", "session_busy", "voucher_held", "not_confirmed"}
)
#: Seconds that a message is retried before it counts as failed.
PATIENCE = 24 * 3600
#: Seconds of one pass of the sweep in which messages are begun.
PASS_SECONDS = 10.0
#: A confirmation comes while a customer waits: the payment itself gives up as soon.
PATIENCE_TO_CONFIRM = 900
#: "Confirmed" may come after "refunded", but not days after.
PATIENCE_FOR_CONFIRMATION = 3600
#: Codes of a failure that is not one of the API's.
FAULT, UNDECRYPTABLE = "fault", "undecryptable"

#: How long a message is kept once it is done with.
KEEP = timedelta(days=30)
KEEP_FAILED = timedelta(days=90)
#: Messages that one pass forgets, at most.
BATCH = 500


@dataclass(frozen=True)
class Delivery:
    """A message as it came in, its signature and its shape found good."""

    webhook_id: str
    type: str
    body: bytes = field(repr=False)
    #: What a known type says, as JSON can hold it.
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reference: str = ""
    site: Site | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of a delivery."""

    message: InboxMessage
    #: Whether the message was known already.
    repeated: bool


@dataclass(frozen=True)
class Claim:
    """One worker's right to work on a message."""

    message_id: int
    worker: str
    #: Set when an earlier attempt at this message has begun a refund.
    refund_target: Decimal | None = None

    def rows(self) -> "QuerySet[InboxMessage]":
        """Select the message, as long as it is this worker's."""
        return InboxMessage.objects.filter(
            pk=self.message_id, status=S.PROCESSING, claimed_by=self.worker
        )

    def note_refund(self, target: Decimal) -> None:
        """Remember, in the transaction that begins a refund, that this message did.

        Raises:
            Stale: somebody else has taken the message over, and begins it himself.
        """
        if not self.rows().update(refund_target=target):
            raise journal.Stale

    def renew(self) -> None:
        """Prolong it before work that takes long.

        Raises:
            Stale: it ran out and somebody else took the message over.
        """
        until = clock.now() + timedelta(seconds=answers.claim_seconds())
        if not self.rows().update(claimed_until=until, next_attempt_at=until):
            raise journal.Stale

    def has_begun(self) -> bool:
        """Tell whether this message has begun a refund, now or in an earlier attempt."""
        return self.rows().filter(refund_target__isnull=False).exists()


# -- taking in ----------------------------------------------------------------


def receive(delivery: Delivery) -> Receipt:
    """Store a message and have it worked on; one that is known does nothing.

    Raises:
        PaymentError: ``idempotency_conflict``: its id came with another body.
    """
    digest = _digest(delivery.body)
    message = _store(delivery, digest)
    if message is not None:
        if message.status == S.RECEIVED:
            # After the commit, so that a worker that dies at once has left the row.
            nudges.nudge("process_inbox_message", message.pk)
            message.refresh_from_db()
        return Receipt(message=message, repeated=False)
    known = InboxMessage.objects.get(webhook_id=delivery.webhook_id)
    if not _is_of(known, digest):
        raise PaymentError(
            "idempotency_conflict",
            _("This webhook-id was used for another message."),
        )
    return Receipt(message=known, repeated=True)


def _digest(body: bytes) -> str:
    body = SecretBytes(body)
    message = SecretBytes(answers.canonical(body).encode())
    return Secret(hashlib.sha256(message).hexdigest())


def _is_of(message: InboxMessage, digest: str) -> bool:
    """Tell whether a stored message came with this body.

    Where its digest cannot be read any more, the id is believed: a repeat does nothing.
    """
    try:
        known = vault.open_sealed(message.body_digest_encrypted)
    except UndecryptableError:
        return True
    return hmac.compare_digest(known, digest)


def _store(delivery: Delivery, digest: str) -> InboxMessage | None:
    """Insert the row that only one delivery of a message can insert."""
    known = delivery.type in ShopEvent.values
    now = clock.now()
    message = InboxMessage(
        webhook_id=delivery.webhook_id,
        type=delivery.type,
        body_digest_encrypted=vault.seal(digest),
        site=delivery.site,
        reference=delivery.reference,
        status=S.RECEIVED if known else S.IGNORED,
        received_at=now,
        asked_at=now,
        next_attempt_at=now if known else None,
        finished_at=None if known else now,
        payload_encrypted=vault.seal(json.dumps(delivery.data)) if known else "",
    )
    _bind(message, delivery)
    try:
        with transaction.atomic(durable=True):
            message.save(force_insert=True)
            note(message.pk, InboxStep.RECEIVED if known else InboxStep.IGNORED)
    except IntegrityError:
        return None
    return message


def _bind(message: InboxMessage, delivery: Delivery) -> None:
    """Bind a message to the account of the shop that it is for.

    In a copy of the database with another key nobody acts on it. A site whose account
    is missing says so when the message is worked on.
    """
    named = delivery.data.get("site")
    site = selectors.site_named(named) if named else delivery.site
    try:
        message.bind_to(selectors.shop_for(site).account)
    except ImproperlyConfigured:
        return


def note(message_id: int, step: InboxStep, **values: Any) -> None:
    """Add a line to a message's timeline, within the caller's transaction."""
    InboxEvent.objects.create(message_id=message_id, step=step, **values)


# -- working ------------------------------------------------------------------


def process(message_id: int) -> bool:
    """Work on a message that is due; returns whether it was this worker's to do.

    Never raises for what the message asks for: that becomes its status.
    """
    claim = _claim(message_id)
    if claim is None:
        return False
    message = InboxMessage.objects.get(pk=message_id)
    try:
        data = json.loads(vault.open_sealed(message.payload_encrypted))
        inbox_work.carry_out(message, data, claim)
    except SmartGiftPluginError as error:
        _refused(message, claim, error.code, retry_after=error.retry_after)
    except UndecryptableError:
        _fail(message, claim, UNDECRYPTABLE)
    except journal.Stale:
        return True  # Whoever has taken it over does it.
    except Exception:
        # One message must not keep the sweep, or a shop's request, from the others.
        logger.exception("Message %s could not be worked on.", message)
        _refused(message, claim, FAULT)
    else:
        _finish(claim, InboxStep.PROCESSED, status=S.PROCESSED, payload_encrypted="")
    return True


def process_due(*, limit: int = 100) -> int:
    """Work on the messages that are due, in the order in which they came.

    None is begun after ``PASS_SECONDS``: redeems that nobody knows the outcome of wait
    behind them, and can be found out only while their holds last.
    """
    due = _due(clock.now()).order_by("received_at", "pk")
    began, done = time.monotonic(), 0
    for pk in list(due.values_list("pk", flat=True)[:limit]):
        done += process(pk)
        if time.monotonic() - began >= PASS_SECONDS:
            break
    return done


def count_foreign() -> int:
    """Count unfinished messages for another key or address than is configured now."""
    return InboxMessage.objects.filter(status__in=OPEN).exclude(ours()).count()


def _due(now: datetime) -> "QuerySet[InboxMessage]":
    """Select what is due: for one at work that is when its claim has run out."""
    return InboxMessage.objects.filter(
        ours(), status__in=OPEN, next_attempt_at__lte=now
    )


def ours() -> Q:
    """Select the messages for the keys and addresses that are configured now."""
    return InboxMessage.ours()


def _claim(message_id: int) -> Claim | None:
    worker = str(uuid.uuid4())
    now = clock.now()
    until = now + timedelta(seconds=answers.claim_seconds())
    with transaction.atomic(durable=True):
        taken = (
            _due(now)
            .filter(pk=message_id)
            .update(
                status=S.PROCESSING,
                claimed_by=worker,
                claimed_until=until,
                next_attempt_at=until,
                attempts=F("attempts") + 1,
            )
        )
        if not taken:
            return None
        # Read after the claim: whoever had it before may have begun its refund since.
        attempts, target = InboxMessage.objects.values_list(
            "attempts", "refund_target"
        ).get(pk=message_id)
        note(message_id, InboxStep.BEGUN, attempt=attempts)
    return Claim(message_id=message_id, worker=worker, refund_target=target)


def _refused(
    message: InboxMessage,
    claim: Claim,
    code: str,
    *,
    retry_after: float | None = None,
) -> None:
    """Try again later what may pass by itself; keep the rest for a person."""
    if code not in PASSING and code != FAULT:
        _fail(message, claim, code)
        return
    pause = min(FIRST_PAUSE * 2 ** min(message.attempts - 1, 10), LONGEST_PAUSE)
    again = clock.now() + timedelta(seconds=max(pause, retry_after or 0))
    if again > message.asked_at + timedelta(seconds=_patience(message, code)):
        _fail(message, claim, code)
        return
    _finish(
        claim,
        InboxStep.POSTPONED,
        code=code,
        status=S.RECEIVED,
        next_attempt_at=again,
        finished_at=None,
    )


def _patience(message: InboxMessage, code: str) -> float:
    if message.type == ShopEvent.ORDER_CONFIRMED:
        return PATIENCE_TO_CONFIRM
    return PATIENCE_FOR_CONFIRMATION if code == "not_confirmed" else PATIENCE


def _fail(message: InboxMessage, claim: Claim, code: str) -> None:
    if _finish(claim, InboxStep.FAILED, code=code, status=S.FAILED):
        logger.warning("Message %s failed: %s. It can be replayed.", message, code)
        erasures.empty_if_asked(message)


def _finish(claim: Claim, step: InboxStep, *, code: str = "", **changes: Any) -> bool:
    """End an attempt, unless somebody else has taken the message over meanwhile."""
    values = {"next_attempt_at": None, "finished_at": clock.now(), **changes}
    with transaction.atomic(durable=True):
        ended = claim.rows().update(
            code=code, claimed_by="", claimed_until=None, **values
        )
        if ended:
            note(claim.message_id, step, reason=code)
    return bool(ended)


# -- forgetting ---------------------------------------------------------------


def prune() -> int:
    """Forget messages that are done with, a batch at the most; returns how many were.

    One that gave money back is never forgotten, only emptied: its id is what keeps
    it from doing so again.
    """
    past_their_days().filter(refund_target__isnull=False).exclude(
        payload_encrypted=""
    ).update(payload_encrypted="")
    gone = past_their_days().filter(refund_target__isnull=True)
    batch = gone.order_by("finished_at").values_list("pk", flat=True)[:BATCH]
    ours = gone.filter(pk__in=list(batch))
    # Django deletes by keys what it has read before. So they are emptied first, the
    # conditions with it: one without content is never replayed.
    ours.update(payload_encrypted="")
    _all, deleted = ours.filter(payload_encrypted="").delete()
    return deleted.get(InboxMessage._meta.label, 0)


def past_their_days() -> "QuerySet[InboxMessage]":
    """Select the messages that are done with, or failed, and kept for long enough.

    A failed one says who bought something, so it is kept no longer than an order.
    """
    now = clock.now()
    personal = get_conf().keep_personal_data
    return InboxMessage.objects.filter(
        Q(status__in=(S.PROCESSED, S.IGNORED), finished_at__lte=now - KEEP)
        | Q(status=S.FAILED, finished_at__lte=now - min(KEEP_FAILED, personal))
    )
