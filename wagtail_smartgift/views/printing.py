"""The cards of a sale for its buyer: to print, and as a PDF.

Who has the address is the buyer: it is signed, and a page that knows them made it within
the last hour. What is shown has voucher numbers in it, so nobody keeps it: no cache, and
no address with a number.
"""

from collections.abc import Callable
from functools import wraps

from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.http import content_disposition_header
from django.utils.translation import pgettext

from wagtail_smartgift import printing
from wagtail_smartgift.printing import PrintedCard, PrintingUnavailable, links, qr
from wagtail_smartgift.views.bearing import bears_numbers


Cards = tuple[PrintedCard, ...]
Show = Callable[[HttpRequest, Cards, str], HttpResponse]


def _for_the_buyer(show: Show) -> Callable[[HttpRequest, str], HttpResponse]:
    """Make a view of a function that shows cards: read the address, find them."""

    @bears_numbers(["GET", "HEAD"])
    @wraps(show)
    def view(request: HttpRequest, token: str) -> HttpResponse:
        try:
            reference, valid_until = links.read_token(token)
        except signing.SignatureExpired:
            return _private(_expired(request))
        except signing.BadSignature:
            raise Http404("No card has this address.") from None
        cards = printing.cards_of(reference=reference, valid_until=valid_until)
        if not cards:
            raise Http404("There is no card to print.")
        return _private(show(request, cards, token))

    return view


@_for_the_buyer
def show_cards(request: HttpRequest, cards: Cards, token: str) -> HttpResponse:
    """Show the cards as a page that is made to be printed."""
    return TemplateResponse(
        request,
        "wagtail_smartgift/printed_cards.html",
        {
            "cards": [(card, qr.svg_of(card.link)) for card in cards],
            "token": token if printing.can_write_pdf(cards) else "",
        },
    )


@_for_the_buyer
def download_cards(request: HttpRequest, cards: Cards, token: str) -> HttpResponse:
    """Hand the cards out as a PDF."""
    try:
        pdf = printing.pdf_of(cards)
    except PrintingUnavailable:
        raise Http404("These cards cannot be a PDF here.") from None
    response = HttpResponse(pdf, content_type="application/pdf")
    name = pgettext("name of a file, without its ending", "gift-voucher")
    # Encodes a name that is not ASCII, as a translation of it may be.
    named = content_disposition_header(as_attachment=False, filename=f"{name}.pdf")
    response.headers["Content-Disposition"] = named or "inline"
    return response


def _expired(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(
        request, "wagtail_smartgift/printed_cards_expired.html", status=410
    )


def _private(response: HttpResponse) -> HttpResponse:
    response.headers["X-Robots-Tag"] = "noindex"
    # No other site is told an address that opens the cards for an hour.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
