"""The desk through the real service: kept by the transactions that change it, told from, and made anew."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.service.house import Customer, House, settled

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, Channel
from holdback.desk import Desk
from holdback.ports import DeskRow, Writes

if TYPE_CHECKING:
    from holdback.ports import Store

FIRST = (0, "", "", "")


async def opened(house: House) -> tuple[Customer, dict[str, Any], str]:
    """Alice's account, the actor that her recovery goes by, and its token."""
    alice, _ = await settled(house, "alice", "bob")
    house.clock.at += 80 * HOUR
    answer = await alice.ask({"action": "recovery.open", "lost": ["password"], "actor": {"kind": "owner"}})
    token = answer["session"]["token"]
    return alice, {"kind": "owner", "session": token}, token


async def rows(store: Store) -> list[DeskRow]:
    """All that waits."""
    return await store.desk("", FIRST, 100)


async def shows_totp(alice: Customer, actor: dict[str, Any]) -> None:
    """Show what the authenticator app shows."""
    proofs = [{"kind": "totp", "response": alice.next_code()}]
    answer = await alice.ask({"action": "recovery.evidence", "kind": "totp", "actor": actor, "proofs": proofs})
    assert answer["decision"] == "allow", answer


async def test_it_follows_every_step(house: House) -> None:
    """A recovery is on the desk from its opening to its end, always with what it waits for now."""
    alice, actor, _ = await opened(house)
    (row,) = await rows(house.store)
    assert (row.account, row.kind, row.waits_for, row.role) == ("alice", "recovery", "evidence", "support")
    await shows_totp(alice, actor)
    (row,) = await rows(house.store)
    assert (row.waits_for, row.role) == ("review", "reviewer")
    assert (await alice.ask({"action": "recovery.cancel", "actor": actor}))["decision"] == "allow"
    assert await rows(house.store) == []


async def test_its_opener_sees_how_it_stands(house: House) -> None:
    """By its token: age, place, what it waits for and when it can be over at the earliest; no other token sees it."""
    alice, actor, token = await opened(house)
    await shows_totp(alice, actor)
    house.clock.at += HOUR
    desk = Desk(house.service)
    seen = await desk.progress("alice", token)
    assert seen is not None
    assert (seen.waits_for, seen.place, seen.shown, seen.approvals) == ("review", 1, ("totp",), 0)
    assert seen.age_s == 3600 + 30
    assert seen.expected_at == "2024-10-16T20:00:30.000Z"
    assert await desk.progress("alice", "another") is None
    assert await desk.progress("bob", token) is None
    assert await desk.progress("nobody", token) is None


async def test_it_tells_its_opener_when_it_is_his_turn(house: House) -> None:
    """Once the wait is over it waits for whoever opened it."""
    alice, _ = await settled(house, "alice", "bob")
    bound = await alice.ask(alice.body("authenticator.bind", kind="backup_code", proofs=alice.proofs()))
    await house.deliver()
    house.clock.at += 80 * HOUR
    answer = await alice.ask({"action": "recovery.open", "lost": ["password"], "actor": {"kind": "owner"}})
    token = answer["session"]["token"]
    actor = {"kind": "owner", "session": token}
    await shows_totp(alice, actor)
    proofs = [{"kind": "backup_code", "response": bound["enrolment"]["codes"][0]}]
    await alice.ask({"action": "recovery.evidence", "kind": "backup_code", "actor": actor, "proofs": proofs})
    desk = Desk(house.service)
    seen = await desk.progress("alice", token)
    assert seen is not None
    assert (seen.waits_for, seen.place) == ("time", None)
    await house.deliver()
    house.clock.at += DAY
    seen = await desk.progress("alice", token)
    assert seen is not None
    assert seen.waits_for == "opener"


async def test_reminders_go_out_by_the_way(house: House) -> None:
    """Each pass of the outbox writes what is due to be told once more, once, and at last that it expired."""
    alice, _, _ = await opened(house)
    assert await house.service.remind() == 0
    for day in (7, 7, 7):
        house.clock.at += day * DAY
        assert await house.service.remind() == 1
        assert await house.service.remind() == 0
    house.clock.at += 9 * DAY
    await house.service.remind()
    assert [one.waits for one in await house.happened("alice", ev.RecoveryReminded)] == [False] * 3
    (ended,) = await house.happened("alice", ev.RecoveryEnded)
    assert ended.how == "expired"
    assert await rows(house.store) == []
    await house.deliver()
    subjects = [one.subject for one in house.post[Channel.EMAIL].to(alice.mail)]
    assert subjects.count("Important: a recovery of your account goes on") == 3
    assert await house.faults("alice") == []


async def test_a_running_outbox_reminds(house: House) -> None:
    """Nobody has to start it: who sends notices also looks for what is to be told again."""
    await opened(house)
    house.clock.at += 7 * DAY
    stop, told = asyncio.Event(), asyncio.Event()
    house.post[Channel.EMAIL].after = lambda sent: told.set() if "goes on" in sent.subject else None
    running = asyncio.create_task(house.outbox.run(stop, poll_s=0.01))
    await asyncio.wait_for(told.wait(), 60)
    stop.set()
    await running


async def test_a_row_that_lies_is_mended_and_writes_nothing(house: House) -> None:
    """A row that wakes too early, or of a case that is over, is put right, and the account's log stays as it was."""
    await opened(house)
    (row,) = await rows(house.store)
    early = row._replace(wake_at=1)
    stray = DeskRow("bob", "recovery", "r9", 1, 2, 3, "time", "")
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(desk=[early, stray]))
    before = await house.story("alice"), await house.story("bob")
    assert await house.service.remind() == 2
    assert await rows(house.store) == [row]
    assert (await house.story("alice"), await house.story("bob")) == before


async def test_it_is_made_anew(house: House) -> None:
    """Whatever was lost or left behind, the desk is what the heads say."""
    await opened(house)
    whole = await rows(house.store)
    async with house.store.transaction() as transaction:
        lost = [whole[0][:3]]
        stray = [DeskRow(name, "recovery", "r9", 1, 2, 3, "time", "") for name in ("bob", "gone")]
        await transaction.write(Writes(desk=stray, off_desk=lost))
    assert await Desk(house.service).rebuild() == 1
    assert await rows(house.store) == whole
