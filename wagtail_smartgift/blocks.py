"""The blocks an editor dresses a voucher with, and those of a site's settings.

Only words and pictures: prices, amounts and availability are Smart Gift's and never
typed by hand. Each block has a template under ``wagtail_smartgift/blocks/`` that a
host may override.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.coreutils import get_content_languages
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
        _refuse_repeated(
            cleaned, "id", _("Another delivery method has this number already.")
        )
        return cleaned


def _refuse_repeated(stream: Any, name: str, message: Any) -> None:
    """Refuse a value of ``name`` that an earlier block of the stream has, too."""
    seen: set[str] = set()
    errors = {}
    for index, child in enumerate(stream):
        value = (child.value[name] or "").strip()
        if value in seen:
            errors[index] = blocks.StructBlockValidationError(
                {name: ValidationError(message)}
            )
        seen.add(value)
    if errors:
        raise blocks.StreamBlockValidationError(errors)


def language_choices() -> list[tuple[str, str]]:
    """Return the languages that pages may be in; the blank choice is all of them."""
    return list(get_content_languages().items())


class OwnWordsBlock(blocks.StructBlock):
    """What a shop says in its own words, in one language or in all of them.

    What is left blank is said in the plugin's words, which are translated.
    """

    language = blocks.ChoiceBlock(
        choices=language_choices,
        required=False,
        label=_("Language"),
        help_text=_(
            "Leave it blank for words that every language shows which has none of "
            "its own."
        ),
    )
    heading = blocks.CharBlock(
        required=False,
        max_length=100,
        label=_("Heading of the voucher field"),
        help_text=_("Usually “Pay with gift vouchers”."),
    )
    hint = blocks.TextBlock(
        required=False,
        max_length=300,
        rows=2,
        label=_("Beside the voucher number"),
        help_text=_(
            "Usually “As it is printed on the voucher, or the link of its QR code. "
            "Spaces do not matter.”"
        ),
    )
    confirmed = blocks.TextBlock(
        required=False,
        max_length=500,
        rows=2,
        label=_("Once vouchers have paid"),
        help_text=_("Shown with the vouchers of a payment that is done."),
    )
    checkout = blocks.TextBlock(
        required=False,
        max_length=500,
        rows=3,
        label=_("When vouchers are bought"),
        help_text=_("Shown above the buyer's details. Usually nothing."),
    )

    class Meta:
        icon = "openquote"
        label = _("Own words")
        label_format = "{heading}"


class OwnWordsInLanguagesBlock(blocks.StreamBlock):
    words = OwnWordsBlock()

    def clean(self, value: Any) -> Any:
        """Refuse two sets of words for one language: only one could be shown."""
        cleaned = super().clean(value)
        _refuse_repeated(
            cleaned, "language", _("There are words for this language already.")
        )
        return cleaned
