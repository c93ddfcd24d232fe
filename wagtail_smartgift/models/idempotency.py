"""What was answered under an Idempotency-Key, so that a repeat runs nothing twice."""

from django.db import models


class StoredAnswer(models.Model):
    """One key of one caller at one address: who works on it, or what came of it.

    The unique digest is the lock. Nothing of the request is kept but keyed digests,
    and the answer, which may hold a secret or a voucher number, is encrypted.
    """

    #: Of the caller's credential, the path and the key.
    key_digest = models.CharField(max_length=64, unique=True, editable=False)
    #: Of the body, in a form in which the order of its members does not matter.
    body_digest = models.CharField(max_length=64, editable=False)
    #: Status, content type and body; empty while there is no final answer.
    answer_encrypted = models.TextField(blank=True, editable=False)
    #: The request that works on it; empty when none does.
    claimed_by = models.CharField(max_length=36, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    #: Set with the refund that this key began: what all refunds of the payment come
    #: to once it is done. A repeat that finds it begins no other.
    refund_target = models.DecimalField(
        max_digits=10, decimal_places=2, null=True, editable=False
    )
    expires_at = models.DateTimeField(db_index=True, editable=False)

    def __str__(self) -> str:
        return f"answer {self.pk}"
