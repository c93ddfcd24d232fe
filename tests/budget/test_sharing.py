"""Processes and threads that share one row, against a server that counts for real."""

import os

import pytest

from tests.benchmarks.quota import figures, measure
from tests.benchmarks.quota_cell import Cell
from wagtail_smartgift import budget
from wagtail_smartgift.client import CallNotAllowed, RateLimited, SmartGiftClient
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import CallBudget
from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer


POSTGRES = os.environ.get("SMARTGIFT_TEST_POSTGRES", "")

DATABASES = [
    "sqlite",
    pytest.param(
        "postgres",
        marks=[
            pytest.mark.postgres,
            pytest.mark.skipif(not POSTGRES, reason="no PostgreSQL server is named"),
        ],
    ),
]


@pytest.fixture
def server():
    behaviour = Behaviour(rate_limit=6, rate_window=2.0)
    with SandboxServer(Sandbox(api_keys=["sk_six"], behaviour=behaviour)) as server:
        yield server


@pytest.fixture
def make_client(server):
    clients = []

    def make(*, patience: float) -> SmartGiftClient:
        account = Account(
            alias="six", base_url=server.url, api_key="sk_six", site_id="1"
        )
        client = SmartGiftClient(
            base_url=server.url,
            api_key="sk_six",
            gate=budget.gate(account, patience=patience),
            observe=budget.observer(account),
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.mark.django_db
def test_the_seventh_call_of_six_is_never_sent(server, make_client):
    client = make_client(patience=0.0)

    for _ in range(6):
        client.payment_methods(lane=0)
    with pytest.raises(CallNotAllowed) as refusal:
        client.payment_methods(lane=0)

    # The sixty of the settings were corrected by the first answer.
    assert CallBudget.objects.get().limit == 6
    assert len(server.sandbox.log()) == 6
    assert refusal.value.retry_after > 1


@pytest.mark.django_db
def test_a_till_that_used_the_window_up_costs_one_refusal(server, make_client):
    client, till = make_client(patience=5.0), make_client(patience=0.0).with_gate(None)
    client.payment_methods(lane=0)
    for _ in range(5):
        till.payment_methods()

    with pytest.raises(RateLimited):
        client.payment_methods(lane=0)
    client.payment_methods(lane=0)

    statuses = [line.status for line in server.sandbox.log()]
    assert statuses == [200] * 6 + [429, 200]


@pytest.mark.slow
@pytest.mark.parametrize("database", DATABASES)
def test_processes_use_the_window_up_without_a_refusal(database):
    # given a shop of two processes with nine threads each, on Django's default database
    # settings, and a key that allows thirty calls a second
    cell = Cell("own", database, processes=2, limit=90, span=3.0, windows=2)

    found = figures(cell, measure(cell, postgres=POSTGRES))

    assert found["refused"] == 0
    assert found["errors"] == 0
    assert found["utilisation"] > 0.5  # a busy machine costs some
    assert found["redemptions"] > 0
