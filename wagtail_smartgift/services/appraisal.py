"""What a voucher is worth to this shop, from what ``check`` said under our hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.client import VoucherState
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.money import MAX_AMOUNT, PENNY


class Unusable(Exception):
    """This voucher pays nothing here. Customers are never told why."""


class UnknownExperience(ValueError):
    """A chosen experience is not among those that may be redeemed here."""


@dataclass(frozen=True)
class Appraisal:
    type: ProductType
    #: Money that it can cover here.
    balance: Decimal
    #: ``remaining_value``: money, or the bit sum of an experience voucher.
    baseline: Decimal
    experiences_available: list[dict[str, object]]
    #: Chosen bit values; empty for a monetary voucher.
    experiences: list[int]


def appraise(
    session: PaymentSession, state: VoucherState, *, chosen: Sequence[int] | None = None
) -> Appraisal:
    """Value a voucher for a session.

    ``bit_value`` is a flag and not money, so experiences are worth what the host's
    ``EXPERIENCE_VALUE`` says of the chosen ones, and nothing without it.

    Raises:
        Unusable: nothing of it can be used here.
        UnknownExperience: one of ``chosen`` is not on it.
    """
    if state.type == ProductType.MONETARY:
        return _monetary(state)
    if state.type == ProductType.EXPERIENCE:
        return _experience(session, state, chosen)
    raise Unusable


def _monetary(state: VoucherState) -> Appraisal:
    balance = state.remaining_value
    if state.available_to_redeem is not None:
        balance = min(balance, state.available_to_redeem)
    if state.sold_out or balance <= 0:
        raise Unusable
    return Appraisal(
        type=ProductType.MONETARY,
        balance=balance,
        baseline=state.remaining_value,
        experiences_available=[],
        experiences=[],
    )


def _experience(
    session: PaymentSession, state: VoucherState, chosen: Sequence[int] | None
) -> Appraisal:
    value_of = get_conf().hook("experience_value")
    offered = [experience.bit_value for experience in state.experiences]
    if value_of is None or state.sold_out or not offered:
        raise Unusable
    selected = sorted(set(offered if chosen is None else chosen))
    if not selected or not set(selected) <= set(offered):
        raise UnknownExperience
    worth = value_of(session, state, selected)
    # More than an amount can be is a mistake of the hook's, and no database keeps it.
    if worth is None or not 0 < worth <= MAX_AMOUNT:
        raise Unusable
    return Appraisal(
        type=ProductType.EXPERIENCE,
        balance=Decimal(worth).quantize(PENNY),
        baseline=state.remaining_value,
        experiences_available=[
            {"bit_value": experience.bit_value, "name": experience.name}
            for experience in state.experiences
        ],
        experiences=selected,
    )
