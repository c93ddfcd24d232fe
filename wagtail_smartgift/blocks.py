"""The blocks an editor dresses a voucher with.

Only words and pictures: prices, amounts and availability are Smart Gift's and never
typed by hand. Each block has a template under ``wagtail_smartgift/blocks/`` that a
host may override.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.images.blocks import ImageBlock


RICH_TEXT_FEATURES = ["bold", "italic", "h3", "ol", "ul", "link", "document-link"]


class HeadingBlock(blocks.CharBlock):
    class Meta:
        icon = "title"
        label = _("Heading")
        template = "wagtail_smartgift/blocks/heading.html"
        description = _("A heading between two parts of the page.")
        preview_value = "An afternoon at the mill"


class TextBlock(blocks.RichTextBlock):
    class Meta:
        icon = "pilcrow"
        label = _("Text")
        template = "wagtail_smartgift/blocks/text.html"
        description = _("Paragraphs, lists and links.")
        preview_value = "<p>Scones from our own oven, and a walk along the weir.</p>"


class PictureBlock(ImageBlock):
    class Meta:
        icon = "image"
        label = _("Picture")
        template = "wagtail_smartgift/blocks/picture.html"
        description = _("A picture as wide as the text.")


class QuoteBlock(blocks.StructBlock):
    text = blocks.TextBlock(label=_("Quote"))
    source = blocks.CharBlock(label=_("Who said it"), required=False)

    class Meta:
        icon = "openquote"
        label = _("Quote")
        template = "wagtail_smartgift/blocks/quote.html"
        description = _("What a guest said.")
        preview_value = {"text": "The best scones in the county.", "source": "A guest"}


class VoucherBodyBlock(blocks.StreamBlock):
    """What may stand in the body of a voucher page or of the index."""

    heading = HeadingBlock()
    text = TextBlock(features=RICH_TEXT_FEATURES)
    picture = PictureBlock()
    quote = QuoteBlock()


class DeliveryMethodBlock(blocks.StructBlock):
    """A way that Smart Gift sends a voucher; its API cannot be asked for them."""

    id = blocks.CharBlock(
        label=_("Smart Gift's number"),
        max_length=64,
        help_text=_("The delivery method's number in the Smart Gift dashboard."),
    )
    name = blocks.CharBlock(
        label=_("Name"), max_length=100, help_text=_("What your customers read.")
    )
    price = blocks.DecimalBlock(
        label=_("Price"), min_value=0, max_digits=10, decimal_places=2, default=0
    )
    posted = blocks.BooleanBlock(
        label=_("Sent by post"),
        required=False,
        help_text=_("The checkout then asks for an address to send it to."),
    )

    class Meta:
        icon = "mail"
        label = _("Delivery method")
        label_format = "{name}"


class DeliveryMethodsBlock(blocks.StreamBlock):
    method = DeliveryMethodBlock()

    def clean(self, value: Any) -> Any:
        """Refuse a number that is listed twice: a basket keeps the number alone."""
        cleaned = super().clean(value)
        seen: set[str] = set()
        errors = {}
        for index, child in enumerate(cleaned):
            number = child.value["id"].strip()
            if number in seen:
                errors[index] = blocks.StructBlockValidationError(
                    {
                        "id": ValidationError(
                            _("Another delivery method has this number already.")
                        )
                    }
                )
            seen.add(number)
        if errors:
            raise blocks.StreamBlockValidationError(errors)
        return cleaned
