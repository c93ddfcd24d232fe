"""What a request goes through on its way to an operation, and its answer on the way out.

In the order of a Laravel application: route, rate limit, key, body, operation. The
faults on demand strike where such things happen in life: in front of all that, or
behind it.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from html import escape
from typing import Any

from . import messages
from .answers import Answer
from .core import Sandbox
from .engine import LogLine
from .faults import Fault
from .records import Company


#: Path to (method, operation).
ROUTES: dict[str, tuple[str, str]] = {
    "/vouchers": ("GET", "vouchers"),
    "/payment-methods": ("GET", "payment-methods"),
    "/pos-sale": ("POST", "pos-sale"),
    "/sale": ("POST", "sale"),
    "/redeem/check": ("POST", "check"),
    "/redeem": ("POST", "redeem"),
    "/redeem-unified": ("POST", "redeem-unified"),
    "/redeem/hold": ("POST", "hold"),
    "/redeem/release": ("POST", "release"),
    "/redeem/reverse": ("POST", "reverse"),
}

_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    base_url: str = ""
    query: str = ""
    #: The address at the other end.
    client: str = "127.0.0.1"

    @property
    def wants_json(self) -> bool:
        """Whether the first type of ``Accept`` is JSON: what Laravel goes by."""
        first = self.headers.get("accept", "").split(",")[0].split(";")[0].strip()
        return first.lower().endswith(("/json", "+json"))

    @property
    def has_json(self) -> bool:
        kind = self.headers.get("content-type", "").split(";")[0].strip().lower()
        return kind.endswith(("/json", "+json"))


@dataclass
class Reply:
    """What to put on the wire, and how."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: "whole", "none" (close without a word), "half" or "dribble".
    delivery: str = "whole"
    #: Seconds to wait before the first byte.
    delay: float = 0.0


@dataclass
class _Visit:
    """One request on its way, with what is learnt about it."""

    request: Request
    operation: str
    id: str
    body: dict[str, Any]
    fault: Fault | None = None
    #: The fault comes with a magic voucher: refusals are answered all the same.
    by_role: bool = False
    note: str | None = None
    answer: Any = None


class Api:
    """The documented endpoints over a sandbox, without sockets."""

    def __init__(self, sandbox: Sandbox, *, pause: Callable[[float], bool]) -> None:
        self._sandbox = sandbox
        #: Waits, and tells whether the server is closing.
        self._pause = pause

    def handle(self, request: Request) -> Reply:
        """Answer one request, and log it."""
        began = time.perf_counter()
        sandbox = self._sandbox
        route = ROUTES.get(request.path)
        if route is None or route[0] != request.method:
            reply = self._misrouted(request, route)
            visit = _Visit(request, "", sandbox.next_request_id(), {})
        else:
            body, note = _read(request)
            visit = _Visit(request, route[1], sandbox.next_request_id(), body)
            visit.note = note
            with sandbox.lock:
                self._meet_fault(visit)
            slow = visit.fault is not None and visit.fault.mode == "slow"
            if slow and self._pause(visit.fault.seconds if visit.fault else 0):
                return Reply(0, delivery="none")
            with sandbox.lock:
                reply = self._through(visit)
            reply.delay += sandbox.behaviour.latency
        reply.headers["X-Sandbox-Request"] = visit.id
        milliseconds = (time.perf_counter() - began) * 1000
        sandbox.add_log_line(_log_line(sandbox, visit, reply, milliseconds))
        return reply

    # The way in ---------------------------------------------------------------------------

    def _meet_fault(self, visit: _Visit) -> None:
        number = visit.body.get("voucher_no")
        number = number if isinstance(number, str) else None
        visit.fault = self._sandbox.faults.take(visit.operation, number)
        if visit.fault is None and number is not None:
            visit.fault = self._sandbox.fault_of_role(visit.operation, number)
            visit.by_role = visit.fault is not None

    def _through(self, visit: _Visit) -> Reply:
        sandbox, fault = self._sandbox, visit.fault
        company = sandbox.company_of(visit.request.headers.get("smart-auth", ""))
        if fault is not None:
            reply = self._in_front(visit, fault, company)
            if reply is not None:
                return reply
        bucket = "guests" if company is None else visit.request.headers["smart-auth"]
        now, behaviour = sandbox.clock.now(), sandbox.behaviour
        refused = sandbox.limiter.hit(bucket, behaviour, now)
        if fault is not None and fault.mode == "rate_limited":
            refused = sandbox.limiter.refusal(bucket, behaviour, now, fault.seconds)
        if refused is not None:
            answer = Answer(429, {"message": messages.TOO_MANY_ATTEMPTS}, refused)
            return self._finish(visit, answer)
        answer = self._operate(visit, company)
        if answer.status == 422 and not behaviour.refusals_count:
            sandbox.limiter.forgive(bucket)
        answer.headers.update(sandbox.limiter.headers(bucket, behaviour, now))
        reply = self._finish(visit, answer)
        if fault is None or (visit.by_role and answer.status >= 400):
            return reply
        return self._behind(visit, fault, reply)

    def _operate(self, visit: _Visit, company: Company | None) -> Answer:
        fault = visit.fault
        if company is None or (fault is not None and fault.mode == "unauthorised"):
            return self._bad_key()
        if fault is not None and fault.mode == "refused":
            errors = {fault.field: [fault.message]}
            return Answer(422, {"message": fault.message, "errors": errors})
        if fault is not None and not fault.applied:
            return Answer(500, {"message": messages.SERVER_ERROR})
        return self._sandbox.perform(
            visit.operation,
            company,
            visit.body,
            request_id=visit.id,
            base_url=visit.request.base_url,
        )

    def _bad_key(self) -> Answer:
        status = int(self._sandbox.behaviour.unauthorised_status)
        body: dict[str, Any] = {"message": messages.BAD_KEY}
        if status == 422:
            body["errors"] = {"Smart-Auth": [messages.BAD_KEY]}
        return Answer(status, body)

    # Faults ---------------------------------------------------------------------------------

    def _in_front(
        self, visit: _Visit, fault: Fault, company: Company | None
    ) -> Reply | None:
        """Return the reply of a fault that keeps the call from the application."""
        if fault.mode == "apply_late" and company is not None:
            self._sandbox.perform_late(
                fault.seconds,
                visit.operation,
                company,
                visit.body,
                request_id=visit.id,
            )
        if fault.mode in ("lost_before", "apply_late"):
            return Reply(0, delivery="none")
        if fault.applied:
            return None
        if fault.mode == "status" and fault.status != 500:
            return _broken(visit.request, fault.status)
        if fault.mode in ("html", "garbage", "half_body", "dribble", "empty_success"):
            return _spoilt(fault.mode, Reply(200, b'{"data":{}}', _JSON.copy()))
        return None

    def _behind(self, visit: _Visit, fault: Fault, reply: Reply) -> Reply:
        """Return what a fault leaves of the reply to a call that was applied."""
        if fault.mode == "lost_after":
            return Reply(0, delivery="none")
        if fault.mode == "slow_after":
            reply.delay += fault.seconds
        elif fault.mode == "status" and fault.applied:
            return _broken(visit.request, fault.status)
        elif fault.mode in ("html", "garbage", "half_body", "dribble", "empty_success"):
            return _spoilt(fault.mode, reply)
        return reply

    # The way out ----------------------------------------------------------------------------

    def _finish(self, visit: _Visit, answer: Answer) -> Reply:
        visit.answer = answer.body
        return _as_reply(visit.request, answer)

    def _misrouted(self, request: Request, route: tuple[str, str] | None) -> Reply:
        path = request.path.lstrip("/")
        if route is None:
            text = messages.NO_ROUTE.format(path=path)
            return _as_reply(request, Answer(404, {"message": text}))
        allowed = "GET, HEAD" if route[0] == "GET" else route[0]
        text = messages.NO_METHOD.format(
            method=request.method, path=path, allowed=allowed
        )
        return _as_reply(request, Answer(405, {"message": text}, {"Allow": allowed}))


_JSON = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
_HTML = {"Content-Type": "text/html; charset=UTF-8"}


def _as_reply(request: Request, answer: Answer) -> Reply:
    """Print an answer as Laravel does: errors are HTML for who does not ask for JSON."""
    if answer.status < 400 or request.wants_json:
        body = json.dumps(answer.body).encode()
        return Reply(answer.status, body, {**_JSON, **answer.headers})
    if answer.status == 422:
        # Laravel sends a browser back to the form that it came from.
        home = f"{request.base_url}/"
        page = _page(f"Redirecting to {home}")
        return Reply(302, page, {**_HTML, **answer.headers, "Location": home})
    page = _page(_REASONS.get(answer.status, "Error"))
    return Reply(answer.status, page, {**_HTML, **answer.headers})


def _broken(request: Request, status: int) -> Reply:
    """Print a 5xx: the application's own in its manner, a gateway's in the gateway's."""
    if status in (500, 503):
        text = messages.SERVER_ERROR if status == 500 else messages.SERVICE_UNAVAILABLE
        return _as_reply(request, Answer(status, {"message": text}))
    title = f"{status} {_REASONS.get(status, 'Error')}"
    page = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return Reply(status, page.encode(), {"Content-Type": "text/html"})


def _spoilt(mode: str, reply: Reply) -> Reply:
    """Return a success as something in between has left it."""
    if mode == "html":
        page = _page("We are updating our website. Please come back in a moment.")
        return Reply(200, page, _HTML.copy())
    if mode == "garbage":
        return Reply(200, b'{"data": {"mess\x00\xff', reply.headers)
    if mode == "empty_success":
        return Reply(200, b"{}", reply.headers)
    reply.delivery = "half" if mode == "half_body" else "dribble"
    return reply


def _page(text: str) -> bytes:
    safe = escape(text)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{safe}</title></head><body><h1>{safe}</h1></body></html>\n"
    ).encode()


def _read(request: Request) -> tuple[dict[str, Any], str | None]:
    """Return the body as Laravel sees it, and why it sees nothing where that is so.

    Unreadable is the same as absent to Laravel: the required fields are missing then.
    """
    if not request.body.strip():
        return {}, None
    if not request.has_json:
        return {}, "the body was not read: Content-Type is not application/json"
    try:
        parsed = json.loads(
            request.body, parse_float=Decimal, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        return {}, "the body was not read: it is not JSON"
    if not isinstance(parsed, dict):
        return {}, "the body was not read: it is not a JSON object"
    return {key: _trimmed(value) for key, value in parsed.items()}, None


def _no_number(word: str) -> None:
    msg = f"{word} is not JSON"
    raise ValueError(msg)


def _trimmed(value: Any) -> Any:
    """Trim strings, and turn empty ones into null, as Laravel's middleware does."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, list):
        return [_trimmed(one) for one in value]
    if isinstance(value, dict):
        return {key: _trimmed(one) for key, one in value.items()}
    return value


def _log_line(
    sandbox: Sandbox, visit: _Visit, reply: Reply, milliseconds: float
) -> LogLine:
    return LogLine(
        id=visit.id,
        at=sandbox.clock.datetime(),
        method=visit.request.method,
        path=visit.request.path,
        operation=visit.operation or None,
        status=reply.status or None,
        milliseconds=round(milliseconds + reply.delay * 1000, 1),
        fault=None if visit.fault is None else visit.fault.mode,
        note=visit.note,
        request=visit.body,
        answer=visit.answer,
    )
