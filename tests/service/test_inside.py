"""The hold follows the money, through the real service: what its sender does later keeps what he sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.service.house import PLATFORM, RECEIPTS, RING, House, settings, settled

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR
from holdback.ports import SIGHTINGS_MOST, Loaded, Sighting, Sightings
from holdback.sharing import stop_of, stopped_lately

if TYPE_CHECKING:
    from tests.service.house import Customer

ALL = 999_500
"""More than what the receiver had before, but for what still waits."""


async def sent(alice: Customer, usd: int = 20_000) -> str:
    """Alice sends Bob something; the exit's id."""
    transfer = {"kind": "internal_transfer", "asset": "USDT", "amount": str(usd), "counterparty": "bob"}
    answer = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **transfer))
    assert answer["decision"] == "allow", answer
    return str((await alice.house.happened("alice", ev.ExitAllowed))[-1].exit)


def until(answer: dict[str, Any]) -> str:
    """Until when an exit waits for what was received lately; "" if it does not."""
    return next((str(one["until"]) for one in answer["reasons"] if one["code"] == "received_lately"), "")


async def pays(bob: Customer, usd: int = ALL) -> dict[str, Any]:
    """Bob asks to pay out next to everything."""
    await bob.house.priced()
    return await bob.ask(bob.withdrawal(usd, proofs=bob.proofs()))


async def test_a_freeze_reaches_what_was_sent(house: House) -> None:
    """An honest receiver is free after a day; one whose sender froze meanwhile is after three."""
    alice, bob = await settled(house, "alice", "bob")
    await sent(alice)
    (mark,) = (await house.head("bob")).received
    before = until(await pays(bob))
    assert before
    await alice.ask(alice.body("account.freeze"))
    after = until(await pays(bob))
    assert after > before
    assert mark.stopped_until - mark.until == 2 * DAY

    decided = [one for one in await house.happened("bob", ev.Decided) if one.action == "exit.request"][-1]
    assert b"alice" in decided.facts


async def test_both_in_one_batch(house: House) -> None:
    """A freeze that is judged before the exit, in the same transaction, is seen by it."""
    alice, bob = await settled(house, "alice", "bob")
    await sent(alice)
    held = await pays(bob)
    release = {"action": "exit.release", "which": held["hold"]["id"], "actor": PLATFORM}
    batches = house.service.work.batches
    answers = await asyncio.gather(alice.ask(alice.body("account.freeze")), bob.ask(release))
    assert house.service.work.batches == batches + 1
    assert until(answers[1]) > until(held)


async def test_two_servers(house: House) -> None:
    """A freeze that one server wrote is read by the other at the receiver's next question."""
    alice, bob = await settled(house, "alice", "bob")
    await sent(alice)
    short = until(await pays(bob))
    bob.house = House(house.store, house.clock, given=settings(RING, RECEIPTS))
    assert until(await pays(bob)) == short
    await alice.ask(alice.body("account.freeze"))
    assert until(await pays(bob)) > short


async def test_an_honest_receiver(house: House) -> None:
    """Nobody waits longer for what a sender does once the day is over."""
    alice, bob = await settled(house, "alice", "bob")
    await sent(alice)
    house.clock.at += 25 * HOUR
    await alice.ask(alice.body("account.freeze"))
    await bob.sign_in()
    assert not until(await pays(bob))


def test_more_stops_than_are_read() -> None:
    """Of a sender stopped in more hours than one load gives, nothing is said, so that he counts as stopped."""
    key = stop_of("alice", 0).key
    rows = tuple(Sighting(key, "alice", hour) for hour in range(SIGHTINGS_MOST))
    for number, known in ((SIGHTINGS_MOST - 1, True), (SIGHTINGS_MOST, False)):
        loaded = Loaded(0, {}, {}, {}, {}, reconciling=False, sightings={key: Sightings(0, rows[:number])})
        assert bool(stopped_lately(("alice",), loaded, ())) is known
