"""The feed of pairs: kept whole or not at all, and one minute of confusion moves no tolerance."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.platform_side import START, Web, is_problem

from holdback.core.events import MINUTE
from holdback.ports import RANGES_KEPT, STORM_MINUTES, PairIndex, Wanted
from holdback.web import problems

if TYPE_CHECKING:
    import httpx


async def put(web: Web, at: int = START, **changed: object) -> httpx.Response:
    """Hand in a table."""
    when = datetime.fromtimestamp(at / 1000, UTC).isoformat()
    body = {"at": when, "pairs": {"BTC/USDT": {"reference": "64000", "half_range_ppm": 200}}} | changed
    headers = {"Content-Type": "application/json"} | web.key("feed")
    return await web.http.put("/v1/pairs", content=json.dumps(body).encode(), headers=headers)


async def kept(web: Web, pair: str = "BTC/USDT") -> PairIndex:
    """A pair as it is kept."""
    return PairIndex.of((await web.service.store.read([Wanted("", assets=(pair,))])).prices[pair])


async def test_the_median_of_an_hour_is_kept(empty: Web) -> None:
    """Of each minute the last word counts, of many minutes the median, and only so many are kept."""
    for minute in range(-RANGES_KEPT, 1):
        for ppm in (9_000, 100 + minute):
            assert (await put(empty, START + minute * MINUTE, pairs=one(ppm))).status_code == 204
    index = await kept(empty)
    assert len(index.half_ranges) == RANGES_KEPT
    assert index.half_range_ppm == 70
    assert (await put(empty, pairs=one(900_000))).status_code == 204
    assert (await kept(empty)).half_range_ppm <= 71
    assert PairIndex("A/B", "1", 0).half_range_ppm == 0


async def test_what_is_usual_is_learned_slowly(empty: Web) -> None:
    """A storm is what the last minutes exceed the usual by, which a day of storm moves by a quarter at most."""
    quiet, wild = 1_000, 9_000
    for minute in range(-RANGES_KEPT, 0):
        assert (await kept(empty) if minute > -RANGES_KEPT else PairIndex("", "1", 0)).storm_ppm == 0
        assert (await put(empty, START + minute * MINUTE, pairs=one(quiet))).status_code == 204
    index = await kept(empty)
    assert index.usual_ppb == 1_000 * quiet
    for minute in range(START // MINUTE, START // MINUTE + 1_440):
        index = index.after(PairIndex("BTC/USDT", "1", 0, ((minute, wild),)))
        if minute == START // MINUTE + STORM_MINUTES // 2:
            assert index.storm_ppm == wild - 2 * quiet
            assert index.half_range_ppm == quiet
    assert quiet < index.usual_ppb // 1_000 < 1.35 * quiet
    assert index.after(index) == index
    assert PairIndex.of(index.row()) == index


def one(ppm: int, reference: str = "64000") -> dict[str, Any]:
    """One pair."""
    return {"BTC/USDT": {"reference": reference, "half_range_ppm": ppm}}


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"pairs": one(1, "0")}, "/pairs/BTC~1USDT/reference"),
        ({"pairs": one(1_000_001)}, "/pairs"),
        ({"pairs": one(1, "-1")}, "/pairs"),
        ({"pairs": {"btc": {"reference": "1", "half_range_ppm": 1}}}, "/pairs"),
        ({"pairs": {}}, "/pairs"),
        ({"at": START + 60_000}, "/at"),
        ({"colour": "red"}, "/colour"),
    ],
    ids=str,
)
async def test_an_absurd_table_is_refused(empty: Web, changed: dict[str, Any], pointer: str) -> None:
    """A reference that is none, zero or from the future refuses its whole table."""
    before = await empty.dump()
    response = await put(empty, **changed)
    assert is_problem(response, problems.BAD_REQUEST, pointer), response.text
    assert await empty.dump() == before


async def test_a_jump_must_be_confirmed(empty: Web) -> None:
    """More than ten times the reference before refuses the whole table unless the pair is named."""
    await put(empty)
    assert is_problem(await put(empty, pairs=one(1, "640001")), problems.ABSURD_PRICE, "/pairs/BTC~1USDT")
    assert (await put(empty, pairs=one(1, "640001"), confirm=["BTC/USDT"])).status_code == 204
    assert (await kept(empty)).reference == "640001"


async def test_a_table_that_cannot_be_read_is_refused(empty: Web) -> None:
    """What is no table at all is refused like any bad request."""
    headers = {"Content-Type": "application/json"} | empty.key("feed")
    response = await empty.http.put("/v1/pairs", content=b"[", headers=headers)
    assert is_problem(response, problems.BAD_REQUEST, "")


async def test_a_lease_has_a_route_of_its_own(web: Web) -> None:
    """A lease is asked for by its route alone, and nothing else is asked for there."""
    headers = {"Content-Type": "application/json"} | web.key("ask")
    owner = {"kind": "owner", "session": web.session}

    async def lease(**body: object) -> httpx.Response:
        content = json.dumps({"actor": owner} | body).encode()
        return await web.http.post("/v1/accounts/alice/leases", content=content, headers=headers)

    answer = await lease(pair="BTC/USDT")
    assert (answer.status_code, answer.json()["decision"]) == (200, "deny")
    assert is_problem(await lease(pair="BTC/USDT", action="exit.request"), problems.BAD_REQUEST, "/action")
    assert is_problem(await lease(pair="btc"), problems.BAD_REQUEST, "/pair")
