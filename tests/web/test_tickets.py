"""The help desk's tickets: for them, and for nothing that anybody else says, staff read customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.web.platform_side import is_problem

from holdback.core import events as ev
from holdback.core.events import decode_events
from holdback.web import problems

if TYPE_CHECKING:
    from tests.web.platform_side import Web

TICKETS = "/v1/accounts/alice/tickets/"


async def test_a_ticket_is_opened_and_closed(web: Web) -> None:
    """What the desk says is in the customer's own log, for as long as the policy has it."""
    for method in ("PUT", "DELETE"):
        response = await web.http.request(method, TICKETS + "1042", headers=web.key("tickets"))
        assert (response.status_code, response.content) == (204, b"")
    entries = await web.service.store.entries("alice", 0, 1_000)
    told = [event for entry in entries for event in decode_events(entry.body)]
    opened = next(one for one in told if isinstance(one, ev.TicketOpened))
    assert (opened.ticket, opened.until - opened.at) == ("1042", 30 * ev.DAY)
    assert isinstance(told[-1], ev.TicketClosed)


async def test_a_ticket_of_nobody_is_refused(web: Web) -> None:
    """An account that does not exist has no tickets, and a ticket has a name that can be told."""
    before = await web.dump()
    unknown = await web.http.request("PUT", "/v1/accounts/nobody/tickets/1", headers=web.key("tickets"))
    assert is_problem(unknown, problems.UNKNOWN_ACCOUNT)
    unnamed = await web.http.request("PUT", TICKETS + "a%20b", headers=web.key("tickets"))
    assert is_problem(unnamed, problems.BAD_REQUEST)
    assert await web.dump() == before
