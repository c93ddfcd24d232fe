"""What Smart Gift's documentation leaves open, each point as a switch.

An integration must survive either answer, so each can be tried here. The defaults
are the likelier answers, or the harsher where both are as likely. The command's
flags, the control API and the table in the docs are all made from these fields.
"""

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any


def _flag(default: bool, text: str) -> Any:
    return field(default=default, metadata={"help": text})


def _choice(choices: tuple[str, ...], text: str) -> Any:
    return field(default=choices[0], metadata={"help": text, "choices": choices})


def _number(default: float, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass
class Behaviour:
    """How this Smart Gift behaves; every assignment is validated.

    Raises:
        ValueError: a value of the wrong type, or not one of the choices.
    """

    # Holds
    hold_seconds: float = _number(300.0, "how long a hold lasts")
    redeem_ends_hold: bool = _flag(True, "a redeem with the hold's token ends the hold")
    redeem_needs_token_while_held: bool = _flag(
        True, "a held voucher cannot be redeemed without a token"
    )
    wrong_token_refused: bool = _flag(
        True, "a held voucher cannot be redeemed with another hold's token"
    )
    dead_token_accepted: bool = _flag(
        False, "a voucher that is not held can be redeemed with a token that is over"
    )
    second_hold: str = _choice(
        ("refuse", "take_over"),
        "a hold of a voucher that is held: a 422, or it takes the earlier one's place",
    )
    check_while_held: bool = _flag(True, "a held voucher can be checked")
    hold_spent_vouchers: bool = _flag(False, "a voucher with nothing left can be held")
    reverse_while_held: bool = _flag(
        True, "a redemption can be reversed while the voucher is held"
    )
    held_until: str = _choice(
        ("utc", "offset", "naive", "naive_local", "absent"),
        "how check prints the end of a hold: with Z, with +01:00, in UTC without a "
        "zone, in British summer time without a zone, or not at all",
    )

    # Redeeming
    spent_check: str = _choice(
        ("answer", "refuse"), "what check says about a voucher with nothing left"
    )
    available_to_redeem: str = _choice(
        ("number", "object", "absent"), "how check prints what can be redeemed here"
    )
    money_as: str = _choice(
        ("number", "string"), "how check and redeem-unified print money"
    )
    leak_floats: bool = _flag(
        False, "money shows the rounding errors of floats: 96.19999999999999"
    )
    reverse_twice: str = _choice(
        ("refuse", "accept"), "what a second reversal of a redemption answers"
    )
    unified_over_value: bool = _flag(
        False, "redeem-unified may redeem more than asked to cover the whole value"
    )
    unified_no_match: str = _choice(
        ("refuse", "zero"), "redeem-unified where nothing fits: a 422, or nothing done"
    )
    error_summary: str = _choice(
        ("documented", "first", "generic"),
        "the message of a 422: as the documentation prints that case, the first "
        "field's error, or 'The given data was invalid.'",
    )

    # Selling
    duplicate_reference: str = _choice(
        ("refuse", "rename", "repeat", "echo"),
        "a reference sent again: a 422, a second order under another order_id, the "
        "first order's answer again, or a second order that is answered with the "
        "first one's order_id",
    )
    duplicate_code: str = _choice(
        ("refuse", "replace"),
        "a code that a voucher has already: a 422, or the new one gets another number",
    )
    own_codes: str = _choice(
        ("honour", "ignore", "refuse"), "what becomes of the code of an item"
    )
    new_code_checkable_at_once: bool = _flag(
        True, "a voucher just sold can be checked at once; otherwise a minute later"
    )
    order_id_place: str = _choice(
        ("data", "top", "absent"), "where a sale's answer has its order_id"
    )
    sale_status: str = _choice(("200", "201"), "the status of a successful sale")
    sales_echo_codes: bool = _flag(
        False, "a sale's answer lists the voucher numbers it made"
    )
    strict_customer: bool = _flag(False, "a customer needs county and phone, too")
    enforce_status: bool = _flag(
        True, "disabled products, and at_counter_only ones by /sale, are refused"
    )

    # Everything
    docs_version: str = _choice(
        ("V2", "V1"), "the fields of the documentation of 2026 (V2) or before (V1)"
    )
    unauthorised_status: str = _choice(
        ("401", "403", "422"), "the status for a bad or missing key"
    )
    rate_limit: int = _number(60, "calls in a window, for each key; 0: no limit")
    rate_window: float = _number(60.0, "length of a window in seconds")
    refusals_count: bool = _flag(True, "a 422 counts against the limit")
    reset_header_always: bool = _flag(
        False, "X-RateLimit-Reset is on every answer, not only on a 429"
    )
    latency: float = _number(0.0, "seconds that every answer takes")

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, self._validated(name, value))

    def update(self, values: dict[str, Any]) -> None:
        """Change several at once, or none if one of them is wrong.

        Raises:
            ValueError: an unknown name or a value that does not fit.
        """
        checked = {name: self._validated(name, v) for name, v in values.items()}
        for name, value in checked.items():
            super().__setattr__(name, value)

    def copy(self) -> "Behaviour":
        return replace(self)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def _validated(self, name: str, value: Any) -> Any:
        spec = _FIELDS.get(name)
        if spec is None:
            msg = f"unknown behaviour {name!r}; known: {', '.join(sorted(_FIELDS))}"
            raise ValueError(msg)
        choices = spec.metadata.get("choices")
        if choices is not None:
            if value not in choices:
                msg = f"{name} must be one of {', '.join(choices)}, not {value!r}"
                raise ValueError(msg)
            return value
        if isinstance(spec.default, bool):
            if not isinstance(value, bool):
                msg = f"{name} must be true or false, not {value!r}"
                raise ValueError(msg)
            return value
        kind: type[int] | type[float]
        kind = int if isinstance(spec.default, int) else float
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not 0 <= value < float("inf")
            or kind(value) != value
        ):
            msg = f"{name} must be a {kind.__name__} of 0 or more, not {value!r}"
            raise ValueError(msg)
        return kind(value)


_FIELDS = {spec.name: spec for spec in fields(Behaviour)}
