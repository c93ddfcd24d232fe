"""Products as a list shows them: a card each, wherever on the site that list stands.

However many there are, their addresses, pages and pictures are read at once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift.addresses import ProductAddresses
from wagtail_smartgift.choices import Availability, ProductType
from wagtail_smartgift.models import AbstractVoucherPage, VoucherProduct
from wagtail_smartgift.renditions import CARD_SHAPES, read_pictures


#: What lists can be narrowed to, and how visitors call it.
OFFERED_TYPES = {
    ProductType.MONETARY.value: _("Vouchers for an amount"),
    ProductType.EXPERIENCE.value: _("Experiences"),
}


@dataclass(frozen=True)
class Card:
    """A product as a list shows it."""

    product: VoucherProduct
    page: AbstractVoucherPage | None
    url: str | None

    @property
    def title(self) -> str:
        return self.page.title if self.page else self.product.title

    @property
    def availability(self) -> Availability:
        return self.product.availability


def cards_for(
    products: Sequence[VoucherProduct],
    *,
    site: Site | None,
    language: str | None,
    request: HttpRequest | None,
) -> list[Card]:
    """Return a card for each product, in their order."""
    if not products:
        return []
    addresses = ProductAddresses(
        products, site=site, language=language, request=request
    )
    cards = [
        Card(product=product, page=addresses.page(product), url=addresses.path(product))
        for product in products
    ]
    _load_pictures(cards)
    return cards


def _load_pictures(cards: list[Card]) -> None:
    """Read the pictures of all cards, and those of their renditions that exist."""
    by_model: dict[type, list[AbstractVoucherPage]] = defaultdict(list)
    for card in cards:
        if card.page is not None:
            by_model[type(card.page)].append(card.page)
    for pages in by_model.values():
        read_pictures(pages, CARD_SHAPES)
