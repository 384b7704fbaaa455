"""A house for each test, once over SQLite and once over PostgreSQL."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING

import asyncpg
import pytest
from tests.contracts.conftest import opened, place
from tests.service.house import Hands, House

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contracts.conftest import Opener

    from holdback.bench.postgres import Cluster
    from holdback.ports import Store

__all__ = ["opened", "place"]

_numbers = count(1)


@pytest.fixture(scope="session")
def new_schema(cluster: Cluster) -> Callable[[], str]:
    """Gives the address of one more empty schema: to make one takes a hundredth of what a database takes."""
    dsn = cluster.create_database("service")

    def made() -> str:
        name = f"house_{next(_numbers)}"

        async def create() -> None:
            connection = await asyncpg.connect(dsn)
            await connection.execute(f"CREATE SCHEMA {name}")
            await connection.close()

        asyncio.run(create())
        return f"{dsn}&search_path={name}"

    return made


@pytest.fixture
def postgres_dsn(new_schema: Callable[[], str]) -> str:
    """An empty schema of this test's own, in place of a database."""
    return new_schema()


@pytest.fixture
def second_dsn(new_schema: Callable[[], str]) -> str:
    """One more."""
    return new_schema()


@pytest.fixture
def clock() -> Hands:
    """The database's clock and the second source at once."""
    return Hands()


@pytest.fixture
async def store(opened: Opener, clock: Hands) -> Store:
    """A migrated, empty store on that clock."""
    return await opened(clock.now)


@pytest.fixture
async def house(store: Store, clock: Hands) -> House:
    """A house with nobody in it."""
    return House(store, clock)
