"""Fixtures for everybody: a sandbox over real HTTP, and a shop that uses it."""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from django.conf import settings as django_settings

from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer
from wagtail_smartgift.services import gateway


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
def sandbox_server() -> Iterator[SandboxServer]:
    """A Smart Gift of one's own, without a limit of calls unless a test sets one."""
    with SandboxServer(Sandbox(behaviour=Behaviour(rate_limit=0))) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer, configure: Any) -> Iterator[Sandbox]:
    """The sandbox that the configured account of this test talks to."""
    account = dict(django_settings.WAGTAIL_SMARTGIFT["ACCOUNTS"]["default"])
    configure(
        ACCOUNTS={"default": {**account, "BASE_URL": sandbox_server.url}},
        RATE_LIMIT=0,
    )
    yield sandbox_server.sandbox
    gateway.close_all()
