"""Sign-ins that are compared with those before, through the whole service, and what is kept of where they came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.service.house import House, code_in, settled

from holdback.core import events as ev
from holdback.core.events import DAY, Channel

if TYPE_CHECKING:
    from tests.service.house import Customer, Hands

    from holdback.ports import Store

CHROME: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
)
HOME: Final = {"ip": "81.2.69.142", "user_agent": CHROME, "device": "laptop"}
ELSEWHERE: Final = {"ip": "185.220.101.1", "user_agent": "curl/8.5.0", "device": "other"}


async def enter(alice: Customer, context: dict[str, str], *more: dict[str, str], challenge: str = "") -> dict[str, Any]:
    """Ask to sign in by the right password and code, from somewhere."""
    alice.session = ""
    body = alice.body("session.start", proofs=(*alice.proofs(), *more)) | {"context": context}
    return await alice.ask(body | ({"challenge": challenge} if challenge else {}))


async def at_home(store: Store, clock: Hands) -> tuple[House, Customer]:
    """A customer who signed in from one place for two months."""
    house = House(store, clock)
    (alice,) = await settled(house, "alice")
    for _ in range(8):
        clock.at += 8 * DAY
        assert (await enter(alice, HOME))["decision"] == "allow"
        await house.deliver()
    return house, alice


async def test_a_stranger_needs_the_code_that_was_mailed(store: Store, clock: Hands) -> None:
    """Who has password and TOTP but comes from elsewhere is asked for a code from the mailbox, and gets in with it."""
    house, alice = await at_home(store, clock)

    asked = await enter(alice, ELSEWHERE)
    assert asked["decision"] == "step_up"
    assert asked["challenge"]["accept"] == [["password", "totp", "contact_code"]]
    assert [one["code"] for one in asked["reasons"]][:2] == ["proof_required", "unlike_owner"]
    await house.deliver()
    code = code_in(house.post[Channel.EMAIL].to(alice.mail)[-1])
    shown = {"kind": "contact_code", "response": code}
    assert (await enter(alice, ELSEWHERE, shown, challenge=asked["challenge"]["id"]))["decision"] == "allow"

    scored = await house.happened("alice", ev.SignInScored)
    assert [one.raised for one in scored[-2:]] == [True, True]
    assert not any(one.raised for one in scored[:-2])
    assert await house.faults("alice") == []


async def test_where_it_came_from_is_kept_only_as_hashes(store: Store, clock: Hands) -> None:
    """Neither the address nor the user agent stands in what is stored, and what was missing is named."""
    house, _ = await at_home(store, clock)
    records = b"".join([record async for record in store.dump()])
    assert HOME["ip"].encode() not in records
    assert b"Chrome" not in records
    (*_, last) = await house.happened("alice", ev.SignInScored)
    assert {"country:unset", "asn:unset"} <= {one.about for one in last.terms if one.feature == "missing"}
