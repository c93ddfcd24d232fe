"""What the OpenAPI description says besides the schemas: every error, with an example.

An operation names the codes that it can answer (``answers``); what they mean, and an
example of each, is written out when the description is asked for, so that the one
table in ``exceptions`` stays the only place where a code is defined.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import translation
from ninja import NinjaAPI

from wagtail_smartgift.api import errors, outgoing
from wagtail_smartgift.api.auth import ServerKeyAuth, SessionSecretAuth
from wagtail_smartgift.api.schemas import ProblemOut
from wagtail_smartgift.api.signature import ShopSignature
from wagtail_smartgift.exceptions import ERROR_CODES


#: Under this name an operation's codes travel with it until they are written out.
_CODES = "x-codes"

#: What can go wrong with any request that has a query or a body.
READ = ("malformed", "invalid")
#: What an ``Idempotency-Key`` can lead to.
KEYED = ("malformed", "idempotency_conflict", "in_progress")
#: What a call that asks Smart Gift may come back with.
ASKED = ("busy", "smartgift_unavailable")

_RETRY_AFTER = {
    "description": "Seconds after which asking again makes sense.",
    "schema": {"type": "integer", "minimum": 1},
}
#: What a 401 asks for, by the name of what opens the call.
_CHALLENGES = {
    auth.__name__: auth.challenge
    for auth in (SessionSecretAuth, ServerKeyAuth, ShopSignature)
}
_ALWAYS_LATER = {429, 503}


def answers(
    final: Mapping[int, Any],
    *codes: str,
    says: Mapping[int, str] | None = None,
    headers: Mapping[int, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return ``response`` and ``openapi_extra`` of an operation.

    ``final`` are its answers that are no errors, ``codes`` the errors; ``says`` tells
    what the former mean, ``headers`` which headers they have.
    """
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in dict.fromkeys(codes):
        by_status[ERROR_CODES[code][0]].append(code)
    described: dict[int, dict[str, Any]] = {
        status: {_CODES: named} for status, named in by_status.items()
    }
    for status, text in (says or {}).items():
        described.setdefault(status, {})["description"] = text
    for status, known in (headers or {}).items():
        described.setdefault(status, {})["headers"] = dict(known)
    return {
        "response": {**final, **dict.fromkeys(sorted(by_status), ProblemOut)},
        "openapi_extra": {"responses": described},
    }


def install(api: NinjaAPI) -> None:
    """Have ``api`` write our errors out when it describes itself."""
    describe = api.get_openapi_schema

    def described(**options: Any) -> Any:
        document = describe(**options)
        # The description is the developers', whoever asks for it.
        with translation.override(None):
            _write_out(document)
            outgoing.document(document)
        return document

    api.get_openapi_schema = described  # type: ignore[method-assign]


def _write_out(document: Any) -> None:
    for methods in document["paths"].values():
        for operation in methods.values():
            # Ninja hands out the operation's own dictionaries: not to be changed.
            openers = [name for way in operation.get("security", ()) for name in way]
            operation["responses"] = {
                status: _problem(status, response, openers)
                if _CODES in response
                else response
                for status, response in operation["responses"].items()
            }


def _problem(
    status: int, response: Mapping[str, Any], openers: Sequence[str]
) -> dict[str, Any]:
    codes = response[_CODES]
    schema = next(iter(response["content"].values()))["schema"]
    headers = {}
    if status in _ALWAYS_LATER or "voucher_held" in codes:
        headers["Retry-After"] = _RETRY_AFTER
    if status == 401:
        headers["WWW-Authenticate"] = _authenticate(openers)
    lines = [f"- `{code}`: {ERROR_CODES[code][1]}" for code in codes]
    return {
        "description": "\n".join(lines),
        **({"headers": headers} if headers else {}),
        "content": {
            errors.CONTENT_TYPE: {
                "schema": {
                    "allOf": [schema],
                    "properties": {"code": {"enum": list(codes)}},
                },
                "examples": {code: {"value": _example(code)} for code in codes},
            }
        },
    }


def _authenticate(openers: Sequence[str]) -> dict[str, Any]:
    challenge = next(
        (_CHALLENGES[name] for name in openers if name in _CHALLENGES), errors.BEARER
    )
    return {
        "description": f"Always `{challenge}`.",
        "schema": {"type": "string", "const": challenge},
    }


def _example(code: str) -> dict[str, Any]:
    status, title = ERROR_CODES[code]
    example: dict[str, Any] = {
        "type": errors.TYPE.format(code=code),
        "title": str(title),
        "status": status,
        "detail": str(title),
        "code": code,
    }
    if code == "invalid":
        example["errors"] = [
            {"field": "items.0.price", "message": "This field is required."}
        ]
    return example
