"""Validation of a request's body in Laravel's style: all faults at once, in order."""

import re
from decimal import Decimal
from typing import Any, TypeVar

from . import messages
from .answers import Refusal
from .pence import MAX_POUNDS, to_decimal


_T = TypeVar("_T")

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_MISSING: tuple[Any, ...] = (None, "", [], {})


class Form:
    """Reads fields by dotted path and gathers what is wrong with them.

    The readers return None for a field that is missing or faulty; call
    ``raise_if_failed`` before trusting any of them.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        self.errors: dict[str, list[str]] = {}

    def raw(self, path: str) -> Any:
        found: Any = self._body
        for step in path.split("."):
            if isinstance(found, dict):
                found = found.get(step)
            elif isinstance(found, list) and step.isdigit():
                found = found[int(step)] if int(step) < len(found) else None
            else:
                return None
        return found

    def fail(self, path: str, message: str, **values: Any) -> None:
        shown = path.replace("_", " ")
        text = message.format(field=shown, **values)
        self.errors.setdefault(path, []).append(text)

    def raise_if_failed(self) -> None:
        """Raises: Refusal: any field was wrong."""
        if self.errors:
            raise Refusal(self.errors)

    def _present(self, path: str, required: bool) -> Any:
        value = self.raw(path)
        if value in _MISSING:
            if required:
                self.fail(path, messages.REQUIRED)
            return None
        return value

    def text(self, path: str, *, required: bool = True, limit: int = 255) -> str | None:
        value = self._present(path, required)
        if value is None:
            return None
        if not isinstance(value, str):
            self.fail(path, messages.MUST_BE_STRING)
        elif len(value) > limit:
            self.fail(path, messages.TOO_LONG, limit=limit)
        else:
            return value
        return None

    def text_or_number(self, path: str, *, limit: int = 255) -> str | None:
        """Read a field that may be sent as a string or a whole number."""
        value = self._present(path, required=True)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return None if value is None else self.text(path, limit=limit)

    def email(self, path: str) -> str | None:
        value = self.text(path)
        if value is not None and not _EMAIL.fullmatch(value):
            self.fail(path, messages.MUST_BE_EMAIL)
            return None
        return value

    def integer(self, path: str, *, required: bool = True) -> int | None:
        value = self._present(path, required)
        if value is None:
            return None
        number = to_decimal(value)
        if (
            number is None
            or abs(number) > MAX_POUNDS
            or number != number.to_integral_value()
        ):
            self.fail(path, messages.MUST_BE_INTEGER)
            return None
        return int(number)

    def money(
        self, path: str, *, required: bool = True, least: str = "0"
    ) -> int | None:
        """Read an amount of money as pence."""
        value = self._present(path, required)
        if value is None:
            return None
        number = to_decimal(value)
        if number is None:
            self.fail(path, messages.MUST_BE_NUMBER)
        elif number < Decimal(least):
            self.fail(path, messages.AT_LEAST, limit=least)
        elif number > MAX_POUNDS:
            self.fail(path, messages.AT_MOST, limit=MAX_POUNDS)
        elif number * 100 != (number * 100).to_integral_value():
            self.fail(path, messages.TWO_DECIMALS)
        else:
            return int(number * 100)
        return None

    def array(self, path: str, *, required: bool = True) -> list[Any]:
        value = self._present(path, required)
        if value is not None and not isinstance(value, list):
            self.fail(path, messages.MUST_BE_ARRAY)
            return []
        return value or []

    def mapping(self, path: str, *, required: bool = True) -> dict[str, Any]:
        value = self._present(path, required)
        if value is not None and not isinstance(value, dict):
            self.fail(path, messages.MUST_BE_ARRAY)
            return {}
        return value or {}


def sure(value: _T | None) -> _T:
    """Return a required field of a form that has passed ``raise_if_failed``."""
    if value is None:
        msg = "a required field was not read"
        raise AssertionError(msg)
    return value
