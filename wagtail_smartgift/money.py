"""Amounts of money: reading ours, reading Smart Gift's, and writing both.

Every amount is a ``Decimal`` of whole pennies. A ``float`` is read by its shortest
text (``0.1`` is ten pence) and never takes part in arithmetic. There is no currency
here: Smart Gift has none, and the setting names it once for the shop.
"""

import re
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, InvalidOperation


PENNY = Decimal("0.01")

#: Eight digits before the point: more than any voucher, less than any overflow.
MAX_AMOUNT = Decimal("99999999.99")

#: How far a leaked binary float may be from the penny that it stands for. Smart Gift
#: has been seen to answer 96.19999999999999 for 96.20.
_NOISE = Decimal("0.0001")

_AMOUNT = re.compile(r"\d{1,8}(\.\d{1,2})?", re.ASCII)
_PLAIN_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,30})?", re.ASCII)


def parse_amount(value: object, *, allow_zero: bool = False) -> Decimal:
    """Read an amount that a person, a shop or a setting gave us.

    Strings of up to eight digits with at most two decimals (``"25"``, ``"25.5"``,
    ``"25.00"``) and the equal numbers are amounts. Nothing is rounded.

    Raises:
        ValueError: it is no such amount, or zero where that is not allowed.
    """
    text = value if isinstance(value, str) else _number_text(value)
    if not _AMOUNT.fullmatch(text):
        raise ValueError(
            "An amount is a number of up to eight digits with at most two decimals, "
            'such as "25.00".'
        )
    amount = Decimal(text).quantize(PENNY)
    if not amount and not allow_zero:
        raise ValueError("An amount must be greater than zero.")
    return amount


def parse_provider_money(value: object) -> Decimal:
    """Read an amount from Smart Gift's answers, string or number.

    Within 0.0001 of a penny it is that penny, otherwise it rounds down: a balance
    must never be taken for more than it is.

    Raises:
        ValueError: it is not a number, negative, or too large to be money.
    """
    number = parse_provider_number(value)
    if number < 0 or number > MAX_AMOUNT:
        raise ValueError("not an amount of money")
    number = abs(number)  # There is a negative zero.
    nearest = number.quantize(PENNY, rounding=ROUND_HALF_EVEN)
    if abs(nearest - number) <= _NOISE:
        return nearest
    return number.quantize(PENNY, rounding=ROUND_DOWN)


def parse_provider_number(value: object) -> Decimal:
    """Read a finite number of sane size, given as a JSON number or as its text.

    Raises:
        ValueError: it is anything else; ``true`` is not one, nor is ``"1e3"``.
    """
    if isinstance(value, str):
        if not _PLAIN_NUMBER.fullmatch(value.strip()):
            raise ValueError("not a number")
        return Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("not a number")
    # Compared before it is converted: the text of a huge integer is slow to make.
    # NaN fails the comparison (or refuses it), and infinity is too large.
    try:
        sane = bool(-(10**18) < value < 10**18)
    except InvalidOperation:
        sane = False
    if not sane:
        raise ValueError("not a number of sane size")
    return Decimal(str(value))


def format_money(amount: Decimal) -> str:
    """Write an amount as the JSON API does: ``"25.00"``.

    Raises:
        ValueError: it has a fraction of a penny, which must not vanish in print.
    """
    pennies = amount.quantize(PENNY)
    if pennies != amount:
        raise ValueError("The amount has a fraction of a penny.")
    return f"{pennies:f}"


def _number_text(value: object) -> str:
    """Write a number plainly, without zeros that carry no value; else nothing."""
    try:
        number = parse_provider_number(value)
    except ValueError:
        return ""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
