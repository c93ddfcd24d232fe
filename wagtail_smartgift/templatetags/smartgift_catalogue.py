"""Writing money and remaining stock as people read them."""

from decimal import Decimal

from django import template
from django.utils.formats import number_format
from django.utils.translation import pgettext

from wagtail_smartgift.conf import get_conf


register = template.Library()

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


@register.filter
def money(amount: Decimal | None) -> str:
    """Write an amount; nothing for none."""
    return "" if amount is None else format_price(amount)
