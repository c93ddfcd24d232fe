"""The page that tells a visitor what is left on a voucher.

The number comes in the body of a POST and is in nothing that goes out: no address, no
page, no session, no cache, no error report. So the answer is the page itself and not a
redirect to it. Guesses are counted as the API's are, by ``services.guessing``.
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift.exceptions import WAIT, PaymentError, minute_after
from wagtail_smartgift.services import balance
from wagtail_smartgift.views.bearing import bears_numbers
from wagtail_smartgift.visitors import client_of


#: What a visitor can do next. ``%(time)s`` is a time of day.
_MESSAGES: Mapping[str, str | Promise] = {
    "invalid": _("Enter the number as it is printed on the voucher."),
    "voucher_not_usable": _(
        "There is nothing to be used here on a voucher of this number. Check the "
        "number, its capital and small letters included."
    ),
    "throttled": _("There were too many attempts. Try again after %(time)s."),
    "busy": _("Vouchers are busy at the moment. Try again after %(time)s."),
    "smartgift_unavailable": _(
        "Vouchers cannot be looked at at the moment. Try again in a few minutes."
    ),
}


@bears_numbers(["GET", "HEAD", "POST"])
def check_balance(request: HttpRequest) -> HttpResponse:
    """Ask for a number; say what is left on the voucher of the one that was sent."""
    if request.method != "POST":
        return _page(request)
    try:
        found = balance.look_up(
            voucher_no=request.POST.get("voucher_no", ""),
            site=Site.find_for_request(request),
            client=client_of(request),
        )
    except PaymentError as error:
        return _refuse(request, error)
    return _page(request, found=found)


def _refuse(request: HttpRequest, error: PaymentError) -> HttpResponse:
    message = _MESSAGES.get(error.code, _MESSAGES["smartgift_unavailable"])
    response = _page(
        request, refused=str(message) % {"time": minute_after(error.retry_after)}
    )
    if error.status in {429, 503}:
        response.status_code = error.status
        response.headers["Retry-After"] = str(int(error.retry_after or WAIT) + 1)
    return response


def _page(request: HttpRequest, **context: Any) -> HttpResponse:
    response = TemplateResponse(
        request,
        "wagtail_smartgift/balance_page.html",
        {"found": None, "refused": "", "noindex": True, **context},
    )
    response.headers["X-Robots-Tag"] = "noindex"
    # An answer is nobody else's, and the next page is not told where it came from.
    response.headers["Referrer-Policy"] = "same-origin"
    return response
