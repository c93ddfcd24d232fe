"""Runs of the sync: one at a time, by whoever is alive, with a trace."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.interleaving import RunBefore
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import SyncRun, VoucherProduct
from wagtail_smartgift.services import catalogue, sync_failures, sync_runs


pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}


@pytest.fixture
def account(sandbox):
    return get_conf().account("default")


@pytest.fixture
def queued(account, settings):
    """A run that the host's queue has, and does nothing about."""
    settings.TASKS = QUEUE
    return sync_runs.ask(account)


def test_a_run_is_worked_on_once(queued):
    assert sync_runs.work(queued.pk)
    assert not sync_runs.work(queued.pk)

    queued.refresh_from_db()
    assert (queued.status, queued.added, queued.unchanged) == ("done", 10, 0)
    assert queued.began_at <= queued.finished_at
    assert ModelLogEntry.objects.count() == 1


def test_a_run_that_somebody_works_on_is_left_alone(queued):
    SyncRun.objects.update(
        status="running",
        claimed_by="somebody",
        due_at=timezone.now() + timedelta(seconds=60),
    )

    assert not sync_runs.work(queued.pk)
    assert sync_runs.work_on_due() == 0
    assert not VoucherProduct.objects.exists()


def test_the_run_of_a_dead_worker_is_taken_over_and_its_words_are_not_kept(
    queued, monkeypatch
):
    """Whoever was taken for dead, and was not, changes nothing any more."""
    read = catalogue.sync

    def die_meanwhile(account, **values):
        SyncRun.objects.update(due_at=timezone.now() - timedelta(seconds=1))
        monkeypatch.setattr(catalogue, "sync", read)
        assert sync_runs.work_on_due() == 1
        return read(account, **values)

    monkeypatch.setattr(catalogue, "sync", die_meanwhile)
    assert sync_runs.work(queued.pk)

    queued.refresh_from_db()
    # The one who took it over has found them new; to the first nothing was.
    assert (queued.status, queued.added, queued.unchanged) == ("done", 10, 0)
    assert ModelLogEntry.objects.count() == 1


def test_progress_is_written_and_keeps_the_run(queued, monkeypatch):
    seen = []
    monkeypatch.setattr(catalogue, "BATCH", 4)
    finish = sync_runs._finish

    def look(run_id, mine, values):
        run = SyncRun.objects.get()
        seen.append((run.written, run.to_write, run.due_at > timezone.now()))
        finish(run_id, mine, values)

    monkeypatch.setattr(sync_runs, "_finish", look)
    sync_runs.work(queued.pk)

    assert seen == [(10, 10, True)]


def test_whoever_asks_again_joins(queued, account):
    assert sync_runs.ask(account) == queued
    SyncRun.objects.update(status="running")
    assert sync_runs.ask(account) == queued
    assert SyncRun.objects.count() == 1


def test_whoever_asks_again_wakes_what_was_lost(queued, account, settings):
    SyncRun.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    # As it is where there is no worker.
    settings.TASKS = {
        "default": {"BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}
    }

    assert sync_runs.ask(account).status == "done"


def test_an_account_that_is_gone_meanwhile_fails(queued, configure):
    SyncRun.objects.update(account="gone")

    sync_runs.work(queued.pk)

    queued.refresh_from_db()
    assert queued.status == "failed"
    assert queued.failure == "no_account"
    assert "“gone”" in sync_failures.in_words(queued.failure, account="gone")


def test_who_asks_is_never_answered_with_a_run_that_is_over(queued, account):
    """It ends between our being told that one is open and our looking for it."""

    def ends():
        SyncRun.objects.filter(pk=queued.pk).update(
            status="done", finished_at=timezone.now(), due_at=None
        )

    it_ends = RunBefore("SELECT", ends, has='syncrun"."account" = ')
    with connection.execute_wrapper(it_ends):
        found = sync_runs.ask(account)

    assert it_ends.has_run
    assert found.pk != queued.pk
    assert SyncRun.objects.get(pk=found.pk).status == "queued"


def test_old_runs_are_forgotten(account):
    old = timezone.now() - timedelta(days=91)
    SyncRun.objects.create(account="default", status="done", finished_at=old)
    young = SyncRun.objects.create(
        account="default", status="done", finished_at=timezone.now()
    )

    new = sync_runs.ask(account)

    assert set(SyncRun.objects.all()) == {young, new}


def test_a_request_does_not_wait_long_for_its_place(account, monkeypatch):
    waits = []
    read = catalogue.sync

    def note(account, *, patience, **values):
        waits.append(patience)
        return read(account, patience=patience, **values)

    monkeypatch.setattr(catalogue, "sync", note)
    sync_runs.ask(account)

    assert waits == [2.0]
