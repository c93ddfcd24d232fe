"""Whether ``FINGERPRINT_KEY`` is the key that the stored vouchers were fingerprinted with.

With another one no stored voucher is found again, so one voucher could be live twice.
The database therefore keeps a check value of the key. Reads only; ``services.keys`` and
``services.rekeying`` write it.
"""

import hashlib
import hmac

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import KeyCheck


FINGERPRINT = "fingerprint"


def check_value() -> str:
    """Return what tells the configured key from others; it says nothing about it."""
    return hmac.new(
        get_conf().fingerprint_key, b"smartgift key check", hashlib.sha256
    ).hexdigest()


def stored() -> str:
    """Return the check value of the key that rows were written with; empty: of none."""
    row = KeyCheck.objects.filter(purpose=FINGERPRINT).first()
    return row.check_value if row is not None else ""


def is_ours() -> bool:
    """Tell whether the configured key is that of the stored rows, if there are any."""
    return stored() in {"", check_value()}
