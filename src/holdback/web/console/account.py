"""A customer as one of the staff may see him: for a ticket, the fields that were asked for, masked, or one as it is.

The page itself shows nothing of anybody: each look is the action `staff.look_up`, which the customer's own log keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core.staffing import MAY_LOOK_UP
from holdback.intake import ACCOUNT_ID
from holdback.web.console.door import Ask, Page

if TYPE_CHECKING:
    from holdback.web.console.door import Door, Reader
    from holdback.web.endpoint import Reply
    from holdback.web.pages import Asked, Sight

FIELDS: Final = ("name", "email", "phone", "balance", "authenticators", "contacts", "cases")
"""What may be asked for; a legal request is shown where such are worked on."""
MASKED: Final = frozenset({"name", "email", "phone", "balance"})
"""What is shown masked, and may be asked for once more as it is."""
TICKET_MOST: Final = 64


class Account:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Show through this door."""
        self._door = door

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        return {"/account": Page(self._asking, MAY_LOOK_UP, ("account", "ticket"))}

    def asks(self) -> dict[str, Ask]:
        """A look."""
        return {"/account": Ask(self._seen, frozenset({"staff.look_up"}))}

    async def _asking(self, reader: Reader) -> Reply:
        """Ask of whom, for which ticket, and what; a queue names the first two."""
        given = reader.sight.given
        account = given.get("account", "")
        shown = {
            "account": account if ACCOUNT_ID.fullmatch(account) else "",
            "ticket": given.get("ticket", "")[:TICKET_MOST],
            "fields": FIELDS,
            "most": self._door.service.tools.policy.staff,
        }
        return self._door.room(reader, "account.html", **shown)

    async def _seen(self, sight: Sight, asked: Asked) -> Reply:
        """Show what the answer let one see, or why there is nothing."""
        shown = {
            "asked": asked,
            "about": sight.given.get("_account", ""),
            "ticket": sight.given.get("ticket", ""),
            "reason": sight.given.get("reason", ""),
            "seen": (asked.said.customer or {}) if asked.said is not None else {},
            "revealed": bool(asked.named.get("reveal")),
            "masked": MASKED,
            "back": "/account",
        }
        return self._door.part(sight, "account-seen.html", **shown)
