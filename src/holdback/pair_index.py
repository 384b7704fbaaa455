"""A pair by an index from outside: its reference, how far its prices swing, and how far they swing on ordinary days.

What everybody pays more in a wild market is told from what a thief gives away by these (`core/trading.py`, law 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.events import MINUTE
from holdback.ports import Price

if TYPE_CHECKING:
    from holdback.core.events import Instant

RANGES_KEPT: Final = 60
"""Half-ranges that the median of a pair is of, one a minute at most."""
STORM_MINUTES: Final = 10
"""So many minutes say how a market is now: half of them must agree."""
STORM_TIMES: Final = 2
"""So many times what is usual is still an ordinary day, or every busy hour would excuse something."""
STORM_LEAST_PPM: Final = 1_000
"""Half-ranges up to this are no storm, however quiet it was before: what a pair's first hours say is often nothing."""
LEARNED_LEAST: Final = 1_440
"""Minutes, a day, from which what is usual is known."""
LEARNING_STEP: Final = 100
"""While it is learned, what is usual moves by this part of itself a minute at most."""
USUAL_STEP: Final = 5_000
"""And then by this: by a third a day."""


class PairIndex(NamedTuple):
    """A pair by an index from outside the platform: units of its second asset for one of the first.

    `half_ranges` are minutes since the epoch and, in millionths of the reference, half of the spread between highest
    and lowest price in it. `usual_ppb` is what it is on ordinary days, in billionths, learned from so many minutes.
    """

    pair: str
    reference: str
    at: Instant
    half_ranges: tuple[tuple[int, int], ...] = ()
    usual_ppb: int = 0
    learned: int = 0

    @property
    def half_range_ppm(self) -> int:
        """The rolling median of the last hour: one minute of confusion moves it little.

        Where the feed paused, and there are few minutes, it is no more than what is usual.
        """
        lately = self._lately(RANGES_KEPT)
        usual = self.usual_ppb // 1_000
        return min(_median(lately), usual) if usual and len(lately) < STORM_MINUTES else _median(lately)

    @property
    def storm_ppm(self) -> int:
        """By how much the last minutes' median exceeds what an ordinary day may bring; 0 while nobody knows that."""
        lately, ordinary = self._lately(STORM_MINUTES), STORM_TIMES * self.usual_ppb // 1_000
        known = self.learned >= LEARNED_LEAST and 2 * len(lately) >= STORM_MINUTES
        return max(0, _median(lately) - max(ordinary, STORM_LEAST_PPM)) if known else 0

    def _lately(self, minutes: int) -> list[int]:
        """The half-ranges of so many minutes up to now, whichever of them are there."""
        first = self.at // MINUTE - minutes
        return [ppm for minute, ppm in self.half_ranges if minute > first]

    def after(self, newer: PairIndex) -> PairIndex:
        """The index after what the feed says now; of one minute the last word counts."""
        ranges = dict(self.half_ranges) | dict(newer.half_ranges)
        kept = newer._replace(half_ranges=tuple(sorted(ranges.items())[-RANGES_KEPT:]))
        one_more = len(ranges) > len(self.half_ranges)
        return kept._replace(usual_ppb=self._usual_after(kept), learned=min(self.learned + one_more, LEARNED_LEAST))

    def _usual_after(self, newer: PairIndex) -> int:
        """What is usual after one more minute: it follows the minutes by small steps, so that a storm moves it little.

        While it is being learned the steps are larger. (Ma, Muthukrishnan and Sandler, "Frugal streaming for estimating
        quantiles", 2013.)
        """
        if not newer.half_ranges or newer.half_ranges[-1:] == self.half_ranges[-1:]:
            return self.usual_ppb
        now = newer.half_ranges[-1][1] * 1_000
        step = self.usual_ppb // (USUAL_STEP if self.learned >= LEARNED_LEAST else LEARNING_STEP) + 1
        return min(max(now, self.usual_ppb - step), self.usual_ppb + step) if self.usual_ppb else now

    def row(self) -> Price:
        """How it is kept."""
        learned = [f"usual:{self.usual_ppb}", f"learned:{self.learned}"] if self.learned else []
        detail = ",".join([self.reference, *learned, *(f"{minute}:{ppm}" for minute, ppm in self.half_ranges)])
        return Price(self.pair, 0, self.at, detail)

    @classmethod
    def of(cls, price: Price) -> PairIndex:
        """What a row keeps."""
        reference, *ranges = price.detail.split(",")
        found = {minute: int(ppm) for minute, _, ppm in (one.partition(":") for one in ranges)}
        known = found.pop("usual", 0), found.pop("learned", 0)
        return cls(price.asset, reference, price.at, tuple((int(minute), ppm) for minute, ppm in found.items()), *known)


def _median(found: list[int]) -> int:
    return sorted(found)[(len(found) - 1) // 2] if found else 0
