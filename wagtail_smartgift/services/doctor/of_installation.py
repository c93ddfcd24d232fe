"""Is it installed and set up as it should be?"""

from collections.abc import Iterator, Sequence

from django.core.checks import ERROR, Tags, run_checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, router
from django.db.migrations.executor import MigrationExecutor

from wagtail_smartgift.models import PaymentSession
from wagtail_smartgift.services.doctor.findings import Finding, fault, ok, warning


APP = "wagtail_smartgift"
#: What the doctor looks at more closely itself.
_ELSEWHERE = frozenset({f"{APP}.W013"})


def settings() -> Iterator[Finding]:
    """Run the plugin's system checks of settings and project."""
    yield from _checks("settings", "nothing is wrong with them")


def database() -> Iterator[Finding]:
    """See whether the database answers and has the tables of this version."""
    connection = connections[alias()]
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
    except DatabaseError as error:
        yield fault(
            "database",
            f"it cannot be used ({type(error).__name__})",
            "See that it runs, and that DATABASES has its address and password.",
        )
        return
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == APP]
    missing = [migration.name for migration, _ in executor.migration_plan(targets)]
    if missing:
        yield fault(
            "database",
            f"migrations are not applied: {', '.join(missing)}",
            "Run `manage.py migrate`.",
        )
    else:
        yield ok("database", "it answers, and all migrations are applied")


def stranded_rows() -> Iterator[Finding]:
    """Report rows that nobody may finish or give back, and sites without an account."""
    yield from _checks(
        "accounts",
        "nothing that is unfinished, or may be refunded, is another key's",
        databases=[alias()],
    )


def alias() -> str:
    """Return the database that the plugin's rows are in."""
    return router.db_for_write(PaymentSession) or DEFAULT_DB_ALIAS


def _checks(
    about: str, fine: str, *, databases: Sequence[str] | None = None
) -> Iterator[Finding]:
    tags = [Tags.database] if databases else None
    found = [
        message
        for message in run_checks(tags=tags, databases=databases)
        if str(message.id).startswith(f"{APP}.")
        and message.id not in _ELSEWHERE
        and not message.is_silenced()
    ]
    for message in found:
        say = fault if message.level >= ERROR else warning
        number = str(message.id).rpartition(".")[2]
        yield say(about, f"{message.msg} ({number})", message.hint or "")
    if not found:
        yield ok(about, fine)
