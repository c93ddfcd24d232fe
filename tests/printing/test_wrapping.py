"""Text is broken into lines, of words that are measured once."""

from hypothesis import given
from hypothesis import strategies as st

from wagtail_smartgift.printing.wrapping import Ruler


def test_lines_are_broken_at_spaces():
    ruler = Ruler(len)

    assert ruler.lines("a bc def", 4) == ["a bc", "def"]
    assert ruler.lines("", 4) == []


def test_a_long_word_is_broken_and_the_next_one_stays_apart():
    assert Ruler(len).lines("abcdef gh\n\ni", 4) == ["abcd", "ef", "gh", "", "i"]


def test_accents_stay_with_their_letters():
    lines = Ruler(len).lines("abce\u0301\u0301f", 4)

    assert lines == ["abce\u0301\u0301", "f"]


def test_where_not_even_a_letter_has_room_one_is_written_all_the_same():
    assert Ruler(len).lines("ab", 0) == ["a", "b"]


def test_a_word_is_measured_once():
    measured = []

    def measure(text):
        measured.append(text)
        return len(text)

    ruler = Ruler(measure)
    for room in (30, 20, 10):
        ruler.lines("many happy returns " * 40, room)

    assert len(measured) == len(set(measured))


@given(st.lists(st.text("abcé ", max_size=30)), st.integers(1, 12))
def test_nothing_is_lost_and_no_line_is_too_wide(parts, room):
    text = "\n".join(" ".join(part.split()) for part in parts)

    lines = Ruler(len).lines(text, room)

    assert "".join(lines).replace(" ", "") == "".join(text.split())
    assert all(len(line) <= room for line in lines)
