"""What the circuit breaker needs of a store: what left, added up without loss, and one instant that all read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.contracts.rows import of, put, step
from tests.contracts.test_store_webhooks import Hands

from holdback.core.events import HOUR
from holdback.ports import Conflict, FlowRow, Wanted, Writes

if TYPE_CHECKING:
    from tests.contracts.conftest import Opener

    from holdback.ports import Store


async def test_what_left_is_kept_by_its_time(store: Store) -> None:
    """Rows come back from an instant on, and old ones can be deleted."""
    rows = [FlowRow(10, 1, 2), FlowRow(20, 3, 4), FlowRow(20, 3, 4)]
    await put(store, Writes(flows=rows))
    assert sorted(await store.flows(0)) == rows
    assert sorted(await store.flows(11)) == rows[1:]
    await store.forget_flows(20)
    assert sorted(await store.flows(0)) == rows[1:]


async def test_what_left_is_added_up_for_a_chart(store: Store) -> None:
    """Sums over steps since the epoch come in order, from an instant on, whether the hours were folded or not."""
    rows = [FlowRow(at, 1, 10) for at in range(5, 3 * HOUR, HOUR // 10)]
    await put(store, Writes(flows=rows[::-1]))
    hours = [FlowRow(hour * HOUR, 10, 100) for hour in range(3)]
    assert await store.flow_sums(0, HOUR) == hours
    assert await store.flow_sums(rows[12].at, HOUR) == [FlowRow(HOUR, 8, 80), hours[2]]
    assert await store.flow_sums(0, 3 * HOUR) == [FlowRow(0, 30, 300)]
    await store.fold_flows(0, 2 * HOUR)
    assert await store.flow_sums(0, HOUR) == hours
    assert await store.flow_sums(3 * HOUR, HOUR) == []


async def test_hours_are_added_up_once(opened: Opener) -> None:
    """However many processes fold however often, every hour keeps its sum, and what is outside stays as it was."""
    stores = [await opened(), await opened()]
    rows = [FlowRow(at, 1, 10) for at in range(5, 4 * HOUR, HOUR // 10)]
    await put(stores[0], Writes(flows=rows))
    await asyncio.gather(*(one.fold_flows(HOUR, 3 * HOUR) for one in stores * 3))
    found = sorted(await stores[0].flows(0))
    assert [row for row in found if HOUR <= row.at < 3 * HOUR] == [FlowRow(hour, 10, 100) for hour in (HOUR, 2 * HOUR)]
    assert [row for row in found if not HOUR <= row.at < 3 * HOUR] == [
        row for row in rows if not HOUR <= row.at < 3 * HOUR
    ]


async def test_all_read_whether_it_tripped(store: Store) -> None:
    """Since when exits are held is read with every load, with and without locks, until it is put back."""
    assert (await store.read(of("a"))).tripped_at == 0
    await put(store, step("a", 1, tripped_at=[5, 77]))
    assert (await store.read([Wanted("b")])).tripped_at == 77
    async with store.transaction() as transaction:
        assert (await transaction.load(of("a"))).tripped_at == 77
    await put(store, Writes(tripped_at=[0]))
    assert (await store.read([])).tripped_at == 0


async def test_it_stands_and_falls_with_its_head(store: Store) -> None:
    """A transaction that is refused neither counts nor trips."""
    await put(store, step("a", 1))
    with pytest.raises(Conflict):
        await put(store, step("a", 1, flows=[FlowRow(1, 1, 1)], tripped_at=[9]))
    assert await store.flows(0) == []
    assert (await store.read([])).tripped_at == 0


async def test_all_read_when_somebody_looked(opened: Opener) -> None:
    """When what leaves was last added up is read with every load, by every process, also where the clock went back."""
    hands = Hands(50)
    one, other = await opened(hands.now), await opened(hands.now)
    assert (await one.read([])).looked_at == 0
    for hands.at in (50, 90, 20):
        await one.say_looked()
        assert (await other.read([Wanted("a")])).looked_at == hands.at
        async with other.transaction() as transaction:
            assert (await transaction.load(of("a"))).looked_at == hands.at
