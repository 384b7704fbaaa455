"""What the staff read is watched over the whole service, and what the watch says stays with whom it is about."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from tests.service.house import Customer, House
from tests.service.office import WITH_PASSKEYS, Colleague, staffed

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, Role
from holdback.core.rules.staff import TicketOpen
from holdback.reader_watch import ReaderWatch
from holdback.watching import Why

if TYPE_CHECKING:
    from tests.service.house import Hands

    from holdback.ports import Store


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


async def canary(house: House) -> str:
    """An account that is nobody's."""
    chosen = house.service.tools.canaries.chosen
    name = next(name for name in (f"c-{number}" for number in count()) if chosen(name))
    person = Customer(house, name)
    assert (await person.ask(person.importing()))["decision"] == "allow"
    return name


async def test_a_canary_sings(house: House) -> None:
    """Whoever tries to read one without a ticket has a case at once, once; an investigator closes it."""
    name = await canary(house)
    sue, eve = await staffed(house, sue=Role.SUPPORT, eve=Role.INVESTIGATOR)
    look = {"ticket": "t-1", "fields": ["email"], "reason": "curious"}
    assert (await sue.asks(name, "staff.look_up", **look))["decision"] == "deny"
    readers = ReaderWatch(house.service)
    assert [(one.why, one.staff, one.account) for one in await readers.look()] == [(Why.CANARY, (sue.account,), name)]
    assert await readers.look() == []
    await ReaderWatch(house.service).look()
    assert len(await house.happened(sue.account, ev.MemberFlagged)) == 1
    assert (await house.head(sue.account)).incident is not None
    assert (await sue.asks(sue.account, "incident.close"))["decision"] == "deny"
    assert (await eve.asks(sue.account, "incident.close"))["decision"] == "allow"
    assert await readers.look() == []
    assert (await house.head(sue.account)).incident is None
    assert not await house.faults(sue.account)


async def test_a_canary_with_a_ticket_is_silent(house: House) -> None:
    """Canaries write to the help desk, too: a read for their ticket is work."""
    name = await canary(house)
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record(name, TicketOpen("t-1"))
    look = {"ticket": "t-1", "fields": ["email"], "reason": "asked for help"}
    assert (await sue.asks(name, "staff.look_up", **look))["decision"] == "allow"
    assert await ReaderWatch(house.service).look() == []


async def test_a_recovery_after_a_read_is_counted(house: House) -> None:
    """A peek before a recovery is shown to the watch once, and one peek alone says nothing of anybody."""
    name = await canary(house)
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record(name, TicketOpen("t-1"))
    look = {"ticket": "t-1", "fields": ["email"], "reason": "asked for help"}
    await sue.asks(name, "staff.look_up", **look)
    readers = ReaderWatch(house.service)
    assert await readers.look() == []
    house.clock.at += HOUR
    opened = await house.ask(name, {"action": "recovery.open", "actor": {"kind": "owner"}, "lost": ["password"]})
    assert opened["decision"] == "allow"
    assert [await readers.look(), peeks(readers, sue)] == [[], 1]
    assert [await readers.look(), peeks(readers, sue)] == [[], 1]


async def test_a_restart_forgets_no_peek(house: House) -> None:
    """A recovery that is over, and reads after it, hide from nobody who begins anew that it was read before it."""
    name = await canary(house)
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await house.service.record(name, TicketOpen("t-1"))
    look = {"ticket": "t-1", "fields": ["email"], "reason": "asked for help"}
    await sue.asks(name, "staff.look_up", **look)
    house.clock.at += HOUR
    opening = {"action": "recovery.open", "actor": {"kind": "owner"}, "lost": ["password"]}
    opened = await house.ask(name, opening)
    house.clock.at += DAY
    token = opened["session"]["token"]
    cancelling = {"action": "recovery.cancel", "actor": {"kind": "owner", "session": token}}
    assert (await house.ask(name, cancelling))["decision"] == "allow"
    assert (await house.head(name)).recovery is None
    await sue.asks(name, "staff.look_up", **look)
    readers = ReaderWatch(house.service)
    assert [await readers.look(), peeks(readers, sue)] == [[], 1]


def peeks(readers: ReaderWatch, sue: Colleague) -> int:
    """How many of her reads were followed by a recovery, as far as the watch knows."""
    assert readers.watch is not None
    return readers.watch.counted(Why.PEEK, Role.SUPPORT, sue.account)[0]
