"""The table of crash points names tests that exist."""

import re
from pathlib import Path

import pytest

from .test_crash_points import STORIES
from .test_inbox_crash_points import MESSAGES


TESTS = Path(__file__).resolve().parent.parent
TABLE = TESTS.parent / "docs" / "explanation" / "crash-points.md"
SHORT = {
    "crash": "money/test_crash_points",
    "lost": "money/test_lost_answers",
    "found": "money/test_found",
    "probed": "money/test_capabilities",
    "inbox": "money/test_inbox_crash_points",
    "races": "money/test_races",
    "stateful": "money/test_stateful",
    "webhooks": "money/test_webhooks_survive",
    "contra": "money/test_contradictions",
    "giving": "money/test_giving_back",
    "overtaken": "money/test_overtaken",
    "clocks": "money/test_clocks",
    "refusals": "money/test_sale_refusals",
    "cases": "money/test_cases",
    "desk": "money/test_desk_deaths",
}


def rows() -> list[list[str]]:
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines
        if not line.startswith("| #")
    ]


def test_every_point_of_the_protocol_has_its_row():
    numbers = {cells[0] for cells in rows()}
    assert {str(number) for number in range(1, 46)} <= numbers


@pytest.mark.parametrize("cells", rows(), ids=lambda cells: f"{cells[0]} {cells[1]}")
def test_every_row_names_its_tests(cells):
    named = cells[-1]
    assert named not in {"", "–"}
    for part in named.split(";"):
        file = part.split()[0]
        source = (TESTS / f"{SHORT.get(file, file)}.py").read_text()
        for name in re.findall(r"`([^`…]+)…?`", part.split("(")[0]):
            assert re.search(rf"def test_\w*{name}", source), name
        for story in re.findall(r'"([^"]+)"', part):
            assert story in STORIES | MESSAGES
