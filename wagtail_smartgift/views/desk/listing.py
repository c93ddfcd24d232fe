"""What the long lists of the desk share: filters, a stable order, exports in one go.

A list of ten thousand costs as many queries as one of ten. An export has every row
that the filters leave, and is read in portions, so that it fits into memory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext_lazy
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.models import Site

from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import CatalogueSync
from wagtail_smartgift.views.desk.base import SafeExport


#: Rows that an export reads at a time.
PORTION = 500

#: Days that are asked for beyond these are as good as these.
EARLIEST, LATEST = date(1970, 1, 1), date(9998, 12, 31)

_ALL = gettext_lazy("All")


@dataclass(frozen=True)
class ExportColumn:
    """A column of an export: its heading, and what stands in it."""

    name: str
    heading: str | Promise
    value: Callable[[Any], Any]


class DeskIndexView(SafeExport, generic.IndexView):
    """A list with search, filters, a stable order, and an export of all of it."""

    paginate_by = 50
    #: In this order.
    export_columns: ClassVar[Sequence[ExportColumn]] = ()

    @cached_property
    def list_export(self) -> list[str]:
        return [column.name for column in self.export_columns]

    @cached_property
    def export_headings(self) -> dict[str, str | Promise]:
        return {column.name: column.heading for column in self.export_columns}

    def prepare(self, rows: Sequence[Any]) -> None:
        """Read for many rows at once what their cells show."""

    def get_table(self, object_list: Any) -> Any:
        self.prepare(list(object_list))
        return super().get_table(object_list)

    def order_queryset(self, queryset: QuerySet) -> QuerySet:
        ordered: QuerySet = super().order_queryset(queryset)
        # Rows that are alike must not change places from page to page.
        return ordered.order_by(*ordered.query.order_by, "pk")

    # Exports

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.is_export:
            # Without the page, which would read every row into memory.
            rows = _Portions(self.get_queryset(), self.prepare)
            answer: HttpResponse = self.as_spreadsheet(rows, request.GET["export"])
            return answer
        return super().get(request, *args, **kwargs)

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        return {column.name: column.value(item) for column in self.export_columns}


class _Portions:
    """The rows of a queryset, read and prepared a portion at a time."""

    def __init__(
        self, queryset: QuerySet, prepare: Callable[[Sequence[Any]], None]
    ) -> None:
        self._rows = queryset
        self._prepare = prepare
        #: For the headings of Wagtail's export.
        self.model = queryset.model

    def __iter__(self) -> Iterator[Any]:
        rows = self._rows.iterator(chunk_size=PORTION)
        while portion := list(islice(rows, PORTION)):
            self._prepare(portion)
            yield from portion


# Filters


def known_accounts() -> list[tuple[str, str]]:
    """Return the accounts that there can be rows of, as choices."""
    known = {*get_conf().accounts}
    known |= set(CatalogueSync.objects.values_list("account", flat=True))
    return [(alias, alias) for alias in sorted(known)]


def choice_filter(field: str, label: Any, choices: Any) -> django_filters.ChoiceFilter:
    """Return a filter for one of a few words, as Wagtail shows them."""
    return django_filters.ChoiceFilter(
        field_name=field,
        label=label,
        choices=choices,
        empty_label=_ALL,
        widget=forms.RadioSelect,
    )


def yes_or_no(
    label: Any, yes: Any, no: Any, *, where: Callable[[], Q]
) -> django_filters.ChoiceFilter:
    """Return a filter for what is so, or is not."""

    def choose(rows: QuerySet, _name: str, word: str) -> QuerySet:
        return rows.filter(where() if word == "yes" else ~where())

    return django_filters.ChoiceFilter(
        method=choose,
        label=label,
        choices=[("yes", yes), ("no", no)],
        empty_label=_ALL,
        widget=forms.RadioSelect,
    )


def account_filter(field: str = "account") -> django_filters.ChoiceFilter:
    return choice_filter(field, gettext_lazy("Account"), known_accounts)


class _DaysField(django_filters.fields.DateRangeField):
    """Two days, brought to where there can be something, and every time zone has them."""

    def compress(self, data_list: Any) -> Any:
        days = [one and min(max(one, EARLIEST), LATEST) for one in data_list or ()]
        return super().compress(days)


class DaysFilter(django_filters.DateFromToRangeFilter):
    field_class = _DaysField


def date_filter(field: str, label: Any) -> DaysFilter:
    """Return a filter for what happened between two days."""
    return DaysFilter(field_name=field, label=label, widget=DateRangePickerWidget)


def created_filter() -> DaysFilter:
    return date_filter("created_at", gettext_lazy("Created"))


def site_filter(
    method: Callable[[QuerySet, str, Site], QuerySet] | None = None,
) -> django_filters.ModelChoiceFilter:
    return django_filters.ModelChoiceFilter(
        queryset=Site.objects.order_by("hostname", "port"),
        method=method,
        label=gettext_lazy("Site"),
        empty_label=_ALL,
    )


class DeskFilterSet(WagtailFilterSet):
    """Leaves out the choice between one account, or one site."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "account" in self.filters and len(known_accounts()) < 2:
            del self.filters["account"]
        if "site" in self.filters and Site.objects.count() < 2:
            del self.filters["site"]


# What several lists show


class StatusColumn(StatusTagColumn):
    """A status as a tag, with a sign before it where somebody should look."""

    cell_template_name = "wagtail_smartgift/desk/status_cell.html"

    def __init__(
        self, name: str, *, is_trouble: Callable[[Any], bool], **kwargs: Any
    ) -> None:
        super().__init__(name, **kwargs)
        self._is_trouble = is_trouble

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> Any:
        context = super().get_cell_context_data(instance, parent_context)
        context["is_trouble"] = self._is_trouble(instance)
        return context


def site_name(site: Site | None) -> str:
    """Return what staff call a site."""
    return "" if site is None else site.site_name or site.hostname


#: Characters of a voucher number that anybody is shown, and so may search for.
_LAST = 4


def ends_with(field: str, text: str) -> Q:
    """Select by the last characters of a voucher number; never by a whole one."""
    end = text.removeprefix("…")
    if not 0 < len(end) <= _LAST:
        return Q(pk__in=[])
    return Q(**{f"{field}__iendswith": end})
