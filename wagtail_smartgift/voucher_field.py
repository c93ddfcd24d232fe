"""What the voucher field and the views behind its forms must agree about.

The field belongs to whoever sees the page: a signed, expiring word in its forms says
which payment they are about, so the customer needs no account. What came of a form is
told once, by a notice: a code and times, never a voucher number. A plain form leaves it
in the visitor's session, for the page that it comes back to. The script is given it as
a signed word and hands it to the page that it reads, since other windows of the same
visitor read pages at the same time. Neither is in an address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core import signing
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift import budget, keycheck
from wagtail_smartgift.choices import Lane
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import (
    WAIT,
    PaymentError,
    minute_after,
    whole_minute,
)
from wagtail_smartgift.ledger import Session
from wagtail_smartgift.models import PaymentSession


#: The id of the field on its page.
ANCHOR = "smartgift-vouchers"
#: Where in the visitor's session the notice of a plain form waits.
NOTICE = "smartgift_notice"
#: The script's header, of its forms, their answers and its reading.
NOTICE_HEADER = "SmartGift-Notice"

_SALT = "wagtail_smartgift.voucher_field"
_NOTICE_SALT = "wagtail_smartgift.notice"
#: Seconds after which what came of a form is no news.
_NEWS = 300

#: What a form came to, if it came to what was wanted.
ADDED, CHANGED, REMOVED, RENEWED = "added", "changed", "removed", "renewed"
#: Renewed, but it covers less than before.
FELL = "fell"
EXPIRED = "session_expired"
_UNAVAILABLE = "smartgift_unavailable"

_GOOD_NEWS: Mapping[str, str | Promise] = {
    ADDED: _("Your voucher was added."),
    CHANGED: _("Your voucher was changed."),
    REMOVED: _("Your voucher was removed. Nothing was taken from it."),
    RENEWED: _("Your voucher is kept for you."),
}
_BAD_NEWS: Mapping[str, str | Promise] = {
    EXPIRED: _("This page was open for too long. Please enter the number once more."),
    FELL: _(
        "Your voucher is kept for you, but it holds less than before. Look at what is "
        "left to pay now."
    ),
}
#: What the customer can do next, where the field knows better than ``error.advice``: by
#: code, or by what was wanted and the code.
_REFUSALS: Mapping[str | tuple[str, str], str | Promise] = {
    "not_found": _("This voucher is no longer part of the payment."),
    "invalid": _("Enter the number as it is printed on the voucher."),
    (RENEWED, "voucher_held"): _(
        "Somebody else was faster: this voucher is in use elsewhere until %(time)s. It "
        "stays in your payment and is asked for again when you pay. You can wait until "
        "then, or remove it."
    ),
    (RENEWED, "voucher_not_usable"): _(
        "This voucher can no longer be used. Look at what is left to pay now: add "
        "another voucher, or pay it another way."
    ),
    (CHANGED, "voucher_not_usable"): _(
        "This voucher can no longer be used. Look at what is left to pay now: add "
        "another voucher, or pay it another way."
    ),
}
#: Codes that are about what was typed as the number.
_ABOUT_NUMBER = {"voucher_not_usable", "voucher_held", "invalid"}
#: Seconds that a form waits for its place in the quota anyway: no reason to pause.
_SOON = 2.0

_BUSY = "busy"
#: Why no voucher can be added now, and what the customer can do.
_PAUSES: Mapping[str, str | Promise] = {
    _UNAVAILABLE: _(
        "Gift vouchers cannot be added at the moment, because they cannot be checked. "
        "Load this page again after %(time)s, or pay another way now."
    ),
    _BUSY: _(
        "Gift vouchers cannot be added at the moment, because many customers use them "
        "right now. Load this page again after %(time)s, or pay another way now."
    ),
}


@dataclass(frozen=True)
class Pause:
    """Why the field takes no voucher now, and when it may again."""

    #: The documented code that a form would be refused with.
    code: str
    until: datetime

    @property
    def message(self) -> str:
        return str(_PAUSES[self.code]) % {"time": whole_minute(self.until)}


def pause_of(session: Session) -> Pause | None:
    """Tell whether vouchers are paused for a payment, without asking Smart Gift.

    They are while Smart Gift does not answer, while its quota has no place for a
    customer, and while the payment cannot be worked on with the settings as they are.
    What is in the payment already stays, and can be taken out.
    """
    row = PaymentSession.objects.filter(pk=session.id).first()
    account = get_conf().accounts.get(row.account) if row is not None else None
    if row is None or account is None or not row.is_bound_to(account):
        return _pause(_UNAVAILABLE, WAIT)
    if not keycheck.is_ours():
        return _pause(_UNAVAILABLE, WAIT)
    quota = budget.status(account)
    wait = quota.waits[Lane.CHECKOUT]
    if quota.breaker is budget.BreakerState.OPEN:
        return _pause(_UNAVAILABLE, wait)
    # After the pause of an open breaker the next one is let through, to see.
    return _pause(_BUSY, wait) if wait > _SOON else None


def _pause(code: str, seconds: float) -> Pause:
    return Pause(code=code, until=timezone.now() + timedelta(seconds=seconds))


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


def leave_notice(request: HttpRequest, reference: str, code: str) -> str | None:
    """Keep for the next page what came of a form.

    Returns the word by which the script tells its own page; None where it waits in the
    session. It is lost where there is neither.
    """
    good = code in _GOOD_NEWS
    text = _GOOD_NEWS[code] if good else _BAD_NEWS[code]
    return _leave(
        request,
        {"reference": reference, "code": code, "good": good, "message": str(text)},
    )


def leave_refusal(
    request: HttpRequest, reference: str, error: PaymentError, *, wanted: str
) -> str | None:
    """Keep for the next page why a form came to nothing, and what to do next.

    ``wanted`` is the notice that it would have come to. Returns what ``leave_notice``
    does.
    """
    words = _REFUSALS.get((wanted, error.code)) or _REFUSALS.get(error.code)
    if error.fields or error.is_ours or words is None:
        # Of a field they are our own words: they never hold what was typed into it.
        message = error.advice
    else:
        message = str(words) % {"time": minute_after(error.retry_after)}
    notice: dict[str, object] = {
        "reference": reference,
        "code": error.code,
        "good": False,
        "message": message,
    }
    if "amount" in error.fields:
        notice["about_amount"] = _voucher_of(request)
    if wanted == ADDED:
        notice["about_number"] = (
            error.code in _ABOUT_NUMBER
            and next(iter(error.fields), "voucher_no") == "voucher_no"
        )
        if error.code == "voucher_held":
            # For the script, which asks once more when that hold is over.
            end = timezone.now() + timedelta(seconds=error.retry_after or WAIT)
            notice["retry_at"] = end.isoformat()
    return _leave(request, notice)


def _voucher_of(request: HttpRequest) -> str:
    """Return the id of the redemption that a form is about; ``new`` for another voucher."""
    try:
        return str(UUID(request.POST.get("redemption", "")))
    except ValueError:
        return "new"


def _leave(request: HttpRequest, notice: Mapping[str, object]) -> str | None:
    if NOTICE_HEADER in request.headers:
        return signing.dumps(dict(notice), salt=_NOTICE_SALT, compress=True)
    session: Any = getattr(request, "session", None)
    if session is not None:
        session[NOTICE] = dict(notice)
    return None


def take_notice(request: HttpRequest, reference: str) -> dict[str, Any] | None:
    """Return what the last form about this payment came to, once.

    The script's reading brings what it is to be told of, and leaves alone what waits in
    the session: that is for the page that a plain form comes back to.
    """
    word = request.headers.get(NOTICE_HEADER)
    if word is not None:
        try:
            kept = signing.loads(word, salt=_NOTICE_SALT, max_age=_NEWS)
        except signing.BadSignature:
            return None
        return kept if kept["reference"] == reference else None
    session: Any = getattr(request, "session", None)
    kept = session.get(NOTICE) if session is not None else None
    if not isinstance(kept, Mapping) or kept.get("reference") != reference:
        return None
    del session[NOTICE]
    # One that an earlier version left has no words.
    return dict(kept) if "message" in kept else None
