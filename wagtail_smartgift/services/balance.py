"""What is on a voucher, for whoever knows its number. One call, nothing is written."""

import logging
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_smartgift.choices import Lane, ProductType
from wagtail_smartgift.client import RefusalReason, Refused, SmartGiftError
from wagtail_smartgift.client import VoucherState as Answer
from wagtail_smartgift.codes import MAX_VOUCHER_NUMBER_LENGTH
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.redaction import Secret
from wagtail_smartgift.selectors import Shop, shop_for
from wagtail_smartgift.services import gateway, guessing, holds, vault
from wagtail_smartgift.services.timebox import PATIENCE, Postponed


logger = logging.getLogger(__name__)

#: Who asks, to the breaker: all look-ups together. A few addresses that ask for a number
#: that Smart Gift stumbles over must not close vouchers for those who pay.
_STRANGERS = "balance look-ups"


@dataclass(frozen=True)
class Balance:
    """What can be redeemed of a voucher here."""

    type: str
    #: Money; None for an experience voucher, which has none.
    amount: Decimal | None
    #: ``(bit_value, name)``.
    experiences: tuple[tuple[int, str], ...]
    #: Until when somebody is paying with it; None if nobody is, or nobody knows.
    held_until: datetime | None


def look_up(*, voucher_no: str, site: Site | None, client: str) -> Balance:
    """Ask Smart Gift what is on a voucher; a held one can be looked at, too.

    ``client`` is who asks: their guesses are counted together.

    Raises:
        PaymentError: ``invalid``, ``throttled``, ``busy``, ``smartgift_unavailable``,
            ``voucher_not_usable`` (the one answer for unknown, foreign, expired,
            empty).
    """
    voucher_no = Secret(voucher_no)
    number = vault.normalise(voucher_no)
    if not number:
        raise PaymentError(
            "invalid", fields={"voucher_no": _("Enter the number on the voucher.")}
        )
    with guessing.look_up_by(client):
        if len(number) > MAX_VOUCHER_NUMBER_LENGTH:
            raise PaymentError("voucher_not_usable")
        return _read(_ask(shop_for(site), number))


def _ask(shop: Shop, number: str) -> Answer:
    connection = gateway.connect(shop.account, patience=PATIENCE, asker=_STRANGERS)
    try:
        state = connection.check(
            voucher_no=number,
            site_id=shop.site_id,
            filters=holds.filters_for(shop.classifications),
            lane=Lane.LOOKUP,
        )
    except Refused as error:
        if error.reason is RefusalReason.INVALID_SITE:
            logger.error(
                "Smart Gift does not know the site number: check the account's SITE_ID."
            )
        raise PaymentError("voucher_not_usable") from None
    except SmartGiftError as error:
        postponed = Postponed.by(error)
        raise PaymentError(postponed.code, retry_after=postponed.retry_after) from None
    return holds.zoned(shop.account, state)


def _read(state: Answer) -> Balance:
    experiences = tuple((item.bit_value, item.name) for item in state.experiences)
    amount = None
    if state.type == ProductType.MONETARY:
        amount = state.remaining_value
        if state.available_to_redeem is not None:
            amount = min(amount, state.available_to_redeem)
        usable = amount > 0
    else:
        usable = state.type == ProductType.EXPERIENCE and bool(experiences)
    if state.sold_out or not usable:
        raise PaymentError("voucher_not_usable")
    return Balance(
        type=state.type,
        amount=amount,
        experiences=experiences if amount is None else (),
        held_until=_still_held_until(state),
    )


def _still_held_until(state: Answer) -> datetime | None:
    until = state.held_until
    # Without an offset it could be any hour: better none than a wrong one.
    if until is None or until.tzinfo is None or until <= timezone.now():
        return None
    return until
