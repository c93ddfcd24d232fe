"""How often something happened lately, shared by every process."""

from django.db import models


class GuessCounter(models.Model):
    """A count within a window of time, written by conditional UPDATEs.

    It is in the database and not in a cache because a cache may be one process's
    own, and because most caches cannot count and compare in one step.
    """

    #: Keyed digest of what is counted: no address of a visitor is kept.
    key = models.CharField(max_length=64, unique=True, editable=False)
    count = models.PositiveIntegerField(default=0, editable=False)
    ends_at = models.DateTimeField(db_index=True, editable=False)

    def __str__(self) -> str:
        return f"{self.count} until {self.ends_at:%H:%M:%S}"
