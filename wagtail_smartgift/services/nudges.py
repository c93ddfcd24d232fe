"""Asking for work in the background soon, where the host has somebody to do it.

A nudge only saves time. What it asks for is due in our own rows as well, so the sweep
does it when the nudge is lost, its worker dies, or the queue is full of others. Pictures
are no rows: a browser has those made that no worker has.
"""

import logging
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.module_loading import import_string
from django_tasks import task_backends


logger = logging.getLogger(__name__)


def runs_in_the_request() -> bool:
    """Tell whether the host has no worker: a task runs where it is asked for.

    That is Wagtail's default. A customer must not wait then for what is only told to
    others, so that is left to the sweep.
    """
    # By name: Django 6 and django-tasks each have one of their own.
    backend = type(task_backends["default"])
    return any(kind.__name__ == "ImmediateBackend" for kind in backend.__mro__)


def nudge(task: str, *args: Any, otherwise: str = "the sweep does it") -> None:
    """Have a task of ``wagtail_smartgift.tasks`` run after the commit.

    Tasks are a door above the services, so they are named and not imported.
    ``otherwise`` tells the log what becomes of the work when it cannot be queued.
    """
    transaction.on_commit(partial(_enqueue, task, args, otherwise), robust=True)


def _enqueue(task: str, args: tuple[Any, ...], otherwise: str) -> None:
    try:
        import_string(f"wagtail_smartgift.tasks.{task}").enqueue(*args)
    except Exception:
        # The queue is the host's, whatever it raises, and nothing depends on it.
        logger.exception("%s could not be queued; %s.", task, otherwise)
