"""Reading a catalogue because somebody at the desk asked for it.

A run is a row before anything is done about it. The host's queue works on it where
there is one, the request itself where tasks run at once, and the sweep takes on what
either has lost. ``catalogue`` does the reading; this module owns the row.
"""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from wagtail.log_actions import log

from wagtail_smartgift.choices import SyncStatus
from wagtail_smartgift.conf import Account, get_conf
from wagtail_smartgift.models import SyncRun
from wagtail_smartgift.models.sync_runs import OPEN_SYNC_STATUSES
from wagtail_smartgift.services import catalogue, nudges
from wagtail_smartgift.services.sync_failures import SyncFailure
from wagtail_smartgift.services.timebox import TimeBox


logger = logging.getLogger(__name__)

S = SyncStatus
#: Name of a finished run in Wagtail's log.
SYNC_ACTION = "wagtail_smartgift.sync"
#: Seconds that the queue has to begin a run before the sweep does.
HEAD_START = 60
#: Seconds without a sign of progress after which whoever reads is taken for dead: a
#: worker may wait for its place in the quota, then for the answer.
CLAIM = 300
#: How often runs may begin and end between two looks, before that is a fault.
_ATTEMPTS = 5
#: How long runs are kept.
KEEP = timedelta(days=90)
#: The columns of what a run came to.
COUNTS = ("added", "changed", "unchanged", "gone", "returned")


def ask(account: Account, *, user: Any = None) -> SyncRun:
    """Have an account's catalogue read soon; joins a run that is not over yet.

    Where the host has no worker it is read here, and the run that comes back is over.
    """
    now = timezone.now()
    SyncRun.objects.filter(finished_at__lt=now - KEEP).delete()
    run = _begin(account, user, now)
    if run is None:
        run = _join(account, user, now)
        if not _takeable(now).filter(pk=run.pk, due_at__lte=now).exists():
            return run
    nudges.nudge("sync_catalogue", run.pk)
    run.refresh_from_db()
    return run


def _begin(account: Account, user: Any, now: datetime) -> SyncRun | None:
    """Write a run down; None where one is open."""
    try:
        with transaction.atomic(durable=True):
            return SyncRun.objects.create(
                account=account.alias,
                user=user,
                actor=user.get_username()[:150] if user else "",
                asked_at=now,
                due_at=now + timedelta(seconds=HEAD_START),
            )
    except IntegrityError:
        return None


def _join(account: Account, user: Any, now: datetime) -> SyncRun:
    """Return the run that is open; or begin one, where it has ended this very moment.

    What a run has read that was over is older than the wish for another.

    Raises:
        IntegrityError: none is open, and none can be begun: another fault than that.
    """
    open_runs = SyncRun.objects.filter(
        account=account.alias, status__in=OPEN_SYNC_STATUSES
    )
    for _attempt in range(_ATTEMPTS):
        run = open_runs.first() or _begin(account, user, now)
        if run is not None:
            return run
    raise IntegrityError(f"No sync of {account.alias} can be begun or joined.")


def work(run_id: int) -> bool:
    """Read the catalogue that a run asks for; returns whether it was left to us."""
    now = timezone.now()
    worker = str(uuid.uuid4())
    mine = SyncRun.objects.filter(pk=run_id, status=S.RUNNING, claimed_by=worker)
    with transaction.atomic(durable=True):
        taken = (
            _takeable(now)
            .filter(pk=run_id)
            .update(
                status=S.RUNNING,
                claimed_by=worker,
                began_at=now,
                due_at=now + timedelta(seconds=CLAIM),
                written=0,
                to_write=0,
            )
        )
    if not taken:
        return False

    def tell(done: int, total: int) -> None:
        mine.update(
            written=done,
            to_write=total,
            due_at=timezone.now() + timedelta(seconds=CLAIM),
        )

    values: dict[str, Any]
    try:
        values = {"status": S.DONE, **_read(SyncRun.objects.get(pk=run_id), tell)}
    except catalogue.CatalogueSyncError as error:
        values = {"status": S.FAILED, "failure": error.failure.value}
    except ImproperlyConfigured:
        values = {"status": S.FAILED, "failure": SyncFailure.NO_ACCOUNT.value}
    except Exception:
        # Whatever it is, whoever asked must not wait for ever.
        logger.exception("The sync that was asked for (%s) failed.", run_id)
        values = {"status": S.FAILED, "failure": SyncFailure.FAULT.value}
    _finish(run_id, mine, values)
    return True


def work_on_due() -> int:
    """Work on the runs that the queue has lost; returns how many there were."""
    due = SyncRun.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
    return sum(work(run_id) for run_id in list(due.values_list("pk", flat=True)))


def _takeable(now: Any) -> "QuerySet[SyncRun]":
    """Select the runs that nobody is working on."""
    nobodys = Q(status=S.QUEUED) | Q(status=S.RUNNING, due_at__lte=now)
    return SyncRun.objects.filter(nobodys, status__in=OPEN_SYNC_STATUSES)


def _read(run: SyncRun, progress: catalogue.Progress) -> Mapping[str, int]:
    """Read the products and, if there is time, the payment methods.

    Raises:
        CatalogueSyncError: the catalogue was left as it is.
        ImproperlyConfigured: the account is not configured any more.
    """
    account = get_conf().account(run.account)
    # Somebody waits for it in a request, or nobody does.
    box = (
        TimeBox.request()
        if nudges.runs_in_the_request()
        else TimeBox(seconds=None, patience=catalogue.PATIENCE)
    )
    result = catalogue.sync(account, patience=box.patience, progress=progress)
    if box.left() > 0:
        try:
            catalogue.refresh_payment_methods(
                account, only_if_old=True, patience=box.patience
            )
        except catalogue.CatalogueSyncError as error:
            # Products are on sale all the same.
            logger.warning("No payment methods of %s: %s", account.alias, error)
    return asdict(result)


def _finish(run_id: int, mine: "QuerySet[SyncRun]", values: Mapping[str, Any]) -> None:
    """Write what came of it, in the row and in Wagtail's log."""
    with transaction.atomic(durable=True):
        if not mine.update(
            **values, finished_at=timezone.now(), due_at=None, claimed_by=""
        ):
            # Somebody who took us for dead has it now, and tells.
            return
        run = SyncRun.objects.get(pk=run_id)
        log(
            instance=run,
            action=SYNC_ACTION,
            user=run.user,
            data={
                **{name: getattr(run, name) for name in COUNTS},
                "account": run.account,
                "failure": run.failure,
            },
        )
