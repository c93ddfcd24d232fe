"""Text that anybody typed, as the fonts of a card can write it.

Pictures such as emoji are left out, since no font here has them; letters of a script that
no font has make a text unwritable. Which of the two a character is decides Unicode.
"""

import unicodedata
from collections.abc import Collection


#: Strong right-to-left, in Unicode's words.
_RIGHT_TO_LEFT = {"R", "AL"}
#: What a name or a sentence loses its sense without: letters and digits. A script that
#: needs its marks has letters that are missing with them.
_MATTERS = ("L", "N")
#: Direct how letters join and flow, and show nothing themselves.
_JOINERS = {"\u200c", "\u200d", "\u200e", "\u200f"}


def writable(text: str, known: Collection[int], *, lines: int = 1) -> str:
    """Return ``text`` without what ``known`` code points cannot write.

    It has ``lines`` at most: what is more follows in the last. Elsewhere white space is
    one space.
    """
    found = text.strip().splitlines()
    if len(found) > lines:
        found = [*found[: lines - 1], " ".join(found[lines - 1 :])]
    return "\n".join(_line(line, known) for line in found)


def _line(text: str, known: Collection[int]) -> str:
    kept: list[str] = []
    # Composed: a letter with its accent is one glyph, and better drawn.
    for char in unicodedata.normalize("NFC", text):
        if char in _JOINERS:
            # Emoji are joined by the same ones.
            if kept and unicodedata.bidirectional(kept[-1]) in _RIGHT_TO_LEFT:
                kept.append(char)
        elif ord(char) in known:
            kept.append(char)
        elif not unicodedata.category(char).startswith("M"):
            kept.append(" ")
    return " ".join("".join(kept).split())


def can_write(text: str, known: Collection[int]) -> bool:
    """Tell whether nothing but pictures would be left out."""
    return all(
        ord(char) in known or not unicodedata.category(char).startswith(_MATTERS)
        for char in unicodedata.normalize("NFC", text)
    )
