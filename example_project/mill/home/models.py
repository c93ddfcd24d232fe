"""The hotel's own pages. The gift vouchers' pages come with the plugin."""

from typing import Any

from django.db import models
from django.http import HttpRequest
from wagtail.admin.panels import FieldPanel
from wagtail.fields import RichTextField, StreamField
from wagtail.images import get_image_model_string
from wagtail.models import Page

from mill.shop.models import Product
from wagtail_smartgift.voucher_blocks import (
    BalanceCheckBlock,
    VoucherGridBlock,
    VoucherTeaserBlock,
)


class PictureMixin(models.Model):
    """A page with a large picture at its top."""

    picture = models.ForeignKey(
        get_image_model_string(),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    strapline = models.CharField(max_length=160, blank=True)

    class Meta:
        abstract = True


class HomePage(PictureMixin, Page):  # noqa: DJ008 - Page has it
    introduction = RichTextField(blank=True)
    # wagtail-smartgift: its blocks may stand on any page.
    vouchers = StreamField(
        [
            ("teaser", VoucherTeaserBlock()),
            ("grid", VoucherGridBlock()),
            ("balance", BalanceCheckBlock()),
        ],
        blank=True,
    )

    content_panels = [
        *Page.content_panels,
        FieldPanel("strapline"),
        FieldPanel("picture"),
        FieldPanel("introduction"),
        FieldPanel("vouchers"),
    ]
    max_count = 1
    template = "mill/home.html"

    class Meta:
        verbose_name = "home page"

    def get_context(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        context = super().get_context(request, *args, **kwargs)
        context["products"] = Product.objects.filter(on_sale=True).select_related(
            "picture"
        )[:3]
        return context


class StandardPage(PictureMixin, Page):  # noqa: DJ008 - Page has it
    body = RichTextField(blank=True)

    content_panels = [
        *Page.content_panels,
        FieldPanel("strapline"),
        FieldPanel("picture"),
        FieldPanel("body"),
    ]
    template = "mill/standard.html"

    class Meta:
        verbose_name = "page"
