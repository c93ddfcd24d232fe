"""What a probe found out about the Smart Gift at the other end, with its date."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import (
    DuplicateCode,
    DuplicateReference,
    HeldUntil,
    OwnCodes,
)
from wagtail_smartgift.models.base import AccountBound


class CapabilityRecord(AccountBound):
    """The answers of one run of ``smartgift_probe`` to what the documentation leaves open.

    It counts for the very key and address that were asked, and for a limited time:
    ``wagtail_smartgift.capabilities`` reads it. Null, or empty, is "not known": it was
    not asked, or no answer could be relied on.
    """

    probed_at = models.DateTimeField(
        _("asked at"), default=timezone.now, db_index=True, editable=False
    )

    # Holds
    check_while_held = models.BooleanField(null=True, editable=False)
    held_until = models.CharField(
        max_length=16, choices=HeldUntil.choices, blank=True, editable=False
    )
    #: Minutes east of UTC of a time that is printed without a zone.
    held_until_offset = models.SmallIntegerField(null=True, editable=False)
    hold_seconds = models.PositiveIntegerField(null=True, editable=False)
    second_hold_refused = models.BooleanField(null=True, editable=False)

    # Redeeming one that is held, and with tokens that are over
    missing_token_refused = models.BooleanField(null=True, editable=False)
    #: The token of an earlier hold, while another one stands.
    old_token_refused = models.BooleanField(null=True, editable=False)
    #: The token of a hold that was given back, while none stands; and so on.
    released_token_refused = models.BooleanField(null=True, editable=False)
    used_token_refused = models.BooleanField(null=True, editable=False)
    expired_token_refused = models.BooleanField(null=True, editable=False)
    redeem_ends_hold = models.BooleanField(null=True, editable=False)
    second_reversal_refused = models.BooleanField(null=True, editable=False)

    # Selling
    own_codes = models.CharField(
        max_length=16, choices=OwnCodes.choices, blank=True, editable=False
    )
    code_checkable_at_once = models.BooleanField(null=True, editable=False)
    duplicate_reference = models.CharField(
        max_length=16, choices=DuplicateReference.choices, blank=True, editable=False
    )
    duplicate_code = models.CharField(
        max_length=16, choices=DuplicateCode.choices, blank=True, editable=False
    )

    # The quota
    rate_limit = models.PositiveIntegerField(null=True, editable=False)
    window_seconds = models.PositiveIntegerField(null=True, editable=False)
    refusals_count = models.BooleanField(null=True, editable=False)
    reset_always = models.BooleanField(null=True, editable=False)

    # The run itself
    #: What was asked and came of it, in order; nothing secret is in it.
    steps = models.JSONField(default=list, editable=False)
    #: The voucher that was tried with, by a digest that only the next run has to make
    #: again. It is keyed with the account's API key, to which the answers are bound
    #: anyway: a change of FINGERPRINT_KEY must not lose what is owed to the voucher.
    probed_with = models.CharField(max_length=64, blank=True, editable=False)
    #: Ids of redemptions that are still to be reversed: pennies of that voucher.
    owed = models.JSONField(default=list, editable=False)

    class Meta:
        verbose_name = _("capability record")
        verbose_name_plural = _("capability records")
        ordering = ["-probed_at"]

    def __str__(self) -> str:
        return f"{self.account}, {self.probed_at:%Y-%m-%d}"
