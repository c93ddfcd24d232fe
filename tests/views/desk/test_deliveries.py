"""The webhooks' pages in the Wagtail admin, as staff use them."""

import csv
import datetime as dt

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from wagtail.models import ModelLogEntry, Site

from tests import receivers
from wagtail_smartgift import payments
from wagtail_smartgift.models import PaymentSession, WebhookDelivery
from wagtail_smartgift.services import delivering, reconciliation


pytestmark = pytest.mark.django_db

INDEX = reverse("smartgift_deliveries:index")


@pytest.fixture
def delivery(configure, receiver, sandbox):
    """A webhook to an address with secrets in it, that was given up."""
    url = receiver.url.replace("//", "//shop:pa55@") + "?token=t0ken"
    configure(WEBHOOK_ENDPOINTS=[{"url": url, "secret": receivers.SECRET}])
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    receiver.always = receivers.status(410)
    reconciliation.reconcile()
    receiver.always = receivers.status(204)
    return WebhookDelivery.objects.get()


def staff(client, *codenames):
    user = User.objects.create_user("staff", password="password")
    permissions = [
        Permission.objects.get(codename=name) for name in ("access_admin", *codenames)
    ]
    user.user_permissions.set(permissions)
    client.force_login(user)
    return user


def inspect(delivery):
    return reverse("smartgift_deliveries:inspect", args=[delivery.pk])


def replay(delivery):
    return reverse("smartgift_deliveries:replay", args=[delivery.pk])


def test_the_list_and_the_log_tell_all_but_the_secrets(client, delivery):
    staff(client, "view_webhookdelivery")

    for address in (INDEX, inspect(delivery)):
        text = client.get(address).content.decode()
        assert "voucher.held" in text
        assert "order-1" in text
        assert delivery.endpoint in text
        assert "The endpoint is gone for good (410)" in text
        for secret in ("pa55", "t0ken", "whsec_", "GOOD-0050-0001", "0050-0001"):
            assert secret not in text
    assert "Give up" in text
    assert str(delivery.event_id) in text
    assert "Send again" not in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=failed", True),
        ("status=pending", False),
        ("event=voucher.held", True),
        ("event=session.confirmed", False),
        ("problem=gone", True),
        ("problem=timeout", False),
        ("q=order-1", True),
        ("q=order-2", False),
        ("created_at_from=2020-01-01", True),
        ("created_at_to=2020-01-01", False),
        ("ordering=attempts", True),
    ],
)
def test_the_list_is_filtered(client, delivery, query, found):
    staff(client, "view_webhookdelivery")

    results = reverse("smartgift_deliveries:index_results")
    text = client.get(f"{results}?{query}").content.decode()

    assert (inspect(delivery) in text) is found


def test_the_list_is_filtered_by_endpoint(client, delivery):
    staff(client, "view_webhookdelivery")

    page = client.get(INDEX, {"endpoint": delivery.endpoint})
    assert inspect(delivery) in page.content.decode()


def test_the_list_costs_the_same_however_long_it_is(client, delivery):
    staff(client, "view_webhookdelivery")
    client.get(INDEX)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(INDEX)
    for number in range(5):
        reference = f"more-{number}"
        payments.open_session(reference=reference, amount_due="1.00")
        payments.confirm(reference=reference)
    assert WebhookDelivery.objects.count() == 6
    with CaptureQueriesContext(connection) as many:
        client.get(INDEX)

    assert len(many) == len(few)


def test_who_may_sends_it_again(client, delivery, receiver):
    user = staff(client, "replay_webhookdelivery")
    assert "Send again" in client.get(inspect(delivery)).content.decode()
    del receiver.messages[:]

    page = client.post(replay(delivery), follow=True)

    assert "It was delivered." in page.content.decode()
    assert [message.id for message in receiver.messages] == [str(delivery.event_id)]
    delivery.refresh_from_db()
    assert delivery.status == "delivered"
    assert delivery.log.get(operation="replay").actor == "staff"
    entry = ModelLogEntry.objects.get(action=delivering.REPLAY_ACTION)
    assert (entry.user, entry.object_id) == (user, str(delivery.pk))


def test_what_came_of_it_is_said(client, delivery, receiver):
    staff(client, "replay_webhookdelivery")
    receiver.always = receivers.status(500)

    page = client.post(replay(delivery), follow=True)

    assert "It was not delivered: Answered with an error (500)" in page.content.decode()
    delivery.refresh_from_db()
    assert delivery.status == "pending"


def test_what_cannot_be_sent_again_says_why(client, delivery, receiver, configure):
    staff(client, "replay_webhookdelivery")
    del receiver.messages[:]
    configure(WEBHOOK_ENDPOINTS=[])

    page = client.post(replay(delivery), follow=True)

    assert "not in WEBHOOK_ENDPOINTS" in page.content.decode()
    assert receiver.messages == []
    delivery.refresh_from_db()
    assert delivery.status == "failed"


@pytest.mark.parametrize("codenames", [(), ("view_webhookdelivery",)])
def test_who_may_not_send_it_again(client, delivery, receiver, codenames):
    staff(client, *codenames)
    del receiver.messages[:]

    client.post(replay(delivery))
    assert client.get(replay(delivery)).status_code in {302, 405}

    assert receiver.messages == []
    delivery.refresh_from_db()
    assert delivery.status == "failed"
    assert not delivery.log.filter(operation="replay").exists()


def test_who_may_not_look(client, delivery):
    staff(client)

    for address in (INDEX, inspect(delivery)):
        assert client.get(address).status_code == 302
    assert INDEX not in client.get("/admin/").content.decode()


def test_a_form_of_elsewhere_sends_nothing(delivery, receiver, admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    del receiver.messages[:]

    assert client.post(replay(delivery)).status_code == 403
    assert receiver.messages == []


def test_times_are_local_and_to_the_second(client, delivery, settings):
    settings.TIME_ZONE = "Europe/London"
    noon = dt.datetime(2026, 7, 1, 12, 0, 30, tzinfo=dt.timezone.utc)
    WebhookDelivery.objects.update(settled_at=noon)
    staff(client, "view_webhookdelivery")

    text = client.get(inspect(delivery)).content.decode()

    assert "13:00:30" in text
    assert "noon" not in text


def test_the_list_is_exported(client, delivery):
    staff(client, "view_webhookdelivery")

    answer = client.get(INDEX, {"export": "csv"})
    content = b"".join(answer.streaming_content).decode()

    (row,) = csv.DictReader(content.splitlines())
    wanted = {
        "Event": "voucher.held",
        "webhook-id": str(delivery.event_id),
        "About": "order-1",
        "Endpoint": delivery.endpoint,
        "Status": "Given up",
        "Problem": "The endpoint is gone for good (410)",
        "Attempts": "1",
    }
    assert {name: row[name] for name in wanted} == wanted
    assert "t0ken" not in content
    xlsx = client.get(INDEX, {"export": "xlsx"})
    assert b"".join(xlsx.streaming_content).startswith(b"PK")


def test_sites_and_accounts_are_chosen_among_where_there_are_several(client, delivery):
    staff(client, "view_webhookdelivery")
    assert 'name="site"' not in client.get(INDEX).content.decode()
    root = Site.objects.get().root_page
    other = Site.objects.create(hostname="other", port=80, root_page=root)
    PaymentSession.objects.update(site=other)

    assert 'name="site"' in client.get(INDEX).content.decode()
    for site in Site.objects.all():
        page = client.get(INDEX, {"site": site.pk}).content.decode()
        assert (inspect(delivery) in page) is (site == other)


@pytest.mark.slow
def test_ten_thousand_are_listed_and_exported(client, delivery):
    staff(client, "view_webhookdelivery")

    def fill(first, last):
        WebhookDelivery.objects.bulk_create(
            WebhookDelivery(
                event=delivery.event,
                endpoint_digest=f"digest {number}",
                endpoint=delivery.endpoint,
                status="failed",
                problem="timeout",
                settled_at=timezone.now(),
            )
            for number in range(first, last)
        )

    def cost(**query):
        client.get(INDEX, query)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(INDEX, query)
            lines = b"".join(answer).count(b"\r\n") if answer.streaming else 0
        return len(captured), lines

    fill(0, 9)
    (few, _lines), (few_exported, lines) = cost(), cost(export="csv")
    assert lines == 11
    fill(10, 10_000)

    assert cost() == (few, 0)
    assert cost(export="csv") == (few_exported, 10_001)
