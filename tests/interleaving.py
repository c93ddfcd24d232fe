"""Somebody else at work, between two statements of the code under test."""

from collections.abc import Callable
from typing import Any


class RunBefore:
    """Does something once, right before a statement of the database.

    For ``connection.execute_wrapper``; the statement is the first that begins with
    ``begins`` and has ``has`` in it.
    """

    def __init__(self, begins: str, do: Callable[[], object], *, has: str = "") -> None:
        self.begins, self.has, self.do = begins, has, do
        self.has_run = False

    def is_due(self, sql: str) -> bool:
        return not self.has_run and sql.startswith(self.begins) and self.has in sql

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        if self.is_due(sql):
            self.has_run = True
            self.do()
        return execute(sql, *rest)


class RunAfter(RunBefore):
    """Does something once, right after a statement of the database."""

    def __call__(self, execute: Any, sql: str, *rest: Any) -> Any:
        answer = execute(sql, *rest)
        if self.is_due(sql):
            self.has_run = True
            self.do()
        return answer
