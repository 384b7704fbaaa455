"""The feed of deposits: kept whole or not at all, and only what is dust."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from tests.web.platform_side import HOME, OTHER, Web, is_problem

from holdback.ports import Wanted
from holdback.sharing import dust_keys
from holdback.web import problems

DUST: Final = {"account": "alice", "network": "bitcoin", "address": HOME, "usd": "0.01"}


async def put(web: Web, *deposits: object) -> Any:  # noqa: ANN401 - the response of httpx
    """Tell the feed."""
    headers = {"Authorization": f"Bearer {web.keys['feed']}", "Content-Type": "application/json"}
    body = json.dumps({"deposits": deposits}).encode()
    return await web.http.put("/v1/deposits", content=body, headers=headers)


async def dusty(web: Web, account: str, address: str) -> bool:
    """Whether an account is known to have received dust from the like of an address."""
    keys = dust_keys(web.service.tools.masters, account, address).keys
    return bool((await web.service.store.read([Wanted("", shared=keys)])).sightings)


async def test_dust_is_kept_and_nothing_else(empty: Web) -> None:
    """Of deposits up to `book.dust_usd` the sender's edges are kept, of the whole family; of others nothing."""
    paid = DUST | {"address": OTHER, "usd": "1.01"}
    response = await put(empty, DUST | {"account": "alice.trading", "address": HOME.upper()}, paid, DUST)
    assert (response.status_code, response.content) == (204, b"")
    assert await dusty(empty, "alice", HOME)
    assert not await dusty(empty, "alice", OTHER)
    assert not await dusty(empty, "bob", HOME)


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"address": HOME[:-1]}, "/deposits/1/address"),
        ({"account": "no account"}, "/deposits/1/account"),
        ({"account": ""}, "/deposits/1/account"),
        ({"usd": "-1"}, "/deposits/1/usd"),
        ({"usd": 1}, "/deposits/1/usd"),
        ({"network": "Bitcoin"}, "/deposits/1/network"),
        ({"colour": "red"}, "/deposits/1/colour"),
    ],
    ids=str,
)
async def test_a_bad_table_is_refused_whole(empty: Web, changed: dict[str, Any], pointer: str) -> None:
    """One wrong row names its field, and nothing of the table is kept."""
    response = await put(empty, DUST, DUST | changed)
    assert is_problem(response, problems.BAD_REQUEST, pointer)
    assert not await dusty(empty, "alice", HOME)


@pytest.mark.parametrize("deposits", [(), [DUST] * 501], ids=["none", "too many"])
async def test_a_table_has_a_size(empty: Web, deposits: list[dict[str, str]]) -> None:
    """A table of nothing, or of too much, is refused."""
    response = await put(empty, *deposits)
    assert is_problem(response, problems.BAD_REQUEST, "/deposits")
