"""A question under an idempotency key is answered once, with one answer, whoever asks it again and wherever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.service.house import CALLER, Customer, Hands, House, dump, settled

from holdback.core import events as ev
from holdback.core.events import DAY, Lane
from holdback.judging import KeyReused
from holdback.ports import StoreUnavailable, Wanted
from holdback.service import Question

if TYPE_CHECKING:
    from tests.contracts.conftest import Opener

TWICE = 8


async def test_in_one_batch(house: House) -> None:
    """The same key with the same body in one batch is one payment, and one answer for all who asked."""
    (alice,) = await settled(house, "alice")
    body = alice.withdrawal(100, proofs=alice.proofs())

    before = house.service.work
    answers = await asyncio.gather(*(house.answer("alice", body, "k") for _ in range(TWICE)))

    assert house.service.work.batches - before.batches < TWICE, "none came together"
    assert len(set(answers)) == 1
    assert len(await house.happened("alice", ev.ExitAllowed)) == 1
    assert await house.faults("alice") == []


async def test_across_batches(house: House) -> None:
    """A key asked again later gives the same bytes, whatever the account would answer now, and writes nothing."""
    (alice,) = await settled(house, "alice")
    body = alice.withdrawal(100, proofs=alice.proofs())
    first = await house.answer("alice", body, "k")
    await alice.ask(alice.body("account.freeze"))

    before = await dump(house.store)
    assert await house.answer("alice", body, "k") == first
    assert await dump(house.store) == before


async def test_across_processes(opened: Opener, clock: Hands) -> None:
    """Two processes that are given one question under one key at once pay once and say the same."""
    one, other = House(await opened(clock.now), clock), House(await opened(clock.now), clock)
    (alice,) = await settled(one, "alice")

    for number in range(TWICE):
        body = alice.withdrawal(10, proofs=alice.proofs())
        answers = await asyncio.gather(*(house.answer("alice", body, f"k{number}") for house in (one, other) * 4))
        assert len(set(answers)) == 1
        assert msgspec.json.decode(answers[0])["decision"] == "allow"

    assert len(await one.happened("alice", ev.ExitAllowed)) == TWICE
    day = (await other.head("alice")).meters[Lane.TOTAL].hours
    assert sum(day.values()) == TWICE * 10 * 1_000_000
    assert await one.faults("alice") == []


async def test_an_import_across_processes(opened: Opener, clock: Hands) -> None:
    """Two processes that import one customer at once make one customer, whose secrets both can open from then on."""
    one, other = House(await opened(clock.now), clock), House(await opened(clock.now), clock)
    alice = Customer(one, "alice")

    answers = await asyncio.gather(*(house.answer("alice", alice.importing(), "k") for house in (one, other) * 2))

    assert len(set(answers)) == 1
    for house in (one, other):
        alice.house = house
        await alice.sign_in()
        added = await alice.ask(alice.body("contact.add", proofs=alice.proofs(), channel="sms", address="+15550100"))
        assert added["decision"] in {"allow", "deny"}, added
    anew = one.restarted(await opened(clock.now))
    head = await anew.head("alice")
    row = (await anew.store.read([Wanted("alice")])).snapshots["alice"]
    key = anew.service.tools.snapshots.key_of("alice", row.key)
    assert {key.open(contact.address) for contact in head.contacts.values()} == {alice.mail, "alice", "+15550100"}
    assert await anew.faults("alice") == []


async def test_one_sign_in_name(house: House) -> None:
    """Of two customers imported under one sign-in name at once one is made; the other is refused when asked again."""
    people = [Customer(house, account) for account in ("one", "two")]

    async def ask(who: Customer) -> str:
        answer = await who.ask(who.importing(sign_in_name="Same@Example.com"), who.account)
        return str(answer["decision"])

    answers = await asyncio.gather(*(ask(one) for one in people), return_exceptions=True)

    assert answers.count("allow") == 1
    assert all(one in {"allow", "deny"} or isinstance(one, StoreUnavailable) for one in answers)
    assert sorted([await ask(one) for one in people]) == ["allow", "deny"]
    (made,) = await house.store.accounts("", 9)
    assert await house.faults(made) == []


async def test_another_body(house: House) -> None:
    """A key that was used with another body, or about another account, is refused and changes nothing."""
    alice, bob = await settled(house, "alice", "bob")
    body = {"action": "account.freeze", "actor": {"kind": "owner", "session": alice.session}}
    await alice.ask(body, "k")
    before = await dump(house.store)

    with pytest.raises(KeyReused):
        await alice.ask(body | {"context": {"device": "another"}}, "k")
    with pytest.raises(KeyReused):
        await bob.ask(body, "k")
    with pytest.raises(KeyReused):
        await house.ask("alice.trading", body, "k")
    assert await dump(house.store) == before


async def test_another_body_in_one_batch(house: House) -> None:
    """Of two bodies under one key in one batch the first is answered and the second refused."""
    (alice,) = await settled(house, "alice")
    first, second = alice.withdrawal(1), alice.withdrawal(2)

    answers = await asyncio.gather(*(alice.ask(body, "k") for body in (first, second)), return_exceptions=True)

    assert [type(one) for one in answers] == [dict, KeyReused]
    assert (await house.story("alice"))[-1] == ("exit.request", "step_up")
    assert await house.faults("alice") == []


async def test_another_caller(house: House) -> None:
    """Two callers that happen on one key are two callers."""
    (alice,) = await settled(house, "alice")
    body = alice.withdrawal(1)
    raw = msgspec.json.encode(body)

    answers = [await house.service.ask(Question(caller, "alice", body, "k", raw)) for caller in (CALLER, "another")]

    assert [msgspec.json.decode(one)["decision"] for one in answers] == ["step_up", "step_up"]
    assert answers[0] != answers[1]


async def test_old_answers_are_forgotten(house: House) -> None:
    """An answer comes back for 48 hours, and is forgotten after them."""
    (alice,) = await settled(house, "alice")
    body = alice.withdrawal(100, proofs=alice.proofs())
    first = await alice.ask(body, "k")

    house.clock.at += 2 * DAY
    await house.service.forget()
    assert await alice.ask(body, "k") == first

    house.clock.at += 1
    await house.service.forget()
    assert (await alice.ask(body, "k"))["decision"] != first["decision"]


async def test_a_dry_run_writes_nothing(house: House) -> None:
    """A dry run of anything, by anyone, leaves every row as it was."""
    (alice,) = await settled(house, "alice")
    stranger = Customer(house, "carol")
    before = await dump(house.store)

    questions = [
        alice.withdrawal(100),
        alice.withdrawal(10_000_000),
        alice.body("limit.set", usd_per_day="5"),
        alice.body("account.freeze"),
        alice.body("session.end_all"),
        alice.body("exit.request", kind="sweep", asset="USDT", amount="1", counterparty="trading"),
        {"action": "contact.report_recycled", "contact": "c1-1", "actor": {"kind": "platform"}},
    ]
    answers = [await alice.ask(body | {"dry_run": True}, "k") for body in questions]
    await stranger.ask(stranger.importing() | {"dry_run": True}, "k")

    assert [one["decision"] for one in answers] == ["step_up", "step_up", "step_up", "allow", "allow", "allow", "allow"]
    assert all(one["receipt"] is None for one in answers)
    assert await dump(house.store) == before
    assert (await alice.ask(alice.body("account.freeze"), "k"))["decision"] == "allow"
