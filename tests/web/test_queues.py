"""Queues over HTTP: a recovery's own standing for its token, and the desk for who of the staff holds the role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.web.platform_side import Web, is_problem

from holdback.ports import DeskRow, Writes
from holdback.web import problems

if TYPE_CHECKING:
    import httpx


async def reads(web: Web, token: str, account: str = "alice") -> httpx.Response:
    """Ask how a recovery stands."""
    headers = web.key("read") | ({"Holdback-Recovery": token} if token else {})
    return await web.http.get(f"/v1/accounts/{account}/recovery", headers=headers)


async def test_whoever_opened_a_recovery_sees_how_it_stands(web: Web) -> None:
    """Its token, in a header, shows what it waits for, its age and its times; anything else shows nothing."""
    opened = (await web.act({"action": "recovery.open", "lost": ["password"]}, {"kind": "owner"})).json()
    token = opened["session"]["token"]
    shown = (await reads(web, token)).json()
    assert (shown["id"], shown["waits_for"], shown["place"], shown["age_s"]) == (opened["id"], "evidence", 1, 0)
    for wrong, account in (("", "alice"), ("0" * 64, "alice"), ("x" * 600, "alice"), (token, "nobody")):
        assert is_problem(await reads(web, wrong, account), problems.UNKNOWN_RECOVERY)


async def test_nobody_reads_the_desk_unproved(web: Web) -> None:
    """Law 6: a platform key is no member of staff, whatever it may read."""
    assert is_problem(await web.get("/v1/desk?role=reviewer"), problems.STAFF_ONLY)


@pytest.mark.parametrize(
    "query", ["", "?role=boss", "?role=reviewer&limit=0", "?role=reviewer&limit=x", "?role=reviewer&cursor=nonsense"]
)
async def test_a_queue_says_what_it_takes(web: Web, query: str) -> None:
    """A role that is none, a limit out of bounds and a cursor that was never given are named."""
    web.roles = frozenset({"reviewer"})
    assert is_problem(await web.get(f"/v1/desk{query}"), problems.BAD_REQUEST, "")


async def test_staff_read_their_queue_in_pages(web: Web) -> None:
    """Who holds the role reads what waits for it, oldest first, page by page; no other role's."""
    web.roles = frozenset({"reviewer"})
    waiting = [DeskRow(f"a{n}", "recovery", "r1", 100 - n, 9, 0, "review", "reviewer") for n in range(5)]
    async with web.service.store.transaction() as transaction:
        await transaction.write(Writes(desk=waiting))
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await web.get(f"/v1/desk?role=reviewer&limit=2&cursor={cursor}")).json()
        seen += [one["account"] for one in page["items"]]
        cursor = page["next"]
    assert seen == ["a4", "a3", "a2", "a1", "a0"]
    assert is_problem(await web.get("/v1/desk?role=legal"), problems.STAFF_ONLY)
