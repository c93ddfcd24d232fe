from decimal import Decimal

import pytest

from wagtail_smartgift import payments
from wagtail_smartgift.sandbox import Sandbox


def taken(sandbox: Sandbox, number: str) -> Decimal:
    """Read from the sandbox's own books what is redeemed of a voucher, in pounds."""
    pence = sum(
        redemption.pence
        for redemption in sandbox.redemptions(number)
        if redemption.reversed_at is None
    )
    return Decimal(pence) / 100


@pytest.fixture
def session(db, sandbox):
    return payments.open_session(reference="order-1", amount_due="80.00")


@pytest.fixture
def books(sandbox):
    """Return a function: what is redeemed of a voucher, by the sandbox's books."""
    return lambda number: taken(sandbox, number)
