"""Trying whether a site's settings work: asks Smart Gift, and changes nothing.

Three questions at the most, in the lane of the catalogue, so that nobody's payment waits
for them: the catalogue, the payment methods, and what it says of the site number. Where
one answer shows that the others cannot come, they are not asked for. What is read is not
kept: a sync does that.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.models import Site

from wagtail_smartgift import codes, selectors
from wagtail_smartgift.choices import Lane
from wagtail_smartgift.client import (
    CircuitOpen,
    Misrouted,
    NotSent,
    RefusalReason,
    Refused,
    SmartGiftClient,
    SmartGiftError,
    Unauthorised,
)
from wagtail_smartgift.selectors import Shop
from wagtail_smartgift.services import gateway
from wagtail_smartgift.services.timebox import (
    PATIENCE,
    REQUEST_SECONDS,
    TimeBox,
    is_kept_back,
)


class Result(Enum):
    WORKS = "works"
    #: Works, and somebody should look.
    DOUBT = "doubt"
    FAULT = "fault"
    #: Could not be found out now.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """What was asked about, and what Smart Gift says to it."""

    about: str | Promise
    result: Result
    says: str | Promise


def examine(site: Site) -> list[Answer]:
    """Ask Smart Gift about the account, payment method and site number of a site.

    Starts no call later than 15 seconds after it began.
    """
    try:
        shop = selectors.shop_for(site)
    except ImproperlyConfigured:
        return [
            Answer(
                _("Account"),
                Result.FAULT,
                _("The account of this site is not in the settings. Choose another."),
            )
        ]
    return list(_ask(shop))


def _ask(shop: Shop) -> Iterator[Answer]:
    box = TimeBox(seconds=REQUEST_SECONDS, patience=PATIENCE)
    client = gateway.connect(shop.account, patience=PATIENCE)
    questions: tuple[Callable[[Shop, SmartGiftClient], Answer], ...] = (
        _catalogue,
        _payment_method,
        _site_number,
    )
    for question in questions:
        if box.left() <= 0:
            yield _not_asked(_("Smart Gift is slow. Try again in a minute."))
            return
        try:
            yield question(shop, client)
        except SmartGiftError as error:
            answer = _trouble(error, shop)
            yield answer
            if answer.result is not Result.DOUBT:
                return


def _catalogue(shop: Shop, client: SmartGiftClient) -> Answer:
    """The key, the address, and whether there is anything to sell."""
    count = len(client.catalogue(known={}, lane=Lane.CATALOGUE).digests)
    about = _("Products")
    if not count:
        return Answer(
            about,
            Result.DOUBT,
            _("Smart Gift takes the key, and lists no products."),
        )
    return Answer(
        about,
        Result.WORKS,
        ngettext(
            "Smart Gift takes the key, and lists %(count)d product.",
            "Smart Gift takes the key, and lists %(count)d products.",
            count,
        )
        % {"count": count},
    )


def _payment_method(shop: Shop, client: SmartGiftClient) -> Answer:
    methods = {one.id: one.name for one in client.payment_methods(lane=Lane.CATALOGUE)}
    about = _("Payment method")
    if not methods:
        return Answer(
            about, Result.FAULT, _("Smart Gift lists none, so nothing can be sold.")
        )
    chosen = shop.payment_method
    if chosen is None:
        first = next(iter(methods.items()))
        return Answer(
            about,
            Result.WORKS,
            _("None is chosen. Sales are booked under “%(name)s” (%(number)d).")
            % {"name": first[1], "number": first[0]},
        )
    if chosen not in methods:
        listed = ", ".join(f"{name} ({number})" for number, name in methods.items())
        return Answer(
            about,
            Result.FAULT,
            _("Smart Gift has no payment method %(number)d. It lists: %(listed)s.")
            % {"number": chosen, "listed": listed},
        )
    return Answer(
        about,
        Result.WORKS,
        _("Sales are booked under “%(name)s” (%(number)d).")
        % {"name": methods[chosen], "number": chosen},
    )


def _site_number(shop: Shop, client: SmartGiftClient) -> Answer:
    """Ask about a voucher that nobody has: what is refused is the number or the site."""
    about = _("Site number")
    if not shop.site_id:
        return Answer(
            about,
            Result.FAULT,
            _("There is none, here or in the settings. No voucher can be redeemed."),
        )
    values = {"number": shop.site_id}
    try:
        client.check(
            voucher_no=codes.generate_voucher_number(),
            site_id=shop.site_id,
            lane=Lane.CATALOGUE,
        )
    except Refused as error:
        if error.reason is RefusalReason.INVALID_SITE or "site_id" in error.fields:
            return Answer(
                about,
                Result.FAULT,
                _("Smart Gift does not know the site number %(number)s.") % values,
            )
        if error.reason is not RefusalReason.INVALID_VOUCHER:
            return Answer(
                about,
                Result.UNKNOWN,
                _(
                    "Smart Gift refused in words that are not known here, so the site "
                    "number %(number)s could not be tried."
                )
                % values,
            )
    return Answer(
        about,
        Result.WORKS,
        _("Smart Gift has nothing against the site number %(number)s.") % values,
    )


def _not_asked(why: str) -> Answer:
    return Answer(_("The rest"), Result.UNKNOWN, why)


def _trouble(error: SmartGiftError, shop: Shop) -> Answer:
    """Say what is in the way, in words that hold no key."""
    about = _("Connection")
    if isinstance(error, Unauthorised):
        return Answer(
            about,
            Result.FAULT,
            _("Smart Gift does not take the key. Ask your developers to correct it."),
        )
    if isinstance(error, Misrouted):
        return Answer(
            about,
            Result.FAULT,
            _("What answers at this address is not Smart Gift's API."),
        )
    if isinstance(error, CircuitOpen):
        return Answer(
            about,
            Result.FAULT,
            _("Smart Gift has not answered for a while. Try again in a minute."),
        )
    if is_kept_back(error):
        return Answer(
            about,
            Result.UNKNOWN,
            _("Smart Gift is busy with your customers. Try again in a minute."),
        )
    if isinstance(error, NotSent):
        return Answer(
            about,
            Result.FAULT,
            _("Smart Gift cannot be reached from here. Try again in a minute."),
        )
    if isinstance(error, Refused):
        return Answer(about, Result.DOUBT, _("Smart Gift refused to answer this."))
    return Answer(
        about,
        Result.FAULT,
        _("Smart Gift answered nothing that can be read. Try again in a minute."),
    )
