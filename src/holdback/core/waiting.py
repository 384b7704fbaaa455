"""What of one stream waits for people or for its time, as a function of the head.

Queues across customers are a read model: these items, kept in a table of their own by the transaction that changes the
head. Nothing is decided by them, and they can be made anew from the heads at any time (`holdback desk rebuild`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core import inside
from holdback.core.breaker import RESETS
from holdback.core.disclosure import approvers
from holdback.core.events import DAY, Role
from holdback.core.evidence import WAYS, EvidenceClass, Path, next_word, of_class, path_of
from holdback.core.staffing import RULES_ON_SALES

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.inside import Sent
    from holdback.core.policy import Policy
    from holdback.core.state import Agency, Breaker, Head, Incident, LegalRequest, Proposal, Recovery


AGENCY: Final = "agency"
RETURN: Final = "return"


class For(StrEnum):
    """What an item waits for."""

    EVIDENCE = "evidence"
    """What its opener shows, or what one of the staff says of what he was shown."""
    REVIEW = "review"
    TIME = "time"
    """Its wait; from `due_at` on, its opener."""
    ANSWER = "answer"
    CALL_BACK = "call_back"
    APPROVAL = "approval"
    RELEASE = "release"


class Item(NamedTuple):
    """One thing that waits, since `opened_at`: at `due_at` it is over or late, at `wake_at` looked at again (0: never).

    `role` is who of the staff can move it, or is to see it, "" if nobody.
    """

    kind: str
    id: str
    opened_at: Instant
    due_at: Instant
    wake_at: Instant
    waits_for: For
    role: str


def items(head: Head, policy: Policy) -> tuple[Item, ...]:
    """Everything that waits, in a fixed order of kinds. It changes only where the head does."""
    found = []
    if head.recovery is not None:
        found.append(_recovery(head.recovery, policy))
    if head.incident is not None:
        found.append(_incident(head.incident))
    for name, request in head.legal.items():
        if not request.frozen_until or request.thaw_by:
            found.append(_legal(name, request, policy))
    if head.member is not None and head.member.proposal is not None:
        found.append(_proposal(head.member.proposal, policy))
    if head.agency is not None:
        found += _agency(head.agency, policy)
    if head.breaker is not None and head.breaker.tripped_at:
        found += _breaker(head.breaker)
    for name, first in head.returning.items():
        if name in head.sent:
            found += _return(name, first, head.sent[name])
    for name, held in head.exits.items():
        if held.lock is not None and held.lock.disputed_at:
            found += _dispute(name, held.lock.disputed_at)
    return tuple(found)


def is_over(kind: str, due_at: Instant, now: Instant) -> bool:
    """Whether an item has gone with nothing happening to its head.

    An entry of the registry that is in force now, and what nobody can give back any more.
    """
    return kind in {AGENCY, RETURN} and due_at <= now


def is_unchanged(before: Head | None, after: Head) -> bool:
    """Whether nothing that the desk is made of has changed: the usual case, seen without making it."""
    if before is None or before.recovery is not after.recovery or before.incident is not after.incident:
        return False
    if before.breaker is not after.breaker or before.returning is not after.returning:
        return False
    if before.exits is not after.exits:
        return False
    return before.legal is after.legal and before.member is after.member and before.agency is after.agency


def _recovery(case: Recovery, policy: Policy) -> Item:
    waits_for, role = _lacks(case, policy)
    wait = case.wait
    runs = waits_for is For.TIME and wait is not None and wait.heard
    due_at = wait.until if runs and wait is not None else expires_at(case, policy)
    return Item("recovery", case.id, case.opened_at, due_at, next_word(case, policy), waits_for, role)


def expires_at(case: Recovery, policy: Policy) -> Instant:
    """When a recovery ends by itself, if nothing more happens in it."""
    return case.last_at + policy.recovery.expires_d * DAY


def _lacks(case: Recovery, policy: Policy) -> tuple[For, str]:
    """What a recovery needs next, and from whom of the staff."""
    way = WAYS[Path(case.path) if case.path else path_of(case.shown)]
    if way.third_party and not of_class(case.shown, EvidenceClass.THIRD_PARTY):
        return For.EVIDENCE, Role.SUPPORT
    if (way.reviewed or case.doubted) and len(case.approved) < policy.recovery.reviewers:
        return For.REVIEW, Role.REVIEWER
    return (For.TIME, "") if case.path else (For.EVIDENCE, "")


def _incident(case: Incident) -> Item:
    """A robbery waits for an answer from when it was last spoken of."""
    return Item("incident", case.id, case.opened_at, case.last_at, 0, For.ANSWER, Role.INVESTIGATOR)


def _legal(name: str, request: LegalRequest, policy: Policy) -> Item:
    """A request until it is released or rejected, or an order that somebody wants ended before its date."""
    waits_for = For.APPROVAL
    if not request.thaw_by and not request.called_by:
        waits_for = For.CALL_BACK
    elif not request.thaw_by and len(request.approved) >= approvers(request.basis, policy):
        waits_for = For.RELEASE
    return Item("legal", name, request.received_at, request.ends_at(), 0, waits_for, Role.LEGAL)


def _proposal(first: Proposal, policy: Policy) -> Item:
    """Someone is to be a member of staff, as soon as a second person asks the same."""
    due_at = first.at + policy.staff.proposed_d * DAY
    return Item("staff", "proposal", first.at, due_at, 0, For.APPROVAL, Role.POLICY)


def _agency(agency: Agency, policy: Policy) -> list[Item]:
    """An entry of the registry that a second person must ask for, and one that waits: time to see it, and to object.

    What is seen by two kinds of people stands there twice. It goes at its time, for nothing happens to the head then.
    """
    found, waiting, first = [], agency.waiting, agency.proposal
    if waiting is not None:
        found += [
            Item(AGENCY, role, waiting.entered_at, waiting.from_at, waiting.from_at, For.TIME, role)
            for role in (Role.LEGAL, Role.AUDITOR)
        ]
    if first is not None:
        due_at = first.at + policy.staff.proposed_d * DAY
        found.append(Item(AGENCY, "proposal", first.at, due_at, due_at, For.APPROVAL, Role.POLICY))
    return found


def _return(name: str, first: Proposal, sent: Sent) -> list[Item]:
    """What one person wants given back, as long as it waits where it went; both kinds of people see it."""
    until = sent.stopped_until
    return [
        Item(RETURN, f"{role}.{name}", first.at, until, until, For.APPROVAL, role) for role in sorted(inside.RETURNS)
    ]


def _breaker(one: Breaker) -> list[Item]:
    """The circuit breaker, until two of those who may have reset it; both kinds of people see it."""
    at = one.tripped_at
    return [Item("breaker", role, at, at, 0, For.APPROVAL, role) for role in sorted(RESETS)]


def _dispute(name: str, at: Instant) -> list[Item]:
    """A disputed P2P sale, until two of those who may decide it did; both kinds of people see it."""
    return [Item("sale", f"{role}.{name}", at, at, 0, For.APPROVAL, role) for role in sorted(RULES_ON_SALES)]
