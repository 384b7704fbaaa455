"""The feed of pairs: kept whole or not at all, and one minute of confusion moves no tolerance."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.web.platform_side import START, Web, is_problem

from holdback.core.events import MINUTE
from holdback.pair_index import LEARNED_LEAST, RANGES_KEPT, STORM_MINUTES, PairIndex
from holdback.ports import Wanted
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


def after(index: PairIndex, ppm: int, minutes: int, pause: int = 0) -> PairIndex:
    """The index after so many minutes of one half-range, the first of them after a pause."""
    last = index.at // MINUTE + pause
    for minute in range(last + 1, last + 1 + minutes):
        index = index.after(PairIndex("BTC/USDT", "1", minute * MINUTE, ((minute, ppm),)))
    return index


NEW = PairIndex("BTC/USDT", "1", START)


def test_what_is_usual_is_learned_in_a_day() -> None:
    """Nothing is a storm before a day is known, and what a flat first hour taught is forgotten by then."""
    assert after(NEW, 9_000, LEARNED_LEAST - 1).storm_ppm == 0
    flat = after(after(NEW, 1, 60), 2_000, LEARNED_LEAST - 60)
    assert flat.storm_ppm == 0
    assert flat.usual_ppb == 2_000_000


def test_a_storm_is_what_the_last_minutes_exceed_the_usual_by() -> None:
    """Twice the usual is an ordinary day; a day of storm moves what is usual by a little more than a third at most."""
    calm, wild = after(NEW, 2_000, LEARNED_LEAST), 20_000
    assert after(calm, wild, STORM_MINUTES // 2).storm_ppm == 0
    began = after(calm, wild, STORM_MINUTES // 2 + 1)
    assert 0 <= wild - 2 * 2_000 - began.storm_ppm < 10
    assert began.half_range_ppm == 2_000
    assert 2_000_000 < after(calm, wild, 1_440).usual_ppb < 2_700_000
    assert after(after(NEW, 10, LEARNED_LEAST), 900, 60).storm_ppm == 0
    assert PairIndex.of(began.row()) == began
    assert began.after(began._replace(half_ranges=began.half_ranges[-1:])) == began


def test_what_is_old_says_nothing_of_now() -> None:
    """After a pause of the feed neither the tolerance nor a storm is what it was before."""
    stormy = after(after(NEW, 2_000, LEARNED_LEAST), 20_000, 60)
    back = after(stormy, 30_000, 3, pause=4_000)
    assert back.storm_ppm == 0
    assert back.half_range_ppm < 2_100


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


async def test_an_older_reference_is_refused(empty: Web) -> None:
    """A table that arrives late takes nothing, and its feed is told so; the same one again is taken."""
    await put(empty)
    assert is_problem(await put(empty, START - 1, pairs=one(1, "63000")), problems.BAD_REQUEST, "/at")
    assert (await kept(empty)).reference == "64000"
    assert (await put(empty)).status_code == 204


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
