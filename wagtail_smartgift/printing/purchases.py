"""What became of a sale, as its buyer is told."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import ngettext
from wagtail.models import Site

from wagtail_smartgift import codes, ledger, selectors
from wagtail_smartgift.addresses import ProductAddresses
from wagtail_smartgift.choices import OrderStatus, ProductType
from wagtail_smartgift.conf import DeliveryMethod
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import VoucherOrder, VoucherOrderItem
from wagtail_smartgift.redaction import Secret


@dataclass(frozen=True)
class BoughtVoucher:
    """One voucher of a sale; names and greetings are what somebody typed."""

    #: What its page is called, else its product.
    title: str
    #: What it is good for: an amount of money, or for how many people; may be empty.
    value: str
    price: Decimal
    to: str = field(repr=False)
    sender: str = field(repr=False)
    message: str = field(repr=False)
    #: Bearer money; None while it is not known.
    number: str | None = field(repr=False)

    @property
    def grouped_number(self) -> str | None:
        """The number as people read it aloud."""
        return None if self.number is None else codes.grouped(self.number)


@dataclass(frozen=True)
class Purchase:
    """A sale of vouchers as it is now."""

    reference: str
    status: str
    currency: str
    #: Smart Gift's number for it, once placed and answered.
    order_id: str
    vouchers: tuple[BoughtVoucher, ...]
    email: str = field(repr=False)
    #: None where the shop has no such method any more.
    delivery: DeliveryMethod | None
    #: The day on which they are sent; None: at once.
    delivery_date: date | None
    #: Whether the numbers are the shop's own, so that it has cards to print.
    own_codes: bool
    #: Where it was sold, else the default site.
    site: Site | None = field(repr=False)

    @property
    def pending(self) -> bool:
        """Whether it is not placed yet, but may still be."""
        return self.status in {OrderStatus.QUEUED, OrderStatus.PLACING}

    @property
    def placed(self) -> bool:
        return self.status == OrderStatus.PLACED

    @property
    def refused(self) -> bool:
        return self.status == OrderStatus.REFUSED

    @property
    def needs_attention(self) -> bool:
        return self.status == OrderStatus.NEEDS_ATTENTION

    @property
    def has_numbers(self) -> bool:
        """Whether a number can be told; Smart Gift need not answer those that it makes."""
        return any(voucher.number for voucher in self.vouchers)

    @property
    def has_cards(self) -> bool:
        """Whether there is a card to print."""
        return self.placed and self.own_codes and self.has_numbers


def purchase_of(*, reference: str) -> Purchase | None:
    """Return what became of the sale of a reference; None where there is none.

    Its ``vouchers`` have their numbers in clear once they are placed: for the buyer alone.
    """
    order = (
        VoucherOrder.objects.select_related("site").filter(reference=reference).first()
    )
    if order is None:
        return None
    items = list(order.items.select_related("product").order_by("position"))
    numbers = [item.voucher_no for item in ledger.describe_order(order).items]
    day = order.delivery.get("date")
    site = order.site or Site.objects.filter(is_default_site=True).first()
    return Purchase(
        reference=order.reference,
        status=order.status,
        currency=order.currency,
        order_id=order.order_id,
        vouchers=tuple(
            BoughtVoucher(
                title=title,
                value=_value(item, order.currency),
                price=item.price,
                to=item.to,
                sender=item.sender,
                message=item.message,
                number=None if number is None else Secret(number),
            )
            for item, title, number in zip(
                items, _titles(items, site), numbers, strict=True
            )
        ),
        email=order.customer.get("email") or "",
        delivery=_delivery_method(order),
        delivery_date=date.fromisoformat(day) if day else None,
        own_codes=order.own_codes,
        site=site,
    )


def _titles(items: Sequence[VoucherOrderItem], site: Site | None) -> list[str]:
    """Return what the site's pages call the vouchers, else what Smart Gift does.

    In the active language, else in the site's own.
    """
    products = {item.product_id: item.product for item in items}
    titles: dict[int, str] = {}
    languages = [None, site.root_page.locale.language_code] if site else []
    for language in languages:
        missing = [one for key, one in products.items() if key not in titles]
        if not missing:
            break
        pages = ProductAddresses(missing, site=site, language=language)
        titles |= {
            product.pk: page.title
            for product in missing
            if (page := pages.page(product)) is not None
        }
    return [titles.get(item.product_id, item.product.title) for item in items]


def _value(item: VoucherOrderItem, currency: str) -> str:
    if item.product.type == ProductType.MONETARY:
        return format_price(item.price, currency)
    if not item.persons:
        return ""
    # What a present has cost does not stand on it.
    return ngettext("For %(number)d person", "For %(number)d people", item.persons) % {
        "number": item.persons
    }


def _delivery_method(order: VoucherOrder) -> DeliveryMethod | None:
    wanted = str(order.delivery.get("method") or "")
    # The site's account may be gone from the settings since.
    with suppress(ImproperlyConfigured):
        for method in selectors.shop_for(order.site).delivery_methods:
            if method.id == wanted:
                return method
    return None
