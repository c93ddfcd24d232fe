"""Noting what a sync changes, and forgetting it again.

The notes are written in the transaction of the change that they tell of, for a whole
batch at once. They are kept for two years, and of each field of a product the newest
twenty: a product that is sold out and back every hour would otherwise fill the table.
So no product has more than some 240 of them.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from wagtail_smartgift.choices import Availability, ChangedField
from wagtail_smartgift.conf import Account
from wagtail_smartgift.models import ProductChange, VoucherProduct
from wagtail_smartgift.money import format_money


#: Longer than an editor leaves a page alone that still matters.
KEPT_FOR = timedelta(days=730)
#: Of each field of a product.
KEPT_PER_FIELD = 20
#: What a page's place in the search index depends on.
WORDS = {ChangedField.TITLE, ChangedField.DESCRIPTION}


def as_they_are(
    account: Account, remote_ids: Collection[int]
) -> dict[int, VoucherProduct]:
    """Return products by Smart Gift's id, before they are overwritten. One query."""
    if not remote_ids:
        return {}
    return {
        product.remote_id: product
        for product in VoucherProduct.objects.filter(
            account=account.alias, remote_id__in=remote_ids
        )
    }


def note(
    before: Mapping[int, VoucherProduct],
    after: Iterable[VoucherProduct],
    *,
    at: datetime,
) -> list[ProductChange]:
    """Write down how products differ from what they were; new ones are no change.

    Two queries at most, in the caller's transaction.
    """
    changes = [
        ProductChange(
            product_id=was.pk, field=field, before=old, after=new, noticed_at=at
        )
        for product in after
        if (was := before.get(product.remote_id)) is not None
        for field, old, new in _differences(was, product)
    ]
    if changes:
        ProductChange.objects.bulk_create(changes, batch_size=500)
        _forget_superfluous({change.product_id for change in changes})
    return changes


def note_gone(products: Collection[VoucherProduct], *, at: datetime) -> None:
    """Write down that products are no longer listed."""
    changes = [
        ProductChange(
            product_id=product.pk,
            field=ChangedField.AVAILABILITY,
            before=product.availability,
            after=Availability.GONE,
            noticed_at=at,
        )
        for product in products
    ]
    if changes:
        ProductChange.objects.bulk_create(changes, batch_size=500)
        _forget_superfluous({change.product_id for change in changes})


def forget(*, before: datetime) -> int:
    """Delete what was noticed before a day; returns how many notes that were."""
    deleted, _by_model = ProductChange.objects.filter(noticed_at__lt=before).delete()
    return deleted


def _forget_superfluous(product_pks: Collection[int]) -> None:
    """Keep the newest of each field of these products. One query."""
    ranked = ProductChange.objects.filter(product__in=product_pks).annotate(
        place=Window(
            RowNumber(),
            partition_by=[F("product"), F("field")],
            order_by=F("pk").desc(),
        )
    )
    superfluous = ranked.filter(place__gt=KEPT_PER_FIELD).order_by()
    ProductChange.objects.filter(pk__in=superfluous.values("pk")).delete()


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return format_money(value) if isinstance(value, Decimal) else str(value)


def _digest(value: str) -> str:
    """Tell one text from another without keeping either."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]


#: field -> its text; ``ProductChange`` says how.
_READERS: Mapping[ChangedField, Callable[[VoucherProduct], str]] = {
    ChangedField.TITLE: lambda product: product.title,
    ChangedField.DESCRIPTION: lambda product: _digest(product.description_html),
    ChangedField.TYPE: lambda product: str(product.type),
    ChangedField.PRICE: lambda product: _plain(product.price),
    ChangedField.MIN_AMOUNT: lambda product: _plain(product.min_amount),
    ChangedField.MAX_AMOUNT: lambda product: _plain(product.max_amount),
    ChangedField.INCREMENT: lambda product: _plain(product.increment),
    ChangedField.PERSONS_MIN: lambda product: _plain(product.persons_min),
    ChangedField.PERSONS_MAX: lambda product: _plain(product.persons_max),
    ChangedField.STATUS: lambda product: str(product.status),
    ChangedField.AVAILABILITY: lambda product: str(product.availability),
    ChangedField.IMAGE: lambda product: product.image_url,
}


def _differences(
    was: VoucherProduct, product: VoucherProduct
) -> Iterable[tuple[ChangedField, str, str]]:
    for field, read in _READERS.items():
        old, new = read(was), read(product)
        if old != new:
            yield field, old, new
