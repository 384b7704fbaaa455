"""The staff: two people make a member, anybody's leaving takes effect at once, and no one reads without a ticket.

Who asks is known from the member's own stream (`core/staffing.py`). Nobody has a hand in what concerns himself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, Reason, why
from holdback.core.disclosure import to_be_read
from holdback.core.events import (
    DAY,
    HOUR,
    STREAM_PREFIX,
    ActorKind,
    AnyEvent,
    AuthenticatorKind,
    Channel,
    Finding,
    Role,
    Sealed,
    StreamKind,
)
from holdback.core.policy import MICRO
from holdback.core.rules.asking import (
    CUSTOMERS,
    MEMBERS,
    STAFF,
    STAFF_OR_SYSTEM,
    SYSTEM,
    Action,
    Case,
    Id,
    Request,
    Rule,
    Ruling,
    denied,
    tightened,
)
from holdback.core.staffing import MAY_LOOK_UP, absent, confirms, fit_together, lacks_role, may_not_say
from holdback.core.state import Member

if TYPE_CHECKING:
    from holdback.core.decision import Facts
    from holdback.core.events import Instant
    from holdback.core.policy import Policy


RECOVERY: Final = "recovery"
"""The field of a look-up that shows a recovery as its reviewers have it."""
LEGAL_REQUEST: Final = "legal_request"
"""The field of a look-up that shows a legal request as its handlers have it."""
MAY_READ_REQUESTS: Final = frozenset({Role.LEGAL, Role.AUDITOR})


class StaffEnrol(Action, frozen=True, tag="staff.enrol"):
    """Make someone a member of staff, or give a member other roles. A second person asks the very same.

    A new member comes with the passkey he made and the mailbox that he is told at; a known one with roles only. Fewer
    roles take effect at once.
    """

    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1, max_length=7)]
    name: Sealed | None = None
    passkey: Sealed | None = None
    email: Sealed | None = None


class StaffRetire(Action, frozen=True, tag="staff.retire"):
    """Take every role and session from a member, at once and for good. One person does."""


class StaffLookUp(Action, frozen=True, tag="staff.look_up"):
    """Read a customer for a ticket: some fields masked or, with `reveal`, one as it is.

    `ticket` is one of the help desk, the id of an incident, or, for reviewers who were drawn, of the recovery. With the
    id of a legal request, those who handle such and auditors read that request itself, as `legal_request` alone. What
    was shown in a recovery, and who judges it, those see as `recovery` who were drawn.
    """

    ticket: Id
    fields: Annotated[
        tuple[
            Literal[
                "name", "email", "phone", "balance", "authenticators", "contacts", "cases", "recovery", "legal_request"
            ],
            ...,
        ],
        msgspec.Meta(min_length=1, max_length=8),
    ]
    reason: Sealed
    reveal: bool = False


class TicketOpen(Action, frozen=True, tag="ticket.open"):
    """The help desk opened a ticket. Only a key of the desk's own says so, through the system."""

    ticket: Id


class TicketClose(Action, frozen=True, tag="ticket.close"):
    """The help desk closed it."""

    ticket: Id


class StaffFlag(Action, frozen=True, tag="staff.flag"):
    """Keep that a comparison of readers says something of a member."""

    why: str
    names: tuple[str, ...]
    since_at: int
    ones: int
    reads: int
    usual_permille: int


def _asker(facts: Facts) -> str:
    """The member of staff who asks; "" is the operator, who installs the first ones."""
    return facts.staff.member if facts.staff is not None else ""


def _proposed(now: Instant, account: str, action: StaffEnrol, facts: Facts) -> ev.MemberProposed | None:
    if action.name is None or action.passkey is None or action.email is None:
        return None
    return ev.MemberProposed(now, account, action.name, action.roles, facts.digest, _asker(facts))


def _begin(request: Request, action: StaffEnrol, facts: Facts, policy: Policy, now: Instant) -> Ruling:
    """Nobody is a member yet by one person's word, but the first ones, whom the operator installs."""
    refusal = _unfit(action)
    first = request.actor.kind is ActorKind.SYSTEM
    if refusal is None and not first:
        refusal = absent(request.actor, facts) or may_not_say(facts, now, Role.POLICY)
    proposed = _proposed(now, request.account, action, facts)
    if not request.account.startswith(STREAM_PREFIX[StreamKind.STAFF]) or "." in request.account:
        refusal = why(Reason.BAD_FIELD, STREAM_PREFIX[StreamKind.STAFF], about="account")
    if refusal is not None or proposed is None:
        return denied(refusal or why(Reason.BAD_FIELD, "name", "passkey", "email", about="name"))
    if not first:
        return _second_person(request.account, proposed)
    return _made(now, action, policy, ("",), proposed, name="1")


def _second_person(account: str, proposed: ev.MemberProposed) -> Ruling:
    waits = Hold((why(Reason.SECOND_PERSON_REQUIRED, Role.POLICY),), account, None)
    return Ruling(waits, (proposed,), (ev.ColleagueJudged(proposed.at, account),))


def _judged(case: Case, ruling: Ruling) -> Ruling:
    """The same, and in the asker's own stream that he had a word in it: nobody has many a day."""
    return replace(ruling, elsewhere=(ev.ColleagueJudged(case.now, case.head.account),))


def _made(
    now: Instant, action: StaffEnrol, policy: Policy, by: tuple[str, ...], *before: AnyEvent, name: str
) -> Ruling:
    """The member, with a passkey and a mailbox that ripen as all new ones do."""
    waits = policy.waits
    ripe, told = waits.authenticator_senior_h * HOUR, waits.contact_senior_h * HOUR
    assert action.passkey is not None  # noqa: S101 - `_proposed` found both
    assert action.email is not None  # noqa: S101 - as above
    key, contact = f"a{name}", f"c{name}"
    bound = ev.AuthenticatorBound(
        now,
        key,
        AuthenticatorKind.PASSKEY,
        key.encode(),
        action.passkey,
        confirmed=True,
        wait_ms=ripe,
        until=now + ripe,
    )
    added = ev.ContactAdded(now, contact, Channel.EMAIL, action.email, True, told, now + told)  # noqa: FBT003 - confirmed, as the event's order has it
    enrolled = ev.MemberEnrolled(now, action.roles, by)
    findings = (why(Reason.RIPENS_LATER, "time", until=now + ripe),)
    return Ruling(Allow(findings, usable_from=now + ripe), (*before, bound, added, enrolled))


def _unfit(action: StaffEnrol) -> Finding | None:
    fit = fit_together(frozenset(action.roles)) and len(set(action.roles)) == len(action.roles)
    return None if fit else why(Reason.BAD_FIELD, about="roles")


def _member(case: Case) -> Member:
    return case.head.member or Member()


def _enrollable(case: Case, action: StaffEnrol) -> Finding | None:
    fault = _of_others(case, action) or _unfit(action)
    if fault is not None:
        return fault
    member = _member(case)
    if member.retired_at:
        return why(Reason.ALREADY_EXISTS, about="account")
    if set(action.roles) == set(member.roles):
        return why(Reason.ALREADY_EXISTS, about="roles")
    given = (action.name, action.passkey, action.email)
    fit = not any(given) if member.roles else all(given)
    return (
        None if fit else why(Reason.BAD_FIELD, "name", "passkey", "email", about="passkey" if member.roles else "name")
    )


def _of_others(case: Case, _action: Action) -> Finding | None:
    """Why whoever asks may not say who belongs to the staff: it takes the role, and nobody does it for himself."""
    if case.request.actor.kind is ActorKind.SYSTEM:
        return why(Reason.ALREADY_EXISTS, about="account")
    own = _asker(case.facts) == case.head.account
    return why(Reason.NOT_ENTITLED, about="member") if own else may_not_say(case.facts, case.now, Role.POLICY)


def _enrol(case: Case, action: StaffEnrol) -> Ruling:
    """Fewer roles at once; anything more when a second person asks the same within the time there is for it."""
    member, by = _member(case), _asker(case.facts)
    if member.roles and set(action.roles) <= set(member.roles):
        return _judged(case, tightened(ev.MemberEnrolled(case.now, action.roles, (by,))))
    first = member.proposal
    if first is None or not confirms(first, case.facts, case.policy, case.now):
        name = action.name or case.head.name
        return _second_person(
            case.head.account,
            ev.MemberProposed(case.now, case.head.account, name, action.roles, case.facts.digest, by),
        )
    if not member.roles:
        return _judged(case, _made(case.now, action, case.policy, (first.by, by), name=str(case.seq)))
    enrolled = ev.MemberEnrolled(case.now, action.roles, (first.by, by))
    return _judged(case, Ruling(Allow((why(Reason.PROVED),)), (enrolled,)))


def _retirable(case: Case, action: StaffRetire) -> Finding | None:
    return _of_others(case, action) or (why(Reason.NOT_FOUND, about="account") if _member(case).retired_at else None)


def _retire(case: Case, _action: StaffRetire) -> Ruling:
    ended = [ev.SessionEnded(case.now, key) for key in case.head.sessions]
    return _judged(case, tightened(ev.MemberRetired(case.now, _asker(case.facts)), *ended))


def _is_reason(case: Case, ticket: str) -> bool:
    """Whether a customer may be read for it: an open ticket, a robbery that he reported, or what is to be judged.

    Anybody can open a recovery, one of the staff too, so it is a reason for those alone whom chance drew to judge it.
    """
    incident = case.head.incident
    reported = incident is not None and incident.id == ticket
    return case.head.tickets.get(ticket, 0) > case.now or reported or _judges(case, ticket)


def _judges(case: Case, ticket: str) -> bool:
    staff, recovery = case.facts.staff, case.recovery
    return staff is not None and recovery is not None and ticket == recovery.id and staff.member in recovery.drawn


def _readable(case: Case, action: StaffLookUp) -> Finding | None:
    reads_request = LEGAL_REQUEST in action.fields
    refusal = lacks_role(case.facts, *(MAY_READ_REQUESTS if reads_request else MAY_LOOK_UP))
    if refusal is not None:
        return refusal
    if reads_request and len(action.fields) > 1:
        return why(Reason.BAD_FIELD, about="fields")
    of_request = to_be_read(case.head, action.ticket, case.now) is not None
    if not (of_request if reads_request else _is_reason(case, action.ticket)):
        return why(Reason.TICKET_REQUIRED, "ticket", about="ticket")
    if action.reveal and len(action.fields) > 1:
        return why(Reason.BAD_FIELD, about="fields")
    if RECOVERY in action.fields and case.recovery is not None and not _judges(case, action.ticket):
        return why(Reason.NOT_DRAWN, Role.REVIEWER, about="fields")
    free_at = case.facts.staff.free_at if case.facts.staff is not None else 0
    return why(Reason.TOO_MANY, "time", until=free_at, about="reads") if free_at > case.now else None


def _look_up(case: Case, action: StaffLookUp) -> Ruling:
    """What is read goes into both logs. Reading the case or the request that he is to judge makes nobody partial."""
    staff, judges = case.facts.staff, _judges(case, action.ticket) or LEGAL_REQUEST in action.fields
    assert staff is not None  # noqa: S101 - `_readable` objects without
    fields = tuple(dict.fromkeys(action.fields))
    request = to_be_read(case.head, action.ticket, case.now) if LEGAL_REQUEST in fields else None
    told_at = request.told_at if request is not None and request.told_at > case.now else 0
    read_as = (action.ticket, fields, action.reveal)
    looked = ev.LookedUp(case.now, staff.member, *read_as, involved=not judges, told_at=told_at)
    read = ev.CustomerRead(case.now, case.head.account, action.ticket, _decile(case), staff.canary)
    return Ruling(Allow((why(Reason.NO_HARM),)), (looked,), (read,))


def _decile(case: Case) -> int:
    """How rich the customer is, by what the platform said he owns: 1 to 10."""
    owns = max(case.head.equity.values(), default=0)
    return 1 + sum(owns >= line * MICRO for line in case.policy.staff.decile_usd)


def _opens(case: Case, action: TicketOpen) -> Ruling:
    """Of a help desk that opens too many the ticket that would end first is closed."""
    if len(case.head.tickets) >= case.policy.bounds.tickets and action.ticket not in case.head.tickets:
        oldest = min(case.head.tickets, key=lambda one: case.head.tickets[one])
        return Ruling(_NOTED, (ev.TicketClosed(case.now, oldest), _opened(case, action)))
    return Ruling(_NOTED, (_opened(case, action),))


def _opened(case: Case, action: TicketOpen) -> ev.TicketOpened:
    return ev.TicketOpened(case.now, action.ticket, case.now + case.policy.staff.ticket_d * DAY)


def _closes(case: Case, action: TicketClose) -> Ruling:
    return Ruling(_NOTED, (ev.TicketClosed(case.now, action.ticket),))


def _flag(case: Case, action: StaffFlag) -> Ruling:
    """Whoever compares may do so in several processes, or again after a restart: the second time changes nothing."""
    if (action.why, action.since_at) in _member(case).flags:
        return Ruling(_NOTED)
    incident = case.head.incident.id if case.head.incident is not None else f"i{case.seq}"
    counted = (action.ones, action.reads, action.usual_permille)
    flagged = ev.MemberFlagged(case.now, action.why, action.names, action.since_at, *counted, incident)
    return Ruling(_NOTED, (flagged,))


_NOTED = Allow((why(Reason.NO_HARM),))

RULES: dict[type[Action], Rule] = {
    StaffEnrol: Rule(STAFF_OR_SYSTEM, _enrol, objection=_enrollable, streams=MEMBERS, begins=_begin),
    StaffRetire: Rule(STAFF, _retire, objection=_retirable, streams=MEMBERS, loosens=False),
    StaffLookUp: Rule(STAFF, _look_up, objection=_readable, streams=CUSTOMERS),
    StaffFlag: Rule(SYSTEM, _flag, streams=MEMBERS, loosens=False),
    TicketOpen: Rule(SYSTEM, _opens, streams=CUSTOMERS),
    TicketClose: Rule(SYSTEM, _closes, streams=CUSTOMERS, loosens=False),
}
