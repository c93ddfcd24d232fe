"""Readings of a catalogue that somebody asked for at the desk, and what came of them.

What a sync writes down for everybody (when it was last read, why it failed) is in
``CatalogueSync``; here is who asked, how far it is, and what was found to be new.
"""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import SyncStatus


#: Asked for and not over yet: there is one of these to an account at most.
OPEN_SYNC_STATUSES = (SyncStatus.QUEUED, SyncStatus.RUNNING)


class SyncRun(models.Model):
    """One reading of an account's catalogue, from when it is asked for until it ends."""

    account = models.CharField(_("account"), max_length=64, editable=False)
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=SyncStatus.choices,
        default=SyncStatus.QUEUED,
        editable=False,
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    #: Who asked; stays when the user is gone.
    actor = models.CharField(_("asked by"), max_length=150, blank=True, editable=False)
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now, editable=False)
    began_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)
    #: When the sweep takes it on: nobody has begun it, or whoever did is dead. Null
    #: when it is over.
    due_at = models.DateTimeField(null=True, editable=False)
    claimed_by = models.CharField(max_length=36, blank=True, editable=False)
    #: Products written so far, of those that are new or different.
    written = models.PositiveIntegerField(default=0, editable=False)
    to_write = models.PositiveIntegerField(default=0, editable=False)
    #: What it came to, in products.
    added = models.PositiveIntegerField(_("new"), default=0, editable=False)
    changed = models.PositiveIntegerField(_("changed"), default=0, editable=False)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0, editable=False)
    gone = models.PositiveIntegerField(_("gone"), default=0, editable=False)
    returned = models.PositiveIntegerField(_("back"), default=0, editable=False)
    #: Why the catalogue was left as it is: a word of ``services.sync_failures``.
    failure = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        verbose_name = _("sync")
        verbose_name_plural = _("syncs")
        default_permissions = ()
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account"],
                condition=models.Q(status__in=OPEN_SYNC_STATUSES),
                name="smartgift_sync_run_one_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(due_at__isnull=False),
                name="smartgift_sync_run_due",
            ),
        ]

    def __str__(self) -> str:
        return self.account

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_SYNC_STATUSES
