"""What the forms of the voucher field are sent to.

Each does one thing to one payment and goes back to the page it came from, or, asked by
the script, says what came of it and leaves reading the page to the script. They need
no login and no cookie of ours: the signed word that the field puts into its forms says
which payment, and Django's CSRF check says from where. The number of a voucher is in
no address, no message and no error report.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import wraps
from uuid import UUID

from django.core import signing
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import iri_to_uri
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift import payments, voucher_field
from wagtail_smartgift.amounts import read_amount
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.services import payments as verbs
from wagtail_smartgift.views.bearing import bears_numbers


#: Does what a form wants of a payment, given its reference. Returns the notice where it
#: is another one than the form's own.
Step = Callable[[HttpRequest, str], str | None]
View = Callable[[HttpRequest], HttpResponse]


def _form_target(wanted: str) -> Callable[[Step], View]:
    """Make a view of a step: find the payment, do it, tell, go back.

    ``wanted`` is the notice that it comes to.
    """

    def decorate(step: Step) -> View:
        @bears_numbers(["POST"])
        @wraps(step)
        def view(request: HttpRequest) -> HttpResponse:
            word = _do(step, request, wanted)
            if word is None:
                return _back(request)
            return HttpResponse(status=204, headers={voucher_field.NOTICE_HEADER: word})

        return view

    return decorate


def _do(step: Step, request: HttpRequest, wanted: str) -> str | None:
    """Do it, and return the word that the script is told by, if it asks."""
    try:
        reference, good = voucher_field.reference_in(request.POST.get("session", ""))
    except signing.BadSignature:
        raise SuspiciousOperation("A voucher form with a forged session.") from None
    if not good:
        return voucher_field.leave_notice(request, reference, voucher_field.EXPIRED)
    try:
        notice = step(request, reference) or wanted
    except PaymentError as error:
        return voucher_field.leave_refusal(request, reference, error, wanted=wanted)
    return voucher_field.leave_notice(request, reference, notice)


@_form_target(voucher_field.ADDED)
def add_voucher(request: HttpRequest, reference: str) -> None:
    """Hold the voucher of the number that was typed."""
    payments.add_voucher(
        reference=reference,
        voucher_no=request.POST.get("voucher_no", ""),
        amount=_amount(request),
    )


@_form_target(voucher_field.CHANGED)
def change_voucher(request: HttpRequest, reference: str) -> None:
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


@_form_target(voucher_field.RENEWED)
def renew_hold(request: HttpRequest, reference: str) -> str | None:
    """Keep a voucher for longer: the customer has pressed the button for it."""
    renewed = verbs.renew_hold(reference=reference, redemption_id=_redemption(request))
    return voucher_field.FELL if renewed.fell else None


@_form_target(voucher_field.REMOVED)
def remove_voucher(request: HttpRequest, reference: str) -> None:
    """Give a voucher back."""
    payments.remove_voucher(reference=reference, redemption_id=_redemption(request))


def _amount(request: HttpRequest) -> Decimal | str | None:
    """Read what people type for an amount; what is none is refused by the payment."""
    # Somebody may have typed the voucher's number here.
    typed = Secret(request.POST.get("amount", "").strip())
    if not typed:
        return None
    try:
        return read_amount(typed)
    except ValueError:
        return typed


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
