"""Who covers how much: pure arithmetic over the vouchers of one session."""

from collections.abc import Iterable
from decimal import Decimal

from wagtail_smartgift.choices import COUNTED_REDEMPTION_STATUSES
from wagtail_smartgift.models import PaymentSession, Redemption


ZERO = Decimal("0.00")


def allocate(
    session: PaymentSession, redemptions: Iterable[Redemption]
) -> dict[Redemption, Decimal]:
    """Share out what is due, in the order in which the vouchers were added.

    Each covers the least of its balance, the customer's own limit for it, and what
    the earlier ones leave of the amount that vouchers may pay. The hold has no
    amount, so a changed basket only changes this.
    """
    left = min(session.amount_eligible, session.amount_due)
    shares = {}
    for redemption in sorted(redemptions, key=lambda row: row.position):
        if redemption.status not in COUNTED_REDEMPTION_STATUSES:
            continue
        share = min(redemption.balance or ZERO, left)
        if redemption.amount_limit is not None:
            share = min(share, redemption.amount_limit)
        shares[redemption] = share
        left -= share
    return shares
