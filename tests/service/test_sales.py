"""P2P sales through the real service: no receipt before the owner's proof, and two of the staff over a disputed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.service.house import PLATFORM, RECEIPTS, Customer, Hands, House, settled
from tests.service.office import WITH_PASSKEYS, staffed

from holdback.client import ISSUER, Keys, verify_receipt
from holdback.core import events as ev
from holdback.core.events import HOUR, Role
from holdback.desk import FIRST
from holdback.receipts import ReceiptKeys
from holdback.views import Views

if TYPE_CHECKING:
    from holdback.ports import Store


@pytest.fixture
async def house(store: Store, clock: Hands) -> House:
    """A house in which staff can sign in."""
    return House(store, clock, given=WITH_PASSKEYS)


SALE = {"kind": "p2p_sale", "asset": "USDT", "amount": "900", "usd": "900", "counterparty": "bob"}


async def sellers(house: House) -> tuple[Customer, Customer]:
    """Alice, who opened P2P long ago, and Bob, who buys."""
    alice, bob = await settled(house, "alice", "bob")
    opened = await alice.ask(alice.body("address.add", proofs=alice.proofs(), name="anybody", network="p2p"))
    assert opened["decision"] == "allow", opened
    await house.deliver()
    house.clock.at += 73 * HOUR
    await alice.sign_in(alice.next_code())
    await house.deliver()
    await house.priced()
    return alice, bob


async def sold(alice: Customer) -> str:
    """Alice sells something to Bob; the sale's id."""
    await alice.house.priced()
    answer = await alice.ask(alice.body("exit.request", proofs=alice.proofs(), **SALE))
    assert [one["code"] for one in answer["reasons"]] == ["sale_locked"], answer
    assert (answer["decision"], answer["receipt"], answer["hold"]["release_at"]) == ("hold", None, None)
    return str(answer["hold"]["id"])


async def paid(house: House, which: str) -> dict[str, Any]:
    """The platform says that Bob paid."""
    said = {"action": "exit.settle", "which": which, "reference": "bank 1", "stage": "paid", "actor": PLATFORM}
    return await house.ask("alice", said)


async def test_the_receipt_comes_with_the_owners_release(house: House) -> None:
    """Nothing that is answered before pays; the release brings the receipt of the order as it was asked for."""
    alice, _ = await sellers(house)
    which = await sold(alice)
    await paid(house, which)
    refused = await house.ask("alice", {"action": "exit.release", "which": which, "actor": PLATFORM})
    assert (refused["decision"], refused["receipt"]) == ("deny", None)
    (shown,) = (await Views(house.service).holds("alice", 0, 10) or pytest.fail("no page")).items
    assert (shown.release_at, shown.sale and shown.sale.state) == (None, "paid")

    answer = await alice.ask(alice.body("exit.release", proofs=alice.proofs(alice.next_code()), which=which))
    keys = Keys.parse(msgspec.json.encode(ReceiptKeys.parse(RECEIPTS).jwks()))
    action, at = {"action": "exit.request", **SALE}, house.clock.at / 1000
    receipt = verify_receipt(answer["receipt"], issuer=ISSUER, account="alice", action=action, keys=keys, now=at)
    assert (receipt.kind, receipt.usd) == ("p2p_sale", "900.000000")
    (mark,) = await house.happened("bob", ev.ValueReceived)
    assert (mark.micro_usd, mark.sender) == (900_000_000, "alice")
    assert await house.faults("alice", "bob") == []


async def test_orders_of_one_moment_draw_together(house: House) -> None:
    """Of many sales that are asked for in one batch only those are locked that fit together."""
    alice, _ = await sellers(house)
    await house.priced()
    bodies = [
        alice.body("exit.request", proofs=alice.proofs(alice.next_code()), **(SALE | {"amount": "4000", "usd": "4000"}))
        for _ in range(2)
    ]
    answers = [await alice.ask(one) for one in bodies]
    assert [one["decision"] for one in answers] == ["hold", "hold"]
    more = alice.body("exit.request", proofs=alice.proofs(alice.next_code()), **(SALE | {"amount": "4000"}))
    assert [one["code"] for one in (await alice.ask(more))["reasons"]] == ["stranger_cap"]


async def test_a_lapsed_sale_is_not_shown(house: House) -> None:
    """A sale whose buyer has not paid in time waits for nobody any more, asked about or not."""
    alice, _ = await sellers(house)
    await sold(alice)
    house.clock.at += 24 * HOUR
    assert (await Views(house.service).holds("alice", 0, 10) or pytest.fail("no page")).items == ()


@pytest.mark.parametrize("verb", ["exit.release", "exit.cancel"])
async def test_two_of_the_staff_decide(house: House, verb: str) -> None:
    """A freeze after the buyer paid: the desk shows it, two members decide it, and all three streams hold."""
    alice, _ = await sellers(house)
    tim, ira = await staffed(house, tim=Role.TREASURER, ira=Role.INVESTIGATOR)
    await alice.sign_in(alice.next_code())
    await house.deliver()
    which = await sold(alice)
    await paid(house, which)
    await alice.ask(alice.body("account.freeze"))
    waiting = [one for one in await house.store.desk("treasurer", FIRST, 10) if one.kind == "sale"]
    assert [one.account for one in waiting] == ["alice"]

    first = await tim.asks("alice", verb, which=which)
    assert [one["code"] for one in first["reasons"]] == ["second_person_required"]
    second = await ira.asks("alice", verb, which=which)
    assert second["decision"] == "allow", second
    marks = await house.happened("bob", ev.ValueReceived)
    assert [one.micro_usd for one in marks] == ([900_000_000] if verb == "exit.release" else [])
    assert (verb, "allow") in await house.story("staff-ira")
    assert await house.happened("staff-ira", ev.ValueReceived) == []
    assert await house.faults("alice", "bob", "staff-tim", "staff-ira") == []
