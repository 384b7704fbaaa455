"""The circuit breaker over many accounts, through the real service: thefts trip it in time, a run does not."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.service.house import HOME, PLATFORM, Customer, Hands, House, settled, somewhere
from tests.service.office import WITH_PASSKEYS, staffed

from holdback.breaker_watch import LOOKS_S, BreakerWatch
from holdback.core import events as ev
from holdback.core.breaker import WEEK
from holdback.core.events import DAY, HOUR, MINUTE, Role
from holdback.ports import FlowRow, StoreUnavailable, Writes

if TYPE_CHECKING:
    from holdback.ports import Store

USD = 1_000_000


async def old_hands(house: House, number: int) -> list[Customer]:
    """Customers of long standing, in whose accounts nothing happened for over a week."""
    people = await settled(house, *(f"c{one:03}" for one in range(number)))
    house.clock.at += 12 * DAY
    for one in people:
        await one.sign_in(one.code())
    await house.deliver()
    await house.priced()
    return people


async def known_weeks(house: House, weeks: int, usd_per_h: int) -> None:
    """Let the platform have a past in which about so much left each hour to new destinations."""
    chance, now = random.Random(5), house.clock.at
    begins = now - now % HOUR - weeks * WEEK
    rows = [
        FlowRow(begins + hour * HOUR, *(int(usd_per_h * USD * chance.lognormvariate(0, 0.3)) for _ in range(2)))
        for hour in range(weeks * 7 * 24)
    ]
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(flows=rows))


def of_thief(victim: Customer) -> str:
    """An address of the thief's, one a victim: one address that many enter is held by itself (`destination_shared`)."""
    return somewhere(f"the thief's, for {victim.account}")


async def enter(people: list[Customer]) -> None:
    """Whoever has taken the accounts over enters an address of his in each, and waits until it is ripe."""
    house = people[0].house
    for one in people:
        body = one.body("address.add", proofs=one.proofs(), name="new", network="bitcoin", address=of_thief(one))
        answer = await one.ask(body)
        assert answer["decision"] == "allow", answer
    await house.deliver()
    house.clock.at += 73 * HOUR
    for one in people:
        await one.sign_in(one.next_code())
    await house.deliver()
    await house.priced()


async def robbed(people: list[Customer], usd: int) -> tuple[int, int, list[dict[str, Any]]]:
    """Empty one account after the other, half a minute apart, under the watch.

    What left before it tripped, how long that took, and what was answered.
    """
    house = people[0].house
    watch, began, left, took, answers = BreakerWatch(house.service), house.clock.at, 0, -1, []
    for one in people:
        answer = await one.ask(one.withdrawal(usd, to=of_thief(one), proofs=one.proofs()))
        answers.append(answer)
        left += usd if answer["decision"] == "allow" else 0
        # The watch looks every few seconds; the clock of the tests is moved by the codes, half a minute each.
        if (await watch.look()).tripped_at and took < 0:
            took = house.clock.at - began + int(LOOKS_S * 1000)
        await house.priced()
    return left, took, answers


def codes(answer: dict[str, Any]) -> list[str]:
    """Why."""
    return [reason["code"] for reason in answer["reasons"]]


async def test_twenty_accounts_and_one_thief(house: House) -> None:
    """Twenty accounts emptied to one thief trip it on a cold start: about a third leaves, within five minutes."""
    people = await old_hands(house, 20)
    await enter(people)
    left, took, answers = await robbed(people, 40_000)
    assert left == 7 * 40_000, "the limit of a cold start, and the one that passed it"
    assert 0 < took <= 5 * MINUTE
    for answer in answers[7:]:
        assert (answer["decision"], "breaker_tripped" in codes(answer)) == ("hold", True), answer
        assert answer["hold"]["release_at"]


async def test_many_small_ones(house: House) -> None:
    """Forty small thefts trip it as well once a past is known, and then stop at what a small exit is."""
    people = await old_hands(house, 40)
    await known_weeks(house, 9, 10_000)
    await enter(people)
    left, took, answers = await robbed(people, 4_000)
    assert 100_000 < left <= 104_000
    assert 0 < took <= 15 * MINUTE
    assert "breaker_tripped" in codes(answers[-1])


async def test_a_run_on_the_platform(house: House) -> None:
    """Everybody pays himself out at once, to where he always did (seeded): nothing trips, and all of it goes."""
    people = await old_hands(house, 30)
    await known_weeks(house, 9, 10_000)
    chance, watch, left = random.Random(11), BreakerWatch(house.service), 0
    chance.shuffle(people)
    for one in people:
        usd = chance.randrange(20_000, 50_000)
        answer = await one.ask(one.withdrawal(usd, to=HOME, proofs=one.proofs()))
        assert answer["decision"] == "allow", answer
        left += usd
        assert not (await watch.look()).tripped_at
        await house.priced()
    assert left > 800_000
    assert sum(row.new_micro_usd + row.changed_micro_usd for row in await house.store.flows(house.clock.at - HOUR)) == 0


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house whose staff sign in by passkey."""
    return House(store, clock, given=WITH_PASSKEYS)


async def trips(house: House) -> None:
    """Too much has left."""
    flow = (await BreakerWatch(house.service).look()).flow
    answer = msgspec.json.decode(await house.service.trip("new_destinations", flow, flow))
    assert answer["decision"] == "allow", answer


async def test_what_was_held_goes_after_two_have_reset_it(house: House) -> None:
    """A hold by the breaker is decided again at its time: held while it is tripped, let go once two have reset it."""
    (alice,) = people = await old_hands(house, 1)
    await enter(people)
    await trips(house)
    answer = await alice.ask(alice.withdrawal(5_000, to=of_thief(alice), proofs=alice.proofs()))
    assert codes(answer) == ["breaker_tripped"]
    assert answer["hold"]["release_at"]
    await house.deliver()
    release = {"action": "exit.release", "which": answer["hold"]["id"], "actor": PLATFORM}
    house.clock.at += 25 * HOUR
    await house.priced()
    assert (await house.ask("c000", release))["decision"] == "hold"
    tim, ira, sue = await staffed(house, tim=Role.TREASURER, ira=Role.INVESTIGATOR, sue=Role.SUPPORT)
    assert codes(await sue.asks(ev.BREAKER, "breaker.reset")) == ["not_entitled"]
    for _ in range(2):
        assert codes(await tim.asks(ev.BREAKER, "breaker.reset")) == ["second_person_required"]
    assert (await house.store.read([])).tripped_at
    assert (await ira.asks(ev.BREAKER, "breaker.reset"))["decision"] == "allow"
    assert not (await BreakerWatch(house.service).look()).tripped_at
    await house.priced()
    assert (await house.ask("c000", release))["decision"] == "allow"
    assert ("breaker.reset", "allow") in await house.story(ev.BREAKER)
    assert await house.faults(ev.BREAKER, "c000") == []


async def test_what_was_looked_at_does_not_trip_it_again(house: House) -> None:
    """What made it trip is not counted again once two have reset it; what leaves afterwards is."""
    row = FlowRow(house.clock.at, 10**15, 0)
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(flows=[row]))
    watch = BreakerWatch(house.service)
    assert (await watch.look()).tripped_at
    tim, ira = await staffed(house, tim=Role.TREASURER, ira=Role.INVESTIGATOR)
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(flows=[row._replace(at=house.clock.at)]))
    house.clock.at += 1
    await tim.asks(ev.BREAKER, "breaker.reset")
    await ira.asks(ev.BREAKER, "breaker.reset")
    assert not (await watch.look()).tripped_at
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(flows=[row._replace(at=house.clock.at)]))
    assert (await watch.look()).tripped_at


async def test_a_copy_that_differs_is_put_right(house: House) -> None:
    """The stream says how the breaker stands: what a restore or a hand changed in the copy is mended at a look."""
    await trips(house)
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(tripped_at=[0]))
    assert (await BreakerWatch(house.service).look()).tripped_at
    assert (await house.store.read([])).tripped_at


async def test_whoever_looks_says_so_to_all(house: House) -> None:
    """A look is said in the store, and again before it is too old for decisions; one between them writes nothing."""
    house.is_watched, began = False, house.clock.at
    watch, age_ms = BreakerWatch(house.service), house.service.tools.policy.breaker.look_age_s * 1000
    said = []
    for step in (0, LOOKS_S * 1000, age_ms // 2, -age_ms):
        house.clock.at += int(step)
        await watch.look()
        said.append((await house.store.read([])).looked_at - began)
    assert said == [0, 0, LOOKS_S * 1000 + age_ms // 2, LOOKS_S * 1000 - age_ms // 2]


async def test_what_nobody_watches_waits(house: House) -> None:
    """While no server looks at what leaves, a payment to somebody new waits and says why; small and old ones go."""
    (alice,) = people = await old_hands(house, 1)
    await enter(people)
    house.is_watched = False
    house.clock.at += house.service.tools.policy.breaker.look_age_s * 1000 + 1
    await house.priced()
    answer = await alice.ask(alice.withdrawal(5_000, to=of_thief(alice), proofs=alice.proofs()))
    assert (answer["decision"], codes(answer)) == ("hold", ["breaker_unwatched"])
    small = await alice.ask(alice.withdrawal(50, to=of_thief(alice), proofs=alice.proofs()))
    assert small["decision"] == "allow", small
    assert (await alice.ask(alice.withdrawal(5_000, proofs=alice.proofs())))["decision"] == "allow"
    await BreakerWatch(house.service).look()
    again = await alice.ask(alice.withdrawal(5_000, to=of_thief(alice), proofs=alice.proofs()))
    assert again["decision"] == "allow", again


async def test_several_servers_trip_it_once(house: House) -> None:
    """Three that see the same at once write one trip."""
    flow = (await BreakerWatch(house.service).look()).flow
    at_once = (house.service.trip("new_destinations", flow, flow) for _ in range(3))
    await asyncio.gather(*at_once, return_exceptions=True)
    assert len(await house.happened(ev.BREAKER, ev.BreakerTripped)) == 1


async def test_it_watches_until_it_is_stopped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks, goes on after a failure of the store, and ends when it is told to."""
    watch, stop, looks = BreakerWatch(house.service), asyncio.Event(), 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise StoreUnavailable("away")
        if looks == 2:
            raise LookupError("a row that nobody understands")
        stop.set()

    monkeypatch.setattr(watch, "look", look)
    await asyncio.wait_for(watch.run(stop, every_s=0), 10)
    assert looks == 3


async def test_nobody_else_is_called_so(house: House) -> None:
    """No customer can be brought in under the breaker's id, by which his stream would be taken for it."""
    one = Customer(house, ev.BREAKER)
    assert (await one.ask(one.importing()))["decision"] == "deny"
