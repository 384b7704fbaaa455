"""A receipt that nobody spent within its minute: a fresh one through the real service, of which one is ever spent."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.house import PLATFORM, settled
from tests.service.test_destinations import imported

from holdback.client import CREATE_RECEIPTS_SQL, Keys, ReceiptExpired, ReceiptUsed, consume, verify_receipt
from holdback.core import events as ev

if TYPE_CHECKING:
    from tests.service.house import Customer, House

    from holdback.client import Receipt


def verified(house: House, action: dict[str, Any], receipt: str) -> Receipt:
    """The receipt, as the platform's signer verifies it."""
    keys = Keys.parse(json.dumps(house.service.tools.receipts.jwks()))
    named = {name: value for name, value in action.items() if name not in {"actor", "proofs", "context"}}
    now = house.clock.at / 1000
    return verify_receipt(receipt, issuer=house.service.tools.issuer, account="alice", action=named, keys=keys, now=now)


async def fresh(alice: Customer, which: str) -> dict[str, Any]:
    """The platform asks once more, its clock a little later."""
    alice.house.clock.at += 2 * ev.MINUTE
    return await alice.ask({"action": "exit.release", "which": which, "actor": PLATFORM})


async def test_of_all_receipts_of_one_exit_one_is_spent(house: House) -> None:
    """Each is for the payment as it was first asked for, and whichever is spent, no other is."""
    (alice,) = await settled(house, "alice")
    action = alice.withdrawal(20)
    first = await alice.ask(action | {"proofs": alice.proofs()})
    earliest = verified(house, action, first["receipt"])
    (gone,) = await house.happened("alice", ev.ExitAllowed)
    answers = [await fresh(alice, gone.exit) for _ in range(3)]
    assert [one["decision"] for one in answers] == ["allow"] * 3
    later = [house.service.tools.receipts.read(one["receipt"]) for one in answers]
    assert {one.id for one in later} == {earliest.id}
    assert len({one.head for one in later}) == 3

    wallet, now = sqlite3.connect(":memory:"), house.clock.at / 1000
    wallet.execute(CREATE_RECEIPTS_SQL)
    with pytest.raises(ReceiptExpired):
        consume(earliest, wallet, now=now)
    consume(verified(house, action, answers[-1]["receipt"]), wallet, now=now)
    last = await fresh(alice, gone.exit)
    with pytest.raises(ReceiptUsed):
        consume(verified(house, action, last["receipt"]), wallet, now=house.clock.at / 1000)
    (total,) = (await house.head("alice")).meters[ev.Lane.TOTAL].days.values()
    assert total == 20_000_000
    assert await house.faults("alice") == []


async def test_two_who_ask_at_once(house: House) -> None:
    """Two workers of the platform that ask at the same moment get receipts of one id, and one draw."""
    (alice,) = await settled(house, "alice")
    await alice.ask(alice.withdrawal(20, proofs=alice.proofs()))
    (gone,) = await house.happened("alice", ev.ExitAllowed)
    asked = {"action": "exit.release", "which": gone.exit, "actor": PLATFORM}
    answers = await asyncio.gather(*(alice.ask(dict(asked)) for _ in range(4)))
    assert {house.service.tools.receipts.read(one["receipt"]).id for one in answers} == {f"alice/{gone.exit}@{gone.at}"}
    (total,) = (await house.head("alice")).meters[ev.Lane.TOTAL].days.values()
    assert total == 20_000_000


async def test_what_is_settled_is_over(house: House) -> None:
    """After `exit.settle` there is no receipt, and no second name for the payment."""
    (alice,) = await settled(house, "alice")
    await alice.ask(alice.withdrawal(20, proofs=alice.proofs()))
    (gone,) = await house.happened("alice", ev.ExitAllowed)
    settle = {"action": "exit.settle", "which": gone.exit, "reference": "tx 1", "actor": PLATFORM}
    for _ in range(2):
        assert (await alice.ask(settle))["decision"] == "allow"
    answer = await alice.ask(settle | {"reference": "tx 2"})
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "already_settled")
    assert (await fresh(alice, gone.exit))["reasons"][0]["code"] == "already_settled"


async def test_a_list_of_today(house: House) -> None:
    """Whom a fresh receipt would pay is looked for on the lists that there are by now."""
    (alice,) = await settled(house, "alice")
    action = alice.withdrawal(20, proofs=alice.proofs())
    await alice.ask(action)
    (gone,) = await house.happened("alice", ev.ExitAllowed)
    await imported(house, action["address"])
    answer = await fresh(alice, gone.exit)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "destination_listed")


async def test_what_waits_for_a_listed_address_ends(house: House) -> None:
    """A hold whose address came onto a list is cancelled as it is released, and in no list of holds any more."""
    (alice,) = await settled(house, "alice")
    action = alice.withdrawal(60_000, proofs=alice.proofs())
    which = (await alice.ask(action))["hold"]["id"]
    await house.deliver()
    house.clock.at += 25 * ev.HOUR
    await house.priced()
    await imported(house, action["address"])
    answer = await fresh(alice, which)
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "destination_listed")
    assert (await house.head("alice")).exits == {}
    assert [one.listed for one in await house.happened("alice", ev.ExitCancelled)] == [True]
