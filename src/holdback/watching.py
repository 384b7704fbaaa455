"""Who of the staff reads customers unlike their peers: canary accounts, caps, and four comparisons that raise a case.

Compared are, for each member of staff, the share of accounts read without a ticket, of rich accounts, and of accounts
of which a recovery was opened soon after; and, for each two, the share of their approvals that they gave each other.
What is usual comes from the peers of the same role. Each peer has a rate of his own, drawn from a beta distribution of
which mean and precision are not known, so a count is beta-binomial; both are weighed on a grid by how well they explain
the counts of the *other* peers (Gelman et al., Bayesian Data Analysis, section 5.3). Some share of the peers may be
anything at all (`moles_permille`): the prior is contaminated, as in Berger and Berliner, Annals of Statistics 14 (1986)
461-486, so that one mole among few peers cannot make his own habits usual.

**How often it is wrong.** After every read, the likelihood of a raised rate is divided by that of the peers. Were the
peers' distribution true, the chance that this ratio *ever* reaches 1/a would be at most a (Ville's inequality; see
Ramdas et al., Statistical Science 38 (2023) 576-601), so that looking after each read costs nothing. A window of
comparison begins each `fresh_d`, for a mole may have been honest for years, and ends with the quarter. The expected
number of false cases in a quarter, `false_cases_permille`, is divided evenly over the four comparisons, over the staff
(or the pairs of them) and over the windows: Bonferroni, so nothing is assumed of how they hang together. That peers
are beta-distributed and stay as they were is where this is an approximation: `caution_percent` widens what they
may do, and `holdback bench staff` measures what comes of it. A case also tells the plain tail: how often a peer would
have as many of as many.

Pure: events are shown in order of time, and the same events always raise the same cases.
"""

from __future__ import annotations

import hmac
from collections import defaultdict, deque
from enum import StrEnum
from math import exp, lgamma, log, log1p, sqrt
from typing import TYPE_CHECKING, Final, NamedTuple

from holdback.core.events import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdback.core.events import Instant
    from holdback.core.policy import Staff

DECILES: Final = 10
MEANS: Final = tuple(1 / (1 + exp(7.5 - 0.375 * step)) for step in range(24))
"""Mean rates of the grid, from 6 in 10,000 to 3 in 4, evenly apart in log odds."""
PRECISIONS: Final = (6.0, 16.0, 40.0, 100.0, 300.0)
"""How alike peers are: the sum of the two parameters. No more than 300, for the past is not the future."""
LIFTS: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Shares of his reads in which a mole does what he is after, weighed alike."""
OWN_PRECISION: Final = 25.0
"""How alike the weeks are of somebody whose case was cleared."""
BLOCK_WEEKS: Final = 2
"""Peers are compared by so much of their time: nobody's own rate stands still, and that is part of what is usual."""
OTHERS_MIN: Final = 3
"""An approval that fewer could have given says nothing of who likes whom."""
CLEAR_Z: Final = 2.0
"""Below so many standard deviations nothing is computed: it could only have raised a case that it now does not."""


class Why(StrEnum):
    """What raises a case."""

    CANARY = "canary"
    UNEXPLAINED = "unexplained"
    RICH = "rich"
    PEEK = "peek"
    PAIR = "pair"


COMPARED: Final = (Why.UNEXPLAINED, Why.RICH, Why.PEEK, Why.PAIR)


class Read(NamedTuple):
    """One look at one customer. `decile` is of wealth known to Holdback, 10 the richest; `caused` by an open ticket."""

    at: Instant
    staff: str
    role: str
    account: str
    decile: int
    caused: bool
    canary: bool


class Approval(NamedTuple):
    """What one member of staff asked for and another approved, out of all those who could have."""

    at: Instant
    role: str
    asked_by: str
    approved_by: str
    could: tuple[str, ...]


class Case(NamedTuple):
    """Somebody to be asked. `ones` of `reads`, reads or approvals since `since`, were what it is about.

    `usual_permille` is the mean of the peers, `tail` how often one of them would have as many, `log_evidence` the
    natural logarithm of the ratio that was compared. Of a canary, `account` is its name and nothing is compared.
    """

    why: Why
    staff: tuple[str, ...]
    role: str
    at: Instant
    since: Instant
    ones: int = 1
    reads: int = 1
    usual_permille: int = 0
    tail: float = 0.0
    log_evidence: float = 0.0
    account: str = ""


class Canaries:
    """Which accounts are canaries, told by a key alone: there is no list to steal. Example: `Canaries(key, rules)`.

    Give the accounts it chooses to nobody: a real customer's account may be read for reasons that nobody wrote down.
    """

    def __init__(self, key: bytes, rules: Staff) -> None:
        """Take the key of `MasterKeys.canary_keys`, of one master key for as long as its canaries are to live."""
        self._key, self._rules = key, rules

    def chosen(self, account: str) -> bool:
        """Whether an account is a canary."""
        return self._permille("account", account) < self._rules.canary_permille

    def ticket(self, account: str, at: Instant) -> bool:
        """Whether a canary is to have a ticket open on that day: they write as customers do, or silence tells them."""
        return self._permille(f"ticket {at // DAY}", account) < self._rules.canary_tickets_permille

    def _permille(self, purpose: str, account: str) -> int:
        digest = hmac.digest(self._key, f"{purpose}\0{account}".encode(), "sha256")
        return int.from_bytes(digest[:8]) * 1000 >> 64


class Counts:
    """How often something was so, of how often it could have been, by week, for each of one group of peers."""

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self.weeks: dict[str, dict[int, list[int]]] = defaultdict(dict)

    def add(self, who: str, week: int, *, ones: int, count: int) -> None:
        """Count."""
        found = self.weeks[who].setdefault(week, [0, 0])
        found[0] += ones
        found[1] += count

    def between(self, who: str, first: int, last: int) -> tuple[int, int]:
        """What was counted from one week to another."""
        weeks = self.weeks.get(who, {})
        found = [weeks[week] for week in range(first, last + 1) if week in weeks]
        return sum(one[0] for one in found), sum(one[1] for one in found)

    def forget(self, before: int) -> None:
        """Drop what is older, and whoever has nothing younger."""
        for who in list(self.weeks):
            self.weeks[who] = {week: found for week, found in self.weeks[who].items() if week >= before}
            if not self.weeks[who]:
                del self.weeks[who]


class Usual:
    """What is usual among peers: how well each point of the grid explains all of them but one.

    `caution` divides their precision, for people's rates have longer tails than a beta distribution. Example:
    `Usual({"ann": [explained(2, 300, 0.01)], "bob": []}, 1.7).without("bob").log_chance(3, 4)`.
    """

    def __init__(self, peers: dict[str, list[tuple[float, ...]]], caution: float) -> None:
        """Add up what each stretch of each peer's time says."""
        self._caution = caution
        self._own = {who: [sum(column) for column in zip(*blocks, strict=True)] for who, blocks in peers.items()}
        self._sum = [sum(column) for column in zip([0.0] * len(GRID), *filter(None, self._own.values()), strict=True)]
        self._without: dict[str, Weighed] = {}

    def without(self, name: str) -> Weighed:
        """The grid's weights by everybody else."""
        if name not in self._without:
            own = self._own.get(name) or [0.0] * len(GRID)
            self._without[name] = Weighed([one - two for one, two in zip(self._sum, own, strict=True)], self._caution)
        return self._without[name]


def explained(ones: int, count: int, moles: float) -> tuple[float, ...]:
    """How well each point of the grid explains so many of so many, of somebody who in this share may be anything."""
    anything = log(moles) + log_beta_binomial(ones, count, 1.0, 1.0)
    return tuple(log_sum((log1p(-moles) + log_beta_binomial(ones, count, a, b), anything)) for a, b in GRID)


class Weighed:
    """A distribution of beta distributions. Example: `Weighed([0.0] * len(GRID), 1.7).mean`."""

    @classmethod
    def around(cls, ones: int, count: int, caution: float) -> Weighed:
        """One's own past: a single distribution about its rate, narrow enough that getting worse is seen."""
        rate = (ones + 0.5) / (count + 1)
        one = cls([0.0] * len(GRID), caution)
        one.points = [(0.0, rate * OWN_PRECISION / caution, (1 - rate) * OWN_PRECISION / caution)]
        return one

    def __init__(self, scores: Sequence[float], caution: float) -> None:
        """Take the grid's log likelihoods, under a flat prior; what weighs nothing is left out."""
        whole = log_sum(scores)
        weights = [(score - whole, *point) for score, point in zip(scores, GRID, strict=True) if score > whole - 12]
        self.points = [(weight, a / caution, b / caution) for weight, a, b in weights]
        self.mean = sum(exp(weight) * a / (a + b) for weight, a, b in self.points)
        self.alike = sum(exp(weight) / (a + b + 1) for weight, a, b in self.points)

    def log_chance(self, ones: int, count: int) -> float:
        """The log likelihood of one peer's sequence with so many ones."""
        return log_sum([weight + log_beta_binomial(ones, count, a, b) for weight, a, b in self.points])

    def clear(self, ones: int, count: int) -> bool:
        """Whether it is far enough above the mean to be worth computing."""
        spread = count * self.mean * (1 - self.mean) * (1 + (count - 1) * self.alike)
        return ones - count * self.mean >= CLEAR_Z * sqrt(spread)

    def tail(self, ones: int, count: int) -> float:
        """How often a peer has so many ones or more of as many."""
        chance = 0.0
        for weight, a, b in self.points:
            # Summed on the shorter side, each term from the one before.
            term = exp(weight + log_choose(count, ones) + log_beta_binomial(ones, count, a, b))
            for number in range(ones, count + 1):
                chance += term
                term *= (count - number) / (number + 1) * (a + number) / (b + count - number - 1)
        return min(chance, 1.0)


def log_beta_binomial(ones: int, count: int, a: float, b: float) -> float:
    """The log likelihood of a given sequence with so many ones, each rate drawn from a beta distribution."""
    return lgamma(a + ones) - lgamma(a) + lgamma(b + count - ones) - lgamma(b) + lgamma(a + b) - lgamma(a + b + count)


def log_choose(count: int, ones: int) -> float:
    """The logarithm of the number of sequences with so many ones."""
    return lgamma(count + 1) - lgamma(ones + 1) - lgamma(count - ones + 1)


def log_sum(logs: Sequence[float]) -> float:
    """The logarithm of a sum of which each term's logarithm is given."""
    most = max(logs)
    return most + log(sum(exp(one - most) for one in logs))


def log_raised(ones: int, count: int, mean: float) -> float:
    """The log likelihood of somebody who does besides, in some share of his reads, what he is after.

    Half of the weight is on a few shares, which is quick; half on any rate at all, for many reads tell shares apart.
    """
    rates = [mean + (1 - mean) * lift for lift in LIFTS]
    few = log_sum([ones * log(rate) + (count - ones) * log1p(-rate) for rate in rates]) - log(len(LIFTS))
    return log_sum((few, log_beta_binomial(ones, count, 1.0, 1.0))) - log(2)


GRID: Final = tuple((mean * precision, (1 - mean) * precision) for mean in MEANS for precision in PRECISIONS)


class Watch:
    """Everything that is remembered, and what follows from the next event. Example: `Watch(rules, 40).read(one)`.

    One case is raised a quarter for each reason and member of staff until it is cleared; a canary each time. An
    account that one person reads again on the same day counts once.
    """

    def __init__(self, rules: Staff, staff: int) -> None:
        """Watch so many people; more make each comparison stricter."""
        self.rules, self.staff = rules, max(staff, 2)
        self._counts: dict[tuple[Why, str], Counts] = defaultdict(Counts)
        self._usual: dict[tuple[Why, str], tuple[int, Usual]] = {}
        self._raised: set[tuple[Why, tuple[str, ...]]] = set()
        self._read: dict[str, tuple[int, set[str]]] = {}
        self._recent: dict[str, deque[tuple[Instant, str, str]]] = defaultdict(deque)
        self._cleared: dict[tuple[Why, tuple[str, ...]], int] = {}
        self._known: dict[tuple[int, int], tuple[float, ...]] = {}
        self._week = self._quarter = -1

    def read(self, one: Read) -> list[Case]:
        """Show one look at a customer."""
        week = self._turned(one.at)
        alarm = [Case(Why.CANARY, (one.staff,), one.role, one.at, one.at, account=one.account)]
        cases = alarm if one.canary and not one.caused else []
        day, seen = self._read.get(one.staff, (-1, set[str]()))
        if day != one.at // DAY:
            self._read[one.staff] = one.at // DAY, (seen := set())
        if one.account in seen:
            return cases
        seen.add(one.account)
        self._recent[one.account].append((one.at, one.staff, one.role))
        rich = one.decile > DECILES - self.rules.rich_deciles
        for why, so in ((Why.UNEXPLAINED, not one.caused), (Why.RICH, rich), (Why.PEEK, False)):
            self._counts[why, one.role].add(one.staff, week, ones=so, count=1)
            if so:
                cases = cases + self._looked(why, one.role, one.staff, one.at)
        return cases

    def recovery(self, account: str, at: Instant) -> list[Case]:
        """Say that a recovery of an account was opened. Whoever read it lately peeked, or was asked to help.

        It may be said again: nobody's read is counted twice, and whoever read it since helped with it.
        """
        self._turned(at)
        cases: list[Case] = []
        recent = self._recent[account]
        while recent and recent[0][0] < at:
            read_at, staff, role = recent.popleft()
            if at - read_at <= self.rules.peek_d * DAY:
                self._counts[Why.PEEK, role].add(staff, self._week_of(read_at), ones=1, count=0)
                cases += self._looked(Why.PEEK, role, staff, at)
        if not recent:
            del self._recent[account]
        return cases

    def approval(self, one: Approval) -> list[Case]:
        """Show that one approved what another had asked for."""
        week = self._turned(one.at)
        if len(one.could) < OTHERS_MIN:
            return []
        counts = self._counts[Why.PAIR, one.role]
        for who in one.could:
            counts.add(_paired(one.asked_by, who), week, ones=who == one.approved_by, count=1)
        return self._looked(Why.PAIR, one.role, _paired(one.asked_by, one.approved_by), one.at)

    def counted(self, why: Why, role: str, who: str) -> tuple[int, int]:
        """How many of somebody's reads are remembered to have been so, of how many."""
        return self._counts[why, role].between(who, 0, self._week)

    def cleared(self, case: Case) -> None:
        """Say that a case was looked into and nothing found: his own past is then usual for him, too.

        What was looked into is not held against him again: windows begin with the next week.
        """
        self._cleared[case.why, case.staff] = self._week
        self._raised.discard((case.why, case.staff))

    def _week_of(self, at: Instant) -> int:
        return at // (self.rules.fresh_d * DAY)

    def _turned(self, at: Instant) -> int:
        """The week of an instant, after what ended with the last one was forgotten."""
        week = self._week_of(at)
        if week > self._week:
            self._week = week
            if week // self._weeks != self._quarter:
                self._quarter = week // self._weeks
                self._raised.clear()
            for counts in self._counts.values():
                counts.forget(week - self._weeks - self._peer_weeks)
            for account in list(self._recent):
                if self._recent[account][-1][0] < at - self.rules.peek_d * DAY:
                    del self._recent[account]
        return week

    @property
    def _weeks(self) -> int:
        return self.rules.watched_d // self.rules.fresh_d

    @property
    def _peer_weeks(self) -> int:
        return self.rules.peers_d // self.rules.fresh_d

    def _looked(self, why: Why, role: str, who: str, at: Instant) -> list[Case]:
        """Compare one person, or two, with the peers over every open window, and raise a case if one says so."""
        names = tuple(who.split("\0"))
        if (why, names) in self._raised:
            return []
        usual, counts = self._usual_of(why, role).without(who), self._counts[why, role]
        own, begins = None, self._quarter * self._weeks
        if (why, names) in self._cleared:
            begins = max(begins, self._cleared[why, names] + 1)
            before = counts.between(who, self._week - self._peer_weeks, self._week - 1)
            own = Weighed.around(*before, self.rules.caution_percent / 100)
        subjects = self.staff * (self.staff - 1) // 2 if why is Why.PAIR else self.staff
        line = log(len(COMPARED) * subjects * self._weeks * 1000 / self.rules.false_cases_permille)
        for first in range(self._week, begins - 1, -1):
            ones, count = counts.between(who, first, self._week)
            if ones < self.rules.ones_min or not usual.clear(ones, count):
                continue
            likely = max(one.log_chance(ones, count) for one in (usual, own) if one)
            evidence = log_raised(ones, count, usual.mean) - likely
            if evidence >= line:
                self._raised.add((why, names))
                since = first * self.rules.fresh_d * DAY
                told = ones, count, round(usual.mean * 1000), usual.tail(ones, count), evidence
                return [Case(why, names, role, at, since, *told)]
        return []

    def _usual_of(self, why: Why, role: str) -> Usual:
        """What was usual before this week, weighed once a week."""
        known = self._usual.get((why, role))
        if known is None or known[0] != self._week:
            counts, ends = self._counts[why, role], self._week // BLOCK_WEEKS
            blocks = range(ends - max(self._peer_weeks // BLOCK_WEEKS, 1), ends)
            peers = {who: [self._explained(counts, who, block) for block in blocks] for who in counts.weeks}
            known = self._usual[why, role] = self._week, Usual(peers, self.rules.caution_percent / 100)
        return known[1]

    def _explained(self, counts: Counts, who: str, block: int) -> tuple[float, ...]:
        first = block * BLOCK_WEEKS
        told = counts.between(who, first, first + BLOCK_WEEKS - 1)
        if told not in self._known:
            self._known[told] = explained(*told, self.rules.moles_permille / 1000)
        return self._known[told]


def _paired(one: str, other: str) -> str:
    return "\0".join(sorted((one, other)))
