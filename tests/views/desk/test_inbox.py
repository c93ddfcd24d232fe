"""Messages of the shop in the admin: who may look, who may replay, what is shown."""

import csv
import datetime as dt

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import ModelLogEntry

from tests.inbox import ORDER, SECRET, Shop, message, timeline
from wagtail_smartgift import payments
from wagtail_smartgift.models import InboxMessage, PaymentSession


INDEX = "smartgift_inbox:index"


@pytest.fixture
def shop(transactional_db, configure, sandbox):
    configure(WEBHOOK_SECRETS=[SECRET])
    return Shop()


@pytest.fixture
def failed(shop):
    """A confirmation that came before its payment was opened."""
    shop.tell("order.confirmed", {"reference": "order-1"})
    payments.open_session(reference="order-1", amount_due="0.00")
    return message()


@pytest.fixture
def staff(transactional_db, django_user_model, client):
    """Return a function that logs somebody in who has these permissions."""

    def log_in(*codenames):
        user = django_user_model.objects.create_user("miller", is_staff=True)
        for codename in ("access_admin", *codenames):
            user.user_permissions.add(
                Permission.objects.get(
                    codename=codename,
                    content_type__app_label__in=["wagtailadmin", "wagtail_smartgift"],
                )
            )
        client.force_login(user)
        return client

    return log_in


LOOK, REPLAY = "view_inboxmessage", "replay_inboxmessage"


def address(name, row):
    return reverse(f"smartgift_inbox:{name}", args=[row.pk])


def text(answer):
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("permissions", "looks", "replays"),
    [((), False, False), ((LOOK,), True, False), ((REPLAY,), True, True)],
)
def test_who_may_do_what(failed, staff, permissions, looks, replays):
    client = staff(*permissions)

    for url in (reverse(INDEX), address("detail", failed)):
        assert (client.get(url).status_code == 200) is looks
    assert (client.get(address("replay", failed)).status_code == 200) is replays
    client.post(address("replay", failed))
    assert message().status == ("processed" if replays else "failed")
    if not replays:
        assert "replayed" not in timeline()


def test_a_stranger_is_sent_to_log_in(failed, client):
    for url in (reverse(INDEX), address("detail", failed), address("replay", failed)):
        assert client.get(url).status_code == 302
    assert client.post(address("replay", failed)).status_code == 302
    assert message().status == "failed"


def test_looking_replays_nothing(failed, staff):
    client = staff(LOOK, REPLAY)

    detail = text(client.get(address("detail", failed)))
    assert address("replay", failed) in detail
    asked = text(client.get(address("replay", failed)))
    assert "Yes, replay it" in asked
    assert "Nothing was found at this address." in asked
    assert message().status == "failed"


def test_a_replay_is_done_and_logged_with_who_did_it(failed, staff):
    client = staff(LOOK, REPLAY)

    answer = client.post(address("replay", failed), follow=True)

    assert "was replayed, and is done" in text(answer)
    assert payments.get_session(reference="order-1").status == "confirmed"
    assert timeline()[-3:] == ["replayed", "begun", "processed"]
    assert "miller" in answer.content.decode()
    entry = ModelLogEntry.objects.get(action="wagtail_smartgift.replay")
    assert (entry.user.get_username(), entry.object_id) == ("miller", str(failed.pk))
    assert entry.message == "Replayed a message of the shop"
    assert address("replay", failed) not in answer.content.decode()


def test_an_old_confirmation_is_replayed_after_a_look_at_its_order(
    shop, staff, sandbox
):
    """Its customer may have paid by card since: their voucher is not to be charged."""
    shop.tell("order.confirmed", {"reference": "order-1"})
    payments.open_session(reference="order-1", amount_due="30.00")
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0100-0001")
    client = staff(REPLAY)
    url = address("replay", message())
    assert "more than a quarter of an hour old" not in text(client.get(url))
    received = dt.datetime.now(tz=dt.timezone.utc) - dt.timedelta(days=20)
    InboxMessage.objects.update(received_at=received)
    assert "more than a quarter of an hour old" in text(client.get(url))

    page = text(client.post(url))

    assert "Look at the order first, and tick this box." in page
    assert message().status == "failed"
    assert "replayed" not in timeline()
    assert payments.get_session(reference="order-1").status == "open"
    client.post(url, {"looked": "on"})
    assert message().status == "processed"
    assert payments.get_session(reference="order-1").amount_redeemed == 30


def test_a_second_replay_is_refused(failed, staff):
    client = staff(LOOK, REPLAY)
    client.post(address("replay", failed))

    answer = client.post(address("replay", failed), follow=True)

    assert "cannot be replayed (any more)" in text(answer)
    assert "cannot be replayed (any more)" in text(
        client.get(address("replay", failed))
    )
    assert timeline().count("replayed") == 1


def test_one_that_fails_again_says_why(shop, staff):
    shop.tell("order.confirmed", {"reference": "nobodys"})
    client = staff(REPLAY)

    answer = client.post(address("replay", message()), follow=True)

    assert "failed again: Nothing was found" in text(answer)


def test_one_that_waits_says_so(failed, staff, settings):
    settings.TASKS = {
        "default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}
    }

    answer = staff(REPLAY).post(address("replay", failed), follow=True)

    assert "is being replayed" in text(answer)
    assert message().status == "received"


def test_it_needs_a_token_against_forgery(failed, staff, client):
    staff(REPLAY)
    client.handler.enforce_csrf_checks = True

    assert client.post(address("replay", failed)).status_code == 403
    assert message().status == "failed"


def test_a_host_with_atomic_requests(failed, staff, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    staff(REPLAY).post(address("replay", failed))

    assert message().status == "processed"


def test_nothing_of_a_customer_is_shown(shop, staff):
    shop.tell("order.paid", {"reference": "order-9", **ORDER})
    shop.tell("order.refunded", {"reference": "order-1"}, webhook_id="msg-2")
    client = staff(LOOK, REPLAY)

    pages = [text(client.get(reverse(INDEX)))]
    for row in InboxMessage.objects.all():
        pages += [text(client.get(address(name, row))) for name in ("detail", "replay")]

    for page in pages:
        for word in ("Smith", "john@example.org", "Mill Lane", "payload", "gAAAA"):
            assert word not in page
    assert "order-9" in pages[0]


def test_the_list_is_filtered_and_searched(shop, staff):
    shop.tell("order.confirmed", {"reference": "nobodys"})
    shop.tell("order.refunded", {"reference": "unknown"}, webhook_id="msg-2")
    shop.tell("customer.moved", {}, webhook_id="msg-3")
    client = staff(LOOK)

    def found(**query):
        page = text(client.get(reverse(INDEX), query))
        return [one for one in ("nobodys", "unknown", "customer.moved") if one in page]

    assert found() == ["nobodys", "unknown", "customer.moved"]
    assert found(status="ignored") == ["customer.moved"]
    assert found(status="failed") == ["nobodys", "unknown"]
    assert found(type="order.refunded") == ["unknown"]
    assert found(status="failed", type="order.confirmed") == ["nobodys"]
    assert "nobodys" in found(q="nobo")
    results = reverse("smartgift_inbox:index_results")
    assert client.get(results, {"q": "msg-2"}).status_code == 200


def test_the_list_costs_the_same_however_long(shop, staff, django_assert_num_queries):
    client = staff(LOOK)
    shop.tell("customer.moved", {}, webhook_id="msg-0")
    client.get(reverse(INDEX))
    with CaptureQueriesContext(connection) as few:
        client.get(reverse(INDEX))
    cost = len(few)
    for number in range(1, 12):
        shop.tell("customer.moved", {}, webhook_id=f"msg-{number}")
    with django_assert_num_queries(cost):
        client.get(reverse(INDEX))


def test_nothing_can_be_added_or_changed(failed, staff, admin_client):
    assert not Permission.objects.filter(
        codename__in=["add_inboxmessage", "change_inboxmessage", "delete_inboxmessage"]
    ).exists()
    page = text(admin_client.get(reverse(INDEX)))
    assert "/add/" not in page.partition("<main")[2]
    groups = admin_client.get("/admin/groups/new/").content.decode()
    assert "Can replay failed messages of the shop" in groups


def test_times_are_local_and_to_the_second(failed, staff, settings):
    settings.TIME_ZONE = "Europe/London"
    noon = dt.datetime(2026, 7, 1, 12, 0, 30, tzinfo=dt.timezone.utc)
    InboxMessage.objects.update(received_at=noon, finished_at=noon)

    page = text(staff(LOOK).get(address("detail", failed)))

    assert page.count(" 13:00:30</time>") == 2
    assert "noon" not in page


def test_the_list_is_exported(failed, staff):
    client = staff(LOOK)

    answer = client.get(reverse(INDEX), {"export": "csv"})
    content = b"".join(answer.streaming_content).decode()

    (row,) = csv.DictReader(content.splitlines())
    wanted = {
        "Event": "Order confirmed",
        "Type": "order.confirmed",
        "Reference": "order-1",
        "Account": "default",
        "Status": "Failed",
        "Reason": "Nothing was found at this address.",
        "webhook-id": failed.webhook_id,
    }
    assert {name: row[name] for name in wanted} == wanted
    xlsx = client.get(reverse(INDEX), {"export": "xlsx"})
    assert b"".join(xlsx.streaming_content).startswith(b"PK")


def test_who_may_see_payments_is_led_to_the_one_it_is_about(failed, staff):
    session = PaymentSession.objects.get()
    payment = reverse("smartgift_payments:detail", args=[session.pk])

    client = staff(LOOK, "view_paymentsession")
    assert payment in text(client.get(address("detail", failed)))

    PaymentSession.objects.update(reference="another")
    assert payment not in text(client.get(address("detail", failed)))


@pytest.mark.slow
def test_ten_thousand_are_listed_and_exported(failed, staff):
    client = staff(LOOK)

    def fill(first, last):
        InboxMessage.objects.bulk_create(
            InboxMessage(
                webhook_id=f"many-{number}",
                type="order.confirmed",
                reference=f"many-{number}",
                status="processed",
                account=failed.account,
                account_base_url=failed.account_base_url,
                account_key_hash=failed.account_key_hash,
            )
            for number in range(first, last)
        )

    def cost(**query):
        client.get(reverse(INDEX), query)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(reverse(INDEX), query)
            lines = b"".join(answer).count(b"\r\n") if answer.streaming else 0
        return len(captured), lines

    fill(0, 9)
    (few, _lines), (few_exported, lines) = cost(), cost(export="csv")
    assert lines == 11
    fill(10, 10_000)

    assert cost() == (few, 0)
    assert cost(export="csv") == (few_exported, 10_001)
