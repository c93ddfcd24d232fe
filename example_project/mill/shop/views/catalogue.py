"""What the shop sells, and the basket."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from wagtail.models import Site

from mill.shop.basket import MOST_OF_ONE_THING, Basket
from mill.shop.models import Product


@require_safe
def products(request: HttpRequest) -> HttpResponse:
    on_sale = Product.objects.filter(on_sale=True).select_related("picture")
    return render(request, "shop/products.html", {"products": on_sale})


@require_http_methods(["GET", "HEAD", "POST"])
def product(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(
        Product.objects.select_related("picture"), slug=slug, on_sale=True
    )
    if request.method == "POST":
        Basket(request.session).add(found, _quantity(request, default=1))
        messages.success(request, f"{found.name} is in your basket.")
        return redirect("basket")
    others = Product.objects.filter(on_sale=True).exclude(pk=found.pk)
    return render(
        request,
        "shop/product.html",
        {
            "product": found,
            "quantities": range(1, 7),
            "others": others.select_related("picture")[:2],
        },
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def basket(request: HttpRequest) -> HttpResponse:
    content = Basket(request.session, site=Site.find_for_request(request))
    if request.method == "POST":
        content.change(request.POST.get("line", ""), _quantity(request, default=0))
        return redirect("basket")
    return render(
        request,
        "shop/basket.html",
        {"basket": content, "most": MOST_OF_ONE_THING},
    )


def _quantity(request: HttpRequest, *, default: int) -> int:
    value = request.POST.get("quantity", "")
    if not (value.isascii() and value.isdecimal()):
        return default
    return min(int(value), MOST_OF_ONE_THING)
