"""Changing keys under a running shop: encrypting anew, and fingerprinting anew.

Both go through the columns of ``models.sealed`` row by row, in autocommit: each write is
a conditional UPDATE on what was read, so that a row that a customer's request changes
meanwhile keeps the request's value, and a run that is killed is simply begun again.

New fingerprints are made from the decrypted numbers, so the old key is not needed. They
are collected in ``fingerprint_next`` first, however long that takes, and then put in
force all at once, in one transaction that keeps writers out for a moment: at no time do
live rows have fingerprints of two keys, and so no voucher can be live twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, OperationalError, connections, router, transaction
from django.db.models import F, Model, QuerySet

from wagtail_smartgift import codes, keycheck
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import KeyCheck
from wagtail_smartgift.models.sealed import (
    FINGERPRINT_COLUMNS,
    FingerprintColumn,
    SealedColumn,
)
from wagtail_smartgift.services import keys


#: Rows that are read at once.
BATCH = 500
#: Rows written while the new fingerprints were collected, that are made up for while
#: writers wait; where there are more, collecting goes on.
_MOST_LATE = 1000
#: Seconds that the change waits for writers to be out, and how often it is tried.
_LOCK_SECONDS, _TRIES = 3, 10

Progress = Callable[[str, int, int], None]


class RekeyError(Exception):
    """The fingerprints could not be changed; nothing of it is in force."""


@dataclass
class Tally:
    """What was done in one column, in rows."""

    column: str
    #: Written with the new key, or to be.
    changed: int = 0
    #: Of the new key already.
    current: int = 0
    #: Changed by somebody else at that moment, so left to the next pass.
    busy: int = 0
    #: Primary keys of what no configured key opens.
    unreadable: list[str] = field(default_factory=list)
    #: Primary keys of live rows whose voucher is live in another row as well.
    doubled: list[str] = field(default_factory=list)


# -- encrypting -------------------------------------------------------------------------


def reencrypt(
    column: SealedColumn,
    *,
    dry_run: bool = False,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> Tally:
    """Make one pass over a column: encrypt with the first key what another one opens."""
    tally = Tally(str(column))
    for pk, token in _walk(column, [column.field], batch, tally.column, progress):
        try:
            sealed = codes.reencrypt(token, keys=get_conf().encryption_keys)
        except codes.UndecryptableError:
            tally.unreadable.append(str(pk))
            continue
        if sealed is None:
            tally.current += 1
        elif dry_run or _update(column.model, pk, {column.field: token}, sealed):
            tally.changed += 1
        else:
            tally.busy += 1
    return tally


def _update(model: type[Model], pk: Any, read: dict[str, str], value: str) -> bool:
    """Write ``value`` over what was read, unless it is something else by now."""
    [name] = read
    return bool(_rows(model).filter(pk=pk, **read).update(**{name: value}))


def _rows(model: type[Model]) -> "QuerySet[Any]":
    # Never a replica: it would show what has been changed long ago.
    return model._default_manager.using(router.db_for_write(model)).order_by()


def _walk(
    column: SealedColumn,
    names: Sequence[str],
    batch: int,
    title: str,
    progress: Progress | None,
) -> Iterator[tuple[Any, ...]]:
    """Yield ``(pk, *names)`` of every row that has something sealed, a batch at a time."""
    rows = _rows(column.model).exclude(**{column.field: ""}).order_by("pk")
    total, done, last = rows.count(), 0, None
    while True:
        after = rows if last is None else rows.filter(pk__gt=last)
        chunk = list(after.values_list("pk", *names)[:batch])
        if not chunk:
            return
        yield from chunk
        last, done = chunk[-1][0], done + len(chunk)
        if progress is not None:
            progress(title, done, max(total, done))


# -- fingerprinting ---------------------------------------------------------------------


def refingerprint(
    *,
    dry_run: bool = False,
    leave_unreadable: bool = False,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> list[Tally]:
    """See that every stored fingerprint is of the configured key.

    ``leave_unreadable`` changes the key although some numbers cannot be read; their
    vouchers are not found by them any more.

    Raises:
        RekeyError: some numbers cannot be read, the tables are too busy, or a voucher
            would be live twice.
    """
    mine, stored = keycheck.check_value(), keycheck.stored()
    if not stored and not dry_run:
        # From the first run on, whether or not a voucher has been stored yet.
        keys.require_ours()
    if stored in {"", mine}:
        return [_mend(column, dry_run, batch, progress) for column in _COLUMNS]
    if not dry_run:
        _begin(stored, mine)
    for _attempt in range(_TRIES):
        tallies = [_collect(column, dry_run, batch, progress) for column in _COLUMNS]
        if dry_run:
            return tallies
        unreadable = sum(len(tally.unreadable) for tally in tallies)
        if unreadable and not leave_unreadable:
            raise RekeyError(
                f"{unreadable} voucher numbers cannot be read, so they cannot be "
                "fingerprinted anew. Put the missing encryption key back at the end of "
                "ENCRYPTION_KEYS, or leave these rows behind with --leave-unreadable."
            )
        if _put_in_force(stored, mine, tallies):
            return tallies
    raise RekeyError(
        "The shop writes too much to change the key now; it goes on with the old one. "
        "Run the command again at a quieter time."
    )


_COLUMNS = FINGERPRINT_COLUMNS
_READ = ("fingerprint", "fingerprint_next")


def _fingerprint(token: str, alias: str) -> str:
    number = codes.decrypt(token, keys=get_conf().encryption_keys)
    return codes.fingerprint(number, account=alias, key=get_conf().fingerprint_key)


def _mend(
    column: FingerprintColumn, dry_run: bool, batch: int, progress: Progress | None
) -> Tally:
    """Find what a process with the old settings wrote after the change."""
    tally = Tally(f"{column.model._meta.verbose_name} (fingerprint)")
    names = [column.sealed.field, column.account, *_READ]
    for pk, token, alias, old, _next in _walk(
        column.sealed, names, batch, tally.column, progress
    ):
        try:
            new = _fingerprint(token, alias)
        except codes.UndecryptableError:
            tally.unreadable.append(str(pk))
            continue
        if new == old:
            tally.current += 1
            continue
        try:
            with transaction.atomic():
                moved = dry_run or _update(column.model, pk, {"fingerprint": old}, new)
            tally.changed += moved
            tally.busy += not moved
        except IntegrityError:
            tally.doubled.append(str(pk))
    return tally


def _begin(stored: str, mine: str) -> None:
    """Note whose fingerprints are collected; throw away those of a third key."""
    with transaction.atomic(durable=True):
        # The UPDATE first: it is the lock against a second command.
        again = KeyCheck.objects.filter(
            purpose=keycheck.FINGERPRINT, check_value=stored, next_check_value=mine
        ).update(next_check_value=mine)
        if again:
            return
        begun = KeyCheck.objects.filter(
            purpose=keycheck.FINGERPRINT, check_value=stored
        ).update(next_check_value=mine)
        if not begun:
            raise RekeyError("Another command has just changed the key.")
        for column in _COLUMNS:
            _rows(column.model).exclude(fingerprint_next="").update(fingerprint_next="")


def _collect(
    column: FingerprintColumn, dry_run: bool, batch: int, progress: Progress | None
) -> Tally:
    """Put what the new key makes of each number beside what the old one made."""
    tally = Tally(f"{column.model._meta.verbose_name} (fingerprint)")
    names = [column.sealed.field, column.account, *_READ]
    for pk, token, alias, old, collected in _walk(
        column.sealed, names, batch, tally.column, progress
    ):
        try:
            new = _fingerprint(token, alias)
        except codes.UndecryptableError:
            tally.unreadable.append(str(pk))
            continue
        tally.changed += 1
        if new != collected and not dry_run:
            # Of the number that was read, and of no other that came in its place.
            _rows(column.model).filter(
                pk=pk, fingerprint=old, **{column.sealed.field: token}
            ).update(fingerprint_next=new)
    return tally


def _put_in_force(stored: str, mine: str, tallies: Sequence[Tally]) -> bool:
    """Exchange all fingerprints and the check value at once; False: try again.

    Raises:
        RekeyError: a voucher would be live twice.
    """
    try:
        with transaction.atomic(durable=True):
            _keep_writers_out()
            if not KeyCheck.objects.filter(
                purpose=keycheck.FINGERPRINT, check_value=stored, next_check_value=mine
            ).update(check_value=mine, next_check_value=""):
                raise RekeyError("Another command has just changed the key.")
            for column, tally in zip(_COLUMNS, tallies, strict=True):
                if not _make_up(column, set(tally.unreadable)):
                    transaction.set_rollback(True)
                    return False
                _rows(column.model).exclude(fingerprint_next="").update(
                    fingerprint=F("fingerprint_next"), fingerprint_next=""
                )
    except OperationalError:
        # Somebody wrote for longer than we wait.
        return False
    except IntegrityError:
        raise RekeyError(
            "A voucher would be live in two rows: fingerprints of two keys have been "
            "mixed before. Wait until no payment is open, and run the command again."
        ) from None
    return True


def _keep_writers_out() -> None:
    """Let nobody write to the tables until the commit; readers go on.

    On SQLite the first write of the transaction does that.
    """
    for column in _COLUMNS:
        connection = connections[router.db_for_write(column.model)]
        if connection.vendor != "postgresql":
            continue
        table = connection.ops.quote_name(column.model._meta.db_table)
        with connection.cursor() as cursor:
            # Whoever wants to write waits behind us, so we do not wait for long.
            cursor.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
            cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")


def _make_up(column: FingerprintColumn, unreadable: set[str]) -> bool:
    """Fingerprint what was written since it was collected; False: it is too much."""
    late = (
        _rows(column.model)
        .exclude(**{column.sealed.field: ""})
        .filter(fingerprint_next="")
        .exclude(pk__in=unreadable)
    )
    names = ("pk", column.sealed.field, column.account)
    rows = list(late.values_list(*names)[: _MOST_LATE + 1])
    if len(rows) > _MOST_LATE:
        return False
    for pk, token, alias in rows:
        try:
            new = _fingerprint(token, alias)
        except codes.UndecryptableError:
            # One more that nobody has decided about.
            return False
        _rows(column.model).filter(pk=pk).update(fingerprint_next=new)
    return True
