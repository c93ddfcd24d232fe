from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import count

import pytest
from playwright.sync_api import expect, sync_playwright

from conftest import chromium as path_of_chromium
from tests.example.browser import Windows
from tests.example.shop import Shop, Visitor
from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer


_numbers = count(1)


@pytest.fixture(scope="session")
def smart_gift():
    """One sandbox for all journeys; each has vouchers of its own."""
    with SandboxServer(Sandbox(behaviour=Behaviour(rate_limit=0))) as server:
        yield server


@pytest.fixture(scope="session")
def migrated(tmp_path_factory):
    """A shop with an empty database; migrating is what takes the time here."""
    shop = Shop(tmp_path_factory.mktemp("migrated"), "http://127.0.0.1:9")
    shop.manage("migrate", "--verbosity=0")
    return shop


@pytest.fixture(scope="session")
def filled_shop(migrated, smart_gift, tmp_path_factory):
    """A shop with its example data, not served."""
    shop = Shop(tmp_path_factory.mktemp("mill"), smart_gift.url)
    shop.start_from(migrated)
    shop.printed = shop.manage("load_example_data")
    return shop


@pytest.fixture(scope="session")
def shop(filled_shop):
    with filled_shop.serving() as shop:
        yield shop


@pytest.fixture
def visitor(shop):
    with Visitor(shop) as visitor:
        yield visitor


@pytest.fixture
def sandbox(smart_gift):
    yield smart_gift.sandbox
    smart_gift.sandbox.faults.clear()


@pytest.fixture
def new_voucher(sandbox):
    """Return a function that issues a voucher and returns its number."""

    def issue(balance="50.00", **more):
        number = f"MILL-{next(_numbers):04}"
        sandbox.add_voucher(number, balance=balance, **more)
        return number

    return issue


@pytest.fixture
def end_holds_of(shop):
    """Return a function that lets the holds of an order end soon."""

    def end(reference, seconds, display_code="%"):
        moment = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        shop.execute(
            f"""UPDATE wagtail_smartgift_redemption
            SET held_until = '{moment:%Y-%m-%d %H:%M:%S.%f}'
            WHERE display_code LIKE '{display_code}' AND session_id IN (
              SELECT id FROM wagtail_smartgift_paymentsession
              WHERE reference = '{reference}')"""
        )

    return end


@pytest.fixture
def end_holds_in(end_holds_of, visitor):
    """Return a function that lets the holds of the visitor's order end soon."""

    def end(seconds, display_code="%"):
        end_holds_of(visitor.reference, seconds, display_code)

    return end


@pytest.fixture
def redeemed(sandbox):
    """Return a function: what is redeemed of a voucher, by the sandbox's books."""
    return lambda number: [
        Decimal(redemption.pence) / 100
        for redemption in sandbox.redemptions(number)
        if redemption.reversed_at is None
    ]


@pytest.fixture(scope="module")
def chromium():
    """A browser of the module's own, ended with it.

    pytest-playwright's lives as long as the session, with an event loop that the
    rest of a Django suite stumbles over.
    """
    # A machine under load is no fault of the page's.
    expect.set_options(timeout=20_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path_of_chromium())
        yield browser
        browser.close()


@pytest.fixture
def windows(chromium, shop):
    """Opens windows; what their scripts or their policy complain about is a failure."""
    # One address asks for all of them: what another test got wrong is none of theirs.
    shop.execute("DELETE FROM wagtail_smartgift_guesscounter")
    with Windows(chromium, shop) as windows:
        yield windows
    assert windows.faults == []
