"""The stylesheets and templates fit into anybody's site, in any direction of writing."""

import re
from pathlib import Path

import pytest
from django.utils import translation

from wagtail_smartgift.templatetags import smartgift_catalogue


PACKAGE = Path(__file__).parents[1] / "wagtail_smartgift"
STATIC = PACKAGE / "static/wagtail_smartgift"
TEMPLATES = PACKAGE / "templates/wagtail_smartgift"
REFERENCE = Path(__file__).parents[1] / "docs/reference/templates.md"
#: What customers load; the desk's is Wagtail's admin.
SHEETS = sorted(
    path
    for path in STATIC.rglob("*.css")
    if not path.relative_to(STATIC).as_posix().startswith("desk/")
)

#: Names of sides: what they mean is another side where people write to the left.
PHYSICAL = re.compile(
    r"(?:^|-)(?:left|right|top|bottom)(?:$|-)|^(?:min-|max-)?(?:width|height)$|^float$"
)


def text_of(sheet):
    return re.sub(r"/\*.*?\*/", "", sheet.read_text("utf-8"), flags=re.DOTALL)


def selectors_of(text):
    """Return every selector; a list of several is taken apart."""
    found = []
    for head in re.findall(r"([^{};]+)\{", text):
        head = " ".join(head.split())
        if not head.startswith("@"):
            # Not at a comma within brackets.
            found += re.split(r",\s*(?![^()]*\))", strip_brackets(head))
    return found


def strip_brackets(head):
    """Take the commas out of brackets, however deep, and leave the rest."""
    depth, kept = 0, []
    for character in head:
        depth += (character == "(") - (character == ")")
        kept.append(" " if character == "," and depth else character)
    return "".join(kept)


def declarations_of(text):
    return re.findall(r"(?<=[{;])\s*(--[\w-]+|[a-z-]+)\s*:\s*([^;{}]+)(?=;)", text)


@pytest.fixture(params=SHEETS, ids=lambda sheet: sheet.stem)
def sheet(request):
    return text_of(request.param)


def is_ours(selector):
    """Tell whether a selector begins with a class of ours, or any of several."""
    return bool(re.match(r"(?:\.smartgift|:is\(\.smartgift)", selector))


def test_what_reads_the_stylesheets_sees_what_is_wrong():
    sample = "a:is(b, c), .smartgift-x > p { color: red; margin-left: 1px; }"

    assert selectors_of(sample) == ["a:is(b  c)", ".smartgift-x > p"]
    assert [is_ours(one) for one in selectors_of(sample)] == [False, True]
    assert declarations_of(sample) == [("color", "red"), ("margin-left", "1px")]
    for name in ("left", "margin-left", "border-right-color", "width", "max-height"):
        assert PHYSICAL.search(name), name
    for name in ("inline-size", "border-width", "margin-inline", "line-height"):
        assert not PHYSICAL.search(name), name


def test_nothing_of_the_site_is_styled(sheet):
    selectors = selectors_of(sheet)

    assert len(selectors) > 3
    assert [one for one in selectors if not is_ours(one)] == []
    assert "@import" not in sheet
    assert "!important" not in sheet


def test_sides_are_those_of_the_writing(sheet):
    declared = declarations_of(sheet)

    assert len(declared) > 10
    assert [name for name, _value in declared if PHYSICAL.search(name)] == []
    assert not re.search(r"text-align:\s*(?:left|right)\b", sheet)
    # Four values that are not the same twice are sides, too.
    for name, value in declared:
        if name in {"margin", "padding", "inset", "border-width"}:
            sides = value.split()
            assert len(sides) < 4 or sides[1] == sides[3], (name, value)


def defaults_of(sheet):
    """Return each property with the defaults that the stylesheet has for it."""
    found = {}
    for name, default in re.findall(
        r"var\((--smartgift-[\w-]+), (.+?)\);", text_of(sheet), re.DOTALL
    ):
        found.setdefault(name, []).append(default)
    return found


def test_each_property_is_documented_with_its_defaults():
    used = {}
    for sheet in SHEETS:
        used |= defaults_of(sheet)
    rows = re.findall(
        r"^\| `(--smartgift-[\w-]+)` \| (.+?) \|", REFERENCE.read_text("utf-8"), re.M
    )

    assert {name for name, _default in rows} == set(used)
    for name, default in rows:
        for value in re.findall(r"`([^`]+)`", default):
            assert value in " ".join(used[name]), name


def test_a_property_has_the_same_defaults_wherever_it_is_used():
    known = {}
    # The printed card has properties of its own, and its paper is white.
    on_screens = [sheet for sheet in SHEETS if sheet.name != "cards.css"]
    assert len(on_screens) == len(SHEETS) - 1
    for sheet in on_screens:
        assert "light-dark(" in text_of(sheet), sheet
        for name, defaults in defaults_of(sheet).items():
            assert known.setdefault(name, defaults) == defaults, (sheet, name)


def test_the_printed_card_shares_no_class_with_the_other_pages():
    classes = {
        path.name: set(re.findall(r"\.(smartgift[\w-]*)", text_of(path)))
        for path in SHEETS
    }
    printed = classes.pop("cards.css")

    assert printed
    assert not printed & set().union(*classes.values())


def test_light_and_dark_and_paper_are_thought_of():
    pages = text_of(STATIC / "smartgift.css")

    assert "light-dark(" in pages
    assert "@media print" in pages
    assert "prefers-reduced-motion: no-preference" in pages
    # Nothing moves where that was not asked.
    calm = pages.partition("@media (prefers-reduced-motion: no-preference)")[0]
    assert not re.search(r"\b(?:transition|animation)", calm)


def test_each_part_says_what_language_it_is_in():
    """The page around it may be in another."""
    roots = re.compile(
        r'<\w+ class="smartgift(?: [\w-]+|-vouchers|-order|-checkout)?"[^\n]*'
    )
    found = [
        root
        for path in TEMPLATES.rglob("*.html")
        for root in roots.findall(path.read_text("utf-8"))
    ]

    assert len(found) == 7
    for root in found:
        assert "{% language_attributes %}" in root


@pytest.mark.parametrize(
    ("language", "attributes"),
    [("en-gb", ' lang="en-gb"'), ("de", ' lang="de"'), ("he", ' lang="he" dir="rtl"')],
)
def test_the_language_is_the_active_one(language, attributes):
    with translation.override(language):
        assert smartgift_catalogue.language_attributes() == attributes


def test_each_template_and_block_is_documented():
    text = REFERENCE.read_text("utf-8")
    rows = re.findall(r"^\| (`[\w/.`, ]+`) \| [^|]+ \| ([^|]*)\|", text, re.M)
    documented = {
        name: set(re.findall(r"`(\w+)`", blocks))
        for names, blocks in rows
        for name in re.findall(r"`([\w/]+\.html)`", names)
    }

    templates = {
        path.relative_to(TEMPLATES).as_posix(): set(
            re.findall(r"{% block (\w+)", path.read_text("utf-8"))
        )
        for path in TEMPLATES.rglob("*.html")
        if "desk" not in path.parts
    }
    assert documented.keys() == templates.keys()
    for name, blocks in templates.items():
        # The bridge fills blocks of the site's, and the frames some of other frames'.
        assert documented[name] <= blocks, name
        own = {one for one in blocks if "/" not in name and name != "base.html"}
        assert own - documented[name] <= {"smartgift_title", "smartgift_head"} | {
            *("smartgift_main", "smartgift_content")
        }, name
