"""The control API under ``/_sandbox/``: the doors for tests, over HTTP.

For processes other than the server's own: a browser journey, a crash test, a person
with curl. It serves this machine alone, and no web page of somebody else's. Calls
here do not count against the rate limit and are not in the log.
"""

import ipaddress
import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import datetime, timezone
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from .answers import Refusal
from .api import Reply, Request
from .core import Sandbox
from .faults import Fault
from .images import picture
from .page import error_page, root_page
from .pence import as_string, to_pence
from .records import MONETARY, Experience, Product, Voucher


_PREFIX = "/_sandbox/"
_FORM = "application/x-www-form-urlencoded"

#: Fields of the page's forms that are numbers; a form has only text.
_NUMBERS = {"advance", "times", "seconds", "status", "probability", "seed", "remove"}

#: Fields of a product that are money: pounds outside, pence inside.
_MONEY = ("value", "min", "max", "increments")


class Control:
    """Answers the page at the root, the pictures, and the control API."""

    def __init__(self, sandbox: Sandbox, *, enabled: bool = True) -> None:
        self._sandbox = sandbox
        self._enabled = enabled
        self._gets: dict[str, Callable[[dict[str, str]], Any]] = {
            "health": lambda query: {"ok": True},
            "state": self._state,
            "clock": lambda query: self._clock(),
            "behaviour": lambda query: self._sandbox.behaviour.as_dict(),
            "faults": lambda query: _faults(self._sandbox),
            "vouchers": lambda query: self._vouchers(),
            "sales": lambda query: self._sales(),
            "redemptions": lambda query: self._redemptions(query),
            "ledger": self._ledger,
            "log": self._log,
        }
        self._posts: dict[str, Callable[[dict[str, Any]], Any]] = {
            "clock": self._move_clock,
            "behaviour": self._change_behaviour,
            "faults": self._add_fault,
            "vouchers": self._change_voucher,
            "holds": self._change_hold,
            "products": self._change_product,
            "reset": self._reset,
        }

    @staticmethod
    def serves(path: str) -> bool:
        return path == "/" or path.startswith(_PREFIX)

    def handle(self, request: Request) -> Reply:
        if request.path == "/":
            open_here = self._enabled and _is_local(request)
            page = root_page(self._sandbox, request.base_url, controls=open_here)
            return _html(page)
        name = request.path.removeprefix(_PREFIX)
        if name.startswith("images/"):
            return _image(name.removeprefix("images/"))
        if not self._enabled:
            return _json(404, {"error": "the control API is switched off"})
        if not _is_local(request):
            return _json(403, {"error": "the control API serves this machine only"})
        from_form = request.headers.get("content-type", "").startswith(_FORM)
        try:
            result = self._route(request, name, from_form)
        except Refusal as refusal:
            return _failed(409, refusal.first, from_form)
        except LookupError as error:
            return _failed(404, str(error.args[0]), from_form)
        except (ValueError, TypeError, AttributeError) as error:
            return _failed(400, str(error), from_form)
        if from_form:
            return Reply(303, b"", {"Location": "/"})
        return _json(200, result)

    def _route(self, request: Request, name: str, from_form: bool) -> Any:
        if request.method == "GET":
            if name.startswith("vouchers/"):
                number = unquote(name.removeprefix("vouchers/"))
                return self._print(self._sandbox.voucher(number))
            if name in self._gets:
                return self._gets[name](dict(parse_qsl(request.query)))
        elif request.method == "POST" and name in self._posts:
            return self._posts[name](_form(request) if from_form else _body(request))
        elif request.method == "DELETE" and name.split("/")[0] == "faults":
            return self._remove_fault(name.removeprefix("faults").strip("/"))
        msg = f"no {request.method} {request.path} here"
        raise LookupError(msg)

    # Reading ------------------------------------------------------------------------------

    def _state(self, query: dict[str, str]) -> dict[str, Any]:
        vouchers = self._vouchers()
        return {
            "clock": self._clock(),
            "behaviour": self._sandbox.behaviour.as_dict(),
            "faults": _faults(self._sandbox),
            "vouchers": vouchers,
            "holds": [one for one in vouchers if one["hold"]],
            "redemptions": self._redemptions({}),
            "sales": self._sales(),
        }

    def _clock(self) -> dict[str, Any]:
        clock = self._sandbox.clock
        return {
            "now": clock.datetime().isoformat(),
            "offset": round(clock.offset, 3),
            "frozen": clock.frozen,
        }

    def _vouchers(self) -> list[dict[str, Any]]:
        return [self._print(one) for one in self._sandbox.vouchers()]

    def _print(self, voucher: Voucher) -> dict[str, Any]:
        hold = voucher.hold
        return {
            "number": voucher.number,
            "id": voucher.id,
            "company_id": voucher.company_id,
            "name": voucher.name,
            "type": voucher.type,
            "balance": as_string(voucher.pence) if voucher.type == MONETARY else None,
            "remaining_bits": voucher.remaining_bits,
            "experiences": [
                {**asdict(one), "worth": as_string(one.worth)}
                for one in voucher.experiences
            ],
            "meta": voucher.meta,
            "cancelled": voucher.cancelled,
            "expires_at": _time(voucher.expires_at),
            "role": voucher.magic,
            "hold": hold
            and {
                "token": hold.token,
                "by": hold.by,
                "since": _time(hold.since),
                "until": _time(hold.until),
                "seconds_left": round(hold.until - self._sandbox.clock.now(), 3),
            },
        }

    def _sales(self) -> list[dict[str, Any]]:
        return [
            {**asdict(one), "at": _time(one.at), "total": as_string(one.total)}
            for one in self._sandbox.sales()
        ]

    def _redemptions(self, query: dict[str, str]) -> list[dict[str, Any]]:
        rows = []
        for one in self._sandbox.redemptions(query.get("voucher_no")):
            row = asdict(one)
            row["amount"] = as_string(row.pop("pence"))
            row["at"], row["reversed_at"] = _time(one.at), _time(one.reversed_at)
            rows.append(row)
        return rows

    def _ledger(self, query: dict[str, str]) -> list[dict[str, Any]]:
        entries = self._sandbox.ledger(
            voucher_no=query.get("voucher_no"),
            event=query.get("event"),
            after=int(query.get("after", 0)),
        )
        return [entry.as_dict() for entry in entries]

    def _log(self, query: dict[str, str]) -> list[dict[str, Any]]:
        lines = self._sandbox.log()[-int(query.get("limit", 1000)) :]
        return [{**asdict(line), "at": line.at.isoformat()} for line in lines]

    # Changing -----------------------------------------------------------------------------

    def _move_clock(self, body: dict[str, Any]) -> dict[str, Any]:
        clock = self._sandbox.clock
        _only(body, "advance", "freeze")
        if "freeze" in body:
            (clock.freeze if body["freeze"] else clock.resume)()
        if "advance" in body:
            clock.advance(float(body["advance"]))
        return self._clock()

    def _change_behaviour(self, body: dict[str, Any]) -> dict[str, Any]:
        self._sandbox.behaviour.update(body)
        return self._sandbox.behaviour.as_dict()

    def _add_fault(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        if body.get("clear"):
            self._sandbox.faults.clear()
        elif "remove" in body:
            self._remove_fault(str(body["remove"]))
        else:
            body.pop("id", None)
            self._sandbox.faults.add(Fault(**body))
        return _faults(self._sandbox)

    def _remove_fault(self, fault_id: str) -> list[dict[str, Any]]:
        if not fault_id:
            self._sandbox.faults.clear()
        elif not self._sandbox.faults.remove(int(fault_id)):
            msg = f"there is no fault {fault_id}"
            raise LookupError(msg)
        return _faults(self._sandbox)

    def _change_voucher(self, body: dict[str, Any]) -> dict[str, Any]:
        sandbox, action = self._sandbox, body.pop("action", "add")
        number = body.pop("number", None)
        if action == "add":
            body["experiences"] = [Experience(**e) for e in body.get("experiences", [])]
            for experience in body["experiences"]:
                experience.worth = to_pence(experience.worth)
            expires = body.pop("expires_at", None)
            if expires is not None:
                # Python 3.10 reads no Z.
                moment = datetime.fromisoformat(expires.replace("Z", "+00:00"))
                body["expires_at"] = moment
            return self._print(sandbox.add_voucher(number, **body))
        changes: dict[str, Callable[..., Any]] = {
            "cancel": sandbox.cancel_voucher,
            "expire": sandbox.expire_voucher,
            "top_up": sandbox.top_up,
            "spend": sandbox.spend_by_till,
        }
        if action not in changes:
            msg = f"unknown action {action!r}; known: add, {', '.join(changes)}"
            raise ValueError(msg)
        changes[action](str(number), **body)
        return self._print(sandbox.voucher(str(number)))

    def _change_hold(self, body: dict[str, Any]) -> dict[str, Any]:
        _only(body, "voucher_no", "action")
        number, action = str(body.get("voucher_no")), body.get("action", "hold")
        if action not in ("hold", "release"):
            msg = f"unknown action {action!r}; known: hold, release"
            raise ValueError(msg)
        if action == "hold":
            self._sandbox.hold_by_till(number)
        else:
            self._sandbox.release_by_till(number)
        return self._print(self._sandbox.voucher(number))

    def _change_product(self, body: dict[str, Any]) -> dict[str, Any]:
        _only(body, "remove", *(one.name for one in fields(Product)))
        if "id" not in body:
            raise ValueError("which product: its id is missing")
        sandbox, product_id = self._sandbox, int(body.pop("id"))
        if body.pop("remove", False):
            sandbox.remove_product(product_id)
            return {"removed": product_id}
        for name in _MONEY:
            if body.get(name) is not None:
                body[name] = to_pence(body[name])
        if "experiences" in body:
            body["experiences"] = [
                replace(one, worth=to_pence(one.worth))
                for one in (Experience(**e) for e in body["experiences"])
            ]
        if product_id in {one.id for one in sandbox.products()}:
            product = sandbox.change_product(product_id, **body)
        else:
            now = sandbox.clock.now()
            stamps = {"company_id": 1, "created_at": now, "updated_at": now}
            product = Product(product_id, **{**stamps, **body})
            sandbox.put_product(product)
        return asdict(product)

    def _reset(self, body: dict[str, Any]) -> dict[str, Any]:
        self._sandbox.reset()
        return self._clock()


def _is_local(request: Request) -> bool:
    """Tell whether a request is from this machine, and from no foreign web page."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if host != "localhost" and not _is_loopback(host):
        # A name that somebody made point here, so that a browser would let him in.
        return False
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return False
    return _is_loopback(request.client)


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)


def _body(request: Request) -> dict[str, Any]:
    parsed = json.loads(request.body or b"{}")
    if not isinstance(parsed, dict):
        msg = "the body must be a JSON object"
        raise TypeError(msg)
    return parsed


def _form(request: Request) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in parse_qsl(request.body.decode(), keep_blank_values=True):
        value = text.strip()
        if name == "times" and not value:
            values[name] = None
        elif value:
            values[name] = json.loads(value) if name in _NUMBERS else value
    return values


def _only(body: dict[str, Any], *known: str) -> None:
    unknown = sorted(set(body) - set(known))
    if unknown:
        msg = f"unknown: {', '.join(unknown)}; known: {', '.join(known)}"
        raise ValueError(msg)


def _faults(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [fault.as_dict() for fault in sandbox.faults.active()]


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()


def _image(name: str) -> Reply:
    number = name.removesuffix(".png")
    if not (name.endswith(".png") and number.isascii() and number.isdigit()):
        return _json(404, {"error": "no such picture"})
    headers = {"Content-Type": "image/png", "Cache-Control": "max-age=86400"}
    return Reply(200, picture(int(number[:9])), headers)


def _failed(status: int, text: str, from_form: bool) -> Reply:
    if from_form:
        return _html(error_page(text), status)
    return _json(status, {"error": text})


def _json(status: int, body: Any) -> Reply:
    # Amounts in logged requests are Decimals; nothing else is foreign to JSON.
    text = json.dumps(body, default=float)
    return Reply(status, text.encode(), {"Content-Type": "application/json"})


def _html(page: str, status: int = 200) -> Reply:
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
    }
    return Reply(status, page.encode(), headers)
