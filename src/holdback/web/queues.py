"""What waits, over HTTP: a customer's own recovery, by the token of whoever opened it, and the queues of the staff."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback.core.events import Role
from holdback.desk import Desk, marked_page
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


MEMBER_HEADER: Final = b"holdback-member"
SESSION_HEADER: Final = b"holdback-session"
CALLED_HEADER: Final = b"holdback-called"
"""The address that the member's browser called, as the platform saw it: what the device signed is for that one."""
PROOF_HEADER: Final = b"dpop"
HEADER_MOST: Final = 4_096


class Reader(NamedTuple):
    """Who reads the desk, and for which roles."""

    member: str
    roles: tuple[str, ...]


async def _proved(service: Service, call: Call) -> Reader:
    """Who of the staff reads, by session and device key (RFC 9449); nobody, if anything of it is missing or wrong.

    A proof that was only read with is not remembered, for reading writes nothing: it serves again for a minute.
    """
    names = (MEMBER_HEADER, SESSION_HEADER, CALLED_HEADER, PROOF_HEADER)
    shown = [call.headers.get(name, b"")[: HEADER_MOST + 1] for name in names]
    if any(not one or len(one) > HEADER_MOST or not one.isascii() for one in shown):
        return Reader("", ())
    member, session, called, proof = (one.decode() for one in shown)
    fact = await service.attending(member, session, proof, ("GET", called))
    return Reader(member, fact.roles)


class Queues:
    """The handlers. `attends` replaces how one of the staff is known, for tests of what is read."""

    def __init__(self, service: Service, attends: Callable[[Call], Awaitable[Reader]] | None = None) -> None:
        """Read through this service."""
        self._service = service
        self._desk = Desk(service)
        self._attends = attends or partial(_proved, service)

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
        reader = await self._attends(call)
        if role not in reader.roles:
            raise Problem(problems.STAFF_ONLY)
        try:
            page = await self._desk.queue(role, given.get("cursor", ""), int(limit), reader.member)
        except ValueError:
            raise BadRequest("`cursor` must be what `next` was on the page before") from None
        return Reply(msgspec.json.encode(marked_page(page, reader.member, self._service.tools.masters.mark_keys())))
