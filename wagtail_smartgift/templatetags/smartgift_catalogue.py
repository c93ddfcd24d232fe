"""Writing money and the prices of products as people read them."""

from decimal import Decimal

from django import template
from django.utils.translation import gettext

from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import VoucherProduct


register = template.Library()


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
