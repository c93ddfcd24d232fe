"""Reading the catalogue from the admin: at once, by a queue, by the sweep."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import ModelLogEntry

from wagtail_smartgift.models import CatalogueSync, SyncRun, VoucherProduct
from wagtail_smartgift.sandbox import Fault
from wagtail_smartgift.services import reconciliation, sync_runs


pytestmark = pytest.mark.django_db(transaction=True)

SYNC = reverse("smartgift_products:sync")
RESULTS = reverse("smartgift_products:sync_results")
INDEX = reverse("smartgift_products:index")
MAY = "sync_voucherproduct"
QUEUE = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}


def words(answer):
    assert answer.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def press(client, account="default", **options):
    return client.post(SYNC, {"account": account}, **options)


def test_it_is_read_at_once_where_nobody_else_would(transactional_db, sandbox, staff):
    client = staff(MAY)
    assert SYNC in client.get(INDEX).content.decode()
    assert "It was never read." in words(client.get(SYNC))

    page = words(press(client, follow=True))

    assert "default: 10 new, 0 changed, 0 gone, 0 back, 0 unchanged." in page
    assert VoucherProduct.objects.count() == 10
    run = SyncRun.objects.get()
    assert (run.status, run.added, run.actor, run.due_at) == (
        "done",
        10,
        "miller",
        None,
    )
    entry = ModelLogEntry.objects.get()
    assert entry.user.get_username() == "miller"
    assert entry.message == (
        "Read the catalogue: 10 new, 0 changed, 0 gone, 0 back, 0 unchanged"
    )

    page = words(press(client, follow=True))
    assert "default: 0 new, 0 changed, 0 gone, 0 back, 10 unchanged." in page
    assert "miller" in page
    assert "data-smartgift-sync-open" not in client.get(SYNC).content.decode()


@pytest.mark.parametrize(
    ("permissions", "looks", "syncs"),
    [
        (("view_voucherorder",), False, False),
        (("view_voucherproduct",), True, False),
        ((MAY,), True, True),
    ],
)
def test_who_may_do_what(transactional_db, sandbox, staff, permissions, looks, syncs):
    client = staff(*permissions)

    for address in (SYNC, RESULTS):
        assert (client.get(address).status_code == 200) is looks
    if looks:
        assert ("Sync now" in words(client.get(SYNC))) is syncs
    press(client)

    assert VoucherProduct.objects.exists() is syncs
    assert SyncRun.objects.exists() is syncs


def test_a_stranger_and_a_forger_read_nothing(transactional_db, sandbox, client, staff):
    assert "login" in press(client).url
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff(MAY).get(SYNC).wsgi_request.user)

    assert press(strict).status_code == 403
    assert strict.get(SYNC).status_code == 200

    assert not SyncRun.objects.exists()
    assert not VoucherProduct.objects.exists()


def test_a_failure_says_what_to_do(transactional_db, sandbox, staff):
    sandbox.faults.add(Fault("vouchers", "unauthorised"))
    client = staff(MAY)

    page = words(press(client, follow=True))

    assert "default was not read: Smart Gift does not accept the key" in page
    assert SyncRun.objects.get().status == "failed"
    assert ModelLogEntry.objects.get().message.startswith(
        "The catalogue was not read: Smart Gift does not accept the key"
    )
    assert "10 new" in words(press(client, follow=True))


def test_a_failure_is_kept_as_a_word_and_told_as_a_sentence(
    transactional_db, sandbox, staff
):
    """Whoever reads it weeks later may speak another language than the worker."""
    sandbox.faults.add(Fault("vouchers", "unauthorised", times=None))
    client = staff(MAY, "report_paymentsession")
    press(client)

    kept = [
        SyncRun.objects.get().failure,
        CatalogueSync.objects.get().failure,
        ModelLogEntry.objects.get().data["failure"],
    ]
    assert kept == ["unauthorised"] * 3
    for page in (SYNC, reverse("smartgift_reports:health")):
        assert "does not accept the key of the account “default”" in words(
            client.get(page)
        )


def test_a_fault_of_ours_does_not_keep_anybody_waiting(
    transactional_db, sandbox, staff, monkeypatch, caplog
):
    def break_down(*_args, **_values):
        raise ZeroDivisionError

    monkeypatch.setattr(sync_runs.catalogue, "sync", break_down)

    page = words(press(staff(MAY), follow=True))

    assert "The plugin itself failed. The log says why." in page
    assert "ZeroDivisionError" in caplog.text
    assert SyncRun.objects.get().status == "failed"


def test_an_account_that_is_not_there(transactional_db, sandbox, staff):
    client = staff(MAY)

    assert "There is no such account" in words(press(client, "nobody", follow=True))
    assert "There is no such account" in words(client.post(SYNC, follow=True))
    assert not SyncRun.objects.exists()


def test_a_queue_takes_it_and_the_page_shows_how_far_it_is(
    transactional_db, sandbox, staff, settings
):
    settings.TASKS = QUEUE
    client = staff(MAY)

    page = press(client, follow=True)

    assert "default is being read." in words(page)
    assert "It is about to be read." in words(page)
    assert "data-smartgift-sync-open" in page.content.decode()
    # Without JavaScript there is a link.
    assert "Look again" in words(page)
    assert "Sync now" not in words(page)
    assert not VoucherProduct.objects.exists()

    run = SyncRun.objects.get()
    SyncRun.objects.update(status="running", written=500, to_write=2000)
    fragment = client.get(RESULTS)
    assert "500 of 2000 products written." in words(fragment)
    assert '<progress class="smartgift-sync__progress" max="2000" value="500"' in (
        fragment.content.decode()
    )
    assert "<html" not in fragment.content.decode()

    SyncRun.objects.update(status="queued")
    assert sync_runs.work(run.pk)
    fragment = client.get(RESULTS)
    assert "10 new" in words(fragment)
    assert "data-smartgift-sync-open" not in fragment.content.decode()


def test_pressing_twice_reads_once(transactional_db, sandbox, staff, settings):
    settings.TASKS = QUEUE
    client = staff(MAY)

    press(client)
    press(client)

    assert SyncRun.objects.count() == 1


def test_a_host_with_atomic_requests(transactional_db, sandbox, staff, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    press(staff(MAY))

    assert SyncRun.objects.get().status == "done"


def test_the_page_costs_the_same_after_many_runs(transactional_db, sandbox, staff):
    client = staff(MAY)
    press(client)
    client.get(SYNC)
    SyncRun.objects.bulk_create(
        SyncRun(account="default", status="done") for _number in range(60)
    )
    cost = _cost(client)
    SyncRun.objects.bulk_create(
        SyncRun(account="default", status="done") for _number in range(60)
    )
    assert _cost(client) == cost


def _cost(client):
    with CaptureQueriesContext(connection) as captured:
        client.get(SYNC)
    return len(captured)


def test_the_sweep_finds_what_the_queue_lost(
    transactional_db, sandbox, staff, settings, time_machine_now
):
    settings.TASKS = QUEUE
    press(staff(MAY))
    assert reconciliation.reconcile().catalogues == 0

    time_machine_now.shift(timedelta(seconds=sync_runs.HEAD_START + 1))

    assert reconciliation.reconcile().catalogues == 1
    assert SyncRun.objects.get().status == "done"
    assert reconciliation.reconcile().catalogues == 0
