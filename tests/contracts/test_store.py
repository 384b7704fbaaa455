"""The contract of `ports.Store` and `ports.Transaction`, the same for every kind of store."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import pytest
from tests.contracts.conftest import Place
from tests.contracts.raw import execute
from tests.contracts.rows import answer, entry, load, notice, of, part, put, snapshot, step

from holdback.core.ledger import Entry
from holdback.ports import (
    SMALL_BOOK,
    STALE_MS,
    Conflict,
    KeyRow,
    ListRow,
    NewerDatabase,
    NoticeRow,
    Price,
    Sighting,
    StoreUnavailable,
    Wanted,
    WebhookRow,
    Writes,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.contracts.conftest import Opener

    from holdback.core.events import Instant
    from holdback.ports import Store

T = TypeVar("T")

MULE: Final = b"\x01" + b"m" * 32

DEADLINE_S = 60
WRITER = Path(__file__).with_name("writer.py")


@dataclass
class Hands:
    """A clock that stands still until it is set."""

    at: Instant = 1_000

    def __call__(self) -> Instant:
        """What time it is."""
        return self.at


def everything(account: str) -> Writes:
    """One row of every kind, for one new account."""
    return Writes(
        entries=[entry(account, 1), entry(account, 2)],
        snapshots=[(0, snapshot(account, 2))],
        parts=[part(account, "home", alike=b"8 bytes!"), part(account, "phone", kind="device")],
        notices=[notice(f"n-{account}", 500, account)],
        answers=[answer(f"k-{account}")],
        names=[(b"hash of " + account.encode(), account)],
        webhooks=[WebhookRow(f"w-{account}", account, 2_000, "exit.held", "x1", 9, 500)],
    )


# What was written


async def test_what_was_written_is_loaded(store: Store) -> None:
    """A load returns what was committed: the snapshot, the parts, prices and answers asked for."""
    await put(store, everything("a"))
    await store.put_prices([Price("BTC", 60_000_000_000, 7), Price("ETH", 3_000_000_000, 7)])
    wanted = [Wanted("a", (("beneficiary", "home"),), assets=("BTC",), answer=("platform", "k-a"))]
    for loaded in (await store.read(wanted), await load(store, wanted)):
        assert loaded.snapshots == {"a": snapshot("a", 2)}
        assert loaded.parts == {"a": [part("a", "home", alike=b"8 bytes!")]}
        assert loaded.prices == {"BTC": Price("BTC", 60_000_000_000, 7)}
        assert loaded.answers == {("platform", "k-a"): answer("k-a")}
        assert not loaded.reconciling


async def test_what_does_not_exist_is_absent(store: Store) -> None:
    """A load of what was never written returns empty dictionaries."""
    wanted = [Wanted("a", (("beneficiary", "b"),), b"alike", ("BTC",), ("platform", "k"))]
    async with store.transaction() as transaction:
        loaded = await transaction.load(wanted)
    assert loaded[1:] == ({}, {}, {}, {}, False, frozenset(), {}, {}, (), 0, 0, 0)


async def test_requests_share_a_load(store: Store) -> None:
    """Each account, part, price and answer is loaded once, however many requests of a batch want it."""
    await put(store, everything("a"))
    await put(store, everything("b"))
    wanted = [Wanted("b", (("beneficiary", "home"),)), Wanted("a"), Wanted("b", (("beneficiary", "home"),))]
    async with store.transaction() as transaction:
        loaded = await transaction.load(wanted)
    assert list(loaded.snapshots.values()) == [snapshot("a", 2), snapshot("b", 2)]
    assert loaded.parts == {"b": [part("b", "home", alike=b"8 bytes!")]}


async def test_look_alikes(store: Store) -> None:
    """Parts that look alike are found within their account, each once, and eight at most besides those named."""
    names = [f"{number:02}" for number in range(12)]
    await put(store, step("a", 1, parts=[part("a", name, alike=b"alike") for name in names]))
    await put(store, step("b", 1, parts=[part("b", "b", alike=b"alike"), part("b", "c")]))
    found = (await store.read([Wanted("a", (("beneficiary", "03"),), b"alike")])).parts["a"]
    assert len(found) == len(set(found)) == 8
    found = (await store.read([Wanted("a", (("beneficiary", "11"),), b"alike")])).parts["a"]
    assert len(found) == 9
    assert (await store.read([Wanted("b", (), b"alike")])).parts == {"b": [part("b", "b", alike=b"alike")]}
    assert (await store.read([Wanted("b", (), b"other")])).parts == {}


async def test_a_small_book_is_read_as_a_whole(store: Store) -> None:
    """Whoever asks for a customer's whole book gets all its parts and is told so, unless they are too many."""
    for account, size in (("a", SMALL_BOOK), ("b", SMALL_BOOK + 1), ("c", 0)):
        await put(store, step(account, 1, parts=[part(account, f"{number:02}") for number in range(size)]))
    wanted = [Wanted(account, (("beneficiary", "00"),), whole=True) for account in "abc"]
    for loaded in (await store.read(wanted), await load(store, wanted)):
        assert loaded.whole == {"a", "c"}
        assert len(loaded.parts["a"]) == SMALL_BOOK
        assert part("b", "00") in loaded.parts["b"]


async def test_bytes_are_kept_as_they_are(store: Store) -> None:
    """Heads and bodies of any size and content come back unchanged, and names in any script."""
    account = "kontó-口座-🔑"
    head, body = random.Random(1).randbytes(40_000), bytes(range(256))
    writes = Writes([entry(account, 1, body)], [(0, snapshot(account, 1, head))], [part(account, "é", body, body[:8])])
    await put(store, writes)
    loaded = await store.read([Wanted(account, (("beneficiary", "é"),))])
    assert loaded.snapshots[account].head == head
    assert loaded.parts[account] == list(writes.parts)
    assert await store.entries(account, 0, 9) == list(writes.entries)


async def test_a_part_is_replaced(store: Store) -> None:
    """A part written again replaces the one of its name; of two in one batch the later counts."""
    await put(store, step("a", 1, parts=[part("a", "x", b"1", b"old")]))
    await put(store, step("a", 2, parts=[part("a", "x", b"2", b"old"), part("a", "x", b"3", b"new")]))
    assert await store.parts("a") == [part("a", "x", b"3", b"new")]
    assert (await store.read([Wanted("a", (), b"old")])).parts == {}
    assert (await store.read([Wanted("a", (), b"new")])).parts == {"a": [part("a", "x", b"3", b"new")]}


async def test_two_heads_in_one_batch(store: Store) -> None:
    """Two requests for one account in a batch leave the later head, and must follow each other."""
    first, second = step("a", 1), step("a", 2, b"second")
    both = Writes([*first.entries, *second.entries], [*first.snapshots, *second.snapshots])
    await put(store, both)
    assert (await store.read(of("a"))).snapshots == {"a": snapshot("a", 2, b"second")}
    with pytest.raises(Conflict):
        await put(store, Writes(snapshots=[(2, snapshot("a", 3)), (2, snapshot("a", 3))]))


async def test_a_part_moves_its_account(store: Store) -> None:
    """A part without its account's snapshot is refused, as those who waited for the lock would not learn of it."""
    await put(store, step("a", 1))
    with pytest.raises(ValueError, match="snapshot"):
        await put(store, Writes(parts=[part("a", "x")]))


async def test_large_batches(store: Store) -> None:
    """A batch may be of any size."""
    accounts = [f"{number:04}" for number in range(700)]
    batch = [step(account, 1, parts=[part(account, "x")]) for account in accounts]
    await put(
        store,
        Writes(
            [one for writes in batch for one in writes.entries],
            [one for writes in batch for one in writes.snapshots],
            [one for writes in batch for one in writes.parts],
        ),
    )
    loaded = await store.read([Wanted(account, (("beneficiary", "x"),)) for account in accounts])
    assert len(loaded.snapshots) == len(loaded.parts) == 700


# All or nothing


@pytest.mark.parametrize(
    "second",
    [
        Writes(snapshots=[(1, snapshot("a", 3))]),
        Writes(snapshots=[(3, snapshot("a", 4))]),
        Writes(snapshots=[(1, snapshot("nobody", 2))]),
        Writes(snapshots=[(0, snapshot("a", 1))]),
        Writes(entries=[entry("a", 2, b"another")]),
        Writes(answers=[answer("k-a", at=9)]),
        Writes(notices=[notice("n-a", 9)]),
        Writes(names=[(b"hash of a", "b")]),
    ],
    ids=["moved head", "future head", "head of nobody", "account", "entry", "key", "notice", "name"],
)
async def test_conflicts(store: Store, second: Writes) -> None:
    """Whoever comes second gets a Conflict, and nothing of their transaction is kept."""
    await put(store, everything("a"))
    before = await contents(store)
    with pytest.raises(Conflict):
        await put(store, everything("b"), second)
    assert await contents(store) == before


async def test_an_answer_twice_in_one_batch(store: Store) -> None:
    """A key used twice within one batch is a Conflict too."""
    with pytest.raises(Conflict):
        await put(store, Writes(answers=[answer("k"), answer("k")]))


async def test_a_name_again(store: Store) -> None:
    """To give an account the name it has is no conflict."""
    await put(store, Writes(names=[(b"n", "a"), (b"n", "a")]))
    await put(store, Writes(names=[(b"n", "a")]))
    assert await store.account_of(b"n") == "a"


async def test_an_exception_rolls_back(store: Store) -> None:
    """An exception in the block leaves it as it is, and nothing is kept."""
    before = await contents(store)

    async def fail() -> None:
        async with store.transaction() as transaction:
            await transaction.write(everything("a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await contents(store) == before


async def test_a_cancelled_task_rolls_back(store: Store) -> None:
    """A task that is cancelled within a transaction keeps nothing, and holds up nobody."""
    await put(store, step("a", 1))
    before = await contents(store)
    inside = asyncio.Event()

    async def stays() -> None:
        async with store.transaction() as transaction:
            await transaction.load(of("a"))
            await transaction.write(step("a", 2))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(stays())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await contents(store) == before
    await put(store, step("a", 2))


async def test_a_swallowed_failure(store: Store) -> None:
    """After a failed write nothing is kept, even if the block carries on as if nothing had happened."""
    await put(store, everything("a"))
    before = await contents(store)

    async def carry_on() -> None:
        async with store.transaction() as transaction:
            await transaction.write(everything("b"))
            for writes in (step("a", 9), everything("c")):
                with pytest.raises(Conflict):
                    await transaction.write(writes)

    with pytest.raises(Conflict):
        await carry_on()
    assert await contents(store) == before


async def contents(store: Store) -> list[bytes]:
    """Everything that a store holds."""
    return [record async for record in store.dump()][1:-1]


async def test_an_empty_transaction(store: Store) -> None:
    """A transaction that does nothing, and a write of nothing, succeed."""
    async with store.transaction():
        pass
    await put(store, Writes())


# Without locks


async def test_without_locks_the_end_commits(opened: Opener) -> None:
    """What a block without locks writes, in one go or two, is there for others once it has ended, and not before."""
    store, other = await opened(), await opened()
    await put(store, step("a", 1))
    async with store.transaction(locks=False) as transaction:
        assert (await transaction.load(of("a"))).snapshots["a"].seq == 1
        await transaction.write(step("a", 2))
        await transaction.write(everything("b"))
        assert (await other.read(of("a", "b"))).snapshots == {"a": snapshot("a", 1)}
    assert (await other.read(of("a", "b"))).snapshots == {"a": snapshot("a", 2), "b": snapshot("b", 2)}


async def test_without_locks_the_first_to_commit_counts(opened: Opener) -> None:
    """Of two that read one head without locks, one is refused as a whole and the other's change stays."""
    stores = [await opened(), await opened()]
    await put(stores[0], step("a", 1, b"0"))

    async def add(number: int) -> None:
        while True:
            with suppress(Conflict):
                async with stores[number % 2].transaction(locks=False) as transaction:
                    head = (await transaction.load(of("a"))).snapshots["a"]
                    count = str(int(head.head) + 1).encode()
                    more = Writes(answers=[answer(f"k{number}")], names=[(b"n%d" % number, "a")])
                    await transaction.write(step("a", head.seq + 1, count, parts=[part("a", f"p{number}")]))
                    await transaction.write(more)
                return

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*(add(number) for number in range(20)))
    assert (await stores[1].read(of("a"))).snapshots["a"].head == b"20"
    assert len(await stores[1].parts("a")) == 20


async def test_without_locks_an_exception_keeps_nothing(store: Store) -> None:
    """An exception in a block without locks leaves it as it is, and a swallowed failure comes out at the end."""
    await put(store, step("a", 1))
    before = await contents(store)

    async def fail() -> None:
        async with store.transaction(locks=False) as transaction:
            await transaction.write(step("a", 2))
            raise ZeroDivisionError

    async def carry_on() -> None:
        async with store.transaction(locks=False) as transaction:
            await transaction.write(step("a", 2))
            with pytest.raises(ValueError, match="without its account"):
                await transaction.write(Writes(parts=[part("b", "x")]))

    with pytest.raises(ZeroDivisionError):
        await fail()
    with pytest.raises(ValueError, match="without its account"):
        await carry_on()
    assert await contents(store) == before


async def test_without_locks_nothing_old_is_committed(opened: Opener) -> None:
    """What was judged by a time too long ago is refused, however it was held up."""
    clock = Hands(at=10_000)
    store = await opened(clock)
    await put(store, step("a", 1))

    async def stalled(ms: int, seq: int) -> None:
        async with store.transaction(locks=False) as transaction:
            now = (await transaction.load(of("a"))).now
            await transaction.write(step("a", seq)._replace(as_of=now))
            clock.at += ms

    await stalled(STALE_MS, 2)
    with pytest.raises(Conflict, match="too old"):
        await stalled(STALE_MS + 1, 3)
    assert (await store.read(of("a"))).snapshots == {"a": snapshot("a", 2)}


# Locks


async def test_no_update_is_lost(opened: Opener) -> None:
    """Of many tasks and two stores none overwrites another's change, nor sees a part of another time."""
    stores = [await opened(), await opened()]
    await put(stores[0], step("a", 1, b"0", parts=[part("a", "x", b"0")]))

    async def add(number: int) -> None:
        async with stores[number % 2].transaction() as transaction:
            loaded = await transaction.load([Wanted("a", (("beneficiary", "x"),))])
            head, [row] = loaded.snapshots["a"], loaded.parts["a"]
            assert row.body == head.head
            count = str(int(head.head) + 1).encode()
            await transaction.write(step("a", head.seq + 1, count, parts=[part("a", "x", count)]))

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*(add(number) for number in range(60)))
    assert (await stores[1].read(of("a"))).snapshots["a"].head == b"60"


async def test_transactions_never_wait_for_each_other(opened: Opener) -> None:
    """Transactions over overlapping customers in any order all succeed: none is refused, none waits for ever."""
    stores = [await opened(), await opened()]
    accounts = [f"a{number}" for number in range(8)]
    for account in accounts:
        await put(stores[0], step(account, 1))
    chance = random.Random(7)

    async def change(number: int, some: list[str]) -> None:
        async with stores[number % 2].transaction() as transaction:
            heads = (await transaction.load(of(*some))).snapshots
            both = [step(account, heads[account].seq + 1) for account in some]
            answers = [answer(f"{number}-{account}") for account in some]
            entries = [one for writes in both for one in writes.entries]
            snapshots = [one for writes in both for one in writes.snapshots]
            await transaction.write(Writes(entries, snapshots, answers=answers))

    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*(change(number, chance.sample(accounts, 4)) for number in range(150)))
    heads = (await stores[0].read(of(*accounts))).snapshots
    assert sum(head.seq - 1 for head in heads.values()) == 150 * 4


async def test_one_of_two_creates_an_account(opened: Opener) -> None:
    """Of many who create the same accounts at once, in any order, exactly one succeeds; the others get a Conflict."""
    stores = [await opened(), await opened()]
    chance = random.Random(7)

    async def create(number: int) -> bool:
        accounts = chance.sample(["a", "b", "c"], 3)
        try:
            async with stores[number % 2].transaction() as transaction:
                await transaction.load(of(*accounts))
                await transaction.write(Writes(snapshots=[(0, snapshot(account, 1)) for account in accounts]))
        except Conflict:
            return False
        return True

    async with asyncio.timeout(DEADLINE_S):
        won = await asyncio.gather(*(create(number) for number in range(12)))
    assert sum(won) == 1
    assert await stores[0].accounts("", 9) == ["a", "b", "c"]


async def test_reading_waits_for_nobody(opened: Opener) -> None:
    """A read returns what was last committed while a transaction holds the lock."""
    stores = [await opened(), await opened()]
    await put(stores[0], step("a", 1))
    async with asyncio.timeout(DEADLINE_S), stores[0].transaction() as transaction:
        await transaction.load(of("a"))
        await transaction.write(step("a", 2))
        for store in stores:
            assert (await store.read(of("a"))).snapshots["a"].seq == 1


# Time


async def test_the_clock(opened: Opener) -> None:
    """`now` is the database's time in milliseconds, or that of the clock given in its place."""
    store = await opened()
    before = time.time_ns() // 1_000_000
    now = (await store.read([])).now
    assert before - 1_000 <= now <= time.time_ns() // 1_000_000 + 1_000
    hands = Hands(5)
    assert (await (await opened(hands)).read([])).now == 5


async def test_time_after_a_wait(opened: Opener) -> None:
    """Whoever waited for a lock is told a time not earlier than that of the transaction it waited for."""
    stores = [await opened(), await opened()]
    await put(stores[0], step("a", 1))
    times: list[int] = []

    async def note(number: int) -> None:
        async with stores[number % 2].transaction() as transaction:
            loaded = await transaction.load(of("a"))
            times.append(loaded.now)
            await transaction.write(step("a", loaded.snapshots["a"].seq + 1))

    await asyncio.gather(*(note(number) for number in range(20)))
    assert times == sorted(times)


# Looking up


async def test_looking_up(store: Store) -> None:
    """Accounts, entries and parts come in order, a page at a time; a name leads to its account."""
    for account in ("b", "a", "Z", "é"):
        await put(store, everything(account))
    assert await store.accounts("", 10) == ["Z", "a", "b", "é"]
    assert await store.accounts("Z", 2) == ["a", "b"]
    assert await store.entries("a", 0, 10) == [entry("a", 1), entry("a", 2)]
    assert await store.entries("a", 1, 10) == [entry("a", 2)]
    assert await store.entries("a", 0, 1) == [entry("a", 1)]
    assert await store.parts("a") == list(everything("a").parts)
    assert await store.account_of(b"hash of a") == "a"
    assert await store.account_of(b"hash of nobody") is None


async def test_entries_are_append_only(place: Place, store: Store) -> None:
    """The database itself refuses to change or delete an entry."""
    await put(store, step("a", 1))
    for sql in ("UPDATE entries SET seq = 7", "DELETE FROM entries"):
        with pytest.raises(Exception, match="append-only"):
            await execute(place, sql)
    assert await store.entries("a", 0, 9) == [entry("a", 1)]


# Notices


async def test_claims(opened: Opener) -> None:
    """Notices that are due are claimed oldest first, as many as asked for, and each by one taker."""
    hands = Hands(100)
    stores = [await opened(hands), await opened(hands)]
    due = [notice("later", 101), *(notice(f"{number:02}", 50 - number) for number in range(20))]
    await put(stores[0], Writes(notices=due))
    assert await stores[0].claim(3, 1_000) == due[20:17:-1]
    taken = await asyncio.gather(*(stores[number % 2].claim(4, 1_000) for number in range(6)))
    assert sorted(one.id for some in taken for one in some) == [f"{number:02}" for number in range(17)]
    hands.at = 101
    assert await stores[1].claim(9, 1_000) == [notice("later", 101)]


async def test_leases_end(opened: Opener) -> None:
    """What a taker left unsent can be claimed again when its lease ends, unchanged."""
    hands = Hands(100)
    store = await opened(hands)
    await put(store, Writes(notices=[notice("n", 90)]))
    assert await store.claim(9, 1_000) == [notice("n", 90)]
    hands.at = 1_099
    assert await store.claim(9, 1_000) == []
    hands.at = 1_100
    assert await store.claim(9, 1_000) == [notice("n", 90)]


async def test_postponing(opened: Opener) -> None:
    """A postponed notice counts a failed try, and is due again at the instant given and not before."""
    hands = Hands(100)
    store = await opened(hands)
    await put(store, Writes(notices=[notice("n", 90)]))
    await store.claim(9, 10_000)
    await store.postpone("n", 200, "mailbox full")
    assert await store.claim(9, 10_000) == []
    hands.at = 200
    [row] = await store.claim(9, 10_000)
    assert (row.due_at, row.tries, row.error) == (200, 1, "mailbox full")


async def test_sent_notices_are_gone(opened: Opener) -> None:
    """Notices that were sent are neither claimed nor counted again; one that is gone already is passed over."""
    hands = Hands(100)
    store = await opened(hands)
    await put(store, Writes(notices=[notice("n", 90), notice("m", 91)]))
    await put(store, Writes(sent=["n", "n", "never was"]))
    assert await store.claim(9, 1_000) == [notice("m", 91)]
    assert await store.backlog() == (1, 91)


async def test_backlog(opened: Opener) -> None:
    """The backlog counts what is to be sent, leased or not, and says since when the oldest has been due."""
    hands = Hands(100)
    store = await opened(hands)
    assert await store.backlog() == (0, 0)
    await put(store, Writes(notices=[notice("future", 500), notice("farther", 600)]))
    assert await store.backlog() == (2, 0)
    hands.at = 550
    await store.claim(9, 10_000)
    assert await store.backlog() == (2, 500)


async def test_dead_letters(opened: Opener) -> None:
    """A notice given up is kept, newest first, apart from the backlog, until it is revived or sent after all."""
    hands = Hands(100)
    store = await opened(hands)
    await put(store, Writes(notices=[notice(name, 90) for name in "abc"]))
    await store.claim(9, 10_000)
    for name in "bac":
        hands.at += 1
        await store.bury(name, f"no such mailbox as {name}")
    assert [(row.id, row.tries, row.error) for row in await store.dead_letters(2)] == [
        ("c", 1, "no such mailbox as c"),
        ("a", 1, "no such mailbox as a"),
    ]
    assert await store.backlog() == (0, 0)
    assert await store.claim(9, 10_000) == []
    assert await store.revive("a")
    assert not await store.revive("a")
    assert not await store.revive("never was")
    [row] = await store.claim(9, 10_000)
    assert (row.id, row.due_at, row.tries) == ("a", hands.at, 0)
    await put(store, Writes(sent=["c"]))
    assert [row.id for row in await store.dead_letters(9)] == ["b"]


# Prices, keys, answers


async def test_prices(store: Store) -> None:
    """The newest price of an asset is kept, whatever the order in which prices come."""
    await store.put_prices([])
    await store.put_prices([Price("BTC", 2, 20), Price("BTC", 1, 10), Price("ETH", 5, 10)])
    await store.put_prices([Price("BTC", 3, 15), Price("ETH", 6, 11)])
    assert (await store.read([Wanted("a", assets=("BTC", "ETH", "none"))])).prices == {
        "BTC": Price("BTC", 2, 20),
        "ETH": Price("ETH", 6, 11),
    }


async def test_pairs_are_kept_beside_prices(store: Store) -> None:
    """What a feed says of a pair is kept as it was written, the newest of it."""
    old, new = Price("BTC/USDT", 0, 10, "64000,1:200"), Price("BTC/USDT", 0, 20, "64001.5,1:200,2:300")
    await store.put_prices([new])
    await store.put_prices([old])
    assert (await store.read([Wanted("a", assets=("BTC/USDT",))])).prices == {"BTC/USDT": new}


async def test_keys(store: Store) -> None:
    """Platform keys are listed by id, and replaced by id."""
    await store.put_key(KeyRow("b", b"digest", (), 1))
    await store.put_key(KeyRow("a", b"digest", ("decide", "read"), 1))
    await store.put_key(KeyRow("b", b"other", ("read",), 1, 2))
    assert await store.keys() == [KeyRow("a", b"digest", ("decide", "read"), 1), KeyRow("b", b"other", ("read",), 1, 2)]


async def test_forgetting_answers(store: Store) -> None:
    """Answers from before an instant are deleted and counted; their keys may be used again."""
    await put(store, Writes(answers=[answer(f"{number:04}", number) for number in range(4_500)]))
    assert await store.forget_answers(4_400) == 4_400
    assert await store.forget_answers(4_400) == 0
    await put(store, Writes(answers=[answer("0000", 9_000)]))
    with pytest.raises(Conflict):
        await put(store, Writes(answers=[answer("4400", 9_000)]))


# Durability


async def test_what_was_acknowledged_outlives_a_kill(place: Place, opened: Opener) -> None:
    """Everything that a killed process had acknowledged is there, and the streams have no gap."""
    await opened()
    process = await asyncio.create_subprocess_exec(
        sys.executable, WRITER, place.kind, place.at, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(300):
            await process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        rest = await process.stdout.read()
        await process.wait()
    acknowledged = 300 + rest.count(b"\n")
    store = await opened()
    entries = await store.entries("a", 0, 100_000)
    head = (await store.read(of("a"))).snapshots["a"]
    assert [one.seq for one in entries] == list(range(1, len(entries) + 1))
    assert acknowledged <= len(entries) == head.seq
    await put(store, step("a", head.seq + 1))


# Versions


async def test_migrating(place: Place) -> None:
    """Several programs may migrate one empty database at once; migrating again changes nothing."""
    stores = [place.store() for _ in range(4)]
    versions = await asyncio.gather(*(store.migrate() for store in stores))
    assert len(set(versions)) == 1
    await put(stores[0], step("a", 1))
    assert await stores[1].migrate() == versions[0]
    await stores[2].check_schema()
    await stores[2].ready()
    assert (await stores[3].read(of("a"))).snapshots == {"a": snapshot("a", 1)}
    for store in stores:
        await store.close()


async def test_a_newer_database_is_refused(place: Place, store: Store) -> None:
    """A database whose newest migration admits no program as old as this one is refused, also while it runs."""
    await put(store, step("a", 1))
    await execute(place, "INSERT INTO schema_version (version, oldest_reader) VALUES (99, 98)")
    with pytest.raises(NewerDatabase, match="98"):
        await store.migrate()
    for check in (store.check_schema, store.ready):
        with pytest.raises(NewerDatabase):
            await check()
    with pytest.raises(NewerDatabase):
        await store.read(of("a"))
    with pytest.raises(NewerDatabase):
        await load(store, of("a"))


async def test_rolling_upgrade(place: Place, store: Store) -> None:
    """A database that a newer program migrated goes on working for an older one that it admits, new columns and all."""
    await execute(place, "INSERT INTO schema_version (version, oldest_reader) VALUES (99, 1)")
    for table in (
        "customers",
        "entries",
        "parts",
        "notices",
        "answers",
        "names",
        "prices",
        "platform_keys",
        "webhooks",
    ):
        await execute(place, f"ALTER TABLE {table} ADD COLUMN added integer NOT NULL DEFAULT 7")
    assert await store.migrate() == 99
    await store.ready()
    await put(store, everything("a"))
    await store.put_prices([Price("BTC", 1, 1)])
    await store.put_key(KeyRow("k", b"digest", (), 1))
    assert (await store.read(of("a"))).snapshots == {"a": snapshot("a", 2)}
    assert await store.claim(9, 9) == [notice("n-a", 500, "a")]
    assert [one.id for one in await store.claim_webhooks(9, 9)] == ["w-a"]
    assert len(await contents(store)) == 11


async def test_without_a_schema(place: Place) -> None:
    """A database that was not migrated is not ready, and says what to run."""
    store = place.store()
    for check in (store.check_schema, store.ready):
        with pytest.raises(StoreUnavailable, match="migrate"):
            await check()
    with pytest.raises(StoreUnavailable, match="migrate"):
        await store.read(of("a"))
    await store.close()


async def test_an_older_schema(place: Place, store: Store) -> None:
    """A program is not ready before its migrations have run."""
    await execute(place, "DELETE FROM schema_version WHERE version > 1")
    for check in (store.check_schema, store.ready):
        with pytest.raises(StoreUnavailable, match="migrate"):
            await check()


async def test_a_closed_store(place: Place) -> None:
    """Closing twice is harmless."""
    store = place.store()
    await store.migrate()
    await store.close()
    await store.close()


# Back-ups


@pytest.fixture(params=["sqlite", "postgres"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A second empty database, of each kind in turn."""
    if request.param == "postgres":
        return Place("postgres", request.getfixturevalue("second_postgres_dsn"))
    return Place("sqlite", str(tmp_path / "other.db"))


async def filled(opened: Opener) -> Store:
    """A store with something of everything."""
    store = await opened(Hands(1_000))
    for number in range(30):
        await put(store, everything(f"a{number:02}"))
    await store.put_prices([Price("BTC", 1, 2)])
    await store.put_key(KeyRow("k", b"digest", ("decide", "read"), 1, 2))
    await store.put_sightings([Sighting(MULE, "a00", 5)])
    for keys in ([MULE], [b"another", MULE]):
        await store.put_list(ListRow("ofac", "1", 0, 1, 0), each([keys]))
    await store.claim(3, 1_000)
    await store.postpone("n-a01", 5_000, "full")
    await store.bury("n-a02", "gone")
    await store.postpone_webhook("w-a01", 5_000, "full")
    await store.bury_webhook("w-a02", "gone")
    return store


async def each(records: Sequence[T]) -> AsyncIterator[T]:
    """Records as `fill` takes them, or the parts of a list."""
    for record in records:
        yield record


async def test_a_back_up_moves_between_stores(opened: Opener, other: Place) -> None:
    """A dump fills an empty store of either kind, which then dumps the same and holds every exit until reconciled."""
    source = await filled(opened)
    records = [record async for record in source.dump()]
    copy = other.store(Hands(1_000))
    await copy.migrate()
    assert await copy.fill(each(records)) == len(records) - 2
    assert [record async for record in copy.dump()] == records
    assert (await copy.read([])).reconciling
    await copy.set_reconciling(False)
    assert not (await copy.read([])).reconciling
    assert [row.id for row in await copy.dead_letters(9)] == ["n-a02"]
    assert (await copy.read([Wanted("a00", shared=(MULE,))])).listed == {MULE: ("ofac",)}
    await copy.put_list(ListRow("ofac", "2", 0, 1, 0), each([[b"another"]]))
    assert (await copy.read([Wanted("a00", shared=(MULE,))])).listed == {}
    assert len(await copy.claim(99, 1_000)) == 28
    assert [row.id for row in await copy.dead_webhooks(9)] == ["w-a02"]
    assert len(await copy.claim_webhooks(99, 1_000)) == 28
    await put(copy, step("a00", 3))
    await copy.close()


async def test_a_dump_is_of_one_instant(opened: Opener) -> None:
    """What is written while a dump runs is not in it."""
    store = await filled(opened)
    expected = await contents(store)
    records = store.dump()
    found = [await anext(records)]
    await put(store, everything("z"))
    await store.put_prices([Price("ETH", 1, 2)])
    found += [record async for record in records]
    assert found[1:-1] == expected


async def test_filling_a_store_that_is_not_empty(opened: Opener) -> None:
    """A store that holds anything is not filled, and stays as it is."""
    store = await filled(opened)
    records = [record async for record in store.dump()]
    with pytest.raises(ValueError, match="not empty"):
        await store.fill(each(records))
    assert await contents(store) == records[1:-1]
    assert not (await store.read([])).reconciling


async def test_a_damaged_back_up(opened: Opener, other: Place) -> None:
    """A back-up that is cut short, altered, out of order, foreign or of a newer format leaves the store empty."""
    source = await filled(opened)
    good = [record async for record in source.dump()]
    altered = good[5].replace(b"body", b"bodY") if b"body" in good[5] else good[5].replace(b"head", b"heaD")
    assert altered != good[5]
    newer = msgspec.msgpack.encode(("holdback", (99, 1)))
    bad = {
        "cut": good[:-1],
        "none": [],
        "gap": good[:9] + good[10:],
        "altered": [*good[:5], altered, *good[6:]],
        "swapped": [good[0], good[2], good[1], *good[3:]],
        "headless": good[1:],
        "twice": good + good,
        "foreign": [good[0], b"not a record", *good[1:]],
        "unknown": [good[0], msgspec.msgpack.encode(("thing", (1, 2))), *good[1:]],
        "newer": [newer, *good[1:]],
    }
    store = other.store()
    await store.migrate()
    empty = await contents(store)
    for name, records in bad.items():
        with pytest.raises(ValueError, match=r"back-up"):
            await store.fill(each(records))
        assert await contents(store) == empty, name
    await store.fill(each(good))
    await store.close()


async def test_a_dump_given_up(opened: Opener) -> None:
    """A dump that is not read to its end holds up nobody."""
    store = await filled(opened)
    records = store.dump()
    await anext(records)
    await records.aclose()  # type: ignore[attr-defined]  # the port promises an iterator, these are generators
    await put(store, everything("z"))


def test_rows() -> None:
    """Rows that gain a field must make a new back-up format: these are the fields of format 2."""
    assert Entry._fields == ("account", "seq", "body", "link")
    assert NoticeRow._fields == ("id", "account", "seq", "notice", "contact", "due_at", "tries", "error")
