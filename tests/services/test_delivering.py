"""Webhooks to receivers over real HTTP, verified with the specification's library."""

import json
import logging
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests import receivers
from tests.factories import make_product
from tests.interleaving import RunAfter
from wagtail_smartgift import payments, sales, signals
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import (
    OutboxEvent,
    WebhookAttempt,
    WebhookDelivery,
)
from wagtail_smartgift.services import (
    catalogue,
    delivering,
    delivery_rounds,
    outbox,
    reconciliation,
    retrying,
)


FIFTY = "GOOD-0050-0001"
REF = "order-1"


@pytest.fixture
def endpoint(configure, receiver):
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])
    return receiver


@pytest.fixture
def told(endpoint, session):
    """A payment that has just been confirmed, and whose webhooks have not been sent."""
    payments.confirm(reference=REF)
    return WebhookDelivery.objects.get()


def sweep():
    return reconciliation.reconcile()


def log(delivery):
    return list(
        delivery.log.values_list("operation", "outcome", "reason", "http_status")
    )


# -- what is sent --------------------------------------------------------------------


def test_what_happened_to_a_payment_is_told_in_order(endpoint, session, sandbox):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)
    payments.refund(reference=REF, amount="50.00")

    report = sweep()

    assert endpoint.wrong == []
    assert endpoint.types == [
        "voucher.held",
        "voucher.redeemed",
        "session.confirmed",
        "voucher.reversed",
        "session.refunded",
    ]
    assert report.webhooks == 5
    assert all(
        set(message.said) == {"type", "timestamp", "data"}
        for message in endpoint.messages
    )
    assert {message.said["data"]["reference"] for message in endpoint.messages} == {REF}
    assert sweep().webhooks == 0
    assert len(endpoint.messages) == 5


def test_the_session_is_the_one_of_the_json_api(told, endpoint, client):
    sweep()

    [message] = endpoint.messages
    answer = client.get(
        f"/smartgift/api/server/payment-sessions/{REF}",
        headers={"Authorization": "Bearer server-key-for-tests"},
    ).json()
    del answer["journal"]
    assert message.said["data"] | {"now": ""} == answer | {"now": ""}
    assert message.said["data"]["amount_due"] == "80.00"
    assert message.said["data"]["now"].endswith("Z")


def test_the_order_is_the_one_of_the_json_api(endpoint, sandbox, db, client):
    catalogue.sync(get_conf().account("default"))
    sales.place_order(
        reference="order-2",
        items=[{"product": 37, "price": "50.00"}],
        customer={
            "first_name": "John",
            "last_name": "Smith",
            "email": "john@example.org",
            "address1": "1 Mill Lane",
            "city": "Bath",
            "postcode": "BA1 1AA",
        },
        delivery={"method": "1", "price": "0.00"},
    )

    sweep()

    by_type = {message.said["type"]: message for message in endpoint.messages}
    answer = client.get(
        "/smartgift/api/server/voucher-orders/order-2",
        headers={"Authorization": "Bearer server-key-for-tests"},
    ).json()
    said = by_type["voucher_order.placed"].said["data"]
    assert said == answer
    # Its number, as the API gives it to a server key; at rest it is encrypted.
    number = said["items"][0]["voucher_no"]
    assert sandbox.voucher(number).balance == 50
    for event in OutboxEvent.objects.values():
        assert number not in repr(event)


def test_nothing_secret_is_in_the_logs(endpoint, sandbox, session, caplog):
    endpoint.always = receivers.status(500)
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    with caplog.at_level(logging.DEBUG):
        sweep()

    assert "was not delivered" in caplog.text
    assert FIFTY not in caplog.text
    assert "whsec_" not in caplog.text
    assert "?token" not in caplog.text


def test_an_address_is_stored_without_what_is_secret(configure, receiver, session):
    url = receiver.url.replace("//", "//shop:pa55@") + "?token=t0ken"
    configure(WEBHOOK_ENDPOINTS=[{"url": url, "secret": receivers.SECRET}])
    payments.confirm(reference=REF)
    sweep()

    assert receiver.messages[0].path == "/hook?token=t0ken"
    for row in WebhookDelivery.objects.values():
        assert "pa55" not in repr(row)
        assert "t0ken" not in repr(row)
    assert WebhookDelivery.objects.get().endpoint == receiver.url


def test_an_endpoint_gets_what_it_asks_for(configure, receiver, session):
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint(events=["session.confirmed"])])
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)

    sweep()

    assert receiver.types == ["session.confirmed"]
    assert WebhookDelivery.objects.count() == 1


def test_a_new_endpoint_gets_no_old_events(configure, receiver, session):
    payments.confirm(reference=REF)
    sweep()
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])

    sweep()
    assert receiver.messages == []

    payments.cancel(reference=REF)
    sweep()
    assert receiver.types == ["session.cancelled"]


def test_the_row_and_the_event_stand_or_fall_together(endpoint, session):
    with transaction.atomic():
        outbox.emit("session.confirmed", session=_row())
        transaction.set_rollback(True)

    assert not OutboxEvent.objects.exists()
    assert not WebhookDelivery.objects.exists()


def _row():
    from wagtail_smartgift.models import PaymentSession

    return PaymentSession.objects.get(reference=REF)


def test_one_address_that_is_listed_twice_breaks_no_payment(
    configure, receiver, session
):
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint(), receiver.as_endpoint()])

    assert payments.confirm(reference=REF).status == "confirmed"

    sweep()
    assert len(receiver.messages) == 1


# -- a repeat is the same message ----------------------------------------------------


def test_a_repeat_has_the_same_id_and_bytes_and_a_new_time(
    time_machine_now, told, endpoint
):
    endpoint.answers = [receivers.status(500)]
    sweep()
    # What has happened since is no part of it.
    payments.cancel(reference=REF)
    time_machine_now.shift(10)
    sweep()

    first, second = (
        message
        for message in endpoint.messages
        if message.said["type"] == "session.confirmed"
    )
    assert endpoint.wrong == []
    assert first.id == second.id == str(told.event_id)
    assert first.body == second.body
    assert first.said["data"]["status"] == "confirmed"
    for name in ("webhook-timestamp", "webhook-signature"):
        assert first.headers[name] != second.headers[name]


def test_two_endpoints_get_the_same_message(configure, receiver, session):
    with receivers.running_receiver() as other:
        configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint(), other.as_endpoint()])
        payments.confirm(reference=REF)
        other.answers = [receivers.hang_up]
        sweep()
        WebhookDelivery.objects.update(next_attempt_at=timezone.now())
        sweep()

        assert len(receiver.messages) == 1
        assert {message.body for message in receiver.messages + other.messages} == {
            receiver.messages[0].body
        }


def test_a_message_whose_key_is_gone_waits_for_it(configure, told, endpoint):
    outbox.dispatch_due()
    configure(ENCRYPTION_KEYS=["another key, and it is long enough to be one"])

    sweep()

    assert endpoint.messages == endpoint.wrong == []
    told.refresh_from_db()
    assert (told.status, told.problem) == ("pending", "unreadable")


# -- what is not an arrival ----------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "problem", "http_status"),
    [
        (receivers.status(500), "status", 500),
        (receivers.status(400), "status", 400),
        (receivers.status(429), "status", 429),
        (receivers.status(302, Location="/elsewhere"), "redirect", 302),
        (receivers.hang_up, "connection", None),
        (receivers.silence(8), "timeout", None),
        (receivers.dribble(8), "timeout", None),
        (receivers.garbage, "connection", None),
    ],
)
def test_only_2xx_is_an_arrival(
    time_machine_now, monkeypatch, told, endpoint, answer, problem, http_status
):
    monkeypatch.setattr(delivering, "TIMEOUT", 1.5)
    endpoint.answers = [answer]

    assert sweep().webhooks == 0

    told.refresh_from_db()
    assert (told.status, told.problem, told.http_status) == (
        "pending",
        problem,
        http_status,
    )
    pause = (told.next_attempt_at - timezone.now()).total_seconds()
    assert 3 < pause <= 5.6
    assert log(told) == [
        ("send", "requested", "", None),
        ("send", "failed", problem, http_status),
    ]
    assert sweep().webhooks == 0

    time_machine_now.shift(6)
    assert sweep().webhooks == 1

    told.refresh_from_db()
    assert (told.status, told.problem, told.attempts) == ("delivered", "", 2)
    assert log(told)[2:] == [
        ("send", "requested", "", None),
        ("send", "succeeded", "", 204),
    ]


def test_an_answer_without_end_is_an_arrival(told, endpoint):
    endpoint.always = receivers.endless
    assert sweep().webhooks == 1


def test_a_receiver_that_is_down_for_hours_gets_everything(
    time_machine_now, endpoint, session
):
    endpoint.always = receivers.status(503)
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)
    for _minute in range(60):
        sweep()
        time_machine_now.shift(300)
    tried = len(endpoint.messages)
    # One that has too much to do is not asked for each event each time.
    assert tried < 20
    endpoint.always = receivers.status(200)
    del endpoint.messages[:]

    for _hour in range(12):
        sweep()
        time_machine_now.shift(3600)

    assert sorted(endpoint.types) == sorted(
        ["voucher.held", "voucher.redeemed", "session.confirmed"]
    )
    assert set(WebhookDelivery.objects.values_list("status", flat=True)) == {
        "delivered"
    }


def test_after_three_days_nobody_tries_any_more(time_machine_now, told, endpoint):
    endpoint.always = receivers.status(500)
    began = timezone.now()
    for _hour in range(120):
        sweep()
        time_machine_now.shift(3600)

    told.refresh_from_db()
    assert (told.status, told.problem, told.http_status) == ("failed", "status", 500)
    assert len(endpoint.messages) == told.attempts == 10
    assert timedelta(hours=72) < told.settled_at - began < timedelta(hours=96)
    assert log(told)[-1] == ("give_up", "succeeded", "status", None)


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("120", 120, 121), ("1", 5, 6), ("9999999", 86400, 86401)],
)
def test_it_is_left_alone_for_as_long_as_it_asks(
    time_machine_now, told, endpoint, asked, least, most
):
    endpoint.answers = [receivers.status(429, retry_after=asked)]
    sweep()

    told.refresh_from_db()
    pause = (told.next_attempt_at - timezone.now()).total_seconds()
    assert least - 3 < pause <= most


def test_an_endpoint_that_is_gone_gets_nothing_more(told, endpoint, session):
    payments.cancel(reference=REF)
    endpoint.always = receivers.status(410)

    sweep()

    # One was asked for; what else waited for it is given up with it.
    assert endpoint.types == ["session.confirmed"]
    assert list(
        WebhookDelivery.objects.values_list("status", "problem", "attempts").order_by(
            "pk"
        )
    ) == [("failed", "gone", 1), ("failed", "gone", 0)]
    assert sweep().webhooks == 0


def test_an_endpoint_that_is_not_configured_any_more(
    time_machine_now, told, endpoint, configure
):
    configure(WEBHOOK_ENDPOINTS=[])
    sweep()
    told.refresh_from_db()
    assert told.status == "pending"

    # Back in time: it was a slip.
    configure(WEBHOOK_ENDPOINTS=[endpoint.as_endpoint()])
    sweep()
    assert len(endpoint.messages) == 1


def test_an_endpoint_that_never_comes_back(time_machine_now, told, endpoint, configure):
    configure(WEBHOOK_ENDPOINTS=[])
    time_machine_now.shift(retrying.PATIENCE + 1)

    sweep()

    told.refresh_from_db()
    assert (told.status, told.problem, told.attempts) == ("failed", "removed", 0)
    assert endpoint.messages == []


def test_a_copy_of_the_database_tells_nobody(told, endpoint, configure, settings):
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "API_KEY": "sk_sandbox_staging"}})

    assert sweep().webhooks == 0
    assert delivering.deliver(told.pk) is None
    with pytest.raises(delivering.NotReplayable):
        delivering.replay(told)

    assert endpoint.messages == []
    told.refresh_from_db()
    assert (told.status, told.attempts) == ("pending", 0)


def test_a_copy_of_the_database_tells_nobody_of_a_catalogue(
    endpoint, configure, settings, sandbox, db
):
    catalogue.sync(get_conf().account("default"))
    account = settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"]
    configure(ACCOUNTS={"default": {**account, "API_KEY": "sk_sandbox_staging"}})

    sweep()

    assert endpoint.messages == []


def test_a_private_address_is_not_called(configure, session, monkeypatch):
    url = "https://10.0.0.1/hook"
    configure(WEBHOOK_ENDPOINTS=[{"url": url, "secret": receivers.SECRET}])
    payments.confirm(reference=REF)

    sweep()

    assert WebhookDelivery.objects.get().problem == "address"


def test_a_secret_that_is_none_stops_nothing_else(configure, session, receiver):
    configure(
        WEBHOOK_ENDPOINTS=[
            {"url": "https://a.example/", "secret": "whsec_"},
            receiver.as_endpoint(),
        ]
    )
    payments.confirm(reference=REF)

    sweep()

    assert len(receiver.messages) == 1
    assert WebhookDelivery.objects.get(status="pending").problem == "secret"


# -- the sweep's time ----------------------------------------------------------------


def make_events(count):
    for _number in range(count):
        outbox.emit("session.confirmed", session=_row())


def test_a_dead_endpoint_costs_one_attempt_of_a_pass(
    configure, receiver, session, monkeypatch
):
    monkeypatch.setattr(delivering, "TIMEOUT", 1.5)
    with receivers.running_receiver() as dead:
        dead.always = receivers.silence(8)
        configure(WEBHOOK_ENDPOINTS=[dead.as_endpoint(), receiver.as_endpoint()])
        make_events(6)

        assert delivery_rounds.deliver_due() == 6

        assert len(receiver.messages) == 6
        assert len(dead.messages) == 1


def test_the_pass_ends_in_time_and_the_next_goes_on(endpoint, session):
    make_events(5)

    assert delivery_rounds.deliver_due(seconds=0) == 0
    assert delivery_rounds.deliver_due() == 5


def test_money_comes_before_other_peoples_servers(endpoint, session, monkeypatch):
    order = []
    for module, name in (
        (reconciliation, "_due"),
        (reconciliation.sales, "advance_due"),
        (outbox, "dispatch_due"),
        (delivery_rounds, "deliver_due"),
    ):
        real = getattr(module, name)

        def noting(*args, _real=real, _name=name, **kwargs):
            order.append(_name)
            return _real(*args, **kwargs)

        monkeypatch.setattr(module, name, noting)

    sweep()

    assert order == ["_due", "advance_due", "dispatch_due", "deliver_due"]


def test_an_error_of_ours_stops_no_other_endpoint(
    configure, receiver, session, monkeypatch, caplog
):
    with receivers.running_receiver() as other:
        configure(WEBHOOK_ENDPOINTS=[other.as_endpoint(), receiver.as_endpoint()])
        make_events(2)
        real = delivering._send

        def stumbling(event, endpoint):
            if endpoint.url == other.url:
                raise RuntimeError("of ours")
            return real(event, endpoint)

        monkeypatch.setattr(delivering, "_send", stumbling)
        with caplog.at_level(logging.ERROR):
            assert delivery_rounds.deliver_due() == 2

    assert len(receiver.messages) == 2
    assert "of ours" in caplog.text


# -- claims --------------------------------------------------------------------------


def test_what_somebody_is_at_is_left_to_them(time_machine_now, told, endpoint):
    assert delivering._claim(told, "somebody")

    assert sweep().webhooks == 0
    assert endpoint.messages == []

    # They died.
    time_machine_now.shift(delivering.CLAIM + 1)
    assert sweep().webhooks == 1


def test_a_worker_whose_claim_ran_out_decides_nothing(time_machine_now, told):
    delivering._claim(told, "slow")
    time_machine_now.shift(delivering.CLAIM + 1)
    delivering._claim(told, "quick")
    failed = delivering.Result(
        delivered=False, problem=delivering.DeliveryProblem.CONNECTION
    )

    delivering._settle(told, "slow", failed, seconds=1)

    told.refresh_from_db()
    assert (told.status, told.claimed_by, told.problem) == ("pending", "quick", "")
    # What it learnt is in the log all the same.
    assert log(told)[-1] == ("send", "failed", "connection", None)


def test_what_arrived_late_has_arrived(time_machine_now, told):
    delivering._claim(told, "slow")
    delivering.give_up([told.pk], delivering.DeliveryProblem.EXPIRED)

    delivering._settle(
        told, "slow", delivering.Result(delivered=True, http_status=200), seconds=1
    )

    told.refresh_from_db()
    assert (told.status, told.problem) == ("delivered", "")


@pytest.mark.django_db(transaction=True)
def test_several_sweeps_deliver_once(configure, receiver, sandbox):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share no memory")
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])
    payments.open_session(reference=REF, amount_due="80.00")
    receiver.always = receivers.silence(0.05)

    def answer(request):
        receivers.silence(0.05)(request)
        receivers.status(204)(request)

    receiver.always = answer
    make_events(8)
    start = threading.Barrier(4)
    failures = []

    def work():
        try:
            start.wait()
            delivery_rounds.deliver_due(seconds=30)
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    ids = [message.id for message in receiver.messages]
    assert len(ids) == len(set(ids)) == 8
    assert WebhookDelivery.objects.filter(status="delivered").count() == 8


# -- the host's queue ----------------------------------------------------------------


QUEUE = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}


@pytest.fixture
def queued(settings):
    """Return what is waiting in the host's queue."""
    from django_tasks import task_backends

    settings.TASKS = QUEUE
    backend = task_backends["default"]
    backend.clear()
    return lambda: [
        (result.task.name, tuple(result.args)) for result in backend.results
    ]


@pytest.mark.django_db(transaction=True)
def test_a_worker_is_asked_for_it_at_once(configure, receiver, sandbox, queued):
    from wagtail_smartgift import tasks

    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])
    payments.open_session(reference=REF, amount_due="80.00")
    payments.confirm(reference=REF)

    delivery = WebhookDelivery.objects.get()
    assert queued() == [("deliver_webhook", (delivery.pk,))]
    assert receiver.messages == []

    assert tasks.deliver_webhook.func(delivery.pk) is True
    assert tasks.deliver_webhook.func(delivery.pk) is False

    assert receiver.types == ["session.confirmed"]


@pytest.mark.django_db(transaction=True)
def test_no_customer_waits_for_somebodys_server(configure, receiver, sandbox):
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])
    payments.open_session(reference=REF, amount_due="80.00")
    payments.confirm(reference=REF)

    assert receiver.messages == []
    # Written while it is new, though it is sent by the sweep.
    assert OutboxEvent.objects.get().message_encrypted

    assert sweep().webhooks == 1


@pytest.mark.django_db(transaction=True)
def test_a_message_that_cannot_be_written_breaks_no_payment_and_no_signal(
    configure, receiver, sandbox, monkeypatch, caplog
):
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])
    payments.open_session(reference=REF, amount_due="80.00")
    heard = []

    def hear(event, **kwargs):
        heard.append(event)

    signals.session_confirmed.connect(hear)

    def broken(*args):
        raise RuntimeError("no key")

    monkeypatch.setattr("wagtail_smartgift.services.messages.write", broken)
    try:
        with caplog.at_level(logging.ERROR):
            assert payments.confirm(reference=REF).status == "confirmed"
    finally:
        signals.session_confirmed.disconnect(hear)

    assert heard == ["session.confirmed"]
    assert "left to the sweep" in caplog.text
    monkeypatch.undo()
    assert sweep().webhooks == 1


def test_an_event_that_cannot_be_described_stops_no_other(session, heard, caplog):
    make_events(2)
    first = OutboxEvent.objects.order_by("created_at").first()
    OutboxEvent.objects.filter(pk=first.pk).update(
        session=None, type="catalogue.synced"
    )

    with caplog.at_level(logging.ERROR):
        assert outbox.dispatch_due() == 1

    first.refresh_from_db()
    assert first.dispatched_at is None
    assert first.next_attempt_at > timezone.now()


# -- again ---------------------------------------------------------------------------


def test_a_delivery_that_was_given_up_is_sent_again(told, endpoint, admin_user):
    delivering.give_up([told.pk], delivering.DeliveryProblem.EXPIRED)

    delivering.replay(told, user=admin_user)
    assert sweep().webhooks == 1

    told.refresh_from_db()
    assert (told.status, told.tries, told.attempts) == ("delivered", 1, 1)
    assert log(told) == [
        ("give_up", "succeeded", "expired", None),
        ("replay", "requested", "", None),
        ("send", "requested", "", None),
        ("send", "succeeded", "", 204),
    ]
    assert told.log.get(operation="replay").actor == "admin"


def test_a_delivery_that_arrived_is_sent_again_as_the_same_message(told, endpoint):
    sweep()
    delivering.replay(told)
    sweep()

    first, second = endpoint.messages
    assert (first.id, first.body) == (second.id, second.body)


def test_what_has_no_endpoint_is_not_sent_again(told, configure):
    configure(WEBHOOK_ENDPOINTS=[])

    with pytest.raises(delivering.NotReplayable, match="WEBHOOK_ENDPOINTS"):
        delivering.replay(told)

    assert log(told) == []


def test_the_log_is_append_only(told):
    sweep()
    line = WebhookAttempt.objects.first()
    with pytest.raises(TypeError):
        line.save()
    with pytest.raises(TypeError):
        WebhookAttempt.objects.all().delete()


# -- forgetting ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "days", "kept"),
    [
        ("delivered", 29, True),
        ("delivered", 31, False),
        ("failed", 31, True),
        ("failed", 89, True),
        ("failed", 91, False),
    ],
)
def test_how_long_it_is_kept(time_machine_now, told, endpoint, status, days, kept):
    sweep()
    WebhookDelivery.objects.update(status=status)
    time_machine_now.shift(days * 86400)

    sweep()

    assert OutboxEvent.objects.exists() is kept
    assert WebhookDelivery.objects.exists() is kept
    assert WebhookAttempt.objects.exists() is kept


def test_what_is_not_told_yet_is_kept(time_machine_now, told, endpoint, configure):
    endpoint.always = receivers.status(500)
    OutboxEvent.objects.update(dispatched_at=timezone.now())
    WebhookDelivery.objects.update(began_at=timezone.now() + timedelta(days=200))
    time_machine_now.shift(100 * 86400)

    delivery_rounds.prune()

    assert OutboxEvent.objects.count() == 1


def test_what_is_sent_again_while_it_is_forgotten_stays(
    time_machine_now, told, endpoint
):
    """Somebody presses the button between the sweep's look and its deleting."""
    sweep()
    WebhookDelivery.objects.update(status="failed")
    time_machine_now.shift(91 * 86400)
    pressed = RunAfter(
        f'SELECT "{OutboxEvent._meta.db_table}".', lambda: delivering.replay(told)
    )

    with connection.execute_wrapper(pressed):
        delivery_rounds.prune()

    assert pressed.has_run
    assert WebhookDelivery.objects.get().status == "pending"
    assert log(told)[-1][0] == "replay"


def test_what_was_forgotten_meanwhile_is_not_sent_again(told):
    row = WebhookDelivery.objects.select_related("event").get(pk=told.pk)
    OutboxEvent.objects.all().delete()

    with pytest.raises(delivering.NotReplayable):
        delivering.replay(row)

    assert not WebhookAttempt.objects.exists()


def test_an_event_without_endpoints_is_forgotten_too(time_machine_now, session):
    payments.confirm(reference=REF)
    sweep()
    time_machine_now.shift(31 * 86400)

    sweep()

    assert not OutboxEvent.objects.exists()


# -- the catalogue -------------------------------------------------------------------


def test_a_sync_tells_what_is_new(endpoint, sandbox, db):
    account = get_conf().account("default")
    catalogue.sync(account)
    catalogue.sync(account)  # Nothing new, nothing to tell.
    sandbox.remove_product(37)
    catalogue.sync(account)
    sweep()

    first, second = (message.said for message in endpoint.messages)
    assert first["type"] == second["type"] == "catalogue.synced"
    counts = ("added", "changed", "gone", "returned")
    assert [first["data"][name] for name in counts] == [10, 0, 0, 0]
    assert [second["data"][name] for name in counts] == [0, 0, 1, 0]
    assert first["data"]["account"] == "default"
    assert first["data"]["synced_at"].endswith("Z")


def test_a_signal_tells_what_is_new(sandbox, db):
    heard = []

    def hear(data, event, **kwargs):
        heard.append((event, data))

    signals.catalogue_synced.connect(hear)
    try:
        catalogue.sync(get_conf().account("default"))
        sweep()
    finally:
        signals.catalogue_synced.disconnect(hear)

    [(event, news)] = heard
    assert event == "catalogue.synced"
    assert (news.account, news.added, news.gone) == ("default", 10, 0)
    assert news.synced_at.tzinfo is not None


def test_what_an_interrupted_sync_has_written_is_told_by_the_next(
    endpoint, sandbox, db, monkeypatch
):
    account = get_conf().account("default")

    def die(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(catalogue, "_finish", die)
        with pytest.raises(KeyboardInterrupt):
            catalogue.sync(account)
    assert not OutboxEvent.objects.exists()

    assert catalogue.sync(account).added == 0

    sweep()
    assert endpoint.types == ["catalogue.synced"]


def test_a_sync_that_fails_tells_nothing(endpoint, sandbox, db):
    make_product(99)
    for product in sandbox.products():
        sandbox.remove_product(product.id)

    with pytest.raises(catalogue.CatalogueSyncError):
        catalogue.sync(get_conf().account("default"))

    assert not OutboxEvent.objects.exists()


def test_bodies_are_ascii_json(told, endpoint):
    sweep()
    body = endpoint.messages[0].body
    assert body.isascii()
    assert json.loads(body) == endpoint.messages[0].said


# -- several at once -------------------------------------------------------------------


def test_an_endpoint_that_rests_keeps_no_other_hosts_deliveries_waiting(
    endpoint, session
):
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)
    first, foreign, *_others = WebhookDelivery.objects.order_by("pk")
    OutboxEvent.objects.filter(pk=foreign.event_id).update(account_key_hash="another")
    endpoint.always = receivers.status(503)

    assert delivering.deliver(first.pk).rests

    before = foreign.next_attempt_at
    foreign.refresh_from_db()
    assert foreign.next_attempt_at == before
    assert not WebhookDelivery.objects.exclude(pk=foreign.pk).filter(
        status="pending", next_attempt_at__lte=timezone.now()
    )


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_that_fail_at_one_endpoint_do_not_hold_each_other_up(
    endpoint, transactional_db, sandbox, monkeypatch
):
    payments.open_session(reference=REF, amount_due="80.00")
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)
    endpoint.always = receivers.status(503)
    both = threading.Barrier(2)
    rest_after = retrying.rest_after

    def meet(*about):
        # Where both know that the endpoint is to be left alone.
        both.wait(10)
        return rest_after(*about)

    monkeypatch.setattr(retrying, "rest_after", meet)
    came_of_it = {}

    def fail(pk):
        try:
            came_of_it[pk] = delivering.deliver(pk)
        finally:
            connection.close()

    pks = list(WebhookDelivery.objects.order_by("pk").values_list("pk", flat=True))[:2]
    threads = [threading.Thread(target=fail, args=(pk,)) for pk in pks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [came_of_it[pk].rests for pk in pks] == [True, True]
    for row in WebhookDelivery.objects.filter(pk__in=pks):
        assert log(row)[-1][1] == "failed"
        assert row.claimed_by == ""


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_who_fails_waits_for_no_row_that_somebody_else_has_locked(
    endpoint, transactional_db, sandbox
):
    payments.open_session(reference=REF, amount_due="80.00")
    payments.add_voucher(reference=REF, voucher_no=FIFTY)
    payments.confirm(reference=REF)
    endpoint.always = receivers.status(503)
    failing, locked, *free = WebhookDelivery.objects.order_by("pk")
    assert free
    came_of_it = []

    def fail():
        try:
            came_of_it.append(delivering.deliver(failing.pk))
        finally:
            connection.close()

    thread = threading.Thread(target=fail)
    with transaction.atomic():
        WebhookDelivery.objects.filter(pk=locked.pk).update(claimed_by="")
        thread.start()
        thread.join(10)
        assert [result.rests for result in came_of_it] == [True]

    now = timezone.now()
    locked.refresh_from_db()
    assert locked.next_attempt_at <= now
    assert not WebhookDelivery.objects.exclude(pk=locked.pk).filter(
        status="pending", next_attempt_at__lte=now
    )
