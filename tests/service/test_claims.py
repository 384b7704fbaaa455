"""Recoveries by sign-in name, over both databases: a case of nobody's lives and ends as one of a customer's."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Final

import msgspec
import pytest
from tests.service.house import House, code_in, settled
from tests.service.test_recovery import CHOSEN

from holdback import claims
from holdback.claims import Claims, Sent
from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE, Channel
from holdback.service import DEAR_MOST

if TYPE_CHECKING:
    from tests.service.house import Customer

NOBODY: Final = "nobody@example.com"
LOST: Final = ("password", "passkey")
SHOW: Final = {"action": "recovery.evidence"}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer strangers at once."""
    monkeypatch.setattr(claims, "LEVEL_S", 0.0)
    monkeypatch.setattr(claims, "READ_LEVEL_S", 0.0)


async def aged(house: House) -> tuple[Customer, list[str]]:
    """Alice, whose app, backup codes and mailbox are old."""
    alice, _ = await settled(house, "alice", "bob")
    bound = await alice.ask(alice.body("authenticator.bind", kind="backup_code", proofs=alice.proofs()))
    await house.deliver()
    house.clock.at += 80 * HOUR
    return alice, bound["enrolment"]["codes"]


def shown(kind: str, response: str) -> list[dict[str, str]]:
    """A proof."""
    return [{"kind": kind, "response": response}]


async def test_both_kinds_of_cases_live_alike(house: House) -> None:
    """One is open at a time and for as long, whoever has the name: replaced after an hour, gone after 30 days."""
    alice, _ = await aged(house)
    desk = Claims(house.service)
    for name in (alice.mail, NOBODY):
        first = await desk.opened(name, LOST, {}, "a")
        assert first is not None
        found = await desk.at(name, first)
        assert found is not None
        assert (found.lost, found.counts, found.now) == (LOST, False, house.clock.at)
        assert await desk.opened(name, LOST, {}, "b") is None
        assert await desk.opened(name, LOST, {}, "a") == first
        house.clock.at += HOUR
        second = await desk.opened(name, ("totp",), {}, "c")
        assert second is not None
        assert await desk.at(name, first) is None
        house.clock.at += 29 * DAY
        assert await desk.at(name, second) is not None
        house.clock.at += DAY + MINUTE
        assert await desk.at(name, second) is None
        house.clock.at += HOUR
        third = await desk.opened(name, LOST, {}, "d")
        found = await desk.at(name, third or "")
        assert found is not None
        assert (await desk.shown(found, {"action": "recovery.cancel"}, [], "", Sent())).counted
        assert await desk.at(name, third or "") is None
        assert await desk.opened(name, LOST, {}, "e") is None
        assert await desk.at(name, "zz") is None
        assert await desk.at(name, "") is None


async def test_a_new_master_key_ends_neither(house: House) -> None:
    """A case goes on under the next master key, whoever has its name, and still keeps another from being opened."""
    alice, _ = await aged(house)
    tokens = {name: await Claims(house.service).opened(name, LOST, {}, "a") for name in (alice.mail, NOBODY)}
    ring = "2:" + base64.b64encode(bytes(range(32, 64))).decode() + "," + house.settings.master_keys
    later = House(house.store, house.clock, given=msgspec.structs.replace(house.settings, master_keys=ring))
    for name, token in tokens.items():
        assert await Claims(later.service).at(name, token or "") is not None
        assert await Claims(later.service).opened(name, LOST, {}, "b") is None


async def test_an_account_is_no_name(house: House) -> None:
    """Only who has a sign-in name is recovered by it: an account's id is nobody's name."""
    await aged(house)
    desk = Claims(house.service)
    token = await desk.opened("alice", LOST, {}, "a")
    assert token is not None
    found = await desk.at("alice", token)
    assert found is not None
    assert found.account == ""
    assert not await house.happened("alice", ev.RecoveryOpened)


async def test_what_others_know_is_told_once_something_counts(house: House) -> None:
    """Kinds that are burned are named to nobody who has shown nothing, and to whoever has."""
    alice, codes = await aged(house)
    leak = {"action": "evidence.burn", "kinds": ["totp", "face"], "cause": "leak", "actor": {"kind": "platform"}}
    assert (await alice.ask(leak))["decision"] == "allow"
    desk = Claims(house.service)
    token = await desk.opened(alice.mail, LOST, {}, "a") or ""
    case = await desk.at(alice.mail, token)
    assert case is not None
    assert case.known == ()
    burned = await desk.shown(case, SHOW | {"kind": "totp"}, shown("totp", alice.next_code()), "", Sent())
    assert burned == claims.Said(counted=False)
    assert (await desk.shown(case, SHOW | {"kind": "backup_code"}, shown("backup_code", codes[0]), "", Sent())).counted
    case = await desk.at(alice.mail, token)
    assert case is not None
    assert (case.counts, case.known, case.way) == (True, ("face", "totp"), "one_possession")
    told = await desk.shown(case, SHOW | {"kind": "totp"}, shown("totp", alice.next_code()), "", Sent())
    assert told.answer is not None
    assert told.answer.reasons[0].code == "evidence_burned"


async def test_a_flood_tells_nothing(house: House) -> None:
    """More passwords at once than one account has checked are not looked at, whoever has the name."""
    alice, _ = await aged(house)
    desk = Claims(house.service)
    for name in (alice.mail, NOBODY):
        case = await desk.at(name, await desk.opened(name, LOST, {}, "a") or "")
        assert case is not None
        tries = [
            desk.shown(case, SHOW | {"kind": "totp"}, shown("password", f"{place:012}"), "", Sent())
            for place in range(2 * DEAR_MOST)
        ]
        assert set(await asyncio.gather(*tries)) == {claims.Said(counted=False)}


async def test_a_case_is_finished_by_name(house: House) -> None:
    """Step-ups go by names of this page's own; pressed twice, each form is asked once."""
    alice, codes = await aged(house)
    desk = Claims(house.service)
    token = await desk.opened(alice.mail, LOST, {}, "a") or ""

    async def says(fields: dict[str, str], proofs: list[dict[str, str]], challenge: str = "") -> claims.Said:
        found = await desk.at(alice.mail, token)
        assert found is not None
        said = await desk.shown(found, fields, proofs, challenge, Sent("form"))
        again = await desk.shown(found, fields, proofs, challenge, Sent("form"))
        assert (again.counted, again.answer) == (said.counted, said.answer)
        return said

    assert (await says(SHOW | {"kind": "totp"}, shown("totp", alice.next_code()))).counted
    assert (await says(SHOW | {"kind": "backup_code"}, shown("backup_code", codes[0]))).counted
    await house.deliver()
    house.clock.at += DAY
    fields = {"action": "recovery.finish", "password": CHOSEN}
    asked = await says(fields, [])
    await house.deliver()
    code = code_in(
        next(one for one in reversed(house.post[Channel.EMAIL].to(alice.mail)) if one.subject == "Your code")
    )
    case = await desk.at(alice.mail, token)
    assert case is not None
    forged = await desk.shown(case, fields, shown("contact_code", code), "forged", Sent())
    assert forged == claims.Said(counted=False)
    done = await desk.shown(case, fields, shown("contact_code", code), asked.challenge, Sent())
    assert done.counted
    assert await desk.at(alice.mail, token) is None
    assert await house.faults("alice") == []
