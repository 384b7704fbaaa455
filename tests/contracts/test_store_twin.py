"""Each store beside a twin made of dictionaries: whatever is asked in whatever order, both answer the same."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.contracts.conftest import Place
from tests.contracts.rows import answer, entry, notice, part, put, snapshot

from holdback.ports import Conflict, NoticeRow, Price, Wanted, Writes

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from holdback.ports import Answer, PartRow, Snapshot, Store

ACCOUNTS = st.sampled_from(["a", "b", "c"])
NAMES = st.sampled_from(["x", "y", "z"])
ASSETS = st.sampled_from(["BTC", "ETH"])
SMALL = st.integers(0, 4)
LEASE_MS = 10


class Twin:
    """What a store is to do, said as plainly as can be."""

    def __init__(self) -> None:
        self.now = 1_000
        self.snapshots: dict[str, Snapshot] = {}
        self.entries: dict[tuple[str, int], bytes] = {}
        self.parts: dict[tuple[str, str], PartRow] = {}
        self.answers: dict[str, Answer] = {}
        self.names: dict[bytes, str] = {}
        self.prices: dict[str, Price] = {}
        self.notices: dict[str, NoticeRow] = {}
        self.leases: dict[str, int] = {}
        self.dead: dict[str, int] = {}

    def write(self, writes: Writes) -> bool:
        """Write all or nothing; whether it was possible."""
        keys = [(one.account, one.seq) for one in writes.entries]
        possible = (
            all(expected == self.seq(one.account) for expected, one in writes.snapshots)
            and not any(key in self.entries for key in keys)
            and not any(one.key in self.answers for one in writes.answers)
            and not any(one.id in self.notices for one in writes.notices)
            and all(self.names.get(name, account) == account for name, account in writes.names)
        )
        if possible:
            self.snapshots |= {one.account: one for _, one in writes.snapshots}
            self.entries |= {(one.account, one.seq): one.body for one in writes.entries}
            self.parts |= {(one.account, one.name): one for one in writes.parts}
            self.answers |= {one.key: one for one in writes.answers}
            self.names |= dict(writes.names)
            self.notices |= {one.id: one for one in writes.notices}
            for gone in writes.sent:
                self.notices.pop(gone, None)
                self.leases.pop(gone, None)
                self.dead.pop(gone, None)
        return possible

    def seq(self, account: str) -> int:
        """How many entries an account has."""
        return self.snapshots[account].seq if account in self.snapshots else 0

    def waiting(self) -> list[NoticeRow]:
        """Notices that are to be sent, oldest first."""
        alive = (one for one in self.notices.values() if one.id not in self.dead)
        return sorted(alive, key=lambda one: (one.due_at, one.id))

    def due(self) -> list[NoticeRow]:
        """Those that may be claimed."""
        return [one for one in self.waiting() if one.due_at <= self.now and self.leases.get(one.id, 0) <= self.now]


class Stores(RuleBasedStateMachine):
    """Does the same to a store and to its twin."""

    opened: Callable[[Callable[[], int]], Store]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.twin = Twin()
        self.numbers = count(1)
        self.store = type(self).opened(lambda: self.twin.now)
        self.run(self.store.migrate())

    def run(self, asked: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever was asked for
        """Wait for an answer."""
        return self.runner.run(asked)

    def teardown(self) -> None:
        """Close the store."""
        self.run(self.store.close())
        self.runner.close()

    @rule(
        accounts=st.lists(ACCOUNTS, unique=True),
        late=st.booleans(),
        parts=st.lists(st.tuples(NAMES, st.sampled_from([b"", b"like", b"unlike"]))),
        key=st.none() | NAMES,
        name=st.none() | NAMES,
        told=st.booleans(),
        sent=st.lists(SMALL),
    )
    def write(  # noqa: PLR0913, PLR0917 - what one transaction may hold
        self,
        accounts: list[str],
        late: bool,  # noqa: FBT001 - drawn, not passed
        parts: list[tuple[str, bytes]],
        key: str | None,
        name: str | None,
        told: bool,  # noqa: FBT001 - drawn, not passed
        sent: list[int],
    ) -> None:
        """Write a batch, perhaps with heads that have moved, a used key or a name that is taken."""
        number = next(self.numbers)
        body = str(number).encode()
        seqs = {account: self.twin.seq(account) - (late and self.twin.seq(account) > 0) for account in accounts}
        writes = Writes(
            [entry(account, seq + 1, body) for account, seq in seqs.items()],
            [(seq, snapshot(account, seq + 1, body)) for account, seq in seqs.items()],
            [part(account, name_, body, alike) for account in accounts for name_, alike in parts],
            [notice(f"n{number}", self.twin.now + number % 5)] if told else [],
            [answer(key, self.twin.now)] if key else [],
            [(name.encode(), account) for account in accounts[:1]] if name else [],
            [f"n{back}" for back in sent],
        )
        try:
            self.run(put(self.store, writes))
        except Conflict:
            written = False
        else:
            written = True
        assert written == self.twin.write(writes)

    @rule(account=ACCOUNTS, names=st.lists(NAMES), alike=st.sampled_from([b"", b"like"]), key=NAMES)
    def load(self, account: str, names: list[str], alike: bytes, key: str) -> None:
        """Load by name, by look and by key."""
        wanted = Wanted(account, tuple(("beneficiary", name) for name in names), alike, ("BTC",), ("platform", key))
        loaded = self.run(self.store.read([wanted]))
        twin = self.twin
        assert loaded.now == twin.now
        assert loaded.snapshots == {name: one for name, one in twin.snapshots.items() if name == account}
        found = {one for one in twin.parts.values() if one.account == account}
        found = {one for one in found if one.name in names or (alike and one.alike == alike)}
        assert set(loaded.parts.get(account, ())) == found
        assert loaded.prices == {name: one for name, one in twin.prices.items() if name == "BTC"}
        assert loaded.answers == {("platform", name): one for name, one in twin.answers.items() if name == key}

    @rule(asset=ASSETS, value=SMALL, back=SMALL)
    def price(self, asset: str, value: int, back: int) -> None:
        """State a price of now or before."""
        new = Price(asset, value, self.twin.now - back)
        self.run(self.store.put_prices([new]))
        if asset not in self.twin.prices or self.twin.prices[asset].at <= new.at:
            self.twin.prices[asset] = new

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        """Claim what is due; of notices due at one instant any may come first."""
        claimed = self.run(self.store.claim(limit, LEASE_MS))
        due = self.twin.due()
        assert [one.due_at for one in claimed] == [one.due_at for one in due[:limit]]
        assert set(claimed) <= set(due)
        self.twin.leases |= {one.id: self.twin.now + LEASE_MS for one in claimed}

    @rule(number=SMALL, later=SMALL)
    def postpone(self, number: int, later: int) -> None:
        """Postpone a notice, if there is one of that number."""
        id_ = f"n{number}"
        self.run(self.store.postpone(id_, self.twin.now + later, "full"))
        self.changed(id_, due_at=self.twin.now + later, error="full")

    @rule(number=SMALL)
    def bury(self, number: int) -> None:
        """Give a notice up."""
        id_ = f"n{number}"
        self.run(self.store.bury(id_, "gone"))
        if self.changed(id_, error="gone"):
            self.twin.dead[id_] = self.twin.now

    def changed(self, id_: str, **fields: Any) -> bool:  # noqa: ANN401 - fields of a row
        """Count a failed try in the twin."""
        row = self.twin.notices.get(id_)
        if row is not None:
            self.twin.notices[id_] = row._replace(tries=row.tries + 1, **fields)
            self.twin.leases[id_] = 0
        return row is not None

    @rule(number=SMALL)
    def revive(self, number: int) -> None:
        """Make a dead letter due again."""
        id_ = f"n{number}"
        dead = self.twin.dead.pop(id_, None) is not None
        assert self.run(self.store.revive(id_)) == dead
        if dead:
            self.twin.notices[id_] = self.twin.notices[id_]._replace(due_at=self.twin.now, tries=0)

    @rule(back=SMALL)
    def forget(self, back: int) -> None:
        """Forget old answers."""
        before = self.twin.now - back
        old = [key for key, one in self.twin.answers.items() if one.at < before]
        assert self.run(self.store.forget_answers(before)) == len(old)
        for key in old:
            del self.twin.answers[key]

    @rule(passed=st.integers(1, LEASE_MS))
    def wait(self, passed: int) -> None:
        """Let time pass."""
        self.twin.now += passed

    @invariant()
    def same_notices(self) -> None:
        """The backlog and the dead letters are the twin's."""
        waiting, due = self.twin.waiting(), [one for one in self.twin.waiting() if one.due_at <= self.twin.now]
        assert self.run(self.store.backlog()) == (len(waiting), due[0].due_at if due else 0)
        dead = self.run(self.store.dead_letters(9))
        assert {one.id: one for one in dead} == {id_: self.twin.notices[id_] for id_ in self.twin.dead}
        times = [self.twin.dead[one.id] for one in dead]
        assert times == sorted(times, reverse=True)

    @invariant()
    def same_streams(self) -> None:
        """The accounts, their entries, parts and names are the twin's."""
        assert self.run(self.store.accounts("", 9)) == sorted(self.twin.snapshots)
        for account in self.twin.snapshots:
            entries = {(one.account, one.seq): one.body for one in self.run(self.store.entries(account, 0, 999))}
            assert entries == {key: body for key, body in self.twin.entries.items() if key[0] == account}
            parts = {(one.account, one.name): one for one in self.run(self.store.parts(account))}
            assert parts == {key: row for key, row in self.twin.parts.items() if key[0] == account}
        for name in (b"x", b"y", b"z"):
            assert self.run(self.store.account_of(name)) == self.twin.names.get(name)


SETTINGS = settings(max_examples=25, stateful_step_count=25)


def test_sqlite_and_its_twin() -> None:
    """SQLite answers as the twin does."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = count(1)

        class Machine(Stores):
            @staticmethod
            def opened(clock: Callable[[], int]) -> Store:
                return Place("sqlite", str(Path(folder) / f"{next(numbers)}.db")).store(clock)

        run_state_machine_as_test(Machine, settings=SETTINGS)


@pytest.mark.usefixtures("cluster")
def test_postgres_and_its_twin(postgres_dsn: str) -> None:
    """PostgreSQL answers as the twin does."""
    numbers = count(1)

    async def schema(name: str) -> None:
        connection = await asyncpg.connect(postgres_dsn)
        await connection.execute(f"CREATE SCHEMA {name}")
        await connection.close()

    class Machine(Stores):
        @staticmethod
        def opened(clock: Callable[[], int]) -> Store:
            name = f"example_{next(numbers)}"
            asyncio.run(schema(name))
            return Place("postgres", f"{postgres_dsn}&search_path={name}").store(clock)

    run_state_machine_as_test(Machine, settings=SETTINGS)
