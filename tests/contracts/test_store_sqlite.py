"""What only SQLite can get wrong: the file, its WAL, and other processes that hold them."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
from contextlib import closing
from operator import methodcaller
from typing import TYPE_CHECKING

import pytest
from tests.contracts.rows import of, put, step

from holdback.ports import StoreUnavailable
from holdback.store import sqlite
from holdback.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

DEADLINE_S = 60

READ_AND_LEAVE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT * FROM customers").fetchall()
connection.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will be."""
    return tmp_path / "holdback.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """A store with one account."""
    one = SqliteStore(path, busy_timeout_ms=50)
    await one.migrate()
    await put(one, step("a", 1))
    yield one
    await one.close()


async def test_the_file_is_private(path: Path, store: SqliteStore) -> None:
    """Nobody but the owner can read the file, its WAL or its index."""
    await store.read(of("a"))
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.glob("holdback.db*")}
    assert modes == dict.fromkeys(("holdback.db", "holdback.db-wal", "holdback.db-shm"), "0o600")


async def test_another_process_writes(path: Path, store: SqliteStore) -> None:
    """Whoever waits longer than the time-out for another process gets StoreUnavailable, and may try again."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await put(store, step("a", 2))
        assert (await store.read(of("a"))).snapshots["a"].seq == 1
    await put(store, step("a", 2))


async def test_settings(store: SqliteStore) -> None:
    """The writer syncs at every commit and leaves checkpoints to their thread; the reader cannot write."""
    async with store.locked() as transaction:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("wal_autocheckpoint", 0)):
            ask = methodcaller("execute", f"PRAGMA {pragma}")
            assert (await transaction.run(ask)).fetchone() == (value,)
    with pytest.raises(StoreUnavailable, match="readonly"):
        await store._fetch("DELETE FROM customers")  # noqa: SLF001 - no method of the port would try


async def test_the_wal_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long transactions follow each other without a pause, the WAL is begun anew now and then."""
    copy = sqlite._checkpoint  # noqa: SLF001 - made worse below

    def lagging(connection: sqlite3.Connection) -> int:
        """The thread beside the transactions never catches up with them."""
        return copy(connection) if threading.current_thread().name.startswith("holdback-writer") else 1_000

    monkeypatch.setattr(sqlite, "_COMMITS_A_CHECKPOINT", 4)
    monkeypatch.setattr(sqlite, "_WAL_PAGES", 50)
    monkeypatch.setattr(sqlite, "_checkpoint", lagging)
    store = SqliteStore(path)
    await store.migrate()
    wal = path.with_name("holdback.db-wal")
    seq, begun_anew, before = 0, 0, b""
    async with asyncio.timeout(DEADLINE_S):
        while begun_anew < 3:
            seq += 1
            await put(store, step("a", seq, b"x" * 5_000))
            # Bytes 16 to 24 of a WAL are its salts, which change when it is begun anew.
            salts = wal.read_bytes()[16:24]
            begun_anew += salts != before
            before = salts
    assert len(await store.entries("a", 0, seq + 1)) == seq
    await store.close()
    assert not wal.exists()


async def test_the_lock_outlives_another_store(path: Path, store: SqliteStore) -> None:
    """Closing one store gives up no lock of another in the process: what it then commits reaches the file."""
    for _ in range(3):
        other = SqliteStore(path)
        await other.read(of("a"))
        await other.close()
        # Another process that found no lock would take itself for the last, and delete the WAL when it ends.
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", READ_AND_LEAVE, str(path))
        assert await process.wait() == 0
        assert path.with_name("holdback.db-wal").exists()
        head = (await store.read(of("a"))).snapshots["a"]
        await put(store, step("a", head.seq + 1))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT seq FROM customers").fetchall() == [(4,)]


async def test_a_place_that_cannot_be_opened(tmp_path: Path) -> None:
    """A folder that does not exist, and a file that is no database, are StoreUnavailable."""
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"not a database" * 1_000)
    for path in (tmp_path / "none" / "holdback.db", garbage):
        store = SqliteStore(path)
        with pytest.raises(StoreUnavailable):
            await store.ready()
        with pytest.raises(StoreUnavailable):
            await store.read(of("a"))
        await store.close()


async def test_a_closed_store_takes_nothing(store: SqliteStore) -> None:
    """What is asked of a closed store is StoreUnavailable."""
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.read(of("a"))
    with pytest.raises(StoreUnavailable, match="closed"):
        await put(store, step("a", 2))
