"""What an owner reads of the log: every action and event in words, and nothing that tells a thief how he is watched."""

from __future__ import annotations

import re
from typing import Final

import msgspec
import pytest
from tests.core.everything import EVERY
from tests.core.histories import grown
from tests.wording.test_asked import opened as opened_there
from tests.wording.test_said import Patient
from tests.wording.test_wording import AT, IP, KINDS, decided, event, head, opened, sealed

from holdback.activity import SUBJECTS
from holdback.core import events as ev
from holdback.core.decide import RULES
from holdback.core.decision import Allow, Deny, Hold, Reason, StepUp, why
from holdback.core.events import ENCODER, Actor, ActorKind, Severity
from holdback.core.rules.staff import LEGAL_REQUEST
from holdback.wording.asked import asked_again, asked_line
from holdback.wording.said import catalogue, in_words
from holdback.wording.to_owner import ACTIONS, ENDS, UNTOLD, asked_text, owner_line, reason_lines, title

CHINESE: Final = Patient(catalogue("zh"))


def line(one: ev.AnyEvent) -> str:
    """What the owner reads of an event."""
    return owner_line(one, opened, head(), None)


def test_every_action_and_decision_has_words() -> None:
    """No action or decision is shown by its name in the protocol, and each action is found somewhere."""
    assert ACTIONS.keys() == {str(one.__struct_config__.tag) for one in RULES}
    assert ENDS.keys() == {str(one.__struct_config__.tag) for one in (Allow, StepUp, Hold, Deny)}
    assert {one.partition(".")[0] for one in ACTIONS} == SUBJECTS.keys()
    assert len(set(ACTIONS.values())) == len(ACTIONS)
    for name in ACTIONS:
        text = title(decided(name, decision="hold"))
        assert name not in text
        assert re.fullmatch(r"[\u3000-\uffefAPI ]+", in_words(text, CHINESE)), text


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_is_told_or_left_out_on_purpose(kind: type) -> None:
    """Whatever happened is told to the owner in a sentence, unless it is in the table of what is not."""
    text = line(event(kind))
    assert bool(text) is (kind not in UNTOLD)
    assert not re.search(r"\b[a-z]+[._][a-z]+\b(?<!example\.com)", text), text


def test_no_sign_in_is_weighed_before_the_owner() -> None:
    """Neither the score nor its terms are told; that one more proof was asked for is."""
    terms = (ev.ScoreTerm("device", 290, "new"), ev.ScoreTerm("hour", -5))
    for raised, cools, told in (
        (True, False, "One more proof"),
        (False, True, "unlike those before"),
        (False, False, ""),
    ):
        text = line(event(ev.SignInScored, centinats=285, terms=terms, raised=raised, cools=cools))
        assert told in text
        assert bool(text) is bool(told)
        assert not re.search(r"\d|device|hour", text)
    findings = (why(Reason.RISK_ADDRESS), why(Reason.UNLIKE_OWNER), why(Reason.NO_HARM))
    found = reason_lines(msgspec.structs.replace(decided("session.start"), findings=findings))
    assert len(found) == 1
    assert found[0].startswith("This sign-in is unlike")


def test_nobody_of_the_staff_is_named() -> None:
    """The owner reads that a member of staff read what, for which ticket, and not which member."""
    read = event(ev.LookedUp, member="staff-ann", ticket="T-1", fields=("email", "phone"), revealed=False)
    assert line(read) == "A member of staff read for ticket T-1: email, phone (masked)."
    assert line(msgspec.structs.replace(read, revealed=True)).endswith("(as it is).")
    assert (
        line(msgspec.structs.replace(read, fields=(LEGAL_REQUEST,)))
        == "A member of staff read the legal request (T-1)."
    )
    closed = event(ev.IncidentClosed, by="staff-ann", incident="i7")
    assert line(closed) == "The case i7 was closed by a member of staff."
    assert "full proof" in line(msgspec.structs.replace(closed, by=""))
    by_staff = decided("staff.look_up", actor=Actor(ActorKind.STAFF, key="staff-ann"))
    assert asked_text(by_staff, opened, head()) == "Asked by a member of staff"


def test_who_asked_is_said_with_the_place() -> None:
    """The owner reads from where his account was asked, and that whoever signs in only says who he is."""
    assert asked_text(decided("exit.request"), opened, head()) == f"Asked by someone signed in as the owner, from {IP}"
    start = decided("session.start")
    assert asked_text(start, opened, None) == f"Asked by someone who says that they are the owner, from {IP}"
    nowhere = msgspec.structs.replace(start, ip=sealed("<b>"))
    assert asked_text(nowhere, opened, None) == "Asked by someone who says that they are the owner"
    by_key = decided("exit.request", actor=Actor(ActorKind.API_KEY, key="k3"))
    assert asked_text(by_key, opened, None) == f"Asked by API key k3, from {IP}"


def test_a_reason_says_until_when() -> None:
    """A reason that stands until an instant says it."""
    findings = (why(Reason.COOLING_OFF, until=AT),)
    (found,) = reason_lines(msgspec.structs.replace(decided("exit.request"), findings=findings))
    assert found.endswith("notice. Until 21 Nov 2026, 10:48 UTC.")
    assert in_words(found, CHINESE).startswith("账户近期有变更")


def test_what_followed_is_told_without_names_of_the_protocol() -> None:
    """A cool-off says until when payments wait, and a notice at how many contacts it is told."""
    cool = event(ev.CoolOffStarted, severity=Severity.MILD)
    assert line(cool).startswith(
        "So payments wait: to those you have paid for long (usual amounts excepted) until 22 Nov"
    )
    assert "excepted" not in line(msgspec.structs.replace(cool, severity=Severity.SEVERE))
    assert line(event(ev.NoticeDue, contacts=("c1",))) == "You are told at one contact."
    assert line(event(ev.NoticeDue, contacts=("c1", "c2"))) == "You are told at 2 contacts."
    assert line(event(ev.SessionSeen, password=True)) == "The password was proved again."
    assert line(event(ev.SessionSeen, password=False)) == ""


@pytest.mark.parametrize("name", EVERY)
def test_what_is_confirmed_is_worded_from_the_log_as_it_was_answered(name: str) -> None:
    """The line beside a challenge can be said again from what the log keeps of the question."""
    account, _ = grown()
    action = EVERY[name]
    once = asked_line(action, opened_there, account.everything())
    assert asked_again(ENCODER.encode(action), opened_there, account.everything()) in {once, ""}
    assert bool(asked_again(ENCODER.encode(action), opened_there, account.everything())) is bool(once)
