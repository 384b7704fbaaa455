"""The fault table: each durable write x {failed, failed but persisted}, met once by each question of a history.

A caller that gets no answer asks again under the same idempotency key. Afterwards the house is started anew, so that
what only memory knew cannot help, and everything must be as if nothing had ever gone wrong.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest
from tests.service.faulty import Fault, Step, Trap, faulty
from tests.service.house import Customer, Hands, House, dump, settled, somewhere

from holdback.core import events as ev
from holdback.core.effects import tag_of
from holdback.core.events import HOUR, MINUTE, Channel, Lane
from holdback.ports import ChannelRefused, ChannelUnavailable, StoreUnavailable
from holdback.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from tests.contracts.conftest import Opener

    from holdback.ports import Message

ALONE_STEPS = (Step.READ, Step.BEGIN, Step.WRITE, Step.COMMIT)
"""What a question does that meets nobody: it is judged by what was read, and locks nothing."""
CROWDED_STEPS = (Step.BEGIN, Step.LOAD, Step.WRITE, Step.COMMIT)
"""What it does as well once somebody else was first."""
OUTBOX_STEPS = (Step.CLAIM, Step.SEND, Step.LOAD, Step.WRITE, Step.COMMIT, Step.POSTPONE, Step.BURY)
TRIES = 3
ROUNDS = 60

Asked = tuple[str, dict[str, Any], str, bytes]
"""An account, what was asked of it, under which key, and what was answered."""


class Patient:
    """A caller that meets one fault at each question, and asks again under the same key until it is answered."""

    def __init__(self, house: House, trap: Trap, step: Step | None, fault: Fault) -> None:
        self.house = house
        self.trap = trap
        self.asked: list[Asked] = []
        self._step, self._fault = step, fault

    async def ask(self, who: Customer, body: dict[str, Any]) -> dict[str, Any]:
        """One question, however often it takes."""
        key = f"k{len(self.asked)}"
        if self._step is not None:
            self.trap.set(self._step, self._fault)
        for _ in range(TRIES):
            try:
                answer = await self.house.answer(who.account, body, key)
            except StoreUnavailable:
                continue
            self.trap.disarm()
            self.asked.append((who.account, body, key, answer))
            decoded: dict[str, Any] = msgspec.json.decode(answer)
            return decoded
        raise AssertionError("never answered")


class Outcome(NamedTuple):
    """What a history came to, without what chance and the clock put into it."""

    stories: dict[str, list[tuple[str, str]]]
    events: dict[str, Counter[str]]
    drawn: int
    messages: set[str]


async def live(patient: Patient) -> tuple[Customer, Customer]:
    """Alice's life from her import to her freeze, with a transfer to Bob in it."""
    house, ask = patient.house, patient.ask
    alice, bob = Customer(house, "alice"), Customer(house, "bob")
    for one in (alice, bob):
        await ask(one, one.importing("alice" if one is bob else "bob"))
    for _ in range(2):
        await house.deliver()
        house.clock.at += 73 * HOUR
        answer = await ask(alice, alice.body("session.start", proofs=alice.proofs()) | {"actor": {"kind": "owner"}})
        alice.session = answer["session"]["token"]
    await house.deliver()
    await house.priced()
    await ask(alice, alice.withdrawal(100))
    code = alice.next_code()
    paid = await ask(alice, alice.withdrawal(100, proofs=alice.proofs(code)))
    assert paid["decision"] == "allow", paid
    again = await ask(alice, alice.withdrawal(200, proofs=alice.proofs(code)))
    assert again["reasons"][0]["code"] == "proof_replayed", again
    transfer = {"kind": "internal_transfer", "asset": "USDT", "amount": "50", "usd": "50", "counterparty": "bob"}
    sent = await ask(alice, alice.body("exit.request", proofs=alice.proofs(), **transfer))
    assert sent["decision"] == "allow", sent
    held = await ask(alice, alice.withdrawal(90_000, proofs=alice.proofs()))
    assert held["decision"] == "hold", held
    await ask(alice, alice.body("exit.cancel", which=held["hold"]["id"]))
    added = await ask(alice, alice.body("contact.add", proofs=alice.proofs(), channel="sms", address="+15550100"))
    assert added["decision"] == "allow", added
    await house.deliver()
    await ask(alice, alice.body("limit.set", proofs=alice.proofs(), usd_per_day="1000"))
    looser = await ask(alice, alice.body("limit.set", proofs=alice.proofs(), usd_per_day="2000"))
    assert looser["decision"] == "hold", looser
    frozen = await ask(alice, alice.body("account.freeze"))
    assert frozen["decision"] == "allow", frozen
    await house.deliver()
    return alice, bob


async def outcome(house: House) -> Outcome:
    """What is in the log now, and what reached the mailboxes."""
    stories = {one: await house.story(one) for one in ("alice", "bob")}
    events = {one: Counter(tag_of(event) for event in await house.happened(one, ev.Event)) for one in stories}
    meter = (await house.head("alice")).meters[Lane.TOTAL]
    return Outcome(stories, events, sum(meter.hours.values()), set(house.messages()))


@pytest.fixture(scope="module")
def smooth(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The same history in which nothing goes wrong; every store must come to it."""

    async def run() -> Outcome:
        clock = Hands()
        store = SqliteStore(tmp_path_factory.mktemp("smooth") / "holdback.db", clock=clock.now)
        await store.migrate()
        house = House(store, clock)
        await live(Patient(house, Trap(), None, Fault.FAILED))
        found = await outcome(house)
        await store.close()
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize(
    ("step", "crowded"), [(one, False) for one in ALONE_STEPS] + [(one, True) for one in CROWDED_STEPS]
)
async def test_each_step_of_a_question(  # noqa: PLR0913, PLR0917 - two stores, one clock, and the table's three columns
    opened: Opener,
    clock: Hands,
    smooth: Outcome,
    step: Step,
    crowded: bool,  # noqa: FBT001 - a column of the table
    fault: Fault,
) -> None:
    """Whichever step of a question fails, in effect or not, asking again leaves what a smooth history leaves."""
    store, trap = await opened(clock.now), Trap()
    trap.crowded = crowded
    house = House(faulty(store, trap), clock)
    patient = Patient(house, trap, step, fault)
    alice, _ = await live(patient)

    assert trap.sprung >= len(patient.asked) - 2  # an import reads nothing before its batch
    assert await outcome(house) == smooth
    anew = house.restarted(await opened(clock.now))
    assert await anew.faults("alice", "bob") == []
    before = await dump(store)
    for account, body, key, answer in patient.asked:
        assert await anew.answer(account, body, key) == answer
    assert await dump(store) == before
    assert (await anew.ask("alice", alice.withdrawal(1)))["reasons"][0]["code"] == "frozen"


class Weather:
    """What the world does to the mail: each message finds the relay down once, and nothing reaches the app ever."""

    def __init__(self, house: House, trap: Trap) -> None:
        self.met: set[str] = set()
        self._trap = trap
        mail, push = house.post[Channel.EMAIL], house.post[Channel.PUSH]
        mail.before, mail.after, push.before = self._before, self._after, self._refuse

    def _before(self, message: Message) -> None:
        if message.id not in self.met:
            self.met.add(message.id)
            raise ChannelUnavailable("the relay is down")
        self._trap.check(Step.SEND, Fault.FAILED)

    def _after(self, _message: Message) -> None:
        self._trap.check(Step.SEND, Fault.PERSISTED)

    @staticmethod
    def _refuse(_message: Message) -> None:
        raise ChannelRefused("the app is gone")


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("step", OUTBOX_STEPS)
async def test_each_step_of_the_outbox(opened: Opener, clock: Hands, step: Step, fault: Fault) -> None:
    """Whichever step of a delivery fails, in effect or not, each notice is sent, recorded once, or a dead letter."""
    store, trap = await opened(clock.now), Trap()
    (alice,) = await settled(House(store, clock), "alice")
    for name in ("x", "y"):
        added = alice.body("address.add", proofs=alice.proofs(), name=name, network="bitcoin", address=somewhere(name))
        assert (await alice.ask(added))["decision"] == "allow"
    house = House(faulty(store, trap), clock)
    Weather(house, trap)
    asked_at = clock.at

    for _ in range(ROUNDS):
        if trap.sprung < 2:
            trap.set(step, fault, ChannelUnavailable("no answer") if step is Step.SEND else None)
        with suppress(StoreUnavailable):
            await house.outbox.deliver_due()
        clock.at += MINUTE
        if await store.backlog() == (0, 0):
            break

    assert trap.sprung
    assert await store.backlog() == (0, 0)
    due = {row.notice for row in await house.happened("alice", ev.NoticeDue) if row.cause == "address.added"}
    sent = [one.id for one in house.post[Channel.EMAIL].accepted]
    assert {one.split("/")[1] for one in sent} == due
    assert step in {Step.SEND, Step.LOAD, Step.WRITE, Step.COMMIT} or len(sent) == len(set(sent))
    assert {one.notice for one in await store.dead_letters(9)} == due
    heard = await house.happened("alice", ev.NoticeAccepted)
    assert Counter(one.notice for one in heard if one.at >= asked_at) == Counter(due)
    assert {one.notice for one in await house.happened("alice", ev.NoticeFailed)} == due
    assert await house.faults("alice") == []
