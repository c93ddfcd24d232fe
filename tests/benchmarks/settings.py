"""The tests' settings, on the database file that a benchmark names."""

import os

from tests.settings import *  # noqa: F403 - all of them
from tests.settings import DATABASES


if "QUOTA_SQLITE" in os.environ:
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["QUOTA_SQLITE"],
    }
