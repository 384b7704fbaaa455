"""A house for each test, once over SQLite and once over PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contracts.conftest import opened, place
from tests.service.house import Hands, House

if TYPE_CHECKING:
    from tests.contracts.conftest import Opener

    from holdback.ports import Store

__all__ = ["opened", "place"]


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
