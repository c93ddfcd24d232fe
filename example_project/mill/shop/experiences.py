"""What an experience voucher is worth when it pays for something else.

Smart Gift knows what may still be redeemed, and no price for it: a ``bit_value`` is a
flag and not money. So the house says what it takes for each.
"""

from collections.abc import Sequence
from decimal import Decimal

from wagtail_smartgift.client import VoucherState
from wagtail_smartgift.models import PaymentSession


#: By the experience's name at Smart Gift, in pounds.
PRICES = {
    "Afternoon tea for two": Decimal("59.00"),
    "A walk to the weir with our gardener": Decimal("25.00"),
    "Use of the pool and sauna": Decimal("40.00"),
    "Fifty minutes of massage": Decimal("65.00"),
}


def value_of(
    session: PaymentSession, voucher: VoucherState, bit_values: Sequence[int]
) -> Decimal | None:
    """Return what the chosen experiences pay; None where one has no price."""
    names = {one.bit_value: one.name for one in voucher.experiences}
    prices = [PRICES.get(names[bit]) for bit in bit_values]
    known = [price for price in prices if price is not None]
    return sum(known, Decimal("0.00")) if len(known) == len(prices) else None
