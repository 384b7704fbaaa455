"""Who of the staff may do what, and whether whoever asks is one of them now (law 6).

A member of staff is an account of another kind: the same rules for authenticators, contacts and sessions, and no right
to anything but through what stands here. All facts are taken from the member's own stream, under the lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core.decision import Reason, StaffFact, why
from holdback.core.devices import key_fault
from holdback.core.events import DAY, HOUR, Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.core.decision import DeviceProof, Facts
    from holdback.core.events import Actor, Finding, Instant
    from holdback.core.policy import Policy, Staff
    from holdback.core.state import Head

APART: Final = (
    frozenset({Role.SUPPORT, Role.REVIEWER}),
    frozenset({Role.SUPPORT, Role.TREASURER}),
    frozenset({Role.POLICY, Role.REVIEWER}),
    frozenset({Role.POLICY, Role.LEGAL}),
    frozenset({Role.POLICY, Role.TREASURER}),
)
"""Roles that one person never holds together: who talks to customers, who judges, and who says who does either."""

READERS: Final = frozenset({Role.SUPPORT, Role.REVIEWER, Role.LEGAL, Role.INVESTIGATOR})
"""Roles that read customers. An auditor reads what the staff did, which is in the staff's own streams."""


def fit_together(roles: frozenset[Role]) -> bool:
    """Whether one person may hold these roles; an auditor holds no other."""
    alone = Role.AUDITOR not in roles or len(roles) == 1
    return alone and not any(pair <= roles for pair in APART)


def capped_until(reads: Iterable[Instant], now: Instant, rules: Staff) -> Instant:
    """When somebody who read at these instants may read again; 0 is now. An hour and a day are sliding windows."""
    until = 0
    for window, most in ((HOUR, rules.reads_per_h), (DAY, rules.reads_per_day)):
        within = sorted(at for at in reads if at > now - window)
        if len(within) >= most:
            until = max(until, within[len(within) - most] + window)
    return until


def attending(  # noqa: PLR0913 - who, of what heads, shown how, under which rules, when
    actor: Actor,
    heads: tuple[Head | None, Head | None],
    proof: DeviceProof | None,
    policy: Policy,
    now: Instant,
    *,
    canary: bool,
) -> StaffFact:
    """Who of the staff asks, by `heads`: his own, and that of whom he asks about. With a fault he may do nothing."""
    head, subject = heads
    fault = _fault(head, actor.session, proof, policy, now)
    member = head.member if head is not None else None
    if fault is not None or member is None:
        return StaffFact(actor.key, (), involved=False, fault=fault.code if fault else Reason.NOT_ENTITLED)
    lately = now - policy.staff.apart_d * DAY
    involved = subject is not None and subject.readers.get(actor.key, 0) > lately
    roles = tuple(role.value for role in member.roles)
    return StaffFact(actor.key, roles, involved, "", capped_until(member.read_at, now, policy.staff), canary)


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
    return key_fault(member, shown, proof, policy, now)


def lacks_role(facts: Facts, *roles: Role) -> Finding | None:
    """Why whoever of the staff asks may not; None if he holds one of these roles."""
    held = facts.staff.roles if facts.staff is not None else ()
    return None if set(held) & set(roles) else why(Reason.NOT_ENTITLED, *roles, about="role")
