"""What waits for the reader: all that one of his roles can move or is to see, the oldest first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from holdback.core.events import MINUTE, STREAM_PREFIX, StreamKind
from holdback.desk import Desk, marked_page
from holdback.web.console.door import Page
from holdback.web.pages import PAGE

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.desk import DeskForm
    from holdback.web.console.door import Ask, Door, Reader
    from holdback.web.endpoint import Reply

CURSOR_MOST: Final = 256


class Row(NamedTuple):
    """One thing that waits, its age, its place among those that wait for the same, and where it is worked on."""

    item: DeskForm
    age_m: int
    place: int
    way: str


class Queue:
    """The handlers."""

    def __init__(self, door: Door) -> None:
        """Show through this door."""
        self._door = door
        self._desk = Desk(door.service)

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        return {"": Page(self._queue, known=("cursor",))}

    def asks(self) -> dict[str, Ask]:
        """No form of its own."""
        return {}

    async def _queue(self, reader: Reader) -> Reply:
        """Some of what waits, as this reader's own copy of it."""
        cursor = reader.sight.given.get("cursor", "")[:CURSOR_MOST]
        try:
            page, places = await self._desk.queues(reader.fact.roles, cursor, PAGE, reader.member)
        except ValueError:  # a cursor that was never given: from the beginning
            page, places = await self._desk.queues(reader.fact.roles, "", PAGE, reader.member)
        page = marked_page(page, reader.member, self._door.service.tools.masters.mark_keys())
        rows = [
            Row(one, _age_m(one, reader.now), place, _way(one)) for one, place in zip(page.items, places, strict=True)
        ]
        return self._door.room(reader, "queue.html", rows=rows, next=page.next)


def _age_m(item: DeskForm, now: Instant) -> int:
    """How many whole minutes it has waited."""
    return max(0, now - round(datetime.fromisoformat(item.opened_at).timestamp() * 1000)) // MINUTE


def _way(item: DeskForm) -> str:
    """Where it is worked on, under the console; "" where nobody works on it here."""
    match item.kind:
        case "recovery" | "legal":
            return f"/{item.kind}/{item.account}/{item.id}"
        case "incident" if item.account.startswith(STREAM_PREFIX[StreamKind.STAFF]):
            return f"/alarms/{item.account}"
        case "incident":
            return f"/account?account={quote(item.account)}&ticket={quote(item.id)}"
        case "breaker":
            return "/breaker"
        case "staff" | "agency" | "return" | "sale" if item.waits_for == "approval":
            return f"/approvals/{item.kind}/{item.account}/{item.id.partition('.')[2] or item.id}"
        case _:
            return ""
