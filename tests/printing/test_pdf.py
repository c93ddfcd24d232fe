"""The PDF: its text is read back, its code is scanned."""

import io

import pytest
import zxingcpp
from django.utils import translation
from PIL import Image, ImageDraw
from pypdf import PdfReader

from tests.printing.conftest import make_card
from wagtail_smartgift import printing
from wagtail_smartgift.printing import lettering, pdf, qr


#: What a hostile or a happy customer types.
TEXTS = {
    "long": "W" * 255,
    "lines": "\n".join("a" for _line in range(500)),
    "markup": "<script>alert(1)</script> **bold** __under__ &amp; {{ x }} %(y)s",
    "hebrew": "מזל טוב, with love (50)",
    "arabic": "كل عام وأنتم بخير",
    "mixed": "abc \u202e\u2066evil\u2069 \u200f\u200d\ufeff",
    "emoji": "👩‍👩‍👧‍👦❤️🎁1️⃣",
    "control": "a\x00b\x07c\td\r\ne\x0bf\u2028g",
    "surrogate": "\ud83d alone",
    "accents": "Z\u0351\u0343\u0346\u0352alg\u0301o " + "e" + "\u0301" * 60,
    "spaces": " \u00a0\u3000 ",
    "hyphens": "-" * 1000,
    "exclamation": "Happy birthday" + "!" * 980,
    "dots": "To Jane " + "." * 900,
    "stars": "*" * 1000,
    "arrows": "→ " * 500,
    "shouted in hebrew": "מזל טוב" + "!" * 990,
    "overridden": "\u202e" + "=\u2066" * 499,
    "soft hyphens": "Donau\u00addampf" * 100,
}


def text_of(card):
    reader = PdfReader(io.BytesIO(printing.pdf_of([card])))
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_the_text_is_on_it():
    text = text_of(make_card())

    for part in (
        "The Old Mill",
        "Gift voucher",
        "Afternoon tea",
        "£50.00",
        "Jane",
        "John",
        "Happy birthday! Tea is on me.",
        "ACDE FGHJ KMNP QRTV",
        "Valid until 29 Nov 2028.",
        "https://mill.example.org/smartgift/balance/",
    ):
        assert part in text


def test_a_date_that_nobody_knows_is_not_on_it():
    assert "Valid until" not in text_of(make_card(valid_until=None))


@pytest.mark.parametrize(
    "name",
    [
        "Żaneta Łęczyńska-Gżegżółka",
        "Siân Ŵyn ŷ ẃ ẁ",
        "Jürgen Weiß",
        "Íñigo Núñez",
        "Œdipe À",
    ],
)
def test_the_letters_of_our_languages_are_on_it(name):
    assert name in text_of(make_card(to=name))


def test_it_is_written_in_the_readers_language():
    with translation.override("de"):
        text = text_of(make_card())

    assert "29. November 2028" in text


def test_each_card_has_a_page_of_its_own():
    cards = [make_card(), make_card(number="XXXXYYYYXXXXYYYY")]

    reader = PdfReader(io.BytesIO(printing.pdf_of(cards)))

    assert [
        ("ACDE FGHJ" in page.extract_text(), "XXXX YYYY" in page.extract_text())
        for page in reader.pages
    ] == [(True, False), (False, True)]


def test_the_fonts_are_in_it_and_the_number_is_in_no_name_of_it():
    reader = PdfReader(io.BytesIO(printing.pdf_of([make_card()])))

    fonts = reader.pages[0]["/Resources"]["/Font"]
    for font in (one.get_object() for one in fonts.values()):
        [below] = font["/DescendantFonts"]
        assert "/FontFile2" in below.get_object()["/FontDescriptor"].get_object()
    assert "ACDE" not in str(reader.metadata) + str(reader.outline)
    assert "/Annots" not in reader.pages[0]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_nothing_that_is_typed_breaks_it(text):
    # As long as the forms let it be.
    line = text[:255]
    card = make_card(venue=line, title=line, to=line, sender=line, message=text[:1000])

    assert printing.can_write_pdf([card])
    # The number is there, whatever stands above it.
    assert "ACDE FGHJ KMNP QRTV" in text_of(card)


def test_everything_at_once_does_not_break_it():
    everything = "\n".join(reversed(TEXTS.values()))[:1000]
    line = everything[:255]
    card = make_card(title=line, to=line, sender=line, message=everything)

    assert "ACDE FGHJ KMNP QRTV" in text_of(card)


def test_a_long_rule_is_written_whole_and_in_its_place():
    text = text_of(make_card(message="Dear Jane" + "-" * 950 + "yours"))

    assert text.count("-") == 950
    assert text.index("Dear Jane") < text.index("-") < text.index("yours")


def test_a_long_rule_leaves_hebrew_where_it_was():
    short, long = (
        lettering.writable("מזל טוב" + "!" * count, pdf._code_points())
        for count in (100, 990)
    )

    assert "\u200f" not in short
    assert "\u200e" not in long
    assert long.count("\u200f") == 9
    assert long.replace("\u200f", "") == "מזל טוב" + "!" * 990


def test_what_the_library_cannot_write_is_said_so_without_the_number(
    monkeypatch, caplog
):
    closed = []
    real = pdf.fpdf.fonts.TTFFont.close
    monkeypatch.setattr(
        pdf.fpdf.fonts.TTFFont, "close", lambda font: (closed.append(font), real(font))
    )

    def breaks(*args, **more):
        raise RecursionError("ACDEFGHJKMNPQRTV")

    monkeypatch.setattr(pdf.fpdf.FPDF, "cell", breaks)

    with pytest.raises(printing.PrintingUnavailable, match="browser") as refused:
        printing.pdf_of([make_card()])

    assert refused.value.__context__ is None
    assert "RecursionError" in caplog.text
    assert "ACDE" not in caplog.text
    # Their files are not left to the collector.
    assert len(closed) == len(pdf._FAMILIES)


def test_markup_stays_what_was_typed():
    assert "<b>Jane</b> & **co**" in text_of(make_card(to="<b>Jane</b> & **co**"))


def test_emoji_are_left_out_and_words_are_not():
    assert "Dear Jane, love" in text_of(make_card(message="Dear 👩‍👧 Jane, ❤️ love"))


@pytest.mark.parametrize("nothing", ["🎁", " 🎁 ❤️\n👩‍👧", "\u00ad", "\u200d"])
def test_what_has_nothing_to_be_written_is_left_out_with_its_label(nothing):
    labels = {"To": "to", "From": "sender"}
    for gone, name in labels.items():
        words = text_of(make_card(title="Tea", message="", **{name: nothing})).split()

        assert gone not in words
        assert set(labels) - {gone} <= set(words)

    bare = text_of(
        make_card(venue=nothing, title=nothing, to=nothing, sender="", message=nothing)
    )
    assert bare.startswith("Gift voucher £50.00 Voucher number")


def test_braces_are_no_number_of_pages():
    assert "{nb} hugs" in text_of(make_card(message="{nb} hugs"))


@pytest.fixture
def shaped(monkeypatch):
    """Count the letters that are set or measured, and the fonts that are read."""
    fonts = pdf.fpdf.fonts.TTFFont
    counted = {"letters": 0, "fonts": 0}
    shape, read = fonts.perform_harfbuzz_shaping, fonts.__init__

    def counts_letters(font, text, *args):
        counted["letters"] += len(text)
        return shape(font, text, *args)

    def counts_fonts(font, *args, **more):
        counted["fonts"] += 1
        return read(font, *args, **more)

    monkeypatch.setattr(fonts, "perform_harfbuzz_shaping", counts_letters)
    monkeypatch.setattr(fonts, "__init__", counts_fonts)
    return counted


@pytest.mark.parametrize("message", ["Many happy returns " * 52, "W" * 990, "- " * 495])
def test_a_long_greeting_is_set_once_whatever_sizes_are_tried(shaped, message):
    printing.pdf_of([make_card(message="")])
    without = shaped["letters"]
    printing.pdf_of([make_card(message=message)])

    # Its words are measured; its lines are measured twice, by fpdf2, and written.
    assert shaped["letters"] - 2 * without <= 4.1 * len(message)


def test_of_many_cards_the_fonts_are_read_once_and_the_words_measured_once(shaped):
    card = make_card(message="Many happy returns " * 52)
    printing.pdf_of([card])
    first = shaped.copy()
    printing.pdf_of([card] * 20)

    assert shaped["fonts"] == 2 * first["fonts"] == 2 * len(pdf._FAMILIES)
    assert shaped["letters"] - first["letters"] < 20 * first["letters"]


def test_a_number_of_any_length_stays_in_one_line_of_the_card():
    reader = PdfReader(io.BytesIO(printing.pdf_of([make_card(number="W" * 64)])))

    assert len(reader.pages) == 1


@pytest.mark.parametrize("name", ["李明", "สมชาย", "நிலா", "Հայ", "ᎣᏏᏲ"])
def test_a_script_without_a_font_is_not_written_as_boxes(name):
    card = make_card(to=name)

    assert not printing.can_write_pdf([make_card(), card])
    with pytest.raises(printing.PrintingUnavailable, match="letters"):
        printing.pdf_of([card])


def test_no_cards_are_no_pdf():
    assert not printing.can_write_pdf([])
    with pytest.raises(printing.PrintingUnavailable, match="no card"):
        printing.pdf_of([])


@pytest.mark.parametrize("module", [pdf, qr])
def test_without_the_extra_it_says_what_to_install(monkeypatch, module):
    monkeypatch.setattr(module, "_INSTALLED", False)

    assert not printing.can_write_pdf([make_card()])
    with pytest.raises(
        printing.PrintingUnavailable, match=r"wagtail-smartgift\[cards\]"
    ):
        printing.pdf_of([make_card()])


@pytest.mark.parametrize("number", ["ACDEFGHJKMNPQRTV", "A/B #ü", "W" * 64])
def test_the_code_leads_to_the_balance_with_the_number(number):
    card = make_card(number=number)
    modules, runs = qr.runs_of(card.link)
    side, edge = 8, qr.QUIET_ZONE
    picture = Image.new("L", ((modules + 2 * edge) * side,) * 2, 255)
    draw = ImageDraw.Draw(picture)
    for column, row, length in runs:
        left, top = (column + edge) * side, (row + edge) * side
        draw.rectangle([left, top, left + length * side - 1, top + side - 1], fill=0)

    [read] = zxingcpp.read_barcodes(picture)

    assert read.text == card.link
