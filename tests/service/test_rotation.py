"""A new key in front of a ring: what was made under the old one is still read, and what follows is made under it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.service.house import (
    HOME,
    NEW_MAIL,
    RECEIPTS,
    RING,
    Customer,
    House,
    code_in,
    dump,
    settings,
    settled,
    token_in,
)

from holdback.core import events as ev
from holdback.core.events import Channel
from holdback.judging import ChallengeRefused
from holdback.ports import Wanted
from holdback.receipts import ReceiptKeys
from holdback.sealing import SealBroken
from holdback.snapshots import Tampered

if TYPE_CHECKING:
    from holdback.ports import Store

NEW = "2:" + base64.b64encode(bytes(range(1, 33))).decode()


def rotated(house: House, ring: str = f"{NEW},{RING}") -> House:
    """The same store in a house with another ring of master keys."""
    return House(house.store, house.clock, given=settings(ring=ring))


async def test_old_rows_and_answers(house: House) -> None:
    """After a rotation accounts go on as if nothing had been: answers kept, proofs, sessions, links and codes."""
    (alice,) = await settled(house, "alice")
    body = alice.withdrawal(100, proofs=alice.proofs())
    kept = await house.answer("alice", body, "k")
    added = await alice.ask(alice.body("contact.add", proofs=alice.proofs(), channel="email", address=NEW_MAIL))
    await house.deliver()
    mail = house.post[Channel.EMAIL]
    code, token = code_in(mail.to(NEW_MAIL)[-1]), token_in(mail.to(alice.mail)[-1])

    anew = alice.house = rotated(house)
    assert await anew.faults("alice") == []
    assert await anew.answer("alice", body, "k") == kept
    assert (await alice.ask(alice.withdrawal(1, proofs=alice.proofs())))["decision"] == "allow"
    proofs = [{"kind": "contact_code", "authenticator": added["id"], "response": code}]
    assert (await alice.ask(alice.body("contact.confirm", contact=added["id"], proofs=proofs)))["decision"] == "allow"
    await anew.deliver()
    assert anew.post[Channel.EMAIL].to(NEW_MAIL)
    freeze = {"action": "account.freeze", "actor": {"kind": "link", "token": token}}
    assert (await alice.ask(freeze))["decision"] == "allow"

    row = (await house.store.read([Wanted("alice")])).snapshots["alice"]
    assert (row.mac[0], row.key[0]) == (2, 1)
    assert await anew.faults("alice") == []
    assert await rotated(house, f"{RING},{NEW}").faults("alice") == []


async def test_a_sign_in_name(house: House) -> None:
    """A sign-in name is found under whichever key it was hashed with, and is nobody else's under the new one."""
    (alice,) = await settled(house, "alice")
    anew = rotated(house)
    body = {"context": {"device": "laptop"}, "proofs": alice.proofs()}

    answer = await anew.service.sign_in("backend", f" {alice.mail.upper()} ", body, "k", b"raw")
    assert msgspec.json.decode(answer)["decision"] == "allow"

    mallory = Customer(anew, "mallory")
    refused = await mallory.ask(mallory.importing(sign_in_name=alice.mail))
    assert (refused["decision"], refused["reasons"][0]["code"]) == ("deny", "already_exists")
    assert await house.store.accounts("", 9) == ["alice"]


async def test_a_question_that_spans_a_rotation(house: House) -> None:
    """A challenge that was opened under the old key is answered under the new one; one about a secret begins anew."""
    (alice,) = await settled(house, "alice")
    first, second = alice.withdrawal(10), alice.body("password.change", password="a better horse battery staple")
    opened = [await alice.ask(one) for one in (first, second)]

    alice.house = rotated(house)
    answering = [
        body | {"challenge": asked["challenge"]["id"], "proofs": alice.proofs()}
        for body, asked in zip((first, second), opened, strict=True)
    ]

    assert (await alice.ask(answering[0]))["decision"] == "allow"
    with pytest.raises(ChallengeRefused, match="challenge_other_action"):
        await alice.ask(answering[1])
    assert (await alice.ask(second | {"proofs": alice.proofs()}))["decision"] == "allow"


async def test_a_ring_without_the_key(house: House) -> None:
    """Without the key that a row was made under nothing is decided, sent or changed; that key back, all goes on."""
    (alice,) = await settled(house, "alice")
    await alice.ask(alice.body("address.remove", network="bitcoin", address=HOME))
    before = await dump(house.store)
    alice.house = rotated(house, NEW)

    with pytest.raises((Tampered, SealBroken)):
        await alice.ask(alice.withdrawal(1))
    with pytest.raises((Tampered, SealBroken)):
        await alice.ask(alice.importing(), "k")
    assert await dump(house.store) == before

    alice.house = house
    assert (await alice.ask(alice.withdrawal(1)))["decision"] == "step_up"


async def test_receipt_keys(store: Store, house: House) -> None:
    """A receipt that a retired key signed is still known to be ours; new ones are signed by the new key."""
    (alice,) = await settled(house, "alice")
    old = (await alice.ask(alice.withdrawal(1, proofs=alice.proofs())))["receipt"]
    keys = ReceiptKeys.parse(RECEIPTS).rotated()
    anew = alice.house = House(store, house.clock, given=settings(receipts=keys.to_json()))

    new = (await alice.ask(alice.withdrawal(2, proofs=alice.proofs())))["receipt"]

    read = anew.service.tools.receipts.read
    assert [read(one).usd for one in (old, new)] == ["1.000000", "2.000000"]
    assert old.split(".")[0] != new.split(".")[0]
    published = [[one["x"] for one in some.jwks()["keys"]] for some in (keys, ReceiptKeys.parse(RECEIPTS))]
    assert published[0][1:] == published[1]
    assert len(await anew.happened("alice", ev.ExitAllowed)) == 2
