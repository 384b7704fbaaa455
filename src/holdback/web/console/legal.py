"""The desk for what authorities ask: a paper comes in, is rung back, approved by others, and only then carried out.

Which step is next, and for whom, is shown; whether it is done is the core's to say. Reading a request is a look-up with
its id as ticket, so it stands in the customer's log.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from holdback.core.disclosure import EMERGENCY, GIVES_AWAY, REACHES, approvers
from holdback.core.events import STREAM_PREFIX, Role, StreamKind
from holdback.intake import ACCOUNT_ID
from holdback.views import Views
from holdback.web.console.door import Ask, Page

if TYPE_CHECKING:
    from holdback.views import AgencyForm
    from holdback.web.console.door import Door, Reader
    from holdback.web.endpoint import Reply
    from holdback.web.pages import Asked, Sight

PATH: Final = "/legal/{account}/{which}"
STEPS: Final = frozenset({"legal.call_back", "legal.approve", "legal.release", "legal.reject"})
LEGAL: Final = frozenset({Role.LEGAL})


class Standing(NamedTuple):
    """How a request stands for one reader: what was done, how many must approve, and what he himself may do next.

    `handles` is whether he is one of those who take its steps; an auditor only reads.
    """

    stage: str
    needed: int
    mine: bool
    free_at: str | None
    handles: bool = True


class LegalDesk:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Show and ask through this door."""
        self._door = door
        self._views = Views(door.service)

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        return {"/legal": Page(self._desk, LEGAL), PATH: Page(self._request, LEGAL | {Role.AUDITOR})}

    def asks(self) -> dict[str, Ask]:
        """Entering a paper, reading a request, and each step of it."""
        return {
            "/legal/enter": Ask(self._entered, frozenset({"legal.receive", "legal.freeze_order"})),
            "/legal/read": Ask(self._read, frozenset({"staff.look_up"})),
            "/legal/step": Ask(self._stepped, STEPS),
        }

    async def _desk(self, reader: Reader) -> Reply:
        """Entering what came on paper."""
        policy = self._door.service.tools.policy.legal
        return self._door.room(reader, "legal.html", fields=tuple(GIVES_AWAY), bases=tuple(REACHES), numbers=policy)

    async def _request(self, reader: Reader) -> Reply:
        """One request, before it is read."""
        given = reader.sight.call.path
        return self._door.room(reader, "legal-request.html", about=given["account"], which=given["which"])

    async def _entered(self, sight: Sight, asked: Asked) -> Reply:
        """What came of entering a paper, with the letter that goes to the agency."""
        return self._door.part(sight, "legal-said.html", asked=asked, back=_way(sight, asked))

    async def _stepped(self, sight: Sight, asked: Asked) -> Reply:
        """What came of a step, with the package if it was the last one."""
        return self._door.part(sight, "legal-said.html", asked=asked, back=_way(sight, asked))

    async def _read(self, sight: Sight, asked: Asked) -> Reply:
        """The request and its steps, for whom the core let read it."""
        said, account = asked.said, sight.given.get("_account", "")
        seen = said.customer.get("legal_request") if said is not None and said.customer is not None else None
        if seen is None:
            return await self._door.said(sight, asked)
        entry = await self._registered(seen["agency"])
        handles = Role.LEGAL in await self._door.roles_of(sight.visitor.account)
        stands = self._standing(sight.visitor.account, seen, handles=handles)._replace(handles=handles)
        return self._door.part(
            sight, "legal-steps.html", about=account, which=asked.named["ticket"], it=seen, entry=entry, stands=stands
        )

    async def _registered(self, agency: str) -> AgencyForm | None:
        """The registry's entry that counts now: whom to ring, and at which number."""
        stream = f"{STREAM_PREFIX[StreamKind.AGENCY]}{agency}"
        form = await self._views.account(stream) if ACCOUNT_ID.fullmatch(stream) else None
        return form.agency if form is not None else None

    def _standing(self, member: str, it: dict[str, Any], *, handles: bool) -> Standing:
        policy = self._door.service.tools.policy
        if "received_at" not in it:
            return Standing("disclosed", 0, mine=False, free_at=None)
        needed = approvers(it["legal_basis"], policy)
        urgent = it["legal_basis"] == EMERGENCY
        apart = handles and member != it["entered_by"]
        if it["order_until"]:
            return Standing("in_force", needed, apart and member != it["thaw_by"], None)
        if not it["called_by"]:
            return Standing("call_back", needed, apart, None)
        if len(it["approved"]) < needed:
            mine = apart and member not in it["approved"] and not (urgent and member == it["called_by"])
            return Standing("approve", needed, mine, None)
        waits = not urgent and not it["order_days"]
        free_at = datetime.fromisoformat(it["received_at"]) + timedelta(hours=policy.legal.wait_h)
        return Standing("release", needed, apart, free_at.isoformat() if waits else None)


def _way(sight: Sight, asked: Asked) -> str:
    """Back to the request: one that was entered just now, or the one whose step it was."""
    which = asked.named.get("which") or (asked.said.id if asked.said is not None else None)
    return f"/legal/{sight.given.get('_account', '')}/{which}" if which else "/legal"
