"""Fixtures for everybody: a sandbox over real HTTP, and a shop that uses it."""

import gc
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils import timezone as django_timezone
from django.utils import translation

from tests.receivers import Receiver, running_receiver
from wagtail_smartgift import clock
from wagtail_smartgift.conf import SETTING
from wagtail_smartgift.sandbox import Sandbox
from wagtail_smartgift.services import guessing
from wagtail_smartgift.testing import running_sandbox


@pytest.fixture(autouse=True)
def _settings_as_they_were() -> Iterator[None]:
    """End each test with the settings that it began with.

    A sandbox and ``settings`` that are left in the order in which they were entered put
    the sandbox's settings back for good.
    """
    before = django_settings._wrapped
    yield
    if django_settings._wrapped is not before:
        django_settings._wrapped = before
        setting_changed.send(sender=None, setting=SETTING, value=None, enter=False)


@pytest.fixture(autouse=True)
def _one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the database go by this process's clock, so that a test moves both at once.

    They are one machine's here. Who wants them to differ says so.
    """
    monkeypatch.setattr(clock, "now", lambda: django_timezone.now())


@pytest.fixture(autouse=True)
def _nobodys_language() -> Iterator[None]:
    """End each test in the language of the settings: a request leaves its own behind."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each refused number of a test its wait. Who wants it says so."""
    monkeypatch.setattr(guessing, "REFUSED_AFTER", 0.0)


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """Have a folder for pictures."""
    settings.MEDIA_ROOT = str(tmp_path / "media")
    yield tmp_path / "media"
    gc.collect()


@pytest.fixture
def configure(settings: Any) -> Any:
    """Return a function that changes single settings of ``WAGTAIL_SMARTGIFT``."""

    def change(**values: object) -> None:
        settings.WAGTAIL_SMARTGIFT = {**settings.WAGTAIL_SMARTGIFT, **values}

    return change


@pytest.fixture
def time_machine_now(time_machine: Any) -> Any:
    """Our own clock, to be shifted together with the sandbox's."""
    time_machine.move_to(datetime.now(tz=timezone.utc), tick=True)
    return time_machine


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A Smart Gift of this test's own, without a limit of calls."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody's server that gets webhooks; configure it as an endpoint."""
    with running_receiver() as receiver:
        yield receiver
