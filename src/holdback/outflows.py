"""How the circuit breaker stands and what left lately, hour by hour beside what was allowed, for people to look at.

Nothing here decides: it reads what decisions read, and works the limits of past hours out again as the watch did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core import events as ev
from holdback.core.breaker import SCOPES, WEEK, Flow, is_watched, limits
from holdback.core.events import DAY, HOUR
from holdback.core.policy import MICRO
from holdback.core.state import Breaker
from holdback.ports import Wanted
from holdback.wording.words import instant_text

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.service import Service

DAYS: Final = (1, 7)
"""What may be looked back on. The weeks before that are kept to work the limits out from."""


class ScopeForm(msgspec.Struct, frozen=True):
    """One sum that is watched: what left within the hour that ends now, or since the reset, and the most that may."""

    name: str
    left_usd: str
    limit_usd: str


class BreakerForm(msgspec.Struct, frozen=True):
    """How the breaker stands.

    `state` is closed, tripped, or unwatched: nobody added up what leaves lately, and larger exits wait. `asked_by`
    wants it reset, until `asked_until`; a second person must ask the same.
    """

    state: str
    tripped_at: str | None
    looked_at: str | None
    asked_by: str | None
    asked_at: str | None
    asked_until: str | None
    reset_at: str | None
    scopes: tuple[ScopeForm, ...]


class HourForm(msgspec.Struct, frozen=True):
    """What left within an hour, and the most that might have, for each of the two sums; the last one still runs."""

    at: str
    new_usd: str
    new_limit_usd: str
    changed_usd: str
    changed_limit_usd: str


class Outflows:
    """The read side of one service's breaker. Example: `await Outflows(service).standing()`."""

    def __init__(self, service: Service) -> None:
        """Read what the watch writes."""
        self._service = service
        self._policy = service.tools.policy

    async def standing(self) -> BreakerForm:
        """How it stands now. Raises Tampered."""
        return await self._standing(await self._hours())

    async def series(self, days: int) -> list[HourForm]:
        """Each hour of so many days up to now, the oldest first. `days` is one of `DAYS`."""
        return await self._series(await self._hours(), days)

    async def both(self, days: int) -> tuple[BreakerForm, list[HourForm]]:
        """The same two, of what was read once: on a busy platform a look adds up many rows. Raises Tampered."""
        hours = await self._hours()
        return await self._standing(hours), await self._series(hours, days)

    async def _standing(self, hours: dict[int, Flow]) -> BreakerForm:
        store, policy = self._service.store, self._policy
        loaded = await store.read([Wanted(ev.BREAKER)])
        now, row = loaded.now, loaded.snapshots.get(ev.BREAKER)
        head = self._service.tools.snapshots.head(row) if row is not None else None
        stands = (head.breaker if head is not None else None) or Breaker()
        watched = is_watched(loaded.looked_at, policy, now)
        first = stands.proposal
        until = first.at + policy.staff.proposed_d * DAY if first is not None else 0
        asked = first if now < until else None
        since = max(now - HOUR, stands.reset_at)
        left = sum_of([Flow(*one[1:]) for one in await store.flow_sums(since, DAY)])
        most = limits(hours, now, policy.breaker)
        return BreakerForm(
            state="tripped" if stands.tripped_at else "closed" if watched else "unwatched",
            tripped_at=_instant(stands.tripped_at),
            looked_at=_instant(loaded.looked_at),
            asked_by=asked.by if asked is not None else None,
            asked_at=_instant(asked.at) if asked is not None else None,
            asked_until=_instant(until) if asked is not None else None,
            reset_at=_instant(stands.reset_at),
            scopes=tuple(ScopeForm(*one) for one in zip(SCOPES, map(_usd, left), map(_usd, most), strict=True)),
        )

    async def _series(self, hours: dict[int, Flow], days: int) -> list[HourForm]:
        this = (await self._service.store.read([])).now // HOUR
        return [self._hour(hours, hour) for hour in range(this - days * DAY // HOUR + 1, this + 1)]

    def _hour(self, hours: dict[int, Flow], hour: int) -> HourForm:
        """An hour beside the limit that the watch had in it: only what lay weeks before it is looked at."""
        left, most = hours.get(hour, Flow()), limits(hours, hour * HOUR, self._policy.breaker)
        texts = [_usd(one) for pair in zip(left, most, strict=True) for one in pair]
        return HourForm(instant_text(hour * HOUR), *texts)

    async def _hours(self) -> dict[int, Flow]:
        """Sums by hour since the epoch, as far back as any are kept."""
        now = (await self._service.store.read([])).now
        since = now - (self._policy.breaker.weeks + 2) * WEEK
        return {row.at // HOUR: Flow(*row[1:]) for row in await self._service.store.flow_sums(max(since, 0), HOUR)}


def sum_of(flows: list[Flow]) -> Flow:
    """All together."""
    total = Flow()
    for flow in flows:
        total = total.plus(flow)
    return total


def _instant(at: Instant) -> str | None:
    return instant_text(at) if at else None


def _usd(micro_usd: int) -> str:
    """Whole dollars, rounded up: what left is never shown as less."""
    return str(-(-micro_usd // MICRO))
