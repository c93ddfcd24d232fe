"""The catalogues: nothing missing, nothing stale, nothing left in English.

What is found here is put right with ``python tasks.py messages`` and by translating
what it leaves empty; see docs/how-to/translations.md.
"""

import gettext
import shutil
from collections import Counter

import polib
import pytest
from django.utils import translation

from tests import catalogues
from tests.catalogues import LANGUAGES, PLACEHOLDER, TAG


@pytest.fixture(scope="module")
def messages(tmp_path_factory):
    """The messages of the code as it is now."""
    if shutil.which("xgettext") is None:
        pytest.skip("no gettext (install the package gettext: xgettext, msgfmt)")
    return catalogues.extracted(tmp_path_factory.mktemp("extracted"))


def described(entry):
    return entry.msgid if entry.msgctxt is None else f"{entry.msgctxt}: {entry.msgid}"


def test_each_language_has_a_catalogue_and_no_other_is_half_there():
    folders = {path.name for path in catalogues.LOCALE.iterdir() if path.is_dir()}
    assert folders == {*LANGUAGES, "en"}


@pytest.mark.parametrize("language", [*LANGUAGES, "en"])
def test_no_message_is_missing(messages, language):
    known = {catalogues.key(entry) for entry in catalogues.entries(language)}
    assert sorted(messages - known, key=str) == []


@pytest.mark.parametrize("language", [*LANGUAGES, "en"])
def test_no_message_is_stale(messages, language):
    known = {catalogues.key(entry) for entry in catalogues.entries(language)}
    assert known
    assert sorted(known - messages, key=str) == []
    path = catalogues.path_of(language)
    assert [entry.msgid for entry in polib.pofile(str(path)).obsolete_entries()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_message_is_translated_in_all_its_forms(language):
    wanted = catalogues.number_of_forms(language)
    unfinished = [
        described(entry)
        for entry in catalogues.entries(language)
        if entry.fuzzy
        or not all(form.strip() for form in catalogues.forms_of(entry))
        or (entry.msgid_plural and len(entry.msgstr_plural) != wanted)
    ]
    assert unfinished == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_those_of_the_message(language):
    """Of one thing the number itself may be left out, as the English may leave it."""
    wrong = []
    for entry in catalogues.entries(language):
        allowed = [
            Counter(PLACEHOLDER.findall(text))
            for text in (entry.msgid, entry.msgid_plural)
            if text
        ]
        for form in catalogues.forms_of(entry):
            if form and not any(
                set(Counter(PLACEHOLDER.findall(form))) == set(one) for one in allowed
            ):
                wrong.append((described(entry), form))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_tags_are_those_of_the_message(language):
    wrong = [
        (described(entry), form)
        for entry in catalogues.entries(language)
        for form in catalogues.forms_of(entry)
        if form and Counter(TAG.findall(form)) != Counter(TAG.findall(entry.msgid))
    ]
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_brings_markup_or_line_breaks_of_its_own(language):
    wrong = []
    for entry in catalogues.entries(language):
        for form in filter(None, catalogues.forms_of(entry)):
            same_ends = [
                (form.startswith(mark), form.endswith(mark))
                == (entry.msgid.startswith(mark), entry.msgid.endswith(mark))
                for mark in ("\n", " ")
            ]
            if not all(same_ends) or ("<" in form) != ("<" in entry.msgid):
                wrong.append((described(entry), form))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language):
    """Hosts read the .mo: a correction that was not compiled is none."""
    source = polib.pofile(str(catalogues.path_of(language)))
    compiled = polib.mofile(str(catalogues.path_of(language, "mo")))
    assert {
        catalogues.key(entry): catalogues.forms_of(entry) for entry in compiled
    } == {
        catalogues.key(entry): catalogues.forms_of(entry)
        for entry in source
        if not entry.obsolete
    }
    assert compiled.metadata["Plural-Forms"] == source.metadata["Plural-Forms"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_plural_form_is_reached_through_django(language):
    """Django joins catalogues by their plural rules, and falls back to English."""
    with catalogues.path_of(language, "mo").open("rb") as file:
        rule = gettext.GNUTranslations(file).plural
    counted = [entry for entry in catalogues.entries(language) if entry.msgid_plural]
    assert counted
    wrong = []
    with translation.override(language):
        for entry in counted:
            for number in (0, 1, 2, 3, 5, 8, 11, 12, 22, 100, 101, 1_000_000):
                wanted = entry.msgstr_plural[rule(number)]
                if entry.msgctxt is None:
                    found = translation.ngettext(
                        entry.msgid, entry.msgid_plural, number
                    )
                else:
                    found = translation.npgettext(
                        entry.msgctxt, entry.msgid, entry.msgid_plural, number
                    )
                if found != wanted:
                    wrong.append((number, entry.msgid, found))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_ends_an_attribute(language):
    """``{% translate %}`` escapes nothing: a straight quote would end ``title="…"``."""
    ends = [
        form
        for entry in catalogues.entries(language)
        for form in catalogues.forms_of(entry)
        if form.count('"') > max(entry.msgid.count('"'), entry.msgid_plural.count('"'))
    ]
    assert ends == []
