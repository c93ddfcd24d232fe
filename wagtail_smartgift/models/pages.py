"""Wagtail pages about vouchers: the editor's words over Smart Gift's catalogue.

The abstract models hold all of the behaviour, so that a host can put it on a page
base of its own; the concrete pages only join them to Wagtail's ``Page``. Nothing of
Smart Gift's is copied into a page: prices and availability are read from the product
when the page is served. Views and templates are found by dotted path, so models
import neither.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminPageForm
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.api import APIField
from wagtail.contrib.routable_page.models import RoutablePageMixin, path
from wagtail.fields import RichTextField, StreamField
from wagtail.images import get_image_model_string
from wagtail.models import Page, get_page_models
from wagtail.search import index

from wagtail_smartgift.blocks import VoucherBodyBlock
from wagtail_smartgift.models.catalogue import VoucherProduct
from wagtail_smartgift.models.panels import RemoteDataPanel


INTRODUCTION_FEATURES = ["bold", "italic", "link"]

#: Wagtail 8 lets a host replace the base of all pages. Its own ``Page`` cannot be
#: subclassed then, so the host joins the abstract models to its base itself.
HAS_WAGTAILS_PAGE = (
    getattr(settings, "WAGTAIL_PAGE_MODEL", "wagtailcore.Page") == "wagtailcore.Page"
)


if TYPE_CHECKING:
    # Whatever a host's page base is, it has what Wagtail's pages have.
    from wagtail.models import Page as _OverPage
else:
    _OverPage = models.Model


class VoucherPageForm(WagtailAdminPageForm):
    """Refuses a product that this site cannot sell, or that has a page already."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        product = cleaned.get("product")
        if product is not None:
            validate = import_string(self.instance.product_validator)
            try:
                validate(product, page=self.instance, parent=self.parent_page)
            except ValidationError as error:
                self.add_error("product", error)
        return cleaned


class AbstractVoucherPage(_OverPage):
    """One product, dressed in the editor's words and pictures."""

    product = models.ForeignKey(
        VoucherProduct,
        verbose_name=_("voucher"),
        on_delete=models.PROTECT,
        related_name="+",
        help_text=_(
            "Its price, amounts and availability are always shown as Smart Gift has "
            "them."
        ),
    )
    image = models.ForeignKey(
        get_image_model_string(),
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Leave it empty to show Smart Gift's own picture."),
    )
    introduction = RichTextField(
        _("introduction"),
        blank=True,
        features=INTRODUCTION_FEATURES,
        help_text=_("Leave it empty to show Smart Gift's own description."),
    )
    body = StreamField(VoucherBodyBlock(), blank=True, verbose_name=_("body"))

    #: ``(request, *, page) -> HttpResponse``
    voucher_view = "wagtail_smartgift.views.vouchers.voucher_page"
    #: ``(product, *, page, parent) -> None``, raises ``ValidationError``.
    product_validator = "wagtail_smartgift.forms.validate_page_product"
    #: ``(page, request) -> bool``, whether a sitemap has the page's address.
    sitemap_filter = "wagtail_smartgift.metadata.is_in_sitemap"
    voucher_template = "wagtail_smartgift/voucher_page.html"
    base_form_class = VoucherPageForm

    voucher_panels: Sequence[Any] = [
        FieldPanel("product"),
        RemoteDataPanel(),
        MultiFieldPanel(
            [FieldPanel("introduction"), FieldPanel("image")],
            heading=_("Your words and picture"),
        ),
        FieldPanel("body"),
    ]
    voucher_search_fields: Sequence[Any] = [
        index.SearchField("introduction"),
        index.SearchField("body"),
        index.FilterField("product"),
        # The sync has the pages of a product indexed anew when these change.
        index.RelatedFields(
            "product",
            [
                index.SearchField("title"),
                index.SearchField("description_text"),
                index.AutocompleteField("title"),
            ],
        ),
    ]
    api_fields = [
        APIField("smartgift_id"),
        APIField("introduction"),
        APIField("image"),
        APIField("body"),
    ]

    class Meta:
        abstract = True

    @property
    def smartgift_id(self) -> int | None:
        """Smart Gift's id, by which the vouchers API knows the product."""
        return self.product.remote_id if self.product_id else None

    def get_template(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        # A page of the host's has a template name of its own, which it need not fill.
        return _templates(
            super().get_template(request, *args, **kwargs), self.voucher_template
        )

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return import_string(self.voucher_view)(request, page=self)

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        # Wagtail would render the template with the page alone.
        return self.serve(request)

    def get_sitemap_urls(self, request: HttpRequest | None = None) -> list[Any]:
        # A voucher that cannot be bought tells search engines not to list it.
        if import_string(self.sitemap_filter)(self, request):
            return super().get_sitemap_urls(request)
        return []


class AbstractVoucherIndexPage(RoutablePageMixin, models.Model):
    """Every product on sale; the address of those without a page is below it."""

    introduction = RichTextField(
        _("introduction"), blank=True, features=INTRODUCTION_FEATURES
    )
    body = StreamField(
        VoucherBodyBlock(),
        blank=True,
        verbose_name=_("body"),
        help_text=_("Shown below the vouchers."),
    )

    #: ``(request, *, page) -> HttpResponse``
    index_view = "wagtail_smartgift.views.vouchers.index"
    #: ``(request, *, page, remote_id) -> HttpResponse``
    product_view = "wagtail_smartgift.views.vouchers.plain_product"
    #: ``(page, request) -> Iterable[dict]``, of the addresses of products below it.
    product_sitemap = "wagtail_smartgift.metadata.plain_sitemap"
    index_template = "wagtail_smartgift/voucher_index_page.html"
    product_template = "wagtail_smartgift/voucher_page.html"

    voucher_panels: Sequence[Any] = [FieldPanel("introduction"), FieldPanel("body")]
    voucher_search_fields: Sequence[Any] = [
        index.SearchField("introduction"),
        index.SearchField("body"),
    ]
    api_fields = [APIField("introduction"), APIField("body")]

    class Meta:
        abstract = True

    @path("", name="smartgift_index")
    def index_route(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        return import_string(self.index_view)(request, page=self)

    @path("p/<int:remote_id>/", name="smartgift_product")
    def product_route(self, request: HttpRequest, remote_id: int) -> HttpResponse:
        return import_string(self.product_view)(request, page=self, remote_id=remote_id)

    def get_template(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _templates(
            super().get_template(request, *args, **kwargs), self.index_template
        )

    def get_sitemap_urls(self, request: HttpRequest | None = None) -> list[Any]:
        own: Any = super()
        below = import_string(self.product_sitemap)(self, request)
        return [*own.get_sitemap_urls(request), *below]


def _templates(own: str | Sequence[str], fallback: str) -> list[str]:
    names = [own] if isinstance(own, str) else list(own)
    return [*names, fallback]


if HAS_WAGTAILS_PAGE:

    class VoucherIndexPage(AbstractVoucherIndexPage, Page):  # noqa: DJ008 - Page has it
        content_panels = [
            *Page.content_panels,
            *AbstractVoucherIndexPage.voucher_panels,
        ]
        search_fields = [
            *Page.search_fields,
            *AbstractVoucherIndexPage.voucher_search_fields,
        ]
        subpage_types = ["wagtail_smartgift.VoucherPage"]
        page_description = _("Lists every gift voucher that is on sale.")

        class Meta:
            verbose_name = _("gift voucher index")
            verbose_name_plural = _("gift voucher indexes")

    class VoucherPage(AbstractVoucherPage, Page):
        content_panels = [*Page.content_panels, *AbstractVoucherPage.voucher_panels]
        search_fields = [
            *Page.search_fields,
            *AbstractVoucherPage.voucher_search_fields,
        ]
        parent_page_types = ["wagtail_smartgift.VoucherIndexPage"]
        subpage_types: list[str] = []
        page_description = _("A gift voucher, in your own words and pictures.")

        class Meta:
            verbose_name = _("gift voucher page")
            verbose_name_plural = _("gift voucher pages")


def voucher_page_models() -> list[type[AbstractVoucherPage]]:
    """Return every kind of page in this project that dresses a product."""
    return [
        model for model in get_page_models() if issubclass(model, AbstractVoucherPage)
    ]


def index_page_models() -> list[type[AbstractVoucherIndexPage]]:
    """Return every kind of page in this project that lists the vouchers."""
    return [
        model
        for model in get_page_models()
        if issubclass(model, AbstractVoucherIndexPage)
    ]
