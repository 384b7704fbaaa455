"""The hold follows the money, through the real service: what its sender does later keeps what he sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.service.house import PLATFORM, RECEIPTS, RING, House, settings, settled
from tests.service.office import WITH_PASSKEYS, staffed
from tests.service.test_backup import elsewhere, saved
from tests.service.test_orders import fed, order

from holdback import backup
from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, Channel, Role
from holdback.ports import SIGHTINGS_MOST, Loaded, Sighting, Sightings
from holdback.receipts import RETURNED
from holdback.sharing import stop_of, stopped_lately

if TYPE_CHECKING:
    from tests.service.house import Customer, Hands
    from tests.service.office import Colleague

    from holdback.ports import Store

__all__ = ["elsewhere"]

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
    """Of a sender stopped in more hours than one load gives nothing is said; old ones are neither told nor counted."""
    key = stop_of("alice", 0).key
    for last, number, known in ((200, SIGHTINGS_MOST - 1, 63), (200, SIGHTINGS_MOST, None), (150, SIGHTINGS_MOST, 51)):
        rows = tuple(Sighting(key, "alice", last - hour) for hour in range(number))
        loaded = Loaded(0, {}, {}, {}, {}, reconciling=False, sightings={key: Sightings(0, rows)})
        facts = stopped_lately(("alice",), loaded, (), 100 * HOUR)
        assert [len(one.stopped_at) for one in facts] == ([] if known is None else [known])


# Giving back


async def robbed(house: House, usd: int = 20_000) -> tuple[Customer, Customer, str, list[Colleague]]:
    """Alice, whose money the thief sent to Bob, the exit, and two of the staff who may give it back."""
    desk = await staffed(house, ann=Role.TREASURER, bo=Role.INVESTIGATOR)
    alice, bob = await settled(house, "alice", "bob")
    which = await sent(alice, usd)
    await alice.ask(alice.body("account.freeze"))
    for one in desk:
        await one.signs_in()
    return alice, bob, which, desk


async def given_back(which: str, desk: list[Colleague]) -> list[dict[str, Any]]:
    """What two of the staff are answered."""
    return [await one.asks("alice", "exit.cancel", which=which) for one in desk]


def settling(which: str) -> dict[str, Any]:
    """The platform has moved it."""
    return {"action": "exit.settle", "which": which, "reference": "back-1", "actor": PLATFORM}


async def test_two_people_give_back(store: Store, clock: Hands) -> None:
    """The second person's answer has a receipt for the ledger; both owners are told, and all three streams hold."""
    house = House(store, clock, given=WITH_PASSKEYS)
    alice, bob, which, desk = await robbed(house)
    first, second = await given_back(which, desk)
    assert (first["decision"], first["hold"]["release_at"], first["receipt"]) == ("hold", None, None)
    assert second["decision"] == "allow"
    receipt = house.service.tools.receipts.read(second["receipt"])
    assert (receipt.account, receipt.kind, receipt.usd, receipt.to) == ("alice", RETURNED, "20000.000000", "bob")

    (mark,) = (await house.head("bob")).received
    assert mark.recalled_micro_usd == mark.micro_usd
    await house.deliver()
    for address, subject in ((alice.mail, "comes back"), (bob.mail, "goes back")):
        assert any(subject in one.subject for one in house.post[Channel.EMAIL].to(address))
    answer = await house.ask("alice", settling(which))
    assert answer["decision"] == "allow"
    assert (await house.head("bob")).received == ()
    assert not until(await pays(bob))
    assert await house.faults("alice", "bob", "staff-ann", "staff-bo") == []


async def test_value_goes_back_once(store: Store, clock: Hands) -> None:
    """However often it is asked for, the receipt has one id, which the signer consumes once; after a settling none."""
    house = House(store, clock, given=WITH_PASSKEYS)
    _, _, which, desk = await robbed(house)
    await given_back(which, desk)
    clock.at += 5 * 60_000
    again = await given_back(which, desk)
    ids = {house.service.tools.receipts.read(one["receipt"]).id for one in again}
    assert len(ids) == 1
    assert which in next(iter(ids))
    await house.ask("alice", settling(which))
    assert [one["decision"] for one in await given_back(which, desk)] == ["deny", "deny"]
    assert len(await house.happened("bob", ev.ValueRecalled)) == 1


async def test_two_servers_and_two_people(store: Store, clock: Hands) -> None:
    """Two second persons at two servers at once give back once."""
    house = House(store, clock, given=WITH_PASSKEYS)
    _, _, which, desk = await robbed(house)
    await desk[0].asks("alice", "exit.cancel", which=which)
    other = House(store, clock, given=WITH_PASSKEYS)
    desk[0].house, desk[1].house = house, other
    answers = await asyncio.gather(
        *(one.asks("alice", "exit.cancel", which=which) for one in (desk[1], desk[0], desk[1]))
    )
    assert [one["decision"] for one in answers].count("allow") >= 1
    assert len(await house.happened("alice", ev.ExitReturned)) == 1
    assert len(await house.happened("bob", ev.ValueRecalled)) == 1
    assert await house.faults("alice", "bob") == []


async def test_it_stands_on_the_desk(store: Store, clock: Hands) -> None:
    """What waits for a second person stands there for both roles, and goes with it, or at its time."""
    house = House(store, clock, given=WITH_PASSKEYS)
    _, _, which, desk = await robbed(house)
    await desk[0].asks("alice", "exit.cancel", which=which)
    for role in ("treasurer", "investigator"):
        assert [(row.account, row.kind) for row in await store.desk(role, (0, "", "", ""), 9)] == [("alice", "return")]
    await desk[1].asks("alice", "exit.cancel", which=which)
    assert await store.desk("", (0, "", "", ""), 9) == []


async def test_what_nobody_confirms_leaves_the_desk(store: Store, clock: Hands) -> None:
    """What a second person never wanted is gone from the desk once it waits no more."""
    house = House(store, clock, given=WITH_PASSKEYS)
    _, _, which, desk = await robbed(house)
    await desk[0].asks("alice", "exit.cancel", which=which)
    clock.at += 74 * HOUR
    await house.service.remind()
    assert await store.desk("", (0, "", "", ""), 9) == []


async def test_a_restored_store_gives_nothing_back_again(
    store: Store,
    clock: Hands,
    elsewhere: Store,
) -> None:
    """A receipt by which something went back draws nothing when it is shown, and its id is what it was."""
    house = House(store, clock, given=WITH_PASSKEYS)
    _, _, which, desk = await robbed(house)
    await desk[0].asks("alice", "exit.cancel", which=which)
    file = await saved(store)
    first = (await desk[1].asks("alice", "exit.cancel", which=which))["receipt"]

    await backup.restore(elsewhere, file, lambda _: None)
    anew = House(elsewhere, clock, given=WITH_PASSKEYS)
    before = (await anew.head("alice")).meters
    outcome = await backup.reconcile(anew.service, [first])
    assert (outcome.known, outcome.forgotten) == (1, 0)
    assert (await anew.head("alice")).meters == before
    for one in desk:
        one.house = anew
    refused = await desk[1].asks("alice", "exit.cancel", which=which)
    assert refused["reasons"][0]["code"] == "reconciling"
    await elsewhere.set_reconciling(False)
    again = (await desk[1].asks("alice", "exit.cancel", which=which))["receipt"]
    ids = [house.service.tools.receipts.read(one).id for one in (first, again)]
    assert ids[0] == ids[1]


async def test_what_a_trade_gave_away_comes_back(store: Store, clock: Hands) -> None:
    """Two people give back what was lost by a trade once the platform told of it, by a receipt like any, once."""
    house = House(store, clock, given=WITH_PASSKEYS)
    desk = await staffed(house, ann=Role.TREASURER, bo=Role.INVESTIGATOR)
    alice, _ = await settled(house, "alice", "bob")
    await fed(house)
    assert (await alice.ask(order(alice, 1, "70400", counterparty="bob")))["decision"] == "allow"
    (lost,) = [one.exit for one in await house.happened("alice", ev.ValueSent)]
    await alice.ask(alice.body("account.freeze"))
    for one in desk:
        await one.signs_in()
    assert [one["reasons"][0]["code"] for one in await given_back(lost, desk)] == ["nothing_held", "nothing_held"]

    matched = {"order": "o1", "pair": "BTC/USDT", "side": "buy", "price": "70400", "amount": "0.1"}
    told = {"action": "order.report", "counterparty": "bob", "actor": {"kind": "platform"}}
    assert (await house.ask("alice", told | matched))["decision"] == "allow"
    first, second = await given_back(lost, desk)
    assert (first["decision"], second["decision"]) == ("hold", "allow")
    receipt = house.service.tools.receipts.read(second["receipt"])
    assert (receipt.account, receipt.kind, receipt.usd, receipt.to) == ("alice", RETURNED, "636.160000", "bob")
    (mark,) = (await house.head("bob")).received
    assert (mark.micro_usd, mark.recalled_micro_usd) == (640_000_000, 636_160_000)

    assert (await house.ask("alice", settling(lost)))["decision"] == "allow"
    assert (await house.head("bob")).received[0].micro_usd == 3_840_000
    assert [one["decision"] for one in await given_back(lost, desk)] == ["deny", "deny"]
    assert (await house.ask("alice", settling(lost)))["decision"] == "deny"
    assert await house.faults("alice", "bob", "staff-ann", "staff-bo") == []
