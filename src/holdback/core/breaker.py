"""The circuit breaker over all accounts: what counts as outflow that thieves make, and how much of it is too much.

Two sums are watched: what goes to beneficiaries that are new in their book, and what leaves accounts that changed
lately, by exits and by trades that give value away. A run on the platform, in which everybody pays himself out to
where he always does, is in neither.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.events import (
    DAY,
    HOUR,
    ExitAllowed,
    ExitExceeded,
    ExitReconciled,
    Lane,
    OrderAllowed,
    OrderReported,
    Role,
)
from holdback.core.policy import MICRO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from holdback.core.events import Instant
    from holdback.core.policy import Breaker, Policy
    from holdback.core.state import Beneficiary, Customer, Head

RESETS: Final = frozenset({Role.TREASURER, Role.INVESTIGATOR})
"""Roles that may reset it, two people together."""

WEEK: Final = 7 * DAY
SCOPES: Final = ("new_destinations", "changed_accounts")
"""What is watched, in the order of `Flow`."""

INSIDE: Final = "internal."
"""How beneficiaries are named who are customers here, and named one by one."""

COUNTED: Final = ExitAllowed, ExitExceeded, ExitReconciled, OrderAllowed, OrderReported
"""What lets value go, or shows that it went."""


class Flow(NamedTuple):
    """Micro-USD that left to new destinations, and from accounts that changed lately; one exit may count in both."""

    new_micro_usd: int = 0
    changed_micro_usd: int = 0

    def plus(self, other: Flow) -> Flow:
        """Both together."""
        return Flow(self.new_micro_usd + other.new_micro_usd, self.changed_micro_usd + other.changed_micro_usd)


def is_new(entry: Beneficiary | None, policy: Policy, now: Instant) -> bool:
    """Whether a destination is new: nobody's entry, or one that came lately, however ripe it is."""
    return entry is None or entry.added_at + policy.breaker.new_d * DAY > now


def is_changed(head: Head, policy: Policy, now: Instant) -> bool:
    """Whether something happened to an account lately that a takeover begins with."""
    return bool(head.changed_at) and head.changed_at + policy.breaker.changed_h * HOUR > now


def is_watched(looked_at: Instant, policy: Policy, now: Instant) -> bool:
    """Whether what leaves was added up lately. One from the future is none: the clock that it stands in went back."""
    return abs(now - looked_at) <= policy.breaker.look_age_s * 1000


def flow_of(
    payer: Customer, gone: ExitAllowed | ExitExceeded | ExitReconciled | OrderAllowed | OrderReported, policy: Policy
) -> Flow:
    """What one exit or trade that was let go counts for. What stays with its owner counts for nothing.

    What gets a fresh receipt, for it was not paid, was counted when it was let go first.

    A stranger is new, however long his kind has been open, and so is a merchant who charges more than was authorised. A
    customer here never is: what he receives stays inside for a day and can be given back, and if it counted, anybody
    could trip the breaker for free by paying himself.

    Of what a restored store had forgotten only the kind is known: whoever it paid is new, if he is not a customer here.

    A trade has no destination: what it gives away counts where the account changed lately. On a wild day many honest
    accounts give something away, and few of them changed.
    """
    if payer.head is None:
        return Flow()
    if isinstance(gone, ExitReconciled):
        return _forgotten(payer.head, gone, policy)
    if isinstance(gone, ExitExceeded):
        return Flow(gone.micro_usd, gone.micro_usd if is_changed(payer.head, policy, gone.at) else 0)
    if not isinstance(gone, ExitAllowed):
        given = gone.drain if isinstance(gone, OrderAllowed) else gone.extra
        return Flow(0, given.micro_usd if is_changed(payer.head, policy, gone.at) else 0)
    if gone.lane is Lane.OWN or gone.exit in payer.head.unpaid:
        return Flow()
    entry = None if gone.stranger else payer.beneficiary(gone.beneficiary)
    new = not gone.beneficiary.startswith(INSIDE) and is_new(entry, policy, gone.at)
    changed = is_changed(payer.head, policy, gone.at)
    return Flow(gone.micro_usd if new else 0, gone.micro_usd if changed else 0)


def _forgotten(head: Head, gone: ExitReconciled, policy: Policy) -> Flow:
    if gone.lane is Lane.OWN:
        return Flow()
    new = f"{policy.exits.get(gone.kind)}." != INSIDE
    changed = is_changed(head, policy, gone.paid_at)
    return Flow(gone.micro_usd if new else 0, gone.micro_usd if changed else 0)


def limits(hours: Mapping[int, Flow], now: Instant, rules: Breaker) -> Flow:
    """The most that may leave in an hour: of the same hour of the week in the weeks before, median and spread.

    `hours` are totals by hour since the epoch. The hours next to it count as well, for windows slide and people are not
    punctual. An hour in which nothing left is one, once there was anything before it. While fewer than `weeks_min`
    weeks are known, the limit is `cold_usd_per_h`: a declared number, for no number can be learned yet.
    """
    this = now // HOUR
    weeks = min(rules.weeks, (this - min(hours, default=this)) // (WEEK // HOUR))
    if weeks < rules.weeks_min:
        return Flow(rules.cold_usd_per_h * MICRO, rules.cold_usd_per_h * MICRO)
    places = [this - week * (WEEK // HOUR) + near for week in range(1, weeks + 1) for near in (-1, 0, 1)]
    samples = [hours.get(place, Flow()) for place in places]
    return Flow(
        _limit([one.new_micro_usd for one in samples], rules),
        _limit([one.changed_micro_usd for one in samples], rules),
    )


def _limit(samples: list[int], rules: Breaker) -> int:
    """Median and median absolute deviation: a week in which thieves were at work hardly moves them."""
    middle = median(samples)
    spread = median(abs(one - middle) for one in samples)
    learned = max(middle + rules.deviations * spread, middle * rules.times_median)
    return max(rules.least_usd_per_h * MICRO, int(learned))


def over(flow: Flow, most: Flow) -> tuple[str, int, int] | None:
    """The first sum that is over its limit: what it is called, the sum and the limit."""
    for scope, left, limit in zip(SCOPES, flow, most, strict=True):
        if left > limit:
            return scope, left, limit
    return None
