"""Paying with vouchers: sessions, redemptions and their journal.

Rows are written by ``services`` alone. A change of state is a conditional UPDATE
in the same transaction as its journal event; nothing here talks to a network.
"""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.choices import (
    LIVE_REDEMPTION_STATUSES,
    Operation,
    Outcome,
    ProductType,
    Proof,
    RedemptionStatus,
    SessionStatus,
)
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


class PaymentSession(AccountBound, Claimable, Forgettable, Swept, Timestamped):
    """One checkout's wish to be paid, as far as vouchers can pay it.

    The shop is unknown: ``reference`` is its opaque word for the order. Amounts
    are in ``currency``, two decimals.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reference = models.CharField(_("reference"), max_length=64, unique=True)
    site = models.ForeignKey(
        "wagtailcore.Site",
        verbose_name=_("site"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    #: The site number that Smart Gift knows, sent with check and redeem.
    smartgift_site_id = models.CharField(max_length=64, blank=True, editable=False)
    currency = models.CharField(_("currency"), max_length=3)
    amount_due = models.DecimalField(_("amount due"), max_digits=10, decimal_places=2)
    #: The most that vouchers may pay of ``amount_due``.
    amount_eligible = models.DecimalField(
        _("amount eligible"), max_digits=10, decimal_places=2
    )
    #: What is due was said at the voucher desk, and the shop has not spoken yet.
    due_by_desk = models.BooleanField(default=False, editable=False)
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=SessionStatus.choices,
        default=SessionStatus.OPEN,
    )
    #: While ``confirming``: set once the confirmation is being undone, with why.
    undo_reason = models.CharField(max_length=64, blank=True, editable=False)
    #: A cancel that came while the session was confirming.
    cancel_requested = models.BooleanField(default=False, editable=False)
    #: What all refunds together come to once the running one is done.
    refund_target = models.DecimalField(
        max_digits=10, decimal_places=2, default=0, editable=False
    )
    metadata = models.JSONField(default=dict, blank=True)
    #: Numbers tried for this payment that turned out not to be usable.
    failed_lookups = models.PositiveIntegerField(default=0, editable=False)
    #: While it needs a person: the status that it goes on from.
    interrupted = models.CharField(
        max_length=16, choices=SessionStatus.choices, blank=True, editable=False
    )
    confirm_began_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: The last sign of the customer or the shop; holds are given back some time after.
    last_active_at = models.DateTimeField(editable=False)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ["-created_at"]
        permissions = [
            ("use_server_api", "Can call the shop's side of the vouchers' JSON API"),
            ("settle_paymentsession", "Can settle what needs a person"),
            ("report_paymentsession", "Can see the reports of gift vouchers"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_due__gte=0)
                & Q(amount_eligible__gte=0)
                & Q(amount_eligible__lte=F("amount_due")),
                name="smartgift_session_amounts",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="smartgift_session_due",
            ),
            models.Index(
                fields=["status", "-created_at"], name="smartgift_session_list"
            ),
            kept_index("smartgift_session_kept"),
            erase_asked_index("smartgift_session_erase"),
        ]

    def __str__(self) -> str:
        return self.reference


class SessionEmail(models.Model):
    """An e-mail address that the shop put into the metadata of a payment.

    Metadata is the shop's and may hold anything; without this, a customer's payments
    could be found by reading all of them.
    """

    session = models.ForeignKey(
        PaymentSession, on_delete=models.CASCADE, related_name="emails"
    )
    digest = models.CharField(max_length=64, db_index=True, editable=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"address in {self.session_id}"


class SessionSecret(models.Model):
    """A bearer secret that opens one session, hashed.

    Each time the shop opens the session anew it gets another one; earlier ones
    stay valid until they expire.
    """

    session = models.ForeignKey(
        PaymentSession, on_delete=models.CASCADE, related_name="secrets"
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    expires_at = models.DateTimeField(db_index=True, editable=False)

    def __str__(self) -> str:
        return f"secret of {self.session_id}"


class Redemption(Swept, Timestamped):
    """One voucher used in one session: hold → check → redeem → (reverse)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(
        PaymentSession,
        verbose_name=_("payment"),
        on_delete=models.PROTECT,
        related_name="redemptions",
    )
    #: Order of adding within the session, which is the order of allocation.
    position = models.PositiveIntegerField(editable=False)
    #: The how-manieth time this voucher is used in this session.
    leg = models.PositiveSmallIntegerField(default=1, editable=False)
    number_encrypted = models.TextField(editable=False)
    fingerprint = models.CharField(max_length=64, editable=False, db_index=True)
    #: While ``FINGERPRINT_KEY`` is being changed: what the new key makes of the number.
    fingerprint_next = models.CharField(max_length=64, blank=True, editable=False)
    display_code = models.CharField(_("voucher"), max_length=8, editable=False)
    type = models.CharField(
        _("type"),
        max_length=16,
        choices=ProductType.choices,
        default=ProductType.UNKNOWN,
        editable=False,
    )
    status = models.CharField(
        _("status"),
        max_length=16,
        choices=RedemptionStatus.choices,
        default=RedemptionStatus.HOLDING,
        editable=False,
    )
    #: The most that the customer wants to take from this voucher; null: all.
    amount_limit = models.DecimalField(
        max_digits=10, decimal_places=2, null=True, blank=True, editable=False
    )
    #: What it covers (while open) or took (from redeeming on), in money.
    amount = models.DecimalField(
        _("amount"), max_digits=10, decimal_places=2, default=0, editable=False
    )
    #: Monetary: what the voucher holds, read under our hold. Experience: what the
    #: chosen experiences are worth to this shop.
    balance = models.DecimalField(
        _("balance"), max_digits=10, decimal_places=2, null=True, editable=False
    )
    #: ``remaining_value`` under our hold, the yardstick for an unknown redeem:
    #: money, or the bit sum of an experience voucher. Null until checked.
    baseline = models.DecimalField(
        max_digits=21, decimal_places=2, null=True, editable=False
    )
    #: ``{"bit_value": …, "name": …}`` of what may be chosen here.
    experiences_available = models.JSONField(default=list, editable=False)
    #: The chosen bit values; empty for a monetary voucher.
    experiences = models.JSONField(default=list, editable=False)
    hold_token_encrypted = models.TextField(blank=True, editable=False)
    #: When the hold was asked for: our five minutes start before it left.
    hold_sent_at = models.DateTimeField(null=True, editable=False)
    #: When it was given, by Smart Gift's own clock; null where its answer did not tell.
    their_hold_at = models.DateTimeField(null=True, editable=False)
    #: When our hold certainly still stands until; null without a hold.
    held_until = models.DateTimeField(_("held until"), null=True, editable=False)
    #: When the last redeem or reverse was sent.
    sent_at = models.DateTimeField(null=True, editable=False)
    #: When the last redeem was sent, by Smart Gift's clock; null as for the hold.
    their_sent_at = models.DateTimeField(null=True, editable=False)
    attempt = models.PositiveIntegerField(default=0, editable=False)
    #: Looks in vain at what became of it, each after a longer pause.
    looks = models.PositiveIntegerField(default=0, editable=False)
    redemption_ids = models.JSONField(default=list, editable=False)
    proof = models.CharField(
        max_length=16, choices=Proof.choices, blank=True, editable=False
    )
    #: For the rest of a partial refund: the redemption that it replaces.
    replaces = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="rests"
    )

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")
        permissions = [
            ("desk_redemption", "Can look vouchers up at the voucher desk"),
            (
                "move_redemption",
                "Can hold, redeem, reverse and refund at the voucher desk",
            ),
        ]
        ordering = ["session", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "fingerprint", "leg"],
                name="smartgift_redemption_leg",
            ),
            models.UniqueConstraint(
                fields=["fingerprint"],
                condition=Q(status__in=LIVE_REDEMPTION_STATUSES),
                name="smartgift_redemption_one_live",
            ),
            models.CheckConstraint(
                condition=~Q(status=RedemptionStatus.REDEEMED) | ~Q(proof=""),
                name="smartgift_redeemed_has_proof",
            ),
            models.CheckConstraint(
                condition=~Q(proof=Proof.RESPONSE) | ~Q(redemption_ids=[]),
                name="smartgift_answered_has_ids",
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0), name="smartgift_redemption_amount"
            ),
            models.CheckConstraint(
                condition=~Q(
                    status__in=[RedemptionStatus.REDEEMING, RedemptionStatus.REDEEMED]
                )
                | Q(amount__gt=0),
                name="smartgift_redeemed_something",
            ),
        ]
        indexes = [
            models.Index(
                fields=["held_until"],
                condition=Q(status=RedemptionStatus.HELD),
                name="smartgift_redemption_held",
            ),
            models.Index(
                fields=["hold_sent_at"],
                condition=Q(status=RedemptionStatus.HOLDING),
                name="smartgift_redemption_asked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.display_code} ({self.get_status_display()})"

    @property
    def is_experience(self) -> bool:
        return self.type == ProductType.EXPERIENCE


class RedemptionEvent(JournalEvent):
    """One line of a redemption's journal; the redemption is folded from these."""

    redemption = models.ForeignKey(
        Redemption, on_delete=models.PROTECT, related_name="events"
    )
    operation = models.CharField(
        max_length=16, choices=Operation.choices, editable=False
    )
    outcome = models.CharField(max_length=16, choices=Outcome.choices, editable=False)
    #: The redemption's status from here on.
    status = models.CharField(
        max_length=16, choices=RedemptionStatus.choices, editable=False
    )
    #: Money that the step moves (redeem, reverse); null for the others.
    amount = models.DecimalField(
        max_digits=10, decimal_places=2, null=True, editable=False
    )
    #: ``remaining_value`` as last read when the step was written.
    balance = models.DecimalField(
        max_digits=21, decimal_places=2, null=True, editable=False
    )
    held_until = models.DateTimeField(null=True, editable=False)
    redemption_ids = models.JSONField(default=list, editable=False)
    #: Why a person says so, in their words.
    note = models.TextField(blank=True, editable=False)

    class Meta:
        ordering = ["id"]
        verbose_name = _("redemption event")
        verbose_name_plural = _("redemption events")

    def __str__(self) -> str:
        return f"{self.get_operation_display()}: {self.get_outcome_display()}"
