"""The quota of one API key, shared by every process and thread, as one row."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class CallBudget(models.Model):
    """What is known of one key's window at Smart Gift, and whether it answers.

    Written by ``wagtail_smartgift.budget`` alone, by conditional UPDATEs: the row is
    never locked, so that it works alike on SQLite. The columns from ``limit`` to
    ``early`` are those of ``budget.window.Window``, which explains them. Times are
    seconds since 1970 on the database's clock. The row may be deleted at any time:
    the next answers teach a new one what it has to know.
    """

    #: Digest of the key and the base URL; sites that share a key share a row.
    key = models.CharField(max_length=64, unique=True, editable=False)
    limit = models.PositiveIntegerField(_("calls in a window"), editable=False)
    span = models.FloatField(_("seconds in a window"), default=60.0, editable=False)
    epoch = models.PositiveIntegerField(default=0, editable=False)
    confirmed = models.BooleanField(default=False, editable=False)
    since = models.FloatField(default=0.0, editable=False)
    began = models.FloatField(default=0.0, editable=False)
    ends_at = models.FloatField(default=0.0, editable=False)
    blocked_until = models.FloatField(default=0.0, editable=False)
    used = models.PositiveIntegerField(default=0, editable=False)
    lane_0 = models.PositiveIntegerField(default=0, editable=False)
    lane_1 = models.PositiveIntegerField(default=0, editable=False)
    lane_2 = models.PositiveIntegerField(default=0, editable=False)
    lane_3 = models.PositiveIntegerField(default=0, editable=False)
    seen = models.PositiveIntegerField(default=0, editable=False)
    seen_at = models.FloatField(default=0.0, editable=False)
    seen_before = models.PositiveIntegerField(default=0, editable=False)
    usual_0 = models.FloatField(default=0.0, editable=False)
    usual_1 = models.FloatField(default=0.0, editable=False)
    usual_2 = models.FloatField(default=0.0, editable=False)
    usual_foreign = models.FloatField(default=0.0, editable=False)
    early = models.FloatField(default=0.0, editable=False)

    #: Calls in a row that got no answer, or a 5xx; ``budget.breaker`` says which count.
    failures = models.PositiveIntegerField(default=0, editable=False)
    #: Marks of those who got a 5xx, a few hexadecimal digits each.
    askers = models.CharField(max_length=64, blank=True, editable=False)
    #: When the last of them failed, or the last attempt since was let through.
    probed_at = models.FloatField(default=0.0, editable=False)

    class Meta:
        verbose_name = _("call budget")
        verbose_name_plural = _("call budgets")

    def __str__(self) -> str:
        return f"{self.used} of {self.limit}"
