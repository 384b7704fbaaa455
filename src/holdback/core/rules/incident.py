"""I was robbed: one call that stops everything and opens a case, from any contact or session (incident D).

A case of one of the staff, opened by a comparison of readers, is worked on and closed by an investigator likewise. The
timeline of a case is the account's own log, which says what happened when, from where, by which proof, and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import ActorKind, AnyEvent, Finding, Role, Sealed
from holdback.core.rules.account import may_stop, stop
from holdback.core.rules.asking import (
    EVERYBODY,
    OWNER_LINK_OR_STAFF,
    OWNER_OR_LINK,
    OWNER_OR_STAFF,
    Action,
    Case,
    Id,
    Rule,
    Ruling,
    tightened,
)
from holdback.core.staffing import lacks_role

if TYPE_CHECKING:
    from holdback.core.state import Incident


class IncidentReport(Action, frozen=True, tag="incident.report"):
    """Say that the account was robbed. Freezes it as `account.freeze` does; told again, it adds to the open case."""

    story: Sealed


class IncidentNote(Action, frozen=True, tag="incident.note"):
    """Add something to the open case."""

    note: Sealed


class IncidentClose(Action, frozen=True, tag="incident.close"):
    """Close the case, by full proof: whoever robbed the account must not be the one who says that all is well.

    `which` is the case that is meant; another one is not closed by it.
    """

    which: Id | None = None


def _report(case: Case, action: IncidentReport) -> Ruling:
    """A case that is as full as it may be stops everything all the same."""
    incident, by = case.head.incident, case.request.actor
    stopped = stop(case, robbed=True)
    if incident is None:
        name = f"i{case.seq}"
        return tightened(*stopped, ev.IncidentReported(case.now, name, by, action.story), id=name)
    room = incident.notes < case.policy.bounds.incident_notes
    added: list[AnyEvent] = [ev.IncidentNoted(case.now, incident.id, by, action.story)] if room else []
    return tightened(*stopped, *added, id=incident.id)


def _open(case: Case, action: IncidentNote | IncidentClose) -> Finding | None:
    incident = case.head.incident
    if incident is None:
        return why(Reason.NOT_FOUND, "incident.report", about="incident")
    if isinstance(action, IncidentClose) and action.which not in {None, incident.id}:
        return why(Reason.NOT_FOUND, about="which")
    if case.request.actor.kind is ActorKind.STAFF:
        return _not_his(case, action, incident) or _full(case, action, incident)
    if case.head.member is not None:
        return why(Reason.NOT_ENTITLED, Role.INVESTIGATOR, about="incident")
    refusal = _full(case, action, incident)
    return refusal or (may_stop(case, action) if case.request.actor.kind is ActorKind.LINK else None)


def _full(case: Case, action: IncidentNote | IncidentClose, incident: Incident) -> Finding | None:
    by_staff = case.request.actor.kind is ActorKind.STAFF
    most = case.policy.bounds.incident_notes // (2 if by_staff else 1)  # the owner always has room for his own words
    full = isinstance(action, IncidentNote) and incident.notes >= most
    return why(Reason.TOO_MANY, "incident.close", about="notes") if full else None


def _not_his(case: Case, action: IncidentNote | IncidentClose, incident: Incident) -> Finding | None:
    """An investigator notes what he found out. He closes a colleague's case, not his own, never a customer's."""
    refusal = lacks_role(case.facts, Role.INVESTIGATOR)
    if refusal is not None:
        return refusal
    customers = case.head.member is None and isinstance(action, IncidentClose)
    own = case.request.actor.key in {case.head.account, *incident.names}
    return why(Reason.NOT_ENTITLED, about="incident") if customers or own else None


def _closing(case: Case, _action: IncidentClose) -> Level:
    return Level.NONE if case.request.actor.kind is ActorKind.STAFF else Level.CHANGE


def _note(case: Case, action: IncidentNote) -> Ruling:
    incident = case.head.incident
    name = incident.id if incident is not None else ""
    return Ruling(
        Allow((why(Reason.NO_HARM),), name), (ev.IncidentNoted(case.now, name, case.request.actor, action.note),)
    )


def _close(case: Case, _action: IncidentClose) -> Ruling:
    incident = case.head.incident
    name = incident.id if incident is not None else ""
    return Ruling(Allow((why(Reason.PROVED),), name), (ev.IncidentClosed(case.now, name, case.request.actor.key),))


RULES: dict[type[Action], Rule] = {
    IncidentReport: Rule(OWNER_OR_LINK, _report, objection=may_stop, loosens=False),
    IncidentNote: Rule(OWNER_LINK_OR_STAFF, _note, objection=_open, loosens=False, streams=EVERYBODY),
    IncidentClose: Rule(OWNER_OR_STAFF, _close, level=_closing, objection=_open, streams=EVERYBODY),
}
