"""The shapes and formats that pictures are shown in, and where each of them is.

Wagtail makes a rendition within the request of the first page that shows it: six for
each card of an index. Pages of ours make none. What is not there yet has an address of
ours, at which it is made for the first browser that asks for it; the next page leads
straight to the file. ``services.renditions`` makes them before anybody asks.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

from django.core.files.storage import Storage
from django.db.models import Prefetch, Q, prefetch_related_objects
from django.urls import NoReverseMatch, reverse
from PIL.Image import DecompressionBombError
from wagtail.images import get_image_model
from wagtail.images.models import Filter
from wagtail.images.shortcuts import get_renditions_or_not_found
from wagtail.images.utils import generate_signature, to_svg_safe_spec


#: What our templates ask for, by the name that they call it. The shapes of cards are
#: among those of pages.
CARD_SHAPES = "fill-{480x320,960x640}"
PAGE_SHAPES = "fill-{480x320,960x640,1440x960}"
BODY_SHAPES = "width-{480,960,1440}"
SHAPES = {"card": CARD_SHAPES, "page": PAGE_SHAPES, "body": BODY_SHAPES}
#: What networks show a large picture at.
SOCIAL_FILTER = "fill-1200x630|format-jpeg"
#: Seconds that is remembered whether a picture can be made.
REMEMBERED = 600
#: What comes of a picture that cannot be read or written: Wagtail's errors and the
#: system's, Willow's (LookupError: it knows no way), and those of Pillow and its encoders.
BROKEN = (
    OSError,
    *(LookupError, DecompressionBombError, RuntimeError, SyntaxError, ValueError),
)


@cache
def picture_specs(shapes: str) -> tuple[str, ...]:
    """Return the filters of a picture in these shapes, in every format there is here.

    ``shapes`` are filters as Wagtail's ``picture`` takes them, or a name of ours. AVIF
    is a third smaller than WebP, and needs a Pillow that was built with it.
    """
    from PIL import Image

    Image.init()
    formats = "avif,webp,jpeg" if "AVIF" in Image.SAVE else "webp,jpeg"
    shapes = SHAPES.get(shapes, shapes)
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


def stored_specs(shapes: str) -> frozenset[str]:
    """Return what is to be read for a list of pictures in these shapes."""
    specs = picture_specs(shapes)
    return frozenset(
        one.spec
        for is_svg in (False, True)
        for one in stored_filters(specs, is_svg=is_svg)
    )


def read_pictures(pages: Sequence[Any], shapes: str) -> None:
    """Read the images of these pages, and those of their renditions that exist.

    Two queries, however many pages there are. Pages of one model.
    """
    specs = stored_specs(shapes)
    images = get_image_model().objects.prefetch_renditions(*specs)
    prefetch_related_objects(pages, Prefetch("image", queryset=images))
    for page in pages:
        if hasattr(page.image, "prefetched_renditions"):
            page.image._smartgift_read = specs


def existing_renditions(image: Any, filters: Sequence[Filter]) -> dict[Filter, Any]:
    """Return a rendition for each filter that has one.

    Wagtail takes what was read for a list to be all that there is. Another shape than
    that list's is looked for: in Wagtail's cache, and the rest by one query.
    """
    found: dict[Filter, Any] = {}
    if hasattr(image, "prefetched_renditions"):
        found.update(image.find_existing_renditions(*filters))
    read: frozenset[str] = getattr(image, "_smartgift_read", frozenset())
    rest = [one for one in filters if one not in found and one.spec not in read]
    if not rest:
        return found
    model = image.get_rendition_model()
    keys = {_cache_key(image, one): one for one in rest}
    for key, rendition in model.cache_backend.get_many(keys).items():
        rendition.image = image
        found[keys[key]] = rendition
    missing = {key: one for key, one in keys.items() if one not in found}
    if missing:
        stored = Q()
        for one in missing.values():
            stored |= Q(filter_spec=one.spec, focal_point_key=one.get_cache_key(image))
        new = {one.get_cache_key(): one for one in image.renditions.filter(stored)}
        if new:
            model.cache_backend.set_many(new)
        found |= {missing[key]: rendition for key, rendition in new.items()}
    return found


def renditions_of(image: Any, specs: tuple[str, ...]) -> dict[str, Any]:
    """Return a rendition for each filter, by its name, without making one.

    Those that are missing are no rows, and have the address that makes them. Only where
    a host has not mounted our addresses they are made at once, as Wagtail would.
    """
    filters = stored_filters(specs, is_svg=image.is_svg())
    found = existing_renditions(image, filters)
    missing = [one for one in filters if one not in found]
    if missing:
        base = _base()
        if base is None:
            made = get_renditions_or_not_found(image, missing)
            found |= {one: made[one.spec] for one in missing}
        else:
            sizes = {_shape(one): (it.width, it.height) for one, it in found.items()}
            for one in missing:
                found[one] = _unmade(image, one, sizes.get(_shape(one)), base)
    return {one.spec: found[one] for one in filters}


def social_rendition(image: Any) -> Any | None:
    """Return what networks show of an image; None: it is a drawing, lost or broken.

    A network that is told of a picture and gets none shows a gap, and asks no more.
    """
    if image.is_svg():
        return None
    try:
        [rendition] = renditions_of(image, (SOCIAL_FILTER,)).values()
    except BROKEN:
        # Made at once, on a host that has not mounted our addresses.
        return None
    if rendition.pk is None and not _can_be_made(image, Filter(spec=SOCIAL_FILTER)):
        return None
    return rendition


def remember_broken(image: Any, filter: Filter) -> None:
    """Keep in mind that this was tried and came to nothing."""
    cache = image.get_rendition_model().cache_backend
    cache.set(_memory_key(image, filter), False, REMEMBERED)


def _can_be_made(image: Any, filter: Filter) -> bool:
    """Tell whether the original begins as a picture, and nobody failed to make this."""
    cache, key = image.get_rendition_model().cache_backend, _memory_key(image, filter)
    known = cache.get(key)
    if known is None:
        try:
            with image.get_willow_image():
                known = True
        except BROKEN:
            known = False
        cache.set(key, known, REMEMBERED)
    return bool(known)


def _cache_key(image: Any, filter: Filter) -> str:
    model = image.get_rendition_model()
    key: str = model.construct_cache_key(
        image, filter.get_cache_key(image), filter.spec
    )
    return key


def _memory_key(image: Any, filter: Filter) -> str:
    return f"smartgift-can-be-made-{_cache_key(image, filter)}"


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
    if image.file_hash:
        # Another file, another address: a browser remembers where this one led.
        rendition.file.name += f"?{image.file_hash[:8]}"
    rendition.file.storage = _Addresses()
    return rendition


class _Addresses(Storage):
    """Has no files: what they are called is their address."""

    def url(self, name: str | None) -> str:
        return name or ""
