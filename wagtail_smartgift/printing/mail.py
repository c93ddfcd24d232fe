"""The mail that brings a buyer their vouchers. It is made here, and sent by the host.

It has the numbers in it and the cards as a PDF, but no link with a number: links in
mails are opened, rewritten and kept by programs on the way.
"""

from datetime import date

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.utils.translation import pgettext

from wagtail_smartgift.printing.cards import balance_url, cards_for, venue_of
from wagtail_smartgift.printing.pdf import can_write_pdf, pdf_of
from wagtail_smartgift.printing.purchases import purchase_of
from wagtail_smartgift.redaction import Secret


_TEMPLATES = "wagtail_smartgift/mail/vouchers"


def mail_for(
    *, reference: str, valid_until: date | None = None
) -> EmailMultiAlternatives | None:
    """Return the mail to the buyer of a sale, in the active language, unsent.

    None while the vouchers are not placed, and where no address is known (any more).
    Its texts are the templates ``wagtail_smartgift/mail/vouchers…``; the PDF is attached
    where there are cards and the extra ``cards`` is installed.
    """
    purchase = purchase_of(reference=reference)
    if purchase is None or not purchase.placed or not purchase.email:
        return None
    cards = cards_for(purchase, valid_until=valid_until)
    has_pdf = can_write_pdf(cards)
    context = {
        "purchase": purchase,
        "cards": cards,
        "venue": venue_of(purchase.site),
        "balance_url": balance_url(purchase.site),
        "has_pdf": has_pdf,
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
    if has_pdf:
        name = pgettext("name of a file, without its ending", "gift-voucher")
        mail.attach(f"{name}.pdf", pdf_of(cards), "application/pdf")
    return mail
