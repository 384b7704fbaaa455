"""Time in a story: what was planned happens in order, and between it what happens by itself."""

from __future__ import annotations

import heapq
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.decision import Deny
from holdback.core.events import HOUR, ChangeKind
from holdback.core.rules.exit import ExitRelease
from holdback.lab.people import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.decision import Decision
    from holdback.core.events import Instant
    from holdback.lab.stage import Stage

FIRST: Final = 0
LAST: Final = 99
"""Orders of what is planned for one instant: steps in between, in the order of the file; reactions last."""


class Planned(NamedTuple):
    """Something that will happen; among equals of an instant by order, and then as planned first."""

    at: Instant
    order: int
    number: int
    act: Callable[[], None]


class Timeline:
    """What is going to happen. The platform releases held exits, and waiting loosenings take effect, at their time.

    `released` hears of each release, `acted` after everything that happened.
    """

    def __init__(self, stage: Stage) -> None:
        """Start with nothing planned."""
        self._stage = stage
        self._planned: list[Planned] = []
        self._numbers = count()
        self._tried: dict[str, Instant] = {}
        self.causes: dict[str, str] = {}
        self.released: Callable[[str, Decision], None] = lambda _exit, _decision: None
        self.acted: Callable[[], None] = lambda: None

    def plan(self, at: Instant, order: int, act: Callable[[], None]) -> None:
        """Let something happen at an instant; among equals, by order and then as planned first."""
        heapq.heappush(self._planned, Planned(at, order, next(self._numbers), act))

    def caused(self, name: str, person: str) -> None:
        """Remember whose a held exit or waiting change is; asking again for it does not make it another's."""
        self.causes.setdefault(name, person)

    def run(self, until: Instant) -> None:
        """Let everything happen that happens up to and including an instant."""
        while (upcoming := self.upcoming()) is not None and upcoming.at <= until:
            self.go_on(upcoming)
        self._stage.world.now = max(self._stage.world.now, until)

    def go_on(self, upcoming: Planned) -> None:
        """Let happen what `upcoming` says is next."""
        world = self._stage.world
        world.now = max(world.now, upcoming.at)
        if self._planned and upcoming is self._planned[0]:
            heapq.heappop(self._planned)
        upcoming.act()
        self.acted()

    def upcoming(self) -> Planned | None:
        """What happens next, if anything does."""
        upcoming = [*self._planned[:1], *self._changes(), *self._exits()]
        return min(upcoming, key=lambda one: one[:3], default=None)

    def _changes(self) -> list[Planned]:
        """Waiting loosenings, each at its instant. While the account is frozen only its thawing takes effect."""
        customer = self._stage.world.story_customer
        if customer is None:
            return []
        return [
            Planned(change.wait.until, FIRST, -1, self._tick)
            for change in customer.changes.values()
            if change.wait.heard and (not customer.frozen_at or change.kind is ChangeKind.UNFREEZE)
        ]

    def _tick(self) -> None:
        """Carry out what is due, in the name of whoever asked for it, a stranger before the owner."""
        world = self._stage.world
        due = [key for key, change in world.head.changes.items() if change.wait.until <= world.now]
        askers = {self.causes.get(key, OWNER) for key in due}
        world.tick(next(iter(askers - {OWNER}), OWNER))

    def _exits(self) -> list[Planned]:
        customer = self._stage.world.story_customer
        if customer is None:
            return []
        return [
            Planned(max(held.said_until, self._tried.get(key, 0)), FIRST, -1, partial(self._release, key))
            for key, held in customer.exits.items()
            if held.lock is None
        ]

    def _release(self, key: str) -> None:
        """Ask once at its time; once more after another hold, never again after a refusal."""
        world = self._stage.world
        self._tried[key] = world.now + HOUR
        decision = self._stage.by_platform(self.causes.get(key, OWNER), ExitRelease(key))
        if isinstance(decision, Deny):
            self._tried[key] = 2**62
        self.released(key, decision)
