"""Orders, asked of a whole service over a real store: what the feed knows, what is drawn, who receives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.service.house import CALLER, House, settled

from holdback.client import TradeLease
from holdback.core.events import DAY, HOUR, MINUTE
from holdback.intake import BadRequest
from holdback.pair_index import PairIndex
from holdback.ports import Price
from holdback.service import Question

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


async def test_what_a_changed_account_gives_away_counts_for_the_breaker(house: House) -> None:
    """What is given away beyond tolerance within days of a change is a row of outflow; before it, nothing is."""
    (alice,) = await settled(house, "alice")
    house.clock.at += 12 * DAY
    await alice.sign_in(alice.code())
    await house.deliver()
    await fed(house)
    for number, changed in enumerate((False, True), start=1):
        if changed:
            fresh = alice.body("password.change", password="nine violet harbours drift", proofs=alice.proofs())
            assert (await alice.ask(fresh))["decision"] == "allow"
            await fed(house)
        assert (await alice.ask(order(alice, number, "64100")))["decision"] == "allow"
        counted = sum(row.changed_micro_usd for row in await house.store.flows(house.clock.at - HOUR))
        assert counted == (6_160_000 if changed else 0), "a tenth of $100 less three times 200 ppm of $64,000"


async def test_without_a_feed_all_of_it_counts(house: House) -> None:
    """Without a reference from outside everything that is traded counts (law 8)."""
    (alice,) = await settled(house, "alice")
    denied = await alice.ask(order(alice, 1, "64000"))
    assert [one["code"] for one in denied["reasons"]] == ["price_unknown"]


async def test_a_lease_is_spent_in_process(house: House) -> None:
    """A lease is drawn at once; the client answers by it until it is used up or over, and settles the rest."""
    (alice,) = await settled(house, "alice")
    await fed(house)
    await alice.ask(order(alice, 1, "64000"))
    house.clock.at += 25 * HOUR
    await alice.sign_in(alice.code())
    house.clock.at += 30 * MINUTE
    await alice.ask(alice.body("change.cancel", which="none"))
    house.clock.at += 40 * MINUTE
    await house.deliver()
    await fed(house)
    body = alice.body("order.lease", pair="BTC/USDT")
    question = Question(CALLER, "alice", body, "", b"", lease=True)
    answer = msgspec.json.decode(await house.service.ask(question))
    assert answer["decision"] == "allow", answer
    clock = [100.0]
    lease = TradeLease.of(answer, 100.0, clock=lambda: clock[0])
    assert lease is not None
    assert lease.allows("BTC/USDT", "buy", 64_000.0, 1.0)
    assert not lease.allows("BTC/USDT", "buy", 64_000.0, 0.0)
    assert lease.allows("BTC/USDT", "buy", 64_001.0, 0.5)
    assert lease.used_micro_usd == 500_001
    assert not lease.allows("ETH/USDT", "buy", 1.0, 1.0)
    assert not lease.allows("BTC/USDT", "sell", 1.0, 10.0)
    assert not lease.allows("BTC/USDT", "buy", float("inf"), 10.0)
    assert not lease.allows("BTC/USDT", "BUY", 63_000.0, 1.0)
    assert not lease.allows("BTC/USDT", "buy", 1e300, 1e300)
    assert not lease.allows("BTC/USDT", "buy", 64_001.0, float("inf"))
    clock[0] = 102.0
    house.clock.at += 2_000
    assert not lease.allows("BTC/USDT", "buy", 64_000.0, 1.0)
    settles = body | {"settles": lease.id, "used_usd": lease.close()}
    answer = msgspec.json.decode(await house.service.ask(question._replace(body=settles)))
    assert answer["decision"] == "allow"
    assert TradeLease.of({"decision": "deny"}, 0.0) is None
    assert not await house.faults("alice")
    with pytest.raises(BadRequest):
        await house.service.ask(question._replace(lease=False))
