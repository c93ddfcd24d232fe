"""Selling vouchers: what a host's Python imports.

Check the order before the customer pays, place it when the shop has been paid::

    from wagtail_smartgift import sales
    from wagtail_smartgift.exceptions import SaleError

    body = {
        "items": [
            {"product": 37, "price": "50.00", "to": "Jane", "from": "John"},
            {"product": 38, "persons": 2},
        ],
        "customer": {
            "first_name": "John",
            "last_name": "Smith",
            "email": "john@example.org",
            "address1": "1 Mill Lane",
            "city": "Bath",
            "postcode": "BA1 1AA",
        },
        "delivery": {"method": "1", "price": "0.00"},
    }
    try:
        sales.place_order(reference=order.number, dry_run=True, **body)
    except SaleError as error:
        show(
            error.fields
        )  # {"items.0.price": "This voucher is sold in steps of £5.00."}

    # … the shop takes the money, then:
    try:
        placed = sales.place_order(reference=order.number, **body)
    except SaleError as error:
        if error.code == "order_refused":
            refund(order)  # nothing was sold
    else:
        if placed.pending:
            tell("Your vouchers are being issued.")  # the sweep goes on by itself

The reference makes it safe to call again: the same order is never sold twice. An
``Order`` holds voucher numbers in clear for the shop's server; keep them out of logs,
pages and URLs. Not to be called inside a transaction.
"""

from wagtail_smartgift.ledger import Order, OrderItem
from wagtail_smartgift.selectors import PaymentMethod
from wagtail_smartgift.services.sales import (
    get_order,
    payment_methods,
    place_order,
)


__all__ = [
    "Order",
    "OrderItem",
    "PaymentMethod",
    "get_order",
    "payment_methods",
    "place_order",
]
