"""``smartgift_doctor``: a line for everything that can be wrong, and never a traceback."""

from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from wagtail.models import Site

from tests.services.test_sales import CUSTOMER
from tests.test_checks import ENDPOINT
from wagtail_smartgift import budget, clock, health, payments, sales
from wagtail_smartgift.choices import OrderStatus, SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    CapabilityRecord,
    CatalogueSync,
    Heartbeat,
    InboxMessage,
    OutboxEvent,
    PaymentSession,
    SmartGiftSettings,
    VoucherOrder,
    WebhookDelivery,
)
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import catalogue, doctor, reconciliation, vault


pytestmark = pytest.mark.django_db

NUMBER = "GOOD-0100-0001"
LONG = "a text that is long enough to be a key of its own"


@pytest.fixture
def healthy(sandbox, configure):
    """An installation that nothing is wrong with."""
    sandbox.behaviour.rate_limit = 60
    configure(
        SERVER_KEYS=[LONG],
        FINGERPRINT_KEY=LONG,
        ADD_TO_BASKET="tests.test_checks.host_basket",
        RATE_LIMIT=60,
    )
    catalogue.sync(get_conf().account("default"))
    reconciliation.reconcile()
    return sandbox


def examine(*options):
    """Return the output's lines, and how it failed ("" if it did not)."""
    out = StringIO()
    failure = ""
    try:
        call_command("smartgift_doctor", *options, stdout=out)
    except CommandError as error:
        failure = str(error)
    text = out.getvalue()
    for secret in ("sk_sandbox", NUMBER, "hold_token_"):
        assert secret not in text + failure
    return text.splitlines(), failure


def lines_about(about, lines, level=None):
    """Return the lines about something, each with its advice."""
    found = []
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        word, _, says = line.strip().partition("  ")
        if says.startswith(f"{about}: ") and level in (None, word):
            assert (word == "ok") is not after.startswith(" " * 9), line
            found.append(
                f"{word} {says} {after.strip() if word != 'ok' else ''}".strip()
            )
    return found


def test_all_is_well(healthy):
    calls = len(healthy.log())

    lines, failure = examine()

    assert failure == ""
    assert lines[-1] == "0 faults, 0 warnings."
    assert all(line.startswith("     ok  ") for line in lines[:-1])
    assert {line[9:].split(":")[0] for line in lines[:-1]} == {
        "settings", "database", "accounts", "catalogue", "sweep", "messages", "events",
        "webhooks", "orders", "people", "personal data", "encryption", "probe", "own numbers", "quota", "Smart Gift", "clock",
        "host clock",
    }  # fmt: skip
    assert len(healthy.log()) == calls + 1


def test_offline_makes_no_call(healthy):
    calls = len(healthy.log())

    lines, failure = examine("--offline")

    assert failure == ""
    assert lines_about("Smart Gift", lines) == lines_about("clock", lines) == []
    assert len(healthy.log()) == calls


# Installation


def test_settings_that_cannot_be_read(settings):
    settings.WAGTAIL_SMARTGIFT = {"ACOUNTS": {}}

    lines, failure = examine()

    [found] = lines_about("settings", lines)
    assert found.startswith("fault")
    assert "ACOUNTS" in found
    assert "(E001)" in found
    assert "the settings cannot be read" in lines_about("the rest", lines)[0]
    assert failure == "1 faults, 1 warnings."


@pytest.mark.parametrize(
    ("ahead", "level", "says"),
    [(40, "fault", "40 seconds ahead of"), (-5, "warning", "5 seconds behind")],
)
def test_a_host_that_does_not_go_by_the_databases_clock(
    healthy, monkeypatch, ahead, level, says
):
    monkeypatch.setattr(clock, "now", lambda: timezone.now() - timedelta(seconds=ahead))

    lines, _failure = examine("--offline")

    [found] = lines_about("host clock", lines, level)
    assert says in found


def test_a_warning_of_the_checks_is_a_warning(healthy, configure):
    configure(DELIVERY_METHODS=[])

    lines, failure = examine("--offline")

    assert "(W003)" in lines_about("settings", lines, "warning")[0]
    assert failure == ""


def test_a_silenced_check_is_silent(healthy, configure, settings):
    configure(DELIVERY_METHODS=[])
    settings.SILENCED_SYSTEM_CHECKS = ["wagtail_smartgift.W003"]

    lines, _failure = examine("--offline")

    assert lines_about("settings", lines, "warning") == []


def test_a_database_that_is_away(healthy, monkeypatch):
    def fail(_self):
        raise OperationalError("could not connect to server: password was hunter2")

    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", fail)

    lines, failure = examine()

    assert "it cannot be used" in lines_about("database", lines, "fault")[0]
    assert "database" in lines_about("the rest", lines)[0]
    assert failure
    assert "hunter2" not in "".join(lines)


def test_migrations_that_are_not_applied(healthy):
    [(app, newest)] = MigrationLoader(connection).graph.leaf_nodes("wagtail_smartgift")
    MigrationRecorder(connection).record_unapplied(app, newest)

    lines, failure = examine()

    [found] = lines_about("database", lines, "fault")
    assert newest in found
    assert "migrate" in found
    assert failure


def test_what_breaks_is_a_finding_and_the_rest_is_looked_at(healthy, monkeypatch):
    def fail():
        raise RuntimeError(NUMBER)

    monkeypatch.setattr(doctor.of_rows.health, "last_sweep", fail)

    lines, failure = examine()

    assert "could not be looked at (RuntimeError)" in lines_about("sweep", lines)[0]
    assert lines_about("Smart Gift", lines, "ok")
    assert failure == "1 faults, 0 warnings."


# Rows


@pytest.mark.parametrize(
    ("changes", "level", "says"),
    [
        ({"synced_at": None}, "fault", "was never read"),
        (
            {"synced_at": timedelta(seconds=health.STALE_CATALOGUE + 9)},
            "fault",
            "6 hours",
        ),
        ({"failed_at": timedelta(seconds=0)}, "warning", "could not be read since"),
    ],
)
def test_a_catalogue_that_is_old(healthy, changes, level, says):
    now = timezone.now()
    CatalogueSync.objects.update(
        **{name: age if age is None else now - age for name, age in changes.items()}
    )

    lines, failure = examine("--offline")

    [found] = lines_about("catalogue", lines, level)
    assert says in found
    assert "smartgift_sync" in found
    assert bool(failure) is (level == "fault")


def test_a_catalogue_of_an_account_that_was_never_read(healthy):
    CatalogueSync.objects.all().delete()

    assert "never" in lines_about("catalogue", examine("--offline")[0], "fault")[0]


def test_a_sweep_that_never_ran(healthy):
    Heartbeat.objects.all().delete()

    lines, failure = examine("--offline")

    [found] = lines_about("sweep", lines, "fault")
    assert "never ran" in found
    assert "smartgift_reconcile" in found
    assert failure == "1 faults, 0 warnings."


@pytest.mark.parametrize(("seconds", "level"), [(290, "ok"), (301, "fault")])
def test_a_sweep_older_than_five_minutes_is_a_fault(healthy, seconds, level):
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=seconds))

    lines, failure = examine("--offline")

    [found] = lines_about("sweep", lines)
    assert found.startswith(level)
    assert bool(failure) is (level == "fault")


def test_each_pass_of_the_sweep_is_noted(healthy):
    Heartbeat.objects.update(at=timezone.now() - timedelta(days=1))

    call_command("smartgift_reconcile", stdout=StringIO())

    [beat] = Heartbeat.objects.all()
    assert (beat.name, str(beat)) == ("sweep", "sweep")
    assert timezone.now() - beat.at < timedelta(minutes=1)


def test_a_pass_that_fails_is_not_noted(healthy, monkeypatch):
    Heartbeat.objects.all().delete()

    def fail(**_options):
        raise OperationalError("gone")

    monkeypatch.setattr(reconciliation.outbox, "dispatch_due", fail)
    with pytest.raises(CommandError):
        call_command("smartgift_reconcile", stdout=StringIO())

    assert not Heartbeat.objects.exists()


def test_work_that_nobody_does(healthy):
    payments.open_session(reference="order-1", amount_due="80.00")
    PaymentSession.objects.update(
        status=SessionStatus.CONFIRMING,
        next_look_at=timezone.now() - timedelta(minutes=6),
    )

    lines, failure = examine("--offline")

    assert "1 payments, orders, events" in lines_about("sweep", lines, "fault")[0]
    assert failure


def test_work_of_another_key_is_no_fault_of_this_sweep(healthy):
    payments.open_session(reference="order-1", amount_due="80.00")
    PaymentSession.objects.update(
        status=SessionStatus.CONFIRMING,
        next_look_at=timezone.now() - timedelta(minutes=6),
        account_key_hash="0" * 32,
    )

    lines, failure = examine("--offline")

    assert lines_about("sweep", lines, "fault") == []
    assert "1 more are due" in "".join(lines_about("sweep", lines, "ok"))
    assert "(W009)" in lines_about("accounts", lines, "warning")[0]
    assert failure == ""


def make_event(**values):
    event = OutboxEvent(type="session.confirmed", **values)
    event.bind_to(get_conf().account("default"))
    event.save()
    return event


def test_messages_of_the_shop_that_failed(healthy):
    message = InboxMessage(
        webhook_id="msg_1",
        type="order.paid",
        status="failed",
        payload_encrypted=vault.seal("{}"),
    )
    message.bind_to(get_conf().account("default"))
    message.save()

    lines, failure = examine("--offline")

    [found] = lines_about("messages", lines, "warning")
    assert "1 of the shop's failed" in found
    assert "smartgift_replay in" in found
    assert failure == ""

    # Another host's, which cannot be replayed here.
    InboxMessage.objects.update(account_key_hash="0" * 32)
    assert lines_about("messages", examine("--offline")[0], "warning") == []


def make_delivery(status, **values):
    settled_at = None if status == "pending" else timezone.now()
    [endpoint] = get_conf().webhook_endpoints
    return WebhookDelivery.objects.create(
        event=make_event(dispatched_at=timezone.now()),
        endpoint_digest=endpoint.digest,
        endpoint=endpoint.label,
        status=status,
        settled_at=settled_at,
        **values,
    )


@pytest.fixture
def endpoint(healthy, configure):
    configure(WEBHOOK_ENDPOINTS=[ENDPOINT])


def test_webhooks_that_were_given_up(endpoint, configure):
    make_delivery("failed")

    lines, failure = examine("--offline")

    [found] = lines_about("webhooks", lines, "warning")
    assert "1 were given up" in found
    assert "smartgift_replay out" in found
    assert failure == ""

    # To an endpoint that is not there any more, nothing can be sent again.
    configure(WEBHOOK_ENDPOINTS=[])
    assert lines_about("webhooks", examine("--offline")[0], "warning") == []


def test_webhooks_that_wait(endpoint):
    now = timezone.now()
    make_delivery("pending", next_attempt_at=now - timedelta(minutes=6))
    make_delivery("pending", next_attempt_at=now + timedelta(hours=1))

    lines, failure = examine("--offline")

    [found] = lines_about("webhooks", lines, "warning")
    assert "1 have been due" in found
    assert failure == ""

    WebhookDelivery.objects.update(next_attempt_at=now)
    lines, _failure = examine("--offline")
    assert "2 are on their way" in lines_about("webhooks", lines, "ok")[0]


def test_events_that_a_receiver_refuses(healthy):
    make_event(attempts=7, next_attempt_at=timezone.now() + timedelta(hours=1))

    lines, failure = examine("--offline")

    assert "1 were tried" in lines_about("events", lines, "warning")[0]
    assert failure == ""


def make_order(**values):
    order = VoucherOrder(
        reference="order-1",
        remote_reference="order-1",
        **{"status": "queued", **values},
    )
    order.bind_to(get_conf().account("default"))
    order.save()
    return order


def test_orders_that_wait_for_long(healthy):
    make_order(created_at=timezone.now() - timedelta(hours=2))

    lines, _failure = examine("--offline")

    assert "1 of 1 queued orders" in lines_about("orders", lines, "warning")[0]


def test_cases_that_wait_for_somebody(healthy):
    payments.open_session(reference="order-1", amount_due="80.00")
    PaymentSession.objects.update(status=SessionStatus.NEEDS_ATTENTION)
    make_order(status=OrderStatus.NEEDS_ATTENTION)

    lines, failure = examine("--offline")

    assert "1 payments and 1 orders" in lines_about("people", lines, "warning")[0]
    # Nothing is wrong with the installation.
    assert failure == ""


def test_rows_of_another_key(healthy, configure, settings):
    payments.open_session(reference="order-1", amount_due="80.00")
    PaymentSession.objects.update(
        status=SessionStatus.CONFIRMING, account_key_hash="0" * 32
    )

    lines, _failure = examine("--offline")

    [found] = lines_about("accounts", lines, "warning")
    assert "(W009)" in found
    assert "0" * 32 in found
    assert "EARLIER_KEY_HASHES" in found


def test_payments_of_another_key(healthy):
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no=NUMBER)
    payments.confirm(reference="order-1")
    reconciliation.reconcile()
    PaymentSession.objects.update(account_key_hash="0" * 32)

    lines, failure = examine("--offline")

    [found] = lines_about("accounts", lines, "warning")
    assert "neither cancelled nor refunded. (W015)" in found
    assert "0" * 32 in found
    assert "EARLIER_KEY_HASHES" in found
    assert failure == ""


def test_rows_of_an_account_that_is_gone(healthy):
    payments.open_session(reference="order-1", amount_due="80.00")
    PaymentSession.objects.update(status=SessionStatus.CONFIRMING, account="spa")

    lines, failure = examine("--offline")

    assert "(E016)" in lines_about("accounts", lines, "fault")[0]
    assert failure


def test_secrets_that_no_key_opens(healthy, configure):
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no=NUMBER)
    assert "all 2 " in lines_about("encryption", examine("--offline")[0], "ok")[0]

    configure(ENCRYPTION_KEYS=[LONG])
    lines, failure = examine("--offline")

    [found] = lines_about("encryption", lines, "fault")
    assert "1 of 1 voucher numbers, 1 of 1 hold tokens" in found
    assert "ENCRYPTION_KEYS" in found
    assert failure


def test_the_oldest_and_the_newest_secrets_are_tried(healthy, monkeypatch):
    """By their age: a random key says nothing of when a row was written."""
    monkeypatch.setattr(doctor.of_rows, "_SAMPLE", 1)
    sealed = vault.seal("a number")
    # In the order of their keys, the one that no key opens stands in the middle.
    texts = {1: (sealed, 2), 2: ("the oldest", 9), 3: (sealed, 1)}
    for number, (text, days) in texts.items():
        event = make_event(
            id=UUID(int=number),
            message_encrypted=text,
            created_at=timezone.now() - timedelta(days=days),
            dispatched_at=timezone.now(),
        )
        assert event.pk

    lines, failure = examine("--offline")

    assert "1 of 2 webhooks" in lines_about("encryption", lines, "fault")[0]
    assert failure


def test_secrets_of_every_kind_are_tried(healthy):
    message = InboxMessage.objects.create(
        webhook_id="msg_1", type="order.paid", status="failed", payload_encrypted="x"
    )
    assert message.payload_encrypted

    lines, failure = examine("--offline")

    [found] = lines_about("encryption", lines, "fault")
    assert "1 of 1 messages of the shop" in found
    assert failure


def record(**answers):
    made = CapabilityRecord(**{"check_while_held": True, **answers})
    made.bind_to(get_conf().account("default"))
    made.save()
    return made


@pytest.fixture
def real(healthy, configure):
    """The same installation at an address that is no sandbox's; ask it offline."""
    account = {"API_KEY": "sk_sandbox", "BASE_URL": "https://gifts.example"}
    configure(ACCOUNTS={"default": {**account, "SITE_ID": "1"}})


@pytest.mark.parametrize(
    ("days_ago", "level", "says"),
    [
        (None, "warning", "never"),
        (89, "ok", "was probed on"),
        (90, "warning", "last on"),
    ],
)
def test_when_it_was_probed(real, days_ago, level, says):
    if days_ago is not None:
        record(probed_at=timezone.now() - timedelta(days=days_ago))

    lines, failure = examine("--offline")

    [found] = lines_about("probe", lines)
    assert found.startswith(level)
    assert says in found
    assert failure == ""


@pytest.mark.parametrize(
    "answers",
    [
        {"check_while_held": False},
        {"second_hold_refused": False},
        {"missing_token_refused": False},
        {"old_token_refused": False},
    ],
)
def test_an_answer_that_alarms(real, answers):
    record(**answers)

    lines, failure = examine("--offline")

    [found] = lines_about("probe", lines, "fault")
    assert "Ask Smart Gift." in found
    assert failure


@pytest.mark.parametrize("key", ["", "of another key"])
def test_pennies_that_a_probe_still_owes(real, key):
    """Whether or not the next run would find them by itself."""
    made = record(owed=[4711, 4712])
    if key:
        CapabilityRecord.objects.filter(pk=made.pk).update(account_key_hash=key)

    lines, failure = examine("--offline")

    [found] = [
        line for line in lines_about("probe", lines, "warning") if "2 pennies" in line
    ]
    assert "4711, 4712" in found
    assert failure == ""


@pytest.mark.parametrize("answer", ["refused", "ignored"])
def test_numbers_of_our_own_that_a_probe_saw_to_be_in_vain(real, answer):
    record(own_codes=answer)

    lines, _failure = examine("--offline")

    [found] = lines_about("own numbers", lines, "warning")
    assert f"has {answer} voucher numbers" in found
    assert "OWN_VOUCHER_CODES" in found


def test_numbers_of_our_own_that_were_refused(healthy):
    healthy.behaviour.own_codes = "refuse"
    catalogue.refresh_payment_methods(get_conf().account("default"))
    sales.place_order(
        reference="order-1",
        items=[{"product": 37, "price": "50.00"}],
        customer=CUSTOMER,
        delivery={"method": "1", "price": "0.00"},
    )

    lines, _failure = examine("--offline")

    [found] = lines_about("own numbers", lines, "warning")
    assert "1 times in 90 days" in found


# Smart Gift


@pytest.mark.parametrize(
    ("fault", "says", "advice"),
    [
        ({"mode": "unauthorised"}, "does not take the key", "API_KEY"),
        ({"mode": "status", "status": 503}, "does not answer", "reach it"),
        ({"mode": "lost_before"}, "does not answer", "reach it"),
        ({"mode": "html"}, "does not answer", "reach it"),
    ],
)
def test_a_smart_gift_that_does_not_do(healthy, fault, says, advice):
    healthy.faults.add(Fault(operation="*", times=None, **fault))

    lines, failure = examine()

    [found] = lines_about("Smart Gift", lines, "fault")
    assert says in found
    assert advice in found
    assert failure == "1 faults, 0 warnings."


@pytest.mark.parametrize("status", ["401", "403", "422"])
def test_a_key_that_is_wrong(healthy, configure, settings, status):
    healthy.behaviour.unauthorised_status = status
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "API_KEY": "sk_wrong"}})

    lines, _failure = examine()

    [found] = lines_about("Smart Gift", lines, "fault")
    assert "does not take the key" in found
    assert "sk_wrong" not in "".join(lines)


def test_an_address_that_is_not_smart_gifts(healthy, configure, settings):
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(
        ACCOUNTS={"default": {**account, "BASE_URL": f"{account['BASE_URL']}/v2"}}
    )

    lines, _failure = examine()

    assert "is not its API" in lines_about("Smart Gift", lines, "fault")[0]


def test_nobody_listens(healthy, configure, settings):
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "BASE_URL": "http://127.0.0.1:9"}})

    lines, failure = examine()

    assert "does not answer" in lines_about("Smart Gift", lines, "fault")[0]
    assert failure


def test_each_site_number_is_asked_for(healthy):
    SmartGiftSettings.objects.create(site=Site.objects.get(), smartgift_site_id="77")

    lines, failure = examine()

    good, bad = lines_about("Smart Gift", lines)
    assert "nothing against site number 1" in good
    assert bad.startswith("fault")
    assert "does not know the site number 77" in bad
    assert failure


def test_an_account_without_a_site_number_is_asked_for_its_key(
    healthy, configure, settings
):
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "SITE_ID": ""}})

    lines, _failure = examine()

    assert lines_about("Smart Gift", lines, "ok")[0].endswith("it takes the key")


def test_others_need_the_quota(healthy):
    healthy.faults.add(Fault(operation="*", mode="rate_limited", seconds=30))
    examine()

    lines, failure = examine()

    assert "was not asked" in lines_about("Smart Gift", lines, "warning")[0]
    assert "wants no more for" in lines_about("quota", lines, "warning")[0]
    assert failure == ""


def test_a_breaker_that_is_open(healthy, sandbox):
    healthy.faults.add(Fault(operation="*", mode="status", status=503, times=None))
    for _failure in range(8):
        with pytest.raises(catalogue.CatalogueSyncError):
            catalogue.sync(get_conf().account("default"), patience=0)
    state = budget.status(get_conf().account("default")).breaker
    assert state is budget.BreakerState.OPEN

    lines, failure = examine("--offline")

    assert "has not answered" in lines_about("quota", lines, "fault")[0]
    assert failure


def test_a_quota_that_is_switched_off(healthy, configure):
    configure(RATE_LIMIT=0)

    assert "switched off" in lines_about("quota", examine()[0], "warning")[0]


@pytest.mark.parametrize(
    ("seconds", "level"),
    [(0, "ok"), (3, "ok"), (-20, "warning"), (20, "warning"), (90, "fault")],
)
def test_clocks_that_differ(healthy, seconds, level):
    # The sweep and the catalogue are as far away as the clock; only that counts here.
    with time_machine.travel(timezone.now() + timedelta(seconds=seconds)):
        lines, _failure = examine()

    [found] = lines_about("clock", lines)
    assert found.startswith(level)
    assert level == "ok" or "NTP" in found
