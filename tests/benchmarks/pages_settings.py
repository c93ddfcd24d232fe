"""The tests' settings as a shop has them."""

import re

from PIL import Image

from tests.settings import *  # noqa: F403 - all of them
from tests.settings import REPOSITORY, TEMPLATES, WAGTAIL_SMARTGIFT


# In memory, whatever database the tests are told of.
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
WAGTAIL_SMARTGIFT = {
    **WAGTAIL_SMARTGIFT,
    "ADD_TO_BASKET": "tests.test_pages.add_to_basket",
}
Image.init()
#: What the bare pages show pictures in: what ours do, and what is stored for them.
FORMATS = "format-{avif,webp,jpeg}" if "AVIF" in Image.SAVE else "format-{webp,jpeg}"
CARD_SHAPES = "fill-{480x320,960x640}"
PAGE_SHAPES = "fill-{480x320,960x640,1440x960}"


def with_wagtails_pictures(name: str) -> str:
    """Return a template of ours with Wagtail's own tag for pictures in place of ours."""
    text = (REPOSITORY / "wagtail_smartgift" / "templates" / name).read_text("utf-8")
    for ours, shapes in (("card", CARD_SHAPES), ("page", PAGE_SHAPES)):
        text = re.sub(
            rf'responsive_picture (\S+) "{ours}"',
            rf"picture \1 {FORMATS} {shapes} preserve-svg",
            text,
        )
    return text


_bare = {
    name: with_wagtails_pictures(name)
    for name in ("wagtail_smartgift/card.html", "wagtail_smartgift/voucher_page.html")
}
[_engine] = TEMPLATES
_loaders = [
    ("django.template.loaders.locmem.Loader", _bare),
    ("django.template.loaders.filesystem.Loader", _engine["DIRS"]),
    "django.template.loaders.app_directories.Loader",
]
TEMPLATES = [
    _engine,
    {
        "BACKEND": _engine["BACKEND"],
        "NAME": "bare",
        "OPTIONS": {
            **_engine["OPTIONS"],
            "builtins": ["wagtail.images.templatetags.wagtailimages_tags"],
            "loaders": [("django.template.loaders.cached.Loader", _loaders)],
        },
    },
]
# What DEBUG would keep of every query is no part of what is measured.
DEBUG = False
