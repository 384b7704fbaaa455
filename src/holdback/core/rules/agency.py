"""The registry of agencies: who speaks for one, how it is reached, and what it signs and opens with.

A paper is compared with what stands here and never with itself. So an entry is made by two people of a role that
handles no legal requests, and counts only after a wait in which others may see it. One person takes it out, at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, Reason, why
from holdback.core.events import HOUR, STREAM_PREFIX, Finding, Role, Sealed, StreamKind
from holdback.core.rules.asking import AGENCIES, STAFF, Action, Case, Id, Request, Rule, Ruling, denied, tightened
from holdback.core.staffing import absent, confirms, may_not_say
from holdback.core.state import Agency

if TYPE_CHECKING:
    from holdback.core.decision import Facts
    from holdback.core.events import Instant
    from holdback.core.policy import Policy

Domain = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63}){1,7}\Z", max_length=253)]
Certificate = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Recipient = Annotated[str, msgspec.Meta(pattern=r"^age1[02-9ac-hj-np-z]{58}\Z")]


class AgencyOfficer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who answers for the agency, at a number that was found out without any of its papers."""

    id: Id
    name: Sealed
    number: Sealed


class AgencyAdd(Action, frozen=True, tag="agency.add"):
    """Enter an agency into the registry, or enter it anew. A second person asks the very same, and then it waits.

    `certificates` are the SHA-256 of those that its officers sign with, `domains` those that its mails are signed by,
    and `recipient` is its age key, for which disclosures are sealed.
    """

    name: Sealed
    officers: Annotated[tuple[AgencyOfficer, ...], msgspec.Meta(min_length=1, max_length=16)]
    recipient: Recipient
    domains: Annotated[tuple[Domain, ...], msgspec.Meta(max_length=8)] = ()
    certificates: Annotated[tuple[Certificate, ...], msgspec.Meta(max_length=16)] = ()


class AgencyRemove(Action, frozen=True, tag="agency.remove"):
    """Take an agency out of the registry, at once: nothing is granted to it any more. One person does.

    With `waiting` only what does not count yet is taken back, and what is in force stays.
    """

    waiting: bool = False


def _proposed(now: Instant, account: str, action: AgencyAdd, facts: Facts) -> ev.AgencyProposed:
    by = facts.staff.member if facts.staff is not None else ""
    return ev.AgencyProposed(now, account, action.name, facts.digest, by)


def _begin(request: Request, action: AgencyAdd, facts: Facts, _policy: Policy, now: Instant) -> Ruling:
    """The first word of an entry, by one person: the stream begins, and nothing is in force."""
    prefix = STREAM_PREFIX[StreamKind.AGENCY]
    refusal = absent(request.actor, facts) or may_not_say(facts, now, Role.POLICY) or _unfit(action)
    if refusal is None and (not request.account.startswith(prefix) or "." in request.account):
        refusal = why(Reason.BAD_FIELD, prefix, about="account")
    return denied(refusal) if refusal is not None else _second_person(_proposed(now, request.account, action, facts))


def _second_person(proposed: ev.AgencyProposed) -> Ruling:
    waits = Hold((why(Reason.SECOND_PERSON_REQUIRED, Role.POLICY),), proposed.account, None)
    return Ruling(waits, (proposed,), (ev.ColleagueJudged(proposed.at, proposed.account),))


def _unfit(action: AgencyAdd) -> Finding | None:
    ids = {one.id for one in action.officers}
    return why(Reason.BAD_FIELD, about="officers") if len(ids) < len(action.officers) else None


def _agency(case: Case) -> Agency:
    return case.head.agency or Agency()


def _addable(case: Case, action: AgencyAdd) -> Finding | None:
    return may_not_say(case.facts, case.now, Role.POLICY) or _unfit(action)


def _add(case: Case, action: AgencyAdd) -> Ruling:
    """What is in force stays so until the new entry's wait is over. Who asked first must still be one who may."""
    first, proposed = _agency(case).proposal, _proposed(case.now, case.head.account, action, case.facts)
    if first is None or not confirms(first, case.facts, case.policy, case.now):
        return _second_person(proposed)
    until = case.now + case.policy.legal.agency_wait_h * HOUR
    entered = ev.AgencyEntered(
        case.now,
        tuple(ev.Officer(one.id, one.name, one.number) for one in action.officers),
        action.recipient,
        action.domains,
        tuple(bytes.fromhex(one) for one in action.certificates),
        (first.by, proposed.by),
        until,
    )
    word = ev.ColleagueJudged(case.now, case.head.account)
    return Ruling(
        Allow((why(Reason.RIPENS_LATER, "time", until=until),), case.head.account, until), (entered,), (word,)
    )


def _removable(case: Case, action: AgencyRemove) -> Finding | None:
    agency = _agency(case)
    in_force = agency.in_force(case.now)
    waits = agency.proposal is not None or (agency.waiting is not None and agency.waiting is not in_force)
    gone = not waits and (action.waiting or in_force is None)
    refusal = may_not_say(case.facts, case.now, Role.POLICY, Role.LEGAL)
    return refusal or (why(Reason.NOT_FOUND, about="agency") if gone else None)


def _remove(case: Case, action: AgencyRemove) -> Ruling:
    staff = case.facts.staff
    removed = tightened(ev.AgencyRemoved(case.now, staff.member if staff is not None else "", action.waiting))
    return replace(removed, elsewhere=(ev.ColleagueJudged(case.now, case.head.account),))


RULES: dict[type[Action], Rule] = {
    AgencyAdd: Rule(STAFF, _add, objection=_addable, streams=AGENCIES, begins=_begin),
    AgencyRemove: Rule(STAFF, _remove, objection=_removable, streams=AGENCIES, loosens=False),
}
