"""Making what the pictures of voucher pages are shown as, before anybody asks for it.

It only saves the first visitors time: what nobody has made yet is made when a browser
asks for it. So nothing here is owed, and no sweep looks for what is missing.
"""

import logging
from collections.abc import Iterator
from typing import Any

from wagtail_smartgift.blocks import PictureBlock
from wagtail_smartgift.models import AbstractVoucherIndexPage, AbstractVoucherPage
from wagtail_smartgift.models.pages import index_page_models, voucher_page_models
from wagtail_smartgift.renditions import (
    BODY_SHAPES,
    PAGE_SHAPES,
    SOCIAL_FILTER,
    picture_filters,
    stored_filters,
)
from wagtail_smartgift.services import nudges


logger = logging.getLogger(__name__)


def live_pages() -> Iterator[Any]:
    """Yield every published page about vouchers."""
    models: list[Any] = [*voucher_page_models(), *index_page_models()]
    for model in models:
        yield from model.objects.live().iterator()


def make_renditions(page: Any) -> int:
    """Make those that are missing of all that a page and its card show; returns how many.

    A picture that cannot be read is left out, and the log says why.
    """
    return sum(_make(image, specs) for image, specs in _pictures(page))


def make_soon(instance: Any, **_values: Any) -> None:
    """Have them made once a page was published, where the host has a worker.

    Elsewhere its editor would wait for it.
    """
    ours = isinstance(instance, (AbstractVoucherPage, AbstractVoucherIndexPage))
    if ours and not nudges.runs_in_the_request():
        nudges.nudge("make_renditions", instance._meta.label, instance.pk)


def _pictures(page: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    image = getattr(page, "image", None)
    if isinstance(page, AbstractVoucherPage) and image is not None:
        # The shapes of cards are among them.
        specs = picture_filters(PAGE_SHAPES)
        yield image, specs if image.is_svg() else (*specs, SOCIAL_FILTER)
    for part in page.body:
        if isinstance(part.block, PictureBlock) and part.value is not None:
            yield part.value, picture_filters(BODY_SHAPES)


def _make(image: Any, specs: tuple[str, ...]) -> int:
    filters = stored_filters(specs, is_svg=image.is_svg())
    found = image.find_existing_renditions(*filters)
    made = 0
    try:
        # One by one: of two that make the same at once, both get the same.
        for one in filters:
            if one not in found:
                image.get_rendition(one)
                made += 1
    except Exception as error:  # noqa: BLE001 - whatever a broken file makes of it
        logger.warning("Image %s cannot be shown: %s", image.pk, type(error).__name__)
    return made
