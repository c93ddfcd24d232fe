"""Two steps: who and where, then the payment with the plugin's voucher field."""

from contextlib import suppress
from decimal import Decimal, InvalidOperation

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from wagtail.models import Site

from mill.shop import card, checkout
from mill.shop.basket import Basket
from mill.shop.forms import CardForm
from mill.shop.models import Order, OrderStatus
from mill.shop.views.account import own_order, remember
from wagtail_smartgift import payments
from wagtail_smartgift.checkout_forms import VoucherCustomerForm, VoucherDeliveryForm
from wagtail_smartgift.exceptions import PaymentError, SaleError


#: Session key: the order that this browser's basket has become, until it is paid.
UNPAID = "unpaid_order"
PRICES_CHANGED = "A price has changed since you opened this page. Please look again before you go on."


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def details(request: HttpRequest) -> HttpResponse:
    """Ask for the buyer, and for the delivery of gift vouchers if there are any."""
    site = Site.find_for_request(request)
    basket = Basket(request.session, site=site)
    if not basket.lines or basket.has_problems:
        return redirect("basket")
    posted = request.POST if request.method == "POST" else None
    customer_form = VoucherCustomerForm(posted)
    delivery_form = None
    if basket.voucher_lines:
        delivery_form = VoucherDeliveryForm(
            posted, site=site, initial=basket.wished_delivery()
        )
    forms = [form for form in (customer_form, delivery_form) if form]
    # All of them, so that every mistake is shown at once.
    valid = [form.is_valid() for form in forms] if posted is not None else [False]
    if all(valid):
        if request.POST.get("seen_total") != f"{basket.total:.2f}":
            messages.warning(request, PRICES_CHANGED)
            return redirect("checkout")
        customer = customer_form.as_order()
        delivery = delivery_form.as_order(customer=customer) if delivery_form else {}
        try:
            order = checkout.place(
                request, basket, customer=customer, delivery=delivery
            )
        except SaleError as error:
            for message in {str(error.message), *map(str, error.fields.values())}:
                customer_form.add_error(None, message)
        else:
            _drop_unpaid(request)
            request.session[UNPAID] = order.reference
            remember(request, order)
            return redirect("pay", order.reference)
    return render(
        request,
        "shop/details.html",
        {
            "basket": basket,
            "customer_form": customer_form,
            "delivery_form": delivery_form,
        },
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, reference: str) -> HttpResponse:
    """Show what is due and take the payment."""
    order = own_order(request, reference)
    if order.status != OrderStatus.AWAITING_PAYMENT:
        return redirect(order)
    card_form = CardForm()
    if request.method == "POST":
        amount = parse_card_amount(request.POST.get("card_amount"))
        card_form = CardForm(request.POST)
        if not amount or card_form.is_valid():
            number = card_form.cleaned_data["card_number"] if amount else ""
            _take_payment(request, order, amount, number)
            if order.status != OrderStatus.AWAITING_PAYMENT:
                return redirect(order)
            # Up to the message, wherever the voucher field had sent the browser.
            return redirect(f"{request.path}#main")
    session = payments.get_session(reference=order.reference)
    return render(
        request,
        "shop/pay.html",
        {
            "order": order,
            "session": session,
            "card_form": card_form,
            "test_cards": card.TEST_CARDS,
        },
    )


def _take_payment(
    request: HttpRequest, order: Order, amount: Decimal, number: str
) -> None:
    try:
        checkout.pay(order, card_amount=amount, card_number=number)
    except card.Declined:
        messages.error(
            request,
            "Your card was declined. Nothing was taken, neither from your card nor "
            "from a voucher. You can try another card.",
        )
    except PaymentError as error:
        messages.error(request, error.advice)
    if order.status == OrderStatus.CANCELLED:
        messages.error(
            request,
            "Your bank did not release the money, so the order is cancelled. Nothing "
            "was taken, neither from your card nor from a voucher.",
        )
    elif (
        order.status != OrderStatus.AWAITING_PAYMENT
        and request.session.get(UNPAID) == order.reference
    ):
        del request.session[UNPAID]
        Basket(request.session).clear()


def parse_card_amount(text: object) -> Decimal:
    """Return what the page said that the card will pay; nonsense fits no amount."""
    with suppress(InvalidOperation):
        amount = Decimal(str(text))
        if amount.is_finite() and amount >= 0:
            return amount
    return Decimal(-1)


def _drop_unpaid(request: HttpRequest) -> None:
    """Cancel the order that this basket was before: its vouchers are free again."""
    previous = Order.objects.filter(
        reference=request.session.pop(UNPAID, ""),
        status=OrderStatus.AWAITING_PAYMENT,
    ).first()
    if previous is not None:
        with suppress(payments.PaymentError):
            checkout.cancel(previous)
