"""How unlike the owner a sign-in is: a sum of log-likelihood ratios, one term a feature, each told with its share.

`S = b + sum w_k * log(p(x_k | thief) / p(x_k | owner))`, in hundredths of a nat. What the owner does comes from the
profile, by back-off: a value that was never seen is judged by the chance of the level above it, `p = (c + a * p_above *
shared) / (n + a)`, where `shared` is how often somebody else's value below the same parent is this very one. What a
thief does comes from the policy: how often one hits upon what the owner uses (`aimed`), and `shared` else. Everything
that has few values has a table in the policy.

A score only ever asks for more. Network and place alone ask for a proof at most; nothing here lets anything through
that would not have passed without it.
"""

from __future__ import annotations

from enum import StrEnum
from math import log
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.events import DAY, HOUR, MINUTE, ScoreTerm
from holdback.core.profile import ADDRESS_LEVELS, BROWSER_LEVELS, DEVICES, HOURS, part_of_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdback.core.decision import Seen
    from holdback.core.events import Instant
    from holdback.core.policy import Risk
    from holdback.core.profile import Profile


class Feature(StrEnum):
    """What is weighed. Each has its reason, `risk_` and its name."""

    ADDRESS = "address"
    BROWSER = "browser"
    DEVICE = "device"
    HOUR = "hour"
    PACE = "pace"
    TRAVEL = "travel"
    ORIGIN = "origin"
    TRIES = "tries"
    FACTORS = "factors"
    MISSING = "missing"


PLACE: Final = frozenset({Feature.ADDRESS, Feature.TRAVEL, Feature.ORIGIN, Feature.MISSING})
"""Network and place: what may ask for a proof and can never cool anything."""
REPUTATION: Final = frozenset({Feature.ORIGIN, Feature.TRAVEL})
"""What is said of a network by others, or follows from it: capped lower."""

PACES: Final = ("minutes", "a day", "weeks", "long ago")
ORIGINS: Final = ("unlisted", "hosting", "vpn", "tor")
TRIES: Final = ("none", "one or two", "up to five", "more")
AGES: Final = ("days", "weeks", "long held")
"""The values of each table of the policy, in its order."""


class Circumstances(NamedTuple):
    """What a sign-in is judged by beside the profile. `device` is a place in `DEVICES`, None if it tells nothing.

    `youngest_at` is when the newest of the authenticators that proved it was bound.
    """

    at: Instant
    seen: Seen
    device: int | None
    failures: int
    youngest_at: Instant


class Score(NamedTuple):
    """The sum and its terms in hundredths of a nat, largest first; `own` is the sum without network and place."""

    total: int
    own: int
    terms: tuple[ScoreTerm, ...]

    def raises(self, risk: Risk) -> bool:
        """Whether it asks for one more proof."""
        return self.total >= risk.step_up_centinats

    def cools(self, risk: Risk) -> bool:
        """Whether it cools exits: only if it would without network and place as well."""
        return min(self.total, self.own) >= risk.cool_off_centinats


def score(profile: Profile, what: Circumstances, risk: Risk) -> Score:
    """Score one sign-in. `profile` has caught up with its time."""
    raw: list[tuple[Feature, float, str]] = [(Feature.MISSING, 0.0, one) for one in what.seen.missing]
    if profile.total:
        raw += _habits(profile, what, risk)
    origin = ORIGINS.index(what.seen.origin) if what.seen.origin in ORIGINS else None
    if origin is not None:
        raw.append(_table(Feature.ORIGIN, risk.origin_owner_permille, risk.origin_thief_permille, origin, ORIGINS))
    tries = sum(what.failures > most for most in risk.tries_most)
    raw.append(_table(Feature.TRIES, risk.tries_owner_permille, risk.tries_thief_permille, tries, TRIES))
    age = sum(what.at - what.youngest_at >= days * DAY for days in risk.factor_ages_d)
    raw.append(_table(Feature.FACTORS, risk.factors_owner_permille, risk.factors_thief_permille, age, AGES))
    terms = [_term(*one, risk) for one in raw]
    ranked = tuple(sorted(terms, key=lambda term: -term.centinats))
    total = risk.base_centinats + sum(term.centinats for term in terms)
    place = sum(term.centinats for term in terms if term.feature in PLACE)
    return Score(total, total - place, ranked)


UNMET: Final = (-1,) * len(BROWSER_LEVELS)
"""A browser that nobody was ever seen with: hashes are not negative."""


def _habits(profile: Profile, what: Circumstances, risk: Risk) -> list[tuple[Feature, float, str]]:
    """The terms that compare with what is known of the owner; nothing known says nothing.

    A browser that is not said, of an owner whose browser is said as a rule, is an unfamiliar one: else whoever steals a
    password would leave it out, which he can choose as he cannot choose his network.
    """
    address, browser = what.seen.address, what.seen.browser
    split = len(ADDRESS_LEVELS)
    if not any(browser) and 2 * sum(profile.levels[-1].values()) > profile.total:
        browser = UNMET
    found = [
        (
            Feature.ADDRESS,
            *_levels(profile, 0, address, risk.address_shared_ppm, risk.address_aimed_ppm, risk.address_prior_centi),
        ),
        (
            Feature.BROWSER,
            *_levels(
                profile, split, browser, risk.browser_shared_ppm, risk.browser_aimed_ppm, risk.browser_prior_centi
            ),
        ),
        (Feature.HOUR, _hour(profile, part_of_day(what.at), risk), ""),
    ]
    if what.device is not None:
        found.append((Feature.DEVICE, _device(profile, what.device, risk), DEVICES[what.device]))
    if profile.last_at:
        gap = what.at - profile.last_at
        pace = sum(gap >= minutes * MINUTE for minutes in risk.paces_m)
        found.append(_table(Feature.PACE, risk.pace_owner_permille, risk.pace_thief_permille, pace, PACES))
    country = address[0] if address else 0
    if country and profile.home and what.at - profile.home_at < risk.travel_h * HOUR:
        far = int(country != profile.home)
        found.append(
            _table(Feature.TRAVEL, risk.travel_owner_permille, risk.travel_thief_permille, far, ("no", "abroad"))
        )
    return found


def _levels(  # noqa: PLR0913, PLR0917 - the two tables of one chain, and where it begins
    profile: Profile,
    first: int,
    values: Sequence[int],
    shared: Sequence[int],
    aimed: Sequence[int],
    priors: Sequence[int],
) -> tuple[float, str]:
    """The log ratio along one chain of levels, and the finest level that was met before.

    A level whose value is not known (0) is stepped over: it speaks neither for nor against anybody.
    """
    owner = thief = 1.0
    finest = ""
    names = (*ADDRESS_LEVELS, *BROWSER_LEVELS)
    for place, value in enumerate(values):
        if not value:
            continue
        count = profile.levels[first + place].get(value, 0)
        by_chance, prior = shared[place] / PPM, priors[place]
        owner = (count + prior * owner * by_chance) / (profile.total + prior)
        thief *= aimed[place] / PPM if count else (1 - aimed[place] / PPM) * by_chance
        finest = names[first + place] if count else finest
    return log(thief / owner), finest


def _device(profile: Profile, place: int, risk: Risk) -> float:
    """How well the device is known, beside how well this owner's are: some people's browsers keep nothing."""
    prior = risk.prior_centi
    owner = (profile.devices[place] + prior * risk.device_owner_permille[place] / 1000) / (profile.total + prior)
    return log(risk.device_thief_permille[place] / 1000 / owner)


def _hour(profile: Profile, part: int, risk: Risk) -> float:
    """A part of the day beside all the same: half of each neighbour counts too, for nobody signs in by the clock."""
    hours = profile.hours
    near = hours[part] + (hours[part - 1] + hours[(part + 1) % HOURS]) / 2
    owner = (near + risk.prior_centi / HOURS) / (2 * profile.total + risk.prior_centi)
    return log(1 / HOURS / owner)


def _table(
    feature: Feature, owner: Sequence[int], thief: Sequence[int], place: int, names: Sequence[str]
) -> tuple[Feature, float, str]:
    return feature, log(thief[place] / owner[place]), names[place]


def _term(feature: Feature, nats: float, about: str, risk: Risk) -> ScoreTerm:
    if feature is Feature.MISSING:
        return ScoreTerm(feature.value, risk.missing_centinats, about)
    most = risk.reputation_max_centinats if feature in REPUTATION else risk.term_max_centinats
    # A weight in percent of a log ratio in nats is already in hundredths.
    share = round(nats * risk.weights_percent[feature.value])
    return ScoreTerm(feature.value, max(-most, min(most, share)), about)


PPM: Final = 1_000_000
