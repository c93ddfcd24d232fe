"""Making a ``NinjaAPI`` fit for our routers, and putting it among a host's addresses.

Routers carry their operations and our envelope with them, but neither exception
handlers nor the reading of bodies: ``install`` brings those, also to a host's own API,
whose other calls stay as they were.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from wagtail_smartgift.api import describing, envelope, errors
from wagtail_smartgift.api.reading import StrictParser
from wagtail_smartgift.exceptions import SmartGiftPluginError


Handler = Callable[[HttpRequest, Any], HttpResponse]
View = Callable[..., HttpResponse]

_HANDLERS: dict[type[Exception], Handler] = {
    ValidationError: errors.invalid,
    HttpError: errors.http_error,
    Http404: errors.not_found,
    SuspiciousOperation: errors.suspicious,
    ImproperlyConfigured: errors.misconfigured,
}


def install(api: NinjaAPI) -> None:
    """Make our calls in ``api`` answer as documented, and describe themselves so.

    Call it after the host's own exception handlers are added: what they answer to the
    host's own calls stays as it is. ``PaymentError`` and ``SaleError`` become problem
    documents wherever they are raised.
    """
    refused: Handler = errors.refused
    api.add_exception_handler(SmartGiftPluginError, refused)
    before = dict(api._exception_handlers)
    for error, handler in _HANDLERS.items():
        others = next(before[kind] for kind in error.__mro__ if kind in before)
        api.add_exception_handler(error, _ours(handler, others))
    # A more particular handler of the host's would be found before ours.
    for kind, others in before.items():
        for error, handler in _HANDLERS.items():
            if kind is not error and issubclass(kind, error):
                api.add_exception_handler(kind, _ours(handler, others))
    api.parser = StrictParser(api.parser)
    describing.install(api)


def _ours(handler: Handler, others: Handler) -> Handler:
    def handle(request: HttpRequest, error: Any) -> HttpResponse:
        ours = envelope.is_ours(request)
        return handler(request, error) if ours else others(request, error)

    return handle


def urls(api: NinjaAPI) -> tuple[list[Any], str, str]:
    """Return the addresses of an API that has nothing but our routers in it.

    Like ``api.urls``, and keeps a host's settings from standing in the way:
    ``ATOMIC_REQUESTS`` is off, since money is committed step by step, and a middleware
    that wants a login does not send a till to a login page. ``HEAD`` is answered
    wherever ``GET`` is, and a method or an address that there is not by a problem
    document.
    """
    patterns, app, namespace = api.urls
    for pattern in patterns:
        callback: Any = pattern.callback
        view = _complete(callback)
        pattern.callback = login_not_required(transaction.non_atomic_requests(view))
    return patterns, app, namespace.rpartition(":")[2]


def _complete(view: View) -> View:
    @wraps(view)
    def call(request: HttpRequest, **path: Any) -> HttpResponse:
        if request.method == "HEAD":
            return _without_body(call, request, path)
        try:
            response = view(request, **path)
        except Http404:
            return nothing_here(request)
        if response.status_code != 405:
            return response
        allowed = response.get("Allow", "").split(", ")
        if "GET" in allowed:
            allowed.append("HEAD")
        return envelope.enveloped(lambda request: errors.wrong_method(allowed))(request)

    return call


def _without_body(
    view: View, request: HttpRequest, path: dict[str, Any]
) -> HttpResponse:
    request.method = "GET"
    try:
        response = view(request, **path)
    finally:
        request.method = "HEAD"
    if response.status_code == 405:
        return response
    response.headers.setdefault("Content-Length", str(len(response.content)))
    response.content = b""
    return response


#: What stands where there is no call.
nothing_here = envelope.enveloped(lambda request, **path: errors.not_found(request))
