"""What the forms of the voucher field are sent to.

Each does one thing to one payment and goes back to the page it came from. They need
no login and no cookie of ours: the signed word that the field puts into its forms says
which payment, and Django's CSRF check says from where. The number of a voucher is in
no address, no message and no error report.
"""

from collections.abc import Callable
from functools import wraps
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.debug import SafeExceptionReporterFilter
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.decorators.http import require_POST

from wagtail_smartgift import payments, voucher_field
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.redaction import Secret


Step = Callable[[HttpRequest, str], str]


class AlwaysActive(SafeExceptionReporterFilter):
    """Keeps what was typed out of error pages, Django's debug page included."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True


def _form_target(step: Step) -> Callable[[HttpRequest], HttpResponse]:
    """Make a view of a step: find the payment, do it, tell, go back.

    ``step`` gets the reference of the payment and returns the notice.
    """

    # Not atomic: a payment commits what it is about to do before it asks Smart Gift.
    @transaction.non_atomic_requests
    @login_not_required
    @never_cache
    @sensitive_post_parameters()
    @csrf_protect
    @require_POST
    @wraps(step)
    def view(request: HttpRequest) -> HttpResponse:
        request.exception_reporter_filter = AlwaysActive()  # Django's own place for it
        try:
            reference, good = voucher_field.reference_in(
                request.POST.get("session", "")
            )
        except signing.BadSignature:
            raise SuspiciousOperation("A voucher form with a forged session.") from None
        if not good:
            voucher_field.leave_notice(request, reference, voucher_field.EXPIRED)
            return _back(request)
        try:
            voucher_field.leave_notice(request, reference, step(request, reference))
        except PaymentError as error:
            voucher_field.leave_refusal(request, reference, error)
        return _back(request)

    return view


@_form_target
@sensitive_variables()
def add_voucher(request: HttpRequest, reference: str) -> str:
    """Hold the voucher of the number that was typed."""
    payments.add_voucher(
        reference=reference,
        voucher_no=request.POST.get("voucher_no", ""),
        amount=_amount(request),
    )
    return voucher_field.ADDED


@_form_target
def change_voucher(request: HttpRequest, reference: str) -> str:
    """Take no more than an amount from a voucher, or other experiences of it."""
    experiences = [
        int(bit)
        for bit in request.POST.getlist("experiences")
        # Bit values are small; the text of a huge number is slow to read.
        if bit.isdecimal() and len(bit) < 19
    ]
    if "choose" in request.POST and not experiences:
        raise PaymentError(
            "invalid", fields={"experiences": _("Choose at least one experience.")}
        )
    payments.change_voucher(
        reference=reference,
        redemption_id=_redemption(request),
        amount=_amount(request),
        experiences=experiences or None,
    )
    return voucher_field.CHANGED


@_form_target
def remove_voucher(request: HttpRequest, reference: str) -> str:
    """Give a voucher back."""
    payments.remove_voucher(reference=reference, redemption_id=_redemption(request))
    return voucher_field.REMOVED


def _amount(request: HttpRequest) -> str | None:
    """Read what people type for an amount: ``£ 12,50`` is 12.50."""
    # Somebody may have typed the voucher's number here.
    typed = Secret("".join(request.POST.get("amount", "").split()).lstrip("£€$"))
    return Secret(typed.replace(",", ".")) or None


def _redemption(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("redemption", ""))
    except ValueError:
        raise PaymentError("not_found") from None


def _back(request: HttpRequest) -> HttpResponse:
    """Go back to the page of the form, if it is a page of this host."""
    target = request.POST.get("next", "")
    if (
        not url_has_allowed_host_and_scheme(
            target,
            allowed_hosts={request.get_host()},
            require_https=request.is_secure(),
        )
        or not target.isprintable()
    ):
        target = "/"
    address = iri_to_uri(f"{target.partition('#')[0]}#{voucher_field.ANCHOR}")
    # 303: a reload of the page that follows sends nothing again.
    response = HttpResponse(status=303)
    response["Location"] = address
    return response
