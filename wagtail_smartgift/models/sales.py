"""Selling vouchers: orders placed with Smart Gift, their items and journal."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import OrderStatus, Outcome
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models.base import (
    AccountBound,
    Claimable,
    Forgettable,
    JournalEvent,
    Swept,
    Timestamped,
    erase_asked_index,
    kept_index,
)


def shop_currency() -> str:
    """Return the currency that vouchers are sold in now."""
    return get_conf().currency


class VoucherOrder(AccountBound, Claimable, Forgettable, Swept, Timestamped):
    """One sale of vouchers, placed with Smart Gift at most once.

    ``reference`` is the shop's; Smart Gift gets it behind the shop's prefix.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(_("reference"), max_length=64, unique=True)
    remote_reference = models.CharField(max_length=128, unique=True, editable=False)
    site = models.ForeignKey(
        "wagtailcore.Site",
        verbose_name=_("site"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    smartgift_site_id = models.CharField(max_length=64, blank=True, editable=False)
    #: Of its prices, whatever CURRENCY says later.
    currency = models.CharField(
        _("currency"), max_length=3, default=shop_currency, editable=False
    )
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=OrderStatus.choices,
        default=OrderStatus.QUEUED,
    )
    #: Digest of what was ordered, to tell a repeat from another order.
    content_digest = models.CharField(max_length=64, editable=False)
    customer = models.JSONField(_("customer"), default=dict)
    #: Of the customer's e-mail address, by which their orders are found.
    email_digest = models.CharField(
        max_length=64, blank=True, db_index=True, editable=False
    )
    delivery = models.JSONField(_("delivery"), default=dict)
    #: Null until Smart Gift's list was read, where the shop names none.
    payment_method = models.IntegerField(_("payment method"), null=True, blank=True)
    #: Smart Gift's number for it, which may differ from the reference.
    order_id = models.CharField(_("Smart Gift order"), max_length=128, blank=True)
    #: Whether the vouchers were asked for under numbers of our own.
    own_codes = models.BooleanField(default=True, editable=False)
    #: A closed word of ours for why it was refused.
    refusal = models.CharField(_("refused because"), max_length=64, blank=True)
    #: Smart Gift's words for staff, scrubbed; never shown to a customer.
    refusal_detail = models.TextField(blank=True, editable=False)
    sent_at = models.DateTimeField(null=True, editable=False)
    attempt = models.PositiveIntegerField(default=0, editable=False)
    #: Attempts and looks in vain, each after a longer pause.
    looks = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("voucher order")
        verbose_name_plural = _("voucher orders")
        permissions = [
            (
                "privacy_voucherorder",
                "Can export and erase a customer's personal data",
            ),
        ]
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status=OrderStatus.PLACING) | Q(sent_at__isnull=False),
                name="smartgift_placing_was_sent",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="smartgift_order_due",
            ),
            models.Index(fields=["status", "-created_at"], name="smartgift_order_list"),
            kept_index("smartgift_order_kept"),
            erase_asked_index("smartgift_order_erase"),
        ]

    def __str__(self) -> str:
        return self.reference


class VoucherOrderItem(models.Model):
    """One voucher of an order; there are no quantities."""

    order = models.ForeignKey(
        VoucherOrder, on_delete=models.CASCADE, related_name="items"
    )
    position = models.PositiveIntegerField(editable=False)
    product = models.ForeignKey(
        "wagtail_smartgift.VoucherProduct",
        on_delete=models.PROTECT,
        related_name="order_items",
    )
    #: What the buyer pays for it: chosen (monetary) or the product's times persons.
    price = models.DecimalField(_("price"), max_digits=10, decimal_places=2)
    persons = models.PositiveIntegerField(_("persons"), null=True, blank=True)
    to = models.CharField(_("to"), max_length=255, blank=True)
    sender = models.CharField(_("from"), max_length=255, blank=True)
    message = models.TextField(_("message"), blank=True)
    #: The voucher's number: ours, or the one that Smart Gift answered.
    number_encrypted = models.TextField(blank=True, editable=False)
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    #: While ``FINGERPRINT_KEY`` is being changed: what the new key makes of the number.
    fingerprint_next = models.CharField(max_length=64, blank=True, editable=False)
    display_code = models.CharField(_("voucher"), max_length=8, blank=True)

    class Meta:
        ordering = ["order", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"],
                condition=~Q(fingerprint=""),
                name="smartgift_item_number_once",
            ),
            models.UniqueConstraint(
                fields=["order", "position"], name="smartgift_item_position"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.display_code}".strip()


class VoucherOrderEvent(JournalEvent):
    """One line of an order's journal."""

    order = models.ForeignKey(
        VoucherOrder, on_delete=models.PROTECT, related_name="events"
    )
    #: ``place``, ``check`` or, by a person, ``settle``.
    operation = models.CharField(max_length=16, editable=False)
    outcome = models.CharField(max_length=16, choices=Outcome.choices, editable=False)
    status = models.CharField(
        max_length=16, choices=OrderStatus.choices, editable=False
    )
    #: Why a person says so, in their words.
    note = models.TextField(blank=True, editable=False)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.operation}: {self.get_outcome_display()}"
