"""The page that tells a visitor what is left on a voucher.

The number comes in the body of a POST and is in nothing that goes out: no address, no
page, no session, no cache, no error report. So the answer is the page itself and not a
redirect to it. Guesses are counted as the API's are, by ``services.guessing``.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.decorators.http import require_http_methods
from wagtail.models import Site

from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.services import balance
from wagtail_smartgift.views.checkout import AlwaysActive
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
#: Seconds to wait where nobody said how long.
_WAIT = 60


# Not atomic: a guess is counted before Smart Gift is asked, and stays counted.
@transaction.non_atomic_requests
@login_not_required
@never_cache
@sensitive_post_parameters()
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables()
def check_balance(request: HttpRequest) -> HttpResponse:
    """Ask for a number; say what is left on the voucher of the one that was sent."""
    request.exception_reporter_filter = AlwaysActive()  # Django's own place for it
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
    wait = error.retry_after or _WAIT
    # The whole minute after it, so that nobody comes back too early.
    again = timezone.localtime(timezone.now() + timedelta(seconds=wait + 59))
    message = _MESSAGES.get(error.code, _MESSAGES["smartgift_unavailable"])
    response = _page(
        request, refused=str(message) % {"time": time_format(again, "H:i")}
    )
    if error.status in {429, 503}:
        response.status_code = error.status
        response.headers["Retry-After"] = str(int(wait) + 1)
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
