"""Printed cards: a voucher that was bought, as something to hand over.

What a host's Python imports. ``purchase_of`` tells a page after buying what became of a
sale; ``cards_of`` has what a card says, ``pdf_of`` writes the cards as a PDF, and
``mail_for`` makes the mail that brings them::

    from wagtail_smartgift import printing

    cards = printing.cards_of(reference=order.number)
    if printing.can_write_pdf(cards):
        attach(printing.pdf_of(cards))

A card has a voucher's number on it, and there is one only where the shop chooses the
numbers itself (``OWN_VOUCHER_CODES``): elsewhere Smart Gift makes the card. PDF and QR
codes come with the extra ``cards``; without it the page to print has neither.

Texts are in the language that is active. Reads only; nothing is sent.
"""

from wagtail_smartgift.printing.cards import PrintedCard, cards_of
from wagtail_smartgift.printing.links import card_url, pdf_url
from wagtail_smartgift.printing.mail import mail_for
from wagtail_smartgift.printing.pdf import PrintingUnavailable, can_write_pdf, pdf_of
from wagtail_smartgift.printing.purchases import BoughtVoucher, Purchase, purchase_of


__all__ = [
    "BoughtVoucher",
    "PrintedCard",
    "PrintingUnavailable",
    "Purchase",
    "can_write_pdf",
    "card_url",
    "cards_of",
    "mail_for",
    "pdf_of",
    "pdf_url",
    "purchase_of",
]
