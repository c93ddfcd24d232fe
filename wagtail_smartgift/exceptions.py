"""What a host's code can be told, and who has to act.

::

    SmartGiftPluginError
    ├── PaymentError             the shop shows `.message` and obeys `.code`
    │   └── (raised by wagtail_smartgift.payments)
    └── SaleError                the same for wagtail_smartgift.sales

Configuration errors are ``django.core.exceptions.ImproperlyConfigured``: they are
the developer's, never a customer's. The codes are closed and documented in
``docs/reference/errors.md``; the API answers them as RFC 9457 problems.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import time_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


#: code -> (HTTP status, title). The one table behind the Python and JSON errors.
ERROR_CODES: Mapping[str, tuple[int, str | Promise]] = {
    "malformed": (400, _("The request could not be read.")),
    "idempotency_key_required": (400, _("This request needs an Idempotency-Key.")),
    "unauthenticated": (401, _("The credentials are missing or wrong.")),
    "session_expired": (401, _("This payment session has expired.")),
    "not_found": (404, _("Nothing was found at this address.")),
    "voucher_held": (409, _("This voucher is in use elsewhere at the moment.")),
    "shortfall": (409, _("A voucher holds less than was expected.")),
    "hold_lost": (409, _("A voucher could not be kept for this payment.")),
    "amount_changed": (409, _("The amount due has changed.")),
    "not_confirmed": (409, _("This payment has not been confirmed.")),
    "session_not_open": (409, _("This payment can no longer be changed.")),
    "session_busy": (409, _("This payment is being worked on.")),
    "session_cancelled": (409, _("This payment was cancelled.")),
    "needs_attention": (409, _("Our staff are looking into this payment.")),
    "idempotency_conflict": (
        409,
        _("This Idempotency-Key was used with another request."),
    ),
    "in_progress": (409, _("The same request is still being worked on.")),
    "reference_conflict": (
        409,
        _("This reference was used for something else."),
    ),
    "invalid": (422, _("Some of what was sent is not valid.")),
    "voucher_not_usable": (
        422,
        _("This voucher cannot be used here. Check the number, or pay another way."),
    ),
    "amount_too_large": (422, _("The amount is more than is left to refund.")),
    "currency_mismatch": (422, _("The currency is not the shop's.")),
    "order_refused": (422, _("The voucher order was refused.")),
    "throttled": (429, _("Too many attempts. Please wait before the next one.")),
    "busy": (503, _("Vouchers are busy at the moment. Please try again shortly.")),
    "smartgift_unavailable": (
        503,
        _("Vouchers cannot be reached at the moment. Nothing was taken."),
    ),
}


#: code -> what a customer who meets it can do next, where that is something.
#: ``%(time)s`` is a time of day.
_ADVICE: Mapping[str, str | Promise] = {
    "voucher_not_usable": _(
        "This voucher cannot be used here. Check the number, its capital and small "
        "letters included, or pay another way."
    ),
    "voucher_held": _(
        "This voucher is in use elsewhere until %(time)s. Try again then, or pay "
        "another way."
    ),
    "shortfall": _(
        "A voucher holds less than before, and nothing was taken. Look at what is left "
        "to pay now, and pay again."
    ),
    "hold_lost": _(
        "A voucher can no longer be used for this payment, and nothing was taken. Look "
        "at what is left to pay now: add another voucher, or pay it another way."
    ),
    "amount_changed": _(
        "What is left to pay has changed, and nothing was taken. Look at the new "
        "amount, and pay again."
    ),
    "session_expired": _("This page was open for too long. Load it again to go on."),
    "session_busy": _(
        "This payment is being worked on. Try again in a moment; nothing is done twice."
    ),
    "session_not_open": _(
        "This payment can no longer be changed. Look at your order to see how it stands."
    ),
    "session_cancelled": _(
        "This payment was cancelled. To pay after all, please order again."
    ),
    "needs_attention": _(
        "Our staff are looking into this payment. Please do not pay again."
    ),
    "throttled": _(
        "There were too many attempts. Try again at %(time)s, or pay another way."
    ),
    "busy": _(
        "Vouchers are busy at the moment and nothing was taken. Try again at %(time)s."
    ),
    "smartgift_unavailable": _(
        "Vouchers cannot be reached at the moment and nothing was taken. Try again in "
        "a few minutes, or pay another way."
    ),
}
#: The same where the voucher is most likely held by ourselves.
_ADVICE_OURS = _(
    "We got no answer, so this voucher is most likely kept for you until %(time)s. Try "
    "again then; nothing was taken."
)
#: Seconds to wait where nobody said how long.
WAIT = 60


class SmartGiftPluginError(Exception):
    """An operation that was refused, with a documented ``code``.

    ``message`` says what happened and ``advice`` what the customer can do next. Both are
    safe to show to a customer in their language: they never hold a voucher number, a key
    or the provider's words. ``retry_after`` is in seconds. ``is_ours`` goes with
    ``voucher_held``: what has the voucher is most likely a hold of our own for this very
    payment, whose answer was lost, and nobody else.
    """

    def __init__(
        self,
        code: str,
        message: str | Promise | None = None,
        *,
        retry_after: float | None = None,
        fields: Mapping[str, str | Promise] | None = None,
        is_ours: bool = False,
    ) -> None:
        self.status, title = ERROR_CODES[code]
        self.code = code
        self.title = title
        self.message = message if message is not None else title
        self.retry_after = retry_after
        self.fields = dict(fields or {})
        self.is_ours = is_ours
        super().__init__(code)

    @property
    def advice(self) -> str:
        """What the customer can do next; what happened, where there is nothing to do.

        A time in it is one of today in the current time zone, and the whole minute after
        the wait, so that nobody comes back too early.
        """
        if self.fields or self.code not in _ADVICE:
            return str(next(iter(self.fields.values()), self.message))
        words = _ADVICE_OURS if self.is_ours else _ADVICE[self.code]
        return str(words) % {"time": minute_after(self.retry_after)}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def minute_after(seconds: float | None) -> str:
    """Return the first whole minute, as a time of day, when a wait from now is over."""
    return whole_minute(timezone.now() + timedelta(seconds=seconds or WAIT))


def whole_minute(end: datetime) -> str:
    """Return the first whole minute at which something is over, as a time of day.

    Never before the end, so nobody comes back too early. In the current time zone.
    """
    almost_a_minute = timedelta(minutes=1) - timedelta.resolution
    return time_format(timezone.localtime(end + almost_a_minute), "H:i")


class PaymentError(SmartGiftPluginError):
    """A verb on a payment session, or on a voucher in it, was refused."""


class SaleError(SmartGiftPluginError):
    """A sale of vouchers was refused."""
