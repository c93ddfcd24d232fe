"""Where the sandbox's records live: in memory, and written through to SQLite.

Memory is what the rules read; with a file, every change of an operation is one
transaction, committed before the operation is answered, so a killed server comes
back with all it ever confirmed. One process owns a file at a time.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .records import Entry, Experience, Hold, Product, Redemption, Sale, Voucher


#: Raised when the layout below changes; a file of another layout is refused.
LAYOUT = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS item (
    kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""


class DatabaseInUse(Exception):
    """Another sandbox has the file open, or it is not a sandbox's file."""


class Store:
    """All records of one sandbox. Not thread-safe: the sandbox's lock guards it."""

    def __init__(self, database: str | Path | None = None) -> None:
        self.vouchers: dict[str, Voucher] = {}
        self.products: dict[int, Product] = {}
        self.redemptions: dict[int, Redemption] = {}
        self.sales: dict[str, Sale] = {}
        self.ledger: list[Entry] = []
        self.counters: dict[str, int] = {}
        #: Set once the first records were put in.
        self.seeded = False
        #: How far the clock was ahead of real time when last saved.
        self.clock_offset = 0.0
        self._references: dict[tuple[int, str], str] = {}
        self._held: dict[str, Voucher] = {}
        self._dirty: dict[tuple[str, str], Any] = {}
        self._removed: set[tuple[str, str]] = set()
        self._saved_ledger = 0
        self._connection = None if database is None else _open(Path(database))
        if self._connection is not None:
            self._load(self._connection)

    # Changing -----------------------------------------------------------------------

    def next_id(self, name: str, *, first: int = 1) -> int:
        """Return the next number of the sequence ``name``."""
        number = self.counters.get(name, first - 1) + 1
        self.counters[name] = number
        self._dirty["meta", "counters"] = self.counters
        return number

    def put(self, record: Voucher | Product | Redemption | Sale) -> None:
        """Take in a new record, or note that a known one has changed."""
        if isinstance(record, Voucher):
            self.vouchers[record.number] = record
            self.note_hold(record)
            self._dirty["voucher", record.number] = record
        elif isinstance(record, Product):
            self.products[record.id] = record
            self._dirty["product", str(record.id)] = record
        elif isinstance(record, Redemption):
            self.redemptions[record.id] = record
            self._dirty["redemption", str(record.id)] = record
        else:
            self.sales[record.order_id] = record
            reference = record.company_id, record.reference
            self._references.setdefault(reference, record.order_id)
            self._dirty["sale", record.order_id] = record

    def remove_product(self, product_id: int) -> None:
        del self.products[product_id]
        self._dirty.pop(("product", str(product_id)), None)
        self._removed.add(("product", str(product_id)))

    def note_hold(self, voucher: Voucher) -> None:
        if voucher.hold is None:
            self._held.pop(voucher.number, None)
        else:
            self._held[voucher.number] = voucher

    def add_entry(self, time: float, event: str, voucher_no: str, **more: Any) -> Entry:
        """Append a line to the ledger."""
        entry = Entry(len(self.ledger) + 1, time, event, voucher_no, **more)
        self.ledger.append(entry)
        return entry

    def set_clock_offset(self, offset: float) -> None:
        self.clock_offset = offset
        self._dirty["meta", "clock"] = {"offset": offset}

    def mark_seeded(self) -> None:
        self.seeded = True
        self._dirty["meta", "seeded"] = True

    def clear(self) -> None:
        """Forget everything, the ledger included."""
        for container in (
            self.vouchers,
            self.products,
            self.redemptions,
            self.sales,
            self.ledger,
            self.counters,
            self._references,
            self._held,
            self._dirty,
            self._removed,
        ):
            container.clear()
        self.seeded = False
        self.clock_offset = 0.0
        self._saved_ledger = 0
        if self._connection is not None:
            with self._connection:
                self._connection.execute("DELETE FROM item")
                self._connection.execute("DELETE FROM ledger")

    # Asking -------------------------------------------------------------------------

    @property
    def held(self) -> Iterable[Voucher]:
        return self._held.values()

    def sale_by_reference(self, company_id: int, reference: str) -> Sale | None:
        order_id = self._references.get((company_id, reference))
        return None if order_id is None else self.sales[order_id]

    # SQLite -------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what has changed since the last time, in one transaction."""
        new = self.ledger[self._saved_ledger :]
        if self._connection is not None and (self._dirty or self._removed or new):
            with self._connection as connection:
                connection.executemany(
                    "DELETE FROM item WHERE kind = ? AND key = ?", self._removed
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO item VALUES (?, ?, ?)",
                    [(*key, _dump(body)) for key, body in self._dirty.items()],
                )
                connection.executemany(
                    "INSERT INTO ledger VALUES (?, ?)",
                    [(entry.id, _dump(entry)) for entry in new],
                )
        self._saved_ledger = len(self.ledger)
        self._dirty.clear()
        self._removed.clear()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _load(self, connection: sqlite3.Connection) -> None:
        for kind, key, text in connection.execute("SELECT kind, key, body FROM item"):
            body = json.loads(text)
            if kind == "voucher":
                self.put(_voucher(body))
            elif kind == "product":
                body["experiences"] = [Experience(**e) for e in body["experiences"]]
                self.put(Product(**body))
            elif kind == "redemption":
                self.put(Redemption(**body))
            elif kind == "sale":
                self.put(Sale(**body))
            elif key == "counters":
                self.counters = body
            elif key == "clock":
                self.clock_offset = body["offset"]
            elif key == "seeded":
                self.seeded = body
        # A renamed order shares its reference with the first; the first keeps it.
        for sale in sorted(self.sales.values(), key=lambda sale: sale.at, reverse=True):
            self._references[sale.company_id, sale.reference] = sale.order_id
        for (text,) in connection.execute("SELECT body FROM ledger ORDER BY id"):
            body = json.loads(text)
            body["redemptions"] = tuple(body["redemptions"])
            self.ledger.append(Entry(**body))
        self._saved_ledger = len(self.ledger)
        self._dirty.clear()


def _dump(body: Any) -> str:
    plain = body if isinstance(body, (dict, bool)) else asdict(body)
    return json.dumps(plain, separators=(",", ":"))


def _voucher(body: dict[str, Any]) -> Voucher:
    body["experiences"] = [Experience(**e) for e in body["experiences"]]
    body["hold"] = None if body["hold"] is None else Hold(**body["hold"])
    return Voucher(**body)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False, timeout=0.5)
    try:
        # Exclusive: two servers on one file would each trust their own memory.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        if layout not in (0, LAYOUT):
            msg = f"{path} was written by another version of the sandbox"
            raise DatabaseInUse(msg)
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.strip().split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
    except sqlite3.DatabaseError as error:
        connection.close()
        msg = f"{path}: {error}; is another sandbox using it?"
        raise DatabaseInUse(msg) from error
    except DatabaseInUse:
        connection.close()
        raise
    return connection
