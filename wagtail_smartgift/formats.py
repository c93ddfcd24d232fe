"""Writing money and days as people read them, for templates and forms alike."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import date_format, get_format, number_format
from django.utils.translation import pgettext

from wagtail_smartgift.conf import get_conf


_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}
_HOLDS = "\N{NO-BREAK SPACE}"
#: From here on pennies are left out of a rounded amount.
_WITHOUT_PENNIES = 10


def format_price(amount: Decimal, currency: str | None = None) -> str:
    """Write ``amount`` in the shop's currency and the reader's language: £1,250.00."""
    return _write(amount, 2, currency)


def format_short(amount: Decimal) -> str:
    """Write ``amount`` without pennies if it has none: £50, but £12.50."""
    return _write(amount, 2 if amount % 1 else 0, None)


def price_sample() -> str:
    """Return an amount with every sign that prices have here, for scripts: £1,234.56.

    A browser has rules of its own for a language, and they are not always Django's.
    """
    return format_price(Decimal("1234.56"))


def currency_symbol(currency: str | None = None) -> str:
    """Return ``£``, or the three letters of what has no symbol here."""
    currency = currency or get_conf().currency
    return _SYMBOLS.get(currency, currency)


def format_rounded(amount: Decimal, currency: str | None = None) -> str:
    """Write ``amount`` as short as a chart wants it: £1,250, but £4.50."""
    whole = amount.to_integral_value(rounding=ROUND_HALF_UP)
    if whole == amount or abs(amount) >= _WITHOUT_PENNIES:
        return _write(whole, 0, currency)
    return _write(amount, 2, currency)


def short_day(day: date) -> str:
    """Write a day of this year as short as a chart wants it, in the reader's order."""
    return _short(day, "MONTH_DAY_FORMAT")


def short_month(day: date) -> str:
    """Write a month as short as a chart wants it, in the reader's order."""
    return _short(day, "YEAR_MONTH_FORMAT")


def _short(day: date, name: str) -> str:
    # Django has no format with the short names of months; their place is the same.
    return date_format(day, get_format(name).replace("F", "M"))


def _write(amount: Decimal, places: int, currency: str | None) -> str:
    return _join(
        currency_symbol(currency),
        number_format(amount, decimal_pos=places, force_grouping=True),
    )


def _join(symbol: str, number: str) -> str:
    # Any other currency stands as its three letters, with a space that holds.
    if symbol.isalpha():
        symbol += _HOLDS
    written = pgettext(
        "an amount of money; some languages write the symbol last",
        "%(symbol)s%(number)s",
    ) % {"symbol": symbol, "number": number}
    # Where the letters come last there is nothing for their space to hold.
    return written.rstrip(_HOLDS)
