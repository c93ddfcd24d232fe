"""One worker at a time on one session.

A claim keeps two workers from doing the same work; it is not what keeps money
safe (that is the conditional UPDATE of each step and the constraints), so a claim
that ran out because its worker died costs time, never money.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import PaymentSession


#: Seconds beyond one call's deadline after which its worker is taken for dead.
MARGIN = 15
#: Seconds for which a claim is as good as just prolonged; far less than the margin.
_FRESH = 1.0
#: Seconds between two attempts to get a claim that somebody else has.
_PAUSE = 0.05


class Claimed(Exception):
    """Another worker is on it."""


def claim_seconds() -> float:
    """Return how long a claim runs: one call's deadline and a margin."""
    return get_conf().timeout + MARGIN


@dataclass
class Claim:
    """This worker's right to work on a session."""

    session_id: uuid.UUID
    worker: str
    #: When it was last taken or prolonged.
    renewed_at: datetime | None = None

    def renew(self) -> None:
        """Prolong before a step, and see that nobody else has taken over.

        Raises:
            Claimed: it ran out and somebody else took over.
        """
        now = timezone.now()
        renewed = PaymentSession.objects.filter(
            pk=self.session_id, claimed_by=self.worker
        ).update(claimed_until=now + timedelta(seconds=claim_seconds()))
        if not renewed:
            raise Claimed
        # Within a step that is rolled back it was not prolonged.
        transaction.on_commit(partial(setattr, self, "renewed_at", now))

    def keep(self) -> None:
        """Prolong before a remote call, so that the claim outlives it.

        One that was prolonged a moment ago still does, and nobody can have taken it.

        Raises:
            Claimed: it ran out and somebody else took over.
        """
        age = (
            None
            if self.renewed_at is None
            else (timezone.now() - self.renewed_at).total_seconds()
        )
        if age is None or not 0 <= age < _FRESH:
            self.renew()

    def give_back(self) -> None:
        PaymentSession.objects.filter(
            pk=self.session_id, claimed_by=self.worker
        ).update(claimed_by="", claimed_until=None)


@contextmanager
def claimed(session_id: uuid.UUID, *, wait: float = 0) -> Iterator[Claim]:
    """Work on a session alone; wait up to ``wait`` seconds for whoever is on it.

    Raises:
        Claimed: somebody else still is.
    """
    claim = Claim(session_id=session_id, worker=str(uuid.uuid4()))
    give_up = time.monotonic() + wait
    while not _take(claim):
        if time.monotonic() >= give_up:
            raise Claimed
        time.sleep(_PAUSE)
    try:
        yield claim
    finally:
        claim.give_back()


def _take(claim: Claim) -> bool:
    now = timezone.now()
    taken = PaymentSession.objects.filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lt=now),
        pk=claim.session_id,
    ).update(
        claimed_by=claim.worker,
        claimed_until=now + timedelta(seconds=claim_seconds()),
    )
    if taken:
        claim.renewed_at = now
    return bool(taken)
