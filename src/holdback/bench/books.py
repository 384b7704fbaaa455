"""Seeded order books of one day: a reference each minute, a spread, and how far prices swing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.decision import MarketFact
from holdback.core.events import MINUTE
from holdback.core.policy import MICRO
from holdback.pair_index import PairIndex

if TYPE_CHECKING:
    import random

MINUTES: Final = 1_440
BEFORE: Final = 1_440
"""Minutes before the day, so that what is usual is known."""


class Weather(NamedTuple):
    """How much more than usual everything swings, and how much wider spreads are, from the given minute on."""

    swings: float
    spreads: float
    from_minute: int


QUIET: Final = Weather(1, 1, 0)
CRASH: Final = Weather(8, 10, 480)
"""A crash that begins in the morning, when the medians are still a quiet day's."""

KINDS: Final = (("LIQUID", 2, 0.0001, 0.0005), ("MIDDLE", 10, 0.0006, 0.0012), ("THIN", 20, 0.004, 0.0030))
"""Names, how many, half of the spread, and the swing of a minute, of each kind of pair."""


class Book(NamedTuple):
    """A pair's day: the reference of each minute by the feed, the median half-range then, spread and swing."""

    pair: str
    thin: bool
    spread: float
    swing: float
    weather: Weather
    reference: list[float]
    half_range_ppm: list[int]
    storm_ppm: list[int]

    def mid(self, minute: int, chance: random.Random) -> float:
        """The price within a minute, which the feed does not know yet."""
        wild = self.weather.swings if minute >= self.weather.from_minute else 1
        return self.reference[minute] * math.exp(chance.gauss(0, self.swing * wild * math.sqrt(chance.random())))

    def half(self, minute: int) -> float:
        """Half of the spread, as part of the price."""
        return self.spread * (self.weather.spreads if minute >= self.weather.from_minute else 1)

    def market(self, minute: int, now: int) -> MarketFact:
        """What Holdback's feed says; every second asset is worth a dollar."""
        known = f"{self.reference[minute]:.10f}", self.half_range_ppm[minute], now
        return MarketFact(self.pair, *known, MICRO, now, 0, 0, self.storm_ppm[minute])


def books(weather: Weather, chance: random.Random) -> list[Book]:
    """All pairs of one day, the most traded first."""
    return [
        _book(f"{name}{number}/USDT", spread, swing, weather, chance)
        for name, count, spread, swing in KINDS
        for number in range(count)
    ]


def _book(
    pair: str,
    spread: float,
    swing: float,
    weather: Weather,
    chance: random.Random,
) -> Book:
    price, index = chance.uniform(0.5, 100), PairIndex(pair, "1", 0)
    reference: list[float] = []
    medians: list[int] = []
    storms: list[int] = []
    for minute in range(-BEFORE, MINUTES):
        wild = minute >= weather.from_minute
        now_swing, now_spread = swing * (weather.swings if wild else 1), spread * (weather.spreads if wild else 1)
        price *= math.exp(chance.gauss(0, now_swing))
        half = now_spread + now_swing * abs(chance.gauss(0.8, 0.3))
        ppm = min(1_000_000, int(half * 1_000_000))
        index = index.after(PairIndex(pair, "1", (minute + BEFORE) * MINUTE, ((minute + BEFORE, ppm),)))
        if minute >= 0:
            reference.append(price)
            medians.append(index.half_range_ppm)
            storms.append(index.storm_ppm)
    return Book(pair, pair.startswith("THIN"), spread, swing, weather, reference, medians, storms)
