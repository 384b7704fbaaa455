"""Law 10: what predates a disputed change can stop and undo it; what came after can never approve, unfreeze or outrank.

Everything new is *junior* until its wait is over, the owner was told of it, no freeze disputed it, and no cool-off it
was made in still runs. One function decides that for authenticators, contacts and beneficiaries alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core.events import DAY

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Authenticator, Beneficiary, Contact, Head, Wait


def undisputed_at(head: Head, since: Instant, wait: Wait) -> Instant | None:
    """When the wait of something made at `since` ends; None while nobody knows.

    Nobody knows while the owner was not told of it, or while a freeze disputes it. A freeze disputes what was still
    waiting when it was pressed: its wait starts again at the thaw.
    """
    if not wait.heard:
        return None
    until = wait.until
    for freeze in head.freezes:
        if since <= freeze.pressed_at and freeze.frozen_at < until:
            if not freeze.thawed_at:
                return None
            until = max(until, freeze.thawed_at + wait.length_ms)
    return until


def ripe_at(head: Head, since: Instant, wait: Wait) -> Instant | None:
    """When something made at `since` becomes senior: undisputed, and out of every cool-off that it was made in.

    None while nobody knows, which is also so while such a cool-off waits for its own notice.
    """
    until = undisputed_at(head, since, wait)
    for cool_off in head.cool_offs.values() if until is not None else ():
        if cool_off.started_at <= since:
            if not cool_off.others.heard:
                return None
            if since < cool_off.others.until:
                until = max(until or 0, cool_off.others.until)
    return until


def is_ripe(head: Head, since: Instant, wait: Wait, now: Instant) -> bool:
    """Whether something made at `since` is senior now."""
    until = ripe_at(head, since, wait)
    return until is not None and until <= now


def authenticator_is_senior(head: Head, authenticator: Authenticator, now: Instant) -> bool:
    """Whether it counts for money and changes. A suspended one may be senior: it still counts for law 2."""
    return authenticator.confirmed and is_ripe(head, authenticator.bound_at, authenticator.ripens, now)


def contact_is_senior(head: Head, contact: Contact, now: Instant) -> bool:
    """Whether a notice accepted there starts waits. A replaced contact still does, a recycled one never."""
    usable = contact.confirmed and not contact.recycled and (not contact.removed or contact.told_until > now)
    return usable and is_ripe(head, contact.added_at, contact.ripens, now)


def beneficiary_is_senior(head: Head, beneficiary: Beneficiary, now: Instant) -> bool:
    """Whether its own wait is over and undisputed."""
    return is_ripe(head, beneficiary.added_at, beneficiary.ripens, now)


def beneficiary_is_long_standing(head: Head, beneficiary: Beneficiary, policy: Policy, now: Instant) -> bool:
    """Whether it is senior and its wait ended `outflow.long_standing_d` ago (law 3).

    Cool-offs it was made in do not count here, for they are forgotten once they are over, and this must not move.
    """
    ended = undisputed_at(head, beneficiary.added_at, beneficiary.ripens)
    old = ended is not None and ended + policy.outflow.long_standing_d * DAY <= now
    return old and beneficiary_is_senior(head, beneficiary, now)


def beneficiary_is_long_used(head: Head, beneficiary: Beneficiary, policy: Policy, now: Instant) -> bool:
    """Whether it is long-standing and was first paid as long ago: one that only lies in the book is nobody's habit."""
    paid = bool(beneficiary.paid_at) and beneficiary.paid_at + policy.outflow.long_standing_d * DAY <= now
    return paid and beneficiary_is_long_standing(head, beneficiary, policy, now)
