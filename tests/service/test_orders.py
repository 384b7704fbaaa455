"""Orders, asked of a whole service over a real store: what the feed knows, what is drawn, who receives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.service.house import House, settled

from holdback.core.events import MINUTE
from holdback.ports import PairIndex, Price

if TYPE_CHECKING:
    from tests.service.house import Customer, Hands

    from holdback.ports import Store


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house that is empty yet."""
    return House(store, clock)


async def fed(house: House) -> None:
    """The feed knows a pair and both its assets now."""
    at = house.clock.at
    index = PairIndex("BTC/USDT", "64000", at, ((at // MINUTE, 200),))
    prices = [Price("BTC", 64_000_000_000, at), Price("USDT", 1_000_000, at), index.row()]
    await house.store.put_prices(prices)


def order(alice: Customer, number: int, price: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """The body of an order to buy a tenth of a bitcoin."""
    known = {"order": f"o{number}", "pair": "BTC/USDT", "side": "buy", "price": price, "amount": "0.1"}
    return alice.body("order.place", **(known | fields))


async def test_an_order_is_decided_and_reported(house: House) -> None:
    """An order at the market goes, one far from it is denied and closes its pair, and a report is taken."""
    alice, bob = await settled(house, "alice", "bob")
    await fed(house)
    assert (await alice.ask(order(alice, 1, "64010", counterparty=bob.account)))["decision"] == "allow"
    report = {"action": "order.report", "order": "o1", "pair": "BTC/USDT", "side": "buy", "price": "0", "amount": "0"}
    assert (await alice.ask(report | {"actor": {"kind": "platform"}}))["decision"] == "allow"
    assert (await alice.ask(order(alice, 2, "64200", counterparty=bob.account)))["decision"] == "allow"
    denied = await alice.ask(order(alice, 3, "640000", amount="10"))
    assert [one["code"] for one in denied["reasons"]] == ["over_trade_limit"]
    again = await alice.ask(order(alice, 4, "64000"))
    assert [one["code"] for one in again["reasons"]] == ["trading_closed"]
    assert not await house.faults("alice")
    assert not await house.faults("bob")


async def test_without_a_feed_all_of_it_counts(house: House) -> None:
    """Without a reference from outside everything that is traded counts (law 8)."""
    (alice,) = await settled(house, "alice")
    denied = await alice.ask(order(alice, 1, "64000"))
    assert [one["code"] for one in denied["reasons"]] == ["over_trade_limit"]
