"""The program that imports customers does what its page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
import pytest_asyncio
from tests.web.platform_side import FakeClock, Web, service_over, with_keys

from holdback.client import AsyncHoldback
from holdback.web.api import application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "import-customers.md"
BCRYPT: Final = "$2b$12$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m"


def line(account: str, **changed: object) -> str:
    """A customer of the table."""
    whole: dict[str, object] = {
        "account": account,
        "name": f"{account}@example.com",
        "authenticators": [{"kind": "password", "secret": "seven maple lanterns drift"}],
        "contacts": [{"channel": "email", "address": f"{account}@example.com"}],
    }
    return json.dumps(whole | changed)


@pytest.fixture
def program() -> dict[str, Any]:
    """The page's program, as a module that is not run."""
    (text,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "imports"}
    exec(compile(text, PAGE.name, "exec"), names)  # noqa: S102 - our own page
    return names


@pytest_asyncio.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    """A server with nobody in it."""
    clock = FakeClock()
    service = service_over(tmp_path / "holdback.db", clock)
    await service.store.migrate()
    house = Web(service, clock)
    await with_keys(house)
    yield house
    await house.http.aclose()
    await service.store.close()


@pytest_asyncio.fixture
async def holdback(web: Web) -> AsyncIterator[AsyncHoldback]:
    """The client, on that server."""
    transport = httpx.ASGITransport(application(web.service))
    async with httpx.AsyncClient(transport=transport) as http:
        key = web.key("ask")["Authorization"].removeprefix("Bearer ")
        yield AsyncHoldback("http://holdback.internal", key, http=http)


async def test_a_table_is_imported_and_what_is_wrong_is_named(
    program: dict[str, Any], web: Web, holdback: AsyncHoldback
) -> None:
    """Each line is taken or told with its reason, and a table that is run again changes nothing."""
    wrong = line("carol", authenticators=[{"kind": "password", "secret": BCRYPT}])
    table = [line("alice"), line("bob"), wrong, line("dave", contacts=[{"channel": "push", "address": "d"}])]
    trial = await program["imported"](holdback, table, "first", dry_run=True)
    assert (await web.get("/v1/accounts/alice")).status_code == 404

    missed = await program["imported"](holdback, table, "first")

    assert missed.keys() == trial.keys() == {"carol", "dave"}
    assert "/authenticators/0/secret" in missed["carol"]
    assert (await web.get("/v1/accounts/bob")).status_code == 200
    assert await program["imported"](holdback, table, "first") == missed


async def test_a_line_is_mended_until_it_is_taken(program: dict[str, Any], web: Web, holdback: AsyncHoldback) -> None:
    """A line that was refused is taken once it is mended, and one that was taken is told of if it has changed."""
    dave = line("dave", contacts=[{"channel": "push", "address": "d"}])
    await program["imported"](holdback, [line("alice"), dave], "first")
    assert await program["imported"](holdback, [line("alice"), line("dave")], "first") == {}
    assert (await web.get("/v1/accounts/dave")).status_code == 200

    changed = await program["imported"](holdback, [line("alice", name="alicia@example.com")], "first")

    assert changed["alice"].startswith("422 ")
    assert await program["imported"](holdback, [line("alice", name="alicia@example.com")], "second") == {}
