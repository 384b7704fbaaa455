"""Made-up sign-ins of made-up customers, and of thieves who know their passwords: seeded, so that a run repeats itself.

Customers have what upsets such scores in the world: leases of addresses that run out, phones behind shared addresses,
networks that thousands share, browsers that update themselves, new phones, cleared storage, windows that keep nothing,
borrowed computers, commercial VPNs, journeys, wrong tries and long silences. Nobody's own numbers were at hand; each
rate is written here beside its name, chosen before any score was looked at.

Thieves hold the password and the second factor, and differ in what else they know, as in Freeman et al. (NDSS 2016)
and Wiefling et al. (2021, 2022):

- `naive`: any network in the world, a popular browser;
- `vpn`: a network in the victim's country, most often one that rents servers, a popular browser;
- `targeted`: a home network in the victim's country, half the time of the victim's own provider, the victim's system
  and browser family, and the hours the victim keeps;
- `informed`: besides these always the victim's own provider, and the very user agent of one of the victim's devices.

None has the victim's device key: who has that sits at the victim's own machine, and no score of this kind tells.
"""

from __future__ import annotations

import random
import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.events import DAY, HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdback.core.events import Instant

OWNER: Final = "owner"
MODELS: Final = ("naive", "vpn", "targeted", "informed")

DAYS: Final = 420
COUNTRIES: Final = 60
PROVIDERS: Final = 14
"""Home providers a country; the first three have mobile networks too."""
BLOCKS: Final = 400
"""Networks of 256 addresses a provider."""
MOBILE_BLOCKS: Final = 40
SERVERS: Final = 5
"""Providers of servers, with a presence in every country."""
SERVER_BLOCKS: Final = 30
SYSTEMS: Final = (("Windows", 30), ("Android", 33), ("iOS", 22), ("Mac OS X", 11), ("Linux", 4))
FAMILIES: Final = {
    "Windows": (("Chrome", 68), ("Edge", 22), ("Firefox", 10)),
    "Android": (("Chrome", 82), ("Samsung", 12), ("Firefox", 6)),
    "iOS": (("Safari", 88), ("Chrome", 12)),
    "Mac OS X": (("Safari", 52), ("Chrome", 40), ("Firefox", 8)),
    "Linux": (("Firefox", 55), ("Chrome", 45)),
}
PHONES: Final = frozenset({"Android", "iOS"})
MAJOR_EVERY_D: Final = 28
PATCH_EVERY_D: Final = 7


class SignIn(NamedTuple):
    """One sign-in with right proofs. `device` is its key's name, "" if unknown; `who` is the owner or a model."""

    user: int
    at: Instant
    address: tuple[int, int, int, int]
    browser: tuple[int, int, int]
    origin: str
    device: str
    failures: int
    youngest_at: Instant
    who: str


class Device(NamedTuple):
    """What somebody signs in with."""

    name: str
    system: str
    family: str
    lag_d: int
    build: int


class Spot(NamedTuple):
    """Where somebody signs in: country, provider, network, address, and what lists say of it."""

    country: int
    provider: str
    block: int
    host: int
    origin: str = "unlisted"


def named(*words: object) -> int:
    """A value of 32 bits for a thing, as a keyed hash would be."""
    return zlib.crc32(repr(words).encode()) or 1


def often(chance: random.Random, share: float) -> bool:
    """Whether it happens, in this share of cases."""
    return chance.random() < share


def zipf(chance: random.Random, count: int, power: float = 1.0) -> int:
    """One of so many, the first most often."""
    key = (count, power)
    if key not in _SUMS:
        _SUMS[key] = list(accumulate(1 / (place + 1) ** power for place in range(count)))
    return chance.choices(range(count), cum_weights=_SUMS[key])[0]


_SUMS: Final[dict[tuple[int, float], list[float]]] = {}


def weighted(chance: random.Random, table: tuple[tuple[str, int], ...]) -> str:
    """One of a table's names, by its weights."""
    return chance.choices([name for name, _ in table], [weight for _, weight in table])[0]


def a_device(chance: random.Random, name: str, system: str = "") -> Device:
    """Somebody's device, a popular one more likely."""
    system = system or weighted(chance, SYSTEMS)
    family = weighted(chance, FAMILIES[system])
    # A fifth of people let updates wait for months.
    lag = int(chance.expovariate(1 / 60)) if often(chance, 0.2) else int(chance.expovariate(1 / 5))
    return Device(name, system, family, lag, zipf(chance, 40 if system in PHONES else 4, 0.7))


def agent(device: Device, at: Instant) -> tuple[int, int, int]:
    """A device's user agent at a time: its system, its major version, all of it."""
    day = max(at // DAY - device.lag_d, 0)
    major, patch = day // MAJOR_EVERY_D, day // PATCH_EVERY_D
    version = (device.system, device.family, major)
    return named(device.system), named(version), named(version, patch, device.build)


def spot_of(spot: Spot) -> tuple[int, int, int, int]:
    """A place as the levels of an address."""
    block = (spot.country, spot.provider, spot.block)
    return named("country", spot.country), named("asn", spot.provider), named(block), named(block, spot.host)


def at_home(chance: random.Random, country: int, provider: int) -> Spot:
    """Some line of a provider."""
    return Spot(country, f"p{country}.{provider}", zipf(chance, BLOCKS, 0.3), chance.randrange(256))


def on_mobile(chance: random.Random, country: int, provider: int) -> Spot:
    """Some address that thousands of phones share."""
    return Spot(country, f"m{country}.{provider % 3}", zipf(chance, MOBILE_BLOCKS, 0.5), chance.randrange(64))


def at_servers(chance: random.Random, country: int, *, vpn: bool) -> Spot:
    """A rented server, or a commercial VPN's. Lists know two thirds of the latter."""
    listed = "vpn" if vpn and often(chance, 0.66) else "hosting"  # the share just named
    block = Spot(country, f"s{zipf(chance, SERVERS)}", zipf(chance, SERVER_BLOCKS, 0.5), chance.randrange(256))
    return block._replace(origin=listed)


class Customer:
    """One customer's habits, and the sign-ins they make."""

    def __init__(self, chance: random.Random, user: int) -> None:
        """Draw the habits."""
        self.chance, self.user = chance, user
        self.country = zipf(chance, COUNTRIES, 1.1)
        self.provider = zipf(chance, PROVIDERS)
        self.mobile = zipf(chance, 3)
        self.home = at_home(chance, self.country, self.provider)
        self.lease_d = chance.choice((1, 7, 30, 90, 400))
        self.leased_at = 0
        works = often(chance, 0.5)  # half sign in from a workplace too
        self.work = at_home(chance, self.country, zipf(chance, PROVIDERS)) if works else None
        self.vpn = (
            at_servers(chance, zipf(chance, 8), vpn=True) if often(chance, 0.05) else None
        )  # one in twenty uses a VPN
        self.shares = [chance.gammavariate(2.0, 1), chance.gammavariate(1.2, 1), chance.gammavariate(0.8, 1)]
        self.devices = [a_device(chance, f"{user}.{place}") for place in range(chance.choice((1, 1, 2, 2, 3)))]
        self.forgets = often(chance, 0.05)  # one in twenty keeps no storage
        self.every_d = chance.lognormvariate(1.1, 0.8)
        self.peak_h = chance.choice((7, 9, 12, 18, 20, 21, 22)) + chance.random()
        self.bound_at = -int(chance.expovariate(1 / 300) * DAY)
        self.journeys = list(self._journeys())
        self.made = 0

    def _journeys(self) -> Iterator[tuple[Instant, Instant, int]]:
        """When this customer is abroad, and where: twice a year on average, some monthly, many never."""
        every_d, at = self.chance.choice((30, 120, 240, 400, 10_000)), 0.0
        while at < DAYS:
            at += self.chance.expovariate(1 / every_d)
            yield int(at * DAY), int((at + self.chance.uniform(2, 14)) * DAY), zipf(self.chance, COUNTRIES, 0.8)

    def sign_ins(self) -> Iterator[SignIn]:
        """Every sign-in of this customer, in order."""
        at = int(self.chance.uniform(0, 60) * DAY)
        while at < DAYS * DAY:
            yield self._sign_in(at)
            # A session ends and begins again at once in one case of twelve; else there are days between.
            again = often(self.chance, 1 / 12)
            gap = self.chance.expovariate(1) * (20 / 1440 if again else self.every_d)
            day = int(at + gap * DAY)
            at = day if again else max(at + 60_000, day // DAY * DAY + self.hour_ms())

    def hour_ms(self) -> int:
        """A time of day at which this customer is awake."""
        late = often(self.chance, 0.1)  # one in ten keeps no hours
        hour = self.chance.uniform(0, 24) if late else self.chance.gauss(self.peak_h, 2.5)
        return int(hour % 24 * HOUR)

    def _sign_in(self, at: Instant) -> SignIn:
        device = self._device(at)
        spot = self._spot(at, device)
        if often(self.chance, self.every_d / 500):
            self.bound_at = at - int(self.chance.uniform(0, 3) * DAY)
        failures = self.chance.choices((0, 1, 2, 3, 6), (900, 70, 20, 8, 2))[0]
        forgets = self.forgets or device.name.startswith("borrowed")
        name = f"{device.name}.{at}" if forgets else device.name
        return SignIn(
            self.user, at, spot_of(spot), agent(device, at), spot.origin, name, failures, self.bound_at, OWNER
        )

    def _device(self, at: Instant) -> Device:
        """The device used; now and then a new one, a forgetful one, or somebody else's."""
        chance = self.chance
        if often(chance, 0.004):  # one sign-in in 250 is from a borrowed computer
            return a_device(chance, "borrowed", "Windows")
        place = zipf(chance, len(self.devices), 1.2)
        device = self.devices[place]
        if often(chance, self.every_d / 800):
            self.made += 1
            device = a_device(
                chance, f"{self.user}.new{self.made}", "" if often(chance, 0.3) else device.system
            )  # a third change systems
        elif often(chance, self.every_d / 300):
            self.made += 1
            device = device._replace(name=f"{self.user}.cleared{self.made}.{at}")
        self.devices[place] = device
        return device

    def _spot(self, at: Instant, device: Device) -> Spot:
        chance = self.chance
        if self.vpn is not None and often(chance, 0.6):  # most of the time, not always
            self.vpn = at_servers(chance, self.vpn.country, vpn=True)
            return self.vpn
        for begins, ends, country in self.journeys:
            if begins <= at < ends:
                roams = device.system in PHONES and often(chance, 0.5)  # half of phones roam
                if roams:
                    return on_mobile(chance, self.country, self.mobile)
                return at_home(chance, country, zipf(chance, PROVIDERS))
        home, work, mobile = self.shares
        kind = chance.choices(
            ("home", "work", "mobile", "elsewhere"),
            (home, work if self.work else 0, mobile if device.system in PHONES else 0, (home + work) / 40),
        )[0]
        if kind == "work" and self.work is not None:
            return self.work._replace(host=zipf(chance, 4))
        if kind == "mobile":
            return on_mobile(chance, self.country, self.mobile)
        if kind == "elsewhere":
            return at_home(chance, self.country, zipf(chance, PROVIDERS))
        if at - self.leased_at > self.lease_d * DAY:
            self.leased_at = at
            moved = at_home(chance, self.country, self.provider)
            near = often(chance, 0.6)  # most leases stay in their block
            self.home = self.home._replace(host=moved.host) if near else moved
        return self.home

    def attack(self, model: str, at: Instant) -> SignIn:
        """A thief's sign-in to this customer's account."""
        chance = self.chance
        device = a_device(chance, f"thief.{model}.{at}")
        if model == "naive":
            server = often(chance, 0.5)  # half rent a server, half a hacked line
            country = zipf(chance, COUNTRIES, 0.4)
            spot = at_servers(chance, country, vpn=False) if server else at_home(chance, country, zipf(chance, 14))
        elif model == "vpn":
            rented = often(chance, 0.7)  # most, the others come through a hacked line
            spot = at_servers(chance, self.country, vpn=True)
            spot = spot if rented else at_home(chance, self.country, zipf(chance, PROVIDERS))
        else:
            own = model == "informed" or often(chance, 0.5)  # half find a line of that provider
            spot = at_home(chance, self.country, self.provider if own else zipf(chance, PROVIDERS))
            victim = self.devices[zipf(chance, len(self.devices), 1.2)]
            device = a_device(chance, device.name, victim.system)._replace(family=victim.family)
            device = victim._replace(name=device.name) if model == "informed" else device
            at = at // DAY * DAY + self.hour_ms()
        tries = (1000, 0, 0, 0, 0) if model == "informed" else (800, 100, 60, 30, 10)
        failures = chance.choices((0, 1, 2, 3, 6), tries)[0]
        return SignIn(
            self.user, at, spot_of(spot), agent(device, at), spot.origin, device.name, failures, self.bound_at, model
        )


def population(seed: int, users: int, attacked_from: Instant) -> Iterator[tuple[int, list[SignIn]]]:
    """Each customer's sign-ins and the attacks on the account, in order of time: three attacks of each model."""
    for user in range(users):
        customer = Customer(random.Random(f"{seed}/{user}"), user)
        begins = customer.chance.uniform(attacked_from, DAYS * DAY)
        attacks = sorted(
            (int(customer.chance.uniform(min(attacked_from, begins), DAYS * DAY)), model)
            for model in MODELS
            for _ in range(3)
        )
        found: list[SignIn] = []
        for one in customer.sign_ins():
            while attacks and attacks[0][0] <= one.at:
                at, model = attacks.pop(0)
                found.append(customer.attack(model, at))
            found.append(one)
        found += [customer.attack(model, at) for at, model in attacks]
        yield user, sorted(found, key=lambda one: one.at)
