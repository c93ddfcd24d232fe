"""Work for the host's task queue (``TASKS``), with bodies that may run any number of times.

Nothing depends on a queue: each task does what the sweep would do later, and pictures
are made when a browser asks for them. A worker that is killed leaves nothing behind that
the sweep does not find in our own rows.
"""

from typing import Any

from django.apps import apps
from django_tasks import task

from wagtail_smartgift.services import (
    delivering,
    forgetting,
    inbox,
    reconciliation,
    renditions,
    sync_runs,
)


@task()
def reconcile() -> dict[str, Any]:
    """Make one pass over all that is due; what ``smartgift_reconcile`` does.

    For hosts that schedule tasks rather than commands. Returns the report.
    """
    return vars(reconciliation.reconcile())


@task()
def prune() -> dict[str, Any]:
    """Forget what is past its days; what ``smartgift_prune`` does. Returns the report."""
    return vars(forgetting.prune())


@task()
def process_inbox_message(message_id: int) -> bool:
    """Work on a message of the shop; returns whether it was left to this task."""
    return inbox.process(message_id)


@task()
def deliver_webhook(delivery_id: int) -> bool:
    """Make one attempt at a webhook that is due; returns whether it was delivered."""
    result = delivering.deliver(delivery_id)
    return result is not None and result.delivered


@task()
def sync_catalogue(run_id: int) -> bool:
    """Read a catalogue that the desk asked for; returns whether it was left to us."""
    return sync_runs.work(run_id)


@task()
def make_renditions(model: str, page_id: int) -> int:
    """Make the pictures of a page that was published; returns how many were missing."""
    page = apps.get_model(model).objects.filter(pk=page_id).first()
    return 0 if page is None else renditions.make_renditions(page).made
