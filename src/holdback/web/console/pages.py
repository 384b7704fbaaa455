"""The console's pages, put together: each group of them is a file of its own beside this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from holdback.core.events import DAY, HOUR
from holdback.ports import Wanted
from holdback.web.console.account import Account
from holdback.web.console.alarms import AlarmDesk
from holdback.web.console.approvals import Approvals
from holdback.web.console.audit import Audit
from holdback.web.console.breaker import Breaker
from holdback.web.console.door import HOME, Door, Page
from holdback.web.console.enrolling import Enrolling
from holdback.web.console.legal import LegalDesk
from holdback.web.console.policy import PolicyView
from holdback.web.console.queue import Queue
from holdback.web.console.recoveries import Recoveries
from holdback.web.endpoint import Operation
from holdback.web.forms import FORM

if TYPE_CHECKING:
    from holdback.service import Service
    from holdback.web.console.door import Ask, Reader
    from holdback.web.endpoint import Reply


class Group(Protocol):
    """Pages of one subject."""

    def pages(self) -> dict[str, Page]:
        """What it serves, by path under the console."""

    def asks(self) -> dict[str, Ask]:
        """Where its forms go, and what they may ask."""


class Console:
    """All routes over one service. Example: `Console(service, "https://desk.example").operations()`."""

    def __init__(self, service: Service, origin: str) -> None:
        """Serve browsers at this origin."""
        self._door = Door(service, origin)
        self._groups: tuple[Group, ...] = (
            Queue(self._door),
            Recoveries(self._door),
            Account(self._door),
            AlarmDesk(self._door),
            Breaker(self._door),
            Audit(self._door),
            PolicyView(self._door),
            LegalDesk(self._door),
            Approvals(self._door),
            Members(self._door),
        )

    def operations(self) -> dict[str, dict[str, Operation]]:
        """The routes, by path and method."""
        door = self._door
        found: dict[str, dict[str, Operation]] = {
            f"{HOME}/sign-in": {"GET": Operation(door.sign_in_page), "POST": Operation(door.sign_in, takes=FORM)},
            f"{HOME}/sign-out": {"POST": Operation(door.sign_out, takes=FORM)},
            f"{HOME}/language": {"POST": Operation(door.site.speak, takes=FORM)},
            **Enrolling(door).operations(),
        }
        for group in self._groups:
            for path, page in group.pages().items():
                found.setdefault(f"{HOME}{path}", {}).update(door.page(path, page))
            for path, ask in group.asks().items():
                found.setdefault(f"{HOME}{path}", {}).update(door.ask(ask))
        return {
            path: {method: one._replace(dressed=door.site.troubled) for method, one in methods.items()}
            for path, methods in found.items()
        }


class Members:
    """Who the reader is himself."""

    def __init__(self, door: Door) -> None:
        """Show through this door."""
        self._door = door

    def pages(self) -> dict[str, Page]:
        """What it serves."""
        return {"/me": Page(self._me)}

    def asks(self) -> dict[str, Ask]:
        """No form of its own."""
        return {}

    async def _me(self, reader: Reader) -> Reply:
        """The roles that he holds, and how much he read lately of what he may."""
        service = self._door.service
        loaded = await service.store.read([Wanted(reader.member)])
        head = service.tools.snapshots.head(loaded.snapshots[reader.member])
        read_at = head.member.read_at if head.member is not None else ()
        counts = [sum(at > loaded.now - window for at in read_at) for window in (HOUR, DAY)]
        return self._door.room(reader, "me.html", counts=counts, most=service.tools.policy.staff)
