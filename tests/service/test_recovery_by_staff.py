"""What the staff may do in a recovery, over the whole service: open one blindly, and say what they saw."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.service.house import House, settled
from tests.service.office import WITH_PASSKEYS, staffed

from holdback.case_file import case_file
from holdback.core import events as ev
from holdback.core.events import DAY, Channel, Role
from holdback.core.rules.staff import TicketOpen

if TYPE_CHECKING:
    from tests.service.house import Customer, Hands
    from tests.service.office import Colleague

    from holdback.ports import Message, Store

ASKED = {"lost": ["password", "totp"], "ticket": "t-1", "reason": "lost the phone, called from a friend's"}
CHOSEN = "copper meadow seventeen lanterns"


@pytest.fixture
def house(store: Store, clock: Hands) -> House:
    """A house in which passkeys work."""
    return House(store, clock, given=WITH_PASSKEYS)


async def with_staff(house: House) -> tuple[Customer, list[Colleague]]:
    """Alice, an open ticket of hers, two of support and two reviewers."""
    (alice,) = await settled(house, "alice")
    sue, sam, rita, ron = await staffed(
        house, sue=Role.SUPPORT, sam=Role.SUPPORT, rita=Role.REVIEWER, ron=Role.REVIEWER
    )
    await house.service.record("alice", TicketOpen("t-1"))
    return alice, [sue, sam, rita, ron]


def key_mail(house: House, alice: Customer) -> Message:
    """The mail that brings what a recovery goes on with."""
    (found,) = [one for one in house.post[Channel.EMAIL].to(alice.mail) if "way back" in one.subject]
    return found


async def test_support_opens_and_never_sees_the_key(house: House) -> None:
    """The old mailbox gets it, the answer does not; with it the owner goes on, and the mail is no one else's."""
    alice, (sue, *_) = await with_staff(house)
    answer = await sue.asks("alice", "recovery.open", **ASKED)
    assert answer["decision"] == "allow", answer
    assert answer["session"] is None
    await house.deliver()
    mail = key_mail(house, alice)
    (token,) = re.findall(r"\b[0-9a-f]{64}\b", mail.text)
    assert "none of the staff has seen it" in mail.text
    assert token not in str(answer)
    assert not house.post[Channel.PUSH].to("alice")[-1].text.count(token)
    proofs = [{"kind": "totp", "response": alice.next_code()}]
    shown = await alice.ask(
        {
            "action": "recovery.evidence",
            "kind": "totp",
            "actor": {"kind": "owner", "session": token},
            "proofs": proofs,
        }
    )
    assert shown["decision"] == "allow", shown
    (opened,) = await house.happened("alice", ev.RecoveryOpened)
    assert (opened.asker.staff, opened.asker.ticket) == ("staff-sue", "t-1")
    assert set(opened.drawn) <= {"staff-rita", "staff-ron"}


async def test_support_needs_the_ticket(house: House) -> None:
    """Without an open ticket of this customer nobody of the staff opens anything, and reviewers never do."""
    _, (sue, _, rita, _) = await with_staff(house)
    assert (await sue.asks("alice", "recovery.open", **ASKED | {"ticket": "t-9"}))["reasons"][0]["code"] == (
        "ticket_required"
    )
    assert (await rita.asks("alice", "recovery.open", **ASKED))["reasons"][0]["code"] == "not_entitled"


async def test_who_came_in_person_comes_back(house: House) -> None:
    """Support saw the owner, two reviewers approve, two weeks pass in which all could object: a new password."""
    alice, (_, sam, *reviewers) = await with_staff(house)
    actor: dict[str, Any] = {"kind": "owner"}
    opened = await alice.ask({"action": "recovery.open", "lost": ["password", "totp"], "actor": actor})
    actor["session"] = opened["session"]["token"]
    for one in reviewers:  # who judges the whole says nothing of its parts
        said = await one.asks("alice", "recovery.evidence", kind="in_person", verdict="right")
        assert said["reasons"][0]["code"] == "not_entitled"
    seen = await sam.asks("alice", "recovery.evidence", kind="in_person", verdict="right")
    assert seen["decision"] == "allow", seen
    for one in reviewers:
        await one.signs_in()
        assert (await one.asks("alice", "recovery.review", verdict="approve", reason="it is her"))[
            "decision"
        ] == "allow"
    await house.deliver()
    finish = {"action": "recovery.finish", "actor": actor, "password": CHOSEN}
    house.clock.at += 13 * DAY
    assert (await alice.ask(finish))["reasons"][0]["code"] == "recovery_waits"
    house.clock.at += DAY
    assert (await alice.ask(finish))["decision"] == "allow"
    (shown,) = await house.happened("alice", ev.RecoveryShown)
    assert shown.judged_by == "staff-sam"
    assert await house.faults("alice", "staff-sam") == []


async def test_who_was_drawn_reads_the_case(house: House) -> None:
    """Law 6: those whom chance drew, and no other, read the case: masked, with what others know and what changed."""
    alice, (_, sam, rita, ron) = await with_staff(house)
    opened = await alice.ask(
        {
            "action": "recovery.open",
            "lost": ["password"],
            "actor": {"kind": "owner"},
            "context": {"ip": "203.0.113.7", "user_agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"},
        }
    )
    await sam.asks("alice", "recovery.evidence", kind="in_person", verdict="right")
    await alice.ask(
        {"action": "evidence.burn", "kinds": ["email_code"], "cause": "leak", "actor": {"kind": "platform"}}
    )
    look = {"ticket": opened["id"], "fields": ["recovery", "email"], "reason": "drawn"}
    await rita.signs_in()
    answer = await rita.asks("alice", "staff.look_up", **look)
    assert answer["decision"] == "allow", answer
    case = answer["customer"]["recovery"]
    assert (case["lost"], sorted(case["drawn"]), case["approved"]) == (["password"], ["staff-rita", "staff-ron"], [])
    assert case["shown"] == [{"evidence": "in_person", "class": "third_party", "burned": False}]
    assert (list(case["burned"]), case["opened_by"]) == (["email_code"], "owner")
    assert alice.mail not in str(answer)
    await ron.signs_in()
    assert (await sam.asks("alice", "staff.look_up", **look))["reasons"][0]["code"] == "ticket_required"

    file = await case_file(house.service, "alice", opened["id"])
    assert file is not None
    assert [(one.evidence, one.judged_by) for one in file.evidence] == [("in_person", "staff-sam")]
    assert file.sign_ins
    assert "device.met" in {one.what for one in file.changes}
    assert "missing" in {one.feature for one in file.risk}
    assert alice.mail not in str(file)
    assert await case_file(house.service, "nobody", "r1") is None


async def test_no_case_is_shown_as_none(house: House) -> None:
    """Who reads for a ticket of an account without a recovery sees that there is none, and what is burned."""
    _, (sue, *_) = await with_staff(house)
    answer = await sue.asks("alice", "staff.look_up", ticket="t-1", fields=["recovery"], reason="asked by telephone")
    assert answer["customer"] == {"recovery": {"id": None, "burned": {}}}
