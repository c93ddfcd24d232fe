"""Writing prices as people read them, and what else the voucher pages are made of."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext, ngettext
from wagtail.images.models import Picture

from wagtail_smartgift import exceptions, metadata, renditions
from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.formats import format_price, price_sample
from wagtail_smartgift.models import (
    AbstractVoucherIndexPage,
    AbstractVoucherPage,
    VoucherProduct,
)
from wagtail_smartgift.templatetags.smartgift import nonce_of


register = template.Library()


@register.filter
def money(amount: Decimal | None) -> str:
    """Write an amount; nothing for none."""
    return "" if amount is None else format_price(amount)


@register.filter
def whole_minute(end: datetime) -> str:
    """Write the first whole minute at which something is over, as a time of day."""
    return exceptions.whole_minute(end)


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
        return ngettext(
            "%(price)s for %(number)d person",
            "%(price)s for %(number)d people",
            lowest,
        ) % {"price": format_price(price * lowest), "number": lowest}
    return ngettext(
        "%(price)s a person, for %(lowest)d to %(highest)d person",
        "%(price)s a person, for %(lowest)d to %(highest)d people",
        highest,
    ) % {"price": format_price(price), "lowest": lowest, "highest": highest}


@register.simple_tag
def money_sample() -> str:
    """Write an amount that shows a script how prices are written here: £1,234.56."""
    return price_sample()


@register.simple_tag(takes_context=True)
def script_nonce(context: Mapping[str, Any]) -> Any:
    """Return the nonce of this page's scripts; None where its policy needs none."""
    return nonce_of(context, context.get("request"))


@register.simple_tag
def language_attributes() -> SafeString:
    """Write the language of this package's words: the page around may have another.

    ``dir`` as well where it is written from right to left; else that of the page stays.
    """
    language = translation.get_language() or settings.LANGUAGE_CODE
    direction = mark_safe(' dir="rtl"') if translation.get_language_bidi() else ""
    return format_html(' lang="{}"{}', language, direction)


@register.simple_tag
def page_language(page: Any) -> SafeString:
    """Write the language of an editor's words, where ours around them are in another.

    They are in the language of their ``page``, whichever the visitor has chosen for the
    rest: a Welsh page stays Welsh. Nothing for what is no page of Wagtail's.
    """
    language = getattr(getattr(page, "locale", None), "language_code", None)
    around = translation.get_language() or settings.LANGUAGE_CODE
    # "en" within "en-gb" would say less than what is said already.
    if not language or f"{around}-".startswith(f"{language}-"):
        return SafeString("")
    bidi = language.partition("-")[0] in settings.LANGUAGES_BIDI
    if bidi == translation.get_language_bidi():
        return format_html(' lang="{}"', language)
    return format_html(' lang="{}" dir="{}"', language, "rtl" if bidi else "ltr")


@register.simple_tag
def responsive_picture(image: Any, shapes: str, **attributes: Any) -> SafeString:
    """Write a ``<picture>``: Wagtail's, in every format that Pillow can write here.

    ``shapes`` are ``card``, ``page`` or ``body``, what our own templates show, or filters
    as Wagtail's ``picture`` takes them: ``width-{480,960}``.
    Nobody waits for them to be made: a browser that asks for one does.
    """
    found = renditions.renditions_of(image, renditions.picture_specs(shapes))
    written: SafeString = Picture(found, attributes).__html__()
    return written


@register.inclusion_tag("wagtail_smartgift/metadata.html", takes_context=True)
def voucher_metadata(context: Mapping[str, Any]) -> dict[str, Any]:
    """Tell machines what the page is about, if it is one of vouchers; else nothing.

    For the head of the site's own base template: on other pages it writes nothing. It
    needs ``page`` and ``request``, which Wagtail's pages have.
    """
    page, request = context.get("page"), context.get("request")
    product = context.get("product")
    if request is None or not isinstance(
        page, (AbstractVoucherPage, AbstractVoucherIndexPage)
    ):
        return {"metadata": None}
    if not isinstance(product, VoucherProduct):
        # A shop calls its own things products as well.
        product = None
        if isinstance(page, AbstractVoucherPage) and page.product_id:
            product = page.product
    if product is None:
        return {"metadata": metadata.of_page(page, request=request)}
    return {
        "metadata": metadata.of_product(
            product,
            page=page,
            availability=context.get("availability") or product.availability,
            request=request,
        )
    }
