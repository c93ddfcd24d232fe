"""The verbs on a payment session.

Each writes its wish into the session by a conditional UPDATE and drives it as far
as the caller's time allows; whatever is left, the sweep finishes. The table of
which verb does what in which status is in ``docs/reference/payments.md``.
"""

from wagtail_smartgift.services.payments.confirming import confirm, undone_since
from wagtail_smartgift.services.payments.editing import (
    Added,
    Renewed,
    add_voucher,
    change_voucher,
    release_holds,
    remove_voucher,
    renew_hold,
)
from wagtail_smartgift.services.payments.preparing import prepare
from wagtail_smartgift.services.payments.turn import get_session
from wagtail_smartgift.services.payments.undoing import cancel, refund


__all__ = [
    "Added",
    "Renewed",
    "add_voucher",
    "cancel",
    "change_voucher",
    "confirm",
    "get_session",
    "prepare",
    "refund",
    "release_holds",
    "remove_voucher",
    "renew_hold",
    "undone_since",
]
