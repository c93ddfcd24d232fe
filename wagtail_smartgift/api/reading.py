"""What counts as JSON when it comes in: RFC 8259 to the letter, and sent as such.

Python reads more than JSON: ``NaN``, and objects that name a member twice, of which
only the last would count. Two readers of such a body may see two amounts, so it is
refused whole.
"""

import json
from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from ninja.parser import Parser

from wagtail_smartgift.api.envelope import is_ours
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.redaction import Secret, SecretBytes, hidden_members


#: Bytes of a body of a stranger's or a customer's: a voucher number and some choices.
#: What nobody has let in must not cost much to look into.
LARGEST = 64 * 1024
TOO_LARGE = gettext_lazy("The request is too large.")


class Unreadable(ValueError):
    """A body that is not read; ``str()`` of it may be shown to the caller."""


def read_json(request: HttpRequest) -> Any:
    """Read the body of a request.

    A body that says it is something else is not looked at: what a web page can send
    anywhere without asking first (forms, plain text) has no business here.

    Raises:
        Unreadable: it is no JSON, or does not say so, or is longer than ``LARGEST``
            where it is not the shop's own server that calls.
    """
    if is_unprivileged(getattr(request, "auth", None)) and is_too_long(request):
        raise Unreadable(TOO_LARGE)
    kind = str(request.content_type or "").lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Unreadable(_("Send JSON, with Content-Type: application/json."))
    return strict_json(request.body)


def is_unprivileged(who: object) -> bool:
    """Tell whether a stranger or a customer calls, as authentication has it."""
    return who is None or isinstance(who, PaymentSession)


def is_too_long(request: HttpRequest) -> bool:
    """Tell whether a body is longer than strangers and customers may send."""
    return len(request.body) > LARGEST


def strict_json(body: bytes) -> Any:
    """Read JSON, which is UTF-8.

    Raises:
        ValueError: it is none.
        Unreadable: nor is it, but only by a reader as strict as this one.
    """
    body = SecretBytes(body)
    try:
        return json.loads(
            Secret(body.decode()),
            object_pairs_hook=_once_each,
            parse_constant=_no_number,
        )
    except RecursionError:
        raise Unreadable(_("The request is nested too deeply.")) from None


def _once_each(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    # A body may have a voucher number where none belongs, as a name too: no error page
    # shows it.
    named, members = len(pairs), hidden_members(pairs)
    del pairs
    if len(members) != named:
        raise Unreadable(_("An object has two members of the same name."))
    return members


def _no_number(text: str) -> Any:
    raise Unreadable(_("A number is not one that JSON knows."))


class StrictParser(Parser):
    """Reads the bodies of our calls strictly, and a host's other ones as before."""

    def __init__(self, others: Parser) -> None:
        self._others = others

    def parse_body(self, request: HttpRequest) -> Any:
        if not is_ours(request):
            return self._others.parse_body(request)
        return read_json(request)

    def parse_querydict(self, *args: Any, **kwargs: Any) -> Any:
        return self._others.parse_querydict(*args, **kwargs)
