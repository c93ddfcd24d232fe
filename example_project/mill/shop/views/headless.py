"""The shop as a backend: what a page needs that has nothing but the JSON API.

``/headless/`` is a file and a script. These three calls are all that the script asks of
the shop itself; the vouchers it adds and removes over the plugin's JSON API, with the
secret of its own payment. A backend in another process would open and confirm the
payment over that API as well, with a server key; this one has the plugin beside it and
calls it in Python, so it needs no key. Either way the browser never sees one.
"""

import json
from contextlib import suppress
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from wagtail.models import Site

from mill.home import welcome
from mill.shop import card, checkout
from mill.shop.basket import Basket
from mill.shop.models import Order, OrderStatus, Product
from mill.shop.views.account import own_order, remember
from mill.shop.views.checkout import parse_card_amount
from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError


#: Session key: the order that this browser's page is about, until the page has been
#: told that it is paid.
CURRENT = "headless_order"
#: Statuses of an order that the page goes on with when it is loaded again. Whoever was
#: shown another one instead might pay that as well.
UNFINISHED = {
    OrderStatus.AWAITING_PAYMENT,
    OrderStatus.PAYING,
    OrderStatus.CONFIRMING,
    OrderStatus.CANCELLING,
    # Paid while the page was away.
    OrderStatus.PAID,
}
#: What is in everybody's basket here.
PRODUCT = "mill-hamper"
#: A shop would ask.
CUSTOMER = {
    "first_name": "Headless",
    "last_name": "Guest",
    "email": "guest@example.org",
    "address1": "1 Weir Cottages",
    "city": "Wendford",
    "postcode": "BA1 1AA",
}


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "shop/headless.html",
        {"numbers": welcome.numbers_to_try(), "test_cards": card.TEST_CARDS},
    )


@never_cache
@require_POST
def open_order(request: HttpRequest) -> HttpResponse:
    """Place the order, or find the one of before, and open its payment."""
    order = _current(request) or _place(request)
    # The same reference again: the vouchers are still there, the secret is a new one.
    # The amount is the same, so a payment that is not open any more does not mind.
    session = payments.open_session(
        reference=order.reference, amount_due=order.total, site=order.site
    )
    return JsonResponse(
        {
            "reference": order.reference,
            "status": order.status,
            "lines": [
                {"name": line.name, "total": f"{line.total:.2f}"}
                for line in order.lines.all()
            ],
            "client_secret": session.client_secret,
            "url": reverse("headless_order", args=[order.reference]),
            "pay_url": reverse("headless_pay", args=[order.reference]),
        },
        status=201,
    )


@never_cache
@require_safe
def order(request: HttpRequest, reference: str) -> HttpResponse:
    """Say how far an order is; settles what can be."""
    found = own_order(request, reference)
    if (
        found.status == OrderStatus.PAID
        and request.session.get(CURRENT) == found.reference
    ):
        # Now it is told. The answer to Pay may have been lost in a reload.
        del request.session[CURRENT]
    return JsonResponse(_state(found))


@never_cache
@require_POST
def pay(request: HttpRequest, reference: str) -> HttpResponse:
    """Prepare, authorise, confirm, capture: all of it is ``checkout.pay``."""
    found = own_order(request, reference)
    sent = _sent(request)
    try:
        checkout.pay(
            found,
            card_amount=parse_card_amount(sent.get("card_amount")),
            card_number="".join(str(sent.get("card_number", "")).split()),
        )
    except card.Declined:
        # The page has words of its own for it.
        return JsonResponse({"code": "card_declined"}, status=409)
    except PaymentError as error:
        return JsonResponse({"code": error.code, "detail": error.advice}, status=409)
    return JsonResponse(_state(found))


def _current(request: HttpRequest) -> Order | None:
    return Order.objects.filter(
        reference=request.session.get(CURRENT, ""), status__in=UNFINISHED
    ).first()


def _place(request: HttpRequest) -> Order:
    product = Product.objects.filter(slug=PRODUCT, on_sale=True).first()
    if product is None:
        raise Http404
    # A basket of its own, not the one that this visitor fills in the shop.
    basket = Basket({}, site=Site.find_for_request(request))
    basket.add(product)
    placed = checkout.place(request, basket, customer=CUSTOMER, delivery={})
    remember(request, placed)
    request.session[CURRENT] = placed.reference
    return placed


def _sent(request: HttpRequest) -> dict[str, Any]:
    with suppress(ValueError):
        sent = json.loads(request.body)
        if isinstance(sent, dict):
            return sent
    return {}


def _state(found: Order) -> dict[str, Any]:
    return {
        "status": found.status,
        "text": found.get_status_display(),
        "page": found.get_absolute_url(),
    }
