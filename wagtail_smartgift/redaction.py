"""Text that must not be seen: what error pages and trackers print of it is a mark.

A traceback with local variables (Django's debug page, its mails to admins, Sentry) shows
the ``repr`` of each. A voucher number, a token or a key is therefore a ``Secret`` from
where it comes in: still a ``str`` for whoever sends, compares or encrypts it, and plain
text again only where somebody puts it into other text. A test looks at the variables of
every function of this package (``tests/redaction``).

Knows no Django, so that the client can use it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any


class Secret(str):
    """A text whose ``repr`` says nothing about it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"

    #: Sentry asks for this before it prints a text as it is.
    __sentry_repr__ = __repr__


class SecretBytes(bytes):
    """Bytes with something secret in them, such as a key or the body of a request."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret bytes>"

    __sentry_repr__ = __repr__


def hidden(value: Any) -> Any:
    """Return ``value`` with every text in it a secret; what is no text stays as it is."""
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, bytes):
        return SecretBytes(value)
    if isinstance(value, Mapping):
        return {name: hidden(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [hidden(part) for part in value]
    return value


def hidden_items(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return a mapping in which the values of these names are hidden."""
    return {
        name: hidden(part) if name in names else part for name, part in values.items()
    }


def hidden_object(pairs: dict[str, Any]) -> dict[str, Any]:
    """Hide the texts of a JSON object whose inner objects have been hidden before.

    They are not looked at again, in lists neither: what is nested deeply would be walked
    once for each of its levels, and a body of a megabyte take minutes.
    """
    return {name: _hidden_part(part) for name, part in pairs.items()}


def hidden_members(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Hide the members of such an object, their names as well."""
    return {Secret(name): _hidden_part(part) for name, part in pairs}


def _hidden_part(part: Any) -> Any:
    if isinstance(part, dict):
        return part
    if isinstance(part, list):
        return [_hidden_part(item) for item in part]
    return hidden(part)
