"""What several customers meet, and lists of addresses: both come with the one load, by keyed hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.contracts.rows import load, put, step

from holdback.core.events import DAY, HOUR
from holdback.ports import SIGHTINGS_MOST, Conflict, ListRow, Sighting, Sightings, Wanted, Writes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.contracts.conftest import Opener

    from holdback.ports import Loaded, Store

MULE: Final = b"\x01" + b"m" * 32
OTHER: Final = b"\x01" + b"o" * 32


def asking(*keys: bytes) -> list[Wanted]:
    """One customer, who asks for what others met as well."""
    return [Wanted("a", shared=keys)]


async def in_batches(*batches: Sequence[bytes]) -> AsyncIterator[Sequence[bytes]]:
    """The keys of a list as they are handed over."""
    for keys in batches:
        yield keys


async def listed(store: Store, name: str, *keys: bytes, version: str = "1") -> ListRow:
    """Import a list."""
    return await store.put_list(ListRow(name, version, 0, 7, 0), in_batches(keys))


def rows(found: Loaded, key: bytes) -> tuple[Sighting, ...]:
    """The sightings of a key."""
    return found.sightings[key].rows


async def test_nothing_shared_is_given_to_whoever_asks_for_nothing(store: Store) -> None:
    """A load without keys gives no sightings and no lists, and one with keys only theirs."""
    await put(store, step("a", 1, sightings=[Sighting(MULE, "a", 3)]))
    await listed(store, "ofac", MULE)
    found = await load(store, [Wanted("a")])
    assert (found.sightings, found.listed, found.lists) == ({}, {}, ())
    found = await load(store, asking(OTHER))
    assert (found.sightings, found.listed) == ({}, {})
    assert [one.name for one in found.lists] == ["ofac"]


async def test_a_sighting_is_written_once(store: Store) -> None:
    """Of a key, an account and a day there is one row, however often it is written; the newest come first."""
    seen = [Sighting(MULE, "b", 4), Sighting(MULE, "a", 3), Sighting(MULE, "a", 3)]
    await put(store, step("a", 1, sightings=seen))
    await put(store, step("a", 2, sightings=seen))
    await store.put_sightings([Sighting(MULE, "a", 4), Sighting(OTHER, "a", 4), Sighting(MULE, "b", 4)])
    for found in (await load(store, asking(MULE, OTHER)), await store.read(asking(MULE, OTHER))):
        assert found.sightings[MULE].first_day == 3
        assert rows(found, MULE) == (Sighting(MULE, "b", 4), Sighting(MULE, "a", 4), Sighting(MULE, "a", 3))
        assert found.sightings[OTHER] == Sightings(4, (Sighting(OTHER, "a", 4),))


async def test_a_refused_transaction_saw_nothing(store: Store) -> None:
    """What a refused transaction would have written was not seen."""
    await put(store, step("a", 1))
    with pytest.raises(Conflict):
        await put(store, step("a", 3, sightings=[Sighting(MULE, "a", 3)]))
    assert (await load(store, asking(MULE))).sightings == {}
    async with store.transaction(locks=False) as transaction:
        await transaction.load(asking(MULE))
        await transaction.write(step("a", 2, sightings=[Sighting(MULE, "a", 3)]))
    assert rows(await load(store, asking(MULE)), MULE) == (Sighting(MULE, "a", 3),)


async def test_old_sightings_are_forgotten_some_at_a_time(store: Store) -> None:
    """Days and hours that ended before an instant go, never more than asked for at once, and what is newer stays."""
    day, hour = 20_000, 20_000 * 24
    days = [Sighting(MULE, f"a{number}", day + number) for number in range(-3, 2)]
    hours = [Sighting(OTHER, f"a{number}", hour + number) for number in range(-3, 2)]
    await store.put_sightings([*days, *hours])
    assert await store.forget_sightings(0, 100) == 0
    assert [await store.forget_sightings(day * DAY + 1, 4) for _ in range(3)] == [4, 2, 0]
    found = await load(store, asking(MULE, OTHER))
    assert rows(found, MULE) == tuple(reversed(days[3:]))
    assert rows(found, OTHER) == tuple(reversed(hours[3:]))
    assert found.sightings[MULE].first_day == day
    assert await store.forget_sightings(day * DAY + HOUR, 100) == 1
    assert rows(await load(store, asking(OTHER)), OTHER) == (hours[4],)


async def test_of_many_sightings_the_newest_are_given(store: Store) -> None:
    """A key that everybody meets costs no more than one that many do, and its first day is still known."""
    crowd = [Sighting(MULE, f"u{number:03}", 10 + number // 50) for number in range(200)]
    await store.put_sightings(crowd)
    found = await load(store, asking(MULE))
    assert found.sightings[MULE].first_day == 10
    assert rows(found, MULE) == tuple(reversed(crowd))[:SIGHTINGS_MOST]


async def test_a_list_takes_the_place_of_the_one_before(opened: Opener) -> None:
    """An import replaces the list of its name as a whole, and no other."""
    store = await opened(lambda: 50)
    first = await listed(store, "ofac", MULE, OTHER, MULE)
    assert first == ListRow("ofac", "1", 50, 7, 2)
    await listed(store, "own", OTHER)
    found = await load(store, asking(MULE, OTHER))
    assert found.listed == {MULE: ("ofac",), OTHER: ("ofac", "own")}
    second = await listed(store, "ofac", MULE, version="2")
    assert (second.version, second.entries) == ("2", 1)
    found = await store.read(asking(MULE, OTHER))
    assert found.listed == {MULE: ("ofac",), OTHER: ("own",)}
    assert found.lists == (second, ListRow("own", "1", 50, 7, 1))
    assert await store.lists() == list(found.lists)
    await listed(store, "ofac")
    assert (await load(store, asking(MULE))).listed == {}


async def test_an_import_that_breaks_off_changes_nothing(store: Store) -> None:
    """Until an import is whole the list before it counts, and after one that failed, too."""
    await listed(store, "ofac", MULE)

    async def broken() -> AsyncIterator[Sequence[bytes]]:
        yield [OTHER]
        assert (await load(store, asking(MULE, OTHER))).listed == {MULE: ("ofac",)}
        raise ValueError("a bad line")

    with pytest.raises(ValueError, match="a bad line"):
        await store.put_list(ListRow("ofac", "2", 0, 7, 0), broken())
    found = await load(store, asking(MULE, OTHER))
    assert (found.listed, found.lists[0].version) == ({MULE: ("ofac",)}, "1")


async def test_two_imports_at_a_time_are_each_whole(store: Store) -> None:
    """Of two imports of one list the later to end counts, and nothing of it is lost to the other."""

    async def slow() -> AsyncIterator[Sequence[bytes]]:
        yield [MULE]
        await listed(store, "ofac", version="quick")
        yield [OTHER]

    last = await store.put_list(ListRow("ofac", "slow", 0, 7, 0), slow())
    assert (last.version, last.entries) == ("slow", 2)
    assert (await load(store, asking(MULE, OTHER))).listed == {MULE: ("ofac",), OTHER: ("ofac",)}


async def test_no_writes_are_no_sightings(store: Store) -> None:
    """Writes with nothing but a sighting are not empty."""
    assert not Writes(sightings=[Sighting(MULE, "a", 3)]).empty
    await put(store, Writes(sightings=[Sighting(MULE, "a", 3)]))
    assert rows(await load(store, asking(MULE)), MULE) == (Sighting(MULE, "a", 3),)
