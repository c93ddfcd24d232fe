"""A world to tell money's stories in."""

from collections.abc import Iterator
from typing import Any

import pytest

from wagtail_smartgift import payments
from wagtail_smartgift.sandbox import Sandbox
from wagtail_smartgift.services import payments as verbs

from .world import World, redeemed


@pytest.fixture
def world(
    db: None, sandbox: Sandbox, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Time for both sides, in a database of one's own."""
    configure(EXPERIENCE_VALUE="tests.money.world.worth")
    # A dead worker's claim is not waited for: the clock is ours.
    monkeypatch.setattr(verbs, "WAIT_FOR_OTHERS", 0)
    made = World(sandbox)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def session(world: World) -> Any:
    return payments.open_session(reference="order-1", amount_due="80.00")


@pytest.fixture
def books(sandbox: Sandbox) -> Any:
    """Return a function: what is redeemed of a voucher, by the sandbox's books."""
    return lambda number: redeemed(sandbox, number)
