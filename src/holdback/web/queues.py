"""What waits, over HTTP: a customer's own recovery, by the token of whoever opened it, and the queues of the staff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core.events import Role
from holdback.desk import Desk
from holdback.intake import BadRequest
from holdback.views import LARGEST
from holdback.web import problems
from holdback.web.endpoint import Call, Operation, Reply
from holdback.web.keys import Scope
from holdback.web.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from holdback.service import Service

RECOVERY: Final = "/v1/accounts/{account}/recovery"
DESK: Final = "/v1/desk"

TOKEN_HEADER: Final = b"holdback-recovery"
"""Carries the token: not the path or the query, which end in logs."""

TOKEN_MOST: Final = 512
PAGE: Final = 50


async def nobody(_call: Call) -> frozenset[str]:
    """The roles of whoever of the staff reads, until there is a way for them to prove it here: none."""
    return frozenset()


class Queues:
    """The handlers. `attends` says which roles the member of staff holds who calls; with none nobody was proved."""

    def __init__(self, service: Service, attends: Callable[[Call], Awaitable[frozenset[str]]] = nobody) -> None:
        """Read through this service."""
        self._desk = Desk(service)
        self._attends = attends

    def operations(self) -> dict[str, dict[str, Operation]]:
        """Their routes."""
        return {
            RECOVERY: {"GET": Operation(self.recovery, Scope.READ)},
            DESK: {"GET": Operation(self.queue, Scope.READ)},
        }

    async def recovery(self, call: Call) -> Reply:
        """How a recovery stands, for its token. Whatever is wrong with it is one answer."""
        call.parameters()
        token = call.headers.get(TOKEN_HEADER, b"")
        found = None
        if 0 < len(token) <= TOKEN_MOST and token.isascii():
            found = await self._desk.progress(call.path["account"], token.decode())
        if found is None:
            raise Problem(problems.UNKNOWN_RECOVERY)
        return Reply(msgspec.json.encode(found))

    async def queue(self, call: Call) -> Reply:
        """What waits for one role, for who holds it."""
        given = call.parameters("role", "cursor", "limit")
        role, limit = given.get("role", ""), given.get("limit", str(PAGE))
        if role not in set(Role):
            raise BadRequest(f"`role` must be one of {', '.join(Role)}")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:6]) <= LARGEST:
            raise BadRequest(f"`limit` must be from 1 to {LARGEST}")
        if role not in await self._attends(call):
            raise Problem(problems.STAFF_ONLY)
        try:
            page = await self._desk.queue(role, given.get("cursor", ""), int(limit))
        except ValueError:
            raise BadRequest("`cursor` must be what `next` was on the page before") from None
        return Reply(msgspec.json.encode(page))
