"""Who exported or erased what is known of a customer, and when."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import PrivacyOperation
from wagtail_smartgift.models.base import JournalEvent


class PrivacyEvent(JournalEvent):
    """One export or erasure. It says nothing about the person but a keyed fingerprint.

    So whoever knows the address can be told when it was asked for, and nobody else
    learns whose it was.
    """

    operation = models.CharField(
        max_length=16, choices=PrivacyOperation.choices, editable=False
    )
    #: With ``FINGERPRINT_KEY``. A change of that key leaves it: nobody knows the address.
    email_fingerprint = models.CharField(max_length=64, db_index=True, editable=False)
    #: What was found: voucher orders, payments, messages of the shop.
    orders = models.PositiveIntegerField(default=0, editable=False)
    payments = models.PositiveIntegerField(default=0, editable=False)
    messages = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        default_permissions = ()
        ordering = ["-pk"]
        verbose_name = _("request about personal data")
        verbose_name_plural = _("requests about personal data")

    def __str__(self) -> str:
        return f"{self.get_operation_display()} {self.email_fingerprint[:8]}"
