"""The mail that brings a buyer their vouchers. It is made here, and sent by the host.

It has the numbers in it and the cards as a PDF, but no link with a number: links in
mails are opened, rewritten and kept by programs on the way.
"""

from collections.abc import Sequence
from datetime import date

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import pgettext

from wagtail_smartgift import selectors
from wagtail_smartgift.printing.cards import PrintedCard, balance_url, cards_for
from wagtail_smartgift.printing.pdf import PrintingUnavailable, pdf_of
from wagtail_smartgift.printing.purchases import purchase_of
from wagtail_smartgift.redaction import Secret


_TEMPLATES = "wagtail_smartgift/mail/vouchers"


def mail_for(
    *, reference: str, valid_until: date | None = None
) -> EmailMultiAlternatives | None:
    """Return the mail to the buyer of a sale, in the active language, unsent.

    None while the vouchers are not placed, and where no address is known (any more).
    Its texts are the templates ``wagtail_smartgift/mail/vouchers…``; the PDF is attached
    where the cards can be one (see ``pdf_of``): the mail comes in any case.
    """
    purchase = purchase_of(reference=reference)
    if purchase is None or not purchase.placed or not purchase.email:
        return None
    cards = cards_for(purchase, valid_until=valid_until)
    # Before the texts, which say whether it comes with them.
    pdf = _pdf_of(cards)
    context = {
        "purchase": purchase,
        "cards": cards,
        "venue": selectors.site_name(purchase.site),
        "balance_url": balance_url(purchase.site),
        "has_pdf": pdf is not None,
    }
    subject = render_to_string(f"{_TEMPLATES}_subject.txt", context)
    mail = EmailMultiAlternatives(
        # One line, whatever the names in it are.
        subject=" ".join(subject.split()),
        body=Secret(render_to_string(f"{_TEMPLATES}.txt", context)),
        to=[purchase.email],
    )
    mail.attach_alternative(
        Secret(render_to_string(f"{_TEMPLATES}.html", context)), "text/html"
    )
    if pdf is not None:
        name = pgettext("name of a file, without its ending", "gift-voucher")
        mail.attach(f"{name}.pdf", pdf, "application/pdf")
    return mail


def _pdf_of(cards: Sequence[PrintedCard]) -> bytes | None:
    try:
        return pdf_of(cards)
    except PrintingUnavailable:
        return None
