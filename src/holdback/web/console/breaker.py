"""The circuit breaker: how it stands, what left hour by hour, and asking that it be reset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core import events as ev
from holdback.core.breaker import RESETS
from holdback.core.events import Role
from holdback.outflows import DAYS, Outflows
from holdback.web.console.door import HOME, Ask, Page
from holdback.web.endpoint import Reply

if TYPE_CHECKING:
    from holdback.web.console.door import Door, Reader

SEES: Final = RESETS | {Role.AUDITOR}


class Breaker:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Show through this door."""
        self._door = door
        self._outflows = Outflows(door.service)

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        return {
            "/breaker": Page(self._standing, SEES, ("days",)),
            "/breaker/series": Page(self._series, SEES, ("days",)),
        }

    def asks(self) -> dict[str, Ask]:
        """A reset, by those who may; the core counts them."""
        return {"/breaker": Ask(self._door.said, frozenset({"breaker.reset"}), stands=self._stands)}

    async def _stands(self, _account: str) -> str:
        """Which trip it is: a reset is of the one that was looked at."""
        return (await self._outflows.standing()).tripped_at or ""

    async def _standing(self, reader: Reader) -> Reply:
        """How it stands, its limits, and the hours as a table."""
        days = _days(reader)
        stands, hours = await self._outflows.both(days)
        shown = {
            "stands": stands,
            "hours": hours[::-1],
            "days": days,
            "choices": DAYS,
            "series": f"{HOME}/breaker/series?days={days}",
            "rules": self._door.service.tools.policy.breaker,
            "resets": not RESETS.isdisjoint(reader.fact.roles),
            "about": ev.BREAKER,
        }
        return self._door.room(reader, "breaker.html", **shown)

    async def _series(self, reader: Reader) -> Reply:
        """The hours as JSON, the oldest first, for the chart."""
        return Reply(msgspec.json.encode({"hours": await self._outflows.series(_days(reader))}))


def _days(reader: Reader) -> int:
    """How far to look back; a day where that cannot be read."""
    given = reader.sight.given.get("days", "")
    return next((days for days in DAYS if given == str(days)), DAYS[0])
