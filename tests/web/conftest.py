"""Fixtures: an API over a new SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.web.browsing import Browser
from tests.web.platform_side import FakeClock, Web, service_over, with_alice, with_keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_asyncio.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Web]:
    """An API with platform keys and no customer."""
    clock = FakeClock()
    service = service_over(tmp_path / "holdback.db", clock)
    await service.store.migrate()
    web = Web(service, clock)
    await with_keys(web)
    yield web
    await web.http.aclose()
    await service.store.close()


@pytest_asyncio.fixture
async def web(empty: Web) -> Web:
    """The same with `alice`."""
    await with_alice(empty)
    return empty


@pytest.fixture
def browser(web: Web) -> Browser:
    """A browser of nobody's."""
    return Browser(web)
