"""Text in lines, of words that are measured once.

fpdf2 can break lines too, but sets what it has of a line anew for each further letter,
and for each size that is tried: a greeting of a thousand letters takes it a quarter of a
second, and an order has a hundred of them.
"""

import unicodedata
from collections.abc import Callable, Iterator


class Ruler:
    """Measures text in the fonts of one document, and breaks it into lines.

    Widths grow with the size of the letters, so one measurement is good for all sizes.
    """

    def __init__(self, measure: Callable[[str], float]) -> None:
        """``measure`` returns how wide a text is at a size of one point."""
        self._measure = measure
        self._known: dict[str, float] = {}

    def width(self, text: str) -> float:
        """Return how wide a word or a letter is at a size of one point."""
        width = self._known.get(text)
        if width is None:
            width = self._known[text] = self._measure(text)
        return width

    def lines(self, text: str, room: float) -> list[str]:
        """Return the lines of a text that are no wider than ``room`` at one point.

        It is broken at its spaces, which are single ones, and within a word only where
        that has no room in a line of its own.
        """
        return [
            line for part in text.splitlines() for line in self._lines_of(part, room)
        ]

    def _lines_of(self, text: str, room: float) -> list[str]:
        lines: list[str] = []
        space = self.width(" ")
        left = 0.0
        for word in text.split(" "):
            for piece, width in self._pieces(word, room):
                if lines and space + width <= left:
                    lines[-1] += f" {piece}"
                    left -= space + width
                else:
                    lines.append(piece)
                    left = room - width
        return lines

    def _pieces(self, word: str, room: float) -> Iterator[tuple[str, float]]:
        """Return a word, or what of it has room in a line each."""
        width = self.width(word)
        if width <= room:
            yield word, width
            return
        piece, width = "", 0.0
        for char in word:
            # A letter keeps the accents that follow it.
            more = 0.0 if unicodedata.combining(char) else self.width(char)
            if piece and width + more > room:
                yield piece, width
                piece, width = "", 0.0
            piece += char
            width += more
        yield piece, width
