"""Text that anybody typed, as the fonts of a card can write it.

Pictures such as emoji are left out, since no font here has them; letters of a script that
no font has make a text unwritable. Which of the two a character is decides Unicode.
"""

import unicodedata
from collections.abc import Collection


#: Strong right-to-left, in Unicode's words.
_RIGHT_TO_LEFT = {"R", "AL"}
#: What says by itself in which direction a text runs, and digits, which come near it.
_STRONG = {"L", "EN", "AN", *_RIGHT_TO_LEFT}
#: fpdf2 calls itself once for each character between two strong ones, so a long rule
#: of hyphens would exhaust Python's stack. Far fewer than that allows, and more than
#: words have between them.
_LONGEST_RUN = 100
_LEFT_MARK, _RIGHT_MARK = "\u200e", "\u200f"
#: What a name or a sentence loses its sense without: letters and digits. A script that
#: needs its marks has letters that are missing with them.
_MATTERS = ("L", "N")
#: Direct how letters join and flow, and show nothing themselves.
_JOINERS = {"\u200c", "\u200d", "\u200e", "\u200f"}
#: Where a word may be parted: no word is, unless it is longer than a line.
_SOFT_HYPHEN = "\u00ad"


def writable(text: str, known: Collection[int], *, lines: int = 1) -> str:
    """Return ``text`` without what ``known`` code points cannot write.

    It has ``lines`` at most: what is more follows in the last. Elsewhere white space is
    one space.
    """
    found = text.strip().splitlines()
    if len(found) > lines:
        found = [*found[: lines - 1], " ".join(found[lines - 1 :])]
    return _broken_up("\n".join(_line(line, known) for line in found))


def _broken_up(text: str) -> str:
    """Put a mark that nobody sees into each long run of signs that have no direction.

    It runs as what is written before it, or else as what comes first: what is seen
    stays where it was.
    """
    directions = [unicodedata.bidirectional(char) for char in text]
    current = next((one for one in directions if one in _STRONG), "L")
    kept: list[str] = []
    run = 0
    for char, direction in zip(text, directions, strict=True):
        if direction in _STRONG:
            current, run = direction, 0
        elif run == _LONGEST_RUN:
            kept.append(_RIGHT_MARK if current in _RIGHT_TO_LEFT else _LEFT_MARK)
            run = 1
        else:
            run += 1
        kept.append(char)
    return "".join(kept)


def _line(text: str, known: Collection[int]) -> str:
    kept: list[str] = []
    # Composed: a letter with its accent is one glyph, and better drawn.
    for char in unicodedata.normalize("NFC", text):
        if char in _JOINERS:
            # Emoji are joined by the same ones.
            if kept and unicodedata.bidirectional(kept[-1]) in _RIGHT_TO_LEFT:
                kept.append(char)
        elif char == _SOFT_HYPHEN:
            continue
        elif ord(char) in known:
            kept.append(char)
        elif not unicodedata.category(char).startswith("M"):
            kept.append(" ")
    return " ".join("".join(kept).split())


def direction_of(text: str) -> str:
    """Return ``rtl`` or ``ltr``, as the first letter that has a direction says."""
    directions = map(unicodedata.bidirectional, text)
    first = next((one for one in directions if one in {"L", *_RIGHT_TO_LEFT}), "L")
    return "rtl" if first in _RIGHT_TO_LEFT else "ltr"


def can_write(text: str, known: Collection[int]) -> bool:
    """Tell whether nothing but pictures would be left out."""
    return all(
        ord(char) in known or not unicodedata.category(char).startswith(_MATTERS)
        for char in unicodedata.normalize("NFC", text)
    )
