"""Money inside the sandbox: whole pence, never a float.

Floats appear only where the wire has them, made here and nowhere else.
"""

import math
from decimal import Decimal, InvalidOperation
from typing import Any


#: Above this a price or a value is a mistake, and a huge exponent an attack.
MAX_POUNDS = Decimal(99_999_999)


def to_decimal(value: Any) -> Decimal | None:
    """Return a JSON number or numeric string as a Decimal, or None if it is neither."""
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal, float)):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def to_pence(pounds: Decimal | int | str) -> int:
    """Return pounds as pence.

    Raises:
        ValueError: not a number, more than two decimals, negative, or absurdly large.
    """
    number = to_decimal(pounds)
    if number is None or not 0 <= number <= MAX_POUNDS:
        msg = f"not an amount of money: {pounds!r}"
        raise ValueError(msg)
    pence = number * 100
    if pence != pence.to_integral_value():
        msg = f"more than two decimals: {pounds!r}"
        raise ValueError(msg)
    return int(pence)


def as_decimal(pence: int) -> Decimal:
    return Decimal(pence).scaleb(-2)


def as_string(pence: int) -> str:
    """Return pence as the catalogue prints money: ``"10.00"``."""
    return f"{pence // 100}.{pence % 100:02d}"


def as_number(pence: int, *, leak: bool = False) -> int | float:
    """Return pence as redemption calls print money: ``10`` or ``10.5``.

    With ``leak`` the number is one float step short of the true one, as PHP prints
    sums of floats: ``96.2`` becomes ``96.19999999999999``.
    """
    if leak and pence:
        return math.nextafter(pence / 100, 0)
    return pence // 100 if pence % 100 == 0 else pence / 100
