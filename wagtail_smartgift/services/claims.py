"""One worker at a time on one session.

A claim keeps two workers from doing the same work. A step that moves money is taken
under it: the same UPDATE that prolongs the claim also sees that the payment is still
in a status in which that step is due, so that what another worker has decided about the
payment meanwhile is never built upon by one that slept. What becomes of a row is decided
by the conditional UPDATE of each step and the constraints all the same; a claim that ran
out because its worker died costs time, never money.

Claims run by the database's clock: a host whose own is ahead takes nothing over early.
"""

import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q, QuerySet

from wagtail_smartgift import clock
from wagtail_smartgift.choices import SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import PaymentSession


#: Seconds beyond one call's deadline after which its worker is taken for dead.
MARGIN = 15
#: Seconds after the claim was prolonged in which a call may still leave. With its own
#: deadline it is over before the claim is.
LEAVE_WITHIN = 10.0
#: Seconds for which a claim is as good as just prolonged; far less than the margin.
_FRESH = 1.0
#: Seconds between two attempts to get a claim that somebody else has.
_PAUSE = 0.05


class Claimed(Exception):
    """Another worker is on it."""


def claim_seconds() -> float:
    """Return how long a claim runs: one call's deadline and a margin."""
    return get_conf().timeout + MARGIN


@dataclass(frozen=True)
class Moment:
    """When a claim was prolonged; read before that, so that it is rather too early."""

    #: By the database's clock.
    at: datetime
    #: By this host's: its clock may be set, and a suspended host does not count at all.
    wall: float
    monotonic: float

    @classmethod
    def now(cls) -> "Moment":
        return cls(wall=time.time(), monotonic=time.monotonic(), at=clock.now())

    @property
    def claimed_until(self) -> datetime:
        return self.at + timedelta(seconds=claim_seconds())

    def is_fresh(self) -> bool:
        ages = time.monotonic() - self.monotonic, time.time() - self.wall
        return all(0 <= age < _FRESH for age in ages)


@dataclass
class Claim:
    """This worker's right to work on a session."""

    session_id: uuid.UUID
    worker: str
    #: When it was last taken or prolonged.
    renewed: Moment | None = None

    def renew(self, *, expected: Collection[SessionStatus] | None = None) -> None:
        """Prolong before a step, and see that nobody else has taken over.

        With ``expected`` the session must also be in one of those statuses. Within a
        step's transaction this is its first write, so that both stay true until the
        commit.

        Raises:
            Claimed: it ran out and somebody else took over, or has moved the session on.
        """
        mine = PaymentSession.objects.filter(pk=self.session_id, claimed_by=self.worker)
        if expected is not None:
            mine = mine.filter(status__in=expected)
        moment = Moment.now()
        if not mine.update(claimed_until=moment.claimed_until):
            raise Claimed
        # Within a step that is rolled back it was not prolonged.
        transaction.on_commit(partial(setattr, self, "renewed", moment))

    def keep(self) -> None:
        """Prolong before a remote call, so that the claim outlives it.

        One that was prolonged a moment ago still does, and nobody can have taken it.

        Raises:
            Claimed: it ran out and somebody else took over.
        """
        if self.renewed is None or not self.renewed.is_fresh():
            self.renew()

    def leave_until(self) -> float:
        """Return until when (``time.monotonic``) a call may leave under this claim."""
        if self.renewed is None:
            return 0.0
        return self.renewed.monotonic + LEAVE_WITHIN

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
        _await_its_end(claim, give_up)
    try:
        yield claim
    finally:
        claim.give_back()


def _await_its_end(claim: Claim, give_up: float) -> None:
    """Wait until somebody else's claim is over, by looking alone.

    Raises:
        Claimed: it is not, when the time to wait is.
    """
    while True:
        if time.monotonic() >= give_up:
            raise Claimed
        time.sleep(_PAUSE)
        if _free(claim, clock.now()).exists():
            return


def _free(claim: Claim, now: datetime) -> "QuerySet[PaymentSession]":
    """Select the session, if nobody has a claim on it."""
    return PaymentSession.objects.filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lt=now), pk=claim.session_id
    )


def _take(claim: Claim) -> bool:
    moment = Moment.now()
    taken = _free(claim, moment.at).update(
        claimed_by=claim.worker, claimed_until=moment.claimed_until
    )
    if taken:
        claim.renewed = moment
    return bool(taken)
