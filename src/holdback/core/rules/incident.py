"""I was robbed: one call that stops everything and opens a case, from any contact or session (incident D).

The timeline of a case is the account's own log, which says what happened when, from where, by which proof, and why.
"""

from __future__ import annotations

from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import ActorKind, AnyEvent, Finding, Sealed
from holdback.core.rules.account import may_stop, stop
from holdback.core.rules.asking import OWNER, OWNER_OR_LINK, Action, Case, Rule, Ruling, always, tightened


class IncidentReport(Action, frozen=True, tag="incident.report"):
    """Say that the account was robbed. Freezes it as `account.freeze` does; told again, it adds to the open case."""

    story: Sealed


class IncidentNote(Action, frozen=True, tag="incident.note"):
    """Add something to the open case."""

    note: Sealed


class IncidentClose(Action, frozen=True, tag="incident.close"):
    """Close the case, by full proof: whoever robbed the account must not be the one who says that all is well."""


def _report(case: Case, action: IncidentReport) -> Ruling:
    """A case that is as full as it may be stops everything all the same."""
    incident, by = case.head.incident, case.request.actor
    stopped = stop(case)
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
    if isinstance(action, IncidentNote) and incident.notes >= case.policy.bounds.incident_notes:
        return why(Reason.TOO_MANY, "incident.close", about="notes")
    return may_stop(case, action) if case.request.actor.kind is ActorKind.LINK else None


def _note(case: Case, action: IncidentNote) -> Ruling:
    incident = case.head.incident
    name = incident.id if incident is not None else ""
    return Ruling(
        Allow((why(Reason.NO_HARM),), name), (ev.IncidentNoted(case.now, name, case.request.actor, action.note),)
    )


def _close(case: Case, _action: IncidentClose) -> Ruling:
    incident = case.head.incident
    name = incident.id if incident is not None else ""
    return Ruling(Allow((why(Reason.PROVED),), name), (ev.IncidentClosed(case.now, name),))


RULES: dict[type[Action], Rule] = {
    IncidentReport: Rule(OWNER_OR_LINK, _report, objection=may_stop, loosens=False),
    IncidentNote: Rule(OWNER_OR_LINK, _note, objection=_open, loosens=False),
    IncidentClose: Rule(OWNER, _close, level=always(Level.CHANGE), objection=_open),
}
