"""Writing money and prices as people read them."""

from decimal import Decimal

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext, pgettext

from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import VoucherProduct


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


@register.filter
def price_text(product: VoucherProduct | None) -> str:
    """Say what a product costs; nothing where Smart Gift does not say."""
    if not product or not product.has_terms:
        return ""
    if product.type == ProductType.MONETARY:
        return _amounts_text(product)
    return _experience_text(product)


def _amounts_text(product: VoucherProduct) -> str:
    lowest, highest = money(product.min_amount), money(product.max_amount)
    if lowest == highest:
        return lowest
    return gettext("%(lowest)s to %(highest)s") % {
        "lowest": lowest,
        "highest": highest,
    }


def _experience_text(product: VoucherProduct) -> str:
    price = product.price or Decimal(0)
    persons = product.persons_range
    lowest, highest = persons[0], persons[-1]
    if highest == 1:
        return format_price(price)
    if lowest == highest:
        return gettext("%(price)s for %(number)d people") % {
            "price": format_price(price * lowest),
            "number": lowest,
        }
    return gettext("%(price)s a person, for %(lowest)d to %(highest)d people") % {
        "price": format_price(price),
        "lowest": lowest,
        "highest": highest,
    }
