"""What only PostgreSQL can get wrong: other replicas' locks, lost connections, settings of the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.contracts.rows import load, of, part, put, step

from holdback.ports import StoreUnavailable, Wanted
from holdback.store.postgres import PostgresStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE_S = 60

SESSIONS = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holdback' AND datname = current_database()
"""

END_SESSIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE application_name = 'holdback' AND datname = current_database() AND state LIKE 'idle%'
"""


@pytest.fixture
async def stores(postgres_dsn: str) -> AsyncIterator[list[PostgresStore]]:
    """Two replicas' stores on one database that knows the account "a"."""
    both = [PostgresStore(postgres_dsn, pool_size=2, lossy=True) for _ in range(2)]
    await both[0].migrate()
    await put(both[0], step("a", 1, parts=[part("a", "x", b"old", b"alike")]))
    yield both
    for store in both:
        await store.close()


@pytest.fixture
async def observer(postgres_dsn: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection that watches the stores'."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def until(observer: asyncpg.Connection[asyncpg.Record], condition: str) -> None:
    """Return when a session of a store meets a condition on pg_stat_activity."""
    async with asyncio.timeout(DEADLINE_S):
        while not await observer.fetchval(f"{SESSIONS} AND {condition}"):  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0)


async def test_whoever_waited_sees_all_that_was_committed(
    stores: list[PostgresStore], observer: asyncpg.Connection[asyncpg.Record]
) -> None:
    """A load that waited for a lock returns the parts, look-alikes and answers of the transaction it waited for."""
    wanted = [Wanted("a", (("beneficiary", "x"), ("beneficiary", "y")), b"alike")]
    first, second = stores
    async with first.transaction() as holder:
        await holder.load(of("a"))

        async def wait() -> None:
            async with second.transaction() as waiter:
                loaded = await waiter.load(wanted)
            assert loaded.snapshots["a"].seq == 2
            assert {row.name: row.body for row in loaded.parts["a"]} == {"x": b"new", "y": b"new", "z": b"new"}

        task = asyncio.create_task(wait())
        await until(observer, "wait_event_type = 'Lock'")
        parts = [part("a", "x", b"new"), part("a", "y", b"new"), part("a", "z", b"new", b"alike")]
        await holder.write(step("a", 2, parts=parts))
    await task


async def test_a_lost_connection(stores: list[PostgresStore], observer: asyncpg.Connection[asyncpg.Record]) -> None:
    """A connection lost within a transaction is StoreUnavailable, keeps nothing, and the store goes on with another."""
    store = stores[0]

    async def lose_it(*, before_writing: bool) -> None:
        async with store.transaction() as transaction:
            await transaction.load(of("a"))
            if before_writing:
                await observer.execute(END_SESSIONS)
            await transaction.write(step("a", 2))
            await observer.execute(END_SESSIONS)

    for before_writing in (True, False):
        with pytest.raises(StoreUnavailable):
            await lose_it(before_writing=before_writing)
    assert (await store.read(of("a"))).snapshots["a"].seq == 1
    await put(store, step("a", 2))


async def test_a_stalled_replica(postgres_dsn: str, stores: list[PostgresStore]) -> None:
    """A replica that stalls within a transaction loses its locks after the time-out, so that others go on."""
    stalled = PostgresStore(postgres_dsn, statement_timeout_ms=50, lossy=True)

    async def stall() -> None:
        async with stalled.transaction() as transaction:
            await transaction.load(of("a"))
            async with asyncio.timeout(DEADLINE_S):
                await load(stores[0], of("a"))
            await put(stores[0], step("a", 2))
            await transaction.write(step("a", 2))

    with pytest.raises(StoreUnavailable):
        await stall()
    await stalled.close()


async def test_a_lock_held_too_long(postgres_dsn: str, stores: list[PostgresStore]) -> None:
    """Whoever waits longer than the time-out for a lock gets StoreUnavailable, and may try again."""
    hasty = PostgresStore(postgres_dsn, statement_timeout_ms=50, lossy=True)
    async with stores[0].transaction() as transaction:
        await transaction.load(of("a"))
        with pytest.raises(StoreUnavailable):
            await load(hasty, of("a"))
    await load(hasty, of("a"))
    await hasty.close()


async def test_the_pool_is_bounded(
    postgres_dsn: str, stores: list[PostgresStore], observer: asyncpg.Connection[asyncpg.Record]
) -> None:
    """More tasks than connections share them; a wait for one beyond the time-out is StoreUnavailable."""
    await asyncio.gather(*(stores[0].read(of("a")) for _ in range(50)))
    assert await observer.fetchval(SESSIONS) <= 4
    small = PostgresStore(postgres_dsn, pool_size=1, statement_timeout_ms=50, lossy=True)

    async def take_two() -> None:
        async with small.transaction():
            await small.read(of("a"))

    with pytest.raises(StoreUnavailable):
        await take_two()
    await small.close()


async def test_a_server_that_cannot_be_reached(postgres_dsn: str) -> None:
    """No server, no such database and a wrong user are StoreUnavailable, in every method that tries."""
    for dsn in (postgres_dsn.replace("/s&", "/none&"), postgres_dsn.replace("/test_", "/none_")):
        store = PostgresStore(dsn)
        with pytest.raises(StoreUnavailable):
            await store.ready()
        with pytest.raises(StoreUnavailable):
            await store.migrate()
        with pytest.raises(StoreUnavailable):
            await load(store, [])
        await store.close()


async def test_a_server_that_forgets(postgres_dsn: str, stores: list[PostgresStore]) -> None:
    """A server that acknowledges before it writes is not ready, unless that was asked for."""
    await stores[0].ready()
    strict = PostgresStore(postgres_dsn)
    with pytest.raises(StoreUnavailable, match="lost"):
        await strict.ready()
    await strict.close()


async def test_a_read_only_server(postgres_dsn: str, stores: list[PostgresStore]) -> None:
    """A database that takes no writes is not ready, and a write to it is StoreUnavailable."""
    standby = PostgresStore(f"{postgres_dsn}&default_transaction_read_only=on", lossy=True)
    with pytest.raises(StoreUnavailable, match="read-only"):
        await standby.ready()
    with pytest.raises(StoreUnavailable):
        await put(standby, step("a", 2))
    assert (await standby.read(of("a"))).snapshots == (await stores[0].read(of("a"))).snapshots
    await standby.close()


async def test_a_wrong_type_is_a_bug(stores: list[PostgresStore]) -> None:
    """What no database can store is the caller's fault, not the store's."""
    with pytest.raises(asyncpg.DataError):
        await stores[0].claim("many", 1)  # type: ignore[arg-type]  # the wrong type is what is tested
    with pytest.raises(asyncpg.PostgresError, match="UTF8"):
        await stores[0].read(of("a\0"))
