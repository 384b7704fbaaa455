"""What a recovery rests on now, and what its way still lacks (laws 6 and 7).

Evidence is looked at again whenever something is to follow from it: what was burned, suspended or removed since it was
shown counts no more, and a payment that waits goes no further than the case that asked for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core.decision import Reason, why
from holdback.core.events import AuthenticatorKind
from holdback.core.evidence import EVIDENCE, WAYS, EvidenceClass, Path, is_burned, of_class, path_of

if TYPE_CHECKING:
    from holdback.core.events import Finding
    from holdback.core.rules.asking import Case
    from holdback.core.state import Recovery, Shown


def standing(case: Case, recovery: Recovery) -> tuple[Shown, ...]:
    """What was shown and counts still: not what became known since, or was suspended, removed or given to others."""
    return tuple(
        one for one in recovery.shown if not is_burned(case.head, one.evidence, case.now) and _is_good(case, one)
    )


def _is_good(case: Case, one: Shown) -> bool:
    held = case.head.authenticators.get(one.source)
    if one.evidence in set(AuthenticatorKind):
        return held is not None and not held.suspended and not held.recycled
    contact = case.head.contacts.get(one.source)
    return contact is None or not (contact.removed or contact.recycled)


def lacking(case: Case, recovery: Recovery, path: Path) -> Finding | None:
    """What a path needs beside its wait and does not have."""
    way, left = WAYS[path], standing(case, recovery)
    if len(left) < len(recovery.shown) and path_of(left) is not path:
        return why(Reason.EVIDENCE_BURNED, "recovery.cancel", "recovery.open", about="recovery")
    if way.third_party and not of_class(recovery.shown, EvidenceClass.THIRD_PARTY):
        third = (kind for kind, one in EVIDENCE.items() if one is EvidenceClass.THIRD_PARTY)
        return why(Reason.EVIDENCE_REQUIRED, *third, about="recovery")
    if (way.reviewed or recovery.doubted) and len(recovery.approved) < case.policy.recovery.reviewers:
        return why(Reason.REVIEW_REQUIRED, "recovery.review", about="recovery")
    return None


def unfounded(case: Case, asked_by: str) -> Finding | None:
    """Why an exit cannot go that a recovery asked for: its case ran out, or what it rests on counts no more.

    A case that ended took its payments along; one that was finished has nothing to say any more.
    """
    recovery = case.head.recovery
    if recovery is None or recovery.id != asked_by:
        return None
    if case.recovery is None:
        return why(Reason.NOT_FOUND, "recovery.open", about="recovery")
    return lacking(case, recovery, Path(recovery.path))
