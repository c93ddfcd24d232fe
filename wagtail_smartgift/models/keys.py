"""What the database knows about the keys of the settings: which one it was written with."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class KeyCheck(models.Model):
    """Tells the key that all stored fingerprints were made with from any other.

    One row. Whoever stores a fingerprint reads it behind that, in the same transaction
    (``services.keys.require_ours``), and the change of the key keeps such writers out
    while it updates it: so no fingerprint of the old key is ever written after the
    change. A voucher that is sold already is stored without one then.
    """

    #: What the key is for; ``fingerprint`` is the only one.
    purpose = models.CharField(max_length=16, unique=True, editable=False)
    #: Keyed digest of a fixed text: it says nothing about the key.
    check_value = models.CharField(max_length=64, editable=False)
    #: Of the key whose fingerprints are in ``fingerprint_next``, while it is changed.
    next_check_value = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = _("key check")
        verbose_name_plural = _("key checks")

    def __str__(self) -> str:
        return self.purpose
