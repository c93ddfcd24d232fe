"""The settings of processes that are about to die: the suite's, on a database of theirs."""

import json
import os

from tests.settings import *  # noqa: F403 - the same host, elsewhere


class _NoMigrations:
    """Make the tables from the models: what is tested here is not the migrations."""

    def __contains__(self, app: str) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


MIGRATION_MODULES = _NoMigrations()
DATABASES = {"default": json.loads(os.environ["SMARTGIFT_NURSERY_DATABASE"])}
