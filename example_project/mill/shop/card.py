"""A dummy card terminal: it authorises, captures, voids and refunds, and is no bank.

Each step may be repeated without harm. A real shop has its payment provider here.
"""

from decimal import Decimal

from mill.shop.models import CardPayment, CardStatus, Order


#: number -> what it does.
TEST_CARDS = {
    "4242424242424242": "is accepted",
    "4000000000000002": "is declined",
    "4000000000000341": "is accepted, but the money cannot be collected",
}
_FAILS_AT_CAPTURE = "0341"


class Declined(Exception):
    """The bank says no; nothing was reserved."""


class CaptureFailed(Exception):
    """The bank had said yes and now does not pay."""


def authorise(order: Order, *, amount: Decimal, number: str) -> None:
    """Reserve money on a card.

    Raises:
        Declined: this card pays nothing.
    """
    if number not in TEST_CARDS or TEST_CARDS[number] == "is declined":
        raise Declined
    CardPayment.objects.create(
        order=order,
        amount=amount,
        status=CardStatus.AUTHORISED,
        last_digits=number[-4:],
    )


def capture(order: Order, *, amount: Decimal) -> None:
    """Collect ``amount`` of what was reserved, unless that was done before.

    Raises:
        CaptureFailed: it was not collected, and any reservation is gone.
    """
    card = order.card
    if not amount or (card and card.status == CardStatus.CAPTURED):
        return
    if card is None or card.amount != amount:
        # Nothing, or something else, is reserved: nobody gets goods for that.
        void(order)
        raise CaptureFailed
    if card.last_digits == _FAILS_AT_CAPTURE:
        void(order)
        raise CaptureFailed
    _move(card, CardStatus.CAPTURED)


def void(order: Order, card: CardPayment | None = None) -> None:
    """Give up what is reserved, on ``card`` or at all; what is collected stays so."""
    card = card or order.card
    if card and card.status == CardStatus.AUTHORISED:
        _move(card, CardStatus.VOIDED)


def refund_up_to(order: Order, amount: Decimal) -> None:
    """See that ``amount`` of what was collected has gone back, all refunds together."""
    CardPayment.objects.filter(
        order=order, status=CardStatus.CAPTURED, refunded__lt=amount
    ).update(refunded=amount)


def _move(card: CardPayment, status: CardStatus) -> None:
    CardPayment.objects.filter(pk=card.pk, status=CardStatus.AUTHORISED).update(
        status=status
    )
