"""Writing money as people read it, for templates and forms alike."""

from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import pgettext

from wagtail_smartgift.conf import get_conf


_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$"}


def format_price(amount: Decimal, currency: str | None = None) -> str:
    """Write ``amount`` in the shop's currency and the reader's language: £1,250.00."""
    currency = currency or get_conf().currency
    return pgettext(
        "an amount of money; some languages write the symbol last",
        "%(symbol)s%(number)s",
    ) % {
        # Any other currency stands as its three letters, with a space that holds.
        "symbol": _SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}"),
        "number": number_format(amount, decimal_pos=2, force_grouping=True),
    }
