"""Views that voucher numbers come to or go out from, and what they all refuse.

A voucher number is bearer money: it is in no cache and in no error page, and no other
site sends one here. Such a view needs no login, even where the host asks for one
everywhere else.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.views.debug import SafeExceptionReporterFilter
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import (
    sensitive_post_parameters,
    sensitive_variables,
)
from django.views.decorators.http import require_http_methods


View = Callable[..., HttpResponse]


class AlwaysActive(SafeExceptionReporterFilter):
    """Keeps what was typed out of error pages, Django's debug page included."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True


def bears_numbers(methods: Sequence[str]) -> Callable[[View], View]:
    """Make a view of a function that meets voucher numbers, for these HTTP methods."""

    def decorate(function: View) -> View:
        # Not atomic: what is about to be done, or a guess that is counted, is committed
        # before Smart Gift is asked, and stays.
        @transaction.non_atomic_requests
        @login_not_required
        @never_cache
        @sensitive_post_parameters()
        @csrf_protect
        @require_http_methods(methods)
        @sensitive_variables()
        @wraps(function)
        def view(request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
            # Django's own place for it.
            request.exception_reporter_filter = AlwaysActive()
            return function(request, *args, **more)

        return view

    return decorate
