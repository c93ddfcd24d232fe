"""What the package says in a language, and what of it was left in English."""

import re
from functools import cache

from django.utils import translation

from tests import catalogues


#: The language that the package is written in, and those it is translated into.
ENGLISH = "en-gb"
OTHERS = catalogues.LANGUAGES
#: Where the pounds stand in front, with a point.
_AS_IN_ENGLISH = {ENGLISH, "cy"}

_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")
#: Texts of the package's own parts, attributes that are shown or read out among them.
_TEXTS = """() => {
  const found = [];
  for (const part of document.querySelectorAll("main [lang]")) {
    const walker = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      if (!walker.currentNode.parentElement.closest("script, style")) {
        found.push(walker.currentNode.data);
      }
    }
    for (const one of [part, ...part.querySelectorAll("*")]) {
      for (const { name, value } of one.attributes) {
        if (/^(aria-label|title|placeholder|data-word-.*)$/.test(name)) found.push(value);
      }
    }
  }
  return found;
}"""


def pattern(language, message, plural=None, *, number=1, **values):
    """Return what finds a message, with any text for a value that is not given."""
    with translation.override(language):
        if plural is None:
            text = translation.gettext(message)
        else:
            text = translation.ngettext(message, plural, number)
        pieces = catalogues.TAG.split(text)
    # What is for ears alone is set apart by spaces in a name, or is not.
    return re.compile(r"\s*".join(_pattern(_one_line(one), values) for one in pieces))


def _pattern(text, values):
    found, at = "", 0
    for hole in _PLACEHOLDER.finditer(text):
        value = values.get(hole[0][2:-2])
        found += re.escape(text[at : hole.start()])
        found += ".+?" if value is None else re.escape(value)
        at = hole.end()
    # Spaces that do not break are spaces.
    return (found + re.escape(text[at:])).replace(r"\ ", r"\s+")


def money(language, amount):
    """Return pounds as readers of that language write them: ``"1,230.00"`` is given."""
    if language in _AS_IN_ENGLISH:
        return f"£{amount}"
    group = "." if language == "de" else " "
    return f"{amount.replace(',', group)[:-3]},{amount[-2:]} £"


def left_in_english(page, language):
    """Return the texts of the page that the catalogue has another word for."""
    texts = {_one_line(text) for text in page.evaluate(_TEXTS)}
    plain, holed = _translated(language)
    return sorted(
        text
        for text in texts
        if text in plain or any(one.fullmatch(text) for one in holed)
    )


@cache
def _translated(language):
    """Return what a translated page must not say: texts, and patterns of others."""
    english, same = set(), set()
    for entry in catalogues.entries(language):
        translated = {
            piece for text in catalogues.forms_of(entry) for piece in _pieces(text)
        }
        for text in filter(None, (entry.msgid, entry.msgid_plural)):
            english |= _pieces(text)
            # A word of both languages, be it in one context alone.
            same |= _pieces(text) & translated
    plain, holed = set(), set()
    for piece in english - same:
        literal = re.sub(r"[^a-z]", "", _PLACEHOLDER.sub("", piece).lower())
        if len(literal) > 3:
            (holed if _PLACEHOLDER.search(piece) else plain).add(piece)
    return plain, [
        re.compile(".+".join(map(re.escape, _PLACEHOLDER.split(one)))) for one in holed
    ]


def _pieces(message):
    """Return the texts between the tags of a message."""
    return {_one_line(piece) for piece in catalogues.TAG.split(message)}


def _one_line(text):
    return " ".join(text.split())
