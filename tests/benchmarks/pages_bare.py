"""Views as bare as a Wagtail page's own, for ``tests.benchmarks.pages``.

They fill our templates as ``Page.serve`` would. The bare ones read the rows that are
shown in the plainest way there is, and decide nothing: no settings of a site, no
account, no addresses, no search. Their pictures are shown by Wagtail's own tag; the rest
of the template and the form are ours. The ones in memory read nothing at all.
"""

from typing import Any

from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest
from django.template.response import TemplateResponse
from wagtail.images import get_image_model
from wagtail.images.models import Filter

from tests.benchmarks.pages_settings import CARD_SHAPES, FORMATS
from wagtail_smartgift.cards import OFFERED_TYPES, Card
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.forms import PurchaseForm
from wagtail_smartgift.models import VoucherPage, VoucherProduct
from wagtail_smartgift.views.vouchers import PAGE_SIZE


#: What a page of ours was last written with, for the views that read nothing.
in_memory: dict[str, Any] = {}


def index(request: HttpRequest, *, page: Any) -> TemplateResponse:
    found = VoucherProduct.objects.filter(status="active", gone_at=None)
    shown = Paginator(found.order_by("title"), PAGE_SIZE).get_page(1)
    products = list(shown.object_list)
    specs = Filter.expand_spec([FORMATS, CARD_SHAPES])
    images = get_image_model().objects.prefetch_renditions(*specs)
    pages = {
        one.product_id: one
        for one in VoucherPage.objects.live()
        .filter(product__in=products)
        .prefetch_related(Prefetch("image", queryset=images))
    }
    cards = []
    for product in products:
        dressing = pages.get(product.pk)
        url = dressing.url if dressing else f"{page.url}p/{product.remote_id}/"
        cards.append(Card(product=product, page=dressing, url=url))
    return _serve(
        request,
        page,
        page.index_template,
        cards=cards,
        page_of_cards=shown,
        types=[("monetary", OFFERED_TYPES["monetary"])],
        type="",
        search="",
        may_search=True,
    )


def voucher_page(request: HttpRequest, *, page: Any) -> TemplateResponse:
    return _product(request, page, page.product, dressed=True)


def plain_product(
    request: HttpRequest, *, page: Any, remote_id: int
) -> TemplateResponse:
    product = VoucherProduct.objects.get(remote_id=remote_id)
    return _product(request, page, product, dressed=False)


def ready(request: HttpRequest, *, page: Any, **_values: Any) -> TemplateResponse:
    template = in_memory["template"]
    return TemplateResponse(
        request, template, {**page.get_context(request), **in_memory["context"]}
    )


def _product(
    request: HttpRequest, page: Any, product: VoucherProduct, *, dressed: bool
) -> TemplateResponse:
    return _serve(
        request,
        page,
        page.voucher_template if dressed else page.product_template,
        product=product,
        dressed=dressed,
        availability="on_sale",
        on_sale=True,
        form=PurchaseForm(
            product=product, delivery_methods=get_conf().delivery_methods
        ),
        shop_name="Tests",
    )


def _serve(
    request: HttpRequest, page: Any, template: str, **more: Any
) -> TemplateResponse:
    return TemplateResponse(
        request, template, {**page.get_context(request), **more}, using="bare"
    )
