"""Passwords through the whole house: what an owner may choose, and how a weak hash becomes a strong one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from argon2 import PasswordHasher
from msgspec.structs import replace
from tests.service.house import CHEAP, PASSWORD, Customer, House, settings, settled

from holdback.batching import Overloaded
from holdback.core import events as ev
from holdback.evidence.breached import compile_list
from holdback.evidence.password import Passwords
from holdback.intake import BadRequest
from holdback.ports import Wanted

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.house import Hands

    from holdback.ports import Store

TODAY = PasswordHasher(2, 19 * 1024, 1)
GOOD = "plover tangent oboe"


@pytest.fixture
def today(store: Store, clock: Hands) -> House:
    """A house whose new passwords cost what they cost in earnest."""
    return House(store, clock, hasher=TODAY)


async def kept(house: House, account: str = "alice", name: str = "a1-1") -> str:
    """The credential that is kept of a password, opened."""
    wanted = Wanted(account, (("credential", name),))
    loaded = await house.store.read([wanted])
    row = loaded.snapshots[account]
    snapshots = house.service.tools.snapshots
    return snapshots.key_of(account, row.key).open(snapshots.credential(loaded.parts[account][0]).secret)


async def test_a_sign_in_strengthens_a_hash(store: Store, today: House) -> None:
    """A hash of less cost is replaced by one of today's at the next sign-in, and nothing cools or begins anew by it."""
    (alice,) = await settled(House(store, today.clock), "alice")
    alice.house = today
    before = await today.head("alice")
    assert (await kept(today)).startswith("$argon2id$v=19$m=8,t=1,p=1$")

    await alice.sign_in()

    after = await today.head("alice")
    assert (await kept(today)).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert after.authenticators["a1-1"] == before.authenticators["a1-1"]
    assert after.cool_offs == before.cool_offs
    assert await today.faults("alice") == []

    await alice.sign_in()
    assert len(await today.happened("alice", ev.CredentialRehashed)) == 1
    assert await today.happened("alice", ev.SecretReplaced) == []


async def test_only_a_sign_in_strengthens(store: Store, today: House) -> None:
    """A wrong code beside the right password, and a proof for something else, leave a hash as it is."""
    (alice,) = await settled(House(store, today.clock), "alice")
    alice.house = today
    old = await kept(today)

    answer = await alice.ask(alice.body("session.start", proofs=alice.proofs("000000")))
    assert answer["decision"] == "step_up"
    assert (await alice.ask(alice.body("lock.set", hours=24, proofs=alice.proofs())))["decision"] == "allow"

    assert await kept(today) == old
    assert await today.happened("alice", ev.CredentialRehashed) == []


async def test_two_sign_ins_at_once(store: Store, today: House) -> None:
    """Sign-ins that strengthen one hash at once leave one that fits the password."""
    (alice,) = await settled(House(store, today.clock), "alice")
    alice.house = today
    bodies = [alice.body("session.start", proofs=alice.proofs(alice.next_code())) for _ in range(1)]
    bodies.append(alice.body("session.start", proofs=alice.proofs(alice.next_code())))

    answers = await asyncio.gather(*(alice.ask(body) for body in bodies))

    assert "allow" in {one["decision"] for one in answers}
    await alice.sign_in()
    assert TODAY.verify(await kept(today), PASSWORD)
    assert await today.faults("alice") == []


async def test_a_busy_pool_lets_people_in(store: Store, today: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too many passwords wait to be checked, a hash is strengthened another time and its owner is let in."""
    (alice,) = await settled(House(store, today.clock), "alice")
    alice.house = today

    async def busy(*_: object) -> str:
        await asyncio.sleep(0)
        raise TimeoutError

    monkeypatch.setattr("holdback.evidence.password.Passwords.renewed", busy)
    await alice.sign_in()
    assert await today.happened("alice", ev.CredentialRehashed) == []


def changing(alice: Customer, password: str) -> dict[str, Any]:
    """The question that replaces the password, by the strongest proof."""
    return alice.body("password.change", password=password, proofs=alice.proofs())


@pytest.mark.parametrize("chosen", ["alice@example.com", "margaret1957", "password1234", "kJ8#vQ2", "x" * 300])
async def test_what_may_not_be_chosen(house: House, chosen: str) -> None:
    """A weak, short, long or well-known password is refused as a bad field, and its words are not said back."""
    (alice,) = await settled(house, "alice")
    with pytest.raises(BadRequest, match="password") as refused:
        await alice.ask(changing(alice, chosen))
    assert refused.value.pointer == "/password"
    assert chosen not in refused.value.detail
    assert await house.happened("alice", ev.SecretReplaced) == []


async def test_the_operators_list(store: Store, clock: Hands, tmp_path: Path) -> None:
    """What is on the operator's list cannot be chosen, and who has it already still signs in."""
    source = tmp_path / "list.txt"
    source.write_text(f"{GOOD}\n{PASSWORD}\n")
    compile_list(source, tmp_path / "breached.hb", plain=True)
    given = replace(settings(), breached_passwords=str(tmp_path / "breached.hb"))
    house = House(store, clock, given=given)
    (alice,) = await settled(house, "alice")
    with pytest.raises(BadRequest, match="thieves try first"):
        await alice.ask(changing(alice, GOOD))
    assert (await alice.ask(changing(alice, GOOD + " quarry")))["decision"] == "allow"


async def test_a_password_that_stands_alone(house: House) -> None:
    """With nothing beside it a password must be longer than with another authenticator, and either may be chosen so."""
    (alice,) = await settled(house, "alice")
    bob = Customer(house, "bob")
    body = bob.importing()
    body["authenticators"] = body["authenticators"][:1]
    await bob.ask(body)
    await house.deliver()
    house.clock.at += 300_000_000
    answer = await bob.ask(bob.body("session.start", proofs=[{"kind": "password", "response": PASSWORD}]))
    bob.session = answer["session"]["token"]

    short, long = "kJ8#vQ2!nM", "kJ8#vQ2!nM5$xYz"
    shown = [{"kind": "password", "response": PASSWORD}]
    with pytest.raises(BadRequest, match="15 to 256 characters"):
        await bob.ask(bob.body("password.change", password=short, proofs=shown))
    assert (await bob.ask(bob.body("password.change", password=long, proofs=shown)))["decision"] == "allow"
    await alice.sign_in()
    assert (await alice.ask(changing(alice, short)))["decision"] == "allow"


@pytest.mark.parametrize("session", ["", "nobody's"])
async def test_strangers_learn_nothing_of_an_owner(house: House, session: str) -> None:
    """Without a live session a password is not held against its owner's name and addresses: the answer is the same."""
    (alice,) = await settled(house, "alice")
    alice.session = session
    answers = [await alice.ask(changing(alice, one)) for one in (alice.mail, GOOD, "kJ8#vQ2!nM")]
    assert {one["decision"] for one in answers} == {"deny"}
    assert len({one["reasons"][0]["code"] for one in answers}) == 1


async def test_a_session_that_ended_is_a_strangers(house: House) -> None:
    """A session that idled out is denied as such, whatever is chosen."""
    (alice,) = await settled(house, "alice")
    house.clock.at += 25 * 3_600_000
    answer = await alice.ask(changing(alice, alice.mail))
    assert answer["reasons"][0]["code"] == "session_ended"
    assert CHEAP.verify(await kept(house), PASSWORD)


async def test_one_customer_keeps_nobody_from_signing_in(store: Store, today: House) -> None:
    """However much one account asks that costs a hash, the queue that all sign-ins stand in has room for others."""
    mallory, alice = await settled(House(store, today.clock), "mallory", "alice")
    mallory.house = alice.house = today
    body = mallory.body("password.change", password=GOOD)
    flood = [asyncio.create_task(mallory.ask(body)) for _ in range(600)]
    await asyncio.sleep(0)
    await alice.sign_in()
    answers = await asyncio.gather(*flood, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, Overloaded)]
    assert len(refused) > 500
    assert len(refused) + sum(isinstance(one, dict) and one["decision"] == "step_up" for one in answers) == 600
    assert (await mallory.ask(body))["decision"] == "step_up"


async def test_a_crowd_uses_up_nobodys_tries(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in that ran out of time before its password was looked at is no failure of whoever waited."""
    (alice,) = await settled(house, "alice")
    alice.session = ""
    body = alice.body("session.start", proofs=alice.proofs())
    reached = asyncio.Event()

    async def crowded(_self: Passwords, _work: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as crowd:
        crowd.setattr(Passwords, "_run", crowded)
        for _ in range(5):
            reached.clear()
            waiting = asyncio.create_task(alice.ask(body))
            await reached.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
    assert (await alice.ask(body))["decision"] == "allow"


@pytest.mark.parametrize(
    "stored",
    [
        "$2b$12$GhvMmNVjRW29ulnudl.LbuAnUtN/LRfe1JsBm1Xu6LE3059z5Tr8m",
        "$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A.WF/Z5JZv.lfCIhXXN33N23OSgQYThYRRfk",
        "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        "$6$rounds=5000$saltsalt$abcdefghijklmnop",
        "pbkdf2_sha256$600000$salt$V0OQYIqGPmGkNCAPCfCyWvLGPWcLmsW5Xf+cQzcB2mU=",
        "{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
    ],
)
async def test_another_systems_hash_is_no_password(house: House, stored: str) -> None:
    """A hash that is not argon2id is refused at the import: as a password it would let in who stole the table of it."""
    carol = Customer(house, "carol")
    body = carol.importing()
    body["authenticators"][0]["secret"] = stored
    with pytest.raises(BadRequest, match="argon2id") as refused:
        await carol.ask(body)
    assert refused.value.pointer == "/authenticators/0/secret"
    assert stored not in str(refused.value)
