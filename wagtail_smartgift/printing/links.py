"""Addresses of a sale's cards, for the one who bought them.

A signed word in the address says which sale, and is good for an hour: a page that knows
its visitor to be the buyer (by their session or login) makes it anew each time. So what
stays behind in a log or a history opens nothing later. It is not meant for mails.
"""

from datetime import date

from django.core import signing
from django.urls import reverse


#: Seconds that an address of cards is good for.
LIFETIME = 3600

_SALT = "wagtail_smartgift.printing"


def card_url(*, reference: str, valid_until: date | None = None) -> str:
    """Return where the buyer finds the cards of a sale to print."""
    return reverse("wagtail_smartgift:cards", args=[_sign(reference, valid_until)])


def pdf_url(*, reference: str, valid_until: date | None = None) -> str:
    """Return where the buyer finds the cards of a sale as a PDF."""
    return reverse("wagtail_smartgift:cards_pdf", args=[_sign(reference, valid_until)])


def read_token(token: str) -> tuple[str, date | None]:
    """Return which sale an address is about, and what its maker knew of it.

    Raises:
        SignatureExpired: it was good once.
        BadSignature: nobody here has made it.
    """
    said = signing.loads(token, salt=_SALT, max_age=LIFETIME)
    until = said.get("until")
    return said["sale"], date.fromisoformat(until) if until else None


def _sign(reference: str, valid_until: date | None) -> str:
    said = {"sale": reference}
    if valid_until is not None:
        said["until"] = valid_until.isoformat()
    return signing.dumps(said, salt=_SALT)
