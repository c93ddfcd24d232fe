"""The filters of check and redeem-unified.

Classifications choose among the experiences of a voucher (any of them is enough);
meta conditions let the whole voucher pass or not (all must hold). Comparison is
exact: same type, same case (inferred).
"""

from typing import Any

from . import messages
from .answers import refuse
from .form import Form
from .records import Experience, Voucher


CLASSIFICATIONS = ("accommodation", "food_and_beverage", "events", "spa", "sundry")
OPERATORS = ("equals", "contains", "in")


class Filters:
    """The filters of one request, validated into ``form``."""

    def __init__(self, form: Form) -> None:
        form.mapping("filters", required=False)
        self.classifications: list[str] = []
        for n, word in enumerate(form.array("filters.classifications", required=False)):
            if word in CLASSIFICATIONS:
                self.classifications.append(word)
            else:
                form.fail(f"filters.classifications.{n}", messages.SELECTED_INVALID)
        self.conditions: list[tuple[str, str, Any]] = []
        path = "filters.meta_conditions"
        for n in range(len(form.array(path, required=False))):
            key = form.text(f"{path}.{n}.key")
            operator = form.text(f"{path}.{n}.operator")
            value = form.raw(f"{path}.{n}.value")
            if operator is not None and operator not in OPERATORS:
                form.fail(f"{path}.{n}.operator", messages.SELECTED_INVALID)
            if value is None:
                form.fail(f"{path}.{n}.value", messages.REQUIRED)
            elif operator == "in" and not isinstance(value, list):
                form.fail(f"{path}.{n}.value", messages.MUST_BE_ARRAY)
            self.conditions.append((key or "", operator or "", value))

    def require_match(self, voucher: Voucher) -> None:
        """Raises: Refusal: a meta condition does not hold."""
        if not all(_holds(voucher, *condition) for condition in self.conditions):
            raise refuse("voucher_no", messages.NOT_FOR_THESE_FILTERS)

    def choose(self, experiences: list[Experience]) -> list[Experience]:
        if not self.classifications:
            return experiences
        return [e for e in experiences if e.classification in self.classifications]


def _holds(voucher: Voucher, key: str, operator: str, value: Any) -> bool:
    if key not in voucher.meta:
        return False
    stamped = voucher.meta[key]
    if operator == "equals":
        return bool(stamped == value)
    if operator == "contains":
        return isinstance(stamped, list) and value in stamped
    return not isinstance(stamped, list) and stamped in value
