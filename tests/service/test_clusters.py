"""Three victims and three sellers of one thief, through the real service: the law takes a cluster for one account."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.service.house import HOME, PLATFORM, RING, Customer, House, settings
from tests.service.test_orders import fed, order
from tests.service.test_rotation import NEW

from holdback import service
from holdback.core import events as ev
from holdback.core.events import DAY, HOUR
from holdback.ports import Sighting, Wanted
from holdback.sharing import device_keys, kept_since, source_keys
from holdback.web import deposits
from holdback.wiring import load_policy

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store

VICTIMS = ("v1", "v2", "v3")
SELLERS = ("s1", "s2", "s3")
WALLET = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
"""An address that no account here pays."""


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house that is empty yet."""
    return House(store, clock)


async def aged(house: House, **devices: str) -> dict[str, Customer]:
    """Customers who have been here for five weeks, each with the device that is named, and have just signed in."""
    people = {name: Customer(house, name, device=device) for name, device in devices.items()}
    await asyncio.gather(*(one.ask(one.importing("v1" if one.account != "v1" else "s1")) for one in people.values()))
    await house.deliver()
    for days in (4, 29, 4):
        house.clock.at += days * DAY
        await asyncio.gather(*(one.sign_in(one.code()) for one in people.values()))
        await house.deliver()
    await fed(house)
    return people


def own_devices(*names: str) -> dict[str, str]:
    """Everybody has a device of his own."""
    return {name: f"{name}'s phone" for name in names}


async def robbed(victim: Customer, seller: Customer) -> None:
    """A young session buys two percent too dear of a seller."""
    answer = await victim.ask(order(victim, 1, "65280", counterparty=seller.account))
    assert answer["decision"] == "allow", answer


async def leaving(seller: Customer) -> list[str]:
    """Why next to all that a seller has may not leave; ten minutes after he signed in."""
    await seller.house.priced()
    answer = await seller.ask(seller.withdrawal(999_990, to=HOME, proofs=seller.proofs()))
    return [one["code"] for one in answer["reasons"]]


async def test_three_sellers_on_one_device_hold_the_proceeds(house: House) -> None:
    """What three victims gave to three accounts on one device stays at each of them for three days, not for one."""
    people = await aged(house, **own_devices(*VICTIMS), **dict.fromkeys(SELLERS, "the thief's phone"))
    sellers = [people[name] for name in SELLERS]
    for victim, seller in zip(VICTIMS, sellers, strict=True):
        await robbed(people[victim], seller)
    gained_at = house.clock.at
    for one in sellers:
        assert not await house.happened(one.account, ev.ProceedsHeld)
    house.clock.at += 26 * HOUR
    for one in sellers:
        await one.sign_in(one.code())
        assert "received_lately" in await leaving(one)
        (held,) = await house.happened(one.account, ev.ProceedsHeld)
        assert held.micro_usd == 128_000_000
        until = (gained_at // HOUR + 1 + 72) * HOUR
        assert max(mark.until for mark in (await house.head(one.account)).received) == until
    decided = (await house.happened("s1", ev.Decided))[-1]
    assert b"v2" in decided.facts
    assert not await house.faults(*people)


async def test_sellers_apart_hold_nothing(house: House) -> None:
    """Three sellers who have nothing in common but a victim each pay out after a day."""
    people = await aged(house, **own_devices(*VICTIMS, *SELLERS))
    for victim, seller in zip(VICTIMS, SELLERS, strict=True):
        await robbed(people[victim], people[seller])
    house.clock.at += 26 * HOUR
    for name in SELLERS:
        await people[name].sign_in(people[name].code())
        assert "received_lately" not in await leaving(people[name])
        assert not await house.happened(name, ev.ProceedsHeld)


async def told(house: House, *accounts: str, usd: str = "500") -> None:
    """The feed tells that so much came to these accounts from one wallet outside."""
    rows = [{"account": one, "network": "bitcoin", "address": WALLET, "usd": usd} for one in accounts]
    table = deposits.read_table(msgspec.json.encode({"deposits": rows}))
    await deposits.keep(house.service, table, house.clock.at)


async def test_three_sellers_funded_from_one_wallet(house: House) -> None:
    """What three victims gave to three accounts whose deposits came from one address stays at each of them."""
    people = await aged(house, **own_devices(*VICTIMS, *SELLERS))
    await told(house, *SELLERS)
    for victim, seller in zip(VICTIMS, SELLERS, strict=True):
        await robbed(people[victim], people[seller])
    house.clock.at += 26 * HOUR
    for name in SELLERS:
        await people[name].sign_in(people[name].code())
        assert "received_lately" in await leaving(people[name])
        assert await house.happened(name, ev.ProceedsHeld)
    (tied,) = [one for one in await house.happened("s1", ev.Tied) if one.funds]
    assert tied.key == source_keys(house.service.tools.masters, WALLET).keys[0]
    assert not await house.faults(*people)


async def test_an_exchanges_wallet_ties_nobody(house: House) -> None:
    """Where more accounts are funded from than the policy says it joins none, also those that were there before."""
    people = await aged(house, **own_devices("s1", "s2"))
    await told(house, "s1")
    key, day = source_keys(house.service.tools.masters, WALLET).keys[0], house.clock.at // DAY
    many = house.service.tools.policy.trades.cluster_accounts
    await house.store.put_sightings([Sighting(key, f"other-{number}", day) for number in range(many - 1)])
    await told(house, "s2")
    assert [key in (await house.head(name)).ties for name in ("s1", "s2")] == [True, False]
    await told(house, "s1")
    assert key not in (await house.head("s1")).ties
    assert not await house.faults(*people)


async def test_what_is_no_news_leaves_no_trace(house: House) -> None:
    """Small deposits, those that are told again and those of nobody known write nothing."""
    await aged(house, s1="tablet")
    await told(house, "s1", "s1.trading", "s1")
    seq = (await house.head("s1")).seq
    await told(house, "s1", "nobody")
    await told(house, "s1", usd="99.99")
    assert (await house.head("s1")).seq == seq
    assert not await house.faults("s1")


async def test_in_one_batch(house: House) -> None:
    """What the last victim gives is seen by an exit that is judged in the same transaction."""
    people = await aged(house, **own_devices(*VICTIMS), s1="tablet", s2="tablet")
    await robbed(people["v1"], people["s1"])
    await robbed(people["v2"], people["s2"])
    seller, victim = people["s1"], people["v3"]
    await house.priced()
    held = await seller.ask(seller.withdrawal(999_990, to=HOME, proofs=seller.proofs()))
    assert not await house.happened("s1", ev.ProceedsHeld)
    await fed(house)
    release = {"action": "exit.release", "which": held["hold"]["id"], "actor": PLATFORM}
    batches = house.service.work.batches
    await asyncio.gather(victim.ask(order(victim, 1, "65280", counterparty="s2")), seller.ask(release))
    assert house.service.work.batches == batches + 1
    assert await house.happened("s1", ev.ProceedsHeld)


async def test_a_cluster_closes_as_one(house: House) -> None:
    """A pair and a seller that an order closed stay closed to his other account, and open to others."""
    people = await aged(house, **own_devices("v1", "honest"), s1="tablet", s2="tablet")
    victim = people["v1"]
    denied = await victim.ask(order(victim, 1, "640000", amount="10", counterparty="s1"))
    assert [one["code"] for one in denied["reasons"]] == ["over_trade_limit"]
    elsewhere = {"pair": "BTC/USD"}
    again = await victim.ask(order(victim, 2, "64000", counterparty="s2", **elsewhere))
    assert [one["code"] for one in again["reasons"]] == ["trading_closed"]
    other = await victim.ask(order(victim, 3, "64000", counterparty="honest", **elsewhere))
    assert [one["code"] for one in other["reasons"]] != ["trading_closed"]
    assert not await house.faults("v1")


async def test_ones_own_accounts_have_no_victims(house: House) -> None:
    """Who has long used one device for both accounts is no victim of himself; on a new one he would be."""
    people = await aged(house, v1="laptop", s1="laptop", v2="desktop", s2="tablet")
    await robbed(people["v1"], people["s1"])
    assert not await house.happened("s1", ev.ProceedsSeen)
    assert await house.happened("s1", ev.ValueReceived)
    people["v2"].device = people["s2"].device
    await people["v2"].sign_in(people["v2"].next_code())
    await house.priced()
    await robbed(people["v2"], people["s2"])
    assert await house.happened("s2", ev.ProceedsSeen)


async def test_a_tie_outlives_a_rotation(house: House) -> None:
    """An account that signs in after the master key changed has the same tie as one that did before."""
    people = await aged(house, s1="tablet", s2="desktop")
    (tie,) = set((await house.head("s1")).ties) - set((await house.head("s2")).ties)
    anew = House(house.store, house.clock, given=settings(f"{NEW},{RING}"))
    other = people["s2"]
    other.house, other.device = anew, "tablet"
    await other.sign_in(other.next_code())
    assert tie in (await anew.head("s2")).ties
    assert tie in device_keys(anew.service.tools.masters, "tablet").keys


async def test_what_is_old_is_forgotten(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The housekeeping forgets what was met longer ago than the policy says, so much at a time, and nothing younger."""
    policy = house.service.tools.policy
    kept = policy.shared.kept_d
    house.clock.at += 400 * DAY
    today = house.clock.at // DAY
    key = device_keys(house.service.tools.masters, "phone").keys[0]
    ages = (0, kept - 1, kept, kept + 1, kept + 2, kept + 3)
    await house.store.put_sightings([Sighting(key, "v1", today - age) for age in ages])
    monkeypatch.setattr(service, "FORGOTTEN_AT_ONCE", 1)
    monkeypatch.setattr(service, "FORGOTTEN_BATCHES", 2)
    left = []
    for _ in range(3):
        await house.service.forget()
        (seen,) = (await house.store.read([Wanted("v1", shared=(key,))])).sightings.values()
        left.append([today - row.day for row in seen.rows])
    assert [len(one) for one in left] == [4, 3, 3]
    assert left[-1] == [0, kept - 1, kept]


def test_a_loss_stays_as_long_as_it_counts() -> None:
    """However soon a policy forgets what was met, stops and losses stay as long as anything is held for them."""
    policy = load_policy("default")
    brief = msgspec.structs.replace(policy, shared=msgspec.structs.replace(policy.shared, kept_d=1))
    assert kept_since(policy, 400 * DAY) == (400 - policy.shared.kept_d) * DAY
    assert kept_since(brief, 400 * DAY) == 400 * DAY - (2 * policy.trades.victims_proceeds_h + 1) * HOUR
