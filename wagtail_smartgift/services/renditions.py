"""Making what the pictures of voucher pages are shown as: for a browser that asks, and
before one does.

The latter only saves the first visitors time. So nothing here is owed, and no sweep
looks for what is missing.
"""

import logging
import time
from collections.abc import Iterator
from threading import BoundedSemaphore
from typing import Any, NamedTuple

from django.core.cache import cache
from wagtail.images.models import Filter

from wagtail_smartgift.blocks import PictureBlock
from wagtail_smartgift.models import AbstractVoucherIndexPage, AbstractVoucherPage
from wagtail_smartgift.models.pages import index_page_models, voucher_page_models
from wagtail_smartgift.renditions import (
    BODY_SHAPES,
    BROKEN,
    PAGE_SHAPES,
    SOCIAL_FILTER,
    existing_renditions,
    picture_specs,
    remember_broken,
    stored_filters,
)
from wagtail_smartgift.services import nudges


logger = logging.getLogger(__name__)

#: Seconds that one waits for another who makes the same, and for a turn.
PATIENCE = 10.0
#: How many a process makes at once: each takes a processor, and pages need some too.
AT_ONCE = 2
#: Seconds after which whoever makes one is taken for dead.
LEASE = 60
#: Seconds between two looks.
PAUSE = 0.1

_turns = BoundedSemaphore(AT_ONCE)


class PictureBusyError(Exception):
    """Others are making pictures; this one is worth asking for again."""


class Made(NamedTuple):
    #: How many were missing and are there now.
    made: int
    #: How many cannot be made.
    failed: int


def make_rendition(image: Any, spec: str) -> Any:
    """Return what a filter makes of an image, made now if it is not there.

    Of several who ask at once one makes it and the others wait, if their processes share
    Django's default cache. Otherwise each makes it, and the first is kept.

    Raises:
        PictureBusyError: ten seconds were not enough for its turn to come.
        OSError, ValueError, …: one of ``renditions.BROKEN``; it cannot be made.
    """
    wanted: Filter = image.clean_filter_for_svg(Filter(spec=spec))
    key = image.get_rendition_model().construct_cache_key(
        image, wanted.get_cache_key(image), wanted.spec
    )
    claim = f"smartgift-making-{key}"
    until = time.monotonic() + PATIENCE
    while True:
        found = existing_renditions(image, [wanted])
        if found:
            return found[wanted]
        if cache.add(claim, True, LEASE):
            try:
                return _make(image, wanted, until)
            finally:
                cache.delete(claim)
        if time.monotonic() >= until:
            raise PictureBusyError
        time.sleep(PAUSE)


def live_pages() -> Iterator[Any]:
    """Yield every published page about vouchers."""
    models: list[Any] = [*voucher_page_models(), *index_page_models()]
    for model in models:
        yield from model.objects.live().iterator()


def make_renditions(page: Any) -> Made:
    """Make those that are missing of all that a page and its card show.

    What cannot be made is left out, and the log says why.
    """
    made = failed = 0
    for image, specs in _pictures(page):
        filters = stored_filters(specs, is_svg=image.is_svg())
        found = existing_renditions(image, filters)
        for one in filters:
            if one in found:
                continue
            try:
                make_rendition(image, one.spec)
            except (PictureBusyError, *BROKEN) as error:
                failed += 1
                logger.warning(
                    "Image %s cannot be shown as %s: %s",
                    image.pk,
                    one.spec,
                    type(error).__name__,
                )
            else:
                made += 1
    return Made(made, failed)


def make_soon(instance: Any, **_values: Any) -> None:
    """Have them made once a page was published, where the host has a worker.

    Elsewhere its editor would wait for it.
    """
    ours = isinstance(instance, (AbstractVoucherPage, AbstractVoucherIndexPage))
    if ours and not nudges.runs_in_the_request():
        nudges.nudge(
            "make_renditions",
            *(instance._meta.label, instance.pk),
            otherwise="browsers have its pictures made",
        )


def _pictures(page: Any) -> Iterator[tuple[Any, tuple[str, ...]]]:
    image = getattr(page, "image", None)
    if isinstance(page, AbstractVoucherPage) and image is not None:
        # The shapes of cards are among them.
        specs = picture_specs(PAGE_SHAPES)
        yield image, specs if image.is_svg() else (*specs, SOCIAL_FILTER)
    for part in page.body:
        if isinstance(part.block, PictureBlock) and part.value is not None:
            yield part.value, picture_specs(BODY_SHAPES)


def _make(image: Any, wanted: Filter, until: float) -> Any:
    if not _turns.acquire(timeout=max(0.0, until - time.monotonic())):
        raise PictureBusyError
    try:
        return image.get_rendition(wanted)
    except BROKEN:
        remember_broken(image, wanted)
        raise
    finally:
        _turns.release()
