"""What an account's sign-ins look like: a bounded, decaying count of keyed hashes, and nothing that names a place.

At most `KEPT` values are kept at each level, and `WAITING` sign-ins that are too young to be learnt: a sign-in shapes
the profile only once its quiet time is over and nobody pressed the stop meanwhile, so that a thief who got in cannot
teach it his own habits first. Further sign-ins are not learnt while that many wait: the profile is a sample.
Counts are in hundredths of a sign-in and lose half of themselves in each half-life, in steps of `STEP`.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from holdback.core.events import DAY, HOUR, MINUTE, Instant

ADDRESS_LEVELS: Final = ("country", "asn", "network", "address")
"""Where from: levels of a network address, from coarse to fine."""
BROWSER_LEVELS: Final = ("system", "version", "browser")
"""With what: levels of a user agent, from coarse to fine: its system, family and major version, and all of it."""
LEVELS: Final = (*ADDRESS_LEVELS, *BROWSER_LEVELS)

KEPT: Final = 8
WAITING: Final = 8
HOURS: Final = 12
"""Parts of a day that are told apart."""
DEVICES: Final = ("trusted", "known", "new")
"""How well a device was known when it signed in."""
ONE: Final = 100
"""A sign-in, in the unit that is counted in."""
MOST: Final = 65_535
"""The most that one count says; it fits two bytes."""
STEP: Final = 7 * DAY
"""How long counts stay as they are: decaying them at each sign-in would lose more by rounding than by time."""


class Young(msgspec.Struct, frozen=True, array_like=True):
    """A sign-in that is not learnt yet; minutes since the epoch."""

    values: tuple[int, ...]
    hour: int
    device: int
    seen_m: int
    quiet_m: int


class Profile(msgspec.Struct, frozen=True, array_like=True):
    """Counts by level, part of the day and place in `DEVICES`, the sign-ins that wait, and the last one there was.

    `home` and `home_at` are the country hash and instant of the last sign-in from a country that was learnt before it.
    """

    total: int = 0
    levels: tuple[dict[int, int], ...] = ({},) * len(LEVELS)
    hours: tuple[int, ...] = (0,) * HOURS
    devices: tuple[int, ...] = (0,) * len(DEVICES)
    decayed_at: Instant = 0
    young: tuple[Young, ...] = ()
    last_at: Instant = 0
    home: int = 0
    home_at: Instant = 0


EMPTY: Final = Profile()


def part_of_day(at: Instant) -> int:
    """Which part of a day (UTC) an instant is in."""
    return at % DAY // HOUR * HOURS // 24


def caught_up(
    profile: Profile, now: Instant, doubted_at: Instant, half_life_ms: int, doubt_began_at: Instant = 0
) -> Profile:
    """The profile as of now: decayed, with every sign-in learnt that was quiet for its time.

    `doubt_began_at` to `doubted_at` is how long the owner's stop lasted (0: it was but an instant): what was young at
    any time of it is forgotten, and so is what came while it lasted.
    """
    began = doubt_began_at or doubted_at
    profile = _decayed(profile, now, half_life_ms)
    young = []
    for one in profile.young:
        ripe = one.quiet_m * MINUTE
        if one.seen_m * MINUTE <= doubted_at and began < ripe:
            continue
        if ripe <= now:
            profile = _learnt(profile, one)
        else:
            young.append(one)
    return replace(profile, young=tuple(young))


def _decayed(profile: Profile, now: Instant, half_life_ms: int) -> Profile:
    steps = (now - profile.decayed_at) // STEP
    if not profile.total or steps <= 0:
        return profile if profile.total else replace(profile, decayed_at=now)
    left = 0.5 ** (steps * STEP / half_life_ms)
    levels = tuple(
        {value: kept for value, count in level.items() if (kept := int(count * left))} for level in profile.levels
    )
    faded = {name: tuple(int(count * left) for count in getattr(profile, name)) for name in ("hours", "devices")}
    at = profile.decayed_at + steps * STEP
    return replace(profile, total=int(profile.total * left), levels=levels, decayed_at=at, **faded)


def _learnt(profile: Profile, one: Young) -> Profile:
    levels = tuple(_counted(level, value) for level, value in zip(profile.levels, one.values, strict=True))
    hours, devices = _one_more(profile.hours, one.hour), _one_more(profile.devices, one.device)
    return replace(profile, total=min(profile.total + ONE, MOST), levels=levels, hours=hours, devices=devices)


def _one_more(counts: tuple[int, ...], place: int) -> tuple[int, ...]:
    return tuple(min(count + ONE, MOST) if here == place else count for here, count in enumerate(counts))


def _counted(level: dict[int, int], value: int) -> dict[int, int]:
    """One more of a value; 0 is none. A new value takes the place of the rarest when all places are taken."""
    if not value:
        return level
    if value not in level and len(level) >= KEPT:
        rarest = min(level, key=lambda known: level[known])
        level = {known: count for known, count in level.items() if known != rarest}
    return level | {value: min(level.get(value, 0) + ONE, MOST)}


def signed_in(profile: Profile, at: Instant, values: tuple[int, ...], device: int, quiet_ms: int) -> Profile:
    """The profile after a sign-in, which begins to wait for being learnt if there is room."""
    young = profile.young
    if len(young) < WAITING:
        one = Young(values, part_of_day(at), device, at // MINUTE, -(-(at + quiet_ms) // MINUTE))
        young = (*young, one)
    known = values[0] in profile.levels[0]
    home, home_at = (values[0], at) if known else (profile.home, profile.home_at)
    return replace(profile, young=young, last_at=at, home=home, home_at=home_at)
