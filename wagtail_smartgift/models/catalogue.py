"""The remote catalogue, as rows that a page can be written about."""

import re
from decimal import Decimal
from html import unescape

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from wagtail_smartgift.choices import (
    Availability,
    ChangedField,
    ProductStatus,
    ProductType,
)
from wagtail_smartgift.money import MAX_AMOUNT


#: Of HTML that was sanitised, in which no ``<`` stands for itself.
_TAG = re.compile(r"<[^>]*>")
#: More than any party, few enough to be offered one by one.
MAX_PERSONS = 500


def has_terms(
    type: str,
    price: Decimal | None,
    lowest: Decimal | None,
    highest: Decimal | None,
    persons_min: int | None,
) -> bool:
    """Whether a product of that type can be sold at these prices."""
    if type == ProductType.MONETARY:
        return lowest is not None and highest is not None and 0 < highest >= lowest
    party = max(persons_min or 1, 1)
    return (
        type == ProductType.EXPERIENCE
        and price is not None
        and 0 < price * party <= MAX_AMOUNT
        and party <= MAX_PERSONS
    )


class VoucherProduct(models.Model):
    """A row of Smart Gift's catalogue: what can be bought.

    Written by the sync alone. A product that vanishes remotely is marked
    ``gone_at`` and kept, since orders and pages point at it.
    """

    account = models.CharField(_("account"), max_length=64, editable=False)
    #: Smart Gift's id, unique within the account.
    remote_id = models.BigIntegerField(_("Smart Gift id"), editable=False)
    title = models.CharField(_("title"), max_length=255)
    #: Sanitised when it came in; what Smart Gift sent is untrusted.
    description_html = models.TextField(_("description"), blank=True)
    type = models.CharField(_("type"), max_length=16, choices=ProductType.choices)
    status = models.CharField(_("status"), max_length=24, choices=ProductStatus.choices)
    #: Smart Gift's own word, kept for the day when it is a new one.
    remote_status = models.CharField(max_length=64, blank=True, editable=False)
    #: Price of an experience for one person (or for the voucher, without persons).
    price = models.DecimalField(
        _("price"), max_digits=10, decimal_places=2, null=True, blank=True
    )
    min_amount = models.DecimalField(
        pgettext_lazy("the smallest amount", "from"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
    )
    max_amount = models.DecimalField(
        pgettext_lazy("the largest amount", "to"),
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
    )
    increment = models.DecimalField(
        _("in steps of"), max_digits=10, decimal_places=2, null=True, blank=True
    )
    persons_min = models.PositiveIntegerField(_("persons from"), null=True, blank=True)
    persons_max = models.PositiveIntegerField(_("persons to"), null=True, blank=True)
    #: Stock left; null when Smart Gift does not count it.
    available_count = models.IntegerField(_("available"), null=True, blank=True)
    image_url = models.URLField(_("image"), max_length=1000, blank=True)
    remote_created_at = models.DateTimeField(null=True, blank=True, editable=False)
    remote_updated_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: Digest of everything above, so that an unchanged product is not written.
    digest = models.CharField(max_length=64, editable=False)
    first_seen_at = models.DateTimeField(_("first seen"), editable=False)
    changed_at = models.DateTimeField(_("last changed"), editable=False)
    gone_at = models.DateTimeField(_("gone since"), null=True, blank=True)

    class Meta:
        verbose_name = _("voucher product")
        verbose_name_plural = _("voucher products")
        permissions = [
            ("sync_voucherproduct", "Can read the catalogue from Smart Gift now"),
        ]
        ordering = ["title", "remote_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "remote_id"], name="smartgift_product_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "status", "gone_at"], name="smartgift_product_sale"
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def availability(self) -> Availability:
        """Whether it can be bought now; a hidden product can, by its address."""
        if self.gone_at is not None:
            return Availability.GONE
        if self.status == ProductStatus.AT_COUNTER_ONLY:
            return Availability.AT_COUNTER_ONLY
        if self.status not in {ProductStatus.ACTIVE, ProductStatus.HIDDEN}:
            return Availability.OFF_SALE
        if not self.has_terms:
            return Availability.OFF_SALE
        if self.available_count is not None and self.available_count <= 0:
            return Availability.SOLD_OUT
        return Availability.ON_SALE

    @property
    def description_text(self) -> str:
        """The description without its tags, for search engines, ours among them."""
        # With spaces for the tags: two paragraphs are not one word.
        return " ".join(unescape(_TAG.sub(" ", self.description_html)).split())

    @property
    def has_terms(self) -> bool:
        """Whether Smart Gift said all that a price needs."""
        return has_terms(
            self.type, self.price, self.min_amount, self.max_amount, self.persons_min
        )

    @property
    def is_listed(self) -> bool:
        """Whether lists show it; sold out it still counts."""
        return self.gone_at is None and self.status == ProductStatus.ACTIVE

    @property
    def persons_range(self) -> range:
        """For how many persons an experience may be bought; always at least one.

        Smart Gift counts one where it says nothing, and a product that names only
        its smallest party is sold for that. A party that would cost more than an amount
        can be is not offered.
        """
        lowest = max(self.persons_min or 1, 1)
        highest = min(self.persons_max or lowest, MAX_PERSONS)
        if self.price:
            highest = min(highest, int(MAX_AMOUNT // self.price))
        return range(lowest, max(highest, lowest) + 1)


class ProductChange(models.Model):
    """Something of a product that a sync found to be different. Never rewritten.

    Stock is not among it: it changes with every sale. That there is none left, or some
    again, is a change of the availability. Of a description there are digests alone,
    since it may be long and is only ever said to have changed.
    """

    product = models.ForeignKey(
        VoucherProduct,
        verbose_name=_("voucher product"),
        on_delete=models.CASCADE,
        related_name="changes",
        editable=False,
    )
    field = models.CharField(
        _("field"), max_length=16, choices=ChangedField.choices, editable=False
    )
    #: As text: an amount as ``45.00``, a choice as its value; empty for none.
    before = models.TextField(_("before"), blank=True, editable=False)
    after = models.TextField(_("after"), blank=True, editable=False)
    noticed_at = models.DateTimeField(_("noticed"), db_index=True, editable=False)

    class Meta:
        verbose_name = _("change of a product")
        verbose_name_plural = _("changes of products")
        default_permissions = ()
        ordering = ["pk"]
        indexes = [
            models.Index(
                fields=["product", "noticed_at"], name="smartgift_change_product"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.field} {self.noticed_at:%Y-%m-%d}"


class CatalogueSync(models.Model):
    """When an account's catalogue was last read, and what came of it."""

    account = models.CharField(max_length=64, unique=True, editable=False)
    #: When Smart Gift was last asked, with an answer that was whole and could be read.
    #: What it changed from then on may not be in it.
    synced_at = models.DateTimeField(null=True, editable=False)
    #: The last time that a sync changed a row; drives the ETag of the list.
    changed_at = models.DateTimeField(null=True, editable=False)
    #: The last change that an event has told of.
    told_at = models.DateTimeField(null=True, editable=False)
    failed_at = models.DateTimeField(null=True, editable=False)
    #: Why it could not be read: a word of ``services.sync_failures``.
    failure = models.CharField(max_length=255, blank=True, editable=False)
    #: Smart Gift's payment methods, ``[{"id": …, "name": …}]``, read with it.
    payment_methods = models.JSONField(default=list, editable=False)
    payment_methods_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("catalogue sync")
        verbose_name_plural = _("catalogue syncs")

    def __str__(self) -> str:
        return self.account
