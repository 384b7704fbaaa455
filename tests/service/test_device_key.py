"""A session bound to a device's key, over the whole service: a copied cookie is refused, and its owner hears of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.dpop.device import ROUTE, Browser
from tests.service.house import Customer, House, settled

from holdback.core import events as ev
from holdback.core.events import HOUR, Channel
from holdback.intake import BadRequest
from holdback.views import Views

if TYPE_CHECKING:
    from collections.abc import Mapping

SEEN = {"method": "POST", "url": ROUTE}


def by(browser: Browser | None, one: Customer, body: Mapping[str, Any], **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """A question as this browser asks it, with the session's token and a proof of its own, if it has a key."""
    asked = dict(body) | {"context": {**body.get("context", {}), **SEEN}}
    if browser is not None:
        proof = browser.proof(one.house.clock.at, one.account, body, one.session, **changed)
        asked["actor"] = dict(asked["actor"]) | {"dpop": proof}
    return asked


async def signed_in(house: House, browser: Browser, **body: Any) -> Customer:  # noqa: ANN401 - any JSON
    """A customer with a past, signed in by a browser that has a key."""
    (alice,) = await settled(house, "alice")
    alice.session = ""
    answer = await alice.ask(by(browser, alice, alice.body("session.start", proofs=alice.proofs()) | body))
    assert answer["decision"] == "allow", answer
    alice.session = answer["session"]["token"]
    await house.deliver()
    return alice


def reason(answer: dict[str, Any]) -> tuple[str, str, str]:
    """The decision, its first reason and what that is about."""
    return answer["decision"], answer["reasons"][0]["code"], answer["reasons"][0]["about"]


async def test_a_copied_cookie_is_refused_and_the_owner_is_told(house: House) -> None:
    """Whoever shows the token from another client gets nothing, and every contact hears of it; the owner goes on."""
    mine, thiefs = Browser(), Browser()
    alice = await signed_in(house, mine)
    wish = alice.withdrawal(50, proofs=alice.proofs())
    told = len(house.post[Channel.EMAIL].to(alice.mail))

    assert reason(await alice.ask(by(None, alice, wish))) == ("deny", "device_key_required", "")
    assert reason(await alice.ask(by(thiefs, alice, wish))) == ("deny", "device_key_wrong", "key")
    await house.deliver()

    mail = house.post[Channel.EMAIL].to(alice.mail)[told:]
    assert [one.subject for one in mail] == ["Important: your session was used from another device"]
    assert "/freeze?t=" in mail[0].text
    assert (await alice.ask(by(mine, alice, wish)))["decision"] == "hold"
    assert not await house.faults("alice")


async def test_the_exact_action_is_bound(house: House) -> None:
    """A proof for one amount does not let another go, nor a proof for this session serve another."""
    mine = Browser()
    alice = await signed_in(house, mine)
    asked = by(mine, alice, alice.withdrawal(50, proofs=alice.proofs()))
    assert reason(await alice.ask(asked | {"amount": "5000"})) == ("deny", "device_key_wrong", "act")
    other = by(mine, alice, alice.withdrawal(50), ath="x" * 43)
    assert reason(await alice.ask(other)) == ("deny", "device_key_wrong", "ath")
    elsewhere = by(mine, alice, alice.withdrawal(50), htu="https://exchange.example/else")
    assert reason(await alice.ask(elsewhere)) == ("deny", "device_key_wrong", "htu")


async def test_a_password_is_not_signed(house: House) -> None:
    """What the device signs of a new password is everything else: its hash would be there to guess at."""
    mine = Browser()
    alice = await signed_in(house, mine)
    body = alice.body("password.change", password="another long password 7", proofs=alice.proofs())
    assert (await alice.ask(by(mine, alice, body)))["decision"] == "allow"


async def test_a_copied_cookie_learns_nothing_of_its_owner(house: House) -> None:
    """Without the key no new password is judged, for that tells what the owner is called; the owner hears of it."""
    mine = Browser()
    alice = await signed_in(house, mine)
    body = alice.body("password.change", password=alice.mail)
    assert reason(await alice.ask(by(None, alice, body))) == ("deny", "device_key_required", "")
    assert reason(await alice.ask(by(Browser(), alice, body))) == ("deny", "device_key_wrong", "key")
    assert len(await house.happened("alice", ev.SessionMisused)) == 1
    with pytest.raises(BadRequest, match="your own name or address"):
        await alice.ask(by(mine, alice, body))


async def test_a_proof_that_only_read_reads_again(house: House) -> None:
    """A dry run spends no proof, so one seen beside its token reads until it is too old, and does no more."""
    mine = Browser()
    alice = await signed_in(house, mine)
    asked = by(mine, alice, alice.body("session.end"))
    for _ in range(3):
        assert (await alice.ask(asked | {"dry_run": True}))["decision"] == "allow"
        house.clock.at += 20_000
    house.clock.at -= 20_000
    other = alice.body("session.end_all", context=asked["context"]) | {"actor": asked["actor"]}
    assert reason(await alice.ask(other | {"dry_run": True})) == ("deny", "device_key_wrong", "act")
    house.clock.at += 21_000
    assert reason(await alice.ask(asked | {"dry_run": True})) == ("deny", "device_key_wrong", "iat")


async def test_two_servers_take_one_proof_once(house: House) -> None:
    """Of one proof shown to two servers at the same time, one counts."""
    mine = Browser()
    alice = await signed_in(house, mine)
    other = house.restarted(house.store)
    asked = by(mine, alice, alice.body("lock.set", hours=5))
    for _ in range(3):
        answers = await asyncio.gather(
            *(one.ask("alice", asked, f"key-{at}") for at, one in enumerate((house, other, house)))
        )
        found = sorted(reason(one)[1] for one in answers)
        assert found in (["device_key_wrong", "device_key_wrong", "proof_required"], ["device_key_wrong"] * 3)
    assert len(await house.happened("alice", ev.DeviceProofSpent)) == 1


async def test_the_same_question_again_gets_the_same_answer(house: House) -> None:
    """A backend that asks again under its key, proof and all, gets what was answered first."""
    mine = Browser()
    alice = await signed_in(house, mine)
    asked = by(mine, alice, alice.body("lock.set", hours=5))
    assert await house.answer("alice", asked, "once") == await house.answer("alice", asked, "once")


async def test_the_key_is_the_device(house: House) -> None:
    """A browser is known by its key, whatever it calls itself and wherever it is; another key is another device."""
    mine = Browser()
    alice = await signed_in(house, mine)
    for browser, device, agent, met in ((mine, "x", "Firefox/140", 2), (mine, "", "", 2), (Browser(), "x", "", 3)):
        house.clock.at += HOUR
        alice.session = ""
        body = alice.body("session.start", proofs=alice.proofs())
        body["context"] = {"ip": f"2001:db8::{met}", **({"device": device, "user_agent": agent} if device else {})}
        assert (await alice.ask(by(browser, alice, body)))["decision"] == "allow"
        assert len(await house.happened("alice", ev.DeviceMet)) == met


async def test_a_wrong_proof_starts_nothing(house: House) -> None:
    """A sign-in whose proof is wrong is refused, by name or not, known or not, and never quietly unbound."""
    mine = Browser()
    alice = await signed_in(house, mine)
    stale = mine.proof(house.clock.at - 61_000)
    context = {"context": {**SEEN}}
    for name in (alice.mail, "nobody@example.com"):
        body = {"dpop": stale, "proofs": alice.proofs(), **context}
        answer = await signed_in_by_name(house, name, body)
        assert reason(answer) == ("deny", "device_key_wrong", "iat")
    body = {"dpop": mine.proof(house.clock.at), "proofs": alice.proofs(alice.code()), **context}
    started = await signed_in_by_name(house, alice.mail, body)
    assert started["decision"] == "allow"


async def test_an_old_proof_uses_up_no_tries_of_its_device(house: House) -> None:
    """Whoever kept a proof that signed in once fails as a stranger: the device itself signs in as ever."""
    mine = Browser()
    alice = await signed_in(house, mine)
    old = mine.proof(house.clock.at)
    wrong = [{"kind": "password", "response": "a guess that is wrong"}, {"kind": "totp", "response": "000000"}]
    for _ in range(12):
        house.clock.at += HOUR
        refused = await signed_in_by_name(house, alice.mail, {"dpop": old, "proofs": wrong, "context": SEEN})
        assert reason(refused) == ("deny", "device_key_wrong", "iat")
    alice.session = ""
    started = by(mine, alice, alice.body("session.start", proofs=alice.proofs()))
    assert (await alice.ask(started))["decision"] == "allow"


async def signed_in_by_name(house: House, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """The answer to a sign-in by name."""
    answer: dict[str, Any] = msgspec.json.decode(await house.service.sign_in("backend", name, body, "", b""))
    return answer


async def test_sessions_say_what_they_are(house: House) -> None:
    """The account lists its sessions: which are bound, and which somebody tried to misuse."""
    mine = Browser()
    alice = await signed_in(house, mine)
    await alice.ask(by(None, alice, alice.body("session.end_all")))
    form = await Views(house.service).account("alice")
    assert form is not None
    listed = {one.id: one for one in form.sessions}
    bound = [one for one in listed.values() if one.bound]
    assert len(bound) == 1
    assert bound[0].misused_at is not None
    unbound = [one for one in listed.values() if not one.bound]
    assert unbound
    assert unbound[0].misused_at is None
    ended = by(mine, alice, alice.body("session.end", which=unbound[0].id))
    assert (await alice.ask(ended))["decision"] == "allow"


@pytest.mark.parametrize(
    ("actor", "context", "pointer"),
    [
        ({}, {"url": ROUTE}, "/context/method"),
        ({}, {"method": "POST"}, "/context/url"),
        ({}, {"method": "POST", "url": "/withdraw"}, "/context/url"),
        ({}, {"method": "POST", "url": "https://x:99999/"}, "/context/url"),
        ({}, {"method": "post", "url": ROUTE}, "/context/method"),
        ({"kind": "platform"}, SEEN, "/actor/dpop"),
        ({"dpop": ""}, SEEN, "/actor/dpop"),
        ({"dpop": "x" * 2049}, SEEN, "/actor/dpop"),
    ],
)
async def test_a_proof_needs_a_route(
    house: House, actor: dict[str, str], context: dict[str, str], pointer: str
) -> None:
    """A proof without the method and address that the platform saw is a bad request, which names the field."""
    body = {"action": "lock.set", "hours": 5, "actor": {"kind": "owner", "session": "x", "dpop": "a.b.c"} | actor}
    with pytest.raises(BadRequest) as error:
        await house.ask("alice", body | {"context": context})
    assert error.value.pointer == pointer
