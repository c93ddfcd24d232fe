"""What Smart Gift has changed since an editor last looked: reads, and puts into words.

The sync notes each change (``services.drift``); here they are added up. What changed
and changed back is nothing, and several changes of one field are one, from what the
editor knew to what is now. However many pages are asked about, it is one query.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from wagtail_smartgift.choices import (
    Availability,
    ChangedField,
    ProductStatus,
    ProductType,
)
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import AbstractVoucherPage, ProductChange, VoucherProduct


_AMOUNTS = {
    ChangedField.PRICE,
    ChangedField.MIN_AMOUNT,
    ChangedField.MAX_AMOUNT,
    ChangedField.INCREMENT,
}
_LABELS: Mapping[str, type[Any]] = {
    ChangedField.TYPE: ProductType,
    ChangedField.STATUS: ProductStatus,
    ChangedField.AVAILABILITY: Availability,
}
_SENTENCES: Mapping[str, str | Promise] = {
    ChangedField.TITLE: _(
        "The title changed from “%(before)s” to “%(after)s” on %(day)s."
    ),
    ChangedField.DESCRIPTION: _("The description changed on %(day)s."),
    ChangedField.TYPE: _(
        "The kind of voucher changed from “%(before)s” to “%(after)s” on %(day)s."
    ),
    ChangedField.PRICE: _("The price changed from %(before)s to %(after)s on %(day)s."),
    ChangedField.MIN_AMOUNT: _(
        "The smallest amount changed from %(before)s to %(after)s on %(day)s."
    ),
    ChangedField.MAX_AMOUNT: _(
        "The largest amount changed from %(before)s to %(after)s on %(day)s."
    ),
    ChangedField.INCREMENT: _(
        "The step between amounts changed from %(before)s to %(after)s on %(day)s."
    ),
    ChangedField.PERSONS_MIN: _(
        "The smallest number of people changed from %(before)s to %(after)s on %(day)s."
    ),
    ChangedField.PERSONS_MAX: _(
        "The largest number of people changed from %(before)s to %(after)s on %(day)s."
    ),
    ChangedField.STATUS: _(
        "The status at Smart Gift changed from “%(before)s” to “%(after)s” on %(day)s."
    ),
    ChangedField.AVAILABILITY: _(
        "The availability changed from “%(before)s” to “%(after)s” on %(day)s."
    ),
    ChangedField.IMAGE: _("Smart Gift's picture changed on %(day)s."),
}
_ORDER = {field: place for place, field in enumerate(ChangedField.values)}


@dataclass(frozen=True)
class Drift:
    """One field of a product that is not what it was."""

    field: str
    #: As text, see ``ProductChange``.
    before: str
    after: str
    #: When a sync saw the last of it.
    noticed_at: datetime

    @property
    def sentence(self) -> str:
        """Say it: “The price changed from £45.00 to £50.00 on 3 Mar 2026.”"""
        return str(_SENTENCES[self.field]) % {
            "before": self._in_words(self.before),
            "after": self._in_words(self.after),
            "day": date_format(timezone.localtime(self.noticed_at), "DATE_FORMAT"),
        }

    def _in_words(self, text: str) -> str:
        if not text:
            return pgettext("a price or a number that there is not", "none")
        if self.field in _AMOUNTS:
            return format_price(Decimal(text))
        if self.field in _LABELS:
            labels = dict(_LABELS[self.field].choices)
            return str(labels.get(text, text))
        return text


def known_at(page: AbstractVoucherPage) -> datetime | None:
    """Return when an editor last vouched for what a page says.

    That is when it was published, or for what never was, when it was last saved.
    """
    moments: Any = page
    found: datetime | None = (
        moments.last_published_at or moments.latest_revision_created_at
    )
    return found


def of_product(product: VoucherProduct, *, since: datetime) -> tuple[Drift, ...]:
    """Return what of a product changed after ``since``; empty: nothing did."""
    return _added_up(
        ProductChange.objects.filter(product=product, noticed_at__gt=since).order_by(
            "pk"
        )
    )


def of_pages(pages: Iterable[AbstractVoucherPage]) -> dict[Any, tuple[Drift, ...]]:
    """Return by its pk what of each page's product changed since its editor knew it.

    One query for all. Pages whose product is as it was are not in it.
    """
    known = {
        page.pk: (page.product_id, since)
        for page in pages
        if page.product_id and (since := known_at(page)) is not None
    }
    if not known:
        return {}
    earliest = min(since for _product, since in known.values())
    by_product: dict[int, list[ProductChange]] = defaultdict(list)
    for change in ProductChange.objects.filter(
        product__in={product for product, _since in known.values()},
        noticed_at__gt=earliest,
    ).order_by("pk"):
        by_product[change.product_id].append(change)
    found = {
        pk: _added_up(
            change for change in by_product[product] if change.noticed_at > since
        )
        for pk, (product, since) in known.items()
    }
    return {pk: drift for pk, drift in found.items() if drift}


def _added_up(changes: Iterable[ProductChange]) -> tuple[Drift, ...]:
    """Make one of each field's changes, in the order of the fields; they come oldest first."""
    first: dict[str, str] = {}
    last: dict[str, ProductChange] = {}
    for change in changes:
        first.setdefault(change.field, change.before)
        last[change.field] = change
    found = {
        field: Drift(
            field=field,
            before=first[field],
            after=change.after,
            noticed_at=change.noticed_at,
        )
        for field, change in last.items()
        if first[field] != change.after
    }
    if ChangedField.AVAILABILITY in found:
        # It says the same in words that mean something to an editor.
        found.pop(ChangedField.STATUS, None)
    return tuple(sorted(found.values(), key=lambda drift: _ORDER[drift.field]))
