"""The page at the sandbox's root: what is in it, what happened, and a few buttons.

Plain HTML and forms, no script. It shows voucher numbers in full: they are play money.
"""

from collections.abc import Sequence
from datetime import datetime, timezone
from html import escape
from typing import Any

from .core import Sandbox
from .faults import MODES, OPERATIONS
from .magic import VOUCHERS
from .pence import as_string
from .records import MONETARY, Voucher
from .style import STYLE


#: Lines of ledger and log that are shown.
SHOWN = 40

_ROLES = {one.number: one.shows for one in VOUCHERS}


def root_page(sandbox: Sandbox, base_url: str, *, controls: bool) -> str:
    """Return the whole page; ``controls`` adds the buttons."""
    parts = [
        _head(sandbox, base_url),
        _controls(sandbox) if controls else "",
        _vouchers(sandbox),
        _sales(sandbox),
        _redemptions(sandbox),
        _ledger(sandbox),
        _log(sandbox),
        _behaviour(sandbox),
    ]
    return _document("Smart Gift sandbox", "".join(parts))


def error_page(text: str) -> str:
    body = f'<h1>That did not work</h1><p>{escape(text)}</p><p><a href="/">Back</a></p>'
    return _document("That did not work", body)


def _document(title: str, body: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        "</body>\n</html>\n"
    )


def _head(sandbox: Sandbox, base_url: str) -> str:
    company = sandbox.companies[0]
    sites = ", ".join(f"<code>{_e(n)}</code> {_e(s)}" for n, s in company.sites.items())
    keys = ", ".join(f"<code>{_e(key)}</code>" for key in company.keys)
    clock = sandbox.clock
    ahead = round(clock.offset)
    state = "stopped" if clock.frozen else "running"
    if ahead:
        state += f", {_duration(abs(ahead))} {'ahead' if ahead > 0 else 'behind'}"
    limit = sandbox.behaviour.rate_limit
    quota = f"{limit} in {sandbox.behaviour.rate_window:g} s" if limit else "off"
    facts = [
        ("Address", f"<code>{_e(base_url)}</code>"),
        ("Key", keys),
        ("Sites", sites),
        ("Clock", f"{_when(clock.now())} <small>({state})</small>"),
        ("Rate limit", quota),
    ]
    rows = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in facts)
    return (
        "<header><h1>Smart Gift sandbox</h1>"
        "<p>A stand-in for Smart Gift’s API. Nothing here is worth anything.</p>"
        f"<dl>{rows}</dl></header>"
    )


def _controls(sandbox: Sandbox) -> str:
    operations = _options(("*", *OPERATIONS), {"*": "any call"})
    modes = _options(tuple(MODES), {m: f"{m}: {MODES[m][0]}" for m in MODES})
    faults = "".join(
        f"<li><code>{_e(one.mode)}</code> on <code>{_e(one.operation)}</code>, "
        f"{'always' if one.times is None else f'{one.times} more'}"
        f"{f', voucher {_e(one.voucher_no)}' if one.voucher_no else ''} "
        f'<form method="post" action="/_sandbox/faults">'
        f'<input type="hidden" name="remove" value="{one.id}">'
        f'<button aria-label="Remove fault {one.id}">Remove</button></form></li>'
        for one in sandbox.faults.active()
    )
    waiting = f"<ul>{faults}</ul>" if faults else "<p>None are waiting.</p>"
    return (
        '<div class="panels">'
        '<section aria-labelledby="time"><h2 id="time">Clock</h2>'
        '<form method="post" action="/_sandbox/clock">'
        '<label>Seconds to move on <input name="advance" inputmode="decimal" '
        'value="301" required></label><button>Move</button></form>'
        '<h2>Start over</h2><form method="post" action="/_sandbox/reset">'
        "<p>Renews the vouchers and the catalogue; forgets all else.</p>"
        "<button>Reset</button></form></section>"
        '<section aria-labelledby="faults"><h2 id="faults">Faults</h2>'
        f"{waiting}"
        '<form class="grid" method="post" action="/_sandbox/faults">'
        f'<label>Call <select name="operation">{operations}</select></label>'
        f'<label>What happens <select name="mode">{modes}</select></label>'
        '<label>How often (empty: always) <input name="times" inputmode="numeric" '
        'value="1"></label>'
        '<label>Seconds <input name="seconds" inputmode="decimal" value="5"></label>'
        '<label>Only for voucher <input name="voucher_no"></label>'
        "<button>Add fault</button></form></section></div>"
    )


def _vouchers(sandbox: Sandbox) -> str:
    now = sandbox.clock.now()
    newest_first = sorted(sandbox.vouchers(), key=lambda one: one.number in _ROLES)
    rows = [
        (
            f"<code>{_e(one.number)}</code>",
            _worth(one),
            _standing(one, now),
            _e(_ROLES.get(one.number, one.name)),
        )
        for one in newest_first
    ]
    names = ("Number", "Balance", "State", "What it is for")
    return _table("Vouchers", names, rows)


def _worth(voucher: Voucher) -> str:
    if voucher.type == MONETARY:
        return f"£{as_string(voucher.pence)}"
    left = ", ".join(str(one.bit_value) for one in voucher.unused)
    return f"bits {left}" if left else "bits none"


def _standing(voucher: Voucher, now: float) -> str:
    if voucher.cancelled:
        return "cancelled"
    if voucher.expires_at is not None and voucher.expires_at <= now:
        return "expired"
    if voucher.hold is not None:
        left = _duration(max(0, round(voucher.hold.until - now)))
        whose = "a till" if voucher.hold.by == "till" else "the API"
        return f'<strong class="held">held by {whose}</strong> for {left}'
    if voucher.visible_from > now:
        return "not known yet"
    return "spent" if voucher.spent else "free"


def _sales(sandbox: Sandbox) -> str:
    rows = []
    for one in reversed(sandbox.sales()[-SHOWN:]):
        codes = "<br>".join(f"<code>{_e(number)}</code>" for number in one.vouchers)
        customer = f"{one.customer.get('first_name')} {one.customer.get('last_name')}"
        delivery = f"method {one.delivery.get('delivery_method')}"
        if one.send_on:
            delivery += f", on {one.send_on}"
        if one.email_sent:
            delivery += ", mail sent"
        rows.append(
            (
                _when(one.at),
                f"<code>{_e(one.order_id)}</code><br>{_e(one.reference)}",
                codes,
                f"£{as_string(one.total)}",
                f"{_e(customer)}<br>{_e(one.customer.get('email'))}",
                _e(delivery),
            )
        )
    names = ("Time", "Order, reference", "Vouchers", "Total", "Customer", "Delivery")
    return _table("Sales", names, rows)


def _redemptions(sandbox: Sandbox) -> str:
    rows = [
        (
            str(one.id),
            _when(one.at),
            f"<code>{_e(one.voucher_no)}</code>",
            f"£{as_string(one.pence)}"
            + (f" (bit {one.bit_value})" * bool(one.bit_value)),
            f"site {_e(one.site_id)}, by {_e(one.by)}",
            f"reversed {_when(one.reversed_at)}" if one.reversed_at else "stands",
        )
        for one in reversed(sandbox.redemptions()[-SHOWN:])
    ]
    return _table(
        "Redemptions", ("Id", "Time", "Voucher", "Amount", "Where", "State"), rows
    )


def _ledger(sandbox: Sandbox) -> str:
    entries = [one for one in sandbox.ledger() if one.event != "issue"]
    rows = [
        (
            str(one.id),
            _when(one.time),
            _e(one.event),
            f"<code>{_e(one.voucher_no)}</code>",
            f"£{as_string(one.pence)}" if one.pence else "",
            ", ".join(map(str, one.redemptions)),
            _e(one.by),
            _e(one.request_id or ""),
        )
        for one in reversed(entries[-SHOWN:])
    ]
    names = (
        "Line",
        "Time",
        "Event",
        "Voucher",
        "Amount",
        "Redemptions",
        "By",
        "Request",
    )
    return _table("Ledger", names, rows)


def _log(sandbox: Sandbox) -> str:
    rows = [
        (
            _e(one.id),
            _when(one.at.timestamp()),
            f"{_e(one.method)} <code>{_e(one.path)}</code>",
            _e(one.status or "no answer"),
            f"{one.milliseconds:.0f} ms",
            _e(" · ".join(filter(None, (one.fault, _message(one.answer), one.note)))),
        )
        for one in reversed(sandbox.log()[-SHOWN:])
    ]
    names = ("Request", "Time", "Call", "Status", "Took", "Notes")
    return _table("Log", names, rows)


def _message(answer: Any) -> str | None:
    if not isinstance(answer, dict):
        return None
    data = answer.get("data")
    inner = data if isinstance(data, dict) else answer
    message = inner.get("message")
    return message if isinstance(message, str) else None


def _behaviour(sandbox: Sandbox) -> str:
    rows = [
        (f"<code>{_e(name)}</code>", f"<code>{_e(value)}</code>")
        for name, value in sandbox.behaviour.as_dict().items()
    ]
    return _table("Behaviour", ("Name", "Value"), rows)


def _table(title: str, names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a section with a table; cells are HTML already."""
    anchor = title.lower()
    if not rows:
        return (
            f'<section aria-labelledby="{anchor}"><h2 id="{anchor}">{title}</h2>'
            "<p>None yet.</p></section>"
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows
    )
    # Focusable, so that the keyboard can scroll what is wider than the screen.
    return (
        f'<section><h2 id="{anchor}">{title}</h2>'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{anchor}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        "</div></section>"
    )


def _options(values: tuple[str, ...], names: dict[str, str]) -> str:
    return "".join(
        f'<option value="{_e(value)}">{_e(names.get(value, value))}</option>'
        for value in values
    )


def _when(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    return f'<time datetime="{moment.isoformat()}">{moment:%d %b %H:%M:%S}</time>'


def _duration(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _e(value: object) -> str:
    return escape(str(value))
