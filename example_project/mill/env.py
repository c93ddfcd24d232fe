"""Reads the environment, and says plainly what is wrong with it.

Only this module looks at ``os.environ``; ``settings.py`` gets values that are
checked already.
"""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str = "") -> str:
    """Return a variable; one that is set to nothing counts as not set."""
    return os.environ.get(name, "").strip() or default


def texts(name: str) -> list[str]:
    """Return a variable as a list of one; of none where it is not set."""
    return [text(name)] if text(name) else []


def words(name: str, default: str = "") -> list[str]:
    """Return the parts of a comma-separated variable."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def flag(name: str, *, default: bool) -> bool:
    """Return a switch.

    Raises:
        ImproperlyConfigured: the value is neither yes nor no.
    """
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def number(name: str, kind: type[int] | type[float]) -> Any:
    """Return a number that is zero or more; None where the variable is not set.

    Raises:
        ImproperlyConfigured: the value is not such a number.
    """
    value = text(name)
    if not value:
        return None
    try:
        parsed = kind(value)
    except ValueError:
        parsed = kind(-1)
    # Written so that "nan", which compares with nothing, is refused as well.
    if not 0 <= parsed < 10**9:
        wanted = "a whole number" if kind is int else "a number"
        raise ImproperlyConfigured(
            f"{name} must be {wanted}, zero or more, not {value!r}."
        )
    return parsed


def json_list(name: str, default: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a JSON list of objects.

    Raises:
        ImproperlyConfigured: the value is not JSON, or not a list of objects.
    """
    value = text(name)
    if not value:
        return default
    try:
        parsed = json.loads(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} is not JSON: {error}.") from None
    if not isinstance(parsed, list) or not all(isinstance(i, dict) for i in parsed):
        raise ImproperlyConfigured(f"{name} must be a JSON list of objects.")
    return parsed


def host_of(url: str) -> str:
    """Return the host that an address names.

    Raises:
        ImproperlyConfigured: it is no address.
    """
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        raise ImproperlyConfigured(
            "SMARTGIFT_BASE_URL is no address, such as https://api.example.org."
        ) from None


def database(name: str, *, default: Path) -> dict[str, Any]:
    """Return Django's settings for a database URL.

    ``sqlite:///relative/path``, ``sqlite:////absolute/path`` or
    ``postgresql://user:password@host:port/name?sslmode=require``.

    Raises:
        ImproperlyConfigured: neither of the two, or no name.
    """
    # The address may hold a password, so no message repeats it.
    address = urlsplit(text(name, f"sqlite:///{default}"))
    path = unquote(address.path.removeprefix("/"))
    options = dict(parse_qsl(address.query))
    if address.scheme in {"postgres", "postgresql"}:
        if not path:
            raise ImproperlyConfigured(f"{name} names no database: …/name is missing.")
        try:
            port = address.port
        except ValueError:
            raise ImproperlyConfigured(
                f"{name} has a port that is no number."
            ) from None
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": path,
            "USER": unquote(address.username or ""),
            "PASSWORD": unquote(address.password or ""),
            "HOST": unquote(address.hostname or options.pop("host", "")),
            "PORT": port or options.pop("port", ""),
            "OPTIONS": options,
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    if address.scheme == "sqlite":
        if not path or address.netloc:
            raise ImproperlyConfigured(
                f"{name} needs three slashes and a file: sqlite:///shop.sqlite3."
            )
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(path).absolute()),
            "OPTIONS": {
                # Readers do not wait for the writer.
                "init_command": "PRAGMA journal_mode=WAL;",
                # A transaction asks for the write lock when it begins and waits
                # for it; one that asks half-way fails at once instead.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
            },
        }
    raise ImproperlyConfigured(
        f"{name} must start with sqlite:// or postgresql://, "
        f"not {address.scheme or 'nothing'}://."
    )
