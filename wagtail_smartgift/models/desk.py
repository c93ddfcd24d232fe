"""What staff did at the voucher desk, and why; and what they looked up there."""

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
    #: ``{"bit_value": …, "name": …}`` of what was chosen of an experience voucher.
    experiences = models.JSONField(_("experiences"), default=list, editable=False)
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


class DeskLookUp(models.Model):
    """Who looked which number up at the voucher desk, and when.

    The number is kept encrypted beside its fingerprint, so that both outlast a change of
    keys. Most are of vouchers that this shop has not dealt with; the row goes when its
    days are over (``smartgift_prune``). What the look-up told is not kept.
    """

    #: The alias of the account that was asked.
    account = models.CharField(_("account"), max_length=64, editable=False)
    number_encrypted = models.TextField(editable=False)
    #: Empty where it was stored under another key than that of the stored vouchers.
    fingerprint = models.CharField(
        max_length=64, blank=True, editable=False, db_index=True
    )
    #: While ``FINGERPRINT_KEY`` is being changed: what the new key makes of the number.
    fingerprint_next = models.CharField(max_length=64, blank=True, editable=False)
    display_code = models.CharField(_("voucher"), max_length=8, editable=False)
    actor = models.CharField(_("by"), max_length=150, editable=False)
    created_at = models.DateTimeField(
        _("at"), default=timezone.now, editable=False, db_index=True
    )
    #: ``told``, or a journal's word for why Smart Gift told nothing; empty: not known.
    outcome = models.CharField(max_length=32, blank=True, editable=False)

    class Meta:
        verbose_name = _("look-up")
        verbose_name_plural = _("look-ups")
        default_permissions = ()
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.display_code} ({self.actor})"
