"""What happened and has to be told, written in the transaction in which it did."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.models.base import AccountBound


class OutboxEvent(AccountBound):
    """An event on its way to the host's signal receivers and webhook endpoints.

    Bound to the account that it is about, so that a copy of the production database
    tells nobody anything.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    type = models.CharField(_("event"), max_length=64, editable=False)
    session = models.ForeignKey(
        "wagtail_smartgift.PaymentSession",
        null=True,
        on_delete=models.CASCADE,
        related_name="outbox",
    )
    order = models.ForeignKey(
        "wagtail_smartgift.VoucherOrder",
        null=True,
        on_delete=models.CASCADE,
        related_name="outbox",
    )
    redemption = models.ForeignKey(
        "wagtail_smartgift.Redemption",
        null=True,
        on_delete=models.CASCADE,
        related_name="outbox",
    )
    #: What happened to a catalogue; sessions and orders say so themselves.
    details = models.JSONField(default=dict, editable=False)
    #: What webhooks say, written once: a message is the same each time that it is sent.
    #: It may hold voucher numbers.
    message_encrypted = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(
        _("at"), default=timezone.now, editable=False, db_index=True
    )
    dispatched_at = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    next_attempt_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["created_at"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(dispatched_at__isnull=True),
                name="smartgift_outbox_due",
            ),
        ]

    def __str__(self) -> str:
        return self.type
