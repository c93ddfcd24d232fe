"""``Idempotency-Key``: a request that is sent twice is done once.

``@idempotent`` under a router's decorator wraps the whole operation, its validation
included, so that every final answer is kept. Who calls is found out first: a stored
answer is for the caller that it was given to. What is kept, and for how long, is
decided in ``services.answers``.
"""

import hashlib
import hmac
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from ninja.decorators import decorate_view
from ninja.operation import Operation
from ninja.utils import contribute_operation_callback

from wagtail_smartgift.api.auth import token_of
from wagtail_smartgift.api.reading import is_too_long, is_unprivileged
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.services import answers, guessing
from wagtail_smartgift.visitors import client_of


HEADER = "Idempotency-Key"
#: Tells a stored answer from a fresh one.
REPLAYED = "Idempotent-Replayed"

_PARAMETER = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 64,
        # Printable ASCII, and not blanks alone.
        "pattern": r"^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$",
    },
    "description": (
        "A word of the caller's for this very request, kept for 24 hours for each "
        "credential and path. The same request again is answered as the first time, "
        f"with `{REPLAYED}: true`; with another body it is refused "
        "(`idempotency_conflict`), and so is a second one while the first is being "
        "worked on (`in_progress`). Answers that are not final (202, 401, 409, 429, "
        "5xx) are not kept."
    ),
    "example": "4e7bd1a0-refund-7",
}

View = TypeVar("View", bound=Callable[..., Any])
Run = Callable[..., HttpResponse]


def idempotent(view: View) -> View:
    """Let an operation be repeated under an Idempotency-Key."""
    contribute_operation_callback(view, _document)
    decorated: View = decorate_view(_once)(view)
    return decorated


def claim_of(request: HttpRequest) -> answers.Claim | None:
    """Return the request's claim on its key; None where it has none."""
    return getattr(request, "smartgift_claim", None)


def _document(operation: Operation) -> None:
    extra = operation.openapi_extra or {}
    parameters = [*extra.get("parameters", []), _PARAMETER]
    operation.openapi_extra = {**extra, "parameters": parameters}


def _once(run: Run) -> Run:
    # Ninja clones operations for each API that a router is mounted in.
    operation: Operation = inspect.unwrap(run).__self__

    @wraps(run)
    def guarded(request: HttpRequest, **path: Any) -> HttpResponse:
        key = request.headers.get(HEADER)
        if key is None or (caller := _caller(operation, request)) is None:
            return run(request, **path)
        try:
            if is_unprivileged(caller.who):
                # Before anything is read or stored for them.
                if is_too_long(request):
                    raise RequestDataTooBig
                guessing.have_answer_kept(caller.name)
            claimed = answers.claim(
                caller=caller.credential,
                path=request.path,
                key=key,
                body=request.body,
                query=request.META.get("QUERY_STRING", ""),
            )
        except (PaymentError, SuspiciousOperation) as error:
            refusal: HttpResponse = operation.api.on_exception(request, error)
            return refusal
        if isinstance(claimed, answers.Answer):
            return _replay(claimed)
        request.smartgift_claim = claimed  # type: ignore[attr-defined]
        try:
            response = run(request, **path)
        except BaseException:
            # A worker that is told to stop says so by an exception, too.
            answers.free(claimed)
            raise
        answers.settle(claimed, _answer(response))
        return response

    return guarded


def _answer(response: HttpResponse) -> answers.Answer:
    return answers.Answer(
        status=response.status_code,
        content_type=response["Content-Type"],
        body=response.content.decode(),
        language=translation.get_language(),
    )


@dataclass(frozen=True)
class _Caller:
    #: Whom authentication found: None is a stranger.
    who: object
    #: By which requests are counted.
    name: str
    #: What keys belong to.
    credential: str


def _caller(operation: Operation, request: HttpRequest) -> _Caller | None:
    """Return what tells this caller from others; None if it may not call at all.

    Then the operation is run without a key, and refuses in its own words. Who needs no
    credential is known by the network address alone.
    """
    if not operation.auth_callbacks:
        name = f"client {client_of(request)}"
        return _Caller(who=None, name=name, credential=_keyed(name))
    for authenticate in operation.auth_callbacks:
        try:
            who = authenticate(request)
        except Exception:  # noqa: BLE001 - whatever a host's own class raises
            return None
        if who and not inspect.isawaitable(who):
            # The credential itself: a session has several, and so has the server.
            name = str(getattr(who, "pk", who))
            credential = token_of(request) or _keyed(name)
            return _Caller(who=who, name=name, credential=credential)
    return None


def _keyed(name: str) -> str:
    """Return what only this shop can make of a name that others know.

    A number in a body could be found by trying them all, if what its digest is keyed
    with were a network address.
    """
    message = f"caller\0{name}".encode()
    return hmac.new(get_conf().fingerprint_key, message, hashlib.sha256).hexdigest()


def _replay(answer: answers.Answer) -> HttpResponse:
    response = HttpResponse(
        answer.body, status=answer.status, content_type=answer.content_type
    )
    response[REPLAYED] = "true"
    # Its words are in the language of the first time.
    response["Content-Language"] = answer.language
    return response
