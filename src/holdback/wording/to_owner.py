"""The log as its owner reads it: what was asked, by whom, how it ended, and what followed.

Whoever reads it may be a thief in the owner's session. So nothing here says how a sign-in was weighed, which accounts
are watched together, or who of the staff did something; all of that is in `happened`, for those who may read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core import events as ev
from holdback.core.decision import Reason
from holdback.core.events import ActorKind, Severity
from holdback.core.rules.staff import LEGAL_REQUEST
from holdback.wording.asked import Known
from holdback.wording.happened import event_line
from holdback.wording.reasons import sentence
from holdback.wording.said import listed, said, sentences, term
from holdback.wording.words import WHO, day_text, network_text

if TYPE_CHECKING:
    from holdback.core.events import AnyEvent, Finding
    from holdback.core.state import Head
    from holdback.wording.words import Opened


ACTIONS: Final[dict[str, str]] = {
    "account.import": said("Protect the account"),
    "account.freeze": said("Freeze the account"),
    "account.unfreeze": said("Unfreeze the account"),
    "session.start": said("Sign in"),
    "session.end": said("Sign out one device"),
    "session.end_all": said("Sign out everywhere"),
    "session.failures": said("Sign-ins that failed"),
    "password.change": said("Change the password"),
    "authenticator.bind": said("Add a way of confirming"),
    "authenticator.confirm": said("Show that a new way of confirming works"),
    "authenticator.remove": said("Remove a way of confirming"),
    "authenticator.suspend": said("Suspend a way of confirming"),
    "authenticator.reinstate": said("Use a suspended way of confirming again"),
    "contact.add": said("Add a contact"),
    "contact.confirm": said("Confirm a contact"),
    "contact.remove": said("Remove a contact"),
    "contact.report_recycled": said("Report a number or mailbox as given to someone else"),
    "address.add": said("Enter somebody in the address book"),
    "address.renew": said("Confirm somebody in the address book again"),
    "address.remove": said("Take somebody out of the address book"),
    "allowlist.set": said("Say whether only the address book may be paid"),
    "lock.set": said("Set how long loosening waits"),
    "limit.set": said("Set the daily limit, or open what is closed to trading"),
    "vault.set": said("Set the vault"),
    "change.cancel": said("Keep a protection that was to be taken away"),
    "exit.request": said("Send money"),
    "exit.cancel": said("Stop a waiting payment"),
    "exit.release": said("Let a waiting payment go"),
    "exit.settle": said("Report that a payment is final"),
    "exit.reconcile": said("Count a payment again after a restore"),
    "api_key.create": said("Make an API key"),
    "api_key.suspend": said("Suspend an API key, or let it work again"),
    "api_key.revoke": said("Revoke an API key"),
    "api_key.leaked": said("Report that an API key leaked"),
    "order.place": said("Place an order"),
    "order.report": said("Report what became of an order"),
    "order.lease": said("Let orders of a program go for a moment"),
    "deposit.receive": said("Receive a deposit"),
    "recovery.open": said("Open a recovery of the account"),
    "recovery.evidence": said("Show evidence in a recovery"),
    "recovery.review": said("Judge a recovery"),
    "recovery.contest": said("Object to a recovery"),
    "recovery.cancel": said("End a recovery"),
    "recovery.finish": said("Finish a recovery"),
    "recovery.remind": said("Remind of a recovery that is open"),
    "evidence.burn": said("Say that others know what would prove who you are"),
    "incident.report": said("Report a robbery"),
    "incident.note": said("Add to the report of a robbery"),
    "incident.close": said("Close the report of a robbery"),
    "legal.receive": said("Take in an authority's request"),
    "legal.freeze_order": said("Take in an authority's order to stop payments"),
    "legal.call_back": said("Call an authority back"),
    "legal.approve": said("Agree to an authority's request"),
    "legal.release": said("Carry out an authority's request"),
    "legal.reject": said("Turn down an authority's request, or end its order"),
    "staff.look_up": said("Read the account"),
    "staff.enrol": said("Make somebody a member of staff"),
    "staff.retire": said("Take somebody out of the staff"),
    "staff.flag": said("Ask what a member of staff read"),
    "ticket.open": said("Open a ticket at the help desk"),
    "ticket.close": said("Close a ticket at the help desk"),
    "notice.outcome": said("Deliver a message to you"),
    "breaker.trip": said("Hold larger payments of the whole platform"),
    "breaker.reset": said("Let larger payments of the whole platform go again"),
    "agency.add": said("Enter an authority in the registry"),
    "agency.remove": said("Take an authority out of the registry"),
}
"""Every action, as something that somebody wanted."""

ENDS: Final[dict[str, str]] = {
    "allow": said("done"),
    "step_up": said("more proof was asked for"),
    "hold": said("it waits"),
    "deny": said("refused"),
}
"""Every decision, as how it ended."""

DUE: Final = said("A wait came to its end")
"""For an entry whose question nobody may see yet, and whose other events are the owner's own."""

UNTOLD: Final = (
    ev.Decided,
    ev.ChallengeClosed,
    ev.DeviceProofSpent,
    ev.PlaceSeen,
    ev.CredentialRehashed,
    ev.NoticeFolded,
    ev.ApiKeySigned,
    ev.Tied,
    ev.ProceedsSeen,
    ev.ProceedsHeld,
    ev.LeaseGranted,
    ev.LeaseSettled,
    ev.MemberFlagged,
    ev.ColleagueJudged,
)
"""What the owner is not told: what is said beside it already, and what tells a thief how he is watched."""

_UNPROVED: Final = frozenset({"session.start", "recovery.open", "recovery.evidence", "recovery.finish"})
_SAYS_NOTHING: Final = frozenset({Reason.NO_HARM, Reason.PROVED, Reason.TIGHTENING})
_RISK: Final = "risk_"


def who_text(decided: ev.Decided, opened: Opened, head: Head | None) -> str:
    """Who asked, as far as the owner may know: no member of staff is named, and a sign-in proves nobody yet."""
    if decided.actor.kind is ActorKind.API_KEY:
        return Known(opened, head, decided).api_key(decided.actor.key)
    if decided.actor.kind is ActorKind.OWNER and decided.action in _UNPROVED:
        return said("someone who says that they are the owner")
    return WHO[decided.actor.kind]


def asked_text(decided: ev.Decided, opened: Opened, head: Head | None) -> str:
    """By whom it was asked, and from where if it was not one of the platform's own people."""
    who = who_text(decided, opened, head)
    theirs = decided.actor.kind in {ActorKind.OWNER, ActorKind.LINK, ActorKind.API_KEY}
    where = network_text(opened(decided.ip)) if theirs and decided.ip is not None else ""
    if where:
        return said("Asked by {who}, from {network}", who=who, network=where)
    return said("Asked by {who}", who=who)


def reason_lines(decided: ev.Decided) -> tuple[str, ...]:
    """Why, in sentences: without what says nothing afterwards, and without how a sign-in was weighed."""
    told = (one for one in decided.findings if not one.code.startswith(_RISK) and one.code not in _SAYS_NOTHING)
    return tuple(map(_reason_line, told))


def _reason_line(finding: Finding) -> str:
    until = said("Until {until}.", until=day_text(finding.until)) if finding.until is not None else ""
    return sentences(term(sentence(Reason(finding.code))), until)


def owner_line(event: AnyEvent, opened: Opened, head: Head | None, decided: ev.Decided | None) -> str:
    """What followed, for the owner; "" for what he is not told."""
    match event:
        case ev.SignInScored():
            return _unlike(event)
        case ev.SessionSeen():
            return said("The password was proved again.") if event.password else ""
        case ev.CoolOffStarted():
            return said(
                "So payments wait: to those you have paid for long{spared} until {senior}, to others until {others}, "
                "at the earliest.",
                spared=said(" (usual amounts excepted)") if event.severity is Severity.MILD else "",
                senior=day_text(event.senior_until),
                others=day_text(event.others_until),
            )
        case ev.NoticeDue():
            count = len(event.contacts)
            return (
                said("You are told at one contact.") if count == 1 else said("You are told at {n} contacts.", n=count)
            )
        case ev.WaitMoved():
            return said("We could tell you, so a wait runs until {until}.", until=day_text(event.until))
        case ev.LookedUp():
            return _read(event)
        case ev.IncidentClosed() if event.by:
            return said("The case {case} was closed by a member of staff.", case=event.incident)
        case _:
            return "" if isinstance(event, UNTOLD) else event_line(event, opened, head, decided)


def _unlike(event: ev.SignInScored) -> str:
    if not event.raised and not event.cools:
        return ""
    asked = said("One more proof was asked for.") if event.raised else ""
    return sentences(said("This sign-in was unlike those before it."), asked)


def _read(event: ev.LookedUp) -> str:
    if event.fields == (LEGAL_REQUEST,):
        return said("A member of staff read the legal request ({name}).", name=event.ticket)
    return said(
        "A member of staff read for ticket {ticket}: {fields} ({how}).",
        ticket=event.ticket,
        fields=listed(map(term, event.fields)),
        how=said("as it is") if event.revealed else said("masked"),
    )


def title(decided: ev.Decided) -> str:
    """What was wanted, and how it ended."""
    return said("{action}: {end}", action=ACTIONS[decided.action], end=ENDS[decided.decision])
