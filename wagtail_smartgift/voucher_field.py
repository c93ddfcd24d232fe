"""What the voucher field and the views behind its forms must agree about.

The field belongs to whoever sees the page: a signed, expiring word in its forms says
which payment they are about, so the customer needs no account. What came of a form is
told on the page that it comes back to, by a notice in the visitor's session: a code
and times, never a voucher number, which must not be in an address either.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core import signing
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import time_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError


#: The id of the field on its page.
ANCHOR = "smartgift-vouchers"
#: Where in the visitor's session the notice waits.
NOTICE = "smartgift_notice"

_SALT = "wagtail_smartgift.voucher_field"

ADDED, CHANGED, REMOVED, EXPIRED = "added", "changed", "removed", "session_expired"
_UNAVAILABLE = "smartgift_unavailable"
_GOOD_NEWS = {ADDED, CHANGED, REMOVED}

#: What the customer can do next, for each code. ``%(time)s`` is a time of day.
_MESSAGES: Mapping[str, str | Promise] = {
    ADDED: _("Your voucher was added."),
    CHANGED: _("Your voucher was changed."),
    REMOVED: _("Your voucher was removed. Nothing was taken from it."),
    EXPIRED: _("This page was open for too long. Please enter the number once more."),
    "voucher_not_usable": _(
        "This voucher cannot be used here. Check the number, its capital and small "
        "letters included, or pay another way."
    ),
    "voucher_held": _(
        "This voucher is in use elsewhere until %(time)s. Try again then, or pay "
        "another way."
    ),
    "busy": _(
        "Vouchers are busy at the moment and nothing was taken. Try again at %(time)s."
    ),
    "throttled": _("There were too many attempts. Try again at %(time)s."),
    _UNAVAILABLE: _(
        "Vouchers cannot be reached at the moment and nothing was taken. Try again in "
        "a few minutes, or pay another way."
    ),
    "session_busy": _("This payment is being worked on. Try again in a moment."),
    "session_not_open": _("This payment can no longer be changed."),
    "session_cancelled": _("This payment was cancelled. Please start again."),
    "needs_attention": _("Our staff are looking into this payment. Do not pay again."),
    "not_found": _("This voucher is no longer part of the payment."),
    "invalid": _("Enter the number as it is printed on the voucher."),
}
#: Codes that are about what was typed as the number.
_ABOUT_NUMBER = {"voucher_not_usable", "voucher_held", "invalid"}
#: Seconds to wait where nobody said how long.
_WAIT = 60


def token_for(reference: str) -> str:
    """Return the signed word that lets a page change the vouchers of a payment."""
    return signing.dumps(reference, salt=_SALT)


def reference_in(token: str) -> tuple[str, bool]:
    """Return the payment that a token is about, and whether it is still good.

    Raises:
        BadSignature: it is not one of ours.
    """
    try:
        lifetime = get_conf().session_lifetime
        return signing.loads(token, salt=_SALT, max_age=lifetime), True
    except signing.SignatureExpired:
        return signing.loads(token, salt=_SALT), False


def leave_notice(request: HttpRequest, reference: str, code: str) -> None:
    """Keep for the next page what came of a form; lost where there are no sessions."""
    _leave(request, {"reference": reference, "code": code})


def leave_refusal(request: HttpRequest, reference: str, error: PaymentError) -> None:
    """Keep for the next page why a form came to nothing."""
    at = timezone.now() + timedelta(seconds=error.retry_after or _WAIT)
    # Our own words about a field: they never hold what was typed into it.
    wrong = next(iter(error.fields.items()), ("", ""))
    _leave(
        request,
        {
            "reference": reference,
            "code": error.code,
            "at": at.isoformat(),
            "field": wrong[0],
            "text": str(wrong[1]),
        },
    )


def _leave(request: HttpRequest, notice: dict[str, str]) -> None:
    session: Any = getattr(request, "session", None)
    if session is not None:
        session[NOTICE] = notice


def take_notice(request: HttpRequest, reference: str) -> dict[str, Any] | None:
    """Return what the last form about this payment came to, once."""
    session: Any = getattr(request, "session", None)
    kept = session.get(NOTICE) if session is not None else None
    if not isinstance(kept, Mapping) or kept.get("reference") != reference:
        return None
    del session[NOTICE]
    code = kept["code"]
    at = parse_datetime(kept.get("at", "")) or timezone.now()
    message = str(_MESSAGES.get(code, _MESSAGES[_UNAVAILABLE])) % {
        "time": time_format(timezone.localtime(at), "H:i")
    }
    return {
        "code": code,
        "good": code in _GOOD_NEWS,
        "about_number": code in _ABOUT_NUMBER
        and kept.get("field", "") in {"", "voucher_no"},
        "message": kept.get("text") or message,
    }
