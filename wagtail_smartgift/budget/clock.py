"""The database's clock: the one that all hosts which share a budget have in common."""

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import FloatField, Func
from django.db.models.sql.compiler import SQLCompiler


class Clock(Func):
    """Seconds since 1970, as the database sees it at this statement.

    Hosts whose own clocks disagree by seconds would each begin the server's window
    at another moment, and pay for it with refusals.
    """

    output_field = FloatField()
    template = "%(function)s"
    arity = 0

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # Days since noon of 24 November 4714 BC, exact to a fraction of a millisecond.
        sql = "((julianday('now') - 2440587.5) * 86400.0)"
        return self.as_sql(compiler, connection, function=sql, **context)

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # Not now(): that is when the transaction began.
        sql = "EXTRACT(EPOCH FROM clock_timestamp())::double precision"
        return self.as_sql(compiler, connection, function=sql, **context)

    def as_mysql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any
    ) -> tuple[str, Any]:
        # By MySQL's manual (8.0.17); the tests run on the other two.
        sql = "CAST(UNIX_TIMESTAMP(SYSDATE(6)) AS DOUBLE)"
        return self.as_sql(compiler, connection, function=sql, **context)
