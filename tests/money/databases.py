"""A database for a test alone, that several processes and threads can share."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def temporary_postgres() -> Iterator[dict[str, Any]]:
    """Make a database on the server of SMARTGIFT_TEST_POSTGRES, and drop it again."""
    import psycopg

    parts = dict(
        part.split("=", 1) for part in os.environ["SMARTGIFT_TEST_POSTGRES"].split()
    )
    name = f"smartgift_{uuid.uuid4().hex[:12]}"
    server = psycopg.connect(**{**parts, "dbname": "postgres"}, autocommit=True)
    try:
        server.execute(f"CREATE DATABASE {name}")
        yield {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": name,
            "USER": parts.get("user", ""),
            "PASSWORD": parts.get("password", ""),
            "HOST": parts.get("host", ""),
            "PORT": parts.get("port", ""),
        }
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        server.close()
