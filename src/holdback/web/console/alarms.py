"""Who of the staff reads unlike their peers, or touched a canary: the open cases, what raised them, and going on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.alarms import Alarms
from holdback.core.events import Role
from holdback.web import problems
from holdback.web.console.door import Ask, Page
from holdback.web.pages import cursor
from holdback.web.problems import Problem

if TYPE_CHECKING:
    from holdback.web.console.door import Door, Reader
    from holdback.web.endpoint import Reply

SEES: Final = frozenset({Role.INVESTIGATOR, Role.AUDITOR})
WORKS: Final = Role.INVESTIGATOR


class AlarmDesk:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Show through this door."""
        self._door = door
        self._alarms = Alarms(door.service)

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        return {"/alarms": Page(self._cases, SEES), "/alarms/{member}": Page(self._case, SEES, ("cursor",))}

    def asks(self) -> dict[str, Ask]:
        """What an investigator does with a case of a colleague's; the core says that it is not his own."""
        return {
            "/alarms": Ask(self._door.said, frozenset({"incident.note"})),
            "/alarms/case/close": Ask(self._door.said, frozenset({"incident.close"}), stands=self._alarms.stands),
        }

    async def _cases(self, reader: Reader) -> Reply:
        """All cases that are open."""
        found = await self._alarms.cases(reader.member)
        cases = self._door.own_copy(reader, found.cases, "opened_at", "last_at")
        return self._door.room(
            reader, "alarms.html", cases=cases, altered=found.altered, rules=self._door.service.tools.policy.staff
        )

    async def _case(self, reader: Reader) -> Reply:
        """One of them, with what it is made of."""
        member, after = reader.sight.call.path["member"], cursor(reader.sight)
        page = await self._alarms.case(member, reader.member, after)
        if page is None:
            raise Problem(problems.UNKNOWN_ROUTE)
        works = WORKS in reader.fact.roles
        rules = self._door.service.tools.policy.staff
        return self._door.room(reader, "alarm.html", page=page, works=works, rules=rules, first=not after)
