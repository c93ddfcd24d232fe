"""What staff did at the voucher desk, and why."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import DeskVerb


class DeskAction(models.Model):
    """One form that a member of staff sent, done once however often it is sent.

    The form brings the id along: it is what a double click, or a second try after a
    crash, is known by.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(
        "wagtail_smartgift.PaymentSession",
        verbose_name=_("payment"),
        on_delete=models.PROTECT,
        related_name="desk_actions",
    )
    verb = models.CharField(
        _("what"), max_length=16, choices=DeskVerb.choices, editable=False
    )
    #: What was asked for; null: all, or not an amount.
    amount = models.DecimalField(
        _("amount"), max_digits=10, decimal_places=2, null=True, editable=False
    )
    reason = models.TextField(_("reason"), editable=False)
    actor = models.CharField(_("by"), max_length=150, editable=False)
    created_at = models.DateTimeField(
        _("at"), default=timezone.now, editable=False, db_index=True
    )
    #: For a refund that has begun: what all refunds come to once it is done.
    refund_target = models.DecimalField(
        max_digits=10, decimal_places=2, null=True, editable=False
    )
    #: ``done``, ``pending`` or a documented code; empty while nobody knows.
    outcome = models.CharField(max_length=32, blank=True, editable=False)

    class Meta:
        verbose_name = _("desk action")
        verbose_name_plural = _("desk actions")
        default_permissions = ()
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.get_verb_display()} ({self.actor})"
