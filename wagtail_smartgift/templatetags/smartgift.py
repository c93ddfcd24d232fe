"""``{% load smartgift %}{% voucher_field session %}``: pay with vouchers, on any page.

``{% voucher_order reference %}`` tells what became of the vouchers that were bought.

The field works without JavaScript; with it, ``voucher-field.js`` sends its forms in
the background. They are forms of its own, so it stands beside the shop's form and not
within it. ``session`` is what ``payments.open_session`` and
``get_session`` return; the page needs the request context processor.

Both write what is one customer's alone: a signed word, numbers, addresses of cards.
Django's cache middlewares do not keep such a page; other caches are told by the host's
``never_cache``, since a tag has no answer to put a header on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from wagtail.models import Site

from wagtail_smartgift import printing, selectors
from wagtail_smartgift import voucher_field as field
from wagtail_smartgift.choices import ProductType, RedemptionStatus, SessionStatus
from wagtail_smartgift.ledger import RedemptionState, Session
from wagtail_smartgift.printing.cards import cards_for


register = template.Library()

#: Covers nothing (any more), so nothing stands beside its number but why.
_GONE = {RedemptionStatus.REFUSED, RedemptionStatus.REVERSED}


@dataclass(frozen=True)
class Row:
    """A voucher of the payment as the field shows it."""

    voucher: RedemptionState
    #: Money that stays on it; None for experiences, and while it is not known.
    left: Decimal | None
    #: ``(bit value, name, chosen)``; empty unless there is something to choose.
    experiences: tuple[tuple[int, str, bool], ...]
    is_gone: bool
    is_experience: bool
    #: Whether the hold lasts, by the clock: nobody may have met it since it ended.
    is_kept: bool
    is_lapsed: bool
    #: Whether its customer may have it kept for longer: it pays something, and is listed
    #: as held or lapsed.
    may_renew: bool


@register.inclusion_tag("wagtail_smartgift/voucher_field.html", takes_context=True)
def voucher_field(
    context: Mapping[str, Any], session: Session, next: str | None = None
) -> dict[str, Any]:
    """Show the vouchers of a payment, and forms to add, change and remove them.

    ``next`` is the address of the page to come back to, this one by default.
    """
    if "request" not in context:
        raise ImproperlyConfigured(
            "{% voucher_field %} needs the request: add the context processor "
            "django.template.context_processors.request, or render with a request."
        )
    request: HttpRequest = context["request"]
    _keep_out_of_cache(request)
    may_change = session.status == SessionStatus.OPEN
    may_add = may_change and session.amount_covered < session.amount_eligible
    return {
        # For csrf_token and for a host's own template.
        "request": request,
        "csrf_token": context.get("csrf_token"),
        "session": session,
        "rows": [_row(voucher, session.now) for voucher in session.redemptions],
        "notice": field.take_notice(request, session.reference),
        "covered": _covered(session),
        "may_change": may_change,
        "may_add": may_add,
        "pause": field.pause_of(session) if may_change else None,
        "token": field.token_for(session.reference),
        "next": next or request.get_full_path(),
        "anchor": field.ANCHOR,
        "words": selectors.words_of(Site.find_for_request(request)),
        "nonce": nonce_of(context, request),
    }


def _covered(session: Session) -> Decimal | None:
    """Return what vouchers pay, or are about to; None where nobody can tell."""
    if session.status == SessionStatus.CONFIRMING:
        # What they have paid so far grows while it is looked at.
        return session.amount_due - session.amount_remaining
    if session.status in {SessionStatus.NEEDS_ATTENTION, SessionStatus.CANCELLED}:
        return None
    return session.amount_covered


def _keep_out_of_cache(request: HttpRequest) -> None:
    # What FetchFromCacheMiddleware tells UpdateCacheMiddleware by. To vary with the
    # cookie is not enough: all visitors without one have the same.
    request._cache_update_cache = False  # type: ignore[attr-defined]


@register.inclusion_tag("wagtail_smartgift/voucher_order.html", takes_context=True)
def voucher_order(
    context: Mapping[str, Any],
    reference: str,
    shows_numbers: bool = True,
    valid_until: date | None = None,
) -> dict[str, Any]:
    """Tell the buyer what became of a sale of vouchers; nothing where there is none.

    Only for a page that knows its visitor to be the buyer, and that nobody caches: it
    has the numbers on it, and addresses that open the cards for an hour. Without
    ``shows_numbers`` it has neither, for staff. A sale that is under way has a link to
    look again where the context has the request.
    """
    request: HttpRequest | None = context.get("request")
    if request is not None:
        _keep_out_of_cache(request)
    purchase = printing.purchase_of(reference=reference)
    if purchase is None:
        return {"purchase": None}
    cards = cards_for(purchase) if shows_numbers else ()
    return {
        "purchase": purchase,
        "address": request.get_full_path() if request is not None else "",
        "shows_numbers": shows_numbers,
        "card_url": (
            printing.card_url(reference=reference, valid_until=valid_until)
            if cards
            else ""
        ),
        "pdf_url": (
            printing.pdf_url(reference=reference, valid_until=valid_until)
            if printing.can_write_pdf(cards)
            else ""
        ),
    }


def nonce_of(context: Mapping[str, Any], request: HttpRequest | None) -> Any:
    """Return a script's nonce, from Django's middleware or django-csp; or None.

    It is lazy: what is never written into a page is not made.
    """
    if "csp_nonce" in context:
        return context["csp_nonce"]
    return getattr(request, "csp_nonce", None)


def _row(voucher: RedemptionState, now: datetime) -> Row:
    is_experience = voucher.type == ProductType.EXPERIENCE
    offered = voucher.experiences_available
    is_held = voucher.status == RedemptionStatus.HELD
    is_over = voucher.held_until is not None and voucher.held_until <= now
    left = None
    if voucher.balance is not None and not is_experience:
        left = voucher.balance - voucher.amount
    return Row(
        voucher=voucher,
        left=left,
        experiences=tuple(
            (bit, name, bit in voucher.experiences)
            for bit, name in (offered if len(offered) > 1 else ())
        ),
        is_gone=voucher.status in _GONE,
        is_experience=is_experience,
        is_kept=is_held and not is_over,
        is_lapsed=voucher.status == RedemptionStatus.LAPSED or (is_held and is_over),
        may_renew=voucher.status in {RedemptionStatus.HELD, RedemptionStatus.LAPSED}
        and voucher.amount > 0,
    )
