"""The embedded store: one SQLite file in WAL mode with `synchronous=FULL`, so that a commit survives a loss of power.

Three threads, none of them the event loop's: one writes, one reads, one copies the WAL into the file beside them, for
that takes many times longer than a commit. SQLite has one writer at a time: a transaction's locks cover every customer,
in this process by a queue and among processes by `BEGIN IMMEDIATE`.

Each row that a statement takes or gives passes Python's interpreter lock back and forth, which may cost a turn of the
event loop. So many rows go into one statement; statements are of few sizes, so that each is compiled once.
"""

# ruff: noqa: S608 - what is put into statements are this file's own constants; values are always bound

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

import msgspec

from holdback.core.events import HOUR
from holdback.core.ledger import Entry
from holdback.ports import (
    SIGHTINGS_MOST,
    SMALL_BOOK,
    STALE_MS,
    Answer,
    Attempts,
    Conflict,
    DeskRow,
    FlowRow,
    KeyRow,
    ListedRow,
    ListRow,
    Loaded,
    NoticeRow,
    PartRow,
    Price,
    Sighting,
    Sightings,
    Snapshot,
    StoreUnavailable,
    WebhookRow,
)
from holdback.store import migrations
from holdback.store.attempt import Attempt
from holdback.store.records import (
    ALIKE_LIMIT,
    FORMAT,
    Header,
    Hook,
    Letter,
    Name,
    Packer,
    Unpacker,
    ages,
    grouped,
    named,
    newest_prices,
    plan,
    settled,
    small_books,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from holdback.core.events import Instant
    from holdback.ports import Transaction, Wanted, Writes
    from holdback.store.records import Row

T = TypeVar("T")

_ROWS: Final = 128
"""The most rows in one statement."""

_FILL_ROWS: Final = 2_000
"""Rows handed to another thread at once while a back-up is made or restored."""

_COMMITS_A_CHECKPOINT: Final = 64

_WAL_PAGES: Final = 16_384
"""A WAL longer than this (64 MiB) is begun anew, between two transactions."""

_FORGET_ROWS: Final = 2_000
"""Stored answers deleted in one transaction, which keeps others waiting for a few ms."""

_CUSTOMER: Final = "account, version, seq, link, head, mac, key"
_ENTRY: Final = "account, seq, body, link"
_PART: Final = "account, kind, name, alike, body, mac"
_NOTICE: Final = "id, account, seq, notice, contact, due_at, tries, error"
_ANSWER: Final = "caller, key, body_digest, answer, at"
_PRICE: Final = "asset, micro_usd, at, detail"
_ATTEMPTS: Final = "key, failures, since, failed_at, until, networks, account"
_DESK: Final = "account, kind, id, opened_at, due_at, wake_at, waits_for, role"
_WEBHOOK: Final = "id, account, place, kind, which, until, due_at, tries, error"
_SIGHTING: Final = "key, account, day"
_LIST: Final = "name, version, at, key_id, entries"
_KEY: Final = "id, digest, scopes, created_at, retired_at"

# Every INSERT names its columns, so that an older program goes on when a newer one has added a column.
_MOVE: Final = """
WITH given (account, version, seq, link, head, mac, key, expected) AS (VALUES {rows})
UPDATE customers SET version = g.version, seq = g.seq, link = g.link, head = g.head, mac = g.mac, key = g.key
  FROM given g WHERE customers.account = g.account AND customers.seq = g.expected
"""
_MAKE: Final = f"INSERT INTO customers ({_CUSTOMER}) VALUES {{rows}}"
_ADD_ENTRIES: Final = f"INSERT INTO entries ({_ENTRY}) VALUES {{rows}}"
_PUT_PARTS: Final = f"""
INSERT INTO parts ({_PART}) VALUES {{rows}}
ON CONFLICT DO UPDATE SET alike = excluded.alike, body = excluded.body, mac = excluded.mac
"""
_ADD_NOTICES: Final = f"INSERT INTO notices ({_NOTICE}) VALUES {{rows}}"
_ADD_ANSWERS: Final = f"INSERT INTO answers ({_ANSWER}) VALUES {{rows}}"
_ADD_NAMES: Final = """
INSERT INTO names (name, account) VALUES {rows}
ON CONFLICT DO UPDATE SET account = account WHERE account = excluded.account
"""
_PUT_DESK: Final = f"INSERT OR REPLACE INTO desk ({_DESK}) VALUES {{rows}}"
_DROP_DESK: Final = """
WITH given (account, kind, id) AS (VALUES {rows})
DELETE FROM desk WHERE EXISTS (
    SELECT 1 FROM given g WHERE desk.account = g.account AND desk.kind = g.kind AND desk.id = g.id)
"""
_ADD_WEBHOOKS: Final = f"INSERT INTO webhooks ({_WEBHOOK}, try_at) VALUES {{rows}}"
_FLOW: Final = "at, new_micro_usd, changed_micro_usd"
_ADD_FLOWS: Final = f"INSERT INTO flows ({_FLOW}) VALUES {{rows}}"
_DROP_NOTICES: Final = "DELETE FROM notices WHERE id IN (VALUES {rows})"
_PUT_PRICES: Final = f"""
INSERT INTO prices ({_PRICE}) VALUES {{rows}}
ON CONFLICT DO UPDATE SET micro_usd = excluded.micro_usd, at = excluded.at, detail = excluded.detail
    WHERE prices.at <= excluded.at
"""
_PUT_ATTEMPTS: Final = f"INSERT OR REPLACE INTO attempts ({_ATTEMPTS}) VALUES {{rows}}"
_DROP_ATTEMPTS: Final = "DELETE FROM attempts WHERE key IN (VALUES {rows})"
_ADD_SIGHTINGS: Final = f"INSERT OR IGNORE INTO sightings ({_SIGHTING}) VALUES {{rows}}"
_FORGET_SIGHTINGS: Final = """
DELETE FROM sightings WHERE (key, day, account) IN (
    SELECT key, day, account FROM sightings INDEXED BY sightings_day WHERE day >= ? AND day < ? LIMIT ?)
"""
_ADD_LISTED: Final = "INSERT OR IGNORE INTO listed (key, list, generation) VALUES {rows}"
_LISTED_NOW: Final = """
SELECT d.key, d.list FROM listed d JOIN lists l ON l.name = d.list AND l.generation = d.generation
 ORDER BY d.key, d.list
"""
_PUT_LIST: Final = f"""
INSERT OR REPLACE INTO lists (name, version, at, key_id, generation, entries)
SELECT ?1, ?2, ?3, ?4, ?5, count(*) FROM listed WHERE list = ?1 AND generation = ?5
RETURNING {_LIST}
"""
_DROP_LISTED: Final = """
DELETE FROM listed WHERE (key, list, generation) IN (
    SELECT key, list, generation FROM listed WHERE list = ? AND generation = ? LIMIT ?)
"""
_RESTORED: Final = "restored"
"""The generation of every list in a restored store: there is one of each."""

_CLAIM: Final = f"""
UPDATE notices SET leased_until = ? WHERE id IN (
    SELECT id FROM notices WHERE dead_at IS NULL AND due_at <= ? AND leased_until <= ? ORDER BY due_at LIMIT ?)
RETURNING {_NOTICE}
"""


_CLAIM_WEBHOOKS: Final = f"""
UPDATE webhooks SET leased_until = ? WHERE id IN (
    SELECT w.id FROM webhooks w
     WHERE w.dead_at IS NULL AND w.try_at <= ? AND w.leased_until <= ?
       AND NOT EXISTS (SELECT 1 FROM webhooks e WHERE e.account = w.account AND e.dead_at IS NULL
                          AND (e.due_at, e.place) < (w.due_at, w.place))
     ORDER BY w.try_at LIMIT ?)
RETURNING {_WEBHOOK}
"""


def _sizes(count: int) -> Iterator[int]:
    """A count as a sum of powers of two up to `_ROWS`, so that there are few statements to compile."""
    while count:
        size = min(_ROWS, 1 << (count.bit_length() - 1))
        yield size
        count -= size


def _many(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run `sql` for all rows, which take the place of `{rows}`; how many rows of the table were changed."""
    before = connection.total_changes
    start = 0
    for size in _sizes(len(rows)):
        some = rows[start : start + size]
        connection.execute(sql.replace("{rows}", _marks(size, len(some[0]))), [value for row in some for value in row])
        start += size
    # Not `rowcount`, which sqlite3 leaves unset for a statement that begins with WITH.
    return connection.total_changes - before


@cache
def _marks(rows: int, width: int) -> str:
    """`(?, ?), (?, ?)`."""
    return ", ".join([f"({', '.join('?' * width)})"] * rows)


def _found(
    connection: sqlite3.Connection, table: str, columns: str, names: tuple[str, ...], keys: Sequence[tuple[Any, ...]]
) -> Iterator[Any]:
    """The rows of a table by all these keys, whose columns are `names`."""
    start = 0
    for size in _sizes(len(keys)):
        values = [value for key in keys[start : start + size] for value in key]
        yield from connection.execute(_select(table, columns, names, size), values).fetchall()
        start += size


@cache
def _select(table: str, columns: str, names: tuple[str, ...], size: int) -> str:
    """A statement that looks up `size` keys."""
    wanted = ", ".join(f"t.{column}" for column in columns.split(", "))
    same = " AND ".join(f"t.{name} = k.{name}" for name in names)
    # CROSS JOIN keeps SQLite from turning the join round; `(a, b) IN (VALUES ...)` would scan the whole table.
    return (
        f"WITH k ({', '.join(names)}) AS (VALUES {_marks(size, len(names))})"
        f" SELECT {wanted} FROM k CROSS JOIN {table} t ON {same}"
    )


def _load(connection: sqlite3.Connection, wanted: Sequence[Wanted], clock: Callable[[], Instant]) -> Loaded:
    """Read what a batch wants; the caller has begun a transaction."""
    wants = plan(wanted)
    accounts = [(account,) for account in wants.accounts]
    customers = _found(connection, "customers", _CUSTOMER, ("account",), accounts)
    parts = list(_found(connection, "parts", _PART, ("account", "kind", "name"), wants.parts))
    books: list[PartRow] = []
    for account in wants.whole:
        rows = connection.execute(f"SELECT {_PART} FROM parts WHERE account = ? LIMIT ?", (account, SMALL_BOOK + 1))
        books += [PartRow(*row) for row in rows]
    for key in wants.alikes:
        parts += connection.execute(
            f"SELECT {_PART} FROM parts WHERE account = ? AND alike = ? AND alike <> x'' ORDER BY name LIMIT ?",
            (*key, ALIKE_LIMIT),
        )
    prices = _found(connection, "prices", _PRICE, ("asset",), [(asset,) for asset in wants.assets])
    answers = _found(connection, "answers", _ANSWER, ("caller", "key"), wants.answers)
    reconciling, oldest, *since = connection.execute(
        "SELECT reconciling, (SELECT max(oldest_reader) FROM schema_version), tripped_at, hooked_at, looked_at"
        " FROM status"
    ).fetchone()
    migrations.admit("sqlite", oldest)
    return Loaded(
        clock(),
        {row[0]: Snapshot(*row) for row in customers},
        grouped([*books, *(PartRow(*row) for row in parts)]),
        {row[0]: Price(*row) for row in prices},
        {(row[0], row[1]): Answer(*row) for row in answers},
        bool(reconciling),
        small_books(wants.whole, books),
        *(_shared(connection, wants.shared) if wants.shared else ({}, {}, ())),
        *since,
    )


def _shared(
    connection: sqlite3.Connection, keys: Sequence[bytes]
) -> tuple[dict[bytes, Sightings], dict[bytes, tuple[str, ...]], tuple[ListRow, ...]]:
    """What several customers met, the lists that it is on, and all lists there are."""
    sightings = {}
    for key in keys:
        rows = connection.execute(
            f"SELECT {_SIGHTING} FROM sightings WHERE key = ? ORDER BY day DESC, account DESC LIMIT ?",
            (key, SIGHTINGS_MOST),
        ).fetchall()
        if rows:
            first = rows[-1][2]
            if len(rows) == SIGHTINGS_MOST:
                first = connection.execute("SELECT min(day) FROM sightings WHERE key = ?", (key,)).fetchone()[0]
            sightings[key] = Sightings(first, tuple(Sighting(*row) for row in rows))
    lists = tuple(ListRow(*row) for row in connection.execute(f"SELECT {_LIST} FROM lists ORDER BY name"))
    listed = [
        row
        for key in (keys if lists else ())
        for row in connection.execute(
            "SELECT d.key, d.list FROM listed d JOIN lists l ON l.name = d.list AND l.generation = d.generation"
            " WHERE d.key = ?",
            (key,),
        )
    ]
    return sightings, named(listed), lists


def _check_age(rows: Writes, now: Instant) -> None:
    if rows.as_of and rows.as_of + STALE_MS < now:
        raise Conflict("what it was judged by is too old")


def _write(connection: sqlite3.Connection, writes: Writes) -> None:
    """Write a batch. Raises Conflict; the caller rolls back."""
    rows = settled(writes)
    moved = [(*snapshot, expected) for expected, snapshot in rows.snapshots if expected]
    made = [tuple(snapshot) for expected, snapshot in rows.snapshots if not expected]
    if _many(connection, _MOVE, moved) != len(moved):
        raise Conflict("a head moved")
    _many(connection, _MAKE, made)
    _many(connection, _ADD_ENTRIES, rows.entries)
    _many(connection, _PUT_PARTS, rows.parts)
    _many(connection, _ADD_NOTICES, rows.notices)
    _many(connection, _ADD_ANSWERS, rows.answers)
    if _many(connection, _ADD_NAMES, rows.names) != len(rows.names):
        raise Conflict("a sign-in name belongs to another account")
    _many(connection, _DROP_NOTICES, [(id_,) for id_ in rows.sent])
    _many(connection, _PUT_DESK, rows.desk)
    _many(connection, _DROP_DESK, rows.off_desk)
    _many(connection, _ADD_WEBHOOKS, [(*row, row.due_at) for row in rows.webhooks])
    _many(connection, _ADD_SIGHTINGS, rows.sightings)
    _many(connection, _ADD_FLOWS, rows.flows)
    if rows.tripped_at:
        connection.execute("UPDATE status SET tripped_at = ?", (rows.tripped_at[-1],))


_DUMPS: Final[tuple[tuple[str, Callable[..., Row]], ...]] = (
    (f"SELECT {_CUSTOMER} FROM customers ORDER BY account", Snapshot),
    (f"SELECT {_ENTRY} FROM entries ORDER BY account, seq", Entry),
    (f"SELECT {_PART} FROM parts ORDER BY account, kind, name", PartRow),
    (f"SELECT {_NOTICE}, dead_at FROM notices ORDER BY id", lambda *row: Letter(NoticeRow(*row[:-1]), row[-1])),
    (f"SELECT {_ANSWER} FROM answers ORDER BY caller, key", Answer),
    ("SELECT name, account FROM names ORDER BY name", Name),
    (f"SELECT {_PRICE} FROM prices ORDER BY asset", Price),
    (f"SELECT {_KEY} FROM platform_keys ORDER BY id", lambda *row: _key(row)),
    (
        f"SELECT {_WEBHOOK}, try_at, dead_at FROM webhooks ORDER BY id",
        lambda *row: Hook(WebhookRow(*row[:-2]), row[-2], row[-1]),
    ),
    (f"SELECT {_LIST} FROM lists ORDER BY name", ListRow),
    (_LISTED_NOW, ListedRow),
    (f"SELECT {_SIGHTING} FROM sightings ORDER BY key, account, day", Sighting),
)

_FILLS: Final[dict[type, str]] = {
    Snapshot: _MAKE,
    Entry: _ADD_ENTRIES,
    PartRow: _PUT_PARTS,
    Letter: f"INSERT INTO notices ({_NOTICE}, dead_at) VALUES {{rows}}",
    Answer: _ADD_ANSWERS,
    Name: _ADD_NAMES,
    Price: _PUT_PRICES,
    KeyRow: f"INSERT INTO platform_keys ({_KEY}) VALUES {{rows}}",
    Hook: f"INSERT INTO webhooks ({_WEBHOOK}, try_at, dead_at) VALUES {{rows}}",
    ListRow: f"INSERT INTO lists ({_LIST}, generation) VALUES {{rows}}",
    ListedRow: _ADD_LISTED,
    Sighting: _ADD_SIGHTINGS,
}


def _key(row: tuple[Any, ...]) -> KeyRow:
    """A platform key as it is stored: a list has no type of its own here, so scopes are JSON."""
    return KeyRow(row[0], row[1], msgspec.json.decode(row[2], type=tuple[str, ...]), row[3], row[4])


def _key_values(key: KeyRow) -> tuple[Any, ...]:
    """Undo `_key`."""
    return (key.id, key.digest, msgspec.json.encode(key.scopes).decode(), key.created_at, key.retired_at)


def _values(row: Row) -> tuple[Any, ...]:
    """A row of a back-up as the values of its table's columns."""
    if isinstance(row, Letter):
        return (*row.notice, row.dead_at)
    if isinstance(row, Hook):
        return (*row.message, row.try_at, row.dead_at)
    if isinstance(row, ListRow | ListedRow):
        return (*row, _RESTORED)
    return _key_values(row) if isinstance(row, KeyRow) else row


@contextmanager
def _translated() -> Iterator[None]:
    """Turn SQLite's errors into the port's; leave bugs (a wrong statement, a wrong type) as they are."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise Conflict(str(error)) from error
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError, sqlite3.DataError, sqlite3.NotSupportedError):
        raise
    except sqlite3.OperationalError as error:
        if str(error).startswith("no such table"):
            raise StoreUnavailable("the schema is missing: run `holdback migrate`") from error
        raise StoreUnavailable(str(error)) from error
    except (sqlite3.DatabaseError, OSError) as error:
        raise StoreUnavailable(str(error)) from error


_HELD: Final[dict[str, tuple[int, int]]] = {}
"""One descriptor for each open database file of this process, and how many connections there are to it."""

_HOLDING: Final = threading.Lock()


class _File:
    """A database file, and the one way to open and close connections to it.

    Closing any descriptor of a file gives up all locks this process has on it (POSIX), those of SQLite's connections
    too; another process may then take the WAL away from under them. So one descriptor, to create the file by and to
    sync it by, stays open until the process's last connection has closed.
    """

    def __init__(self, path: Path | str, busy_timeout_ms: int) -> None:
        self._path = os.path.realpath(path)
        self._busy_timeout_s = busy_timeout_ms / 1000

    def open(self) -> sqlite3.Connection:
        """A connection that writes."""
        with _HOLDING:
            # SQLite gives the WAL and its index the permissions of the file.
            file, users = _HELD.get(self._path) or (os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), 0)
            _HELD[self._path] = (file, users + 1)
        try:
            return self._connected()
        except BaseException:
            self._let_go()
            raise

    def open_to_read(self) -> sqlite3.Connection:
        """A connection that cannot write."""
        connection = self.open()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def close(self, connection: sqlite3.Connection) -> None:
        """Close a connection that `open` gave. The last one copies the WAL into the file and deletes it."""
        connection.close()
        self._let_go()

    def sync(self) -> None:
        """Make durable what was copied into the file; there must be a connection."""
        os.fsync(_HELD[self._path][0])

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            # Only one thread uses each, but another may close it once that one has ended.
            check_same_thread=False,
            cached_statements=256,
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(f"PRAGMA journal_size_limit = {4096 * _WAL_PAGES}")
        connection.execute("PRAGMA cache_size = -65536")
        return connection

    def _let_go(self) -> None:
        with _HOLDING:
            file, users = _HELD.pop(self._path)
            if users > 1:
                _HELD[self._path] = (file, users - 1)
            else:
                os.close(file)


class _Lane:
    """One thread and a connection that only it uses, opened at the first job; jobs run in the order they came."""

    def __init__(self, file: _File, name: str, *, reads: bool = False) -> None:
        self._file = file
        self._open = file.open_to_read if reads else file.open
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"holdback-{name}")
        self._connection: sqlite3.Connection | None = None

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in the thread. Errors are the port's."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, job)
        except RuntimeError as error:
            if "after shutdown" not in str(error):
                raise
            raise StoreUnavailable("the store is closed") from error

    def _do(self, job: Callable[[sqlite3.Connection], T]) -> T:
        with _translated():
            if self._connection is None:
                self._connection = self._open()
            return job(self._connection)

    async def close(self) -> None:
        """Finish the jobs that were handed over, then close the connection."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._connection is not None:
            self._file.close(self._connection)
            self._connection = None


def _atomically(job: Callable[[sqlite3.Connection], T]) -> Callable[[sqlite3.Connection], T]:
    """A job as a transaction of its own."""

    def run(connection: sqlite3.Connection) -> T:
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = job(connection)
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        return result

    return run


def _roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction if SQLite has not ended it by itself, as it does after some errors."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def _checkpoint(connection: sqlite3.Connection) -> int:
    """Copy what others let be copied, and wait for nobody; how many pages the WAL has."""
    pages: int = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]
    return pages


class _Checkpointer:
    """The thread that copies the WAL into the file; `behind` says that it can't catch up with the transactions."""

    def __init__(self, file: _File) -> None:
        self._file = file
        self._wake = threading.Event()
        self._commits = 0
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.behind = False

    def committed(self) -> None:
        """Count a commit; called from the writing thread."""
        self._commits += 1
        if self._commits % _COMMITS_A_CHECKPOINT == 0:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="holdback-checkpoints", daemon=True)
                self._thread.start()
            self._wake.set()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while self._wake.wait() and not self._stopping:
            self._wake.clear()
            # An error here (a full disk) is the writer's to meet and report: it meets it at its next commit.
            with suppress(sqlite3.Error, OSError):
                connection = connection or self._file.open()
                if _checkpoint(connection) > _WAL_PAGES:
                    # SQLite syncs the file only when it has copied all, that is between two transactions: what is
                    # left to copy and to sync then is to be little.
                    self._file.sync()
                    _checkpoint(connection)
                    self.behind = True
        if connection is not None:
            self._file.close(connection)


class _Transaction:
    """A transaction on the writing connection, begun at its first use. `failed` is the first error."""

    def __init__(self, lane: _Lane, clock: Callable[[], Instant]) -> None:
        self._lane = lane
        self._clock = clock
        self.begun = False
        self.failed: Exception | None = None

    async def load(self, wanted: Sequence[Wanted]) -> Loaded:
        """See ports.Transaction."""
        return await self.run(lambda connection: _load(connection, wanted, self._clock))

    async def write(self, writes: Writes) -> None:
        """See ports.Transaction."""
        await self.run(lambda connection: _write(connection, writes))

    def check(self) -> None:
        """Raise what failed before, also where the block has swallowed it."""
        if self.failed is not None:
            raise self.failed

    async def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job within the transaction."""

        def begun(connection: sqlite3.Connection) -> T:
            if not connection.in_transaction:
                connection.execute("BEGIN IMMEDIATE")
            return job(connection)

        self.check()
        self.begun = True
        try:
            return await self._lane.run(begun)
        except Exception as error:
            self.failed = error
            raise


class SqliteStore:
    """A store in one file, made readable by its owner only. Several processes on one machine may share it.

    `clock` (ms) replaces the machine's. `busy_timeout_ms` is how long to wait for another process that writes.
    """

    def __init__(
        self, path: Path | str, clock: Callable[[], Instant] | None = None, busy_timeout_ms: int = 5_000
    ) -> None:
        """Open nothing yet."""
        self._file = _File(path, busy_timeout_ms)
        self._now = clock or (lambda: time.time_ns() // 1_000_000)
        self._writer = _Lane(self._file, "writer")
        self._reader = _Lane(self._file, "reader", reads=True)
        self._checkpointer = _Checkpointer(self._file)
        self._turn = asyncio.Lock()

    async def migrate(self) -> int:
        """See ports.Store."""
        return await self._change(_migrated)

    async def check_schema(self) -> None:
        """See ports.Store."""
        rows = await self._fetch("SELECT max(version), max(oldest_reader) FROM schema_version")
        migrations.up_to_date("sqlite", *rows[0])

    async def ready(self) -> None:
        """See ports.Store."""
        # To write is the only way to learn that the disk takes it.
        await self._execute("UPDATE status SET reconciling = reconciling")
        await self.check_schema()

    @asynccontextmanager
    async def transaction(self, *, locks: bool = True) -> AsyncGenerator[Transaction]:
        """See ports.Store."""
        if not locks:
            attempt = Attempt(self.read, self._write_alone)
            yield attempt
            await attempt.end()
            return
        async with self.locked() as transaction:
            yield transaction

    @asynccontextmanager
    async def locked(self) -> AsyncGenerator[_Transaction]:
        """A transaction in which nobody else writes, and jobs of any kind may be run."""
        async with self._turn:
            transaction = _Transaction(self._writer, self._now)
            try:
                yield transaction
                transaction.check()
                if transaction.begun:
                    await self._writer.run(self._commit)
            except BaseException:
                if transaction.begun:
                    # Even if this wait is cancelled the job runs, before any other that is handed over later.
                    await asyncio.shield(self._writer.run(_roll_back))
                raise

    async def read(self, wanted: Sequence[Wanted]) -> Loaded:
        """See ports.Store."""

        def job(connection: sqlite3.Connection) -> Loaded:
            connection.execute("BEGIN")
            try:
                return _load(connection, wanted, self._now)
            finally:
                _roll_back(connection)

        return await self._reader.run(job)

    async def account_of(self, name: bytes) -> str | None:
        """See ports.Store."""
        rows = await self._fetch("SELECT account FROM names WHERE name = ?", name)
        return rows[0][0] if rows else None

    async def accounts(self, after: str, limit: int) -> list[str]:
        """See ports.Store."""
        sql = "SELECT account FROM customers WHERE account > ? ORDER BY account LIMIT ?"
        return [row[0] for row in await self._fetch(sql, after, limit)]

    async def entries(self, account: str, after: int, limit: int) -> list[Entry]:
        """See ports.Store."""
        sql = f"SELECT {_ENTRY} FROM entries WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?"
        return [Entry(*row) for row in await self._fetch(sql, account, after, limit)]

    async def parts(self, account: str) -> list[PartRow]:
        """See ports.Store."""
        rows = await self._fetch(f"SELECT {_PART} FROM parts WHERE account = ? ORDER BY kind, name", account)
        return [PartRow(*row) for row in rows]

    async def claim(self, limit: int, lease_ms: int) -> list[NoticeRow]:
        """See ports.Store."""

        def job(connection: sqlite3.Connection) -> list[NoticeRow]:
            now = self._now()
            rows = connection.execute(_CLAIM, (now + lease_ms, now, now, limit)).fetchall()
            return sorted((NoticeRow(*row) for row in rows), key=lambda notice: (notice.due_at, notice.id))

        return await self._change(job)

    async def postpone(self, id: str, due_at: Instant, error: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        await self._execute(
            "UPDATE notices SET due_at = ?, error = ?, tries = tries + 1, leased_until = 0 WHERE id = ?",
            due_at,
            error,
            id,
        )

    async def bury(self, id: str, error: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        await self._execute(
            "UPDATE notices SET dead_at = ?, error = ?, tries = tries + 1, leased_until = 0 WHERE id = ?",
            self._now(),
            error,
            id,
        )

    async def dead_letters(self, limit: int) -> list[NoticeRow]:
        """See ports.Store."""
        rows = await self._fetch(
            f"SELECT {_NOTICE} FROM notices WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, id DESC LIMIT ?", limit
        )
        return [NoticeRow(*row) for row in rows]

    async def revive(self, id: str) -> bool:  # noqa: A002 - the row's own name
        """See ports.Store."""
        sql = "UPDATE notices SET dead_at = NULL, tries = 0, due_at = ? WHERE id = ? AND dead_at IS NOT NULL"
        return await self._execute(sql, self._now(), id) == 1

    async def claim_webhooks(self, limit: int, lease_ms: int) -> list[WebhookRow]:
        """See ports.Store."""

        def job(connection: sqlite3.Connection) -> list[WebhookRow]:
            now = self._now()
            rows = connection.execute(_CLAIM_WEBHOOKS, (now + lease_ms, now, now, limit)).fetchall()
            return sorted((WebhookRow(*row) for row in rows), key=attrgetter("due_at", "id"))

        return await self._change(job)

    async def webhook_sent(self, id: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        await self._execute("DELETE FROM webhooks WHERE id = ?", id)

    async def postpone_webhook(self, id: str, try_at: Instant, error: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        sql = "UPDATE webhooks SET try_at = ?, error = ?, tries = tries + 1, leased_until = 0 WHERE id = ?"
        await self._execute(sql, try_at, error, id)

    async def bury_webhook(self, id: str, error: str) -> None:  # noqa: A002 - the row's own name
        """See ports.Store."""
        sql = "UPDATE webhooks SET dead_at = ?, error = ?, tries = tries + 1, leased_until = 0 WHERE id = ?"
        await self._execute(sql, self._now(), error, id)

    async def dead_webhooks(self, limit: int) -> list[WebhookRow]:
        """See ports.Store."""
        sql = f"SELECT {_WEBHOOK} FROM webhooks WHERE dead_at IS NOT NULL ORDER BY dead_at DESC, id DESC LIMIT ?"
        return [WebhookRow(*row) for row in await self._fetch(sql, limit)]

    async def revive_webhook(self, id: str) -> bool:  # noqa: A002 - the row's own name
        """See ports.Store."""
        sql = "UPDATE webhooks SET dead_at = NULL, tries = 0, try_at = ? WHERE id = ? AND dead_at IS NOT NULL"
        return await self._execute(sql, self._now(), id) == 1

    async def webhook_backlog(self) -> tuple[int, Instant]:
        """See ports.Store."""
        sql = "SELECT count(*), coalesce(min(due_at), 0) FROM webhooks WHERE dead_at IS NULL AND due_at <= ?"
        rows = await self._fetch(sql, self._now())
        return rows[0][0], rows[0][1]

    async def say_hooked(self) -> None:
        """See ports.Store."""
        await self._execute("UPDATE status SET hooked_at = max(hooked_at, ?)", self._now())

    async def say_looked(self) -> None:
        """See ports.Store."""
        await self._execute("UPDATE status SET looked_at = ?", self._now())

    async def flows(self, since: Instant) -> list[FlowRow]:
        """See ports.Store."""
        return [FlowRow(*row) for row in await self._fetch(f"SELECT {_FLOW} FROM flows WHERE at >= ?", since)]

    async def flow_sums(self, since: Instant, step_ms: int) -> list[FlowRow]:
        """See ports.Store."""
        sql = (
            "SELECT at - at % ?2, sum(new_micro_usd), sum(changed_micro_usd) FROM flows WHERE at >= ?1"
            " GROUP BY 1 ORDER BY 1"
        )
        return [FlowRow(*row) for row in await self._fetch(sql, since, step_ms)]

    async def fold_flows(self, since: Instant, before: Instant) -> None:
        """See ports.Store."""

        def job(connection: sqlite3.Connection) -> None:
            rows = connection.execute(
                f"SELECT at - at % {HOUR}, sum(new_micro_usd), sum(changed_micro_usd) FROM flows"
                " WHERE at >= ? AND at < ? GROUP BY 1",
                (since, before),
            ).fetchall()
            connection.execute("DELETE FROM flows WHERE at >= ? AND at < ?", (since, before))
            _many(connection, _ADD_FLOWS, rows)

        await self._change(job)

    async def forget_flows(self, before: Instant) -> None:
        """See ports.Store."""
        await self._execute("DELETE FROM flows WHERE at < ?", before)

    async def desk(self, role: str, after: tuple[Instant, str, str, str], limit: int) -> list[DeskRow]:
        """See ports.Store."""
        sql = (
            f"SELECT {_DESK} FROM desk WHERE (opened_at, account, kind, id) > (?, ?, ?, ?) AND (role = ? OR ? = '')"
            " ORDER BY opened_at, account, kind, id LIMIT ?"
        )
        return [DeskRow(*row) for row in await self._fetch(sql, *after, role, role, limit)]

    async def ahead(self, row: DeskRow) -> int:
        """See ports.Store."""
        sql = (
            "SELECT count(*) FROM desk WHERE (opened_at, account, kind, id) < (?, ?, ?, ?)"
            " AND kind = ? AND waits_for = ? AND role = ?"
        )
        rows = await self._fetch(sql, *row.place, row.kind, row.waits_for, row.role)
        return int(rows[0][0])

    async def desk_due(self, limit: int) -> list[DeskRow]:
        """See ports.Store."""
        sql = f"SELECT {_DESK} FROM desk WHERE wake_at > 0 AND wake_at <= ? ORDER BY wake_at, account LIMIT ?"
        return [DeskRow(*row) for row in await self._fetch(sql, self._now(), limit)]

    async def backlog(self) -> tuple[int, Instant]:
        """See ports.Store."""
        rows = await self._fetch(
            "SELECT count(*), coalesce(min(due_at) FILTER (WHERE due_at <= ?), 0) FROM notices WHERE dead_at IS NULL",
            self._now(),
        )
        return rows[0][0], rows[0][1]

    async def put_prices(self, prices: Sequence[Price]) -> None:
        """See ports.Store."""
        rows = newest_prices(prices)
        await self._change(lambda connection: _many(connection, _PUT_PRICES, rows))

    async def put_sightings(self, sightings: Sequence[Sighting]) -> None:
        """See ports.Store."""
        await self._change(lambda connection: _many(connection, _ADD_SIGHTINGS, sorted(set(sightings))))

    async def forget_sightings(self, before: Instant, limit: int) -> int:
        """See ports.Store."""
        gone = 0
        for first, end in ages(before):
            gone += await self._execute(_FORGET_SIGHTINGS, first, end, limit - gone)
        return gone

    async def put_list(self, row: ListRow, keys: AsyncIterator[Sequence[bytes]]) -> ListRow:
        """See ports.Store."""
        generation = uuid4().hex
        try:
            async for some in keys:
                rows = [(key, row.name, generation) for key in sorted(set(some))]
                await self._change(partial(_many, sql=_ADD_LISTED, rows=rows))
        except BaseException:
            await self._drop_listed(row.name, generation)
            raise

        def job(connection: sqlite3.Connection) -> tuple[str, ListRow]:
            old = connection.execute("SELECT generation FROM lists WHERE name = ?", (row.name,)).fetchone()
            put = (row.name, row.version, self._now(), row.key_id, generation)
            return old[0] if old else "", ListRow(*connection.execute(_PUT_LIST, put).fetchone())

        old, new = await self._change(job)
        await self._drop_listed(row.name, old)
        return new

    async def _drop_listed(self, name: str, generation: str) -> None:
        while await self._execute(_DROP_LISTED, name, generation, _FORGET_ROWS):
            pass

    async def lists(self) -> list[ListRow]:
        """See ports.Store."""
        return [ListRow(*row) for row in await self._fetch(f"SELECT {_LIST} FROM lists ORDER BY name")]

    async def keys(self) -> list[KeyRow]:
        """See ports.Store."""
        return [_key(row) for row in await self._fetch(f"SELECT {_KEY} FROM platform_keys ORDER BY id")]

    async def put_key(self, key: KeyRow) -> None:
        """See ports.Store."""
        await self._execute(f"INSERT OR REPLACE INTO platform_keys ({_KEY}) VALUES (?, ?, ?, ?, ?)", *_key_values(key))

    async def count_attempts(
        self, keys: Sequence[bytes], count: Callable[[Instant, Mapping[bytes, Attempts]], Sequence[Attempts]]
    ) -> None:
        """See ports.Store."""

        def job(connection: sqlite3.Connection) -> None:
            asked = [(key,) for key in sorted(set(keys))]
            rows = [Attempts(*row) for row in _found(connection, "attempts", _ATTEMPTS, ("key",), asked)]
            counted = count(self._now(), {row.key: row for row in rows})
            _many(connection, _PUT_ATTEMPTS, [row for row in counted if row.failures])
            _many(connection, _DROP_ATTEMPTS, [(row.key,) for row in counted if not row.failures])

        await self._change(job)

    async def attempts_due(self, limit: int) -> list[Attempts]:
        """See ports.Store."""
        sql = f"SELECT {_ATTEMPTS} FROM attempts WHERE account <> '' AND until <= ? ORDER BY until, key LIMIT ?"
        return [Attempts(*row) for row in await self._fetch(sql, self._now(), limit)]

    async def forget_attempts(self) -> int:
        """See ports.Store."""
        return await self._execute("DELETE FROM attempts WHERE account = '' AND until <= ?", self._now())

    async def forget_answers(self, before: Instant) -> int:
        """See ports.Store."""
        sql = "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE at < ? LIMIT ?)"
        gone = 0
        while count := await self._execute(sql, before, _FORGET_ROWS):
            gone += count
        return gone

    async def dump(self) -> AsyncIterator[bytes]:
        """See ports.Store."""
        packer = Packer()
        lane = _Lane(self._file, "dump", reads=True)
        try:
            await lane.run(_begin_to_read)
            yield packer.pack(Header(FORMAT, self._now()))
            for sql, made in _DUMPS:
                cursor = await lane.run(partial(_select_all, sql=sql))
                while rows := await lane.run(partial(_next_rows, cursor=cursor)):
                    for row in rows:
                        yield packer.pack(made(*row))
            yield packer.end()
        finally:
            await lane.close()

    async def fill(self, records: AsyncIterator[bytes]) -> int:
        """See ports.Store."""
        unpacker = Unpacker()
        async with self.locked() as transaction:
            await transaction.run(_empty)
            waiting: list[Row] = []
            async for record in records:
                row = unpacker.unpack(record)
                if row is not None:
                    waiting.append(row)
                if len(waiting) == _FILL_ROWS:
                    await transaction.run(partial(_fill, rows=waiting))
                    waiting = []
            await transaction.run(partial(_fill, rows=waiting))
            await transaction.run(lambda connection: connection.execute("UPDATE status SET reconciling = 1"))
            return unpacker.finish()

    async def set_reconciling(self, on: bool) -> None:  # noqa: FBT001 - the port's one flag
        """See ports.Store."""
        await self._execute("UPDATE status SET reconciling = ?", int(on))

    async def close(self) -> None:
        """See ports.Store."""
        async with self._turn:
            await asyncio.to_thread(self._checkpointer.stop)
            await self._reader.close()
            await self._writer.close()

    async def _fetch(self, sql: str, *arguments: object) -> list[Any]:
        return await self._reader.run(lambda connection: connection.execute(sql, arguments).fetchall())

    async def _execute(self, sql: str, *arguments: object) -> int:
        """Run one statement in its own transaction; how many rows it changed."""
        return await self._change(lambda connection: connection.execute(sql, arguments).rowcount)

    async def _change(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in its own transaction."""
        async with self._turn:
            return await self._writer.run(_atomically(job))

    async def _write_alone(self, rows: Writes) -> None:
        """Write rows as a transaction, in one visit to the writing thread."""

        def job(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                _check_age(rows, self._now())
                _write(connection, rows)
                self._commit(connection)
            except BaseException:
                _roll_back(connection)
                raise

        async with self._turn:
            await self._writer.run(job)

    def _commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        # What is committed must not look refused, so nothing that fails from here on is told.
        with suppress(RuntimeError):
            self._checkpointer.committed()
        if self._checkpointer.behind:
            # SQLite begins the WAL anew only once all of it was copied, which never is while transactions go on.
            self._checkpointer.behind = False
            with suppress(sqlite3.Error):
                _checkpoint(connection)


def _migrated(connection: sqlite3.Connection) -> int:
    """Apply what is missing and say which version that gives; the caller's transaction keeps others out."""
    version = 0
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_version'").fetchone():
        version, oldest = connection.execute("SELECT max(version), max(oldest_reader) FROM schema_version").fetchone()
        migrations.admit("sqlite", oldest)
    for step in migrations.migrations("sqlite")[version:]:
        for statement in _statements(step.sql):
            connection.execute(statement)
        connection.execute(
            "INSERT INTO schema_version (version, oldest_reader) VALUES (?, ?)", (step.version, step.oldest_reader)
        )
        version = step.version
    return version


def _statements(script: str) -> Iterator[str]:
    """A script's statements. `executescript` would commit the transaction that it is to run in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


_FILLED: Final = (
    *("customers", "entries", "parts", "notices", "answers", "names", "prices", "platform_keys"),
    *("webhooks", "lists", "listed", "sightings"),
)
"""The tables of a back-up."""


def _empty(connection: sqlite3.Connection) -> None:
    """Raises ValueError if there is a row."""
    for table in _FILLED:
        if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]:
            raise ValueError(f"the store is not empty: {table} has rows")


def _begin_to_read(connection: sqlite3.Connection) -> None:
    """See from here on what is committed now; BEGIN alone leaves that to the first thing read."""
    connection.execute("BEGIN")
    connection.execute("SELECT * FROM status").fetchone()


def _select_all(connection: sqlite3.Connection, sql: str) -> sqlite3.Cursor:
    """Begin to read a table."""
    return connection.execute(sql)


def _next_rows(_: sqlite3.Connection, cursor: sqlite3.Cursor) -> list[Any]:
    """Some more rows of a back-up."""
    return cursor.fetchmany(_FILL_ROWS)


def _fill(connection: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """Add rows of a back-up."""
    for kind, sql in _FILLS.items():
        _many(connection, sql, [_values(row) for row in rows if isinstance(row, kind)])
