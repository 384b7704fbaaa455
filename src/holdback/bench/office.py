"""A made-up office that reads customers, and moles in it: seeded, so that a run repeats itself.

Nobody's own numbers were at hand. What is assumed, each rate beside its name below and chosen before any case was
looked at:

- 16 people of support and 6 investigators, each with a pace of his own, on early, late or night shifts, five days in
  seven, with leave; the office's load follows the week, drifts, and has days on which it is three times as high;
- customers' wealth is told in tenths; the richer write more, some customers write every week, and on days of high load
  the rich write more still;
- some reads have no ticket (telephone calls, linked accounts, a ticket closed too soon): 1.5 % of support's and 5 % of
  investigators', but some people do it three times as often as others;
- rates are logit-normal among people, not beta as the watch believes, with a desk's or a language's lean to the rich;
  every third month or so each is put on other work for two weeks, with three times as many reads without a ticket
  and more of the rich;
- a recovery follows 3 % of reads with a ticket (whoever lost access writes first), 1 % of the others;
- what needs two is approved by somebody of the same role and shift, people they get on with more often;
- canaries, 2 % of what anybody could open, belong to no customer. So an honest read without a ticket, which has a
  customer at its other end, meets one only by a slip: one read in 5,000 opens an account that nobody meant.

Moles do their work as before and something besides:

- `rich`: every other look-up is for himself, of the richest tenth, without a ticket;
- `careful`: one look-up in ten is so;
- `covered`: takes only customers with a ticket, but half of the time he picks one of the richest tenth;
- `broker`: one look-up in five is for himself, with a ticket or not as all others; a recovery follows 30 % of these;
- `pair`: 70 % of what he asks for is approved by his friend, and of what his friend asks for by him.
"""

from __future__ import annotations

import random
from math import exp, log
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.events import DAY, HOUR, MINUTE
from holdback.watching import Approval, Read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from holdback.core.events import Instant

MOLES: Final = ("rich", "careful", "covered", "broker", "pair")

ROLES: Final = {"support": 16, "investigator": 6}
PER_DAY: Final = {"support": 34.0, "investigator": 18.0}
NO_TICKET: Final = {"support": 0.015, "investigator": 0.05}
NO_TICKET_SPREAD: Final = 0.7
RICH_LEAN: Final = {"support": 0.0, "investigator": 0.5}
RICH_SPREAD: Final = 0.3
PACE_SPREAD: Final = 0.35
WRITES_MORE: Final = 0.3
"""Each tenth writes so much more, of what the poorest writes."""
CUSTOMERS: Final = 40_000
REGULARS: Final = 400
REGULAR: Final = 0.1
SHIFTS: Final = ((6, 0.4), (14, 0.4), (22, 0.2))
"""When a shift begins, and how many work on it."""
NIGHT_LOAD: Final = 0.5
WEEKDAYS: Final = (1.2, 1.1, 1.0, 1.0, 1.0, 0.7, 0.6)
BUSY: Final = 0.03
BUSY_LOAD: Final = 3.0
BUSY_RICH: Final = 0.4
AWAY: Final = 0.06
OTHER_WORK: Final = 1 / 90
"""A day that somebody is put on other work, for `OTHER_DAYS`."""
OTHER_DAYS: Final = 14
OTHER_NO_TICKET: Final = 3.0
OTHER_RICH: Final = 0.5
RECOVERY: Final = 0.03
RECOVERY_NO_TICKET: Final = 0.01
RECOVERY_DAYS: Final = 3.0
SLIP: Final = 1 / 5_000
CANARY: Final = 0.02
APPROVALS: Final = 0.1
"""Approvals that somebody asks for, of what he reads."""
LIKING_SPREAD: Final = 0.5
OWN_RECOVERY: Final = 0.3
PAIR_SHARE: Final = 0.7
OWN_SHARE: Final = {"rich": 0.5, "careful": 0.1, "covered": 0.5, "broker": 0.2}


class Recovery(NamedTuple):
    """A recovery that was opened."""

    at: Instant
    account: str


class Person(NamedTuple):
    """One member of staff, and what is his own."""

    name: str
    role: str
    shift: int
    pace: float
    no_ticket: float
    rich_lean: float


class Look(NamedTuple):
    """What happens, and whether it is a mole's own doing."""

    event: Read | Recovery | Approval
    own: bool = False

    @property
    def at(self) -> Instant:
        """When."""
        return self.event.at


def leaned(share: float, lean: float) -> float:
    """A share, moved in log odds."""
    return 1 / (1 + exp(-(log(share / (1 - share)) + lean)))


class Office:
    """One office. Example: `for look in Office(7).day(3): ...`, days in order."""

    def __init__(self, seed: int) -> None:
        """Hire."""
        self.chance = chance = random.Random(f"office {seed}")
        self.people: list[Person] = []
        for role, count in ROLES.items():
            for number in range(count):
                (shift,) = chance.choices(range(len(SHIFTS)), [share for _, share in SHIFTS])
                pace = chance.lognormvariate(0, PACE_SPREAD)
                no_ticket = leaned(NO_TICKET[role], chance.gauss(0, NO_TICKET_SPREAD))
                lean = chance.gauss(RICH_LEAN[role], RICH_SPREAD)
                self.people.append(Person(f"{role}-{number}", role, shift, pace, no_ticket, lean))
        self.liking = {
            (one.name, other.name): chance.lognormvariate(0, LIKING_SPREAD)
            for one in self.people
            for other in self.people
        }
        self.mole: Person | None = None
        self.kind = ""
        self._friend = ""
        self._load, self._other = 1.0, dict[str, int]()
        self._tenths = [1 + WRITES_MORE * tenth for tenth in range(10)]
        self._due: list[Recovery] = []

    def turn(self, kind: str) -> Person:
        """Make somebody of support a mole from the next day on."""
        self.mole, self.kind = self.chance.choice([one for one in self.people if one.role == "support"]), kind
        friends = [one for one in self.people if one.role == "support" and one != self.mole]
        beside = [one for one in friends if one.shift == self.mole.shift]
        self._friend = self.chance.choice(beside or friends).name
        return self.mole

    def day(self, day: int) -> list[Look]:
        """What happens on a day, in order of time."""
        chance = self.chance
        busy = chance.random() < BUSY
        self._load = exp(0.8 * log(self._load) + chance.gauss(0, 0.08))
        load = self._load * WEEKDAYS[day % 7] * (BUSY_LOAD if busy else 1)
        here = [one for one in self.people if chance.random() >= AWAY and chance.random() < 5 / 7]
        found: list[Look] = []
        for person in here:
            found += self._shift(person, day, load, [one for one in here if one.role == person.role], busy=busy)
        ends = (day + 1) * DAY
        found += [Look(one) for one in self._due if one.at < ends]
        self._due = [one for one in self._due if one.at >= ends]
        return sorted(found, key=lambda look: look.at)

    def _shift(self, person: Person, day: int, load: float, here: list[Person], *, busy: bool) -> Iterator[Look]:
        chance = self.chance
        if chance.random() < OTHER_WORK:
            self._other[person.name] = day + OTHER_DAYS
        other = self._other.get(person.name, 0) > day
        night = NIGHT_LOAD if person.shift == len(SHIFTS) - 1 else 1
        mean = PER_DAY[person.role] * person.pace * load * night
        count = max(0, round(chance.gauss(mean, mean**0.5)))
        lean = person.rich_lean + BUSY_RICH * busy + OTHER_RICH * other
        no_ticket = person.no_ticket * (OTHER_NO_TICKET if other else 1)
        began = day * DAY + SHIFTS[person.shift][0] * HOUR
        theirs = [one for one in here if one.shift == person.shift and one != person]
        for number in range(count):
            at = began + (8 * HOUR - 8 * MINUTE) * number // count + chance.randrange(8 * MINUTE)
            own = person == self.mole and chance.random() < OWN_SHARE.get(self.kind, 0)
            yield Look(self._read(person, at, lean, no_ticket, own=own), own)
            if theirs and chance.random() < APPROVALS:
                yield self._approval(person, at, theirs)

    def _read(self, person: Person, at: Instant, lean: float, no_ticket: float, *, own: bool) -> Read:
        chance = self.chance
        caused = chance.random() >= no_ticket
        canary = chance.random() < (CANARY if not caused and own else SLIP * CANARY)
        decile = self._decile(lean)
        if own and self.kind in {"rich", "careful", "covered"}:
            caused, decile = self.kind == "covered", 10
            canary = not caused and chance.random() < CANARY
        regular = chance.random() < REGULAR
        account = f"{decile}-{chance.randrange(REGULARS if regular else CUSTOMERS)}"
        recovery = RECOVERY if caused else RECOVERY_NO_TICKET
        if chance.random() < (OWN_RECOVERY if own and self.kind == "broker" else recovery):
            self._due.append(Recovery(at + int(chance.expovariate(1 / RECOVERY_DAYS) * DAY) + MINUTE, account))
        # A slip has neither ticket nor customer; it is only told from others where it meets a canary.
        return Read(at, person.name, person.role, account, decile, caused and not canary, canary)

    def _decile(self, lean: float) -> int:
        weights = [*self._tenths[:9], self._tenths[9] * exp(lean)]
        return self.chance.choices(range(1, 11), weights)[0]

    def _approval(self, person: Person, at: Instant, here: list[Person]) -> Look:
        names = tuple(one.name for one in here)
        (by,) = self.chance.choices(names, [self.liking[person.name, name] for name in names])
        pair = {self.mole.name, self._friend} if self.mole and self.kind == "pair" else set[str]()
        friend = (pair & set(names)) if person.name in pair else set[str]()
        own = bool(friend) and self.chance.random() < PAIR_SHARE
        return Look(Approval(at + MINUTE, person.role, person.name, friend.pop() if own else by, names), own)
