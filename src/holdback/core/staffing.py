"""Who of the staff may do what, and whether whoever asks is one of them now (law 6).

A member of staff is an account of another kind: the same rules for authenticators, contacts and sessions, and no right
to anything but through what stands here. All facts are taken from the member's own stream, under the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core.breaker import RESETS
from holdback.core.decision import Reason, StaffFact, why
from holdback.core.devices import has_room_for_proof, key_fault
from holdback.core.events import DAY, HOUR, Role, StreamKind
from holdback.core.inside import RETURNS
from holdback.core.seniority import authenticator_is_senior

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.core.decision import DeviceProof, Facts
    from holdback.core.events import Actor, Finding, Instant
    from holdback.core.policy import Policy, Staff
    from holdback.core.state import Head, Proposal

APART: Final = (
    frozenset({Role.SUPPORT, Role.REVIEWER}),
    frozenset({Role.SUPPORT, Role.TREASURER}),
    frozenset({Role.POLICY, Role.REVIEWER}),
    frozenset({Role.POLICY, Role.LEGAL}),
    frozenset({Role.POLICY, Role.TREASURER}),
    frozenset({Role.POLICY, Role.INVESTIGATOR}),
)
"""Roles that one person never holds together: who talks to customers, who judges, and who says who does either."""

MAY_LOOK_UP: Final = frozenset({Role.SUPPORT, Role.REVIEWER, Role.LEGAL, Role.INVESTIGATOR})
"""Roles that read customers. An auditor reads what the staff did, which is in the staff's own streams."""


RULES_ON_SALES: Final = RETURNS
"""Roles that decide a disputed P2P sale, two people together: those that give back what was sent."""


def fit_together(roles: frozenset[Role]) -> bool:
    """Whether one person may hold these roles; an auditor holds no other."""
    alone = Role.AUDITOR not in roles or len(roles) == 1
    return alone and not any(pair <= roles for pair in APART)


def capped_until(reads: Iterable[Instant], now: Instant, rules: Staff) -> Instant:
    """When somebody who read at these instants may read again; 0 is now. An hour and a day are sliding windows."""
    return max(_free_at(reads, now, HOUR, rules.reads_per_h), _free_at(reads, now, DAY, rules.reads_per_day))


def _free_at(acts: Iterable[Instant], now: Instant, window: int, most: int) -> Instant:
    within = sorted(at for at in acts if at > now - window)
    return within[len(within) - most] + window if len(within) >= most else 0


def attending(  # noqa: PLR0913 - who, of what heads, shown how, under which rules, when
    actor: Actor,
    heads: tuple[Head | None, Head | None, Head | None],
    proof: DeviceProof | None,
    policy: Policy,
    now: Instant,
    *,
    canary: bool,
    clerks: Iterable[Head | None] = (),
) -> StaffFact:
    """Who of the staff asks. With a fault he may do nothing.

    `heads` are his own, that of whom he asks about, and that of who asked the same first. `clerks` are those of who had
    a word before him in the legal request that he asks about.
    """
    head, subject, first = heads
    fault = _fault(head, actor.session, proof, policy, now)
    member = head.member if head is not None else None
    if fault is not None or member is None:
        return StaffFact(actor.key, (), involved=False, fault=fault.code if fault else Reason.NOT_ENTITLED)
    lately = now - policy.staff.apart_d * DAY
    involved = subject is not None and subject.readers.get(actor.key, 0) > lately
    roles = tuple(role.value for role in member.roles)
    free_at = capped_until(member.read_at, now, policy.staff)
    acts_at = _free_at(member.acted_at, now, DAY, policy.staff.words_per_day)
    still = tuple(one for one in (_still_may(clerk, Role.LEGAL) for clerk in clerks) if one)
    return StaffFact(
        actor.key, roles, involved, "", free_at, canary, acts_at, _still_may(first, *_says_first(subject)), still
    )


def _says_first(subject: Head | None) -> frozenset[Role]:
    """Whose word a second person confirms: of the circuit breaker who may reset it, of a customer who gives back.

    Else who says who is who.
    """
    if subject is not None and subject.breaker is not None:
        return RESETS
    return RETURNS if subject is not None and subject.stream is StreamKind.CUSTOMER else frozenset({Role.POLICY})


def _still_may(spoke: Head | None, *roles: Role) -> str:
    """Who had a word before, if he could say it again now; "" if he left, was suspended or holds no such role more."""
    held = spoke.member.roles if spoke is not None and spoke.member is not None and not spoke.frozen_at else ()
    able = not set(held).isdisjoint(roles)
    return spoke.account if spoke is not None and able else ""


def _fault(
    member: Head | None, session: bytes, proof: DeviceProof | None, policy: Policy, now: Instant
) -> Finding | None:
    if member is None or member.member is None or not member.member.roles:
        return why(Reason.NOT_ENTITLED)
    if member.frozen_at:
        return why(Reason.FROZEN)
    if not session:
        return why(Reason.SESSION_REQUIRED)
    shown = member.sessions.get(session)
    if shown is None or now >= shown.ends_at():
        return why(Reason.SESSION_ENDED)
    full = None if has_room_for_proof(member, policy, now) else why(Reason.TOO_MANY, about="device_proofs")
    return key_fault(member, shown, proof, policy, now) or full


def may_judge(head: Head, now: Instant) -> bool:
    """Whether somebody can be drawn to judge recoveries: a reviewer who can act, and of whom nobody asks anything."""
    member = head.member
    if member is None or Role.REVIEWER not in member.roles or head.frozen_at or head.incident is not None:
        return False
    return any(authenticator_is_senior(head, one, now) and not one.suspended for one in head.authenticators.values())


def is_about(head: Head, reader: str) -> bool:
    """Whether a member's stream is the reader's own, or has a case that concerns him: neither is his to see."""
    names = head.incident.names if head.incident is not None else ()
    return reader in {head.account, *names}


def absent(actor: Actor, facts: Facts) -> Finding | None:
    """Why whoever asks is not one of the staff now, in a session of his own; None if he is."""
    staff = facts.staff
    if staff is None or staff.member != actor.key:
        return why(Reason.SESSION_REQUIRED, "session.start")
    return why(Reason(staff.fault), "session.start", about="staff") if staff.fault else None


def may_not_say(facts: Facts, now: Instant, *roles: Role) -> Finding | None:
    """Why whoever of the staff asks may have no word about colleagues or agencies now; None if he may.

    It takes the role, and nobody says much a day: else one of them could empty the staff or the registry, or fill it,
    before others notice.
    """
    acts_at = facts.staff.acts_at if facts.staff is not None else 0
    enough = why(Reason.TOO_MANY, "time", until=acts_at, about="words") if acts_at > now else None
    return lacks_role(facts, *roles) or enough


def confirms(first: Proposal | None, facts: Facts, policy: Policy, now: Instant) -> bool:
    """Whether whoever asks is a second person: of the very same words, in time, and the first may still say them."""
    staff = facts.staff
    if first is None or staff is None or now >= first.at + policy.staff.proposed_d * DAY:
        return False
    return staff.first == first.by != staff.member and first.digest == facts.digest


def lacks_role(facts: Facts, *roles: Role) -> Finding | None:
    """Why whoever of the staff asks may not; None if he holds one of these roles."""
    held = facts.staff.roles if facts.staff is not None else ()
    return None if set(held) & set(roles) else why(Reason.NOT_ENTITLED, *roles, about="role")
