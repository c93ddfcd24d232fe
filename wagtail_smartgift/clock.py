"""The database's clock: the one that all hosts of a shop have in common.

Hosts' own clocks disagree, by seconds where they are kept in step and by minutes where
nobody looks. Whoever compares a time that another host wrote down with its own clock
sees a claim as over whose worker is at work, or a request as settled that has only just
been sent. So what money depends on is written and compared in the database's time.
"""

import datetime as dt
from typing import Any

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import FloatField, Func
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone


#: By vendor: seconds since 1970, as the database sees it at this statement.
_EPOCH = {
    # Days since noon of 24 November 4714 BC, exact to a fraction of a millisecond.
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    # Not now(): that is when the transaction began.
    "postgresql": "EXTRACT(EPOCH FROM clock_timestamp())::double precision",
    # By MySQL's manual (8.0.17); the tests run on the other two.
    "mysql": "CAST(UNIX_TIMESTAMP(SYSDATE(6)) AS DOUBLE)",
}


class Clock(Func):
    """Seconds since 1970, as the database sees it at this statement."""

    output_field = FloatField()
    template = "%(function)s"
    arity = 0

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        *args: Any,
        **context: Any,
    ) -> tuple[str, Any]:
        context.setdefault("function", _EPOCH[connection.vendor])
        return super().as_sql(compiler, connection, *args, **context)


def now() -> dt.datetime:
    """Return the database's time at this statement.

    SQLite is a library in this very process, so its clock is this host's, and whoever
    shares the file shares the host.
    """
    epoch = _EPOCH.get(connection.vendor)
    if epoch is None or connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {epoch}")
        [seconds] = cursor.fetchone()
    return dt.datetime.fromtimestamp(seconds, tz=dt.timezone.utc)
