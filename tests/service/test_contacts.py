"""One mailbox, number or name is one to every rule, however it was written, and is reached as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.service.house import NEW_MAIL, PASSWORD_HASH, Customer, House, settled

from holdback.core.events import Channel

if TYPE_CHECKING:
    from collections.abc import Mapping


async def added(one: Customer, channel: str, address: str) -> dict[str, Any]:
    """The answer to naming a contact."""
    return await one.ask(one.body("contact.add", proofs=one.proofs(), channel=channel, address=address))


async def test_a_contact_is_added_once(house: House) -> None:
    """A contact that only looks new is none: it is answered as one that is there already."""
    (alice,) = await settled(house, "alice")

    for address in (alice.mail.upper(), f" {alice.mail}.", alice.mail.replace("@", "+new@")):
        answer = await added(alice, "email", address)
        assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "already_exists")
    assert (await added(alice, "sms", "+1 555 010 0042"))["decision"] == "allow"
    again = await added(alice, "sms", "+15550100042")
    assert again["reasons"][0]["code"] == "too_many"  # the code that confirms it was sent just now
    assert len((await house.head("alice")).contacts) == 3


async def test_contacts_are_reached_as_written(house: House) -> None:
    """Mail goes to the address as its owner wrote it, and calls to the number without what stood between its digits."""
    (alice,) = await settled(house, "alice")
    written = NEW_MAIL.capitalize()
    await added(alice, "email", written)
    await added(alice, "sms", "+1 (555) 010-0042")

    await house.deliver()

    assert house.post[Channel.EMAIL].to(written)
    assert not house.post[Channel.EMAIL].to(NEW_MAIL)
    assert house.post[Channel.SMS].to("+15550100042")


@pytest.mark.parametrize(
    ("kind", "channel", "address"), [("email", "email", "Alice+codes@EXAMPLE.com"), ("sms", "sms", "+1 555 010-0042")]
)
async def test_one_mailbox_is_one_factor(house: House, kind: str, channel: str, address: str) -> None:
    """An authenticator and a contact in one mailbox, or on one number, are one holder, imported or bound (law 2)."""
    plain = {"email": "alice@example.com", "sms": "+15550100042"}[channel]
    alice = Customer(house, "alice")
    body = alice.importing()
    body["authenticators"] = [{"kind": "password", "secret": PASSWORD_HASH}, {"kind": kind, "address": address}]
    body["contacts"] = [{"channel": "email", "address": alice.mail}, {"channel": channel, "address": plain}]
    assert (await alice.ask(body))["decision"] == "allow"

    head = await house.head("alice")

    held = next(one for one in head.authenticators.values() if one.kind.value == kind)
    assert held.holder == head.contacts["c1-2"].address.mac

    (bob,) = await settled(house, "bob")
    bound = await bob.ask(bob.body("authenticator.bind", proofs=bob.proofs(), kind=kind, address=address))
    named = await added(bob, channel, plain)
    head = await house.head("bob")
    assert head.authenticators[bound["id"]].holder == head.contacts[named["id"]].address.mac


async def test_names_are_one_in_any_width(house: House) -> None:
    """A sign-in name is found, and taken, in whichever case, width or composition it is written."""
    alice, mallory = Customer(house, "alice"), Customer(house, "mallory")
    await alice.ask(alice.importing(sign_in_name="Jos\u00e9"))

    taken = await mallory.ask(mallory.importing(sign_in_name=" \uff2aOSE\u0301"))
    asked: Mapping[str, Any] = {"proofs": alice.proofs(), "context": {}}
    answer = await house.service.sign_in("backend", "\uff4aos\u00e9", dict(asked), "k", b"raw")

    assert (taken["decision"], taken["reasons"][0]["code"]) == ("deny", "already_exists")
    assert msgspec.json.decode(answer)["decision"] == "allow"
