"""Events on their way out of the house: webhooks to endpoints, and mail to staff.

Endpoints are in the settings; a row knows one by a digest of its address, which may
hold a password, and by the part of it that may be shown.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import (
    DeliveryOperation,
    DeliveryProblem,
    DeliveryStatus,
    Outcome,
)
from wagtail_smartgift.models.base import Claimable, JournalEvent


class WebhookDelivery(Claimable):
    """One event to one endpoint, until it is delivered or given up."""

    event = models.ForeignKey(
        "wagtail_smartgift.OutboxEvent",
        verbose_name=_("event"),
        on_delete=models.CASCADE,
        related_name="deliveries",
    )
    endpoint_digest = models.CharField(max_length=64, editable=False)
    endpoint = models.CharField(_("endpoint"), max_length=255, editable=False)
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=DeliveryStatus.choices,
        default=DeliveryStatus.PENDING,
        editable=False,
    )
    created_at = models.DateTimeField(
        _("created at"), default=timezone.now, editable=False
    )
    #: When this round of attempts began: with the event, or when somebody asked again.
    began_at = models.DateTimeField(default=timezone.now, editable=False)
    #: Attempts of this round.
    tries = models.PositiveIntegerField(default=0, editable=False)
    #: Attempts of all rounds.
    attempts = models.PositiveIntegerField(_("attempts"), default=0, editable=False)
    next_attempt_at = models.DateTimeField(
        _("next attempt"), default=timezone.now, editable=False
    )
    #: When it was delivered or given up.
    settled_at = models.DateTimeField(_("settled at"), null=True, editable=False)
    #: The last answer, if there was one.
    http_status = models.PositiveSmallIntegerField(
        _("answer"), null=True, editable=False
    )
    problem = models.CharField(
        _("problem"),
        max_length=16,
        choices=DeliveryProblem.choices,
        blank=True,
        editable=False,
    )

    class Meta:
        verbose_name = _("webhook delivery")
        verbose_name_plural = _("webhook deliveries")
        ordering = ["-id"]
        permissions = [("replay_webhookdelivery", "Can send webhooks again")]
        constraints = [
            models.UniqueConstraint(
                fields=["event", "endpoint_digest"], name="smartgift_delivery_once"
            ),
            models.CheckConstraint(
                condition=Q(status=DeliveryStatus.PENDING)
                | Q(settled_at__isnull=False),
                name="smartgift_delivery_settled",
            ),
        ]
        indexes = [
            models.Index(
                fields=["endpoint_digest", "next_attempt_at"],
                condition=Q(status=DeliveryStatus.PENDING),
                name="smartgift_delivery_due",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event.type} → {self.endpoint}"


class WebhookAttempt(JournalEvent):
    """One line of a delivery's log: an attempt and what came of it, or who asked."""

    delivery = models.ForeignKey(
        WebhookDelivery, on_delete=models.CASCADE, related_name="log"
    )
    operation = models.CharField(
        max_length=16, choices=DeliveryOperation.choices, editable=False
    )
    outcome = models.CharField(max_length=16, choices=Outcome.choices, editable=False)
    http_status = models.PositiveSmallIntegerField(null=True, editable=False)
    milliseconds = models.PositiveIntegerField(null=True, editable=False)

    class Meta:
        ordering = ["id"]
        verbose_name = _("webhook attempt")
        verbose_name_plural = _("webhook attempts")

    def __str__(self) -> str:
        return f"{self.get_operation_display()}: {self.get_outcome_display()}"


class StaffNotice(Claimable):
    """An event that staff are to be told of by mail."""

    event = models.OneToOneField(
        "wagtail_smartgift.OutboxEvent",
        on_delete=models.CASCADE,
        related_name="staff_notice",
    )
    told_at = models.DateTimeField(null=True, editable=False, db_index=True)

    class Meta:
        verbose_name = _("notice to staff")
        verbose_name_plural = _("notices to staff")
        indexes = [
            models.Index(
                fields=["claimed_until"],
                condition=Q(told_at__isnull=True),
                name="smartgift_notice_due",
            ),
        ]

    def __str__(self) -> str:
        return self.event.type
