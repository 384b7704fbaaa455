"""The auditor's pages: who the staff are, what they did, and whether the logs hold. Nothing here changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core.events import Role
from holdback.oversight import Oversight
from holdback.web import problems
from holdback.web.console.door import Page
from holdback.web.pages import cursor
from holdback.web.problems import Problem

if TYPE_CHECKING:
    from holdback.web.console.door import Ask, Door, Reader
    from holdback.web.endpoint import Reply

SEES: Final = frozenset({Role.AUDITOR})


class Audit:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Show through this door."""
        self._door = door
        self._oversight = Oversight(door.service)

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        return {
            "/audit": Page(self._overview, SEES),
            "/audit/{account}": Page(self._log, SEES, ("cursor",)),
            "/audit/{account}/check": Page(self._check, SEES),
        }

    def asks(self) -> dict[str, Ask]:
        """No form: who audits changes nothing."""
        return {}

    async def _overview(self, reader: Reader) -> Reply:
        """Everybody who was ever let in, and the streams of the place itself."""
        members = self._door.own_copy(reader, await self._oversight.members(reader.member), "since")
        shown = {"members": members, "others": await self._oversight.others()}
        policy = self._door.service.tools.policy
        return self._door.room(reader, "audit.html", policy=policy, digest=self._digest(), **shown)

    def _digest(self) -> str:
        """The policy in force: entries that another one decided say so."""
        return self._door.service.tools.policy.digest.hex()

    async def _log(self, reader: Reader) -> Reply:
        """One of their logs, the newest entries first."""
        page = await self._oversight.log(reader.sight.call.path["account"], reader.member, cursor(reader.sight))
        if page is None:
            raise Problem(problems.UNKNOWN_ROUTE)
        lines = self._door.own_copy(reader, page.lines, "at")
        return self._door.room(reader, "audit-log.html", page=page, lines=lines, digest=self._digest())

    async def _check(self, reader: Reader) -> Reply:
        """Whether it holds together."""
        account = reader.sight.call.path["account"]
        found = await self._oversight.checked(account, reader.member)
        if found is None:
            raise Problem(problems.UNKNOWN_ROUTE)
        return self._door.room(reader, "audit-check.html", account=account, found=found)
