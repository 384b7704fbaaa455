"""Approvals of the other's work: what a first person asked is shown as it was asked, and one button asks the very same.

What two people must say begins here, too: who belongs to the staff, and what goes back to whom it was taken from.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core.events import Role
from holdback.core.inside import RETURNS
from holdback.core.staffing import RULES_ON_SALES
from holdback.desk import Desk, marked_page
from holdback.intake import ACCOUNT_ID
from holdback.proposals import is_disputed, proposal
from holdback.web.console.door import Ask, Page

if TYPE_CHECKING:
    from holdback.web.console.door import Door, Reader
    from holdback.web.endpoint import Reply

PATH: Final = "/approvals/{kind}/{account}/{which}"
KINDS: Final = {
    "staff": frozenset({Role.POLICY}),
    "agency": frozenset({Role.POLICY}),
    "return": RETURNS,
    "sale": RULES_ON_SALES,
}
"""What is approved here, and whose second word it takes; legal requests and the breaker have pages of their own."""


class Approvals:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Show and ask through this door."""
        self._door = door
        self._desk = Desk(door.service)

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        roles = frozenset[Role]().union(*KINDS.values())
        return {"/approvals": Page(self._list, roles, ("cursor",)), PATH: Page(self._one, roles)}

    def asks(self) -> dict[str, Ask]:
        """A first word, or the second."""
        said = frozenset({"staff.enrol", "staff.retire", "agency.add", "agency.remove", "exit.cancel", "exit.release"})
        return {"/approvals/ask": Ask(self._door.said, said, whole=True)}

    async def _list(self, reader: Reader) -> Reply:
        """What waits for a second word of this reader's roles."""
        roles, cursor, kinds = reader.fact.roles, reader.sight.given.get("cursor", ""), frozenset(KINDS)
        try:
            page = await self._desk.approvals(roles, kinds, cursor, reader.member)
        except ValueError:  # a cursor that was never given: from the beginning
            page = await self._desk.approvals(roles, kinds, "", reader.member)
        page = marked_page(page, reader.member, self._door.service.tools.masters.mark_keys())
        rows = [(one, one.id.partition(".")[2] or one.id) for one in page.items]
        may = {kind for kind, roles in KINDS.items() if not roles.isdisjoint(reader.fact.roles)}
        return self._door.room(reader, "approvals.html", rows=rows, next=page.next, may=may, all_roles=tuple(Role))

    async def _one(self, reader: Reader) -> Reply:
        """What was asked, word for word, and the button that asks the same."""
        given = reader.sight.call.path
        kind, account, which = given["kind"], given["account"], given["which"]
        may = not KINDS.get(kind, frozenset()).isdisjoint(reader.fact.roles) and account != reader.member
        if not may or not ACCOUNT_ID.fullmatch(account):
            return self._door.room(reader, "gone.html")
        found = await proposal(self._door.service, account, kind, which)
        if found is None and kind == "sale" and await is_disputed(self._door.service, account, which):
            return self._door.room(reader, "approval-sale.html", about=account, which=which)
        if found is None:
            return self._door.room(reader, "gone.html")
        passkey = found.action.get("passkey", "")
        return self._door.room(
            reader,
            "approval.html",
            kind=kind,
            which=which,
            it=found,
            whole=msgspec.json.encode(found.action).decode(),
            digest=hashlib.sha256(passkey.encode()).hexdigest() if passkey else "",
        )
