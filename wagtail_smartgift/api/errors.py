"""RFC 9457 problem documents: every error of the API, in one place.

Nothing internal gets out: no provider text, no voucher number, no stack trace. The
``code`` is stable and documented; ``detail`` is in the customer's language.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from wagtail_smartgift.exceptions import ERROR_CODES, SmartGiftPluginError


CONTENT_TYPE = "application/problem+json"
#: A tag URI (RFC 4151): a name for the kind of problem, not an address.
TYPE = "tag:wagtail-smartgift,2026:{code}"


def problem(
    code: str,
    *,
    detail: object = None,
    fields: Mapping[str, object] | None = None,
    retry_after: float | None = None,
) -> HttpResponse:
    """Build the answer for one of the documented codes."""
    status, title = ERROR_CODES[code]
    body: dict[str, Any] = {
        "type": TYPE.format(code=code),
        "title": str(title),
        "status": status,
        "detail": str(title if detail is None else detail),
        "code": code,
    }
    if fields:
        body["errors"] = [
            {"field": name, "message": str(message)} for name, message in fields.items()
        ]
    response = JsonResponse(body, status=status, content_type=CONTENT_TYPE)
    if retry_after is not None:
        response["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def install(api: NinjaAPI) -> None:
    """Make a ``NinjaAPI`` answer errors as problem documents."""
    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        SmartGiftPluginError: _refused,
        AuthenticationError: _unauthenticated,
        ValidationError: _invalid,
        Http404: _not_found,
        HttpError: _http_error,
    }
    for error, handler in handlers.items():
        api.add_exception_handler(error, handler)


def document(described: Any) -> None:
    """Say in an OpenAPI document that problems come as problem documents.

    Ninja knows one content type for all answers.
    """
    for methods in described["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                plain = content.get("application/json", {})
                if plain.get("schema", {}).get("$ref", "").endswith("/ProblemOut"):
                    response["content"] = {CONTENT_TYPE: plain}


def _refused(request: HttpRequest, error: SmartGiftPluginError) -> HttpResponse:
    return problem(
        error.code,
        detail=error.message,
        fields=error.fields,
        retry_after=error.retry_after,
    )


def _unauthenticated(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    return problem("unauthenticated")


def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem("not_found")


def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    # Ninja raises it for a body that is no JSON.
    return problem("malformed")


def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    if any(item["loc"][:1] == ("path",) for item in error.errors):
        # An id that cannot be one names nothing.
        return problem("not_found")
    return problem("invalid", fields=dict(_field(item) for item in error.errors))


def _field(item: Mapping[str, Any]) -> tuple[str, str]:
    return _path(item["loc"]), message_for(item)


def _path(loc: Sequence[object]) -> str:
    """Write ``("body", "data", "items", 0, "price")`` as ``items.0.price``."""
    parts = [str(part) for part in loc if part not in {"body", "query", "data"}]
    return ".".join(parts) or "body"


def message_for(item: Mapping[str, Any]) -> str:
    """Say what is wrong with a field, in none of pydantic's words."""
    match item["type"]:
        case "missing":
            return _("This field is required.")
        case "extra_forbidden":
            return _("This field is not known.")
        case "value_error":
            return str(item.get("ctx", {}).get("error", _("This value is not valid.")))
        case _:
            return _("This value is not valid.")
