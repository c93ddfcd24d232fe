"""A world to tell money's stories in."""

from collections.abc import Iterator
from typing import Any

import pytest

from wagtail_smartgift import payments
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer
from wagtail_smartgift.services import catalogue
from wagtail_smartgift.services.payments import turn

from .databases import temporary_postgres
from .nursery import Nursery
from .world import World, redeemed


@pytest.fixture
def world(
    db: None, sandbox: Sandbox, configure: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """Time for both sides, in a database of one's own."""
    configure(EXPERIENCE_VALUE="tests.money.world.worth")
    # A dead worker's claim is not waited for: the clock is ours.
    monkeypatch.setattr(turn, "WAIT_FOR_OTHERS", 0)
    made = World(sandbox)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def session(world: World) -> Any:
    return payments.open_session(reference="order-1", amount_due="80.00")


@pytest.fixture
def shop(world: World, sandbox: Sandbox) -> Sandbox:
    """A Smart Gift whose catalogue and payment methods are known here."""
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.refresh_payment_methods(account)
    return sandbox


@pytest.fixture
def books(sandbox: Sandbox) -> Any:
    """Return a function: what is redeemed of a voucher, by the sandbox's books."""
    return lambda number: redeemed(sandbox, number)


def _databases() -> list[Any]:
    postgres = pytest.param("postgres", marks=pytest.mark.postgres)
    return ["sqlite", postgres]


@pytest.fixture(scope="package", params=_databases())
def nursery(request: Any, tmp_path_factory: Any) -> Iterator[Nursery]:
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("nursery") / "shop.sqlite3"
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
        made = Nursery(database)
        yield made
        made.close()
        return
    with temporary_postgres() as database:
        made = Nursery(database)
        yield made
        made.close()


@pytest.fixture
def smart_gift() -> Iterator[SandboxServer]:
    behaviour = Behaviour(rate_limit=0)
    with SandboxServer(Sandbox(behaviour=behaviour)) as server:
        yield server
