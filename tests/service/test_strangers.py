"""Sign-ins of strangers: they learn nothing, delay nobody they do not know, and fill nobody's log."""

from __future__ import annotations

import asyncio
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.house import House, settled

from holdback.core import events as ev
from holdback.core.events import HOUR, MINUTE
from holdback.intake import network_of
from holdback.judging import ChallengeRefused, KeyReused

if TYPE_CHECKING:
    from holdback.core.events import Instant

WRONG = [{"kind": "password", "response": "a guess that is wrong"}, {"kind": "totp", "response": "000000"}]


async def ask(house: House, name: str, proofs: list[dict[str, str]], key: str = "", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Sign in by name as the platform's backend asks for a stranger, or from a device."""
    context = {"device": more.pop("device", "stranger"), "ip": more.pop("ip", "203.0.113.7")}
    body = {"proofs": proofs, "context": context, **more}
    raw = msgspec.json.encode(body | {"name": name})
    answer: dict[str, Any] = msgspec.json.decode(await house.service.sign_in("backend", name, body, key, raw))
    return answer


def alike(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what tells one name's from another's: the challenge's id, and which class is asked for."""
    text = msgspec.json.encode(answer | {"challenge": None}).decode()
    if answer["challenge"]:
        text = text.replace(str(answer["reasons"][-1]["satisfied_by"]).replace("'", '"').replace(" ", ""), "[]")
    found: dict[str, Any] = msgspec.json.decode(text)
    return found | {"expires_at": answer["challenge"] and answer["challenge"]["expires_at"]}


async def test_a_name_of_nobody_is_answered_alike(house: House) -> None:
    """Over many tries, pauses, repeats and challenges a name of nobody gets what a known one gets, in every field."""
    (alice,) = await settled(house, "alice")
    told: dict[str, list[dict[str, Any]]] = {alice.mail: [], "nobody@example.com": []}
    start: Instant = house.clock.at
    for name, answers in told.items():
        house.clock.at = start
        first = await ask(house, name, [])
        assert first == await ask(house, name, [])
        answers.append(first)
        for number in range(9):
            key = f"{name} {number}"
            answers.append(await ask(house, name, WRONG, key, challenge=first["challenge"]["id"]))
            assert answers[-1] == await ask(house, name, WRONG, key, challenge=first["challenge"]["id"])
            with pytest.raises(KeyReused):
                await ask(house, name, [], key)
            house.clock.at += 3_000
        for challenge in ("s1", "s" + "0" * 32):
            with pytest.raises(ChallengeRefused, match="challenge_unknown"):
                await ask(house, name, WRONG, challenge=challenge)
        house.clock.at += 11 * MINUTE
        with pytest.raises(ChallengeRefused):
            await ask(house, name, [], challenge=first["challenge"]["id"])
        assert first["challenge"]["id"] != (await ask(house, name, []))["challenge"]["id"]
    known, unknown = ([alike(one) for one in answers] for answers in told.values())
    assert known == unknown
    assert [one["decision"] for one in known] == ["step_up"] * 6 + ["step_up", "deny", "step_up", "deny"]
    assert {one["head"] for one in known} == {""}


async def test_half_a_proof_tells_nothing(house: House) -> None:
    """A right password beside a wrong code, or alone, is answered like a wrong one; so is a code that was spent."""
    (alice,) = await settled(house, "alice")
    spent = alice.code()
    right = alice.proofs()
    for shown in ([right[0]], [right[0], WRONG[1]], [WRONG[0], right[1]], alice.proofs(spent)):
        kinds = [one["kind"] for one in shown]
        answer = await ask(house, alice.mail, shown)
        assert (answer["reasons"][0]["code"], answer["reasons"][0]["satisfied_by"]) == ("proof_wrong", kinds)
        assert (answer["decision"], answer["head"]) == ("step_up", "")


async def test_strangers_lock_nobody_out(house: House) -> None:
    """After a hundred tries of strangers the owner's device signs in as ever; all others have one try a day."""
    (alice,) = await settled(house, "alice")
    looked_at = 0
    for _ in range(130):
        answer = await ask(house, alice.mail, WRONG, ip="")
        looked_at += answer["decision"] == "step_up"
        house.clock.at += HOUR
    assert looked_at == 100 + 1
    await alice.sign_in()
    await house.priced()
    assert (await alice.ask(alice.withdrawal(5, proofs=alice.proofs())))["decision"] == "allow"
    day = 24 * HOUR
    assert (await ask(house, alice.mail, alice.proofs()))["decision"] == "deny"
    house.clock.at += day
    assert (await ask(house, alice.mail, alice.proofs(), device="new phone"))["decision"] == "allow"
    assert (await ask(house, alice.mail, WRONG))["decision"] == "step_up"


async def test_a_claimed_device_has_its_own_bound(house: House) -> None:
    """Whoever claims a known device gets as many tries as a stranger and no more, and takes none of the strangers'."""
    (alice,) = await settled(house, "alice")
    for _ in range(5):
        assert (await ask(house, alice.mail, WRONG, device=alice.device))["decision"] == "step_up"
    assert (await ask(house, alice.mail, WRONG, device=alice.device))["decision"] == "deny"
    assert (await ask(house, alice.mail, WRONG))["decision"] == "step_up"
    assert (await ask(house, alice.mail, alice.proofs(), device=alice.device))["decision"] == "allow"
    assert (await ask(house, alice.mail, WRONG, device=alice.device))["decision"] == "step_up"


async def test_a_network_is_slowed_where_it_is_unknown(house: House) -> None:
    """Guessing at many names slows the whole network, but not towards accounts that signed in from it before."""
    alice, bob = await settled(house, "alice", "bob")
    home = {"ip": "198.51.100.20"}
    assert (await ask(house, bob.mail, bob.proofs(), device="new phone", **home))["decision"] == "allow"
    for number in range(20):
        assert (await ask(house, f"name {number}", WRONG, ip="198.51.100.99"))["decision"] == "step_up"
    assert (await ask(house, "name 20", WRONG, ip="198.51.100.3"))["decision"] == "deny"
    assert (await ask(house, alice.mail, alice.proofs(alice.code()), ip="198.51.100.4"))["decision"] == "deny"
    assert (await ask(house, alice.mail, alice.proofs(), device=alice.device, **home))["decision"] == "allow"
    assert (await ask(house, bob.mail, bob.proofs(), device="newer phone", **home))["decision"] == "allow"
    assert (await ask(house, "name 20", WRONG, ip="203.0.113.9"))["decision"] == "step_up"


async def test_many_at_once_are_no_more_tries(house: House) -> None:
    """However many come at once, no more are looked at than the pauses allow."""
    (alice,) = await settled(house, "alice")
    answers = await asyncio.gather(*(ask(house, alice.mail, WRONG) for _ in range(30)))
    assert sum(one["decision"] == "step_up" for one in answers) == 5


async def test_failures_are_told_once_a_window(house: House) -> None:
    """Strangers write nothing themselves; what they tried is told at once, and then once a window with nothing lost."""
    (alice,) = await settled(house, "alice")
    seq = (await house.head("alice")).seq
    for number in range(4):
        await ask(house, alice.mail, WRONG, ip=f"203.0.{number}.7")
        await ask(house, alice.mail, [])
    house.clock.at += 1
    assert (await house.head("alice")).seq == seq
    assert await house.service.tell_failures() == 1
    assert (await house.head("alice")).seq == seq + 1
    for _ in range(2):
        await ask(house, alice.mail, WRONG, ip="203.0.113.7")
        assert await house.service.tell_failures() == 0
        house.clock.at += 8 * MINUTE
    assert await house.service.tell_failures() == 1
    assert await house.service.tell_failures() == 0
    told = await house.happened("alice", ev.SignInsFailed)
    assert [(one.failures, 1 <= one.networks <= 4) for one in told] == [(4, True), (2, True)]
    assert told[0].last_at <= told[1].first_at <= told[1].last_at
    assert await house.faults("alice") == []


async def test_what_is_right_is_not_told_as_failed(house: House) -> None:
    """A sign-in that was right is taken out of the count again."""
    (alice,) = await settled(house, "alice")
    await house.service.tell_failures()
    await alice.sign_in()
    assert await house.service.tell_failures() == 0
    assert await house.happened("alice", ev.SignInsFailed) == []


async def test_a_suspended_authenticator_is_told_to_its_owner(house: House) -> None:
    """That nothing would do is told to who shows it, and to a stranger that proof is wanted, as ever."""
    (alice,) = await settled(house, "alice")
    suspended = await alice.ask(alice.body("authenticator.suspend", authenticator="a1-2"))
    assert suspended["decision"] == "allow"
    assert (await ask(house, alice.mail, WRONG))["decision"] == "step_up"
    answer = await ask(house, alice.mail, alice.proofs())
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "authenticator_suspended")


def test_networks() -> None:
    """A network is what one stranger has at least: a /24, or a /48; what is no address has none."""
    assert network_of("203.0.113.77") == network_of("::ffff:203.0.113.1") == "203.0.113.0/24"
    assert network_of("2001:db8:7:1::1%eth0") == "2001:db8:7::/48"
    assert network_of("somewhere") == ""


@given(st.ip_addresses() | st.text(alphabet="0123456789abcdef:.% ", max_size=24))
def test_networks_are_as_the_standard_library_has_them(address: object) -> None:
    """What is an address, and which network it is in, is as `ipaddress` says, which is slower."""
    text = str(address)
    try:
        known = ip_address(text.partition("%")[0])
    except ValueError:
        assert network_of(text) == ""
        return
    known = (known.ipv4_mapped or known) if isinstance(known, IPv6Address) else known
    bits = 48 if isinstance(known, IPv6Address) else 24
    assert network_of(text) == str(ip_network((known, bits), strict=False))
