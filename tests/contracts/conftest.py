"""Places for stores to live in: each test that asks for one runs once for every kind of store."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from holdback.store.postgres import PostgresStore
from holdback.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from holdback.bench.postgres import Cluster
    from holdback.core.events import Instant
    from holdback.ports import Store


class Place(NamedTuple):
    """An empty database: `kind` is postgres or sqlite, `at` its address or path."""

    kind: str
    at: str

    def store(self, clock: Callable[[], Instant] | None = None) -> Store:
        """A new store on it."""
        if self.kind == "postgres":
            return PostgresStore(self.at, pool_size=8, statement_timeout_ms=20_000, clock=clock, lossy=True)
        return SqliteStore(self.at, clock=clock, busy_timeout_ms=20_000)


class Opener(Protocol):
    """Opens one more store on the test's database; the fixture closes it."""

    async def __call__(self, clock: Callable[[], Instant] | None = None) -> Store:
        """A migrated store."""


_numbers = count(1)


@pytest.fixture
def second_postgres_dsn(cluster: Cluster) -> str:
    """The address of one more new, empty database."""
    return cluster.create_database(f"second_{next(_numbers)}")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database of each kind in turn."""
    if request.param == "postgres":
        return Place("postgres", request.getfixturevalue("postgres_dsn"))
    return Place("sqlite", str(tmp_path / "holdback.db"))


@pytest.fixture
async def opened(place: Place) -> AsyncIterator[Opener]:
    """Open stores on `place`."""
    stores: list[Store] = []

    async def open_(clock: Callable[[], Instant] | None = None) -> Store:
        store = place.store(clock)
        stores.append(store)
        await store.migrate()
        return store

    yield open_
    for store in stores:
        await store.close()


@pytest.fixture
async def store(opened: Opener) -> Store:
    """A migrated, empty store."""
    return await opened()
