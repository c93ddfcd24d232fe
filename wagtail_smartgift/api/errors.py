"""RFC 9457 problem documents: every error of the API, in one place.

Nothing internal gets out: no provider text, no voucher number, no stack trace. The
``code`` is stable and documented; ``detail`` is in the customer's language.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from ninja.errors import HttpError, Throttled, ValidationError

from wagtail_smartgift.api.reading import Unreadable
from wagtail_smartgift.exceptions import ERROR_CODES, SmartGiftPluginError


CONTENT_TYPE = "application/problem+json"
#: A tag URI (RFC 4151): a name for the kind of problem, not an address.
TYPE = "tag:wagtail-smartgift,2026:{code}"
#: Seconds for ``Retry-After`` where nobody knew better: these never go without.
RETRY_AFTER = {
    "voucher_held": 300,
    "throttled": 60,
    "busy": 5,
    "smartgift_unavailable": 30,
}
#: Fields that one answer names; a body of a megabyte of nonsense gets no more.
MOST_FIELDS = 50
#: What an error of ninja's, or of a host's own authentication, comes to here.
_BY_STATUS = {
    400: "malformed",
    401: "unauthenticated",
    403: "unauthenticated",
    404: "not_found",
    429: "throttled",
}


def problem(
    code: str,
    *,
    detail: object = None,
    fields: Mapping[str, object] | None = None,
    retry_after: float | None = None,
    status: int | None = None,
) -> HttpResponse:
    """Build the answer for one of the documented codes."""
    usual, title = ERROR_CODES[code]
    status = status or usual
    body: dict[str, Any] = {
        "type": TYPE.format(code=code),
        "title": str(title),
        "status": status,
        "detail": str(title if detail is None else detail),
        "code": code,
    }
    if fields:
        body["errors"] = [
            {"field": name, "message": str(message)}
            for name, message in list(fields.items())[:MOST_FIELDS]
        ]
    response = JsonResponse(body, status=status, content_type=CONTENT_TYPE)
    if retry_after is None:
        retry_after = RETRY_AFTER.get(code)
    if retry_after is not None:
        response["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def wrong_method(allowed: Sequence[str]) -> HttpResponse:
    """Answer a method that an address does not have.

    HTTP's 405 has no code of its own among ours: whoever sent this has to mend it, as
    with anything else that is ``malformed``.
    """
    response = problem(
        "malformed",
        status=405,
        detail=_("This address does not take requests of this kind."),
    )
    response["Allow"] = ", ".join(allowed)
    return response


# -- from exceptions ----------------------------------------------------------


def refused(request: HttpRequest, error: SmartGiftPluginError) -> HttpResponse:
    return problem(
        error.code,
        detail=error.message,
        fields=error.fields,
        retry_after=error.retry_after,
    )


def not_found(request: HttpRequest, error: Exception | None = None) -> HttpResponse:
    return problem("not_found")


def suspicious(request: HttpRequest, error: SuspiciousOperation) -> HttpResponse:
    """Answer what Django itself stopped reading: too long, or too many fields."""
    return problem("malformed", detail=_("The request is too large."))


def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer what ninja says of a body that is no JSON, or a host of its callers."""
    cause = error.__cause__
    known = _BY_STATUS.get(error.status_code)
    other = "busy" if error.status_code >= 500 else "malformed"
    return problem(
        known or other,
        status=None if known else error.status_code,
        detail=str(cause) if isinstance(cause, Unreadable) else None,
        retry_after=error.wait if isinstance(error, Throttled) else None,
    )


def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    if any(item["loc"][:1] == ("path",) for item in error.errors):
        # An id that cannot be one names nothing.
        return problem("not_found")
    return problem("invalid", fields=dict(_field(item) for item in error.errors))


def _field(item: Mapping[str, Any]) -> tuple[str, str]:
    return _path(item["loc"]), message_for(item)


def _path(loc: Sequence[object]) -> str:
    """Write ``("body", "data", "items", 0, "price")`` as ``items.0.price``."""
    where = loc[1:] if loc[:1] in {("body",), ("query",)} else loc
    if loc[:2] == ("body", "data"):
        where = loc[2:]
    # A name that is not known comes from outside, and may be a text of any length.
    return ".".join(str(part)[:64] for part in where) or "body"


def message_for(item: Mapping[str, Any]) -> str:
    """Say what is wrong with a field, in none of pydantic's words."""
    match item["type"]:
        case "missing":
            return _("This field is required.")
        case "extra_forbidden":
            return _("This field is not known.")
        case "string_type":
            return _("This must be text.")
        case "list_type":
            return _("This must be a list.")
        case "dict_type" | "model_type" | "model_attributes_type":
            return _("This must be an object with named fields.")
        case "value_error":
            return str(item.get("ctx", {}).get("error", _("This value is not valid.")))
        case _:
            return _("This value is not valid.")
