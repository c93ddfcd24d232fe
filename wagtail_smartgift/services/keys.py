"""Refusing to store what was fingerprinted with the wrong key; see ``keycheck``.

Whoever stores the fingerprint of a voucher calls ``require_ours`` after it, in the same
transaction; a change of the key (``rekeying``) keeps writers out of the table while it
happens. So there is no moment at which fingerprints of two keys are live.
"""

import hmac

from wagtail_smartgift import keycheck
from wagtail_smartgift.models import KeyCheck


class WrongFingerprintKey(Exception):
    """The stored fingerprints were made with another key than is configured."""


def require_ours() -> None:
    """Refuse to have stored a fingerprint of the wrong key.

    The last statement of a transaction that stored one; the first such ever writes down
    the key.

    Raises:
        WrongFingerprintKey: and the transaction is to be undone.
    """
    mine = keycheck.check_value()
    row, _created = KeyCheck.objects.get_or_create(
        purpose=keycheck.FINGERPRINT, defaults={"check_value": mine}
    )
    if not hmac.compare_digest(row.check_value, mine):
        raise WrongFingerprintKey
