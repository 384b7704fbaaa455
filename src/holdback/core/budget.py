"""Law 3: one outflow budget over every exit, in two lanes and two sliding windows, counted in micro-USD.

Long-standing beneficiaries have a lane of their own with a daily limit; everyone else shares a daily and a 30-day limit
that follow the lowest equity of 30 days. Both grow with the account's own habit, the 95 % quantile of its days with
outflow. Windows slide: an hour (or day) that is only partly in the window counts in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from holdback.core.events import DAY, HOUR, Lane
from holdback.core.policy import MICRO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.core.decision import SenderFact
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Head


class Room(msgspec.Struct, frozen=True):
    """What is left of a lane, in micro-USD: in the day, and in 30 days (None = no monthly limit)."""

    day: int
    month: int | None

    def holds(self, micro_usd: int) -> bool:
        """Whether this much still fits into both windows."""
        return micro_usd <= self.day and (self.month is None or micro_usd <= self.month)


def lowest_equity(head: Head, now: Instant, days: int = 30) -> int:
    """The lowest equity in force in so many days, the one that stood when they began included. Never stated = 0."""
    begins = now // DAY - days
    in_force = max((day for day in head.equity if day < begins), default=begins)
    return min((value for day, value in head.equity.items() if day >= in_force), default=0)


def habit(head: Head, policy: Policy, now: Instant) -> int:
    """The account's usual outflow of a day: the quantile of its days with outflow, quiet days only, in micro-USD."""
    newest = (now - policy.outflow.usual_quiet_h * HOUR) // DAY
    oldest = newest - 365
    days = [value for day, value in head.habit.items() if oldest <= day < newest]
    if len(days) < policy.outflow.usual_days_min:
        return 0
    days.sort()
    place = -(-policy.outflow.usual_quantile_percent * len(days) // 100) - 1
    return days[max(place, 0)]


def usual(head: Head, policy: Policy, now: Instant) -> int:
    """The largest amount that still counts as usual, in micro-USD."""
    return habit(head, policy, now) * policy.outflow.usual_factor_percent // 100


def drawn(head: Head, lane: Lane, now: Instant) -> tuple[int, int]:
    """Micro-USD drawn on a lane in the last 24 h and 30 d, partly covered hours and days counted in full."""
    meter = head.meters.get(lane)
    if meter is None:
        return 0, 0
    first_hour, first_day = (now - DAY) // HOUR, now // DAY - 30
    day = month = 0
    for key, value in meter.hours.items():
        if key >= first_hour:
            day += value
    for key, value in meter.days.items():
        if key >= first_day:
            month += value
    return day, month


def room(head: Head, lane: Lane, own: int, policy: Policy, now: Instant) -> Room:
    """What is left of a lane now; `own` is what `usual` says of this account.

    The instant lane is a small part of the others' one and draws on both.
    """
    outflow = policy.outflow
    if lane is Lane.LONG_STANDING:
        day, _ = drawn(head, lane, now)
        return Room(max(outflow.long_standing_day_usd * MICRO, own) - day, None)
    day, month = drawn(head, Lane.OTHERS, now)
    instant_day, instant_month = drawn(head, Lane.INSTANT, now)
    equity = lowest_equity(head, now)
    left = Room(
        max(equity * outflow.others_day_percent // 100, own) - day - instant_day,
        max(equity * outflow.others_month_percent // 100, own) - month - instant_month,
    )
    if lane is Lane.OTHERS:
        return left
    return Room(min(outflow.instant_day_usd * MICRO - instant_day, left.day), left.month)


def paid_lately(head: Head, stranger: str, now: Instant) -> int:
    """Micro-USD that one stranger was paid in the last 24 h, a partly covered hour counted in full."""
    first = (now - DAY) // HOUR
    return sum(value for hour, value in head.strangers.get(stranger, {}).items() if hour >= first)


def outside_vault(head: Head, now: Instant) -> int | None:
    """What may leave before the share is reached that the owner locked, in micro-USD; None if he locked none.

    It is the rest of the lowest equity of 30 days, less all that left in them: it is not known which part that was. So
    nobody empties a vault in small steps, nor by saying that the account owns more.
    """
    if head.vault is None:
        return None
    _, left = drawn(head, Lane.TOTAL, now)
    return lowest_equity(head, now) * (100 - head.vault.percent) // 100 - left


def in_vault(head: Head, micro_usd: int | None, now: Instant) -> bool:
    """Whether this much would reach into the share that the owner locked; what nobody can price would (law 8)."""
    free = outside_vault(head, now)
    return free is not None and (micro_usd is None or micro_usd > free)


def received_until(
    head: Head, micro_usd: int | None, policy: Policy, now: Instant, senders: Iterable[SenderFact] = ()
) -> Instant | None:
    """Until when an exit of this much may be value received lately inside the platform; None if it may go.

    What must stay is the value that was received and nothing else. So an exit goes as long as it fits into what
    provably predates what still waits: the lowest equity, less that, less what left in the longest such wait (it may
    have been the old part). Equity that was never stated proves nothing, and neither does an amount that nobody can
    price (`None`): then every exit waits (law 8).

    Below `outflow.received_floor_usd` what waits stops nothing, or anybody could stop a stranger's exits for a day by
    sending a cent; that much may thus leave early, and never more. The end is the first instant at which enough has
    ripened, so that dust that came later postpones nothing either.

    `senders` say how long each mark waits (`inside.Received`): one that is not among them counts as stopped.
    """
    stops = {one.sender: one.stopped_at for one in senders}
    ends = [(one.ends_at(stops), one.micro_usd) for one in head.received]
    waiting = sorted(one for one in ends if one[0] > now)
    unripe = sum(waits for _, waits in waiting)
    floor = policy.outflow.received_floor_usd * MICRO
    if not waiting or unripe < floor:
        return None
    first_day = (now - policy.outflow.received_from_cooling_h * HOUR) // DAY
    total = head.meters.get(Lane.TOTAL)
    left = sum(value for day, value in total.days.items() if day >= first_day) if total else 0
    own = lowest_equity(head, now) - left
    until = None
    for ends_at, waits in waiting:
        if unripe < floor or (micro_usd is not None and micro_usd <= max(0, own - unripe)):
            break
        unripe, until = unripe - waits, ends_at
    return until
