"""What authorities ask of a customer: papers in, a call back, two who approve, and only then a disclosure or a stop.

Nobody does any of it alone, whoever signed the paper: an officer who confirms may be bought (incident E). So a request
reaches the narrowest fields of its basis and never a secret, the owner is told, and what was disclosed proves nothing
in recoveries from then on. A request that names several customers is judged in the stream of each, under one id.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.decision import AgencyFact, Allow, Hold, Reason, why
from holdback.core.disclosure import EMERGENCY, FREEZE_ORDER, REACHES, alive, approvers, given_away, reached
from holdback.core.events import DAY, HOUR, STREAM_PREFIX, ActorKind, AnyEvent, Finding, Role, StreamKind
from holdback.core.rules.asking import AGENCY_OR_STAFF, STAFF, Action, Case, Id, Rule, Ruling, denied, tightened
from holdback.core.staffing import lacks_role

if TYPE_CHECKING:
    from holdback.core.decision import StaffFact
    from holdback.core.events import Instant
    from holdback.core.state import Head, LegalRequest

FieldName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")]
Which = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,64}\Z")]
"""The id of a request; "" is the latest one."""
Document = Annotated[str, msgspec.Meta(max_length=2048)]
"""What Holdback answered when the paper was handed in, "" if it is only on paper."""


class LegalReceive(Action, frozen=True, tag="legal.receive"):
    """Hand in an authority's request for data of this customer. By itself it discloses nothing.

    `request` is its id where it names several customers. `secret_d` is how many days, from now, a secrecy order hides
    this one disclosure.
    """

    agency: Id
    fields: Annotated[tuple[FieldName, ...], msgspec.Meta(min_length=1, max_length=32)]
    legal_basis: Literal["court_order", "production_order", "subpoena", "emergency"]
    document: Document = ""
    request: Which = ""
    secret_d: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0


class LegalFreezeOrder(Action, frozen=True, tag="legal.freeze_order"):
    """Hand in an authority's order to stop this customer's exits for `days`. By itself it stops nothing."""

    agency: Id
    days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    document: Document = ""
    request: Which = ""


class LegalCallBack(Action, frozen=True, tag="legal.call_back"):
    """Say what the agency said when it was rung at the registry's number. If it knows nothing, the paper is a forgery.

    `officer` is who answered, of those in the registry, and `phrase` what only the agency could read.
    """

    confirmed: bool
    officer: Which = ""
    phrase: Annotated[str, msgspec.Meta(max_length=128)] = ""
    which: Which = ""


class LegalApprove(Action, frozen=True, tag="legal.approve"):
    """Approve a request. Neither who entered it may, nor anybody who lately read the customer."""

    which: Which = ""


class LegalRelease(Action, frozen=True, tag="legal.release"):
    """Carry out what was approved: disclose the fields that its basis reaches, or stop the exits."""

    which: Which = ""


class LegalReject(Action, frozen=True, tag="legal.reject"):
    """Turn a request down, or end a freeze order before its date, which takes two. `forged` marks the account."""

    forged: bool
    which: Which = ""


def _clerk(case: Case) -> StaffFact | None:
    staff = case.facts.staff
    return staff if staff is not None and Role.LEGAL in staff.roles else None


def _receivable(case: Case, action: LegalReceive | LegalFreezeOrder) -> Finding | None:
    """Anybody may hand in a paper, so those that nothing vouches for have room of their own to fill."""
    numbers = case.policy.legal
    fault = lacks_role(case.facts, Role.LEGAL) if case.request.actor.kind is ActorKind.STAFF else None
    if fault is not None:
        return fault
    open_ones = alive(case.head, case.now)
    name = _name(case, action)
    if name in open_ones or name in case.head.untold or (action.request and _OURS.fullmatch(action.request)):
        return why(Reason.ALREADY_EXISTS, about="request")
    if isinstance(action, LegalFreezeOrder):
        if action.days > numbers.freeze_order_max_d:
            return why(Reason.BAD_FIELD, about="days")
    elif action.secret_d > numbers.secrecy_max_d:
        return why(Reason.BAD_FIELD, about="secret_d")
    elif not reached(action.legal_basis, action.fields)[0]:
        return why(Reason.FIELD_REFUSED, *sorted(REACHES[action.legal_basis]), about="fields")
    spent = _spent(case, action)
    if spent is not None:
        return spent
    vouched = bool(_entered_by(case)) or _signed(case, action)
    beside = [one for one in open_ones.values() if (bool(one.entered_by) or one.signed) == vouched]
    return why(Reason.TOO_MANY, "legal.reject", about="requests") if len(beside) >= numbers.open_max else None


_OURS: Final = re.compile(r"l[0-9]+")
"""Ids that are given here: whoever chose one could have it taken by what comes later."""


def _name(case: Case, action: LegalReceive | LegalFreezeOrder) -> str:
    return action.request or f"l{case.seq}"


def _entered_by(case: Case) -> str:
    clerk = _clerk(case)
    return clerk.member if clerk is not None else ""


def _registered(case: Case, agency: str) -> AgencyFact | None:
    """What the registry says of an agency now; None if it has no entry in force."""
    fact = case.facts.agency
    return fact if fact is not None and fact.agency == agency and fact.registered else None


def _spent(case: Case, action: LegalReceive | LegalFreezeOrder) -> Finding | None:
    """A paper vouches once in a stream: who found an old one in the post must not have it carried out again.

    One paper may name several customers, so in each stream it vouches for one request. Which customers it names is
    written in it, and for those who approve to read: no count of streams would say more than they see.
    """
    paper = case.facts.paper
    spent = {mark: until for mark, until in case.head.papers.items() if case.now < until}
    if paper is not None and paper.mark in spent:
        return why(Reason.ALREADY_EXISTS, about="document")
    full = len(spent) >= case.policy.bounds.papers and _signed(case, action)
    return why(Reason.TOO_MANY, "time", until=min(spent.values()), about="papers") if full else None


def _vouches_until(case: Case) -> Instant:
    """Until when the paper's signature says something, 0 if it says nothing now.

    It must say itself when it was made, and lately: a domain's key signs for years, whoever forwards the mail.
    """
    paper, rules = case.facts.paper, case.policy
    if paper is None or not paper.mark or not paper.signed_at:
        return 0
    begun = paper.signed_at <= case.now + rules.signals.clock_tolerance_s * 1000
    until = paper.signed_at + rules.legal.paper_d * DAY
    return until if begun and case.now < until else 0


def _signed(case: Case, action: LegalReceive | LegalFreezeOrder) -> bool:
    """Whether the paper was lately signed by a certificate, or its mail by a domain, of the agency's own entry."""
    agency, paper = _registered(case, action.agency), case.facts.paper
    if agency is None or paper is None or not _vouches_until(case):
        return False
    by_officer = bool(paper.certificate) and paper.certificate in agency.certificates
    return by_officer or (bool(paper.domain) and paper.domain in agency.domains)


def _receive(case: Case, action: LegalReceive | LegalFreezeOrder) -> Ruling:
    """What the basis does not reach is refused field by field, and the rest goes on."""
    numbers, paper, signed = case.policy.legal, case.facts.paper, _signed(case, action)
    name = _name(case, action)
    basis, told_at, freeze_ms = FREEZE_ORDER, 0, 0
    fields: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    if isinstance(action, LegalReceive):
        basis = action.legal_basis
        fields, refused = reached(basis, action.fields)
        told_at = case.now + action.secret_d * DAY if action.secret_d else 0
    else:
        freeze_ms = action.days * DAY
    received = ev.LegalReceived(
        at=case.now,
        request=name,
        agency=action.agency,
        basis=basis,
        fields=fields,
        refused=refused,
        entered_by=_entered_by(case),
        registered=_registered(case, action.agency) is not None,
        signed=signed,
        paper=paper.digest if paper is not None else b"",
        expires_at=case.now + numbers.expires_d * DAY,
        told_at=told_at,
        freeze_ms=freeze_ms,
        mark=paper.mark if paper is not None and signed else b"",
        spent_until=_vouches_until(case) if signed else 0,
    )
    findings = [why(Reason.FIELD_REFUSED, about=field) for field in refused]
    return Ruling(Allow((*findings, why(Reason.CALL_BACK_REQUIRED, "legal.call_back")), name), (received,))


def named(head: Head, which: str, now: Instant) -> tuple[str, LegalRequest] | None:
    """The request that is meant: the one of that id, or the one that came in last; None if it is not open any more.

    The last one and no earlier: else whoever ends it a moment before turns a colleague's word upon another.
    """
    name = which or head.legal_latest
    open_ones = alive(head, now)
    return (name, open_ones[name]) if name in open_ones else None


def _meant(case: Case, which: str) -> tuple[str, LegalRequest]:
    """The request that is meant, with the words of those alone who may still say them: who left vouches for nothing."""
    found = named(case.head, which, case.now)
    assert found is not None  # noqa: S101 - every rule that gets here objects without one
    name, request = found
    still = case.facts.staff.still if case.facts.staff is not None else ()
    approved = tuple(one for one in request.approved if one in still)
    called_by, thaw_by = (one if one in still else "" for one in (request.called_by, request.thaw_by))
    return name, replace(request, called_by=called_by, approved=approved, thaw_by=thaw_by)


def agency_of(action: Action, peek: Head | None) -> str:
    """The stream of the agency that an action is about, "" if it is about none.

    Which request is meant may have changed since `peek`; then the agency that was read is another's, and vouches for
    nothing.
    """
    if isinstance(action, LegalReceive | LegalFreezeOrder):
        return STREAM_PREFIX[StreamKind.AGENCY] + action.agency
    request = _asked_about(action, peek)
    return STREAM_PREFIX[StreamKind.AGENCY] + request.agency if request is not None else ""


def spoke(action: Action, peek: Head | None) -> tuple[str, ...]:
    """Who of the staff had a word already in the request an action is about; whoever was not read counts no more."""
    request = _asked_about(action, peek)
    words = (request.called_by, *request.approved, request.thaw_by) if request is not None else ()
    return tuple(dict.fromkeys(one for one in words if one))


def _asked_about(action: Action, peek: Head | None) -> LegalRequest | None:
    if not isinstance(action, _Step) or peek is None:
        return None
    return peek.legal.get(action.which or peek.legal_latest)


def agency_fact(stream: str, agency: Head | None, now: Instant, *, answered: bool) -> AgencyFact:
    """What the registry says of an agency now, by its own head, under the lock. `answered`: the phrase was right."""
    name = stream.removeprefix(STREAM_PREFIX[StreamKind.AGENCY])
    known = agency.agency if agency is not None else None
    entry = known.in_force(now) if known is not None else None
    if entry is None:
        return AgencyFact(name, registered=False)
    officers = tuple(one.id for one in entry.officers)
    return AgencyFact(name, True, officers, entry.certificates, entry.domains, answered)  # noqa: FBT003 - registered, as the fact's order has it


_Step = LegalCallBack | LegalApprove | LegalRelease | LegalReject


def _handled(case: Case, action: _Step) -> Finding | None:
    """Only staff of that role handle requests, and only open ones."""
    fault = lacks_role(case.facts, Role.LEGAL)
    if fault is not None:
        return fault
    found = named(case.head, action.which, case.now)
    if found is None:
        return why(Reason.NOT_FOUND, "legal.receive", about="request")
    in_force = found[1].frozen_until and not isinstance(action, LegalReject)
    return why(Reason.ALREADY_EXISTS, "legal.reject", until=found[1].frozen_until, about="order") if in_force else None


def _apart(case: Case, request: LegalRequest) -> Finding | None:
    """Who entered a request, or lately read the customer, takes no step towards granting or undoing it (law 6)."""
    clerk = _clerk(case)
    apart = clerk is not None and not clerk.involved and clerk.member != request.entered_by
    return None if apart else why(Reason.SAME_PERSON, Role.LEGAL)


def _callable(case: Case, action: LegalCallBack) -> Finding | None:
    """A confirmation counts if a registered officer said what only the agency could know."""
    fault = _handled(case, action)
    if fault is not None:
        return fault
    _, request = _meant(case, action.which)
    if request.called_by:
        return why(Reason.ALREADY_EXISTS, "legal.approve", about="call_back")
    if not action.confirmed:
        return None
    agency = _registered(case, request.agency)
    if agency is None:
        return why(Reason.AGENCY_UNKNOWN, "agency.add", about="agency")
    if action.officer not in agency.officers:
        return why(Reason.NOT_FOUND, *agency.officers, about="officer")
    return _apart(case, request) if agency.answered else why(Reason.PHRASE_WRONG, about="phrase")


def _call_back(case: Case, action: LegalCallBack) -> Ruling:
    name, request = _meant(case, action.which)
    if not action.confirmed:
        return tightened(_rejected(case, name, request, forged=True), id=name)
    called = ev.LegalCalledBack(case.now, name, _entered_by(case), action.officer, request.told_at)
    return Ruling(Allow((why(Reason.APPROVAL_REQUIRED, "legal.approve"),), name), (called,))


def _rejected(case: Case, name: str, request: LegalRequest, *, forged: bool) -> ev.LegalRejected:
    """A forged paper orders no secrecy: its owner is told at once that somebody is after the account."""
    until = case.now + case.policy.legal.targeted_d * DAY if forged else 0
    told_at = 0 if forged else request.told_at
    return ev.LegalRejected(case.now, name, _entered_by(case), forged, until, told_at)


def _approvable(case: Case, action: LegalApprove) -> Finding | None:
    fault = _handled(case, action)
    if fault is not None:
        return fault
    _, request = _meant(case, action.which)
    member = _entered_by(case)
    if member in request.approved:
        return why(Reason.ALREADY_EXISTS, "legal.release", about="approval")
    if request.basis == EMERGENCY and member == request.called_by:
        return why(Reason.SAME_PERSON, Role.LEGAL)
    return _apart(case, request) or _grantable(case, request)


def _grantable(case: Case, request: LegalRequest) -> Finding | None:
    """What a paper must have before anybody may say yes: an entry in force, a signature, and a call back.

    What staff entered from paper, and what is about life, needs no signature: the call back is what proves it.
    """
    if _registered(case, request.agency) is None:
        return why(Reason.AGENCY_UNKNOWN, "agency.add", about="agency")
    if not request.signed and not request.entered_by and request.basis != EMERGENCY:
        return why(Reason.PAPER_UNSIGNED, "legal.receive", about="document")
    return None if request.called_by else why(Reason.CALL_BACK_REQUIRED, "legal.call_back")


def _approve(case: Case, action: LegalApprove) -> Ruling:
    name, request = _meant(case, action.which)
    approved = ev.LegalApproved(case.now, name, _entered_by(case), request.told_at)
    missing = approvers(request.basis, case.policy) - len(request.approved) - 1
    left = why(Reason.APPROVAL_REQUIRED, "legal.approve") if missing else why(Reason.NO_HARM, "legal.release")
    return Ruling(Allow((left,), name), (approved,))


def _releasable(case: Case, action: LegalRelease) -> Finding | None:
    fault = _handled(case, action)
    if fault is not None:
        return fault
    _, request = _meant(case, action.which)
    fault = _apart(case, request) or _grantable(case, request)
    if fault is not None:
        return fault
    if len(request.approved) < approvers(request.basis, case.policy):
        return why(Reason.APPROVAL_REQUIRED, "legal.approve", about="request")
    if request.freeze_ms:
        return None
    free_at = request.received_at + case.policy.legal.wait_h * HOUR
    if request.basis != EMERGENCY and case.now < free_at:
        return why(Reason.NOT_YET_DUE, "time", until=free_at, about="request")
    # The last of all: a package is made for what nothing else stands against.
    return None if case.facts.package else why(Reason.PACKAGE_MISSING, "agency.add", about="package")


def _release(case: Case, action: LegalRelease) -> Ruling:
    """A disclosure burns what it gives away at once, whenever the owner is told."""
    name, request = _meant(case, action.which)
    if request.freeze_ms:
        frozen = ev.LegalFrozen(case.now, name, request.agency, case.now + request.freeze_ms)
        return tightened(frozen, id=name)
    told_at = request.told_at if request.told_at > case.now else 0
    events: list[AnyEvent] = [
        ev.LegalDisclosed(
            case.now,
            name,
            request.agency,
            request.basis,
            request.fields,
            _entered_by(case),
            case.facts.package,
            told_at,
        )
    ]
    burned = given_away(request.fields)
    if burned:
        until = case.now + case.policy.recovery.burned_d * DAY
        events.append(ev.EvidenceBurned(case.now, burned, "legal", until, told_at))
    return Ruling(Allow((why(Reason.NO_HARM),), name), tuple(events))


def _rejectable(case: Case, action: LegalReject) -> Finding | None:
    """No to what is open can be said by all of the role; what stops exits is let go by those who have no part in it."""
    fault = _handled(case, action)
    if fault is not None:
        return fault
    _, request = _meant(case, action.which)
    return _apart(case, request) if request.frozen_until else None


def _reject(case: Case, action: LegalReject) -> Ruling:
    """One says no to what is open. What stops exits already is lifted by two, as everything that holds money."""
    name, request = _meant(case, action.which)
    member = _entered_by(case)
    rejected = [_rejected(case, name, request, forged=action.forged)]
    if not request.frozen_until:
        return tightened(*rejected, id=name)
    if not case.facts.clock_agrees:
        return denied(why(Reason.CLOCK_UNCERTAIN, "operator.clock"))
    if request.thaw_by in {"", member}:
        second = Hold((why(Reason.SECOND_PERSON_REQUIRED, "legal.reject", about="order"),), name, None)
        return Ruling(second, () if request.thaw_by else (ev.LegalThawAsked(case.now, name, member),))
    thawed = ev.LegalThawed(case.now, name, member)
    return Ruling(Allow((why(Reason.NO_HARM),), name), (thawed, *(rejected if action.forged else ())))


RULES: dict[type[Action], Rule] = {
    LegalReceive: Rule(AGENCY_OR_STAFF, _receive, objection=_receivable),
    LegalFreezeOrder: Rule(AGENCY_OR_STAFF, _receive, objection=_receivable),
    LegalCallBack: Rule(STAFF, _call_back, objection=_callable),
    LegalApprove: Rule(STAFF, _approve, objection=_approvable),
    LegalRelease: Rule(STAFF, _release, objection=_releasable),
    LegalReject: Rule(STAFF, _reject, objection=_rejectable, loosens=False),
}
