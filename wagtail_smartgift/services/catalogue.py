"""Bringing Smart Gift's catalogue into our rows: the only writer of products.

The answer is taken whole or not at all, and compared by digest with what we have, so
a sync that finds nothing new writes no product. A product that is missing from an
answer is marked as gone and kept: orders and pages point at it. An empty answer where
there were products is refused, since it is far more likely to be a fault than a shop
that sells nothing.

Two syncs at once do no harm: what we had is read before Smart Gift is asked, so
neither takes the other's news for a product that vanished, and each write says what
Smart Gift answered a moment ago. The next sync settles any difference.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from wagtail_smartgift import client as smartgift
from wagtail_smartgift import clock, selectors
from wagtail_smartgift.choices import Lane
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import CatalogueSync, VoucherProduct
from wagtail_smartgift.services import drift, gateway, outbox, page_search
from wagtail_smartgift.services.catalogue_reading import (
    kept_digest,
    known_digest,
    read_product,
)
from wagtail_smartgift.services.sync_failures import SyncFailure, failure_of, in_words


logger = logging.getLogger(__name__)

#: Seconds that a sync waits for its place in the quota: longer than a window of it.
PATIENCE = 75.0
#: Rows in one statement and one transaction.
BATCH = 500
#: Payment methods hardly ever change.
PAYMENT_METHODS_AGE = timedelta(hours=1)

#: Columns that an update may write; when we first saw a product never changes.
_UPDATED = [
    *("title", "description_html", "type", "status", "remote_status"),
    *("price", "min_amount", "max_amount", "increment"),
    *("persons_min", "persons_max", "available_count", "image_url"),
    *("remote_created_at", "remote_updated_at", "digest", "changed_at", "gone_at"),
]

#: Called with how many products of how many have been written.
Progress = Callable[[int, int], None]

_T = TypeVar("_T")


@dataclass(frozen=True)
class SyncResult:
    """How many products an answer held that were new, different, the same, or back.

    ``gone`` counts those that vanished since the last sync, not all that ever did.
    """

    added: int
    changed: int
    unchanged: int
    gone: int
    returned: int


class CatalogueSyncError(Exception):
    """The catalogue was left as it is; ``str()`` says why and what to do.

    ``failure`` is the word to keep of it. ``detail`` is what Smart Gift or the network
    said, for developers: English, and in the log and the command alone.
    """

    def __init__(
        self, failure: SyncFailure, account: Account, detail: str = ""
    ) -> None:
        super().__init__(failure, account.alias, detail)
        self.failure = failure
        self.account = account
        self.detail = detail

    def __str__(self) -> str:
        words = in_words(self.failure, account=self.account.alias)
        return f"{words} ({self.detail})" if self.detail else words


def sync(
    account: Account,
    *,
    allow_empty: bool = False,
    patience: float = PATIENCE,
    progress: Progress | None = None,
) -> SyncResult:
    """Make our products what Smart Gift lists now. One call to Smart Gift.

    ``allow_empty`` accepts an answer without any product where there were some.

    Raises:
        CatalogueSyncError: nothing was changed; the reason is kept for the doctor.
    """
    known = {
        remote_id: (digest, gone_at)
        for remote_id, digest, gone_at in VoucherProduct.objects.filter(
            account=account.alias
        ).values_list("remote_id", "digest", "gone_at")
    }
    # In the database's time: webhooks that came before it are answered by this reading.
    asked_at = clock.now()
    try:
        answer = _ask(account, known, allow_empty=allow_empty, patience=patience)
    except CatalogueSyncError as error:
        _record(account, failed_at=timezone.now(), failure=error.failure.value)
        logger.warning("Catalogue of %s left as it is: %s", account.alias, error)
        raise
    now = timezone.now()
    listed = answer.digests
    news = {
        voucher.id: {
            **read_product(voucher),
            "digest": kept_digest(listed[voucher.id]),
        }
        for voucher in answer.news
    }
    returned = {i for i in news if i in known and known[i][1] is not None}
    added = news.keys() - known.keys()
    changed = news.keys() - added - returned
    _write(account, news, set(known), now, progress)
    missing = [i for i in known.keys() - listed.keys() if known[i][1] is None]
    gone = _mark_gone(account, missing, now)
    if news or gone:
        drift.forget(before=now - drift.KEPT_FOR)
    result = SyncResult(
        added=len(added),
        changed=len(changed),
        unchanged=len(listed) - len(added) - len(changed) - len(returned),
        gone=gone,
        returned=len(returned),
    )
    _finish(account, result, asked_at)
    logger.info("Catalogue of %s: %s", account.alias, result)
    return result


def refresh_payment_methods(
    account: Account, *, only_if_old: bool = False, patience: float = PATIENCE
) -> tuple[selectors.PaymentMethod, ...]:
    """Read the payment methods from Smart Gift, keep and return them. One call.

    ``only_if_old`` makes no call while there are some, younger than an hour.

    Raises:
        CatalogueSyncError: they could not be read; those we have stay.
    """
    if only_if_old:
        row = CatalogueSync.objects.filter(account=account.alias).first()
        at = row.payment_methods_at if row and row.payment_methods else None
        if at is not None and timezone.now() - at < PAYMENT_METHODS_AGE:
            return selectors.payment_methods(account)
    try:
        methods = gateway.connect(account, patience=patience).payment_methods(
            lane=Lane.CATALOGUE
        )
    except smartgift.SmartGiftError as error:
        raise _left(account, error) from error
    _record(
        account,
        payment_methods=[{"id": item.id, "name": item.name} for item in methods],
        payment_methods_at=timezone.now(),
    )
    return selectors.payment_methods(account)


def _ask(
    account: Account,
    known: Mapping[int, tuple[str, datetime | None]],
    *,
    allow_empty: bool,
    patience: float,
) -> smartgift.Catalogue:
    """Ask what is listed, and about all that is new, changed, or was gone."""
    unchanged = {
        digest: remote_id
        for remote_id, (kept, gone_at) in known.items()
        if gone_at is None and (digest := known_digest(kept)) is not None
    }
    try:
        answer = gateway.connect(account, patience=patience).catalogue(
            known=unchanged, lane=Lane.CATALOGUE
        )
    except smartgift.SmartGiftError as error:
        raise _left(account, error) from error
    if any(remote_id > 2**63 - 1 for remote_id in answer.digests):
        raise CatalogueSyncError(SyncFailure.WRONG_NUMBER, account)
    had_some = any(gone_at is None for _digest, gone_at in known.values())
    if not answer.digests and had_some and not allow_empty:
        raise CatalogueSyncError(SyncFailure.EMPTY, account)
    return answer


def _write(
    account: Account,
    rows: Mapping[int, Mapping[str, Any]],
    known: AbstractSet[int],
    now: datetime,
    progress: Progress | None,
) -> None:
    """Insert or overwrite products, in transactions of one batch each.

    What is different of those ``known`` is noted with them.
    """
    done = 0
    for batch in _batches(sorted(rows)):
        products = [
            VoucherProduct(
                account=account.alias,
                remote_id=remote_id,
                first_seen_at=now,
                changed_at=now,
                gone_at=None,
                **rows[remote_id],
            )
            for remote_id in batch
        ]
        with transaction.atomic():
            # In the same transaction, so that no list is served as unchanged. And first
            # of all: two syncs at once wait for each other here, so that the second
            # finds what the first has written, and does not note the same once more.
            _record(account, changed_at=now)
            before = drift.as_they_are(account, known & set(batch))
            VoucherProduct.objects.bulk_create(
                products,
                update_conflicts=True,
                unique_fields=["account", "remote_id"],
                update_fields=_UPDATED,
            )
            changes = drift.note(before, products, at=now)
        page_search.reindex(
            {change.product_id for change in changes if change.field in drift.WORDS}
        )
        done += len(batch)
        if progress is not None:
            progress(done, len(rows))


def _mark_gone(account: Account, missing: Sequence[int], now: datetime) -> int:
    count = 0
    for batch in _batches(sorted(missing)):
        with transaction.atomic():
            # First of all, as in ``_write``.
            _record(account, failure="")
            listed = [
                product
                for product in drift.as_they_are(account, batch).values()
                if product.gone_at is None
            ]
            marked = VoucherProduct.objects.filter(
                pk__in=[product.pk for product in listed], gone_at__isnull=True
            ).update(gone_at=now, changed_at=now)
            if marked:
                _record(account, changed_at=now)
            drift.note_gone(listed, at=now)
        count += marked
    return count


def _finish(account: Account, result: SyncResult, asked_at: datetime) -> None:
    """Note that the sync is done, and tell of it if anything is new.

    Each batch has noted its change, so what a sync that was interrupted has written is
    told by the next one, even if that finds nothing itself.
    """
    with transaction.atomic():
        _record(account, synced_at=asked_at, failure="")
        news = CatalogueSync.objects.filter(
            Q(told_at__isnull=True) | Q(told_at__lt=F("changed_at")),
            account=account.alias,
            changed_at__isnull=False,
        ).update(told_at=F("changed_at"))
        if news:
            outbox.emit(
                "catalogue.synced",
                account=account,
                details={
                    "synced_at": asked_at.isoformat(),
                    "added": result.added,
                    "changed": result.changed,
                    "gone": result.gone,
                    "returned": result.returned,
                },
            )


def _record(account: Account, **values: Any) -> None:
    """Write what is known of an account's catalogue, the first time or again."""
    CatalogueSync.objects.bulk_create(
        [CatalogueSync(account=account.alias, **values)],
        update_conflicts=True,
        unique_fields=["account"],
        update_fields=list(values),
    )


def _batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _left(account: Account, error: smartgift.SmartGiftError) -> CatalogueSyncError:
    failure = failure_of(error)
    says_more = failure in {SyncFailure.REFUSED, SyncFailure.UNREADABLE}
    return CatalogueSyncError(failure, account, str(error) if says_more else "")
