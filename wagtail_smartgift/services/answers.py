"""Once for each Idempotency-Key: claims on keys, and the answers kept under them.

A request claims its key by inserting a row that only one can insert, and leaves its
final answer there for a day. An answer that is not final frees the key, so that the
caller may simply ask again; a claim whose request died runs out by itself.

A crash between doing and answering is harmless wherever what was asked for has a
natural key (a reference, a voucher in a session): doing it again finds it done. A
refund of an amount has none, so its row keeps what was undertaken: ``Claim.note_refund``
writes it in the transaction that begins the refund, and ``payments.refund`` begins
no other for a claim that has it.
"""

import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from wagtail_smartgift import clock
from wagtail_smartgift.codes import UndecryptableError
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.models import StoredAnswer
from wagtail_smartgift.redaction import Secret, SecretBytes
from wagtail_smartgift.services import journal, vault
from wagtail_smartgift.services.timebox import REQUEST_SECONDS


#: Printable ASCII, and not blanks alone.
KEY = re.compile(r"(?=.*\S)[\x20-\x7e]{1,64}")
#: Seconds that an answer, or what was undertaken, is remembered.
LIFETIME = 24 * 3600
#: Seconds beyond the longest request after which its worker is taken for dead.
MARGIN = 20
#: Answers that one pass forgets, at most.
BATCH = 500
#: Statuses that say nothing final: a repeat is worked on anew.
NOT_FINAL = frozenset({202, 401, 409, 429})


@dataclass(frozen=True)
class Answer:
    """What a request was answered, as it goes over the wire."""

    status: int
    content_type: str
    #: May hold a client secret or a voucher number.
    body: str = field(repr=False)
    language: str

    @property
    def is_final(self) -> bool:
        return self.status not in NOT_FINAL and self.status < 500


@dataclass(frozen=True)
class Claim:
    """The right to work on a key."""

    row: int
    worker: str
    #: Set when an earlier request with this key has begun a refund.
    refund_target: Decimal | None = None

    def note_refund(self, target: Decimal) -> None:
        """Remember, in the transaction that begins a refund, that this key began it.

        Raises:
            Stale: another request with this key has taken over, and begins it itself.
        """
        if not _mine(self).update(refund_target=target):
            raise journal.Stale


def claim_seconds() -> float:
    """Return how long a claim runs: the longest request and a margin."""
    return REQUEST_SECONDS + get_conf().timeout + MARGIN


def claim(
    *, caller: str, path: str, key: str, body: bytes, query: str = ""
) -> Claim | Answer:
    """Claim ``key`` for a request, or return what it was answered before.

    ``caller`` is the credential itself: it tells one from another, and its digests are
    keyed with it, so they outlive every change of the keys in the settings. A ``query``
    is as much part of what was asked for as the body.

    Raises:
        PaymentError: ``malformed`` (no key can look like this), ``in_progress``
            (the same request is being worked on), ``idempotency_conflict`` (the key
            came with another body).
    """
    if not KEY.fullmatch(key):
        raise PaymentError("malformed")
    caller, body = Secret(caller), SecretBytes(body)
    digest = _digest(caller, "key", path, key)
    body_digest = _digest(caller, "body", canonical(body), query)
    now = clock.now()
    StoredAnswer.objects.filter(key_digest=digest, expires_at__lte=now).delete()
    new = _insert(digest, body_digest)
    if new is not None:
        return new
    row = StoredAnswer.objects.filter(key_digest=digest).first()
    if row is None:
        # Whoever had it freed it this moment.
        raise PaymentError("in_progress", retry_after=1)
    if row.body_digest != body_digest:
        raise PaymentError("idempotency_conflict")
    if row.answer_encrypted:
        answer = _open(row)
        if answer is not None:
            return answer
    return _take_over(row)


def canonical(body: bytes) -> str:
    """Return a JSON body with its members in order; what is no JSON as it is."""
    body = SecretBytes(body)
    try:
        return Secret(
            json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))
        )
    except (ValueError, RecursionError):
        return Secret(body.decode("latin-1"))


def _digest(caller: str, *parts: str) -> str:
    # Keyed, since a voucher number in a body must not be found by trying them all. A
    # digest that changed with a setting would let a repeat be done a second time.
    message = SecretBytes("\0".join(parts).encode())
    return hmac.new(caller.encode(), message, hashlib.sha256).hexdigest()


def _insert(digest: str, body_digest: str) -> Claim | None:
    worker = str(uuid.uuid4())
    now = clock.now()
    try:
        with transaction.atomic():
            row = StoredAnswer.objects.create(
                key_digest=digest,
                body_digest=body_digest,
                claimed_by=worker,
                claimed_until=now + timedelta(seconds=claim_seconds()),
                expires_at=now + timedelta(seconds=LIFETIME),
            )
    except IntegrityError:
        return None
    return Claim(row=row.pk, worker=worker)


def _open(row: StoredAnswer) -> Answer | None:
    """Read an answer; none where its encryption key is gone, to be worked out anew."""
    try:
        return Answer(**json.loads(vault.open_sealed(row.answer_encrypted)))
    except UndecryptableError:
        return None


def _take_over(row: StoredAnswer) -> Claim:
    """Claim a row that nobody works on (any more).

    Raises:
        PaymentError: ``in_progress``.
    """
    worker = str(uuid.uuid4())
    now = clock.now()
    taken = StoredAnswer.objects.filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lte=now),
        pk=row.pk,
        answer_encrypted=row.answer_encrypted,
    ).update(
        claimed_by=worker,
        claimed_until=now + timedelta(seconds=claim_seconds()),
        answer_encrypted="",
    )
    if not taken:
        raise PaymentError("in_progress", retry_after=1)
    # Read after the claim: whoever had it before may have begun its refund since.
    row.refresh_from_db(fields=["refund_target"])
    return Claim(row=row.pk, worker=worker, refund_target=row.refund_target)


def settle(claim: Claim, answer: Answer) -> None:
    """Keep a final answer for repeats; free the key after any other."""
    if not answer.is_final:
        free(claim)
        return
    _mine(claim).update(
        answer_encrypted=vault.seal(json.dumps(vars(answer))),
        claimed_by="",
        claimed_until=None,
    )


def free(claim: Claim) -> None:
    """Let the key be used again; what it has begun to refund stays known."""
    _mine(claim).filter(refund_target__isnull=True).delete()
    _mine(claim).update(claimed_by="", claimed_until=None)


def _mine(claim: Claim) -> "QuerySet[StoredAnswer]":
    return StoredAnswer.objects.filter(pk=claim.row, claimed_by=claim.worker)


def past_their_day() -> "QuerySet[StoredAnswer]":
    return StoredAnswer.objects.filter(expires_at__lte=clock.now())


def prune() -> int:
    """Forget what is past its day, a batch at the most; returns how many keys were."""
    over = past_their_day()
    batch = over.order_by("expires_at").values_list("pk", flat=True)[:BATCH]
    return over.filter(pk__in=list(batch)).delete()[0]
