from decimal import Decimal

import pytest

from wagtail_smartgift import payments
from wagtail_smartgift.sandbox import Sandbox
from wagtail_smartgift.signals import SIGNALS


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


@pytest.fixture
def heard():
    """A host that listens to every signal: the events that it was told, in order."""
    told = []

    def listen(event, **kwargs):
        told.append(event)

    for signal in SIGNALS.values():
        signal.connect(listen)
    yield told
    for signal in SIGNALS.values():
        signal.disconnect(listen)
