"""The price feed: kept whole or not at all, and nothing absurd is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.web.platform_side import START, Web, is_problem

from holdback.core.events import MINUTE
from holdback.ports import Wanted
from holdback.web import problems


def at(ms: int) -> str:
    """An instant as the feed writes it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


async def kept(web: Web, *assets: str) -> dict[str, int]:
    """Micro-USD of each asset, as kept."""
    prices = (await web.service.store.read([Wanted("", assets=assets)])).prices
    return {asset: price.micro_usd for asset, price in prices.items()}


async def test_a_table_is_kept(empty: Web) -> None:
    """Prices are kept in whole micro-USD, rounded up, for a price too low would let more leave."""
    prices = {"BTC": "64000.123456", "PEPE": "0.0000000001", "USD": "1", "ETH": "3000.0000001"}

    response = await empty.put_prices(prices=prices)

    assert (response.status_code, response.content) == (204, b"")
    assert await kept(empty, *prices) == {"BTC": 64_000_123_456, "PEPE": 1, "USD": 1_000_000, "ETH": 3_000_000_001}


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"prices": {"BTC": "0"}}, "/prices/BTC"),
        ({"prices": {"BTC": "0.000"}}, "/prices/BTC"),
        ({"prices": {"BTC": "-5"}}, "/prices"),
        ({"prices": {"BTC": "1000000000.1"}}, "/prices/BTC"),
        ({"prices": {"BTC": "99999999999"}}, "/prices"),
        ({"prices": {"BTC": "1e9"}}, "/prices"),
        ({"prices": {"BTC": "NaN"}}, "/prices"),
        ({"prices": {"BTC": 5}}, "/prices"),
        ({"prices": {"BTC": "5\n"}}, "/prices"),
        ({"prices": {"B T C": "5"}}, "/prices"),
        ({"prices": {}}, "/prices"),
        ({"prices": {f"A{number}": "1" for number in range(1_001)}}, "/prices"),
        ({"at": at(START + 31_000)}, "/at"),
        ({"at": "yesterday"}, "/at"),
        ({"at": "2024-10-04T00:00:00"}, "/at"),
        ({"at": 1_700_000_000}, "/at"),
        ({"colour": "red"}, "/colour"),
        ({"confirm": "BTC"}, "/confirm"),
    ],
    ids=str,
)
async def test_an_absurd_table_is_refused(empty: Web, changed: dict[str, Any], pointer: str) -> None:
    """A price that is none, zero, negative, enormous or from the future refuses its whole table."""
    before = await empty.dump()

    response = await empty.put_prices(**({"prices": {"ETH": "3000", "BTC": "64000"}} | changed))

    assert is_problem(response, problems.BAD_REQUEST, pointer), response.text
    assert await empty.dump() == before


@pytest.mark.parametrize("price", ["6399", "640001"])
async def test_a_jump_must_be_confirmed(empty: Web, price: str) -> None:
    """More than ten times the price before, or less than a tenth, refuses the whole table unless the asset is named."""
    await empty.put_prices(prices={"BTC": "64000", "ETH": "3000"})
    jumped = {"ETH": "3001", "BTC": price}

    refused = await empty.put_prices(prices=jumped)
    assert is_problem(refused, problems.ABSURD_PRICE, "/prices/BTC")
    assert await kept(empty, "ETH") == {"ETH": 3_000_000_000}

    assert (await empty.put_prices(prices=jumped, confirm=["BTC"])).status_code == 204
    assert await kept(empty, "BTC") == {"BTC": int(price) * 1_000_000}


async def test_an_older_price_is_refused(empty: Web) -> None:
    """A table that arrives late leaves the newer prices as they are and takes nothing, and its feed is told so."""
    await empty.put_prices(prices={"BTC": "64000"})

    response = await empty.put_prices(at=at(START - 60_000), prices={"BTC": "63000", "ETH": "3000"})

    assert is_problem(response, problems.BAD_REQUEST, "/at")
    assert "BTC" in response.json()["detail"]
    assert await kept(empty, "BTC", "ETH") == {"BTC": 64_000_000_000}
    assert (await empty.put_prices(at=at(START - 60_000), prices={"ETH": "3000"})).status_code == 204
    assert (await empty.put_prices(prices={"BTC": "64000"})).status_code == 204


async def test_a_price_that_is_too_old_for_anything_is_refused(empty: Web) -> None:
    """A feed whose clock stands still is told, before all exits wait for a price."""
    age = empty.service.tools.policy.signals.price_age_m * MINUTE
    assert (await empty.put_prices(at=at(START - age), prices={"BTC": "64000"})).status_code == 204
    late = await empty.put_prices(at=at(START - age - 1), prices={"ETH": "3000"})
    assert is_problem(late, problems.BAD_REQUEST, "/at")


async def test_prices_may_be_a_little_ahead(empty: Web) -> None:
    """A feed whose clock is ahead by no more than the policy tolerates is believed."""
    assert (await empty.put_prices(at=at(START + 29_000))).status_code == 204


@pytest.mark.parametrize("body", [b"", b"[]", b'{"prices":{"BTC":"\xff"}}', b'{"at":NaN}', b"[" * 60_000])
async def test_a_table_that_cannot_be_read_is_refused(empty: Web, body: bytes) -> None:
    """What is no table at all is refused like any bad request."""
    headers = {"Content-Type": "application/json"} | empty.key("feed")

    response = await empty.http.put("/v1/prices", content=body, headers=headers)

    assert is_problem(response, problems.BAD_REQUEST, "")
