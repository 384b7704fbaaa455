"""Fixtures: an API over a new SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio
from tests.web.platform_side import HOME, FakeClock, Web, service_over, with_keys

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
    """The same with `alice`, whose authenticators, contacts and address `HOME` are senior, and a session of hers."""
    await empty.enrol()
    await empty.sign_in()
    await empty.settle()
    await empty.sign_in()
    home = {"action": "address.add", "name": "home", "network": "bitcoin", "address": HOME}
    await empty.act(home, empty.owner(), proofs=empty.proofs())
    await empty.settle()
    await empty.put_prices()
    await empty.sign_in()
    return empty
