"""Judging recoveries: who was drawn reads the case side by side, ticks what he looked at, and says why.

Reading it is a look-up with the case's id as ticket, so it stands in the customer's log.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from holdback.case_file import case_file
from holdback.core.events import Role
from holdback.core.evidence import live
from holdback.intake import ACCOUNT_ID
from holdback.look_up import recovery_seen
from holdback.ports import Wanted
from holdback.web.console.door import Ask, Page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.web.console.door import Door, Reader
    from holdback.web.endpoint import Reply
    from holdback.web.pages import Asked, Sight

PATH: Final = "/recovery/{account}/{case}"
FIELDS: Final = ("recovery", "name", "email", "phone", "authenticators", "contacts")
"""What a reviewer reads of a customer at once, masked."""
CHECKS: Final = ("evidence", "burned", "risk", "changes", "history")
"""What he has looked at, one tick each, before he may approve."""
WEIGHED: Final = ("id", "shown", "burned", "contested", "doubted", "targeted_until")
REASON_MOST: Final = 500


class Recoveries:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Show and ask through this door."""
        self._door = door

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        return {PATH: Page(self._case, frozenset({Role.REVIEWER, Role.SUPPORT}))}

    def asks(self) -> dict[str, Ask]:
        """Reading it, judging it, and saying what one saw."""
        return {
            "/recovery/read": Ask(self._read, frozenset({"staff.look_up"})),
            "/recovery/verdict": Ask(self._door.said, frozenset({"recovery.review"}), unfit, self._stands),
            "/recovery/saw": Ask(self._door.said, frozenset({"recovery.evidence"})),
        }

    async def _case(self, reader: Reader) -> Reply:
        """What the reader has to do with a case, and nothing of the customer."""
        account, name = reader.sight.call.path["account"], reader.sight.call.path["case"]
        case = None
        if ACCOUNT_ID.fullmatch(account):
            tools = self._door.service.tools
            row = (await self._door.service.store.read([Wanted(account)])).snapshots.get(account)
            case = live(tools.snapshots.head(row), tools.policy, reader.now) if row is not None else None
        if case is None or case.id != name:
            return self._door.room(reader, "gone.html")
        drawn = reader.member in case.drawn
        return self._door.room(
            reader,
            "recovery.html",
            about=account,
            case=name,
            drawn=drawn,
            judged=reader.member in case.approved,
            open=not case.path,
            fields=FIELDS,
        )

    async def _read(self, sight: Sight, asked: Asked) -> Reply:
        """The case side by side, for whom the core let read it."""
        said, account = asked.said, sight.given.get("_account", "")
        seen = said.customer if said is not None and said.decision == "allow" else None
        if seen is None:
            return await self._door.said(sight, asked)
        case, case_id = seen.get("recovery") or {}, asked.named["ticket"]
        if case.get("id") != case_id or not seen.keys() >= set(FIELDS):
            return self._door.part(sight, "gone.html")
        file = await case_file(self._door.service, account, case_id)
        shown = {"about": account, "case": case_id, "seen": seen, "file": file, "checks": CHECKS}
        return self._door.part(sight, "review.html", stands=_digest(case), **shown)

    async def _stands(self, account: str) -> str:
        """The case as a reviewer would read it now."""
        service = self._door.service
        loaded = await service.store.read([Wanted(account)])
        row = loaded.snapshots.get(account)
        if row is None:
            return ""
        return _digest(recovery_seen(service.tools.snapshots.head(row), service.tools.policy, loaded.now))


def _digest(case: Mapping[str, Any]) -> str:
    """What a verdict is about: the case, its evidence and what speaks against it; not what other reviewers said."""
    weighed = [case.get(name) for name in WEIGHED]
    return hashlib.sha256(msgspec.json.encode(weighed)).hexdigest()


def unfit(given: Mapping[str, str]) -> str:
    """What a verdict lacks: the verdict, a reason in words, or, to approve, a tick for everything."""
    if given.get("verdict") not in {"approve", "reject"}:
        return "verdict"
    if not 0 < len(given.get("reason", "").strip()) <= REASON_MOST:
        return "reason"
    ticked = all(given.get(f"_check.{one}") == "on" for one in CHECKS)
    return "" if ticked or given["verdict"] == "reject" else "checklist"
