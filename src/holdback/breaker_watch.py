"""Counts what leaves all accounts together, and trips the circuit breaker (`core/breaker.py`).

Every decision that lets something go writes what it counts for in its own transaction, as a row that nobody else
touches: a total kept in one row would make all customers wait for each other. Here the rows are added up every few
seconds, so what leaves between two looks is out of reach. Several processes may do it at once. That one looked is said
in the store: where none does, decisions hold what the breaker would hold (law 8).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from holdback.core import events as ev
from holdback.core.breaker import WEEK, Flow, limits, over
from holdback.core.events import DAY, HOUR
from holdback.core.state import Breaker
from holdback.looking import again
from holdback.ports import Wanted, Writes
from holdback.service import Outflow

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from holdback.core.events import Instant
    from holdback.ports import FlowRow
    from holdback.service import Service

log = structlog.get_logger()

LOOKS_S: Final = 3.0
"""How often a server looks, in seconds."""
SAID_PART: Final = 4
"""By so many parts of the age at which a look says nothing any more it is said anew: not a write for each look."""


class BreakerWatch:
    """The watch over one store's outflow. Example: `await BreakerWatch(service).look()`."""

    def __init__(self, service: Service) -> None:
        """Nothing was looked at yet."""
        self._service = service
        self._store = service.store
        self._rules = service.tools.policy.breaker
        self._hour = -1
        self._most = Flow()

    async def run(self, stop: asyncio.Event, every_s: float = LOOKS_S) -> None:
        """Look until `stop` is set."""
        await again(self.look, stop, every_s, "breaker")

    async def look(self) -> Outflow:
        """Add up the last hour, and trip if it is too much. Raises StoreUnavailable or Tampered."""
        loaded = await self._store.read([Wanted(ev.BREAKER)])
        now, row = loaded.now, loaded.snapshots.get(ev.BREAKER)
        head = self._service.tools.snapshots.head(row) if row is not None else None
        stands = (head.breaker if head is not None else None) or Breaker()
        if stands.tripped_at != loaded.tripped_at:
            await self._put_right()
        if self._hour != now // HOUR:
            await self._learn(now)
        # What made it trip was looked at by the two who reset it: from there on it is counted anew.
        flow = _sum(await self._store.flows(max(now - HOUR, stands.reset_at)))
        self._service.outflow = Outflow(stands.tripped_at, flow, self._most, now)
        found = over(flow, self._most)
        if found is not None and not stands.tripped_at:
            scope, left, limit = found
            log.error("breaker.tripped", scope=scope, micro_usd=left, limit_micro_usd=limit)
            await self._service.trip(scope, flow, self._most)
            self._service.outflow = Outflow(now, flow, self._most, now)
        if abs(now - loaded.looked_at) * SAID_PART >= self._rules.look_age_s * 1000:
            await self._store.say_looked()
        return self._service.outflow

    async def _learn(self, now: Instant) -> None:
        """Work out what may leave in this hour, once; and keep the table of what left small."""
        await self._store.fold_flows(now - 2 * DAY - now % HOUR, now - 2 * HOUR - now % HOUR)
        await self._store.forget_flows(now - (self._rules.weeks + 1) * WEEK)
        rows = await self._store.flows(0)
        hours: dict[int, Flow] = {}
        for row in rows:
            hour = row.at // HOUR
            hours[hour] = hours.get(hour, Flow()).plus(Flow(*row[1:]))
        self._most, self._hour = limits(hours, now, self._rules), now // HOUR

    async def _put_right(self) -> None:
        """The stream says how the breaker stands; after a restore the copy that decisions read may not."""
        async with self._store.transaction() as transaction:
            loaded = await transaction.load([Wanted(ev.BREAKER)])
            row = loaded.snapshots.get(ev.BREAKER)
            head = self._service.tools.snapshots.head(row) if row is not None else None
            stands = head.breaker.tripped_at if head is not None and head.breaker is not None else 0
            await transaction.write(Writes(tripped_at=[stands]))


def _sum(rows: Iterable[FlowRow]) -> Flow:
    total = Flow()
    for row in rows:
        total = total.plus(Flow(*row[1:]))
    return total
