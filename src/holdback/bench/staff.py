"""After how many look-ups moles among the staff are reported, and how often honest staff are (`office.py`).

Each honest office is watched for a year after a quarter in which peers get to be known. Cases are looked into and
closed after two weeks. Moles turn in an office that was honest for `WARM_DAYS`, one of them at a time. Told are
his look-ups for himself until the first case that names him (what the marks are about), all his look-ups since he
turned, and which comparison it was. Beside both stands what canaries alone would have found.
"""

from __future__ import annotations

import pickle
import statistics
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

from holdback import wiring
from holdback.bench.office import CANARY, MOLES, ROLES, Office, Recovery
from holdback.core.events import DAY
from holdback.watching import Read, Watch, Why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from holdback.bench.office import Look
    from holdback.core.policy import Staff
    from holdback.watching import Case

SEED: Final = 61_000
YEARS: Final = 40
YEARS_QUICK: Final = 4
OFFICES: Final = 50
OFFICES_QUICK: Final = 8
MOLES_AN_OFFICE: Final = 3
QUARTER_D: Final = 91
WARM_DAYS: Final = 120
CLOSED_AFTER_D: Final = 14
LOOK_UPS_MOST: Final = 115
WANTED: Final = 0.9
FALSE_MOST: Final = 1
GIVEN_UP: Final = 150
"""Look-ups of his own after which a mole counts as never found."""


class Kind(TypedDict):
    """What is told of the moles of one kind: shares within 115 look-ups, and how many it took."""

    runs: int
    within: float
    within_of_all_look_ups: float
    median: float | None
    median_of_all_look_ups: float | None
    never: int
    by: dict[str, int]


class Found(NamedTuple):
    """How a mole was found: look-ups for himself and in all since he turned, and by what, None if he was not."""

    own: int
    whole: int
    why: Why | None


class Watched:
    """An office and its watch. Example: `Watched(7, rules).days(0, 120)`."""

    def __init__(self, seed: int, rules: Staff) -> None:
        """Nothing has happened yet."""
        self.office, self.watch = Office(seed), Watch(rules, sum(ROLES.values()))
        self.uncaused = 0
        self._open: deque[Case] = deque()

    def show(self, look: Look) -> list[Case]:
        """Show one event, after cases that are old enough were closed without a finding."""
        while self._open and self._open[0].at + CLOSED_AFTER_D * DAY < look.at:
            self.watch.cleared(self._open.popleft())
        event = look.event
        if isinstance(event, Read):
            self.uncaused += not event.caused
            cases = self.watch.read(event)
        elif isinstance(event, Recovery):
            cases = self.watch.recovery(event.account, event.at)
        else:
            cases = self.watch.approval(event)
        self._open.extend(cases)
        return cases

    def days(self, first: int, last: int) -> list[Case]:
        """The cases of some days."""
        return [case for day in range(first, last) for look in self.office.day(day) for case in self.show(look)]

    def mole(self, kind: str, seed: str) -> Found:
        """How somebody who turns now is found."""
        self.office.chance.seed(f"mole {seed}")
        mole, own, whole = self.office.turn(kind).name, 0, 0
        for day in range(WARM_DAYS, WARM_DAYS + 4 * QUARTER_D):
            for look in self.office.day(day):
                whole += isinstance(look.event, Read) and look.event.staff == mole
                own += look.own
                for case in self.show(look):
                    if mole in case.staff:
                        return Found(own, whole, case.why)
            if own >= GIVEN_UP:
                break
        return Found(own, whole, None)


def measure(_store: str, quick: bool, say: Callable[[str], None]) -> dict[str, object]:  # noqa: FBT001 - as every bench
    """Run it."""
    began = time.monotonic()
    rules = wiring.load_policy("default").staff
    quarters: list[list[Case]] = []
    uncaused = 0
    years = YEARS_QUICK if quick else YEARS
    for year in range(years):
        say(f"honest year {year + 1} of {years}")
        found, more = honest(SEED + year, rules)
        quarters, uncaused = quarters + found, uncaused + more
    runs: dict[str, list[Found]] = {kind: [] for kind in MOLES}
    offices = OFFICES_QUICK if quick else OFFICES
    for number in range(offices):
        say(f"moles of office {number + 1} of {offices}")
        for kind, found_ in moles(SEED + 500 + number, rules).items():
            runs[kind] += found_
    told = figures(quarters, uncaused, runs)
    return told | {"seconds": round(time.monotonic() - began, 1)}


def honest(seed: int, rules: Staff) -> tuple[list[list[Case]], int]:
    """The false cases of each quarter of a year, and how many reads of that time had no ticket."""
    one = Watched(seed, rules)
    one.days(0, QUARTER_D)
    one.uncaused = 0
    quarters = [one.days(first, first + QUARTER_D) for first in range(QUARTER_D, 5 * QUARTER_D, QUARTER_D)]
    return quarters, one.uncaused


def moles(seed: int, rules: Staff, kinds: Iterable[str] = MOLES) -> dict[str, list[Found]]:
    """How moles of each kind are found who turn in one office."""
    one = Watched(seed, rules)
    one.days(0, WARM_DAYS)
    kept = pickle.dumps(one)
    found: dict[str, list[Found]] = {}
    for kind in kinds:
        copies = [pickle.loads(kept) for _ in range(MOLES_AN_OFFICE)]  # noqa: S301 - what was dumped above
        found[kind] = [copy.mole(kind, f"{seed} {kind} {run}") for run, copy in enumerate(copies)]
    return found


def figures(quarters: list[list[Case]], uncaused: int, runs: dict[str, list[Found]]) -> dict[str, object]:
    """Everything that is reported, what missed its mark first."""
    whole = [len(one) for one in quarters]
    cases = [case for one in quarters for case in one]
    one_person = max(max(Counter(who for case in one for who in case.staff).values(), default=0) for one in quarters)
    mean = sum(whole) / len(whole)
    found = {kind: _found(of) for kind, of in runs.items()}
    share = found["rich"]["within"]
    misses = [f"rich: {share} within {LOOK_UPS_MOST}, wanted {WANTED}"] if share < WANTED else []
    if max(whole) > FALSE_MOST:
        misses.append(
            f"{sum(one > FALSE_MOST for one in whole)} quarters had over {FALSE_MOST} false case in the office"
        )
    return {
        "misses": misses,
        "bench": "staff",
        "people": sum(ROLES.values()),
        "honest_quarters": len(quarters),
        "false_cases_a_quarter": round(mean, 3),
        "false_cases_a_quarter_most": max(whole),
        "false_cases_a_quarter_of_one_person_most": one_person,
        "quarters_above_one": sum(one > FALSE_MOST for one in whole),
        "false_cases_by_reason": dict(Counter(case.why.value for case in cases)),
        "canary_alarms_a_quarter_if_customers_lived_on_them": round(uncaused * CANARY / len(quarters), 1),
        "by_canaries_alone_within": round(1 - (1 - CANARY) ** LOOK_UPS_MOST, 3),
        "moles": found,
    }


def _found(runs: list[Found]) -> Kind:
    """What is told of the moles of one kind."""
    caught = [one for one in runs if one.why]
    return {
        "runs": len(runs),
        "within": round(sum(one.own <= LOOK_UPS_MOST for one in caught) / len(runs), 3),
        "within_of_all_look_ups": round(sum(one.whole <= LOOK_UPS_MOST for one in caught) / len(runs), 3),
        "median": statistics.median(one.own for one in caught) if caught else None,
        "median_of_all_look_ups": statistics.median(one.whole for one in caught) if caught else None,
        "never": len(runs) - len(caught),
        "by": dict(Counter(one.why.value for one in caught if one.why)),
    }
