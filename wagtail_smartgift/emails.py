"""E-mail addresses as one customer's: one form for however somebody wrote it.

Knows no Django. A digest is no secret: it stands in rows that hold the address itself,
and goes with it.
"""

import contextlib
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

from wagtail_smartgift.redaction import Secret


#: What looks like an address in a longer text.
_EMAIL = re.compile(r"[^\s@<>()\[\]\"',;:]{1,64}@[^\s@<>()\[\]\"',;:/?]{1,253}")


def normalise_email(text: str) -> str:
    """Return the one form of an address: case, width and accents make no difference.

    Domains with accents are compared in the form in which mail servers know them.
    Doing it twice changes nothing.
    """
    folded = _fold(Secret(text.strip()))
    name, at, domain = folded.rpartition("@")
    domain = domain.rstrip(".")
    # What is no host name is compared as it is.
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return Secret(f"{name}{at}{domain}")


def _fold(text: str) -> str:
    """Fold case until nothing changes: a folded letter may be composed anew."""
    folded = text
    for _time in range(3):
        folded = unicodedata.normalize("NFKC", folded.casefold())
    return Secret(folded)


def email_digest(text: str) -> str:
    """Return what an address is found by (hex); nothing for nothing."""
    normal = Secret(normalise_email(text))
    if not normal:
        return ""
    return hashlib.sha256(f"smartgift e-mail\0{normal}".encode()).hexdigest()


def emails_in(value: Any) -> set[str]:
    """Return every address in a JSON value, in its one form."""
    return {
        normalise_email(found.rstrip("."))
        for text in _texts(value)
        for found in _EMAIL.findall(text)
    }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield str(name)
            yield from _texts(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts(part)
