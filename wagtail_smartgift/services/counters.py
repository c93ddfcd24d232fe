"""Counting within a window of time, for all processes together.

A window begins with the first thing that it counts. So as many again may be counted
right after it ends: a limit holds for the window, and on average for any time.

Who is counted is known by a keyed digest. Those of a kind share a fixed number of
rows, so that nobody can fill the table by coming from ever new addresses.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import GuessCounter


#: Hexadecimal digits that tell those of a kind apart: 65,536 rows at the most.
_BUCKET = 4
#: Attempts to count before another process's progress is taken for a full counter.
_TRIES = 5


class Full(Exception):
    """As much as is allowed has been counted; ``retry_after`` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__()


@dataclass(frozen=True)
class Counter:
    """What is counted: a kind of thing, of somebody, in a window of seconds."""

    kind: str
    seconds: int
    who: str = ""

    @property
    def key(self) -> str:
        if not self.who:
            return self.kind
        digest = hmac.new(
            get_conf().fingerprint_key, self.who.encode(), hashlib.sha256
        ).hexdigest()
        return f"{self.kind}:{digest[:_BUCKET]}"


@dataclass(frozen=True)
class Counted:
    """One thing that was counted, to be taken back."""

    key: str
    ends_at: datetime

    def take_back(self) -> None:
        """Uncount it, if its window is still running."""
        GuessCounter.objects.filter(
            key=self.key, ends_at=self.ends_at, count__gt=0
        ).update(count=F("count") - 1)


def count(counter: Counter, *, limit: int | None = None) -> Counted:
    """Count one more.

    Raises:
        Full: ``limit`` is reached, and nothing was counted.
    """
    for _attempt in range(_TRIES):
        now = timezone.now()
        row = GuessCounter.objects.filter(key=counter.key).first()
        if row is None or row.ends_at <= now:
            counted = _begin(counter, row, now)
        elif limit is not None and row.count >= limit:
            raise Full((row.ends_at - now).total_seconds())
        else:
            counted = _add(row, limit)
        if counted is not None:
            return counted
    raise Full(1)


def _begin(
    counter: Counter, over: GuessCounter | None, now: datetime
) -> Counted | None:
    """Begin a window, unless somebody else does at this moment."""
    ends_at = now + timedelta(seconds=counter.seconds)
    if over is not None:
        begun = GuessCounter.objects.filter(pk=over.pk, ends_at=over.ends_at).update(
            count=1, ends_at=ends_at
        )
        return Counted(counter.key, ends_at) if begun else None
    try:
        with transaction.atomic():
            GuessCounter.objects.create(key=counter.key, count=1, ends_at=ends_at)
    except IntegrityError:
        return None
    return Counted(counter.key, ends_at)


def _add(row: GuessCounter, limit: int | None) -> Counted | None:
    same = GuessCounter.objects.filter(pk=row.pk, ends_at=row.ends_at)
    if limit is not None:
        same = same.filter(count__lt=limit)
    if not same.update(count=F("count") + 1):
        return None
    return Counted(row.key, row.ends_at)


def check(counter: Counter, *, limit: int) -> None:
    """Look whether one more could be counted.

    Raises:
        Full: ``limit`` is reached.
    """
    now = timezone.now()
    row = GuessCounter.objects.filter(key=counter.key, ends_at__gt=now).first()
    if row is not None and row.count >= limit:
        raise Full((row.ends_at - now).total_seconds())


def prune() -> int:
    """Delete windows that are over; returns how many were."""
    return GuessCounter.objects.filter(ends_at__lte=timezone.now()).delete()[0]
