"""What investigators and auditors are shown of the staff: open cases and logs, a bounded piece at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.contracts.raw import execute
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, staffed
from tests.service.test_hand_edits import off_guard, quoted
from tests.service.test_reader_watch import canary

from holdback import alarms, audit, oversight
from holdback.alarms import Alarms
from holdback.breaker_watch import BreakerWatch
from holdback.core import events as ev
from holdback.core.events import HOUR, Role
from holdback.core.rules.staff import StaffFlag, TicketOpen
from holdback.oversight import Oversight
from holdback.ports import FlowRow, Writes
from holdback.reader_watch import ReaderWatch

if TYPE_CHECKING:
    from tests.contracts.conftest import Place
    from tests.service.house import Hands

    from holdback.ports import Store


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


async def test_a_case_says_what_raised_it(house: House) -> None:
    """An investigator sees whom a case is about, each alarm with its counts, and what was noted; never which canary."""
    name = await canary(house)
    sue, eve = await staffed(house, sue=Role.SUPPORT, eve=Role.INVESTIGATOR)
    await sue.asks(name, "staff.look_up", ticket="t-1", fields=["email"], reason="curious")
    assert not (await Alarms(house.service).cases(eve.account)).cases
    await ReaderWatch(house.service).look()
    flag = StaffFlag("unexplained", (sue.account,), house.clock.at - HOUR, 7, 9, 20)
    await house.service.record(sue.account, flag)
    assert (await eve.asks(sue.account, "incident.note", note="asked her; she was curious"))["decision"] == "allow"
    shown = Alarms(house.service)
    (case,) = (await shown.cases(eve.account)).cases
    assert (case.member, case.names, case.roles, case.notes) == (sue.account, (sue.account,), ("support",), 1)
    page = await shown.case(sue.account, eve.account)
    assert page is not None
    assert (page.case, page.next) == (case, None)
    assert [(one.why, one.ones, one.reads, one.usual_permille) for one in page.alarms] == [
        ("canary", 1, 1, 0),
        ("unexplained", 7, 9, 20),
    ]
    assert [(one.by, one.text) for one in page.notes] == [(eve.account, "asked her; she was curious")]
    assert name not in msgspec.json.encode(page).decode()
    await eve.asks(sue.account, "incident.close")
    assert not (await shown.cases(eve.account)).cases
    assert await shown.case(sue.account, eve.account) is None


async def test_nobody_sees_a_case_about_himself(house: House) -> None:
    """Whoever is asked after is not told by these pages: neither by his own case nor by one that names him."""
    sue, eve, aud = await staffed(house, sue=Role.SUPPORT, eve=Role.INVESTIGATOR, aud=Role.AUDITOR)
    pair = StaffFlag("pair", (sue.account, eve.account), house.clock.at - HOUR, 5, 6, 100)
    await house.service.record(sue.account, pair)
    shown, seen = Alarms(house.service), Oversight(house.service)
    for reader in (sue.account, eve.account):
        assert not (await shown.cases(reader)).cases
        assert await shown.case(sue.account, reader) is None
        assert await seen.log(sue.account, reader) is None
        assert sue.account not in [one.id for one in await seen.members(reader)]
    assert [one.member for one in (await shown.cases(aud.account)).cases] == [sue.account]
    assert await seen.log(aud.account, aud.account) is None
    assert await seen.checked(aud.account, aud.account) is None


async def test_a_long_case_is_read_in_pieces(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """One look reads no more than so many entries, and says where the next begins."""
    monkeypatch.setattr(alarms, "ENTRIES_MOST", 2)
    sue, eve = await staffed(house, sue=Role.SUPPORT, eve=Role.INVESTIGATOR)
    for number in range(5):
        flag = StaffFlag("rich", (sue.account,), house.clock.at - number - 1, 4 + number, 9, 20)
        await house.service.record(sue.account, flag)
    shown, found, after = Alarms(house.service), list[int](), 0
    while page := await shown.case(sue.account, eve.account, after):
        assert len(page.alarms) <= 2
        found += [one.ones for one in page.alarms]
        if page.next is None:
            break
        after = page.next
    assert found == [4, 5, 6, 7, 8]


async def test_an_auditor_reads_what_the_staff_did(house: House) -> None:
    """Members, their logs and the place's own are read page by page; of a customer's stream nothing is."""
    (alice,) = await settled(house, "alice")
    sue, aud = await staffed(house, sue=Role.SUPPORT, aud=Role.AUDITOR)
    await house.service.record(alice.account, TicketOpen("t-1"))
    for _ in range(30):
        await sue.asks("alice", "staff.look_up", ticket="t-1", fields=["email"], reason="asked for help")
        house.clock.at += 1
    seen = Oversight(house.service)
    (member,) = [one for one in await seen.members(aud.account) if one.id == sue.account]
    assert (member.roles, member.reads_h, member.reads_day, member.has_case) == (("support",), 30, 30, False)
    page = await seen.log(sue.account, aud.account)
    assert page is not None
    assert [(one.action, one.by, one.account) for one in page.lines] == [("staff.look_up", sue.account, "alice")] * 25
    assert {one.policy for one in page.lines} == {house.service.tools.policy.digest.hex()}
    numbers, before = [one.seq for one in page.lines], page.older
    while before:
        older = await seen.log(sue.account, aud.account, before)
        assert older is not None
        numbers += [one.seq for one in older.lines]
        before = older.older
    assert numbers == list(range(page.entries, 0, -1))
    for customers in ("alice", "alice.trading", "nobody", "staff-nobody", "staff-\0", "staff-sue/x"):
        assert await Alarms(house.service).case(customers, aud.account) is None
        assert await seen.log(customers, aud.account) is None
        assert await seen.checked(customers, aud.account) is None


async def test_what_keeps_the_whole_place_is_read_as_well(house: House) -> None:
    """The circuit breaker's stream stands beside the members', once there is one."""
    (aud,) = await staffed(house, aud=Role.AUDITOR)
    seen = Oversight(house.service)
    assert await seen.others() == []
    async with house.store.transaction() as transaction:
        await transaction.write(Writes(flows=[FlowRow(house.clock.at, 10**15, 0)]))
    await BreakerWatch(house.service).look()
    assert await seen.others() == [ev.BREAKER]
    page = await seen.log(ev.BREAKER, aud.account)
    assert page is not None
    assert [one.action for one in page.lines] == ["breaker.trip"]


@pytest.mark.parametrize("most", [1_000, 3])
async def test_a_check_finds_what_a_hand_changed(
    house: House, place: Place, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole streams, and the ends of long ones, are held against their head; what does not hold is named."""
    monkeypatch.setattr(oversight, "ENTRIES_MOST", most)
    sue, aud = await staffed(house, sue=Role.SUPPORT, aud=Role.AUDITOR)
    for _ in range(4):
        await sue.asks("alice", "staff.look_up", ticket="t-1", fields=["email"], reason="asked for help")
        await sue.signs_in()
    seen, entries = Oversight(house.service), (await house.head(sue.account)).seq
    found = await seen.checked(sue.account, aud.account)
    assert found is not None
    assert (found.of, found.entries, found.faults) == (entries, min(most, entries), ())
    await off_guard(place)
    (last,) = await house.store.entries(sue.account, entries - 1, 1)
    changed = quoted(place, last.body[:-1] + bytes([last.body[-1] ^ 1]))
    await execute(place, f"UPDATE entries SET body = {changed} WHERE account = '{sue.account}' AND seq = {entries}")  # noqa: S608 - the test's own values
    found = await seen.checked(sue.account, aud.account)
    assert found is not None
    assert found.faults == (f"{entries}: entry {entries} was altered",)
    await execute(place, f"DELETE FROM entries WHERE account = '{sue.account}' AND seq = {entries}")  # noqa: S608 - as above
    found = await seen.checked(sue.account, aud.account)
    assert found is not None
    assert len(found.faults) == 1


async def test_a_head_that_was_altered_is_found_at_the_end_of_a_long_log(house: House, place: Place) -> None:
    """The state's own mark is looked at too, where the log is too long to be folded."""
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await execute(place, f"UPDATE customers SET mac = {quoted(place, bytes(32))} WHERE account = '{sue.account}'")  # noqa: S608 - the test's own values
    found = await audit.check_end(house.store, house.service.tools.snapshots, sue.account, 2)
    assert found is not None
    assert [one.why for one in found.faults] == ["the state was altered"]
    assert await audit.check_end(house.store, house.service.tools.snapshots, "staff-nobody", 2) is None
