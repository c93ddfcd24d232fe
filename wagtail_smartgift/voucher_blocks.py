"""Blocks that show vouchers, and take a balance enquiry, on any page of a site.

::

    from wagtail_smartgift.voucher_blocks import (
        BalanceCheckBlock,
        VoucherGridBlock,
        VoucherTeaserBlock,
    )

A block keeps which products an editor chose and nothing of theirs: prices, titles and
pictures are read when it is rendered, in a number of queries that does not depend on
how many there are. What the site's shop does not sell (any more) is left out; what is
sold out says so. The page that they stand on loads ``wagtail_smartgift/smartgift.css``.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.admin.widgets.chooser import BaseChooser
from wagtail.models import Site

from wagtail_smartgift import selectors
from wagtail_smartgift.cards import OFFERED_TYPES, Card, cards_for
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.models import VoucherProduct


logger = logging.getLogger(__name__)

#: More is a page of its own: the voucher index.
MOST_CARDS = 48
TEXT_FEATURES = ["bold", "italic", "link"]
PREVIEW = "wagtail_smartgift/blocks/preview.html"

#: What of a product a block shows; the others cannot be bought here.
_SHOWN = {Availability.ON_SALE, Availability.SOLD_OUT}
CHOSEN, ON_SALE = "chosen", "on_sale"


class ProductChooser(BaseChooser):
    """Chooses a product among thousands; the desk has the dialog."""

    model = VoucherProduct
    icon = "smartgift"
    choose_one_text = _("Choose a voucher")
    choose_another_text = _("Choose another voucher")
    chooser_modal_url_name = "smartgift_product_chooser:choose"
    show_edit_link = False


class VoucherProductChooserBlock(blocks.ChooserBlock):
    """A product of Smart Gift's catalogue."""

    target_model = VoucherProduct

    @cached_property
    def widget(self) -> ProductChooser:
        return ProductChooser()

    class Meta:
        icon = "smartgift"
        label = _("Voucher")


class VoucherTeaserBlock(blocks.StructBlock):
    """One voucher, as the voucher index shows it."""

    product = VoucherProductChooserBlock()

    def get_context(
        self, value: Any, parent_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(value, parent_context)
        product = value.get("product")
        found = _cards([product] if product else [], parent_context)
        context["card"] = found[0] if found else None
        return context

    def get_preview_value(self) -> Any:
        return self.to_python({"product": _first_on_sale(1)[0]})

    class Meta:
        icon = "smartgift"
        label = _("Voucher teaser")
        template = "wagtail_smartgift/blocks/teaser.html"
        description = _(
            "One voucher with its picture and price, linked to its page. Prices and "
            "availability are always Smart Gift's own."
        )
        preview_template = PREVIEW


class VoucherGridBlock(blocks.StructBlock):
    """Several vouchers: those that an editor chose, or what is on sale."""

    heading = blocks.CharBlock(label=_("Heading"), required=False, max_length=100)
    show = blocks.ChoiceBlock(
        label=_("Which vouchers"),
        choices=[
            (ON_SALE, _("All that are on sale")),
            (CHOSEN, _("Those chosen below, in that order")),
        ],
        default=ON_SALE,
    )
    products = blocks.ListBlock(
        VoucherProductChooserBlock(), label=_("Chosen vouchers"), default=[]
    )
    type = blocks.ChoiceBlock(
        label=_("Of what is on sale, only"),
        choices=list(OFFERED_TYPES.items()),
        required=False,
    )
    limit = blocks.IntegerBlock(
        label=_("Of what is on sale, at most"),
        min_value=1,
        max_value=MOST_CARDS,
        default=6,
    )

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if cleaned["show"] == CHOSEN and not cleaned["products"]:
            raise blocks.StructBlockValidationError(
                non_block_errors=[_("Choose the vouchers that are to be shown.")]
            )
        return cleaned

    def get_context(
        self, value: Any, parent_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(value, parent_context)
        if value.get("show") == CHOSEN:
            chosen = [product for product in value.get("products") or () if product]
            context["cards"] = _cards(chosen[:MOST_CARDS], parent_context)
        else:
            context["cards"] = _on_sale(value, parent_context)
        return context

    def get_preview_value(self) -> Any:
        return self.to_python(
            {
                "heading": str(_("Give an afternoon away")),
                "show": CHOSEN,
                "products": [pk for pk in _first_on_sale(3) if pk],
            }
        )

    class Meta:
        icon = "grip"
        label = _("Voucher grid")
        template = "wagtail_smartgift/blocks/grid.html"
        description = _(
            "Several vouchers side by side: those that you choose, or what is on sale."
        )
        preview_template = PREVIEW


class BalanceCheckBlock(blocks.StructBlock):
    """A form that asks what is left on a voucher."""

    heading = blocks.CharBlock(
        label=_("Heading"), default=_("Check your balance"), max_length=100
    )
    text = blocks.RichTextBlock(label=_("Text"), required=False, features=TEXT_FEATURES)

    class Meta:
        icon = "search"
        label = _("Check your balance")
        template = "wagtail_smartgift/blocks/balance.html"
        description = _(
            "A form in which a visitor types a voucher's number and is told what is "
            "left on it."
        )
        preview_template = PREVIEW
        preview_value = {
            "heading": _("Check your balance"),
            "text": "<p>What is left on your voucher?</p>",
        }


def _first_on_sale(number: int) -> list[int | None]:
    """Return products to show an editor what a block looks like; at least one place."""
    shop = _shop(None)
    if shop is None:
        return [None]
    products = selectors.products_on_sale(shop.account).values_list("pk", flat=True)
    return list(products[:number]) or [None]


def _on_sale(
    value: Mapping[str, Any], parent_context: Mapping[str, Any] | None
) -> list[Card]:
    shop = _shop(_site(_request(parent_context)))
    if shop is None:
        return []
    products = selectors.products_on_sale(shop.account, type=value.get("type") or None)
    limit = min(value.get("limit") or MOST_CARDS, MOST_CARDS)
    return _cards(list(products[:limit]), parent_context)


def _cards(
    products: Sequence[VoucherProduct], parent_context: Mapping[str, Any] | None
) -> list[Card]:
    """Return cards of those products that this site's shop sells."""
    if not products:
        return []
    request = _request(parent_context)
    site = _site(request)
    shop = _shop(site)
    if shop is None:
        return []
    return cards_for(
        [
            product
            for product in products
            if selectors.availability(product, shop) in _SHOWN
        ],
        site=site,
        language=_language(parent_context),
        request=request,
    )


def _shop(site: Site | None) -> selectors.Shop | None:
    """Return what the site is to Smart Gift; None where that cannot be told.

    A page is more than its vouchers: it is shown without them, and the log says why.
    """
    try:
        return selectors.shop_for(site)
    except ImproperlyConfigured:
        logger.exception("Vouchers are left out of a page.")
        return None


def _request(parent_context: Mapping[str, Any] | None) -> HttpRequest | None:
    return parent_context.get("request") if parent_context else None


def _site(request: HttpRequest | None) -> Site | None:
    """Return the site that the block is shown on; rendered by a task, the default one."""
    if request is None:
        return Site.objects.filter(is_default_site=True).first()
    return Site.find_for_request(request)


def _language(parent_context: Mapping[str, Any] | None) -> str | None:
    """Return the language of the page that the block stands on; None: the active one."""
    locale = getattr((parent_context or {}).get("page"), "locale", None)
    return locale.language_code if locale is not None else None
