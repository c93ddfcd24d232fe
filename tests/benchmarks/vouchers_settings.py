"""The tests' settings with Wagtail's own APIs beside ours."""

from importlib.util import find_spec

from tests.settings import *  # noqa: F403 - all of them
from tests.settings import INSTALLED_APPS


# In memory, whatever database the tests are told of.
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
ROOT_URLCONF = "tests.benchmarks.vouchers_urls"
WAGTAILAPI_LIMIT_MAX = None
# What DEBUG would keep of every query is no part of what is measured.
DEBUG = False
INSTALLED_APPS = [*INSTALLED_APPS, "wagtail.api.v2", "rest_framework"]
if find_spec("wagtail.api.v3"):
    INSTALLED_APPS.append("wagtail.api.v3")
