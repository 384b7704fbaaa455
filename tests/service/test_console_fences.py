"""What the console keeps from a colleague who means ill: a form says what was shown, and one's own case is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest
from tests.service.at_console import ORIGIN, Console
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, Colleague, staffed

from holdback import desk as desks
from holdback import oversight
from holdback.batching import Overloaded
from holdback.core import events as ev
from holdback.core.breaker import Flow
from holdback.core.events import MINUTE, Role
from holdback.core.rules.staff import StaffFlag, TicketOpen
from holdback.web.console.recoveries import CHECKS, FIELDS
from holdback.web.visitors import Visitor

if TYPE_CHECKING:
    from tests.service.house import Customer, Hands

    from holdback.ports import Store
    from holdback.service import Question

OPENING: dict[str, Any] = {"action": "recovery.open", "lost": ["password", "totp"], "actor": {"kind": "owner"}}
TICKS = {f"_check.{one}": "on" for one in CHECKS}
CODE = re.compile(r'data-(?:decision|code|trouble)="([^"]+)"')


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


def hidden(page: str, path: str) -> dict[str, str]:
    """The fields that a page put into its form for this place."""
    form = re.search(rf'<form method="post" action="/console{path}">(.*?)</form>', page, re.DOTALL)
    assert form is not None, page
    found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[1]))
    return {name: value for name, value in found.items() if name not in {"_account", "_word", "_back"}}


async def judging(house: House) -> tuple[Customer, Colleague, Console]:
    """Alice, of whom a recovery was opened, and one of the two who were drawn to judge it."""
    (alice,) = await settled(house, "alice")
    rita, _ = await staffed(house, rita=Role.REVIEWER, ron=Role.REVIEWER)
    return alice, rita, Console(house)


async def read(console: Console, member: Colleague, case: str) -> str:
    """What a form asks after reading a case: its page."""
    look = {"action": "staff.look_up", "ticket": case, "fields": list(FIELDS), "reason": "drawn"}
    return await console.asks(member, "/recovery/read", "alice", **look)


async def test_nobody_sees_in_his_queue_what_names_him(house: House) -> None:
    """An investigator's queue, and the desk of the API, have the cases of others, and none that concerns himself."""
    ivy, ian, _ = await staffed(house, ivy=Role.INVESTIGATOR, ian=Role.INVESTIGATOR, sue=Role.SUPPORT)
    at = house.clock.at
    await house.service.record(ivy.account, StaffFlag("rich", (ivy.account,), at - 1, 5, 6, 100))
    await house.service.record("staff-sue", StaffFlag("pair", ("staff-sue", ivy.account), at - 1, 5, 6, 100))
    console = Console(house)
    assert "/alarms/" not in (await console.reads(ivy, "")).text
    assert (await desks.Desk(house.service).queue(Role.INVESTIGATOR, "", 50, ivy.account)).items == ()
    of_others = (await console.reads(ian, "")).text
    assert f"/alarms/{ivy.account}" in of_others
    assert "/alarms/staff-sue" in of_others


async def test_what_is_asked_about_oneself_is_for_others(house: House) -> None:
    """Other roles that somebody asked for a member are on the pages of every colleague who may say so, not on his."""
    ann, bo, cy = await staffed(house, ann=Role.POLICY, bo=Role.POLICY, cy=Role.POLICY)
    assert (await ann.asks(bo.account, "staff.enrol", roles=["support", "policy"]))["decision"] == "hold"
    console, path = Console(house), f"/approvals/staff/{bo.account}/proposal"
    for one, shown in ((cy, True), (bo, False)):
        assert (path in (await console.reads(one, "/approvals")).text) is shown
        assert ("staff.enrol" in (await console.reads(one, path)).text) is shown


async def test_a_verdict_is_of_the_case_that_was_read(house: House) -> None:
    """Of a case that a stranger opened in the place of the one that was read, nothing is said, at a page or by API."""
    alice, rita, console = await judging(house)
    first = await alice.ask(OPENING)
    form = hidden(await read(console, rita, first["id"]), "/recovery/verdict")
    house.clock.at += 61 * MINUTE
    second = await alice.ask(OPENING)
    await rita.signs_in()
    said = await console.asks(
        rita, "/recovery/verdict", "alice", verdict="approve", reason="it is her", **form, **TICKS
    )
    assert CODE.findall(said) == ["changed"]
    for action, fields in (
        ("recovery.review", {"verdict": "approve", "reason": "it is her"}),
        ("recovery.evidence", {"kind": "in_person", "verdict": "right"}),
    ):
        answer = await rita.asks("alice", action, which=first["id"], **fields)
        assert answer["decision"] == "deny", action
    assert await house.happened("alice", ev.RecoveryReviewed) == []
    form = hidden(await read(console, rita, second["id"]), "/recovery/verdict")
    said = await console.asks(
        rita, "/recovery/verdict", "alice", verdict="approve", reason="it is her", **form, **TICKS
    )
    assert CODE.findall(said)[0] == "allow"


async def test_a_verdict_is_of_what_stood_there(house: House) -> None:
    """Who read a case before its owner objected reads it again before he approves it."""
    alice, rita, console = await judging(house)
    opened = await alice.ask(OPENING)
    form = hidden(await read(console, rita, opened["id"]), "/recovery/verdict")
    await alice.sign_in()
    assert (await alice.ask(alice.body("recovery.contest")))["decision"] == "allow"
    said = await console.asks(
        rita, "/recovery/verdict", "alice", verdict="approve", reason="it is her", **form, **TICKS
    )
    assert CODE.findall(said) == ["changed"]


async def test_what_a_form_lacks_is_what_it_asks(house: House) -> None:
    """An action in another field than the checklist's is no way past the checklist."""
    alice, rita, console = await judging(house)
    opened = await alice.ask(OPENING)
    form = hidden(await read(console, rita, opened["id"]), "/recovery/verdict")
    whole = msgspec.json.encode({"action": "recovery.review", "verdict": "approve", "reason": "-"}).decode()
    said = await console.asks(
        rita, "/recovery/verdict", "alice", **form | {"_action": whole, "verdict": "reject", "reason": "no"}
    )
    assert "allow" not in CODE.findall(said)
    assert await house.happened("alice", ev.RecoveryReviewed) == []


async def test_the_file_of_a_case_is_for_who_judges_it(house: House) -> None:
    """For a ticket nobody reads what was shown in a recovery, who judges it, or what is unlike the owner."""
    alice, rita, console = await judging(house)
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    await rita.signs_in()
    opened = await alice.ask(OPENING)
    for ticket in ("t-1", opened["id"]):  # the help desk names its tickets as it likes
        await house.service.record("alice", TicketOpen(ticket))
        assert "Claimed evidence" not in await read(console, sue, ticket)
    assert "Claimed evidence" not in await read(console, rita, "t-1")
    assert "Claimed evidence" in await read(console, rita, opened["id"])
    half = {"action": "staff.look_up", "ticket": opened["id"], "fields": ["recovery"], "reason": "drawn"}
    assert "<h1>This does not wait any more</h1>" in await console.asks(rita, "/recovery/read", "alice", **half)


async def test_a_reset_is_of_the_trip_that_was_looked_at(house: House) -> None:
    """A page that was made before the breaker tripped again resets nothing."""
    tom, tim = await staffed(house, tom=Role.TREASURER, tim=Role.TREASURER)
    console = Console(house)
    await house.service.trip("new_destinations", Flow(2, 0), Flow(1, 0))
    form = hidden((await console.reads(tom, "/breaker")).text, "/breaker")
    assert CODE.findall(await console.asks(tom, "/breaker", ev.BREAKER, **form))[0] == "hold"
    assert CODE.findall(await console.asks(tim, "/breaker", ev.BREAKER, **form))[0] == "allow"
    house.clock.at += MINUTE
    await house.service.trip("new_destinations", Flow(20, 0), Flow(1, 0))
    form.pop("_key")
    assert CODE.findall(await console.asks(tom, "/breaker", ev.BREAKER, **form)) == ["changed"]


async def test_a_case_is_closed_with_the_alarms_that_were_read(house: House) -> None:
    """An alarm that came after the page was made is not called explained by it."""
    ivy, sue = await staffed(house, ivy=Role.INVESTIGATOR, sue=Role.SUPPORT)
    console = Console(house)
    await house.service.record(sue.account, StaffFlag("rich", (sue.account,), house.clock.at - 1, 5, 6, 100))
    form = hidden((await console.reads(ivy, f"/alarms/{sue.account}")).text, "/alarms/case/close")
    house.clock.at += MINUTE
    await house.service.record(sue.account, StaffFlag("canary", (sue.account,), house.clock.at - 1, 1, 1, 0))
    assert CODE.findall(await console.asks(ivy, "/alarms/case/close", sue.account, **form)) == ["changed"]
    answer = await ivy.asks(sue.account, "incident.close", which="i1")
    assert (answer["decision"], answer["reasons"][0]["code"]) == ("deny", "not_found")
    form = hidden((await console.reads(ivy, f"/alarms/{sue.account}")).text, "/alarms/case/close")
    assert CODE.findall(await console.asks(ivy, "/alarms/case/close", sue.account, **form))[0] == "allow"


async def test_a_page_of_a_sale_wants_a_disputed_sale(house: House) -> None:
    """A link that names any payment is no page that says its buyer paid."""
    await settled(house, "alice")
    tom, _ = await staffed(house, tom=Role.TREASURER, tim=Role.TREASURER)
    page = (await Console(house).reads(tom, "/approvals/sale/alice/h99")).text
    assert "It goes back to the seller" not in page


async def test_approvals_are_not_crowded_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much else waits for a reader's roles, what waits for his second word is shown, a page at a time."""
    monkeypatch.setattr(desks, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(desks, "APPROVALS_MOST", 2)
    people = await settled(house, *(f"c-{number}" for number in range(5)))
    for one in people:
        await one.sign_in()
        assert (await one.ask(one.body("incident.report", story="all is gone")))["decision"] == "allow"
    first, second, third = await staffed(house, first=Role.POLICY, second=Role.POLICY, third=Role.INVESTIGATOR)
    for number in range(3):
        house.clock.at += MINUTE
        newcomer = Colleague(house, f"staff-new{number}")
        await first.asks(newcomer.account, "staff.enrol", **newcomer.enrolment(Role.SUPPORT))
    roles, kinds = (Role.INVESTIGATOR, Role.POLICY), frozenset({"staff"})
    page = await desks.Desk(house.service).approvals(roles, kinds, "", second.account)
    assert [one.account for one in page.items] == ["staff-new0", "staff-new1"]
    assert page.next is not None
    page = await desks.Desk(house.service).approvals(roles, kinds, page.next, second.account)
    assert ([one.account for one in page.items], page.next) == (["staff-new2"], None)
    console = Console(house)
    told = (await console.reads(second, "/approvals")).text
    assert "staff-new0" in told
    assert "Later ones" in told
    assert (await console.reads(third, "/approvals?cursor=nonsense")).status_code == 200
    monkeypatch.setattr(desks, "LOOKS_MOST", 1)
    page = await desks.Desk(house.service).approvals(roles, kinds, "", second.account)
    assert page.items == ()
    assert page.next is not None


async def test_people_are_told_in_words(house: House) -> None:
    """What a page of the console cannot read, and what no page has, is said on a page."""
    sue, aud = await staffed(house, sue=Role.SUPPORT, aud=Role.AUDITOR)
    console = Console(house)
    for said in (
        await console.reads(sue, "?nonsense=1", signed=False),
        await console.reads(aud, "/audit/alice"),
        await console.http.post(f"{console.http.base_url}sign-in", content=b"{}"),
    ):
        assert said.status_code in {400, 404, 415}
        assert said.headers["content-type"].startswith("text/html")
        assert "That did not work" in said.text
    listed = await console.asks(sue, "/approvals/ask", "alice", _action='{"action": ["exit.cancel"]}')
    assert CODE.findall(listed) == ["unknown"]


async def test_an_auditor_is_offered_no_step(house: House) -> None:
    """Who reads a legal request without handling such is shown how it stands, and no button."""
    await settled(house, "alice")
    leg, aud = await staffed(house, leg=Role.LEGAL, aud=Role.AUDITOR)
    console = Console(house)
    entered = await leg.asks(
        "alice", "legal.receive", agency="nca", legal_basis="subpoena", fields=["name"], secret_d=0
    )
    assert entered["decision"] == "allow", entered
    look = {"action": "staff.look_up", "ticket": entered["id"], "fields": ["legal_request"], "reason": "handling"}
    for one, offered in ((leg, True), (aud, False)):
        page = await console.asks(one, "/legal/read", "alice", **look)
        assert "1. Received" in page
        assert ("<form" in page) is offered


async def test_what_somebody_wrote_is_no_markup(house: House) -> None:
    """A name, a note, a ticket or a reason is shown letter for letter, in pages that scripts put in place, too."""
    written = '<img src=x onerror=alert(1)>"<script>alert(1)</script>'
    ivy, sue, ann, bo = await staffed(house, ivy=Role.INVESTIGATOR, sue=Role.SUPPORT, ann=Role.POLICY, bo=Role.POLICY)
    officers = [{"id": "o1", "name": written, "number": "+15550100199"}]
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    agency = {"name": written, "officers": officers, "recipient": recipient}
    assert (await ann.asks("agency-x", "agency.add", **agency))["decision"] == "hold"
    await house.service.record(sue.account, StaffFlag("rich", (sue.account,), house.clock.at - 1, 5, 6, 100))
    assert (await ivy.asks(sue.account, "incident.note", note=written))["decision"] == "allow"
    console = Console(house)
    for member, path in (
        (bo, "/approvals/agency/agency-x/proposal"),
        (ivy, f"/alarms/{sue.account}"),
        (ivy, f"/account?account=alice&ticket={quote(written)}"),
    ):
        page = (await console.reads(member, path)).text
        assert "&lt;img src=x" in page, path
        assert not re.search("<img|<script", page), path


async def test_an_auditor_is_told_of_every_agency(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many streams the place itself has, all of them are named."""
    monkeypatch.setattr(oversight, "AT_ONCE", 1)
    ann, _ = await staffed(house, ann=Role.POLICY, bo=Role.POLICY)
    recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    officers = [{"id": "o1", "name": "Dana Clerk", "number": "+15550100199"}]
    for name in ("one", "two", "three"):
        await ann.asks(f"agency-{name}", "agency.add", name=name, officers=officers, recipient=recipient)
    assert await oversight.Oversight(house.service).others() == ["agency-one", "agency-three", "agency-two"]


async def test_who_leaves_is_forgotten_by_the_browser(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signing out has the browser drop its cookie even while no session can be ended."""
    (sue,) = await staffed(house, sue=Role.SUPPORT)
    console = Console(house)

    async def busy(_question: Question) -> bytes:
        raise Overloaded

    monkeypatch.setattr(house.service, "ask", busy)
    cookie = {"cookie": f"__Host-console={sue.account}:{sue.session}", "origin": ORIGIN}
    word = Visitor(sue.account, sue.session, bound=True).word
    said = await console.http.post("/sign-out", data={"_word": word}, headers=cookie)
    assert (said.status_code, said.headers["location"]) == (303, "/console/sign-in")
    assert "Max-Age=0" in said.headers["set-cookie"]
