"""The tests' settings as a shop has them."""

from tests.settings import *  # noqa: F403 - all of them
from tests.settings import WAGTAIL_SMARTGIFT


# In memory, whatever database the tests are told of.
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
WAGTAIL_SMARTGIFT = {
    **WAGTAIL_SMARTGIFT,
    "ADD_TO_BASKET": "tests.test_pages.add_to_basket",
}
# What DEBUG would keep of every query is no part of what is measured.
DEBUG = False
