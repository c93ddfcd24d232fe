"""The dialog in which an editor chooses a product among thousands.

It says of each whether it can be bought, for how much, and whose it is: what a site's
shop does not sell is refused by the form of a page, and left out by a block.
"""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms.choosers import BaseFilterForm, SearchFilterMixin
from wagtail.admin.ui.tables import Column, StatusTagColumn
from wagtail.admin.views.generic import chooser
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.permissions import page_permission_policy

from wagtail_smartgift import selectors
from wagtail_smartgift.choices import Availability
from wagtail_smartgift.models import VoucherProduct
from wagtail_smartgift.templatetags.smartgift_catalogue import price_text
from wagtail_smartgift.views.desk.links import product_policy
from wagtail_smartgift.views.desk.listing import known_accounts


#: What shops show, as pages and blocks do.
SHOWN, ALL = "", "all"
_SHOWN = (Availability.ON_SALE, Availability.SOLD_OUT)


def may_choose(user: Any) -> bool:
    """Tell whether somebody may see products, or works on pages that show them."""
    return product_policy.user_has_permission(user, "view") or bool(
        page_permission_policy.user_has_any_permission(user, ["add", "change"])
    )


class _Guarded:
    """Stands before Wagtail's view among the bases: its choosers let everybody in."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_choose(request.user):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


class ProductFilterForm(SearchFilterMixin, BaseFilterForm):
    """Search by title: the products are not in the search index."""

    availability = forms.ChoiceField(
        label=gettext_lazy("Availability"),
        required=False,
        choices=[
            (SHOWN, gettext_lazy("What is on sale, or sold out")),
            (ALL, gettext_lazy("All products")),
        ],
    )
    account = forms.ChoiceField(label=gettext_lazy("Account"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = known_accounts()
        self.fields["account"].choices = [("", _("All")), *accounts]
        if len(accounts) < 2:
            del self.fields["account"]

    def filter(self, objects: QuerySet[VoucherProduct]) -> QuerySet[VoucherProduct]:
        if self.cleaned_data.get("availability") != ALL:
            shown = Q()
            for word in _SHOWN:
                shown |= selectors.available_as(word)
            objects = objects.filter(shown)
        account = self.cleaned_data.get("account")
        if account:
            objects = objects.filter(account=account)
        query = self.cleaned_data.get("q")
        if query:
            self.is_searching = True
            self.search_query = query
            objects = objects.filter(title__icontains=query)
        return objects


class _Listing(_Guarded):
    filter_form_class = ProductFilterForm
    ordering = ("title", "pk")

    @property
    def columns(self) -> list[Any]:
        columns = [
            *super().columns,  # type: ignore[misc]
            StatusTagColumn(
                "availability",
                label=_("Availability"),
                accessor=lambda product: product.availability.label,
                primary=lambda product: product.availability == Availability.ON_SALE,
            ),
            Column("price", label=_("Price"), accessor=price_text),
        ]
        if len(known_accounts()) > 1:
            columns.append(Column("account", label=_("Account")))
        return columns


class ProductChooseView(_Listing, chooser.ChooseView):
    pass


class ProductChooseResultsView(_Listing, chooser.ChooseResultsView):
    pass


class ProductChosenView(_Guarded, chooser.ChosenView):
    pass


class ProductChosenMultipleView(_Guarded, chooser.ChosenMultipleView):
    pass


class ProductChooserViewSet(ChooserViewSet):
    """Chooses the product of a page, or of a block."""

    name = "smartgift_product_chooser"
    url_prefix = "smartgift/choose-voucher"
    model = VoucherProduct
    icon = "smartgift"
    choose_one_text = gettext_lazy("Choose a voucher")
    choose_another_text = gettext_lazy("Choose another voucher")
    choose_view_class = ProductChooseView
    choose_results_view_class = ProductChooseResultsView
    chosen_view_class = ProductChosenView
    chosen_multiple_view_class = ProductChosenMultipleView
