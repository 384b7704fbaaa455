"""The desk of a store: what waits for people, in one order for all accounts, written with the heads it is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.contracts.rows import load, put, step

from holdback.ports import Conflict, DeskRow, Wanted, Writes

if TYPE_CHECKING:
    from tests.contracts.conftest import Opener

    from holdback.ports import Store

FIRST = (0, "", "", "")


def row(
    account: str, opened_at: int, *, role: str = "reviewer", waits_for: str = "review", wake_at: int = 0
) -> DeskRow:
    """A recovery that waits."""
    return DeskRow(account, "recovery", "r1", opened_at, opened_at + 100, wake_at, waits_for, role)


async def test_the_oldest_waits_first(store: Store) -> None:
    """The desk is read in pages, oldest first and for one role or for all, whatever the order of writing."""
    rows = [row("c", 5), row("a", 7, role="support"), row("b", 5), row("d", 9)]
    await put(store, Writes(desk=rows))
    assert await store.desk("", FIRST, 10) == [rows[2], rows[0], rows[1], rows[3]]
    assert await store.desk("", rows[0].place, 1) == [rows[1]]
    assert await store.desk("support", FIRST, 10) == [rows[1]]
    assert await store.desk("legal", FIRST, 10) == []


async def test_a_place_counts_those_before(store: Store) -> None:
    """Before a thing stand those of its kind that wait for the same of the same people, and no others."""
    rows = [row("a", 5), row("b", 6, waits_for="time"), row("c", 7), row("d", 7)]
    await put(store, Writes(desk=rows))
    assert [await store.ahead(one) for one in rows] == [0, 0, 1, 2]


async def test_a_thing_changes_and_goes(store: Store) -> None:
    """A row is known by account, kind and id: the later one replaces it, and what is off the desk is gone."""
    await put(store, step("a", 1, desk=[row("a", 5), row("b", 5)]))
    await put(store, step("a", 2, desk=[row("a", 5, waits_for="time")]))
    assert [one.waits_for for one in await store.desk("", FIRST, 10)] == ["time", "review"]
    await put(store, step("a", 3, off_desk=[("a", "recovery", "r1"), ("a", "recovery", "r9")]))
    assert [one.account for one in await store.desk("", FIRST, 10)] == ["b"]
    both = Writes(desk=[row("b", 6)], off_desk=[("b", "recovery", "r1")])
    await put(store, both)
    assert await store.desk("", FIRST, 10) == [row("b", 6)]


async def test_it_stands_and_falls_with_its_head(store: Store) -> None:
    """What a refused transaction would have put on the desk is not there."""
    await put(store, step("a", 1))
    for refused in (step("a", 1, desk=[row("a", 5)]), step("a", 3, desk=[row("a", 5)])):
        with pytest.raises(Conflict):
            await put(store, refused)
    assert await store.desk("", FIRST, 10) == []
    assert (await load(store, [Wanted("a")])).snapshots["a"].seq == 1


async def test_what_is_to_be_told_is_found_by_time(opened: Opener) -> None:
    """Things to be told of now come longest overdue first; what wakes nobody, or later, does not."""
    store = await opened(lambda: 50)
    rows = [row("a", 1, wake_at=50), row("b", 2, wake_at=40), row("c", 3, wake_at=51), row("d", 4)]
    await put(store, Writes(desk=rows))
    assert await store.desk_due(10) == [rows[1], rows[0]]
    assert await store.desk_due(1) == [rows[1]]
