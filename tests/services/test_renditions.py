"""Making pictures before anybody asks: by a worker when a page is published."""

import gc
import logging

import pytest
from django.db import DatabaseError, connection
from django_tasks import task_backends
from django_tasks.backends.dummy import DummyBackend
from PIL import Image
from wagtail.images.models import Rendition

from tests.albums import FORMATS, LAZY, MARKS, PAGE, dress, get, sources
from tests.factories import make_index, make_site
from wagtail_smartgift import tasks
from wagtail_smartgift.services import renditions


pytestmark = MARKS


@pytest.fixture
def index():
    return make_index(make_site())


@pytest.fixture
def worker(settings):
    settings.TASKS = {
        "default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}
    }
    return task_backends["default"]


def test_a_worker_makes_them_when_a_page_is_published(
    client, index, worker, django_capture_on_commit_callbacks
):
    dress(index, 1, 1)
    page = index.get_children().get().specific

    with django_capture_on_commit_callbacks(execute=True):
        page.save_revision().publish()
        index.get_parent().save_revision().publish()  # No page of ours.

    label = "wagtail_smartgift.VoucherPage"
    # Others have the page found by searches.
    [result] = [it for it in worker.results if it.task == tasks.make_renditions]
    assert list(result.args) == [label, page.pk]
    assert not Rendition.objects.exists()
    assert result.task.call(*result.args) == 3 * FORMATS + 1
    assert not any(one.startswith(LAZY) for one in sources(get(client, PAGE)))
    assert tasks.make_renditions.call(label, page.pk) == 0
    page.delete()
    assert tasks.make_renditions.call(label, page.pk) == 0


def test_an_editor_without_a_worker_does_not_wait_for_them(
    index, django_capture_on_commit_callbacks
):
    dress(index, 1, 1)

    with django_capture_on_commit_callbacks(execute=True):
        index.get_children().get().specific.save_revision().publish()

    assert not Rendition.objects.exists()


def test_a_queue_that_is_broken_leaves_them_to_browsers(
    index, settings, caplog, django_capture_on_commit_callbacks
):
    dress(index, 1, 1)
    page = index.get_children().get().specific
    settings.TASKS = {
        "default": {"BACKEND": "tests.services.test_renditions.BrokenBackend"}
    }

    with (
        caplog.at_level(logging.ERROR),
        django_capture_on_commit_callbacks(execute=True),
    ):
        renditions.make_soon(page)

    assert "could not be queued; browsers have its pictures made." in caplog.text


class BrokenBackend(DummyBackend):
    def enqueue(self, *args, **values):
        raise ConnectionError


def test_a_format_that_fails_leaves_the_others(index, monkeypatch, caplog):
    dress(index, 1, 1)
    page = index.get_children().get().specific
    save = Image.SAVE["WEBP"]

    def fail(*args):
        raise RuntimeError("no encoder")

    monkeypatch.setitem(Image.SAVE, "WEBP", fail)
    made = renditions.make_renditions(page)

    assert made == (3 * (FORMATS - 1) + 1, 3)
    image = page.image
    assert (
        f"Image {image.pk} cannot be shown as format-webp|fill-480x320: RuntimeError"
        in caplog.text
    )
    monkeypatch.setitem(Image.SAVE, "WEBP", save)
    assert renditions.make_renditions(page) == (3, 0)


def test_a_database_that_fails_is_no_broken_picture(index):
    dress(index, 1, 1)
    page = index.get_children().get().specific

    def fail(execute, sql, *rest):
        if sql.startswith("INSERT"):
            raise DatabaseError
        return execute(sql, *rest)

    with connection.execute_wrapper(fail), pytest.raises(DatabaseError):
        renditions.make_renditions(page)
    # Django keeps the error, and that the unclosed file, until another error.
    connection.rollback_exc = None
    gc.collect()
