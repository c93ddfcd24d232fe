"""The rules of the layers that an import alone does not show.

import-linter keeps the directions of imports (pyproject.toml); here it is about who
writes rows, who opens transactions, and who listens to the models.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest


PACKAGE = Path(__file__).resolve().parent.parent / "wagtail_smartgift"
#: The services are the only writers; the budget has one row of its own.
WRITERS = ("services", "budget", "migrations")

#: Methods of managers and querysets that write, whatever they are called on.
WRITING = {
    "abulk_create", "acreate", "aupdate_or_create", "bulk_create", "bulk_update",
    "get_or_create", "select_for_update", "update_or_create",
}  # fmt: skip
TRANSACTIONS = {"atomic", "set_autocommit", "set_rollback", "savepoint"}


FILES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    # The sandbox knows no Django: its store is its own.
    if path.relative_to(PACKAGE).parts[0] not in {*WRITERS, "sandbox"}
]


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def calls(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (line, what it is called on, method) of each call of a method."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Attribute):
            yield node.lineno, ast.unparse(node.value), node.attr


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_services_write_rows_and_open_transactions(path):
    found = [
        f"{line}: {owner}.{method}"
        for line, owner, method in calls(path)
        if method in WRITING
        or (method in TRANSACTIONS and owner.endswith("transaction"))
        or (method in {"create", "update", "delete"} and ".objects" in owner)
    ]
    assert found == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nobody_listens_to_the_models(path):
    # A host's bulk write or fixture must not set anything off.
    names = {
        alias.name
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path)))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert not names & {"pre_save", "post_save", "pre_delete", "post_delete"}
