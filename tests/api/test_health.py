"""``GET health``: what a monitor and a stranger are told."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.utils import timezone

from tests.api.conftest import SERVER_KEY, Api
from wagtail_smartgift import health
from wagtail_smartgift.models import (
    CatalogueSync,
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    VoucherOrder,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue


CHECKS = {
    "settings",
    "database",
    "smartgift",
    "keys",
    "catalogue",
    "sweep",
    "payments",
}


@pytest.fixture
def synced(db, sandbox, capsys):
    call_command("smartgift_sync")


def statuses(answer):
    return {name: check["status"] for name, check in answer.json()["checks"].items()}


def test_all_is_well(anonymous, synced, sandbox):
    calls = len(sandbox.log())

    answer = anonymous.get("health")

    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "checks"}
    assert answer.json()["status"] == "ok"
    assert statuses(answer) == dict.fromkeys(CHECKS, "ok")
    assert answer["Cache-Control"] == "no-store"
    assert len(sandbox.log()) == calls


@pytest.mark.parametrize("token", [None, "wrong", "sgs_wrong"])
def test_counts_are_for_the_server_alone(opened, synced, token):
    checks = Api(token).get("health").json()["checks"]
    assert all(set(check) == {"status"} for check in checks.values())

    checks = Api(SERVER_KEY).get("health").json()["checks"]
    counts = {name: check.get("counts") for name, check in checks.items()}
    assert counts["payments"] == {
        "open": 1,
        "queued_orders": 0,
        "need_attention": 0,
        "failed_messages": 0,
    }
    assert counts["sweep"] == {"overdue": 0, "foreign": 0}
    assert counts["catalogue"]["seconds_since_sync"]["default"] < 60
    assert set(counts["smartgift"]["quota"]["default"]) == {"limit", "used", "left"}


def test_a_customers_secret_counts_nothing(customer, synced):
    checks = customer.get("health").json()["checks"]
    assert checks["payments"] == {"status": "ok"}


def test_a_catalogue_that_was_never_or_long_ago_read_degrades(anonymous, synced):
    old = timezone.now() - timedelta(seconds=health.STALE_CATALOGUE + 1)
    CatalogueSync.objects.update(synced_at=old)
    assert statuses(anonymous.get("health"))["catalogue"] == "degraded"

    CatalogueSync.objects.all().delete()
    answer = anonymous.get("health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"


def test_work_that_nobody_does_degrades(anonymous, opened, synced):
    PaymentSession.objects.update(
        status="confirming",
        next_look_at=timezone.now() - timedelta(seconds=health.OVERDUE + 1),
    )

    answer = anonymous.get("health")

    assert answer.status_code == 200
    assert statuses(answer)["sweep"] == "degraded"


@pytest.mark.parametrize("row", ["session", "order", "event", "message"])
def test_what_another_host_has_to_do_degrades_nothing(
    server, opened, synced, configure, settings, row
):
    """A copy of the production database: its rows are for nobody to work on."""
    long_ago = timezone.now() - timedelta(seconds=health.OVERDUE + 1)
    account = health.get_conf().account("default")
    if row == "session":
        PaymentSession.objects.update(status="confirming", next_look_at=long_ago)
    elif row == "order":
        order = VoucherOrder(
            reference="o", remote_reference="o", status="queued", next_look_at=long_ago
        )
        order.bind_to(account)
        order.save()
    elif row == "event":
        event = OutboxEvent(type="catalogue.synced", next_attempt_at=long_ago)
        event.bind_to(account)
        event.save()
    else:
        message = InboxMessage(
            webhook_id="m",
            type="order.paid",
            status="received",
            next_attempt_at=long_ago,
        )
        message.bind_to(account)
        message.save()
    sweep = server.get("health").json()["checks"]["sweep"]
    assert sweep == {"status": "degraded", "counts": {"overdue": 1, "foreign": 0}}

    mine = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**mine, "API_KEY": "sk_sandbox_staging"}})

    sweep = server.get("health").json()["checks"]["sweep"]
    assert sweep == {"status": "ok", "counts": {"overdue": 0, "foreign": 1}}


def test_smart_gift_out_of_reach_degrades(anonymous, synced, sandbox, configure):
    # The breaker is the quota's, which the tests' sandbox is without.
    configure(RATE_LIMIT=60)
    sandbox.faults.add(Fault(operation="*", mode="status", status=503, times=None))
    for _failure in range(8):
        with pytest.raises(catalogue.CatalogueSyncError):
            catalogue.sync(health.get_conf().account("default"), patience=0)

    answer = anonymous.get("health")

    assert answer.status_code == 200
    assert statuses(answer)["smartgift"] == "degraded"


def test_a_broken_database_is_503(anonymous, monkeypatch):
    def fail():
        raise DatabaseError("gone")

    monkeypatch.setattr(health, "_smart_gift", fail)

    answer = Api(SERVER_KEY).get("health")

    assert answer.status_code == 503
    assert answer.json() == {
        "status": "degraded",
        "checks": {"settings": {"status": "ok"}, "database": {"status": "degraded"}},
    }


@pytest.mark.parametrize("broken", [{"ACCOUNTS": {}}, {"TYPO": 1}])
def test_broken_settings_are_503(configure, db, broken):
    configure(**broken)

    answer = Api(SERVER_KEY).get("health")

    assert answer.status_code == 503
    assert answer.json()["checks"] == {"settings": {"status": "degraded"}}
