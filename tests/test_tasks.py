"""Work that the host's queue does: the same as the sweep's, and never needed."""

import logging

import pytest
from django.db import transaction
from django_tasks import task_backends

from wagtail_smartgift import tasks
from wagtail_smartgift.services import nudges


def test_a_scheduled_task_sweeps(db):
    result = tasks.reconcile.enqueue()

    assert result.status.name in {"SUCCEEDED", "SUCCESSFUL"}
    assert result.return_value["settled"] == 0


@pytest.mark.django_db(transaction=True)
def test_a_nudge_waits_for_the_commit(settings):
    settings.TASKS = {
        "default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}
    }
    results = task_backends["default"].results

    with transaction.atomic():
        nudges.nudge("deliver_webhook", 1)
        assert results == []
    with transaction.atomic():
        nudges.nudge("deliver_webhook", 2)
        transaction.set_rollback(True)

    assert [(one.task, list(one.args)) for one in results] == [
        (tasks.deliver_webhook, [1])
    ]


@pytest.mark.django_db(transaction=True)
def test_a_queue_that_is_broken_breaks_nothing(settings, caplog):
    settings.TASKS = {"default": {"BACKEND": "nowhere.Backend"}}

    with caplog.at_level(logging.ERROR):
        nudges.nudge("reconcile")

    assert "the sweep does it" in caplog.text


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        ("django_tasks.backends.immediate.ImmediateBackend", True),
        ("django_tasks.backends.dummy.DummyBackend", False),
    ],
)
def test_whether_a_task_runs_in_the_request(settings, backend, expected):
    settings.TASKS = {"default": {"BACKEND": backend}}

    assert nudges.runs_in_the_request() is expected
