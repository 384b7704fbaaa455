"""Notices through the real service: sent at least once, in order, never dropped, and what waits for them waits."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.faulty import Fault, Step, Trap, faulty
from tests.service.house import (
    NEW_MAIL,
    PLATFORM,
    STRANGER,
    Customer,
    Hands,
    House,
    code_in,
    settled,
    token_in,
)

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE, Channel
from holdback.intake import BadRequest
from holdback.judging import ChallengeRefused
from holdback.outbox import BACK_OFF_MS, LINK_MS, Outbox
from holdback.ports import ChannelRefused, ChannelUnavailable

if TYPE_CHECKING:
    from holdback.ports import Message, Store

DEADLINE_S = 10


def instant(text: str) -> int:
    """Milliseconds of an instant in an answer."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def refuse(_message: Message) -> None:
    """Never accept."""
    raise ChannelRefused("no such mailbox")


def down(_message: Message) -> None:
    """Not now."""
    raise ChannelUnavailable("the relay is down")


def accept(_message: Message) -> None:
    """As usual."""


def adding(alice: Customer, name: str = "x") -> dict[str, Any]:
    """Alice's question to put a stranger into her book."""
    return alice.body("address.add", proofs=alice.proofs(), name=name, network="bitcoin", address=STRANGER)


# Delivery


async def test_order(house: House) -> None:
    """What has been due for longest is sent first."""
    (alice,) = await settled(house, "alice")
    mail = house.post[Channel.EMAIL]
    seen = len(mail.accepted)
    for hours in (1, 2, 3):
        house.clock.at += HOUR
        await alice.sign_in()
        await alice.ask(alice.body("limit.set", proofs=alice.proofs(), usd_per_day=str(10 - hours)))

    while await house.outbox.deliver_due(limit=1):
        pass

    numbers = [int(re.split(r"[/-]", one.id)[1]) for one in mail.accepted[seen:]]
    assert len(numbers) >= 3
    assert numbers == sorted(numbers)


async def test_folding(house: House) -> None:
    """Quiet news of one kind within a quarter of an hour is one message; severe news is one each."""
    (alice,) = await settled(house, "alice")
    before = house.messages()

    async def tighter(usd: int) -> None:
        answer = await alice.ask(alice.body("limit.set", proofs=alice.proofs(), usd_per_day=str(usd)))
        assert answer["decision"] == "allow", answer
        await house.deliver()

    for usd in (9, 8, 7):
        await tighter(usd)
    assert len(house.messages() - before) == 2  # one to each contact
    house.clock.at += 15 * MINUTE
    await tighter(6)
    assert len(house.messages() - before) == 4

    for usd in (20, 30, 40):
        answer = await alice.ask(alice.body("limit.set", proofs=alice.proofs(), usd_per_day=str(usd)))
        assert answer["decision"] == "hold", answer
    await house.deliver()
    assert len(house.messages() - before) == 10
    assert set((house.messages() - before).values()) == {1}


async def test_back_off(house: House) -> None:
    """A message that is not accepted is tried again later and later, and then lies with the dead letters, visible."""
    (alice,) = await settled(house, "alice")
    mail = house.post[Channel.EMAIL]
    tries: list[int] = []

    def counted(message: Message) -> None:
        tries.append(house.clock.at)
        down(message)

    mail.before = counted
    await alice.ask(adding(alice))
    begun = house.clock.at

    while (await house.store.backlog())[0]:
        await house.outbox.deliver_due()
        house.clock.at += MINUTE

    assert len(tries) == 1 + len(BACK_OFF_MS)
    gaps = [after - before for before, after in pairwise(tries)]
    assert all(wait <= gap <= wait + 2 * MINUTE for wait, gap in zip(BACK_OFF_MS, gaps, strict=True))
    (letter,) = await house.store.dead_letters(9)
    assert (letter.contact, letter.error) == ("c1-1", "the relay is down")
    assert [one.at >= begun for one in await house.happened("alice", ev.NoticeFailed)] == [True]


async def test_revival(house: House) -> None:
    """A dead letter that an operator revives is sent, and what waited for it begins to wait then."""
    (alice,) = await settled(house, "alice")
    mail = house.post[Channel.EMAIL]
    mail.before = refuse
    await alice.ask(adding(alice))
    await house.deliver()
    (letter,) = await house.store.dead_letters(9)
    house.clock.at += 10 * DAY
    heard = await house.happened("alice", ev.NoticeAccepted)

    mail.before = accept
    assert await house.store.revive(letter.id)
    await house.deliver()

    assert mail.accepted[-1].id == letter.id
    (latest,) = [one for one in await house.happened("alice", ev.NoticeAccepted) if one not in heard]
    assert (latest.notice, latest.contact) == (letter.notice, "c1-1")
    moved = [one for one in await house.happened("alice", ev.WaitMoved) if one.about.kind == "beneficiary"]
    assert [one.until for one in moved] == [house.clock.at + 72 * HOUR]
    assert await house.store.dead_letters(9) == []


async def test_two_processes(store: Store, house: House) -> None:
    """What one process has in hand another leaves alone, until it has had it for too long."""
    (alice,) = await settled(house, "alice")
    other = house.restarted(store)
    await alice.ask(adding(alice))
    rows = await store.claim(9, MINUTE)

    assert await other.outbox.deliver_due() == 0
    house.clock.at += MINUTE
    assert await other.outbox.deliver_due() == len(rows)
    assert other.messages() == Counter(row.id for row in rows)


async def test_a_channel_that_is_not_there(house: House) -> None:
    """A notice for a channel that is not set up waits like one whose relay is down, and holds up no other."""
    (alice,) = await settled(house, "alice")
    without_push = Outbox(house.service, {Channel.EMAIL: house.post[Channel.EMAIL]}, "https://id.example/")
    await alice.ask(adding(alice))

    assert await without_push.deliver_due() == 2

    assert (await house.store.backlog())[0] == 1
    house.clock.at += BACK_OFF_MS[0]
    (row,) = await house.store.claim(9, 1)
    assert (row.contact, row.tries, row.error) == ("c1-2", 1, "no channel push is set up")


async def test_an_adapter_with_a_mistake(house: House) -> None:
    """An adapter that fails as no adapter should delays its own message, and none of the others."""
    (alice,) = await settled(house, "alice")
    push, mail = house.post[Channel.PUSH], house.post[Channel.EMAIL]

    def mistaken(_message: Message) -> None:
        raise KeyError("address")

    push.before = mistaken
    seen = len(mail.accepted)
    await alice.ask(adding(alice))
    await house.outbox.deliver_due()

    assert len(mail.accepted) == seen + 1
    house.clock.at += BACK_OFF_MS[0]
    (row,) = await house.store.claim(9, 1)
    assert (row.contact, row.error) == ("c1-2", "KeyError, see the log")


async def test_running(store: Store, clock: Hands) -> None:
    """The outbox sends as soon as a notice is written, outlives a store that fails, and ends when it is told to."""
    trap, stop, sent = Trap(), asyncio.Event(), asyncio.Event()
    (alice,) = await settled(House(store, clock), "alice")
    house = alice.house = House(faulty(store, trap), clock)
    house.post[Channel.EMAIL].after = lambda _: sent.set()
    trap.set(Step.CLAIM, Fault.FAILED)
    running = asyncio.create_task(house.outbox.run(stop, poll_s=0.01))

    await alice.ask(adding(alice))
    await asyncio.wait_for(sent.wait(), DEADLINE_S)
    stop.set()
    await asyncio.wait_for(running, DEADLINE_S)

    assert trap.sprung == 1


async def test_without_channels(house: House) -> None:
    """An outbox that can reach nobody takes nothing in hand, and still ends when it is told to."""
    (alice,) = await settled(house, "alice")
    await alice.ask(adding(alice))
    stop = asyncio.Event()
    running = asyncio.create_task(Outbox(house.service, {}, "https://id.example").run(stop))
    for _ in range(3):
        await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, DEADLINE_S)

    assert len(await house.store.claim(9, 1)) == 2


async def test_old_answers_are_forgotten_while_it_runs(house: House) -> None:
    """Where notices are delivered, answers that nobody may ask for again are deleted, too."""
    (alice,) = await settled(house, "alice")
    await alice.ask(alice.withdrawal(100), "k")
    house.clock.at += 3 * DAY
    stop = asyncio.Event()
    running = asyncio.create_task(house.outbox.run(stop))
    for _ in range(3):
        await asyncio.sleep(0)
    stop.set()
    await asyncio.wait_for(running, DEADLINE_S)

    assert await house.store.forget_answers(house.clock.at) == 0


async def test_housekeeping_that_fails_keeps_nobody_untold(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that lets nobody delete, or any other fault while old rows are removed, stops no notice."""
    failed, stop, sent = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def refuse() -> None:
        failed.set()
        raise LookupError("permission denied")

    (alice,) = await settled(house, "alice")
    monkeypatch.setattr(house.service, "forget", refuse)
    house.post[Channel.EMAIL].after = lambda _: sent.set()
    running = asyncio.create_task(house.outbox.run(stop, poll_s=0.01))
    await asyncio.wait_for(failed.wait(), DEADLINE_S)
    await alice.ask(adding(alice))
    await asyncio.wait_for(sent.wait(), DEADLINE_S)
    stop.set()
    await asyncio.wait_for(running, DEADLINE_S)


# Waits that wait to be heard of


async def test_a_wait_begins_when_the_owner_was_told(house: House) -> None:
    """A new beneficiary ripens from when a senior contact outside the platform accepted the news, not from before."""
    (alice,) = await settled(house, "alice")
    mail = house.post[Channel.EMAIL]
    mail.before = down
    added = await alice.ask(adding(alice))
    assert instant(added["usable_from"]) == house.clock.at + 72 * HOUR
    await house.deliver()  # the app accepts, which is the platform's own

    house.clock.at += 30 * HOUR
    mail.before = accept
    await house.deliver()
    told = house.clock.at

    house.clock.at = told + 71 * HOUR
    await alice.sign_in()
    await house.priced()
    early = await alice.ask(alice.withdrawal(1_000, to=STRANGER, proofs=alice.proofs()))
    assert (early["decision"], early["reasons"][0]["code"]) == ("hold", "destination_new")
    assert instant(early["hold"]["release_at"]) == told + 72 * HOUR
    house.clock.at = told + 72 * HOUR
    await alice.sign_in()
    await house.priced()
    late = await alice.ask(alice.withdrawal(1_000, to=STRANGER, proofs=alice.proofs()))
    assert late["decision"] == "allow", late


async def test_a_junior_contact_starts_nothing(house: House) -> None:
    """A contact that is new itself is told, and its acceptance starts no wait."""
    (alice,) = await settled(house, "alice")
    await confirmed(house, alice, NEW_MAIL)
    mail = house.post[Channel.EMAIL]
    mail.before = lambda message: None if message.to == NEW_MAIL else down(message)

    added = await alice.ask(adding(alice))
    assert added["decision"] == "allow", added
    await house.deliver()

    assert mail.to(NEW_MAIL)
    assert not [one for one in await house.happened("alice", ev.WaitMoved) if one.about.kind == "beneficiary"]


async def test_a_recycled_contact(house: House) -> None:
    """A contact that belongs to somebody else by now gets nothing any more, not even what was under way."""
    (alice,) = await settled(house, "alice")
    await alice.ask(adding(alice))
    reported = {"action": "contact.report_recycled", "contact": "c1-1", "actor": PLATFORM}
    assert (await alice.ask(reported))["decision"] == "allow"
    mail, seen = house.post[Channel.EMAIL], len(house.post[Channel.EMAIL].accepted)

    await alice.ask(alice.body("account.freeze"))
    await house.deliver()

    assert len(mail.accepted) == seen
    assert {(one.contact, one.error) for one in await house.store.dead_letters(9)} == {("c1-1", "the contact is gone")}


# Codes and links


async def confirmed(house: House, alice: Customer, address: str) -> str:
    """Add a contact and confirm it by the code that was sent there; its id."""
    added = await alice.ask(alice.body("contact.add", proofs=alice.proofs(), channel="email", address=address))
    await house.deliver()
    code = code_in(house.post[Channel.EMAIL].to(address)[-1])
    proofs = [{"kind": "contact_code", "authenticator": added["id"], "response": code}]
    done = await alice.ask(alice.body("contact.confirm", contact=added["id"], proofs=proofs))
    assert done["decision"] == "allow", done
    await house.deliver()
    contact: str = added["id"]
    return contact


async def test_a_contact_is_confirmed_by_its_code(house: House) -> None:
    """A new contact counts once its own code is shown; a wrong code, an older one and one that is too old do not."""
    (alice,) = await settled(house, "alice")
    mail = house.post[Channel.EMAIL]

    def asking() -> dict[str, Any]:
        return alice.body("contact.add", proofs=alice.proofs(), channel="email", address=NEW_MAIL)

    def shown(code: str) -> dict[str, Any]:
        proofs = [{"kind": "contact_code", "authenticator": contact, "response": code}]
        return alice.body("contact.confirm", contact=contact, proofs=proofs)

    added = await alice.ask(asking())
    contact = added["id"]
    await house.deliver()
    (first,) = mail.to(NEW_MAIL)
    assert NEW_MAIL not in {one.to for one in mail.accepted if one is not first}
    wrong = f"{(int(code_in(first)) + 1) % 10**8:08}"
    assert (await alice.ask(shown(wrong)))["reasons"][0]["code"] == "proof_wrong"

    house.clock.at += 3 * MINUTE
    await alice.ask(asking())
    await house.deliver()
    second = mail.to(NEW_MAIL)[-1]
    assert code_in(second) != code_in(first)
    assert (await alice.ask(shown(code_in(first))))["reasons"][0]["code"] == "proof_wrong"
    house.clock.at += 24 * HOUR
    await alice.sign_in()
    assert (await alice.ask(shown(code_in(second))))["reasons"][0]["code"] == "proof_wrong"

    await alice.ask(asking())
    await house.deliver()
    done = await alice.ask(shown(code_in(mail.to(NEW_MAIL)[-1])))
    assert done["decision"] == "allow", done
    assert instant(done["usable_from"]) == house.clock.at + 72 * HOUR
    assert await house.faults("alice") == []


async def test_a_link_freezes(house: House) -> None:
    """The link in any notice freezes its own account without a sign-in, for 30 days, and no other account."""
    alice, bob = await settled(house, "alice", "bob")
    await alice.ask(adding(alice))
    await house.deliver()
    message = house.post[Channel.EMAIL].to(alice.mail)[-1]
    freeze = {"action": "account.freeze", "actor": {"kind": "link", "token": token_in(message)}}

    with pytest.raises(BadRequest):
        await bob.ask(freeze)
    with pytest.raises(BadRequest):
        await alice.ask(freeze | {"actor": {"kind": "link", "token": token_in(message)[:-2] + "AA"}})
    assert (await alice.ask(freeze))["decision"] == "allow"
    paid = await alice.ask(alice.withdrawal(1, proofs=alice.proofs()))
    assert paid["reasons"][0]["code"] == "frozen"
    (frozen,) = await house.happened("alice", ev.Frozen)
    assert (frozen.by.kind, frozen.by.contact) == ("link", "c1-1")
    unfreeze = {"action": "account.unfreeze", "actor": freeze["actor"]}
    assert (await alice.ask(unfreeze))["reasons"][0]["code"] == "not_entitled"

    house.clock.at = next(one.at for one in await house.happened("alice", ev.AddressAdded) if one.label) + LINK_MS
    house.clock.at += 10 * DAY
    with pytest.raises(BadRequest):
        await alice.ask(freeze)


async def test_a_link_that_froze_wrongly(house: House) -> None:
    """A contact whose freeze was called a mistake freezes no more, until it is confirmed again by its own code."""
    (alice,) = await settled(house, "alice")
    await alice.ask(adding(alice))
    await house.deliver()
    mail = house.post[Channel.EMAIL]
    freeze = {"action": "account.freeze", "actor": {"kind": "link", "token": token_in(mail.to(alice.mail)[-1])}}
    await alice.ask(freeze)
    asked = await alice.ask(alice.body("account.unfreeze", proofs=alice.proofs(), mistaken=True))
    assert asked["decision"] == "hold", asked
    await house.deliver()
    house.clock.at += 73 * HOUR
    await alice.sign_in()
    assert await house.happened("alice", ev.Unfrozen)

    assert (await alice.ask(freeze))["reasons"][0]["code"] == "freeze_right_lost"

    added = await alice.ask(alice.body("contact.add", proofs=alice.proofs(), channel="email", address=alice.mail))
    assert (added["decision"], added["id"]) == ("allow", "c1-1")
    await house.deliver()
    code = next(code_in(one) for one in reversed(mail.to(alice.mail)) if "code" in one.subject)
    proofs = [{"kind": "contact_code", "authenticator": "c1-1", "response": code}]
    assert (await alice.ask(alice.body("contact.confirm", contact="c1-1", proofs=proofs)))["decision"] == "allow"
    assert (await alice.ask(freeze))["decision"] == "allow"


async def test_a_replaced_contact_still_freezes(house: House) -> None:
    """A contact that was taken away is told for 30 days more, and may freeze by the link it is sent."""
    (alice,) = await settled(house, "alice")
    await confirmed(house, alice, NEW_MAIL)
    for body in ({"action": "contact.remove", "contact": "c1-1"}, {"action": "exit.cancel", "which": "none"}):
        house.clock.at += 73 * HOUR
        await alice.sign_in()
        await alice.ask(alice.body(body.pop("action"), proofs=alice.proofs(), **body))
        await house.deliver()
    assert (await house.head("alice")).contacts["c1-1"].removed

    last = house.post[Channel.EMAIL].to(alice.mail)[-1]
    assert last.data["kind"] == "contact.removed"
    freeze = {"action": "account.freeze", "actor": {"kind": "link", "token": token_in(last)}}
    assert (await alice.ask(freeze))["decision"] == "allow"


async def test_a_hold_ends_early(house: House) -> None:
    """A hold ends early by the strongest proof and the code that a senior contact was sent for that very hold."""
    (alice,) = await settled(house, "alice")
    held = [await alice.ask(alice.withdrawal(60_000 + usd, proofs=alice.proofs())) for usd in (0, 1)]
    await house.deliver()
    first, other = (alice.body("exit.release", which=one["hold"]["id"]) for one in held)

    asked = await alice.ask(first | {"proofs": alice.proofs()})
    assert (asked["decision"], asked["challenge"]["accept"]) == ("step_up", [["password", "totp", "contact_code"]])
    await house.deliver()
    code = code_in(house.post[Channel.EMAIL].to(alice.mail)[-1])
    shown = [*alice.proofs(), {"kind": "contact_code", "response": code}]

    with pytest.raises(ChallengeRefused, match="challenge_other_action"):
        await alice.ask(other | {"proofs": shown, "challenge": asked["challenge"]["id"]})
    done = await alice.ask(first | {"proofs": shown, "challenge": asked["challenge"]["id"]})
    assert done["decision"] == "allow", done
    again = await alice.ask(other | {"proofs": [*alice.proofs(), shown[-1]]})
    assert again["decision"] == "step_up"
    assert len(await house.happened("alice", ev.ExitAllowed)) == 1
