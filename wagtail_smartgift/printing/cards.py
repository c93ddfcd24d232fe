"""What stands on a printed card."""

from dataclasses import dataclass, field
from datetime import date
from urllib.parse import quote

from django.urls import reverse
from wagtail.models import Site

from wagtail_smartgift import codes, selectors
from wagtail_smartgift.printing.purchases import Purchase, purchase_of
from wagtail_smartgift.redaction import Secret


@dataclass(frozen=True)
class PrintedCard:
    """One voucher to hand over. Names and greetings are what somebody typed."""

    #: Who redeems it: the site's name.
    venue: str
    title: str
    #: An amount of money, or for how many people; may be empty.
    value: str
    to: str = field(repr=False)
    sender: str = field(repr=False)
    message: str = field(repr=False)
    #: Bearer money.
    number: str = field(repr=False)
    #: Where its holder sees what is left on it, without the number.
    balance_url: str
    #: Smart Gift's sale does not tell it, so whoever knows it says it.
    valid_until: date | None = None

    @property
    def grouped_number(self) -> str:
        """The number as people read it aloud."""
        return codes.grouped(self.number)

    @property
    def link(self) -> str:
        """What the card's QR code says: the balance page, with the number behind it.

        In the fragment, which no browser sends to a server: it is in no log there.
        """
        return Secret(f"{self.balance_url}#voucher={quote(self.number, safe='')}")


def cards_of(
    *, reference: str, valid_until: date | None = None
) -> tuple[PrintedCard, ...]:
    """Return a card for each voucher of a sale; none where there is nothing to print.

    That is: it is not placed (yet), its numbers are not the shop's own
    (``OWN_VOUCHER_CODES``, or Smart Gift would not take them), or they are forgotten.
    """
    purchase = purchase_of(reference=reference)
    return () if purchase is None else cards_for(purchase, valid_until=valid_until)


def cards_for(
    purchase: Purchase, *, valid_until: date | None = None
) -> tuple[PrintedCard, ...]:
    """Return the cards of a purchase that was read already."""
    if not purchase.has_cards:
        return ()
    venue = selectors.site_name(purchase.site)
    address = balance_url(purchase.site)
    return tuple(
        PrintedCard(
            venue=venue,
            title=voucher.title,
            value=voucher.value,
            to=voucher.to,
            sender=voucher.sender,
            message=voucher.message,
            number=voucher.number,
            balance_url=address,
            valid_until=valid_until,
        )
        for voucher in purchase.vouchers
        if voucher.number
    )


def balance_url(site: Site | None) -> str:
    """Return the absolute address of the page that tells a balance."""
    path = reverse("wagtail_smartgift:balance")
    return f"{site.root_url if site is not None else ''}{path}"
