"""How a refund is shared between the card and the vouchers that paid for an order.

Arithmetic alone: it asks nobody and moves nothing. The card is the host's, and which
policy is right is the shop's to say; so a host can show what it would do before it
does it, and then give ``vouchers`` to ``payments.refund``.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum

from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.money import PENNY


class RefundPolicy(Enum):
    """Who gets their money back first."""

    #: What the customer paid in money comes back as money; vouchers get the rest.
    CARD_FIRST = "card_first"
    #: Vouchers get theirs back; the card gets the rest.
    VOUCHERS_FIRST = "vouchers_first"
    #: Each gets the share of it that it has of what can still be refunded.
    PRO_RATA = "pro_rata"


@dataclass(frozen=True)
class RefundShares:
    card: Decimal
    vouchers: Decimal


def share_refund(
    *, amount: Decimal, card: Decimal, vouchers: Decimal, policy: RefundPolicy
) -> RefundShares:
    """Return what of a refund of ``amount`` goes to which; together they are all of it.

    ``card`` and ``vouchers`` are what can still go back to each: what it paid, less
    what it has got back. Neither ever gets more. Half a penny goes to the vouchers.

    Raises:
        PaymentError: ``amount_too_large``: it is more than both together.
    """
    if amount > card + vouchers:
        raise PaymentError("amount_too_large")
    if policy is RefundPolicy.CARD_FIRST:
        to_card = min(amount, card)
        return RefundShares(card=to_card, vouchers=amount - to_card)
    if policy is RefundPolicy.VOUCHERS_FIRST or not amount:
        to_vouchers = min(amount, vouchers)
    else:
        share = amount * vouchers / (card + vouchers)
        to_vouchers = share.quantize(PENNY, rounding=ROUND_HALF_UP)
        # Rounding must not take a penny from where there is none.
        to_vouchers = min(to_vouchers, vouchers, amount)
        to_vouchers = max(to_vouchers, amount - card)
    return RefundShares(card=amount - to_vouchers, vouchers=to_vouchers)
