"""The console's desk: which roles see what, what refusals say, and that an auditor changes nothing."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.contracts.raw import execute
from tests.service.at_console import Console
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, Colleague, staffed
from tests.service.test_hand_edits import quoted
from tests.service.test_reader_watch import canary

from holdback import meanings, wiring
from holdback.core import events as ev
from holdback.core.breaker import Flow
from holdback.core.decide import RULES
from holdback.core.events import ActorKind, Role
from holdback.core.rules.staff import StaffFlag, TicketOpen
from holdback.desk import marked_instants
from holdback.outflows import Outflows
from holdback.reader_watch import ReaderWatch
from holdback.web.console.pages import Console as Pages

if TYPE_CHECKING:
    from tests.contracts.conftest import Place
    from tests.service.house import Hands

    from holdback.ports import Store

SEEN_BY = {
    "/account": {Role.SUPPORT, Role.REVIEWER, Role.LEGAL, Role.INVESTIGATOR},
    "/alarms": {Role.INVESTIGATOR, Role.AUDITOR},
    "/breaker": {Role.TREASURER, Role.INVESTIGATOR, Role.AUDITOR},
    "/breaker/series": {Role.TREASURER, Role.INVESTIGATOR, Role.AUDITOR},
    "/audit": {Role.AUDITOR},
    "/audit/staff-support": {Role.AUDITOR},
    "/audit/staff-support/check": {Role.AUDITOR},
    "/policy": set(Role),
}
FILLED: dict[str, dict[str, object]] = {
    "staff.look_up": {"ticket": "t", "fields": ["email"], "reason": "to see"},
    "incident.note": {"note": "a word of mine"},
}
FORM = re.compile(r"<form[^>]*>")


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


async def everybody(house: House) -> dict[Role, Colleague]:
    """One of the staff of each role, named after it."""
    people = await staffed(house, **{role.value: role for role in Role})
    return dict(zip(Role, people, strict=True))


async def test_each_page_opens_for_its_roles_alone(house: House) -> None:
    """A page shows what it has to who holds one of its roles and whose device signs; to all others nothing of it."""
    people, console = await everybody(house), Console(house)
    for path, roles in SEEN_BY.items():
        for role, member in people.items():
            shown = await console.reads(member, path)
            assert (shown.status_code == 200) is (role in roles), (path, role)
        bare = await console.reads(next(one for role, one in people.items() if role in roles), path, signed=False)
        assert 'aria-busy="true"' in bare.text


async def test_a_refused_look_says_what_to_do(house: House) -> None:
    """Without a ticket, with nothing chosen, and beyond the cap nothing is shown, and the page says why in words."""
    (alice,) = await settled(house, "alice")
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    console = Console(house)
    look = {"action": "staff.look_up", "ticket": "t-1", "fields": ["email"], "reason": "asked for help"}
    said = await console.asks(sue, "/account", "alice", **look)
    assert 'data-code="ticket_required"' in said
    assert "The help desk opens it" in said
    await house.service.record("alice", TicketOpen("t-1"))
    said = await console.asks(sue, "/account", "alice", **look)
    assert 'data-decision="allow"' in said
    assert alice.mail not in said
    assert 'data-field="email"' in said
    said = await console.asks(sue, "/account", "alice", **look | {"reveal": "true"})
    assert alice.mail in said
    assert 'data-trouble="BadRequest"' in await console.asks(sue, "/account", "alice", **look | {"fields": []})
    for _ in range(house.service.tools.policy.staff.reads_per_h - 2):
        house.clock.at += 1
        await console.asks(sue, "/account", "alice", **look)
    said = await console.asks(sue, "/account", "alice", **look)
    assert 'data-code="too_many"' in said
    assert re.search(r"You may read again from <time", said)
    seen = await house.happened("alice", ev.LookedUp)
    assert [(one.member, one.revealed) for one in seen[:2]] == [(sue.account, False), (sue.account, True)]


async def test_an_auditor_is_offered_nothing_and_refused_everything(house: House) -> None:
    """No page of an auditor's has a form, and whatever a form or a platform could ask as him is refused."""
    people, console = await everybody(house), Console(house)
    auditor, member = people[Role.AUDITOR], people[Role.SUPPORT]
    name = await canary(house)
    await member.asks(name, "staff.look_up", ticket="t", fields=["email"], reason="curious")
    await ReaderWatch(house.service).look()
    paths = [path for path, roles in SEEN_BY.items() if Role.AUDITOR in roles]
    for path in (*paths, "", "/me", f"/alarms/{member.account}"):
        shown = await console.reads(auditor, path)
        assert shown.status_code == 200, path
        assert FORM.findall(shown.text) == [], path
    before, stood = len(await house.story(auditor.account)), [await house.head(one) for one in (member.account, name)]
    operations = Pages(house.service, "https://desk.example").operations()
    places = {path.removeprefix("/console") for path, methods in operations.items() if "POST" in methods}
    asked = 0
    for kind, rule in RULES.items():
        if ActorKind.STAFF not in rule.actors:
            continue
        action = str(kind.__struct_config__.tag)
        for about in ("alice", member.account, ev.BREAKER, name):
            for place in places - {"/sign-in", "/sign-out", "/language", "/enrol"}:
                said = await console.asks(auditor, place, about, action=action, **FILLED.get(action, {}))
                assert 'data-decision="allow"' not in said, (action, place)
                assert 'data-decision="hold"' not in said, (action, place)
            asked += 1
    assert asked > 20
    left = (await house.story(auditor.account))[before:]
    assert {"staff.look_up", "incident.note", "incident.close", "breaker.reset"} <= {action for action, _ in left}
    assert {decision for _, decision in left} == {"deny"}
    after = [await house.head(one) for one in (member.account, name)]
    assert [(one.incident, one.member, one.readers) for one in after] == [
        (one.incident, one.member, one.readers) for one in stood
    ]


async def test_an_auditor_follows_a_read_to_its_log(house: House) -> None:
    """Who read whom for which ticket, under which policy, and whether the log holds, is found from the first page."""
    people, console = await everybody(house), Console(house)
    await settled(house, "alice")
    sue, auditor = people[Role.SUPPORT], people[Role.AUDITOR]
    await sue.signs_in()
    await auditor.signs_in()
    await house.service.record("alice", TicketOpen("t-1"))
    await sue.asks("alice", "staff.look_up", ticket="t-1", fields=["email"], reason="asked for help")
    overview = unescape((await console.reads(auditor, "/audit")).text)
    digest = house.service.tools.policy.digest.hex()
    assert f'href="/console/audit/{sue.account}"' in overview
    assert digest in overview
    log = unescape((await console.reads(auditor, f"/audit/{sue.account}")).text)
    assert "staff.look_up</strong> about alice" in log
    assert "ticket t-1" in log
    assert digest in log
    assert 'data-faults="0"' in (await console.reads(auditor, f"/audit/{sue.account}/check")).text
    for path in ("/audit/alice", "/audit/alice/check", f"/audit/{auditor.account}", f"/alarms/{sue.account}"):
        assert (await console.reads(auditor, path)).status_code == 404


async def test_a_row_that_was_altered_hides_no_other(house: House, place: Place) -> None:
    """An auditor still sees all members, and which row somebody changed behind Holdback; its check says so too."""
    sue, auditor = await staffed(house, sue=Role.SUPPORT, auditor=Role.AUDITOR)
    await execute(place, f"UPDATE customers SET mac = {quoted(place, bytes(32))} WHERE account = '{sue.account}'")  # noqa: S608 - the test's own values
    console = Console(house)
    overview = unescape((await console.reads(auditor, "/audit")).text)
    assert f'href="/console/audit/{sue.account}/check"' in overview
    assert "this row was altered behind Holdback" in overview
    assert (await console.reads(auditor, f"/audit/{sue.account}")).status_code == 404
    assert (
        f"until whoever runs the database has looked: {sue.account}." in (await console.reads(auditor, "/alarms")).text
    )
    assert (await console.reads(auditor, f"/alarms/{sue.account}")).status_code == 404
    checked = unescape((await console.reads(auditor, f"/audit/{sue.account}/check")).text)
    assert "the state was altered" in checked


async def test_what_an_older_policy_decided_says_so(house: House) -> None:
    """In a log each entry that another policy than the one in force decided names that one."""
    _, auditor = await staffed(house, sue=Role.SUPPORT, auditor=Role.AUDITOR)
    said = "Under another policy than the one in force"
    assert said not in (await Console(house).reads(auditor, "/audit/staff-sue")).text
    tools = house.service.tools
    newer = msgspec.structs.replace(tools.policy, name="newer")
    house.service.tools = tools._replace(policy=newer)
    page = (await Console(house).reads(auditor, "/audit/staff-sue")).text
    assert said in page
    assert tools.policy.digest.hex() in page


async def test_the_queue_leads_to_where_it_is_worked_on(house: House) -> None:
    """A robbery leads to its customer with the case as ticket, a colleague's to the alarms, a trip to the breaker."""
    (alice,) = await settled(house, "alice")
    sue, eve = await staffed(house, sue=Role.SUPPORT, eve=Role.INVESTIGATOR)
    await alice.sign_in()
    case = (await alice.ask(alice.body("incident.report", story="all is gone")))["id"]
    await house.service.record(sue.account, StaffFlag("rich", (sue.account,), house.clock.at - 1, 5, 6, 100))
    await house.service.trip("new_destinations", Flow(2, 0), Flow(1, 0))
    queue = unescape((await Console(house).reads(eve, "")).text)
    for way in (f"/account?account=alice&ticket={case}", f"/alarms/{sue.account}", "/breaker"):
        assert f'href="/console{way}"' in queue
    asking = (await Console(house).reads(eve, f"/account?account=alice&ticket={case}")).text
    assert f'name="ticket" value="{case}"' in asking
    look = {"action": "staff.look_up", "ticket": case, "fields": ["email"], "reason": "to help"}
    assert 'data-decision="allow"' in await Console(house).asks(eve, "/account", "alice", **look)


async def test_lists_are_each_readers_own_copy(house: House) -> None:
    """Two auditors have the same seconds of a log, of members and of cases, and milliseconds that tell them apart."""
    sue, one, two = await staffed(house, sue=Role.SUPPORT, one=Role.AUDITOR, two=Role.AUDITOR)
    for number in range(20):
        flag = StaffFlag("rich", (sue.account,), house.clock.at - number - 1, 5, 6, 100)
        await house.service.record(sue.account, flag)
        house.clock.at += 1_000
    console, keys = Console(house), house.service.tools.masters.mark_keys()
    for path in ("/audit/staff-sue", "/audit", "/alarms"):
        pages = [(await console.reads(member, path)).text.partition("<main")[2] for member in (one, two)]
        mine, others = (re.findall(r'datetime="([^"]+)"', page) for page in pages)
        assert mine
        assert marked_instants(mine, one.account, keys) == mine
        assert marked_instants(others, two.account, keys) == others
        if path == "/audit/staff-sue":
            assert [at[:19] for at in mine] == [at[:19] for at in others]
            assert mine != others


async def test_the_chart_has_the_numbers_of_the_table(house: House) -> None:
    """What the chart is drawn from and what the table shows are the same hours and sums."""
    (tim,) = await staffed(house, tim=Role.TREASURER)
    console = Console(house)
    for days in (1, 7):
        series = msgspec.json.decode((await console.reads(tim, f"/breaker/series?days={days}")).content)["hours"]
        assert series == msgspec.to_builtins(await Outflows(house.service).series(days))
        page = (await console.reads(tim, f"/breaker?days={days}")).text
        cells = re.findall(r'data-usd="(\d+)"', page)
        told = [
            one[name]
            for one in series[::-1]
            for name in ("new_usd", "new_limit_usd", "changed_usd", "changed_limit_usd")
        ]
        assert cells == told
    assert (await console.reads(tim, "/breaker?days=400")).status_code == 200


async def test_the_policy_is_shown_whole(house: House) -> None:
    """Every key of the policy in force stands on its page once, with the meaning that the file gives it."""
    (tim,) = await staffed(house, tim=Role.TREASURER)
    page = unescape((await Console(house).reads(tim, "/policy")).text)
    default = wiring.load_policy("default")
    tables = meanings.told(house.service.tools.policy, default, wiring.policy_text("default"))
    assert re.findall(r'<tr data-key="([^"]+)"', page) == [one.key for table in tables for one in table.numbers]
    assert all(f"<td>{one.meaning}.</td>" in page for table in tables for one in table.numbers)
    assert house.service.tools.policy.digest.hex() in page
