"""Cards as a PDF, one to a page of A4, with fonts of our own.

Needs the extra ``cards`` (fpdf2, uharfbuzz, segno). The fonts are embedded, so the page
looks alike on every machine, and nothing is asked of the one that writes it.
"""

import logging
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from wagtail_smartgift.printing import lettering, qr
from wagtail_smartgift.printing.cards import PrintedCard
from wagtail_smartgift.printing.wrapping import Ruler
from wagtail_smartgift.redaction import Secret, SecretBytes


try:
    import fpdf
    import uharfbuzz  # noqa: F401 - fpdf2 uses it where it is there, and cards need it
    from fontTools.ttLib import TTFont
except ImportError:  # The extra `cards` is not installed.
    _INSTALLED = False
else:
    _INSTALLED = True
    # It tells at INFO which letters were taken from a font, those of a number too.
    logging.getLogger("fontTools.subset").setLevel(logging.WARNING)

logger = logging.getLogger(__name__)

FONTS = Path(__file__).parent / "fonts"
_MAIN, *_OTHERS = _FAMILIES = ("NotoSerif", "NotoSerifHebrew", "NotoNaskhArabic")

#: Millimetres: the page, the lines of the frame on it, and the room within.
_WIDTH, _HEIGHT = 210, 297
_FRAMES = (13, 14.5)
_MARGIN = 28
_INSIDE = _WIDTH - 2 * _MARGIN
#: Where the number and its code stand, and how tall they are.
_FOOT_TOP, _FOOT_HEIGHT = 212, 52
_CODE = 40
#: Points. The first size at which a text is not too tall is taken, else the last.
_VENUE_SIZES = (19, 16, 12)
_TITLE_SIZES = (30, 25, 20, 16, 12)
_VALUE_SIZES = (36, 28, 20)
_NAME_SIZES = (18, 15, 12, 10)
_MESSAGE_SIZES = (16, 14, 12, 10, 8.5)
_NUMBER_SIZES = (21, 17, 13, 10, 8)
#: More lines than a greeting has; hundreds would fill pages.
_MESSAGE_LINES = 40
#: Millimetres that a title and a name may take.
_TITLE_HEIGHT, _NAME_HEIGHT = 40, 18
#: Greys: of the text, of labels, and of lines.
_INK, _QUIET, _LINE = 25, 95, 190
#: Of a line of text, in its size.
_LEADING = 1.35
#: Millimetres that fpdf2 leaves empty on either side of a line.
_PADDING = 1
#: Points: small letters are measured in large, where rounding does not matter.
_MEASURED_AT = 100
_MM_PER_POINT = 25.4 / 72


class PrintingUnavailable(Exception):
    """No PDF can be written: the extra is not installed, a script has no font, or fpdf2
    cannot set a text.
    """


def is_available() -> bool:
    """Tell whether the extra ``cards`` is installed."""
    return _INSTALLED and qr.is_available()


def can_write_pdf(cards: Sequence[PrintedCard]) -> bool:
    """Tell whether these cards can be a PDF; the page to print shows them in any case."""
    return bool(cards) and is_available() and not any(map(_is_unwritable, cards))


def pdf_of(cards: Sequence[PrintedCard]) -> bytes:
    """Return the cards as a PDF, in the active language.

    A card takes some hundredths of a second, a greeting of a thousand letters included,
    and a sale has a hundred at most. Emoji are left out, and a name of nothing else with
    its label. Raises:
        PrintingUnavailable: the extra is not installed; there is no card; or a text is
            in a script that none of the fonts has; or fpdf2 fails, which is logged.
    """
    if not is_available():
        raise PrintingUnavailable(
            "PDF cards need fpdf2, uharfbuzz and segno: "
            "pip install 'wagtail-smartgift[cards]'"
        )
    if not cards:
        raise PrintingUnavailable("There is no card to write.")
    if not can_write_pdf(cards):
        raise PrintingUnavailable(
            "A card has letters that none of the fonts has. Its page can be printed "
            "by a browser."
        )
    pdf = _new_document()
    ruler = Ruler(partial(_measure, pdf))
    try:
        for card in cards:
            _Page(pdf, card, ruler).write()
        return SecretBytes(pdf.output())
    except Exception as error:  # noqa: BLE001 - of a library that sets what anybody typed
        # Neither its message nor its frames are kept: both may have the number.
        logger.error("A card could not be written as a PDF: %s.", type(error).__name__)
    finally:
        # Only a document that was written has closed them.
        for font in pdf.fonts.values():
            font.close()
    raise PrintingUnavailable(
        "A card could not be written. Its page can be printed by a browser."
    )


def _is_unwritable(card: PrintedCard) -> bool:
    texts = (card.venue, card.title, card.value, card.to, card.sender, card.message)
    return not all(lettering.can_write(text, _code_points()) for text in texts)


@cache
def _code_points() -> frozenset[int]:
    """Return every code point that one of the fonts has."""
    found: set[int] = set()
    for family in _FAMILIES:
        with TTFont(FONTS / f"{family}.ttf", lazy=True) as font:
            found.update(font.getBestCmap())
    return frozenset(found)


def _writable(text: str, *, lines: int = 1) -> str:
    return lettering.writable(text, _code_points(), lines=lines)


def _new_document() -> Any:
    class Document(fpdf.FPDF):
        def header(self) -> None:
            """Draw the frame, on a page that a long greeting has begun as well."""
            self.set_draw_color(_LINE)
            self.set_line_width(0.25)
            for edge in _FRAMES:
                self.rect(edge, edge, _WIDTH - 2 * edge, _HEIGHT - 2 * edge, style="D")

    pdf = Document(format="A4")
    # Else `{nb}` in a greeting would be replaced by the number of pages.
    pdf.alias_nb_pages("")
    for family in _FAMILIES:
        pdf.add_font(family, fname=FONTS / f"{family}.ttf")
    pdf.set_font(_MAIN)
    pdf.set_fallback_fonts(_OTHERS, exact_match=False)
    # Joins Arabic letters, and turns what is written from the right.
    pdf.set_text_shaping(use_shaping_engine=True)
    pdf.set_margins(_MARGIN, _MARGIN)
    pdf.set_auto_page_break(auto=True, margin=_MARGIN)
    pdf.set_title(_("Gift voucher"))
    pdf.set_lang(get_language() or "en")
    return pdf


def _measure(pdf: Any, text: str) -> float:
    pdf.set_font(_MAIN, size=_MEASURED_AT)
    width: float = pdf.get_string_width(text)
    return width / _MEASURED_AT


class _Page:
    """Writes one card from the top down; its number stands at the foot.

    Of what somebody typed, a line that has nothing but emoji is left out.
    """

    def __init__(self, pdf: Any, card: PrintedCard, ruler: Ruler) -> None:
        self._pdf = pdf
        self._card = card
        self._ruler = ruler

    def write(self) -> None:
        pdf, card = self._pdf, self._card
        pdf.add_page()
        pdf.set_y(_MARGIN + 8)
        if venue := _writable(card.venue):
            self._put(venue, sizes=_VENUE_SIZES, tallest=_TITLE_HEIGHT)
            pdf.ln(4)
            self._rule(30)
            pdf.ln(11)
        self._label(_("Gift voucher"))
        if title := _writable(card.title):
            self._put(title, sizes=_TITLE_SIZES, tallest=_TITLE_HEIGHT)
        if value := _writable(card.value):
            pdf.ln(3)
            self._put(value, sizes=_VALUE_SIZES, tallest=_NAME_HEIGHT)
        pdf.ln(7)
        for label, text in (
            (pgettext("on a gift voucher, before a name", "To"), card.to),
            (pgettext("on a gift voucher, before a name", "From"), card.sender),
        ):
            if name := _writable(text):
                self._label(label)
                self._put(name, sizes=_NAME_SIZES, tallest=_NAME_HEIGHT)
                pdf.ln(4)
        if message := _writable(card.message, lines=_MESSAGE_LINES):
            pdf.ln(3)
            room = _FOOT_TOP - pdf.get_y() - 6
            self._put(message, sizes=_MESSAGE_SIZES, tallest=room)
        if pdf.get_y() > _FOOT_TOP:
            pdf.add_page()
        self._foot()

    def _put(self, text: str, *, sizes: Sequence[float], tallest: float) -> None:
        """Write a text in the middle, in the first of ``sizes`` in which it fits."""
        for size in sizes:
            leading = size * _LEADING * _MM_PER_POINT
            lines = self._lines(text, size, _INSIDE)
            if len(lines) * leading <= tallest:
                break
        self._write(lines, size, leading=leading, align="C")

    def _lines(self, text: str, size: float, width: float) -> list[str]:
        return self._ruler.lines(text, (width - 2 * _PADDING) / size)

    def _write(
        self,
        lines: Sequence[str],
        size: float,
        *,
        leading: float,
        ink: int = _INK,
        width: float = _INSIDE,
        align: str,
    ) -> None:
        pdf = self._pdf
        pdf.set_text_color(ink)
        pdf.set_font(_MAIN, size=size)
        # As what was typed runs, which a single line of it may not tell.
        whole = Secret(" ".join(lines))
        pdf.set_text_shaping(direction=lettering.direction_of(whole))
        for line in lines:
            pdf.cell(width, leading, line, align=align, new_x="LEFT", new_y="NEXT")
        pdf.set_text_shaping()

    def _label(self, text: str, *, width: float = _INSIDE, align: str = "C") -> None:
        lines = self._lines(text, 9, width)
        self._write(lines, 9, leading=5, ink=_QUIET, width=width, align=align)

    def _rule(self, width: float) -> None:
        pdf = self._pdf
        start = (_WIDTH - width) / 2
        pdf.set_draw_color(_LINE)
        pdf.line(start, pdf.get_y(), start + width, pdf.get_y())

    def _foot(self) -> None:
        """Write the number, its code, and what to do with them."""
        pdf, card = self._pdf, self._card
        # Nothing here may begin a page of its own.
        pdf.set_auto_page_break(auto=False)
        pdf.set_y(_FOOT_TOP)
        self._rule(_INSIDE)
        self._code(card, _MARGIN, _FOOT_TOP + 8)
        left = _MARGIN + _CODE + 8
        width = _WIDTH - _MARGIN - left
        pdf.set_xy(left, _FOOT_TOP + 9)
        self._label(_("Voucher number"), width=width, align="L")
        self._fitted(card.grouped_number, width)
        for note in self._notes():
            lines = self._lines(note, 9, width)
            self._write(lines, 9, leading=4.6, ink=_QUIET, width=width, align="L")
        pdf.set_auto_page_break(auto=True, margin=_MARGIN)

    def _fitted(self, number: str, width: float) -> None:
        """Write the number on one line, in the largest size that has room for it."""
        wide = self._ruler.width(number)
        room = width - 2 * _PADDING
        size = next((one for one in _NUMBER_SIZES if one * wide <= room), None)
        size = size or _NUMBER_SIZES[-1]
        leading = size * _LEADING * _MM_PER_POINT
        self._write([number], size, leading=leading, width=width, align="L")

    def _notes(self) -> list[str]:
        card = self._card
        notes = []
        if card.valid_until is not None:
            notes.append(
                _("Valid until %(day)s.") % {"day": date_format(card.valid_until)}
            )
        notes.append(
            _(
                "Scan the code to see what is left on this voucher, or enter its number "
                "here: %(address)s"
            )
            % {"address": card.balance_url}
        )
        notes.append(
            _(
                "The number is as good as money: keep it safe, and show it to nobody else."
            )
        )
        return notes

    def _code(self, card: PrintedCard, left: float, top: float) -> None:
        pdf = self._pdf
        modules, runs = qr.runs_of(card.link)
        side = _CODE / (modules + 2 * qr.QUIET_ZONE)
        pdf.set_fill_color(0)
        for column, row, length in runs:
            pdf.rect(
                left + (column + qr.QUIET_ZONE) * side,
                top + (row + qr.QUIET_ZONE) * side,
                # A hair more, or printers leave white lines between the rows.
                length * side,
                side * 1.02,
                style="F",
            )
