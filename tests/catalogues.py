"""The translation catalogues, and what the code of today would extract.

``python tasks.py messages`` makes them; the tests compare.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib


REPOSITORY = Path(__file__).resolve().parent.parent
LOCALE = REPOSITORY / "locale"
#: What the package is translated into; English is its source.
LANGUAGES = ("cy", "de", "es", "fr", "pl")

PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[a-z]|\{\w*\}")
TAG = re.compile(r"</?[a-z][^>]*>")


def path_of(language, ending="po"):
    return LOCALE / language / "LC_MESSAGES" / f"django.{ending}"


def entries(language):
    """Return what a catalogue has, obsolete entries left out; nothing without one."""
    path = path_of(language)
    if not path.exists():
        return []
    return [entry for entry in polib.pofile(str(path)) if not entry.obsolete]


def key(entry):
    """Return what gettext knows a message by, with its plural."""
    return (entry.msgctxt, entry.msgid, entry.msgid_plural)


def forms_of(entry):
    """Return the translations of an entry: one, or one for each plural form."""
    if entry.msgid_plural:
        return [entry.msgstr_plural[number] for number in sorted(entry.msgstr_plural)]
    return [entry.msgstr]


def number_of_forms(language):
    header = polib.pofile(str(path_of(language))).metadata["Plural-Forms"]
    return int(re.search(r"nplurals\s*=\s*(\d+)", header)[1])


def extracted(folder):
    """Return the messages of the code, extracted anew in an empty folder."""
    shutil.copytree(
        REPOSITORY / "wagtail_smartgift",
        folder / "wagtail_smartgift",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    (folder / "locale").mkdir()
    subprocess.run(
        [sys.executable, "-m", "django", "makemessages", "--locale", "en"],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=120,
    )
    made = folder / "locale" / "en" / "LC_MESSAGES" / "django.po"
    return {key(entry) for entry in polib.pofile(str(made)) if not entry.obsolete}
