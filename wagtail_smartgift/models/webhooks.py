"""Webhooks: what a shop told us, stored before anything is done about it."""

from collections.abc import Iterable

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import InboxStatus, InboxStep
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models.base import AccountBound, Claimable, JournalEvent


#: The longest word for a type of event that is stored.
LONGEST_TYPE = 128


class InboxMessage(AccountBound, Claimable):
    """One message of the shop, known by its ``webhook-id``.

    The unique id is the lock: a message that is delivered again finds its row and
    does nothing. Whoever works on it has claimed it by a conditional UPDATE.
    """

    webhook_id = models.CharField(
        _("message id"), max_length=64, unique=True, editable=False
    )
    type = models.CharField(_("event"), max_length=LONGEST_TYPE, editable=False)
    #: Of the body, in a form in which the order of its members does not matter: tells a
    #: repeat from another message. Sealed, since a body may hold what can be found by
    #: trying, and since no change of keys may make a repeat look like another message.
    #: Empty where nobody knows: before there was such a column.
    body_digest_encrypted = models.TextField(blank=True, editable=False)
    #: What has to be done; it may hold personal data. Empty once it is done, and for
    #: what is ignored.
    payload_encrypted = models.TextField(blank=True, editable=False)
    #: The shop's word for the order, for staff to find it by; empty where there is none.
    reference = models.CharField(
        _("reference"), max_length=64, blank=True, db_index=True, editable=False
    )
    #: Of the address that it came to: whose vouchers an order sells.
    site = models.ForeignKey(
        "wagtailcore.Site",
        verbose_name=_("site"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
    )
    status = models.CharField(
        _("status"), max_length=16, choices=InboxStatus.choices, editable=False
    )
    #: Why the last attempt did not do it; one of the documented codes.
    code = models.CharField(_("reason"), max_length=64, blank=True, editable=False)
    received_at = models.DateTimeField(
        _("received at"), default=timezone.now, editable=False
    )
    #: When it came in, or was last replayed: how long it is retried counts from here.
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    attempts = models.PositiveIntegerField(_("attempts"), default=0, editable=False)
    #: When to try (again); null when nothing is to be done.
    next_attempt_at = models.DateTimeField(
        _("next attempt at"), null=True, blank=True, editable=False
    )
    finished_at = models.DateTimeField(
        _("finished at"), null=True, blank=True, editable=False
    )
    #: Set with the refund that it began: what all refunds of the payment come to once
    #: it is done. It begins no other, however often it is replayed.
    refund_target = models.DecimalField(
        max_digits=10, decimal_places=2, null=True, blank=True, editable=False
    )

    class Meta:
        verbose_name = _("message of the shop")
        verbose_name_plural = _("messages of the shop")
        ordering = ["-received_at", "-pk"]
        default_permissions = ("view",)
        permissions = [
            ("replay_inboxmessage", "Can replay failed messages of the shop")
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="smartgift_inbox_due",
            ),
            models.Index(
                fields=["status", "-received_at"], name="smartgift_inbox_list"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.webhook_id}"

    @staticmethod
    def bound_to(accounts: Iterable[Account], *, prefix: str = "") -> models.Q:
        """Select the messages of these accounts, and those that came to no account.

        A site whose account is not configured says so when the message is worked on.
        """
        nobodys = models.Q(**{f"{prefix}account": ""})
        return nobodys | AccountBound.bound_to(accounts, prefix=prefix)


class InboxEvent(JournalEvent):
    """A line of a message's timeline; it goes with its message."""

    message = models.ForeignKey(
        InboxMessage, on_delete=models.CASCADE, related_name="events"
    )
    step = models.CharField(max_length=16, choices=InboxStep.choices, editable=False)

    class Meta:
        default_permissions = ()
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.step} {self.created_at:%Y-%m-%d %H:%M:%S}"
