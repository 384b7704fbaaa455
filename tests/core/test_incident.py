"""I was robbed: one call stops everything and opens a case that only full proof closes."""

from __future__ import annotations

from tests.core.histories import Account, codes, grown, kind_of, policy_with, sealed
from tests.core.recoveries import Claimant

from holdback.core import events as ev
from holdback.core.decision import Allow, Reason, StepUp
from holdback.core.events import Actor, ActorKind
from holdback.core.rules.incident import IncidentClose, IncidentNote, IncidentReport

MAIL = Actor(ActorKind.LINK, contact="c1-1")
PROOFS = ("a1-1", "a1-2")


def robbed(account: Account | None = None) -> tuple[Account, bytes]:
    """An account whose owner pressed the link and said what happened."""
    if account is None:
        account, session = grown()
    else:
        session = account.any_session()
    assert isinstance(account.ask(IncidentReport(sealed("all gone")), MAIL), Allow)
    return account, session


def test_a_report_stops_everything_and_opens_a_case() -> None:
    """From any contact, without a sign-in: frozen, what waited is cancelled, and the case has a number."""
    account, session = grown()
    assert kind_of(account.pay("900000", "home", session)) == "hold"
    robbed(account)
    assert account.head.frozen_at
    assert not account.head.exits
    assert account.head.incident is not None
    notices = [one.cause for one in account.last_events() if isinstance(one, ev.NoticeDue)]
    assert {"account.frozen", "incident.reported"} <= set(notices)


def test_a_report_objects_to_a_recovery() -> None:
    """Whoever was robbed by a recovery stops the next one with the same call."""
    account, _ = grown()
    Claimant(account).opens()
    robbed(account)
    assert account.head.recovery is None


def test_told_again_it_is_the_same_case() -> None:
    """A second report adds to the open case, and freezes again."""
    account, session = robbed()
    first = account.head.incident
    answer = account.ask(IncidentReport(sealed("and more")), session)
    assert isinstance(answer, Allow)
    assert first is not None
    assert answer.id == first.id
    assert account.head.incident is not None
    assert account.head.incident.notes == 1


def test_notes_are_bounded() -> None:
    """Whoever holds a link cannot fill the log: a case takes so many notes, and still stops everything."""
    account, session = grown(policy=policy_with(**{"bounds.incident_notes": 2}))
    assert codes(account.ask(IncidentNote(sealed("x")), session)) == [Reason.NOT_FOUND]
    robbed(account)
    for _ in range(2):
        assert isinstance(account.ask(IncidentNote(sealed("x")), MAIL), Allow)
    assert codes(account.ask(IncidentNote(sealed("x")), session)) == [Reason.TOO_MANY]
    assert isinstance(account.ask(IncidentReport(sealed("again")), session), Allow)
    assert not [one for one in account.last_events() if isinstance(one, ev.IncidentNoted)]


def test_only_full_proof_closes() -> None:
    """A stolen session does not say that all is well."""
    account, session = robbed()
    assert isinstance(account.ask(IncidentClose(), session), StepUp)
    assert codes(account.ask(IncidentClose("i999"), session, *PROOFS)) == [Reason.NOT_FOUND]
    assert isinstance(account.ask(IncidentClose(), session, *PROOFS), Allow)
    assert account.head.incident is None
    assert codes(account.ask(IncidentClose(), session, *PROOFS)) == [Reason.NOT_FOUND]


def test_a_contact_that_lost_its_right_reports_nothing() -> None:
    """One that is not confirmed freezes nothing, and so opens no case."""
    account, _ = grown()
    nobody = Actor(ActorKind.LINK, contact="c9-9")
    assert codes(account.ask(IncidentReport(sealed("x")), nobody)) == [Reason.FREEZE_RIGHT_LOST]
    robbed(account)
    assert codes(account.ask(IncidentNote(sealed("x")), nobody)) == [Reason.FREEZE_RIGHT_LOST]
