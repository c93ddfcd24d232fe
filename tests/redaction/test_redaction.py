"""No number, token, secret or key is seen where it has no business to be.

``flows.py`` tells what happens, ``watch.py`` looks on; add a flow there for whatever is
new, and it is watched.
"""

import logging
from typing import Any

import pytest

from wagtail_smartgift.sandbox import Behaviour, Experience, Sandbox, SandboxServer
from wagtail_smartgift.services import gateway
from wagtail_smartgift.services.payments import turn

from .flows import FLOWS
from .shop import KEYS, NUMBER, OTHER, TEA, Shop, secrets
from .watch import Leak, Watch


pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.views.checkout_urls")]


@pytest.fixture
def shop(configure: Any, time_machine_now: Any, monkeypatch: Any, settings: Any) -> Any:
    monkeypatch.setattr(turn, "WAIT_FOR_OTHERS", 0)
    sandbox = Sandbox(behaviour=Behaviour(rate_limit=0), api_keys=[KEYS["the API key"]])
    sandbox.add_voucher(NUMBER, balance=50)
    sandbox.add_voucher(OTHER, balance=100)
    sandbox.add_voucher(TEA, experiences=[Experience(1, "Tea"), Experience(2, "Cake")])
    with SandboxServer(sandbox) as server:
        account = {"API_KEY": KEYS["the API key"], "BASE_URL": server.url}
        configure(
            ACCOUNTS={"default": {**account, "SITE_ID": "1"}},
            RATE_LIMIT=0,
            ENCRYPTION_KEYS=[
                KEYS["the encryption key"],
                KEYS["the old encryption key"],
            ],
            FINGERPRINT_KEY=KEYS["the fingerprint key"],
            SERVER_KEYS=[KEYS["the server key"]],
            WEBHOOK_SECRETS=[KEYS["the webhook secret"]],
            EXPERIENCE_VALUE="tests.redaction.shop.worth",
        )

        def pass_time(seconds: float) -> None:
            sandbox.clock.advance(seconds)
            time_machine_now.shift(seconds)

        watch = Watch(secrets())
        yield Shop(sandbox, watch, pass_time, configure)
        gateway.close_all()


@pytest.mark.parametrize("name", sorted(FLOWS))
def test_nothing_leaks(shop: Shop, name: str) -> None:
    with shop.watch.looking_on():
        FLOWS[name](shop)
    shop.know_own_numbers()
    shop.watch.database()

    shop.watch.check()
    # Something was looked at.
    assert shop.watch.seen["frame"] > 20
    assert shop.watch.seen["database"] > 20


# -- the watch itself sees -------------------------------------------------------------------


@pytest.mark.parametrize("how", ["log", "record", "chain", "url", "shape"])
def test_a_leak_is_seen(shop: Shop, how: str) -> None:
    watch = shop.watch
    with watch.looking_on():
        if how == "log":
            logging.getLogger("somebody.else").debug("number %s", NUMBER.lower())
        elif how == "record":
            logging.getLogger("somebody.else").debug("all is well", extra={"x": NUMBER})
        elif how == "chain":
            error = ValueError("all is well")
            error.__cause__ = KeyError(NUMBER)
            watch.exception(error, "a test")
        elif how == "url":
            watch.look("answer:", "/?voucher_no=ZEBRA%2D7Q4X%2D9281%2DAAAA")
        else:
            watch.look("answer:", f"hold_token_{'a' * 24}")
    with pytest.raises(Leak):
        watch.check()
