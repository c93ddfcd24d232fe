"""A customer's orders: what became of them, cancelling, and refunds.

Orders belong to the browser that placed them and, if somebody was logged in, to that
user. Staff see them all; the refund form is on the order's page for everybody, since
this shop is there to be tried.
"""

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from mill.shop import checkout, refunds
from mill.shop.forms import RefundForm
from mill.shop.models import Order, OrderStatus
from wagtail_smartgift import payments
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.formats import format_price


ORDERS = "orders"
#: Statuses in which something is under way, so the page looks what became of it.
UNDER_WAY = {
    OrderStatus.PAYING,
    OrderStatus.CONFIRMING,
    OrderStatus.CANCELLING,
    OrderStatus.REFUNDING,
}


def remember(request: HttpRequest, order: Order) -> None:
    known = request.session.get(ORDERS, [])
    request.session[ORDERS] = [*known, order.reference][-50:]


def own_order(request: HttpRequest, reference: str) -> Order:
    """Return an order of this customer's, as far as it has come; else 404."""
    order = get_object_or_404(_own_orders(request), reference=reference)
    if order.status in UNDER_WAY:
        checkout.settle(order)
    return order


@never_cache
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    found = _own_orders(request).prefetch_related("lines")[:100]
    return render(request, "shop/orders.html", {"orders": found})


@never_cache
@require_safe
def order(request: HttpRequest, reference: str) -> HttpResponse:
    found = own_order(request, reference)
    return _page(request, found)


@require_POST
def cancel(request: HttpRequest, reference: str) -> HttpResponse:
    found = own_order(request, reference)
    try:
        checkout.cancel(found)
    except PaymentError as error:
        messages.error(request, error.advice)
    if found.status == OrderStatus.CANCELLED:
        messages.success(
            request, "The order is cancelled. What was paid is on its way back."
        )
    return redirect(found)


@never_cache
@require_POST
def refund(request: HttpRequest, reference: str) -> HttpResponse:
    found = own_order(request, reference)
    form = RefundForm(request.POST, refundable=found.refundable)
    if not form.is_valid():
        return _page(request, found, refund_form=form)
    try:
        done = refunds.refund(
            found, form.cleaned_data["amount"], already=form.cleaned_data["already"]
        )
    except PaymentError as error:
        messages.error(request, error.advice)
    else:
        if done:
            amount = format_price(form.cleaned_data["amount"])
            messages.success(request, f"{amount} is refunded.")
        else:
            messages.warning(
                request, "This order has changed meanwhile. Please look again."
            )
    return redirect(found)


def _own_orders(request: HttpRequest) -> QuerySet[Order]:
    everything = Order.objects.all()
    if request.user.is_staff:
        return everything
    own = Q(reference__in=request.session.get(ORDERS, []))
    if request.user.is_authenticated:
        own |= Q(user=request.user)
    return everything.filter(own)


def _page(
    request: HttpRequest, found: Order, *, refund_form: RefundForm | None = None
) -> HttpResponse:
    session = payments.get_session(reference=found.reference)
    if refund_form is None:
        refund_form = RefundForm(
            refundable=found.refundable,
            initial={"amount": found.refundable, "already": found.refunded},
        )
    return render(
        request,
        "shop/order.html",
        {
            "order": found,
            "session": session,
            "used_vouchers": sorted({one.display_code for one in session.redemptions}),
            "sale": checkout.sale_of(found) if found.vouchers_total else None,
            # Numbers are money: staff who look at an order do not see them.
            "shows_numbers": found.reference in request.session.get(ORDERS, [])
            or (found.user is not None and found.user == request.user),
            "under_way": found.status in UNDER_WAY,
            "refund_form": refund_form,
            "refund_preview": refunds.preview(found) if found.refundable else None,
        },
    )
