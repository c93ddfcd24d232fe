"""The QR code of a card: its link, to be scanned from paper."""

from collections.abc import Iterator
from typing import Any

from wagtail_smartgift.redaction import Secret


try:
    import segno
except ImportError:  # The extra `cards` is not installed.
    _INSTALLED = False
else:
    _INSTALLED = True

#: Part of the code that may be dirty or torn: M, 15 percent.
_ERROR_CORRECTION = "m"
#: Empty modules around it, without which scanners do not find it.
QUIET_ZONE = 4


def is_available() -> bool:
    return _INSTALLED


def svg_of(link: str) -> str:
    """Return the code as an SVG element without a size; nothing without the extra.

    Its colours are attributes: a policy against inline styles does not matter to it.
    It stays dark on light in dark mode, since many scanners read nothing else.
    """
    if not _INSTALLED:
        return ""
    code = _make(link)
    drawn = code.svg_inline(
        border=QUIET_ZONE, dark="#000", light="#fff", omitsize=True, lineclass=None
    )
    return Secret(drawn)


def runs_of(link: str) -> tuple[int, Iterator[tuple[int, int, int]]]:
    """Return how many modules wide a code is, and its dark runs.

    A run is ``(column, row, length)``, the quiet zone not counted.
    """
    rows = [bytes(row) for row in _make(link).matrix]
    return len(rows), _runs(rows)


def _make(link: str) -> Any:
    return segno.make(link, error=_ERROR_CORRECTION, micro=False)


def _runs(rows: list[bytes]) -> Iterator[tuple[int, int, int]]:
    for number, row in enumerate(rows):
        column = 0
        while column < len(row):
            length = 0
            while column + length < len(row) and row[column + length]:
                length += 1
            if length:
                yield column, number, length
            column += length or 1
