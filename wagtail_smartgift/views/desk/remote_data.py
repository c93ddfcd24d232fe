"""What Smart Gift says of a product, for whoever writes about it: nothing to be edited.

A component, so that it stands in the editor of a page as well as on a page of the
desk. It reads our own rows; Smart Gift is not asked.
"""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.urls import reverse
from django.utils.functional import Promise, cached_property
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.components import Component
from wagtail.models import Site

from wagtail_smartgift import drift, selectors
from wagtail_smartgift.addresses import ProductAddresses
from wagtail_smartgift.choices import ProductType
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import AbstractVoucherPage, VoucherProduct
from wagtail_smartgift.services import pictures
from wagtail_smartgift.templatetags.smartgift_catalogue import price_text
from wagtail_smartgift.views.desk.links import to_product


IMPORT_URL = "smartgift_import_picture"
#: Where the editor keeps the page's picture.
CHOOSER_ID = "id_image-chooser"


@dataclass(frozen=True)
class Line:
    label: str
    value: str | Promise


class RemoteData(Component):
    """What there is to say about a product, and about it in a page."""

    template_name = "wagtail_smartgift/desk/remote_data.html"

    def __init__(
        self,
        product: VoucherProduct | None,
        *,
        request: HttpRequest,
        page: AbstractVoucherPage | None = None,
        in_editor: bool = False,
    ) -> None:
        self.product = product
        self.request = request
        self.page: Any = page
        #: Within the form of a page's editor, which can hold no form of ours.
        self.in_editor = in_editor

    @property
    def media(self) -> forms.Media:
        folder = "wagtail_smartgift/desk"
        return forms.Media(
            css={"all": [versioned_static(f"{folder}/remote-data.css")]},
            js=[versioned_static(f"{folder}/import-picture.js")],
        )

    def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
        product = self.product
        if product is None:
            return {"product": None}
        return {
            "lines": self.lines,
            "drift": self.drift,
            "was_published": bool(self.page and self.page.last_published_at),
            "read": self.read,
            "detail_url": to_product(product.pk, user=self.request.user),
            "plain_url": self.plain_url,
            "page": self.page,
            "in_editor": self.in_editor,
            "chooser": CHOOSER_ID,
            **picture_import(product, request=self.request),
        }

    @cached_property
    def drift(self) -> tuple[drift.Drift, ...]:
        if self.page is None or self.product is None:
            return ()
        since = drift.known_at(self.page)
        return drift.of_product(self.product, since=since) if since else ()

    @property
    def lines(self) -> list[Line]:
        product = self.product
        if product is None:
            return []
        found: list[tuple[str, Any]] = [
            (_("Title"), product.title),
            (_("Kind of voucher"), product.get_type_display()),
            (_("Price"), price_text(product)),
        ]
        if product.type == ProductType.MONETARY:
            found.append((_("In steps of"), _money(product.increment)))
        else:
            found.append((_("For a person"), _money(product.price)))
        found += [
            (_("Persons"), _persons(product)),
            (_("In stock"), stock_of(product)),
            (_("Availability"), product.availability.label),
            (_("Status at Smart Gift"), status_of(product)),
            (_("Smart Gift id"), str(product.remote_id)),
        ]
        if len(get_conf().accounts) > 1:
            found.append((_("Account"), product.account))
        return [Line(label, value) for label, value in found if value]

    @property
    def read(self) -> str:
        """Say how old all of this is."""
        product = self.product
        account = get_conf().accounts.get(product.account) if product else None
        if account is None:
            return _("Its account is not configured (any more), so it is not read.")
        synced = selectors.synced_at(account)
        if synced is None:
            return _("Smart Gift's catalogue was never read.")
        return _("Read from Smart Gift %(age)s ago.") % {"age": timesince(synced)}

    @property
    def plain_url(self) -> str | None:
        if self.product is None:
            return None
        site = self.page.get_site() if self.page is not None and self.page.pk else None
        site = site or Site.find_for_request(self.request)
        language = self.page.locale.language_code if self.page is not None else None
        try:
            if self.product.account != selectors.shop_for(site).account.alias:
                return None
        except ImproperlyConfigured:
            # The checks name it.
            return None
        return ProductAddresses(
            [self.product], site=site, language=language, request=self.request
        ).plain_url(self.product)


def picture_import(product: VoucherProduct, *, request: HttpRequest) -> dict[str, Any]:
    """Return what the button needs that imports a product's picture."""
    may_import = pictures.may_import(request.user)
    return {
        "product": product,
        "imported": pictures.imported(product),
        "may_import": may_import,
        "trouble": pictures.trouble_with(product) if may_import else None,
        "import_url": reverse(IMPORT_URL, args=[product.pk]),
        "csrf_token": get_token(request),
        "next": request.get_full_path(),
    }


def for_editor(page: AbstractVoucherPage, *, request: HttpRequest) -> RemoteData:
    """Return the component for a page that is being edited, or made."""
    product = page.product if page.product_id else None
    return RemoteData(product, request=request, page=page, in_editor=True)


def _money(amount: Any) -> str:
    return "" if amount is None else format_price(amount)


def _persons(product: VoucherProduct) -> str:
    if product.type != ProductType.EXPERIENCE or not product.persons_min:
        return ""
    persons = product.persons_range
    if persons[0] == persons[-1]:
        return str(persons[0])
    return _("%(lowest)d to %(highest)d") % {
        "lowest": persons[0],
        "highest": persons[-1],
    }


def stock_of(product: VoucherProduct) -> str:
    """Say how many are left to sell."""
    left = product.available_count
    if left is None:
        return _("Not counted")
    return ngettext("%(left)d left", "%(left)d left", left) % {"left": left}


def status_of(product: VoucherProduct) -> str:
    """Say what it is at Smart Gift, with its word where that is new to us."""
    label = str(product.get_status_display())
    word = product.remote_status
    # A new word of Smart Gift's is what somebody has to look up.
    return f"{label} ({word})" if word and word != product.status else label
