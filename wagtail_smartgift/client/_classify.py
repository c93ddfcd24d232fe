"""What an answer, or the lack of one, means: pure functions, no network, no state.

The rule, for every call alike:

- not applied: 422 and its like, 401, 403, 404, 405, 429, and whatever failed before
  there was a connection to send anything over;
- unknown: everything else. A connection that closes before the server has read looks
  exactly like one that closes after, so neither is ever taken for a no.
"""

import json
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn

from urllib3.exceptions import HTTPError

from wagtail_smartgift.client import inferred
from wagtail_smartgift.client._transport import Answer, AnswerTooLarge, Failure
from wagtail_smartgift.client.errors import (
    Misrouted,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Refused,
    SmartGiftError,
    Unauthorised,
)
from wagtail_smartgift.client.schemas.reading import read_errors
from wagtail_smartgift.redaction import hidden_object
from wagtail_smartgift.wire import (
    NotConnected,
    causes,
    header_number,
    pause,
    server_now,
)


#: Seconds. A 429 that asks for more than a few windows is mistaken: obeying it would
#: close the shop's vouchers for the day.
_LONGEST_RATE_LIMIT = 300.0
#: Seconds. Maintenance may take longer.
_LONGEST_PAUSE = 3600.0

_REMOVED = "[removed]"


def error_of_failure(failure: Failure, *, operation: str) -> SmartGiftError:
    """Judge an exchange that brought no whole answer.

    ``NotSent`` needs two witnesses: the connection says that it never came to be, and
    nothing was handed to it.
    """
    reasons = list(causes(failure.error))
    detail = _what_broke(reasons)
    if not failure.sent and any(isinstance(item, NotConnected) for item in reasons):
        return NotSent(f"not sent, {detail}", operation=operation)
    return OutcomeUnknown(
        detail,
        operation=operation,
        status=failure.status,
        retry_after=asked_pause(failure.status, failure.headers),
    )


def error_of_answer(
    answer: Answer, *, operation: str, secrets: Iterable[str]
) -> SmartGiftError | None:
    """Judge an answer by its status; None is a success, still to be read."""
    status = answer.status
    if 200 <= status < 300:
        return None
    if status == 429:
        return RateLimited(
            operation=operation,
            status=status,
            retry_after=asked_pause(status, answer.headers),
        )
    if status in inferred.UNAUTHORISED:
        return Unauthorised(operation=operation, status=status)
    if status in inferred.MISROUTED:
        return Misrouted(operation=operation, status=status)
    if status == 422 or status in inferred.REFUSED_UNREAD:
        return _refusal(answer, operation=operation, secrets=secrets)
    return OutcomeUnknown(
        _unusual(status),
        operation=operation,
        status=status,
        retry_after=asked_pause(status, answer.headers),
    )


def _refusal(
    answer: Answer, *, operation: str, secrets: Iterable[str]
) -> SmartGiftError:
    try:
        message, fields = read_errors(parse_json(answer.body))
    except ValueError:
        message, fields = "", {}
    if answer.status == 422 and inferred.is_about_the_key(message, fields):
        return Unauthorised(operation=operation, status=answer.status)
    # Read first, scrubbed second: a short voucher number may be part of a word.
    reason = inferred.refusal_reason(message, fields)
    scrub = scrubber(secrets)
    return Refused(
        operation=operation,
        status=answer.status,
        reason=reason,
        message=scrub(message),
        fields={
            scrub(name): tuple(scrub(text) for text in texts)
            for name, texts in fields.items()
        },
    )


def _unusual(status: int) -> str:
    if 300 <= status < 400:
        return "answered with a redirect"
    if status == 503:
        return "not available"
    if status >= 500:
        return "failed on Smart Gift's side"
    return "answered with an unexpected status"


def parse_json(body: bytes, *, secret: bool = True) -> Any:
    """Parse an answer; numbers with a point are ``Decimal``.

    ``secret`` hides its texts from error pages: a token or a number may be among them.

    Raises:
        ValueError: it is not JSON, or has NaN, infinity or absurd depth in it.
    """
    try:
        return json.loads(
            body,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_hook=hidden_object if secret else None,
        )
    except RecursionError:
        raise ValueError("too deeply nested") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


# --- Exceptions -------------------------------------------------------------------------


def _what_broke(reasons: list[BaseException]) -> str:
    """Say it in our own words: the exceptions' texts may quote the request."""
    innermost = reasons[-1]
    if isinstance(innermost, AnswerTooLarge):
        return "the answer is too large"
    if isinstance(innermost, TimeoutError):
        return "no answer in time"
    if isinstance(innermost, ssl.SSLError):
        return "the secure connection could not be made"
    if isinstance(innermost, (OSError, HTTPError)) or len(reasons) > 1:
        return f"the connection failed ({type(innermost).__name__})"
    return f"the call failed ({type(innermost).__name__})"


# --- Headers ----------------------------------------------------------------------------


def asked_pause(status: int | None, headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait after an answer of any status, if it asks for that."""
    if status == 429:
        return rate_limit_pause(headers)
    return pause(headers, longest=_LONGEST_PAUSE)


def rate_limit_pause(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait after a 429: at least one, never a day."""
    seconds = pause(headers, longest=_LONGEST_RATE_LIMIT)
    reset = header_number(headers, "X-RateLimit-Reset")
    if seconds is None and reset is not None:
        seconds = reset - server_now(headers).timestamp()
    if seconds is None:
        seconds = inferred.RATE_LIMIT_PAUSE
    return min(max(seconds, 1.0), _LONGEST_RATE_LIMIT)


# --- Secrets ----------------------------------------------------------------------------


def scrubber(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that takes what we sent in confidence out of a text."""
    longest_first = sorted({item for item in secrets if item}, key=len, reverse=True)
    if not longest_first:
        return str
    # Without a name for the pattern: it is made of the secrets.
    return partial(
        re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE).sub,
        _REMOVED,
    )
