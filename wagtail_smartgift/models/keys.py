"""What the database knows about the keys of the settings: which one it was written with."""

from django.db import models


class KeyCheck(models.Model):
    """Tells the key that all stored fingerprints were made with from any other.

    One row. Whoever stores a fingerprint updates it in the same transaction, and so
    does the change of the key: so no fingerprint of the old key is ever written after
    the change.
    """

    #: What the key is for; ``fingerprint`` is the only one.
    purpose = models.CharField(max_length=16, unique=True, editable=False)
    #: Keyed digest of a fixed text: it says nothing about the key.
    check_value = models.CharField(max_length=64, editable=False)
    #: Of the key whose fingerprints are in ``fingerprint_next``, while it is changed.
    next_check_value = models.CharField(max_length=64, blank=True, editable=False)

    def __str__(self) -> str:
        return self.purpose
