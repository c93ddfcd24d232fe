"""Whether an order can be sold, and for how much: our copy of the catalogue decides.

Nothing here writes, and nothing calls Smart Gift, which has the last word when the
order is placed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from wagtail_smartgift.choices import Availability, ProductType
from wagtail_smartgift.conf import DeliveryMethod
from wagtail_smartgift.delivery_days import validate_delivery_day
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import VoucherProduct
from wagtail_smartgift.selectors import Shop
from wagtail_smartgift.services.sales_reading import (
    Delivery,
    Errors,
    Item,
    WantedOrder,
    refuse,
)


@dataclass(frozen=True)
class PricedItem:
    """A voucher with its row of the catalogue and what the buyer pays for it."""

    product: VoucherProduct
    price: Decimal
    persons: int | None
    to: str
    sender: str
    message: str


def price_order(wanted: WantedOrder, shop: Shop) -> tuple[PricedItem, ...]:
    """Find each voucher in the catalogue and what it costs.

    Raises:
        SaleError: ``invalid``: not on sale, another price, out of stock, a delivery
            method that the shop does not have, or a date that has passed.
    """
    errors: Errors = {}
    products = {
        product.remote_id: product
        for product in VoucherProduct.objects.filter(
            account=shop.account.alias,
            remote_id__in={item.product for item in wanted.items},
        )
    }
    priced = []
    for index, item in enumerate(wanted.items):
        product = products.get(item.product)
        found = _price_item(item, product, f"items.{index}", errors)
        if found is not None:
            priced.append(found)
    _check_stock(wanted.items, products, errors)
    _check_delivery(wanted.delivery, shop.delivery_methods, errors)
    refuse(errors)
    return tuple(priced)


def _price_item(
    item: Item, product: VoucherProduct | None, where: str, errors: Errors
) -> PricedItem | None:
    # Sold out is said by the count of what is wanted, below.
    if product is None or product.availability not in {
        Availability.ON_SALE,
        Availability.SOLD_OUT,
    }:
        errors[f"{where}.product"] = _("This voucher is not on sale.")
        return None
    persons = _persons(item, product, where, errors)
    if product.type == ProductType.MONETARY:
        price = _chosen_price(item, product, where, errors)
    else:
        price = _fixed_price(item, product, persons or 1, where, errors)
    if price is None:
        return None
    return PricedItem(
        product=product,
        price=price,
        persons=persons,
        to=item.to,
        sender=item.sender,
        message=item.message,
    )


def _persons(
    item: Item, product: VoucherProduct, where: str, errors: Errors
) -> int | None:
    """Return the persons to send; Smart Gift takes none for one."""
    if product.type == ProductType.MONETARY:
        if item.persons not in {None, 1}:
            errors[f"{where}.persons"] = _(
                "A voucher for an amount of money is not for a number of persons."
            )
        return None
    allowed = product.persons_range
    if (item.persons or 1) not in allowed:
        errors[f"{where}.persons"] = (
            ngettext(
                "This voucher is for %(lowest)d to %(highest)d person.",
                "This voucher is for %(lowest)d to %(highest)d persons.",
                allowed[-1],
            )
            % {"lowest": allowed[0], "highest": allowed[-1]}
            if len(allowed) > 1
            else _("The number of persons for this voucher is %(persons)d.")
            % {"persons": allowed[0]}
        )
    return item.persons


def _chosen_price(
    item: Item, product: VoucherProduct, where: str, errors: Errors
) -> Decimal | None:
    lowest, highest, step = product.min_amount, product.max_amount, product.increment
    name = f"{where}.price"
    if item.price is None:
        errors.setdefault(name, _("Choose what the voucher shall be worth."))
    elif lowest is not None and item.price < lowest:
        errors[name] = _("This voucher is worth %(lowest)s at least.") % {
            "lowest": format_price(lowest)
        }
    elif highest is not None and item.price > highest:
        errors[name] = _("This voucher is worth %(highest)s at most.") % {
            "highest": format_price(highest)
        }
    elif step and (item.price - (lowest or Decimal(0))) % step:
        errors[name] = _("This voucher is sold in steps of %(step)s.") % {
            "step": format_price(step)
        }
    else:
        return item.price
    return None


def _fixed_price(
    item: Item, product: VoucherProduct, persons: int, where: str, errors: Errors
) -> Decimal:
    price = (product.price or Decimal(0)) * persons
    if item.price is not None and item.price != price:
        # What the customer has paid is not what the voucher costs (any more).
        errors[f"{where}.price"] = _("This voucher costs %(price)s.") % {
            "price": format_price(price)
        }
    return price


def _check_stock(
    items: Sequence[Item], products: Mapping[int, VoucherProduct], errors: Errors
) -> None:
    wanted = Counter(item.product for item in items)
    for index, item in enumerate(items):
        product = products.get(item.product)
        left = None if product is None else product.available_count
        if left is not None and wanted[item.product] > left:
            errors.setdefault(
                f"items.{index}.product",
                ngettext(
                    "Only %(left)d of this voucher is left.",
                    "Only %(left)d of this voucher are left.",
                    left,
                )
                % {"left": left}
                if left > 0
                else _("This voucher is sold out."),
            )


def _check_delivery(
    delivery: Delivery, methods: Sequence[DeliveryMethod], errors: Errors
) -> None:
    chosen = next((method for method in methods if method.id == delivery.method), None)
    if methods and chosen is None:
        errors["delivery.method"] = _("This shop has no such delivery method.")
    if chosen is not None and chosen.posted and delivery.address is None:
        errors["delivery.address"] = _("Say where the vouchers shall be posted to.")
    if delivery.date is not None:
        try:
            validate_delivery_day(delivery.date)
        except ValidationError as error:
            errors["delivery.date"] = error.message
