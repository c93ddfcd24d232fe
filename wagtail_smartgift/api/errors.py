"""RFC 9457 problem documents: every error of the API, in one place.

Nothing internal gets out: no provider text, no voucher number, no stack trace. The
``code`` is stable and documented; ``detail`` is in the customer's language.
"""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from ninja.errors import HttpError, Throttled, ValidationError

from wagtail_smartgift.api.reading import TOO_LARGE, Unreadable
from wagtail_smartgift.codes import display_code
from wagtail_smartgift.exceptions import ERROR_CODES, PaymentError, SmartGiftPluginError


logger = logging.getLogger(__name__)

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
#: What a 401 asks for where nothing else is said; a scheme of HTTP authentication.
BEARER = "Bearer"
#: Fields that one answer names; a body of a megabyte of nonsense gets no more.
MOST_FIELDS = 50
#: A name as ours are: ``voucher_no``, ``address1``, and as other programs write them.
_LIKE_A_NAME = re.compile(r"[a-z][A-Za-z_]{0,30}[0-9]?", re.ASCII)
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
    challenge: str = BEARER,
) -> HttpResponse:
    """Build the answer for one of the documented codes.

    ``challenge`` is what a 401 asks for, as HTTP wants it (RFC 9110, 11.6.1).
    """
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
        response["WWW-Authenticate"] = challenge
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
    retry_after = error.retry_after
    if error.code == "voucher_held" and retry_after is not None:
        # A hold whose answer was lost is reckoned to last some seconds more, from when
        # it was asked for; nobody is told of more than a hold.
        retry_after = min(retry_after, RETRY_AFTER["voucher_held"])
    return problem(
        error.code,
        detail=_detail(request, error),
        fields=error.fields,
        retry_after=retry_after,
        challenge=_challenge(request),
    )


def _detail(request: HttpRequest, error: SmartGiftPluginError) -> str:
    """Say what a customer can do next; to a shop's server, what happened."""
    for_server = getattr(request, "smartgift_for_server", False)
    return str(error.message) if for_server else error.advice


def _challenge(request: HttpRequest) -> str:
    """Return what the call's authentication asks for, if it said so."""
    return getattr(request, "smartgift_challenge", BEARER)


def misconfigured(request: HttpRequest, error: ImproperlyConfigured) -> HttpResponse:
    """Answer for a shop whose settings do not work: its developers read why in the log."""
    logger.error("The settings of wagtail-smartgift do not work.", exc_info=error)
    return problem("smartgift_unavailable")


def not_found(request: HttpRequest, error: Exception | None = None) -> HttpResponse:
    return problem("not_found")


def suspicious(request: HttpRequest, error: SuspiciousOperation) -> HttpResponse:
    """Answer what Django itself stopped reading: too long, or too many fields."""
    return problem("malformed", detail=str(TOO_LARGE))


def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Answer what ninja says of a body that is no JSON, or a host of its callers."""
    cause = error.__cause__
    known = _BY_STATUS.get(error.status_code)
    other = "busy" if error.status_code >= 500 else "malformed"
    if isinstance(error, Throttled):
        return refused(request, PaymentError("throttled", retry_after=error.wait))
    return problem(
        known or other,
        status=None if known else error.status_code,
        detail=str(cause) if isinstance(cause, Unreadable) else None,
        challenge=_challenge(request),
    )


def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    if any(item["loc"][:1] == ("path",) for item in error.errors):
        # An id that cannot be one names nothing.
        return problem("not_found")
    # No more are put into words than are told: a body can have very many faults.
    told = islice(error.errors, MOST_FIELDS)
    return problem("invalid", fields=dict(_field(item) for item in told))


def _field(item: Mapping[str, Any]) -> tuple[str, str]:
    loc = item["loc"]
    where = loc[1:] if loc[:1] in {("body",), ("query",)} else loc
    if loc[:2] == ("body", "data"):
        where = loc[2:]
    return path_of({**item, "loc": where}), message_for(item)


def path_of(item: Mapping[str, Any]) -> str:
    """Write ``("items", 0, "price")`` as ``items.0.price``.

    A name that is not known comes from outside. It is repeated where it looks like a
    misspelt one of ours; of anything else no more than the end, since a voucher number
    may have got where a name belongs.
    """
    parts = [
        str(part)
        if isinstance(part, int) or _LIKE_A_NAME.fullmatch(part)
        else display_code(part)
        for part in item["loc"]
    ]
    return ".".join(parts) or "body"


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
