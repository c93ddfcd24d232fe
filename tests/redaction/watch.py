"""Everything that a flow lets out, and where a secret is in it.

``Watch`` looks on while a flow runs: each record of each logger, each answer to a
browser or a server, each exception, what commands print, warnings, and the local
variables of every function of ours at its end, since any of them may be the one that a
crash shows. Afterwards it reads the whole database.
"""

import base64
import io
import json
import logging
import re
import sys
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import unquote_plus
from uuid import UUID

from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import LazyObject, Promise

import wagtail_smartgift


PACKAGE = Path(wagtail_smartgift.__file__).resolve().parent
#: The other side of the wire knows every number, and has to; what hides a text has it in
#: its hands; and a host's tests show what they like.
NOT_OURS = (PACKAGE / "sandbox", PACKAGE / "redaction.py", PACKAGE / "testing.py")
#: Secrets that are made on the way, by their looks.
SHAPES = {
    "a hold token": ("hold_token_", re.compile(r"hold_token_[A-Za-z0-9]{24}")),
    "a client secret": ("sgs_", re.compile(r"sgs_[A-Za-z0-9_-]{40,}")),
}


class Leak(AssertionError):
    """A secret was seen."""


class Watch:
    def __init__(self, secrets: Mapping[str, str]) -> None:
        #: What it is -> the part of it that must be seen nowhere.
        self.secrets = dict(secrets)
        self.leaks: set[str] = set()
        #: How much was looked at, so that a test that saw nothing is noticed.
        self.seen: dict[str, int] = {}

    # -- looking -----------------------------------------------------------------------

    def look(self, where: str, text: object, *, but: tuple[str, ...] = ()) -> None:
        """Note each secret that is in a text; ``but`` are those that belong there."""
        kind = where.partition(":")[0]
        self.seen[kind] = self.seen.get(kind, 0) + 1
        plain = text if isinstance(text, str) else str(text)
        for form in (plain, unquote_plus(plain)) if "%" in plain else (plain,):
            folded = form.lower()
            for name, secret in self.secrets.items():
                if secret.lower() in folded and name not in but:
                    self.leaks.add(f"{name} in {where}")
            for name, (start, shape) in SHAPES.items():
                if start in form and name not in but and shape.search(form):
                    self.leaks.add(f"{name} in {where}")

    def exception(self, error: BaseException, where: str) -> None:
        """Look at an exception, and at all that hangs on it."""
        seen: set[int] = set()
        hanging: list[BaseException | None] = [error]
        while hanging:
            one = hanging.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            for text in (str(one), repr(one), repr(one.args), repr(vars(one))):
                self.look(f"exception: {type(one).__name__} of {where}", text)
            hanging += [one.__cause__, one.__context__]
        self.look(
            f"exception: traceback of {where}",
            "".join(traceback.format_exception(error)),
        )

    def database(self) -> None:
        """Look at every column of every table, as it is stored."""
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                name = connection.ops.quote_name(table)
                cursor.execute(f"SELECT * FROM {name}")
                columns = [column[0] for column in cursor.description]
                for row in cursor.fetchall():
                    for column, value in zip(columns, row, strict=True):
                        self.look(f"database: {table}.{column}", _as_text(value))
        # Compressed, and readable by whoever has the database.
        for session in Session.objects.all():
            self.look(
                "database: a visitor's session", json.dumps(session.get_decoded())
            )

    def check(self) -> None:
        """Raise with all that was seen."""
        if self.leaks:
            raise Leak("\n".join(sorted(self.leaks)))

    # -- looking on --------------------------------------------------------------------

    @contextmanager
    def looking_on(self) -> Iterator[None]:
        """Watch what happens in the block."""
        handler = _Records(self)
        loggers = [logging.getLogger(), *_loggers()]
        levels = [(one, one.level, one.disabled) for one in loggers]
        outer = sys.getprofile()
        loggers[0].addHandler(handler)
        try:
            for one in loggers:
                one.setLevel(logging.DEBUG)
                one.disabled = False
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                sys.setprofile(self._frame)
                try:
                    yield
                finally:
                    sys.setprofile(outer)
            for warning in heard:
                self.look("warning:", str(warning.message))
        finally:
            loggers[0].removeHandler(handler)
            for one, level, disabled in levels:
                one.setLevel(level)
                one.disabled = disabled

    def _frame(self, frame: FrameType, event: str, _argument: Any) -> None:
        if event != "return" or not _is_ours(frame.f_code.co_filename):
            return
        if frame.f_code.co_name in _EXEMPT:
            return
        sys.setprofile(None)
        try:
            function = f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"
            for name, value in frame.f_locals.items():
                if type(value) in _PLAIN:
                    continue
                self.look(f"frame: {function}: {name}", shown(value))
        finally:
            sys.setprofile(self._frame)


class _Records(logging.Handler):
    """Looks at records as the most talkative formatter would print them."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.DEBUG)
        self._watch = watch
        self._formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")

    def emit(self, record: logging.LogRecord) -> None:
        where = f"log: {record.name} {record.levelname}"
        self._watch.look(where, self._formatter.format(record))
        self._watch.look(where, repr(vars(record)))
        if record.exc_info and record.exc_info[1] is not None:
            self._watch.exception(record.exc_info[1], where)


#: What listens to Django's signal for changed settings, which tests alone send.
_EXEMPT = {"_forget"}
#: Kinds of values that no secret is of.
_PLAIN = {int, float, bool, type(None), Decimal, UUID, datetime, timedelta, type}


def _loggers() -> list[logging.Logger]:
    known = logging.Logger.manager.loggerDict.values()
    return [one for one in known if isinstance(one, logging.Logger)]


@cache
def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(PACKAGE) and not any(
        path.is_relative_to(other) for other in NOT_OURS
    )


def shown(value: object) -> str:
    """Return what an error page shows of a variable, without asking the database."""
    if isinstance(value, (QuerySet, LazyObject, Promise)):
        return ""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a half-made object has no repr
        return f"<{type(error).__name__}>"


def _as_text(value: object) -> str:
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).decode("latin-1")
    if isinstance(value, (dict, list)):
        return json.dumps(value, default=str)
    text = "" if value is None else str(value)
    if len(text) > 12 and re.fullmatch(r"[A-Za-z0-9+/=]+", text):
        # Base64 hides nothing.
        with suppress(ValueError):
            text += base64.b64decode(text, validate=True).decode("latin-1")
    return text


class Output(io.StringIO):
    """Where a command prints, and its end of the terminal."""

    def isatty(self) -> bool:
        return True
