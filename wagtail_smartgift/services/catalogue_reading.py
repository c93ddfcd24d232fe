"""Smart Gift's products as values of our rows: tolerant, bounded and sanitised.

What Smart Gift sends is untrusted text. Nothing here touches the database; whatever
comes in, what goes out fits the columns and is safe to print.
"""

import re
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

import nh3

from wagtail_smartgift.choices import ProductStatus, ProductType
from wagtail_smartgift.client import CatalogueVoucher


#: Before every digest that is kept: raised when the reading here, or the client's,
#: changes, so that the next sync rewrites every row.
REVISION = 2

MAX_TITLE = 255
#: Characters of a description before it is sanitised; the longest seen has some 2,000.
MAX_DESCRIPTION = 50_000
MAX_IMAGE_URL = 1000
#: What the columns hold.
_MAX_INTEGER = 2**31 - 1

_TAGS = {
    *("p", "br", "strong", "b", "em", "i", "u"),
    *("ul", "ol", "li", "h3", "h4", "blockquote", "a"),
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href"}},
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel="noopener nofollow",
)
_TYPES, _STATUSES = frozenset(ProductType.values), frozenset(ProductStatus.values)
_NOT_IN_URL = re.compile(r"[\s<>\"'\\]")
#: Control characters but tab and line ends, halves of pairs, and what is no character.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]"
)
_BLOCKS = re.compile(
    r"<\s*(p|br|div|ul|ol|li|h[1-6]|table|blockquote)\b", re.IGNORECASE
)


def read_product(voucher: CatalogueVoucher) -> dict[str, Any]:
    """Return the columns of a product that tell what it is."""
    word = _printable(voucher.status).strip().lower()
    return {
        "title": _shorten(" ".join(_printable(voucher.title).split()), MAX_TITLE)
        or f"#{voucher.id}",
        "description_html": sanitise(voucher.selling_description),
        "type": _choice(_TYPES, voucher.type, unknown=ProductType.UNKNOWN),
        # The older answers have no status: everything they list was on sale.
        "status": _choice(_STATUSES, word, unknown=ProductStatus.UNKNOWN)
        if word
        else ProductStatus.ACTIVE.value,
        "remote_status": word[:64],
        "price": voucher.value,
        "min_amount": voucher.min,
        "max_amount": voucher.max,
        "increment": voucher.increments or None,
        "persons_min": _count(voucher.persons_min),
        "persons_max": _count(voucher.persons_max),
        "available_count": None
        if voucher.available_count is None
        else max(0, min(voucher.available_count, _MAX_INTEGER)),
        "image_url": _image_url(voucher.image),
        "remote_created_at": _aware(voucher.created_at),
        "remote_updated_at": _aware(voucher.updated_at),
    }


def kept_digest(digest: str) -> str:
    """Return a digest as our rows keep it."""
    return f"{REVISION}-{digest}"


def known_digest(kept: str) -> str | None:
    """Return a kept digest as it came; None where it was read another way."""
    revision, _dash, digest = kept.partition("-")
    return digest if revision == str(REVISION) else None


def sanitise(text: str) -> str:
    """Return ``text`` as harmless HTML; line ends become paragraphs and breaks.

    Smart Gift's descriptions mix plain paragraphs with marked-up ones.
    """
    text = _printable(text[:MAX_DESCRIPTION]).replace("\r\n", "\n").replace("\r", "\n")
    parts = (part.strip() for part in re.split(r"\n\s*\n", text))
    html = "".join(_as_block(part) for part in parts if part)
    return _CLEANER.clean(html).strip()


def _printable(text: str) -> str:
    """Return a text without what no file of a spreadsheet, nor of XML, can hold."""
    return UNPRINTABLE.sub("", text)


def _as_block(part: str) -> str:
    if _BLOCKS.search(part):
        return part
    return f"<p>{part}</p>".replace("\n", "<br>")


def _shorten(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def _choice(choices: frozenset[str], word: str, *, unknown: str) -> str:
    word = word.strip().lower()
    return word if word in choices else str(unknown)


def _count(number: int | None) -> int | None:
    return number if number is not None and 1 <= number <= _MAX_INTEGER else None


def _aware(moment: datetime | None) -> datetime | None:
    """Take a time without an offset for UTC; it is only ever shown to staff."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=timezone.utc)


def _image_url(address: str) -> str:
    """Return an address that a page may name in ``src``, or nothing."""
    address = address.strip()
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    if len(address) > MAX_IMAGE_URL or _NOT_IN_URL.search(address):
        return ""
    return address
