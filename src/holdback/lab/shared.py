"""What the accounts of a crowd share: what leaves them, the circuit breaker over it, and who met which address.

It stands where rows of outflow, the watch over them and sightings stand in earnest, and does as they do, but for one
thing: it looks at once, not every few seconds. So what it lets a thief take is the least that a platform would lose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.breaker import COUNTED, WEEK, Flow, flow_of, limits, over
from holdback.core.decision import Context, Facts, SharedFact
from holdback.core.events import DAY, HOUR, ActorKind
from holdback.core.policy import MICRO
from holdback.core.rules.asking import Request
from holdback.core.rules.breaker import BreakerTrip
from holdback.core.rules.elsewhere import ADDRESS
from holdback.core.state import NOBODY, Breaker
from holdback.lab.sealing import fake_sealed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Customer

_HOURS_A_WEEK: Final = WEEK // HOUR


class Shared:
    """What a crowd shares since its story began. Example: `Shared(policy, since, 10_000).left(payer, events, now)`."""

    def __init__(self, policy: Policy, since: Instant, usual_usd_per_h: float) -> None:
        """Nothing left yet. `usual_usd_per_h` left in every hour of the weeks before; 0 if nothing is known of them."""
        self._policy = policy
        self._since = since
        usual = Flow(round(usual_usd_per_h * MICRO), round(usual_usd_per_h * MICRO))
        known = policy.breaker.weeks * _HOURS_A_WEEK if usual_usd_per_h else 0
        self._hours = {since // HOUR - hour: usual for hour in range(1, known + 1)}
        self._rows: list[tuple[Instant, Flow]] = []
        self._met: dict[bytes, dict[int, set[int]]] = {}
        self.stream: Customer = NOBODY

    @property
    def tripped_at(self) -> Instant:
        """Since when the breaker holds exits, 0 while it does not."""
        return self._stands.tripped_at

    @property
    def _stands(self) -> Breaker:
        return (self.stream.head.breaker if self.stream.head else None) or Breaker()

    def met(self, address: bytes, place: int, now: Instant) -> None:
        """Note that the account at this place has to do with an address, by its keyed hash."""
        self._met.setdefault(address, {}).setdefault(now // DAY, set()).add(place)

    def known(self, address: bytes, place: int, now: Instant) -> tuple[SharedFact, ...]:
        """How many accounts met an address within the policy's window, and how many with the one that asks."""
        days, today = self._met.get(address, {}), now // DAY
        joined = len({*self._within(days, today), place})
        most = max((len(self._within(days, day)) for day in days), default=0)
        return (SharedFact(ADDRESS, min(days, default=today), most, max(most, joined)),)

    def _within(self, days: dict[int, set[int]], last: int) -> set[int]:
        window = range(last - self._policy.shared.address_window_d + 1, last + 1)
        return {place for day in window for place in days.get(day, ())}

    def left(self, payer: Customer, events: Iterable[ev.AnyEvent], now: Instant) -> None:
        """Count what was let go, and trip if it is too much. What leaves in the past of a story counts for nothing."""
        gone = [flow_of(payer, event, self._policy) for event in events if isinstance(event, COUNTED)]
        if now < self._since or not gone:
            return
        self._rows += [(now, flow) for flow in gone]
        total = Flow()
        for at, flow in self._rows:
            if at >= max(now - HOUR, self._stands.reset_at):
                total = total.plus(flow)
        found = over(total, limits(self._hours, now, self._policy.breaker))
        if found is not None and not self.tripped_at:
            self._trip(*found, now)

    def _trip(self, scope: str, left: int, most: int, now: Instant) -> None:
        """Ask for it as the watch does, in the breaker's own stream."""
        action = BreakerTrip(scope, left, most, fake_sealed("circuit breaker"))
        request = Request(action, ev.BREAKER, ev.Actor(ActorKind.SYSTEM), Context())
        facts = Facts(digest=b"", clock_agrees=True)
        self.stream = decide.advance(self.stream, request, facts, self._policy, now).customer
