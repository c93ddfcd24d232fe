"""What goes for every call: the customer's language, and no copies in caches.

The wrapper is the routers' own, so that it is there too where a host mounts them in
an API of its own.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from ninja import Router

from wagtail_smartgift.api import errors


Run = Callable[..., HttpResponse]


def wrap(router: Router) -> None:
    """Put every operation of a router into the envelope."""
    router.add_decorator(enveloped, mode="view")


def is_ours(request: HttpRequest) -> bool:
    """Tell whether a request is one of our calls, in an API that has others, too."""
    return getattr(request, "is_smartgift_call", False)


def enveloped(run: Run) -> Run:
    """Put one call into the envelope."""

    @wraps(run)
    def call(request: HttpRequest, **path: Any) -> HttpResponse:
        request.is_smartgift_call = True  # type: ignore[attr-defined]
        with translation.override(_language(request)):
            try:
                response = run(request, **path)
            except ImproperlyConfigured as error:
                # Of what ninja asks before it runs the call, such as a throttle.
                response = errors.misconfigured(request, error)
            response.headers.setdefault("Content-Language", translation.get_language())
        patch_vary_headers(response, ["Accept-Language"])
        # What is said about a voucher or a payment is true for a moment only.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return call


def _language(request: HttpRequest) -> str:
    """Return what ``LocaleMiddleware`` chose; without it, choose in the same way."""
    chosen = getattr(request, "LANGUAGE_CODE", None)
    return str(chosen or translation.get_language_from_request(request))
