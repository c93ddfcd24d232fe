"""The shapes and formats that pictures are shown in, and where each of them is.

Wagtail makes a rendition within the request of the first page that shows it: six for
each card of an index. Pages of ours make none. What is not there yet has an address of
ours, at which it is made for the first browser that asks for it; the next page leads
straight to the file. ``services.renditions`` makes them before anybody asks.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import quote

from django.core.files.storage import Storage
from django.urls import NoReverseMatch, reverse
from wagtail.images.models import Filter
from wagtail.images.shortcuts import get_renditions_or_not_found
from wagtail.images.utils import generate_signature, to_svg_safe_spec


#: What our templates ask for. A list reads that of its cards for all of them at once.
CARD_SHAPES = "fill-{480x320,960x640}"
PAGE_SHAPES = "fill-{480x320,960x640,1440x960}"
BODY_SHAPES = "width-{480,960,1440}"
#: What networks show a large picture at.
SOCIAL_FILTER = "fill-1200x630|format-jpeg"


@cache
def picture_filters(shapes: str) -> tuple[str, ...]:
    """Return the filters of a picture in these shapes, in every format there is here.

    AVIF is a third smaller than WebP, and needs a Pillow that was built with it.
    """
    from PIL import Image

    Image.init()
    formats = "avif,webp,jpeg" if "AVIF" in Image.SAVE else "webp,jpeg"
    specs = [f"format-{{{formats}}}", shapes, "preserve-svg"]
    return tuple(Filter.expand_spec(specs))


@cache
def stored_filters(specs: tuple[str, ...], *, is_svg: bool) -> tuple[Filter, ...]:
    """Return each filter once, called as where Wagtail keeps what came of it.

    It leaves ``preserve-svg`` out of the name, and all of an SVG's but its shape. A
    filter reads its name only once, which for a whole index takes a while.
    """
    names = []
    for spec in specs:
        parts = spec.split("|")
        plain = "|".join(part for part in parts if part != "preserve-svg")
        drawn = is_svg and "preserve-svg" in parts
        names.append(to_svg_safe_spec(plain) if drawn else plain)
    return tuple(Filter(spec=name) for name in dict.fromkeys(names))


def stored_names(shapes: str) -> set[str]:
    """Return what is to be read for a list of pictures in these shapes."""
    specs = picture_filters(shapes)
    return {
        one.spec
        for is_svg in (False, True)
        for one in stored_filters(specs, is_svg=is_svg)
    }


def renditions_of(image: Any, specs: tuple[str, ...]) -> dict[str, Any]:
    """Return a rendition for each filter, by its name, without making one.

    Those that are missing are no rows, and have the address that makes them. Only where
    a host has not mounted our addresses they are made at once, as Wagtail would.
    """
    filters = stored_filters(specs, is_svg=image.is_svg())
    found = image.find_existing_renditions(*filters)
    _keep_in_cache(image, found.values())
    if len(found) < len(filters):
        base = _base()
        if base is None:
            made: dict[str, Any] = get_renditions_or_not_found(image, filters)
            return made
        sizes = {_shape(one): (it.width, it.height) for one, it in found.items()}
        for one in filters:
            if one not in found:
                found[one] = _unmade(image, one, sizes.get(_shape(one)), base)
    return {one.spec: found[one] for one in filters}


def _base() -> str | None:
    """Return what all addresses of pictures begin with; None: they are not mounted."""
    try:
        some = reverse("wagtail_smartgift:picture", args=["-", 0, "-"])
    except NoReverseMatch:
        return None
    return some.removesuffix("-/0/-/")


def _shape(filter: Filter) -> str:
    parts = filter.spec.split("|")
    return "|".join(part for part in parts if not part.startswith("format-"))


def _unmade(image: Any, filter: Filter, size: tuple[int, int] | None, base: str) -> Any:
    """Return an unsaved rendition whose file is the address that makes it.

    Its size is that of another format, where there is one: what Wagtail knows of a
    photograph that lies on its side is its size before it is turned.
    """
    width, height = size or filter.get_transform(image).size
    rendition = image.get_rendition_model()(
        image=image,
        filter_spec=filter.spec,
        focal_point_key=filter.get_cache_key(image),
        width=width,
        height=height,
    )
    signature = generate_signature(image.pk, filter.spec)
    rendition.file.name = f"{base}{signature}/{image.pk}/{quote(filter.spec)}/"
    rendition.file.storage = _Addresses()
    return rendition


class _Addresses(Storage):
    """Has no files: what they are called is their address."""

    def url(self, name: str | None) -> str:
        return name or ""


def _keep_in_cache(image: Any, found: Iterable[Any]) -> None:
    """Keep what was read where Wagtail looks first; what was prefetched needs none."""
    read = [one for one in found if not getattr(one, "_from_cache", False)]
    if read:
        cache = image.get_rendition_model().cache_backend
        cache.set_many({one.get_cache_key(): one for one in read})
