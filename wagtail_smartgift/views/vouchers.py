"""What a visitor sees of vouchers: the index, a dressed product, a plain product.

Everything is read from our own rows, in a number of queries that does not grow with
the catalogue; nothing here calls Smart Gift. A choice goes to the shop's basket by
``ADD_TO_BASKET``: without it the pages show the vouchers and offer no form.
"""

from datetime import datetime
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
)
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import gettext as _
from wagtail.models import Site

from wagtail_smartgift import health, selectors
from wagtail_smartgift.addresses import ProductAddresses, dressing_page
from wagtail_smartgift.cards import OFFERED_TYPES, cards_for
from wagtail_smartgift.choices import Availability, ProductStatus
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


def index(request: HttpRequest, *, page: AbstractVoucherIndexPage) -> HttpResponse:
    """List every product on sale, by type and search if asked."""
    site = _site(request)
    account = selectors.shop_for(site).account
    wanted = request.GET.get("type", "")
    wanted = wanted if wanted in OFFERED_TYPES else ""
    search = request.GET.get("search", "").replace("\0", "").strip()[:100]
    types = dict(
        selectors.products_on_sale(account)
        .order_by()
        .values_list("type")
        .annotate(count=Count("pk"))
    )
    paginator = Paginator(
        selectors.products_on_sale(account, type=wanted or None, search=search),
        PAGE_SIZE,
    )
    if not search:
        # Counted already, in the same breath as the types.
        paginator.count = types.get(wanted, 0) if wanted else sum(types.values())
    shown = paginator.get_page(request.GET.get("page"))
    cards = cards_for(
        list(shown.object_list),
        site=site,
        language=page.locale.language_code,
        request=request,
    )
    context = page.get_context(request)
    context.update(
        {
            "cards": cards,
            "page_of_cards": shown,
            "types": [
                (value, label)
                for value, label in OFFERED_TYPES.items()
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
    shop = selectors.shop_for(_site(request))
    return _product(request, page=page, product=product, shop=shop, template=None)


def plain_product(
    request: HttpRequest, *, page: AbstractVoucherIndexPage, remote_id: int
) -> HttpResponse:
    """Show a product that has no page of its own; 301 to the page if it has one."""
    site = _site(request)
    shop = selectors.shop_for(site)
    product = selectors.find_product(shop.account, remote_id)
    if product is None:
        raise Http404
    dressing = dressing_page(product, site=site, language=page.locale.language_code)
    url = dressing.get_url(request) if dressing is not None else None
    if url:
        return HttpResponsePermanentRedirect(url)
    return _product(
        request,
        page=page,
        product=product,
        shop=shop,
        template=page.product_template,
    )


def _product(
    request: HttpRequest,
    *,
    page: Any,
    product: VoucherProduct | None,
    shop: selectors.Shop,
    template: str | None,
) -> HttpResponse:
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
            "shop_name": selectors.site_name(Site.find_for_request(request)),
            # The way on for somebody who cannot buy this one.
            "index_url": _index_url(page, request)
            if availability != Availability.ON_SALE
            else None,
            # Somebody filled the form in while it still could be bought.
            "too_late": chosen and form is None,
            "as_of": _as_of(shop.account),
            "preview_notice": _why_not(product, shop, availability)
            if is_preview
            else "",
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
    if form is not None:
        # The form's token is this visitor's, and after a mistake their words are in it.
        # Prices are those of now, so their own browser asks again as well.
        patch_cache_control(response, private=True, no_cache=True)
    return response


def _index_url(page: Any, request: HttpRequest) -> str | None:
    index: Any = ProductAddresses(
        [], site=_site(request), language=page.locale.language_code, request=request
    ).index
    return index.get_url(request) if index is not None else None


def _why_not(
    product: VoucherProduct | None, shop: selectors.Shop, availability: Availability
) -> str:
    """Tell an editor who previews a page why nobody could buy this there, if so."""
    if product is None:
        return _("No voucher is chosen for this page yet, so nothing can be bought.")
    if product.account != shop.account.alias:
        return _(
            "This voucher belongs to another Smart Gift company than this site, so it "
            "cannot be bought here."
        )
    if availability == Availability.GONE:
        return _(
            "Smart Gift does not list this voucher any more, so it cannot be bought."
        )
    if availability == Availability.SOLD_OUT:
        return _("None of this voucher is left at Smart Gift, so it cannot be bought.")
    if availability == Availability.AT_COUNTER_ONLY:
        return _("At Smart Gift this voucher is for the counter only.")
    if product.status not in {ProductStatus.ACTIVE, ProductStatus.HIDDEN}:
        return _(
            "This voucher's status at Smart Gift is “%(status)s”, so it cannot be "
            "bought."
        ) % {"status": product.remote_status or product.get_status_display()}
    if availability == Availability.OFF_SALE:
        return _(
            "Smart Gift says no price or amount for this voucher that it could be sold "
            "at, so it cannot be bought."
        )
    if get_conf().add_to_basket is None:
        return _(
            "This site has no basket for vouchers yet, so it cannot be bought. Your "
            "developers can set ADD_TO_BASKET."
        )
    if product.status == ProductStatus.HIDDEN:
        return _(
            "This voucher is hidden at Smart Gift: it can be bought by whoever knows "
            "the address, and no list shows it."
        )
    return ""


def _as_of(account: Account) -> datetime | None:
    """Return when prices were read, once that is so long ago that it should be said."""
    synced = selectors.synced_at(account)
    if synced is None:
        return None
    age = (timezone.now() - synced).total_seconds()
    return timezone.localtime(synced) if age > health.STALE_CATALOGUE else None


def _site(request: HttpRequest) -> Site | None:
    return Site.find_for_request(request)
