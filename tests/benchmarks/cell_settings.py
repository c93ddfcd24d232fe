"""The settings of a benchmark's cell: the suite's, on a database that outlives it."""

from tests.money.nursery_settings import *  # noqa: F403 - all of them


LOGGING_CONFIG = None
