"""How wrong proofs slow the next ones down (NIST SP 800-63B-4 section 3.2.2).

Failures are counted apart by where they come from: in a session, from a device the account has met, and from strangers.
So a stranger's failures delay strangers only. A device is the platform's word and may be forged, which buys another
counter with the same bounds and nothing else: whoever guesses at one authenticator has at most `failures_max` tries
in a row of each origin, and then one each `failures_spent_h` hours. Each request shows at most one proof of a kind.

With the default numbers, a 6-digit code of which three time steps are right, and every origin used up, that is a chance
of 300 * 3 / 10^6 = 0.09 % for all tries in a row, and 0.33 % for each further year; a password stands beside it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from holdback.core.decision import Reason, why
from holdback.core.events import HOUR

if TYPE_CHECKING:
    from holdback.core.events import Finding, Instant
    from holdback.core.policy import Policy


class Origin(StrEnum):
    """Where an anonymous try comes from. Tries in a session are counted in the account's own state."""

    DEVICE = "device"
    STRANGER = "stranger"


class Tally(NamedTuple):
    """Failures in a row, and when the last of them was."""

    failures: int = 0
    failed_at: Instant = 0


def slowed_down(tally: Tally, policy: Policy, now: Instant) -> Finding | None:
    """Why no proof is looked at now, or None: a pause that doubles, and after the largest number a long one."""
    limits = policy.step_up
    if tally.failures >= limits.failures_max:
        return _until(tally.failed_at + limits.failures_spent_h * HOUR, now)
    return _paused(tally, limits.failures_before_delay, policy, now)


def network_slowed_down(tally: Tally, policy: Policy, now: Instant) -> Finding | None:
    """The same for a network, over all accounts: many people share one, so it begins later and never ends up longer."""
    return _paused(tally, policy.step_up.network_failures_before_delay, policy, now)


def _paused(tally: Tally, free: int, policy: Policy, now: Instant) -> Finding | None:
    limits = policy.step_up
    if tally.failures < free:
        return None
    doubled = limits.failures_delay_s << min(tally.failures - free, 32)
    return _until(tally.failed_at + min(doubled, limits.failures_delay_max_s) * 1000, now)


def _until(until: Instant, now: Instant) -> Finding | None:
    return why(Reason.TOO_MANY_FAILURES, "time", until=until) if now < until else None
