"""An ordinary little shop: products, orders, and what a card paid of them.

Nothing here knows the plugin: an order's ``reference`` is all that the two share.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string
from wagtail.images import get_image_model_string


ZERO = Decimal("0.00")
#: After this long, whoever was working on an order's money is taken to be dead; no
#: request lives as long.
WORKING_TIME = timedelta(minutes=2)


def new_reference() -> str:
    """Return a number for an order that nobody guesses and anybody can read out."""
    return "OM-" + get_random_string(10, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789")


class Product(models.Model):
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=80)
    summary = models.CharField(max_length=160)
    description = models.TextField()
    price = models.DecimalField(max_digits=8, decimal_places=2)
    #: What the price is for: "for two", "a night".
    unit = models.CharField(max_length=40, blank=True)
    picture = models.ForeignKey(
        get_image_model_string(),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    position = models.PositiveSmallIntegerField(default=0)
    on_sale = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("product", args=[self.slug])


class OrderStatus(models.TextChoices):
    AWAITING_PAYMENT = "awaiting_payment", "Awaiting payment"
    #: A request is taking the payment; a second press of Pay finds it so.
    PAYING = "paying", "Taking your payment"
    #: A voucher's answer was lost; the plugin finds out and tells us.
    CONFIRMING = "confirming", "Confirming your voucher"
    PAID = "paid", "Paid"
    CANCELLING = "cancelling", "Being cancelled"
    REFUNDING = "refunding", "Being refunded"
    CANCELLED = "cancelled", "Cancelled"
    REFUNDED = "refunded", "Refunded"


class Order(models.Model):
    """What one customer bought at one time, and how far it is paid."""

    reference = models.CharField(max_length=20, unique=True, default=new_reference)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    #: Where it was placed: a site has its own Smart Gift company, perhaps.
    site = models.ForeignKey(
        "wagtailcore.Site", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    status = models.CharField(
        max_length=20,
        choices=OrderStatus.choices,
        default=OrderStatus.AWAITING_PAYMENT,
    )
    #: When the status last changed.
    moved_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)
    #: As the plugin's checkout forms give them, and its sale wants them.
    customer = models.JSONField(default=dict)
    delivery = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    total = models.DecimalField(max_digits=8, decimal_places=2)
    #: What of it are gift vouchers, their delivery included.
    vouchers_total = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    #: Smart Gift would not sell the gift vouchers, so their price went back.
    vouchers_refused = models.BooleanField(default=False)
    #: Of the page on which it was placed; mails are written in it.
    language = models.CharField(max_length=16, blank=True)
    #: When somebody began to mail the gift vouchers, and when they were mailed.
    mail_begun_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    #: What gift vouchers paid.
    voucher_paid = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    #: What all refunds together come to.
    refunded = models.DecimalField(max_digits=8, decimal_places=2, default=0)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.reference

    def get_absolute_url(self) -> str:
        return reverse("order", args=[self.reference])

    def move(
        self,
        *origins: str,
        to: OrderStatus,
        only_if: Q = Q(),  # noqa: B008 - never changed
        **changes: Any,
    ) -> bool:
        """Change the status if it is one of ``origins``; tell whether it was.

        The condition is part of the UPDATE: of two requests, one gets True.
        """
        changes |= {"status": to, "moved_at": timezone.now()}
        moved = Order.objects.filter(only_if, pk=self.pk, status__in=origins).update(
            **changes
        )
        self.refresh_from_db()
        return bool(moved)

    @property
    def is_stuck(self) -> bool:
        """Whether nobody can be working on it any more, if anybody was."""
        return self.moved_at < timezone.now() - WORKING_TIME

    @property
    def card(self) -> "CardPayment | None":
        """The payment by card that counts, if there is one."""
        return self.card_payments.exclude(status=CardStatus.VOIDED).first()

    @property
    def card_paid(self) -> Decimal:
        card = self.card
        return card.amount if card and card.status == CardStatus.CAPTURED else ZERO

    @property
    def issued_total(self) -> Decimal:
        """What the gift vouchers cost that cannot be taken back any more."""
        return ZERO if self.vouchers_refused else self.vouchers_total

    @property
    def refundable(self) -> Decimal:
        """What can still be refunded: issued gift vouchers stay bought."""
        if self.status != OrderStatus.PAID:
            return ZERO
        return max(ZERO, self.total - self.issued_total - self.refunded)

    @property
    def can_cancel(self) -> bool:
        if self.status == OrderStatus.PAID:
            return not self.issued_total and not self.refunded
        if self.status == OrderStatus.CONFIRMING:
            # It may be paid at any moment, and gift vouchers are issued then.
            return not self.issued_total
        return self.status == OrderStatus.AWAITING_PAYMENT


class OrderLine(models.Model):
    """A product, or one gift voucher; the price is what it was when ordered."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    name = models.CharField(max_length=255)
    price = models.DecimalField(max_digits=8, decimal_places=2)
    quantity = models.PositiveSmallIntegerField(default=1)
    #: A gift voucher as ``sales.place_order`` wants it; null for a product.
    voucher = models.JSONField(null=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.name}"

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity


class CardStatus(models.TextChoices):
    AUTHORISED = "authorised", "Authorised"
    CAPTURED = "captured", "Captured"
    VOIDED = "voided", "Voided"


class CardPayment(models.Model):
    """The dummy card terminal's books; ``card.py`` writes them."""

    order = models.ForeignKey(
        Order, on_delete=models.CASCADE, related_name="card_payments"
    )
    amount = models.DecimalField(max_digits=8, decimal_places=2)
    refunded = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    status = models.CharField(max_length=12, choices=CardStatus.choices)
    last_digits = models.CharField(max_length=4)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=~Q(status="voided"),
                name="mill_one_card_payment",
            ),
        ]

    def __str__(self) -> str:
        return f"•••• {self.last_digits}: {self.amount}"
