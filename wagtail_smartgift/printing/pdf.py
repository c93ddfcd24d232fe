"""Cards as a PDF, one to a page of A4, with fonts of our own.

Needs the extra ``cards`` (fpdf2, uharfbuzz, segno). The fonts are embedded, so the page
looks alike on every machine, and nothing is asked of the one that writes it.
"""

import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from wagtail_smartgift.printing import lettering, qr
from wagtail_smartgift.printing.cards import PrintedCard
from wagtail_smartgift.redaction import SecretBytes


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
#: More lines than a greeting has; hundreds would take seconds to set.
_MESSAGE_LINES = 40
#: Millimetres that a title and a name may take.
_TITLE_HEIGHT, _NAME_HEIGHT = 40, 18
#: Greys: of the text, of labels, and of lines.
_INK, _QUIET, _LINE = 25, 95, 190
#: Of a line of text, in its size.
_LEADING = 1.35
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

    Emoji are left out. Raises:
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
    try:
        for card in cards:
            _Page(pdf, card).write()
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


def _new_document() -> Any:
    class Document(fpdf.FPDF):
        def header(self) -> None:
            """Draw the frame, on a page that a long greeting has begun as well."""
            self.set_draw_color(_LINE)
            self.set_line_width(0.25)
            for edge in _FRAMES:
                self.rect(edge, edge, _WIDTH - 2 * edge, _HEIGHT - 2 * edge, style="D")

    pdf = Document(format="A4")
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


class _Page:
    """Writes one card from the top down; its number stands at the foot."""

    def __init__(self, pdf: Any, card: PrintedCard) -> None:
        self._pdf = pdf
        self._card = card

    def write(self) -> None:
        pdf, card = self._pdf, self._card
        pdf.add_page()
        pdf.set_y(_MARGIN + 8)
        self._put(card.venue, sizes=_VENUE_SIZES, tallest=_TITLE_HEIGHT)
        pdf.ln(4)
        self._rule(30)
        pdf.ln(11)
        self._label(_("Gift voucher"))
        self._put(card.title, sizes=_TITLE_SIZES, tallest=_TITLE_HEIGHT)
        if card.value:
            pdf.ln(3)
            self._put(card.value, sizes=_VALUE_SIZES, tallest=_NAME_HEIGHT)
        pdf.ln(7)
        for label, text in (
            (pgettext("on a gift voucher, before a name", "To"), card.to),
            (pgettext("on a gift voucher, before a name", "From"), card.sender),
        ):
            if text:
                self._label(label)
                self._put(text, sizes=_NAME_SIZES, tallest=_NAME_HEIGHT)
                pdf.ln(4)
        if card.message:
            pdf.ln(3)
            room = _FOOT_TOP - pdf.get_y() - 6
            self._put(
                card.message, sizes=_MESSAGE_SIZES, tallest=room, lines=_MESSAGE_LINES
            )
        if pdf.get_y() > _FOOT_TOP:
            pdf.add_page()
        self._foot()

    def _put(
        self, text: str, *, sizes: Sequence[float], tallest: float, lines: int = 1
    ) -> None:
        """Write a text in the middle, in the first of ``sizes`` in which it fits."""
        text = lettering.writable(text, _code_points(), lines=lines)
        size = next((one for one in sizes if self._height(text, one) <= tallest), 0)
        self._write(text, size or sizes[-1], align="C")

    def _height(self, text: str, size: float) -> float:
        height: float = self._write(text, size, dry_run=True, output="HEIGHT")
        return height

    def _write(self, text: str, size: float, *, width: float = 0, **more: Any) -> Any:
        pdf = self._pdf
        pdf.set_text_color(_INK)
        pdf.set_font(_MAIN, size=size)
        return pdf.multi_cell(
            width or _INSIDE,
            size * _LEADING * _MM_PER_POINT,
            text,
            new_x=more.pop("new_x", "LMARGIN"),
            new_y="NEXT",
            **more,
        )

    def _label(self, text: str, *, width: float = 0, align: str = "C") -> None:
        pdf = self._pdf
        pdf.set_font(_MAIN, size=9)
        pdf.set_text_color(_QUIET)
        pdf.multi_cell(
            width or _INSIDE, 5, text, align=align, new_x="LEFT", new_y="NEXT"
        )

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
        pdf.set_x(left)
        for line in self._notes():
            pdf.set_font(_MAIN, size=9)
            pdf.set_text_color(_QUIET)
            pdf.multi_cell(width, 4.6, line, align="L", new_x="LEFT", new_y="NEXT")
        pdf.set_auto_page_break(auto=True, margin=_MARGIN)

    def _fitted(self, number: str, width: float) -> None:
        """Write the number on one line, in the largest size that has room for it."""
        pdf = self._pdf
        for size in _NUMBER_SIZES:
            pdf.set_font(_MAIN, size=size)
            if pdf.get_string_width(number) <= width - 2:
                break
        self._write(number, pdf.font_size_pt, width=width, align="L", new_x="LEFT")

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
