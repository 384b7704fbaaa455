"""`kill -9` of a real server under load: what it acknowledged is there, nothing is twice, chain and MAC verify."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING

import httpx
from tests.service.house import House, settled
from tests.service.servers import Said, admitted, before_now, now, question, serving

from holdback.core import events as ev

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.contracts.conftest import Opener, Place
    from tests.service.house import Customer
    from tests.service.servers import Server

ACCOUNTS = 6
CLIENTS = 16
KILLS = 2
KILLS_LONG = 60


class Load:
    """Clients that ask one question after the other until the server is gone, and what became of each question."""

    def __init__(self, people: list[Customer], number: int, kill_after: int) -> None:
        self.acknowledged: list[Said] = []
        self.unanswered: list[Said] = []
        self._people = people
        self._number = number
        self._kill_after = kill_after
        self._chance = random.Random(number)
        self._asked = 0

    def _next(self) -> Said:
        """Something that changes an account: an exit without proof, one with it, or a challenge."""
        who, self._asked = self._chance.choice(self._people), self._asked + 1
        sweep = who.body("exit.request", kind="sweep", asset="USDT", amount=str(self._asked), counterparty="trading")
        paid = who.withdrawal(self._asked, proofs=who.proofs(who.code(), password=False))
        body = self._chance.choice([sweep, sweep, paid, who.withdrawal(self._asked)])
        return question(who.account, f"r{self._number}-{self._asked}", body)

    async def client(self, server: Server) -> None:
        """Ask; whoever gets the last answer kills the server."""
        while True:
            said = self._next()
            try:
                self.acknowledged.append(await server.once(said))
            except httpx.TransportError:
                self.unanswered.append(said)
                return
            if len(self.acknowledged) == self._kill_after:
                server.process.kill()


async def test_kill(opened: Opener, place: Place, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """A server that is killed at any moment lost no answer it gave, and does nothing twice when it is asked again."""
    clock = before_now(146)
    house = House(await opened(clock.now), clock)
    people = await settled(house, *(f"c{number}" for number in range(ACCOUNTS)))
    before = {one.account: len(await house.story(one.account)) for one in people}
    key, log = await admitted(house.store), tmp_path / "server.log"
    kills = KILLS_LONG if pytestconfig.getoption("hypothesis_profile") == "long" else KILLS
    chance, answered, load = random.Random(9), list[Said](), Load(people, -1, 0)

    for number in range(kills + 1):
        clock.at = now()
        await house.priced()
        await house.store.close()
        async with serving(place, key, log) as server:
            assert await asyncio.gather(*(server.ask(said) for said in load.acknowledged)) == load.acknowledged
            answered += load.acknowledged + await asyncio.gather(*(server.ask(said) for said in load.unanswered))
            load = Load(people, number, chance.randrange(30, 150))
            if number < kills:
                await asyncio.gather(*(load.client(server) for _ in range(CLIENTS)))
        house = House(await opened(clock.now), clock)
        assert await house.faults(*before) == []

    wanted = Counter(said.account for said in answered)
    for account, length in before.items():
        assert len(await house.story(account)) == length + wanted[account]
        spent = [used.counter for used in await house.happened(account, ev.ProofUsed)]
        assert len(spent) == len(set(spent))
        gone = [said for said in answered if said.account == account and said.decision == "allow"]
        assert len(await house.happened(account, ev.ExitAllowed)) == len(gone)
