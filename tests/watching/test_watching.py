"""Who reads customers: canaries, caps and comparisons with peers raise a case for a mole, and hardly one for others."""

from __future__ import annotations

import math
import pickle
import random
from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdback import wiring
from holdback.bench import staff
from holdback.core.events import DAY, HOUR
from holdback.sealing import MasterKeys
from holdback.watching import (
    GRID,
    Approval,
    Canaries,
    Case,
    Read,
    Usual,
    Watch,
    Weighed,
    Why,
    explained,
    log_beta_binomial,
    log_choose,
)

RULES: Final = wiring.load_policy("default").staff
KEYS: Final = MasterKeys({1: bytes(range(32))}).canary_keys()
SUPPORT: Final = "support"


@dataclass
class Team:
    """People who read at a steady pace, some share of it unlike the rest. Days go on by themselves."""

    watch: Watch
    chance: random.Random
    day: int = 0
    accounts: int = 0
    cases: list[Case] = field(default_factory=list)

    def read(self, who: str, *, caused: bool = True, decile: int = 5, canary: bool = False) -> list[Case]:
        """One look at an account that nobody looked at before."""
        self.accounts += 1
        at = self.day * DAY + self.accounts % DAY
        return self.watch.read(Read(at, who, SUPPORT, f"account-{self.accounts}", decile, caused, canary))

    def work(self, days: int, people: dict[str, float], per_day: int = 20) -> None:
        """Everybody reads, this share of it without a ticket."""
        for _ in range(days):
            for _ in range(per_day):
                for who, share in people.items():
                    self.cases += self.read(who, caused=self.chance.random() >= share)
            self.day += 1


def team(people: int = 8, share: float = 0.02, days: int = 100) -> Team:
    """Peers who are known by now."""
    one = Team(Watch(RULES, people), random.Random("team"))
    one.work(days, {f"peer-{number}": share for number in range(people)})
    return one


def test_a_canary_is_an_alarm_at_once() -> None:
    """The first read of a canary without a ticket raises a case that names reader and account, each time."""
    one = Team(Watch(RULES, 5), random.Random(1))
    assert one.read("ann", canary=True) == []
    (case,) = one.read("ann", canary=True, caused=False)
    assert (case.why, case.staff, case.account) == (Why.CANARY, ("ann",), "account-2")
    (again,) = one.read("ann", canary=True, caused=False)
    assert again.why is Why.CANARY


def test_a_canary_read_twice_on_a_day_rings_twice() -> None:
    """That an account counts once a day does not silence its canary."""
    watch = Watch(RULES, 5)
    with_ticket = Read(0, "ann", SUPPORT, "a", 5, caused=True, canary=True)
    assert watch.read(with_ticket) == []
    for at in (1, 2):
        assert len(watch.read(with_ticket._replace(at=at, caused=False))) == 1


def test_canaries_are_two_in_a_hundred_and_known_by_key_alone() -> None:
    """2 % of the accounts are canaries and 3 % of these have a ticket on any day; under another key others."""
    here, elsewhere = (Canaries(key, RULES) for key in (KEYS[1], bytes(32)))
    accounts = [f"account-{number}" for number in range(40_000)]
    chosen = [one for one in accounts if here.chosen(one)]
    assert len(chosen) / len(accounts) == pytest.approx(0.02, rel=0.15)
    both = sum(elsewhere.chosen(one) for one in chosen)
    assert both / len(chosen) < 0.05
    days = [[here.ticket(one, day * DAY + HOUR) for one in chosen] for day in range(20)]
    assert sum(map(sum, days)) / (20 * len(chosen)) == pytest.approx(0.03, rel=0.25)
    assert days[0] != days[1]
    assert days[0] == [here.ticket(one, 23 * HOUR) for one in chosen]


def test_unexplained_reads_raise_one_case() -> None:
    """Somebody who begins to read without tickets gets one case that tells how many of how many, and what is usual."""
    one = team()
    assert one.cases == []
    one.work(4, {"peer-0": 0.5})
    (case,) = one.cases
    assert (case.why, case.staff, case.role) == (Why.UNEXPLAINED, ("peer-0",), SUPPORT)
    assert RULES.ones_min <= case.ones < case.reads <= 60
    assert case.since <= case.at
    assert case.usual_permille == pytest.approx(20, abs=5)
    assert case.tail < 1e-4
    assert case.log_evidence > 8


def test_a_read_again_on_the_same_day_counts_once() -> None:
    """Nobody is made suspicious by going back to one account."""
    one = team()
    for place in range(50):
        at = one.day * DAY + place
        assert one.watch.read(Read(at, "peer-0", SUPPORT, "same", 10, caused=False, canary=False)) == []


def test_a_mole_among_few_peers_does_not_become_usual() -> None:
    """One of six whose habits never changed is found as soon as the others are known, and none of the others is."""
    one = Team(Watch(RULES, 6), random.Random("always"))
    one.work(60, {"mole": 0.5} | {f"peer-{number}": 0.02 for number in range(5)})
    assert {case.staff for case in one.cases} == {("mole",)}


def test_what_all_do_is_usual() -> None:
    """Where everybody reads a third without tickets, nobody is reported for it."""
    assert team(share=0.33).cases == []


def test_roles_are_compared_apart() -> None:
    """What is much in one role may be little in another."""
    one = team()
    for number in range(6):
        at = one.day * DAY + number
        assert one.watch.read(Read(at, f"new-{number}", "investigator", "x", 5, caused=False, canary=False)) == []


def test_skew_to_the_rich_raises_a_case() -> None:
    """Somebody who always has a ticket, but of the rich, is reported."""
    one = Team(Watch(RULES, 8), random.Random("rich"))
    cases: list[Case] = []
    for day in range(110):
        for _ in range(20):
            for number in range(8):
                mole = day >= 100 and not number
                rich = one.chance.random() < (0.8 if mole else 0.12)
                cases += one.read(f"peer-{number}", decile=10 if rich else 9)
        one.day += 1
    assert [(case.why, case.staff) for case in cases] == [(Why.RICH, ("peer-0",))]


def test_peeks_before_recoveries_raise_a_case() -> None:
    """Recoveries that follow somebody's reads far more often than others' name him, later ones than 14 days do not."""
    for late, expected in ((DAY, {("peer-0",)}), ((RULES.peek_d + 1) * DAY, set())):
        one = team()
        for peer in range(8):
            for number in range(100):
                one.read(f"peer-{peer}")
                if not number % 50:
                    one.watch.recovery(f"account-{one.accounts}", one.day * DAY)
        one.day += RULES.fresh_d * 2
        found: set[tuple[str, ...]] = set()
        read: list[str] = []
        for _ in range(30):
            one.read("peer-0")
            read.append(f"account-{one.accounts}")
        one.day += late // DAY
        for account in read:
            found |= {case.staff for case in one.watch.recovery(account, one.day * DAY)}
        assert found == expected
        assert one.watch.recovery("unknown", one.day * DAY) == []


def approvals(one: Team, days: int, friends: tuple[str, str], share: float) -> None:
    """Everybody asks, somebody else approves; friends each other in this share."""
    names = tuple(f"peer-{number}" for number in range(6))
    for _ in range(days):
        for place in range(5):
            for who in names:
                could = tuple(name for name in names if name != who)
                other = next((name for name in friends if name != who), "")
                friendly = who in friends and one.chance.random() < share
                by = other if friendly else one.chance.choice(could)
                one.cases += one.watch.approval(Approval(one.day * DAY + place, SUPPORT, who, by, could))
        one.day += 1


def test_pairs_that_approve_each_other_raise_a_case() -> None:
    """Two who approve each other nine times in ten are named together; drawn at random, nobody is."""
    one = Team(Watch(RULES, 6), random.Random("pairs"))
    approvals(one, 60, ("", ""), 0)
    assert one.cases == []
    approvals(one, 20, ("peer-1", "peer-4"), 0.9)
    assert [(case.why, case.staff) for case in one.cases] == [(Why.PAIR, ("peer-1", "peer-4"))]


def test_two_alone_on_a_shift_are_no_pair() -> None:
    """An approval that nobody else could have given says nothing."""
    watch = Watch(RULES, 6)
    for at in range(200):
        assert watch.approval(Approval(at, SUPPORT, "ann", "bob", ("bob", "eve"))) == []


def test_a_new_quarter_begins_anew() -> None:
    """A case that stands is raised again in the next quarter; one that was cleared only if it gets worse."""
    one = Team(Watch(RULES, 8), random.Random("none"))
    for cleared, again in ((False, True), (True, False)):
        one = team(days=182)
        one.work(30, {"peer-0": 0.3} | {f"peer-{number}": 0.02 for number in range(1, 8)})
        (case,) = one.cases
        if cleared:
            one.watch.cleared(case)
        while one.day % RULES.watched_d:
            one.work(1, {"peer-0": 0.3} | {f"peer-{number}": 0.02 for number in range(1, 8)})
        one.cases.clear()
        one.work(30, {"peer-0": 0.3} | {f"peer-{number}": 0.02 for number in range(1, 8)})
        assert bool(one.cases) is again
    one.work(14, {"peer-0": 0.95})
    assert {case.staff for case in one.cases} == {("peer-0",)}


def test_nothing_is_raised_before_peers_are_known() -> None:
    """In the first week anything may be usual, and canaries are all there is."""
    one = Team(Watch(RULES, 8), random.Random("first"))
    one.work(6, {"peer-0": 0.2} | {f"peer-{number}": 0.02 for number in range(1, 8)})
    assert one.cases == []


def test_little_is_remembered() -> None:
    """What is too old to be compared is forgotten."""
    one = team(people=4)
    before = len(pickle.dumps(one.watch))
    one.work(400, {"peer-9": 0.02}, per_day=2)
    assert len(pickle.dumps(one.watch)) < before / 2


@given(st.integers(0, 60), st.integers(0, 60), st.sampled_from(GRID))
def test_the_beta_binomial_sums_to_one(ones: int, more: int, point: tuple[float, float]) -> None:
    """The chances of all counts add up to one, and the tail to that of the rest."""
    count = ones + more
    chances = [
        math.exp(log_choose(count, number) + log_beta_binomial(number, count, *point)) for number in range(count + 1)
    ]
    assert sum(chances) == pytest.approx(1)
    scores = [0.0 if one == point else -100.0 for one in GRID]
    assert Weighed(scores, 1.0).tail(ones, count) == pytest.approx(sum(chances[ones:]), abs=1e-9)


def test_one_who_is_judged_is_not_his_own_peer() -> None:
    """What is usual for somebody is what the others do, whatever he did."""
    others = {f"peer-{number}": [explained(2, 100, 0.01)] for number in range(5)}
    for ones in (0, 50, 100):
        usual = Usual(others | {"ann": [explained(ones, 100, 0.01)]}, 1.7)
        assert usual.without("ann").mean == pytest.approx(Usual(others, 1.7).without("ann").mean)


def test_a_mole_who_reads_rich_accounts_is_reported_within_115_look_ups() -> None:
    """In at least nine of ten seeded runs in made-up offices, in which he goes on with his work beside."""
    runs = [one for seed in range(4) for one in staff.moles(90_000 + seed, RULES, ("rich",))["rich"]]
    assert len(runs) == 12
    assert sum(one.why is not None and one.own <= staff.LOOK_UPS_MOST for one in runs) >= 0.9 * len(runs)


def test_an_honest_year_raises_at_most_one_false_case_a_quarter() -> None:
    """In no quarter of a seeded year are more than one of the 22 people of a made-up office reported."""
    quarters, uncaused = staff.honest(91_000, RULES)
    assert len(quarters) == 4
    assert uncaused > 1_000
    assert max(len(one) for one in quarters) <= 1
