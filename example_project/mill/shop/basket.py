"""The basket: product numbers and wishes for gift vouchers, in the Django session.

It holds no prices of its own: what a thing costs is asked when the basket is looked
at, so a price that changed overnight is the new one and not yesterday's.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.crypto import get_random_string
from wagtail.models import Site

from mill.shop.models import ZERO, Product
from wagtail_smartgift import selectors
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.forms import VoucherChoice
from wagtail_smartgift.models import VoucherProduct


KEY = "basket"
MOST_OF_ONE_THING = 20
#: Well below what the columns of an order hold, with its delivery.
MOST = Decimal("500000.00")


@dataclass(frozen=True)
class BasketLine:
    #: What the basket's forms call this line by.
    key: str
    name: str
    price: Decimal
    quantity: int
    product: Product | None = None
    voucher: dict[str, Any] | None = None
    #: Why it cannot be bought as it is; empty if it can.
    problem: str = ""

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity

    def as_sale_item(self) -> dict[str, Any]:
        """Return the gift voucher as ``sales.place_order`` wants it."""
        wish = self.voucher or {}
        return {
            "product": wish["product_id"],
            "price": f"{self.price:.2f}",
            "persons": wish["persons"],
            "to": wish["to"],
            "from": wish["sender"],
            "message": wish["message"],
        }


class Basket:
    def __init__(self, session: SessionBase, *, site: Site | None = None) -> None:
        self._session = session
        self.site = site
        self._content = session.get(KEY) or {"products": {}, "vouchers": {}}

    def __len__(self) -> int:
        return sum(self._content["products"].values()) + len(self._content["vouchers"])

    @cached_property
    def lines(self) -> list[BasketLine]:
        return [*self._product_lines(), *self._voucher_lines()]

    @property
    def voucher_lines(self) -> list[BasketLine]:
        return [line for line in self.lines if line.voucher]

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), ZERO)

    @property
    def vouchers_total(self) -> Decimal:
        return sum((line.total for line in self.voucher_lines), ZERO)

    @property
    def has_problems(self) -> bool:
        return self.is_too_much or any(line.problem for line in self.lines)

    @property
    def is_too_much(self) -> bool:
        """Whether it comes to more than an order can be; SQLite would store it."""
        return self.total > MOST

    def add(self, product: Product, quantity: int = 1) -> None:
        key = str(product.pk)
        self.change(key, self._content["products"].get(key, 0) + quantity)

    def add_choice(self, choice: VoucherChoice) -> None:
        """Keep a gift voucher as the customer chose it on its page."""
        day = choice.delivery_date
        self._content["vouchers"][get_random_string(8)] = {
            "product_id": choice.product_id,
            "title": choice.title,
            "price": f"{choice.price:.2f}",
            "persons": choice.persons,
            "to": choice.to,
            "sender": choice.sender,
            "message": choice.message,
            "delivery_method": choice.delivery_method,
            "delivery_date": day.isoformat() if day else None,
        }
        self._save()

    def change(self, key: str, quantity: int) -> None:
        """Set how many of a line there are; none takes it out."""
        if key in self._content["vouchers"] and quantity < 1:
            del self._content["vouchers"][key]
        elif key.isascii() and key.isdecimal() and len(key) < 10 and key[0] != "0":
            # One way to write a key; another would never be found again.
            self._content["products"].pop(key, None)
            if quantity > 0:
                self._content["products"][key] = min(quantity, MOST_OF_ONE_THING)
        self._save()

    def clear(self) -> None:
        self._session.pop(KEY, None)

    def wished_delivery(self) -> dict[str, Any]:
        """Return what was chosen on the first gift voucher's page, for the checkout."""
        for wish in self._content["vouchers"].values():
            day = wish["delivery_date"]
            return {
                "method": wish["delivery_method"],
                "date": date.fromisoformat(day) if day else None,
            }
        return {}

    def _save(self) -> None:
        self._session[KEY] = self._content
        self.__dict__.pop("lines", None)

    def _product_lines(self) -> list[BasketLine]:
        wanted = self._content["products"]
        products = Product.objects.filter(pk__in=wanted, on_sale=True)
        return [
            BasketLine(
                key=str(product.pk),
                name=product.name,
                price=product.price,
                quantity=wanted[str(product.pk)],
                product=product,
            )
            for product in products.select_related("picture")
        ]

    def _voucher_lines(self) -> list[BasketLine]:
        wishes = self._content["vouchers"]
        if not wishes:
            return []
        shop = selectors.shop_for(self.site)
        products = {
            product.remote_id: product
            for product in VoucherProduct.objects.filter(
                account=shop.account.alias,
                remote_id__in=[wish["product_id"] for wish in wishes.values()],
            )
        }
        return [
            _voucher_line(key, wish, products.get(wish["product_id"]), shop)
            for key, wish in wishes.items()
        ]


def _voucher_line(
    key: str,
    wish: dict[str, Any],
    product: VoucherProduct | None,
    shop: selectors.Shop,
) -> BasketLine:
    price, problem = Decimal(wish["price"]), ""
    if product is None or selectors.availability(product, shop) != Availability.ON_SALE:
        problem = "This gift voucher is not on sale any more."
    elif wish["persons"]:
        # An experience costs what Smart Gift says today.
        price = (product.price or ZERO) * wish["persons"]
    return BasketLine(
        key=key,
        name=wish["title"],
        price=price,
        quantity=1,
        voucher=wish,
        problem=problem,
    )


def add_voucher(request: HttpRequest, choice: VoucherChoice) -> HttpResponse:
    """wagtail-smartgift's ``ADD_TO_BASKET``: a customer chose a voucher on its page."""
    Basket(request.session).add_choice(choice)
    messages.success(request, f"{choice.title} is in your basket.")
    return redirect("basket")
