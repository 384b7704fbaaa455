"""Two server processes on one PostgreSQL: a budget is never overspent and a code never used twice, whoever is first."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.contracts.conftest import Place
from tests.service.house import PLATFORM, STEP, House, settled
from tests.service.servers import DEADLINE_S, Said, admitted, before_now, now, question, serving

from holdback.core import events as ev
from holdback.core.events import HOUR, Lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.service.house import Customer
    from tests.service.servers import Server

CLIENTS = 64
USD = 1_000_000
HELD = 20
EACH_USD = 10_000
DAY_USD = 50_000
"""5 % of the million dollars that everybody here owns: what may go to others than long-standing beneficiaries a day."""
NEIGHBOURS = 6
TRANSFERS = 3


class Town(NamedTuple):
    """Two servers, a house to look into their database with, and who lives there."""

    servers: list[Server]
    house: House
    people: list[Customer]

    async def ask(self, questions: list[Said]) -> list[Said]:
        """All clients at once, by turns at either server."""
        async with asyncio.timeout(DEADLINE_S):
            return list(await asyncio.gather(*(self.servers[at % 2].ask(said) for at, said in enumerate(questions))))


@asynccontextmanager
async def town(dsn: str, log: Path, *accounts: str) -> AsyncIterator[Town]:
    """A town whose people signed in from a new phone a day ago, and ask for money two hours before that has cooled."""
    clock = before_now(2 * 73 + 24)
    place = Place("postgres", dsn)
    async with AsyncExitStack() as stack:
        store = place.store(clock.now)
        stack.push_async_callback(store.close)
        await store.migrate()
        house = House(store, clock)
        people = await settled(house, *accounts)
        for one in people:
            one.device = "phone"
        for wait in (STEP, 22 * HOUR):
            clock.at += wait
            await asyncio.gather(*(one.sign_in(one.code()) for one in people))
            await house.deliver()
        await house.priced()
        key = await admitted(store)
        servers = [await stack.enter_async_context(serving(place, key, log)) for _ in range(2)]
        yield Town(servers, house, people)


async def held(who: Customer, body: dict[str, Any], times: int) -> list[str]:
    """Ask for exits that the new phone cools until now; their ids."""
    ids = []
    for _ in range(times):
        answer = await who.ask(body | {"proofs": who.proofs(password=False)})
        assert answer["decision"] == "hold", answer
        ids.append(answer["hold"]["id"])
    return ids


async def to_the_present(town: Town) -> None:
    """Let everyone hear of what happened, and a day pass."""
    await town.house.deliver()
    town.house.clock.at = before_now(0).at
    await asyncio.gather(*(one.sign_in(one.code()) for one in town.people))
    town.house.clock.at = now()
    await town.house.priced()
    await town.house.store.say_looked()  # what was said in the past is none; the servers look again in a moment


def releases(account: str, ids: list[str]) -> list[Said]:
    """The platform's questions whether held exits may go now."""
    bodies = [{"action": "exit.release", "which": one, "actor": PLATFORM} for one in ids]
    return [question(account, f"{account}-release-{at}", body) for at, body in enumerate(bodies)]


async def test_one_budget_and_one_code(postgres_dsn: str, tmp_path: Path) -> None:
    """Of 64 clients at two servers, as many get their money as the budget has, and one gets it for a code."""
    async with town(postgres_dsn, tmp_path / "server.log", "alice", "bob") as here:
        alice, bob = here.people
        ids = await held(alice, alice.withdrawal(EACH_USD), HELD)
        await to_the_present(here)

        again = [ids[at % HELD] for at in range(CLIENTS)]
        said = Counter(one.decision for one in await here.ask(releases("alice", again)))
        gone = await here.house.happened("alice", ev.ExitAllowed)
        assert len({one.receipt for one in gone}) == len({one.exit for one in gone}) == DAY_USD // EACH_USD
        assert len(gone) == said["allow"]  # whoever asks once more gets a receipt of the same id
        meter = (await here.house.head("alice")).meters[Lane.OTHERS]
        assert sum(meter.hours.values()) == DAY_USD * USD

        proofs = bob.proofs(bob.code(), password=False)
        questions = [question("bob", f"k{at}", bob.withdrawal(10 + at, proofs=proofs)) for at in range(CLIENTS)]
        said = Counter(one.decision for one in await here.ask(questions))
        assert said["allow"] == 1
        assert len(await here.house.happened("bob", ev.ExitAllowed)) == 1
        spent = [one.counter for one in await here.house.happened("bob", ev.ProofUsed)]
        assert len(spent) == len(set(spent))
        assert await here.house.faults("alice", "bob") == []


async def test_one_account_that_all_want(postgres_dsn: str, tmp_path: Path) -> None:
    """Transfers that go round in a ring, and everyone at one account besides: all are answered, each is done once."""
    accounts = [f"c{number}" for number in range(NEIGHBOURS)]
    async with town(postgres_dsn, tmp_path / "server.log", *accounts) as here:
        hot, questions = here.people[0], list[Said]()
        for one, other in zip(here.people, [*here.people[1:], hot], strict=True):
            transfer = one.withdrawal(1) | {"kind": "internal_transfer", "counterparty": other.account}
            del transfer["address"], transfer["network"]
            ids = await held(one, transfer, TRANSFERS)
            questions += releases(one.account, ids * 2)
        await to_the_present(here)
        questions += [question(hot.account, f"hot-{at}", hot.withdrawal(1 + at)) for at in range(CLIENTS)]
        random.Random(4).shuffle(questions)

        said = await here.ask(questions)

        assert sorted(said) == sorted(await here.ask(questions))
        for at, account in enumerate(accounts):
            gone = await here.house.happened(account, ev.ExitAllowed)
            assert len({one.receipt for one in gone}) == len({one.exit for one in gone}) == TRANSFERS
            marks = await here.house.happened(accounts[at - 1], ev.ValueReceived)
            assert len([one for one in marks if not one.late_at]) == TRANSFERS
            received = (await here.house.head(accounts[at - 1])).received
            assert sum(one.micro_usd for one in received) == TRANSFERS * USD
        assert (await here.house.story(hot.account)).count(("exit.request", "step_up")) == CLIENTS
        assert await here.house.faults(*accounts) == []
