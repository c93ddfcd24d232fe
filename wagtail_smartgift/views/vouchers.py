"""What a visitor sees of vouchers: the index, a dressed product, a plain product.

Everything is read from our own rows, in a number of queries that does not grow with
the catalogue; nothing here calls Smart Gift. A choice goes to the shop's basket by
``ADD_TO_BASKET``: without it the pages show the vouchers and offer no form.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Prefetch, prefetch_related_objects
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
)
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.images import get_image_model
from wagtail.images.models import Filter
from wagtail.models import Site

from wagtail_smartgift import health, selectors
from wagtail_smartgift.choices import Availability, ProductType
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.forms import PurchaseForm
from wagtail_smartgift.models import (
    AbstractVoucherIndexPage,
    AbstractVoucherPage,
    VoucherProduct,
)


#: Products on one page of the index.
PAGE_SIZE = 100
#: From how many products on the index offers a search.
SEARCH_FROM = 13
#: The renditions that ``card.html`` asks for, so that one query reads them for all.
CARD_FILTERS = Filter.expand_spec(
    ["format-{webp,jpeg}", "fill-{480x320,960x640}", "preserve-svg"]
)


@dataclass(frozen=True)
class Card:
    """A product as the index shows it."""

    product: VoucherProduct
    page: AbstractVoucherPage | None
    url: str | None

    @property
    def title(self) -> str:
        return self.page.title if self.page else self.product.title

    @property
    def availability(self) -> Availability:
        return self.product.availability


def index(request: HttpRequest, *, page: AbstractVoucherIndexPage) -> HttpResponse:
    """List every product on sale, by type and search if asked."""
    site = _site(request)
    account = selectors.shop_for(site).account
    wanted = request.GET.get("type", "")
    wanted = wanted if wanted in _OFFERED_TYPES else ""
    search = request.GET.get("search", "").replace("\0", "").strip()[:100]
    types = set(
        selectors.products_on_sale(account)
        .order_by()
        .values_list("type", flat=True)
        .distinct()
    )
    paginator = Paginator(
        selectors.products_on_sale(account, type=wanted or None, search=search),
        PAGE_SIZE,
    )
    shown = paginator.get_page(request.GET.get("page"))
    products = list(shown.object_list)
    addresses = selectors.ProductAddresses(
        products,
        site=site,
        language=page.locale.language_code,
        request=request,
    )
    cards = [
        Card(
            product=product,
            page=addresses.page(product),
            url=addresses.path(product),
        )
        for product in products
    ]
    _load_pictures(cards)
    context = page.get_context(request)
    context.update(
        {
            "cards": cards,
            "page_of_cards": shown,
            "types": [
                (value, label)
                for value, label in _OFFERED_TYPES.items()
                if value in types
            ],
            "type": wanted,
            "search": search,
            "may_search": bool(search) or paginator.count >= SEARCH_FROM,
        }
    )
    return TemplateResponse(request, page.get_template(request), context)


def voucher_page(request: HttpRequest, *, page: AbstractVoucherPage) -> HttpResponse:
    """Show the product that ``page`` dresses, and take a choice of it."""
    # An editor previews a page before a product was chosen for it.
    product = page.product if page.product_id else None
    return _product(request, page=page, product=product, template=None)


def plain_product(
    request: HttpRequest, *, page: AbstractVoucherIndexPage, remote_id: int
) -> HttpResponse:
    """Show a product that has no page of its own; 301 to the page if it has one."""
    site = _site(request)
    product = selectors.find_product(selectors.shop_for(site).account, remote_id)
    if product is None:
        raise Http404
    dressing = selectors.dressing_page(
        product, site=site, language=page.locale.language_code
    )
    url = dressing.get_url(request) if dressing is not None else None
    if url:
        return HttpResponsePermanentRedirect(url)
    return _product(request, page=page, product=product, template=page.product_template)


#: What the index can be narrowed to, and how its visitors call it.
_OFFERED_TYPES = {
    ProductType.MONETARY.value: _("Vouchers for an amount"),
    ProductType.EXPERIENCE.value: _("Experiences"),
}


def _product(
    request: HttpRequest,
    *,
    page: Any,
    product: VoucherProduct | None,
    template: str | None,
) -> HttpResponse:
    shop = selectors.shop_for(_site(request))
    is_preview = getattr(request, "is_preview", False)
    availability = (
        selectors.availability(product, shop) if product else Availability.OFF_SALE
    )
    add_to_basket = get_conf().hook("add_to_basket")
    chosen = request.method == "POST" and not is_preview
    form = None
    if (
        product is not None
        and availability == Availability.ON_SALE
        and add_to_basket is not None
    ):
        form = PurchaseForm(
            request.POST if chosen else None,
            product=product,
            delivery_methods=shop.delivery_methods,
        )
        if chosen and form.is_valid():
            return add_to_basket(request, form.choice())
    context = page.get_context(request)
    context.update(
        {
            "product": product,
            "dressed": isinstance(page, AbstractVoucherPage),
            "availability": availability,
            "on_sale": availability == Availability.ON_SALE,
            "form": form,
            # Somebody filled the form in while it still could be bought.
            "too_late": chosen and form is None,
            "as_of": _as_of(shop.account),
            "noindex": not (
                product and product.is_listed and availability == Availability.ON_SALE
            ),
        }
    )
    response = TemplateResponse(
        request, template or page.get_template(request), context
    )
    if context["noindex"]:
        response.headers["X-Robots-Tag"] = "noindex"
    return response


def _as_of(account: Account) -> datetime | None:
    """Return when prices were read, once that is so long ago that it should be said."""
    synced = selectors.synced_at(account)
    if synced is None:
        return None
    age = (timezone.now() - synced).total_seconds()
    return timezone.localtime(synced) if age > health.STALE_CATALOGUE else None


def _site(request: HttpRequest) -> Site | None:
    return Site.find_for_request(request)


def _load_pictures(cards: list[Card]) -> None:
    """Read the pictures of all cards, and those of their renditions that exist."""
    by_model: dict[type, list[AbstractVoucherPage]] = defaultdict(list)
    for card in cards:
        if card.page is not None:
            by_model[type(card.page)].append(card.page)
    images = get_image_model().objects.prefetch_renditions(*CARD_FILTERS)
    for pages in by_model.values():
        prefetch_related_objects(pages, Prefetch("image", queryset=images.all()))
