"""How much a thief trades away before he is stopped, and how often honest traders are told or stopped (law 3).

Books are seeded walks: liquid, middling and thin pairs, each with a spread and a swing of its own, and a feed that is
up to a minute late. On a crash day everything swings eight times as much, and spreads are ten times as wide. Honest
people take and make prices at their own pace; an order is asked about at its worst price and reported at its real one.
Thieves either burst, as in the incidents, or know every number of the policy and stop just short of it, until the
owner, who is told, reacts. Told are losses in percent of the victim's equity, and alarms of all honest days.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from holdback import wiring
from holdback.bench.books import CRASH, MINUTES, QUIET, Book, Weather, books
from holdback.client import TradeLease
from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Allow, Context, Facts, MarketFact
from holdback.core.events import DAY, HOUR, MINUTE, Actor, ActorKind, Sealed
from holdback.core.policy import MICRO
from holdback.core.rules.asking import Request
from holdback.core.rules.order import OrderPlace, OrderReport
from holdback.core.state import METER, Customer, Head, Session
from holdback.core.trade_meter import TradeMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Action

SEED: Final = 20_181
DAYS: Final = 12_000
DAYS_QUICK: Final = 400
VICTIMS: Final = 300
VICTIMS_QUICK: Final = 40
NOW: Final = 20_000 * DAY
TOKEN: Final = b"t" * 16
PLOT: Final = "bench-trades.svg"
FIGURES: Final = "bench-trades.json"

KNOWN_PAIR: Final = 0.9
"""Of honest orders, so many are on one of four pairs that one always trades."""
RESTS_M: Final = 30
"""For fewer minutes than this a maker's order rests; it is matched when the reference comes to it, else given up."""
SLIPPAGE: Final = 0.005
"""The bound that half of the takers give, however narrow the spread is."""
COPIED: Final = 0.5
"""Of thieves, so many hold a copied session, which is young; the others sit in the owner's own."""
ASLEEP: Final = 0.1
"""Of owners, so many react only after three days."""

OWNER: Final = Actor(ActorKind.OWNER, TOKEN)
PLATFORM: Final = Actor(ActorKind.PLATFORM)
MEDIAN_MOST: Final = 2.0
P99_MOST: Final = 5.0


class Trader:
    """An account that trades, asked through the core as the service asks it."""

    def __init__(self, policy: Policy, equity_usd: float, pairs: Sequence[str], *, signed_in: int) -> None:
        """An account of some age, that traded these pairs for long, with a session that began at `signed_in`."""
        session = Session("d", signed_in, signed_in, signed_in + 366 * DAY, 366 * DAY, 0)
        name = Sealed(b"n" * 16, b"")
        equity = {NOW // DAY - 40: int(equity_usd * MICRO)}
        self.head = Head("a", name, NOW - 400 * DAY, (), at=signed_in, sessions={TOKEN: session}, equity=equity)
        meter = TradeMeter(pairs=dict.fromkeys(pairs, NOW - 300 * DAY))
        self.customer = Customer(self.head, {METER: meter})
        self.policy, self.equity, self.orders = policy, equity_usd, 0
        self.alarmed = self.told = False

    def place(self, market: MarketFact, side: str, price: float, amount: float, now: int) -> bool:
        """Ask for an order; whether it may be matched."""
        self.orders += 1
        fields = f"{price:.10f}", f"{amount:.10f}"
        action = OrderPlace(f"o{self.orders}", market.pair, side, *fields)  # type: ignore[arg-type] # buy or sell
        return self._ask(action, OWNER, market, now)

    def report(self, market: MarketFact, side: str, price: float, amount: float, now: int, number: int) -> None:  # noqa: PLR0913, PLR0917 - what a report says
        """Say at which price order `number` was matched."""
        fields = f"{price:.10f}", f"{amount:.10f}"
        action = OrderReport(f"o{number}", market.pair, side, *fields)  # type: ignore[arg-type] # buy or sell
        self._ask(action, PLATFORM, market, now)

    def _ask(self, action: Action, actor: Actor, market: MarketFact, now: int) -> bool:
        facts = Facts(b"d", clock_agrees=True, market=market)
        request = Request(action, "a", actor, Context())
        step = decide.advance(self.customer, request, facts, self.policy, now)
        self.customer = step.customer
        self.told |= any(isinstance(one, ev.TradingAlerted | ev.TradingClosed) for one in step.events)
        self.alarmed |= not isinstance(step.decision, Allow)
        return isinstance(step.decision, Allow)


class Style(NamedTuple):
    """How somebody trades: his share of all, orders a day, the largest part of his equity, if he makes prices."""

    share: float
    orders: float
    most: float
    makes: bool


STYLES: Final = (
    Style(0.80, 2, 0.30, makes=False),
    Style(0.15, 30, 0.10, makes=False),
    Style(0.05, 100, 0.03, makes=True),
)


def honest(policy: Policy, day: list[Book], chance: random.Random, days: int = 1) -> Trader:
    """One honest account, for a day or for several with the same prices."""
    style = chance.choices(STYLES, [one.share for one in STYLES])[0]
    equity = math.exp(chance.gauss(math.log(5_000), 1.6)) + 100
    usual = traded_much(day, chance, 4)
    trader = Trader(policy, equity, [one.pair for one in usual], signed_in=NOW - 2 * HOUR)
    minutes = [
        one * MINUTES + chance.randrange(60, MINUTES)
        for one in range(days)
        for _ in range(_poisson(style.orders, chance))
    ]
    resting: list[tuple[int, int, Wish]] = []
    for since in sorted(minutes):
        while resting and resting[0][0] < since:
            heapq.heappop(resting)[2].report()
        book = chance.choice(usual) if chance.random() < KNOWN_PAIR else traded_much(day, chance, 1)[0]
        wish = Wish(trader, style, book, chance)
        if wish.ask(since):
            heapq.heappush(resting, (wish.done, trader.orders, wish))
    while resting:
        heapq.heappop(resting)[2].report()
    return trader


class Wish:
    """An order that somebody wishes to make: asked for in a minute, and reported when it is matched or given up."""

    def __init__(self, trader: Trader, style: Style, book: Book, chance: random.Random) -> None:
        """Takers' worst price is half a spread off, or half a percent; makers rest at the spread's other side."""
        self._trader, self._book, self._chance = trader, book, chance
        self._side, self._makes = chance.choice(("buy", "sell")), style.makes
        self._sign = 1 if self._side == "buy" else -1
        self._worth = trader.equity * chance.uniform(0.005, style.most)
        self._real = self._amount = 0.0
        self._asked_at = self._number = self.done = 0

    def ask(self, since: int) -> bool:
        """Ask in that minute; whether it may be matched. It is done in minute `done`."""
        minute, chance, sign = since % MINUTES, self._chance, self._sign
        self._asked_at = NOW + since * MINUTE + chance.randrange(MINUTE)
        mid, spread = self._book.mid(minute, chance), self._book.half(minute)
        self._real = mid * (1 - sign * spread) if self._makes else mid * (1 + sign * spread * chance.uniform(1, 1.6))
        worst = self._real * (1 if self._makes else 1 + sign * chance.choice((spread, SLIPPAGE)))
        self._amount = self._worth / mid
        self.done = since + self._rests(minute) if self._makes else since
        market = self._book.market(minute, self._asked_at)
        allowed = self._trader.place(market, self._side, worst, self._worth / mid, self._asked_at)
        self._number = self._trader.orders
        return allowed

    def _rests(self, minute: int) -> int:
        """For how many minutes a maker's order rests until it is matched, or given up."""
        later = range(minute + 1, min(minute + 1 + self._chance.randrange(RESTS_M), MINUTES))
        for one in later:
            if self._sign * (self._book.reference[one] - self._real) <= 0:
                return one - minute
        self._amount = 0.0
        return len(later)

    def report(self) -> None:
        """Say what became of it."""
        now = max(self._asked_at, NOW + self.done * MINUTE)
        market = self._book.market(self.done % MINUTES, now)
        self._trader.report(market, self._side, self._real, self._amount, now, self._number)


def traded_much(day: list[Book], chance: random.Random, count: int) -> list[Book]:
    """Pairs as honest people choose them: six of ten orders are on liquid ones, three on middling ones, one on thin."""
    kinds = chance.choices(("LIQUID", "MIDDLE", "THIN"), (6, 3, 1), k=count)
    return [chance.choice([one for one in day if one.pair.startswith(kind)]) for kind in kinds]


def _poisson(mean: float, chance: random.Random) -> int:
    left, count = math.exp(-mean), 0
    drawn = chance.random()
    while drawn > left:
        drawn *= chance.random()
        count += 1
    return count


def robbed(policy: Policy, day: list[Book], chance: random.Random, careful: bool) -> float:  # noqa: FBT001 - one of two
    """What one victim lost, in percent of what he owned.

    Half of the thieves hold a copied session, which is young, the others sit in the owner's own. The owner is told at
    the first alert or closing, and freezes after a time whose median is 4 h; every tenth does so only after 3 days.
    """
    equity = math.exp(chance.gauss(math.log(20_000), 1.5)) + 500
    thin = [one for one in day if one.thin]
    began = NOW - (90 * MINUTE if chance.random() >= COPIED else 0)
    victim = Trader(policy, equity, [day[0].pair], signed_in=began)
    reacts_h = 72 if chance.random() < ASLEEP else math.exp(chance.gauss(math.log(4), 0.8))
    lost, told_at = 0.0, None
    now, end = NOW + MINUTE, NOW + 6 * DAY
    while now < end and (told_at is None or now < told_at + reacts_h * HOUR):
        book = chance.choice(thin)
        lost += _stroke(victim, book, chance, now, careful)
        told_at = now if told_at is None and victim.told else told_at
        now += chance.randrange(5 * MINUTE, 20 * MINUTE) if careful else chance.randrange(5_000, 2 * MINUTE)
    return 100 * lost / equity


def _stroke(victim: Trader, book: Book, chance: random.Random, now: int, careful: bool) -> float:  # noqa: FBT001 - one of two
    """One order of a thief, and what it took. A careful one tries what fits, on a copy of what he knows."""
    minute = (now - NOW) // MINUTE % 1_440
    market, ref = book.market(minute, now), book.reference[minute]
    if not careful:
        premium, part = chance.uniform(0.05, 1.0), chance.uniform(0.01, 0.3)
        amount = victim.equity * part / ref
        return victim.equity * part * premium if victim.place(market, "buy", ref * (1 + premium), amount, now) else 0.0
    tolerance = min(victim.policy.trades.tolerance_factor * market.half_range_ppm, 100_000) / 1_000_000
    storm = min(victim.policy.trades.tolerance_factor * market.storm_ppm, 100_000) / 1_000_000
    for share in (0.02, 0.01, 0.005, 0.002):
        for premium in sorted({storm or tolerance * 0.98, tolerance * 0.98, tolerance * 1.5 + 0.01}):
            amount = victim.equity * share / premium / ref
            before = victim.customer, victim.told, victim.alarmed, victim.orders
            if victim.place(market, "buy", ref * (1 + premium), amount, now):
                return victim.equity * share
            victim.customer, victim.told, victim.alarmed, victim.orders = before
    return 0.0


def alarms(
    policy: Policy, weather: Weather, count: int, tell: Callable[[str], None], days: int = 1
) -> dict[str, float]:
    """Of so many honest accounts, each over so many days, in percent: with a notice, and with an order refused."""
    name = "crash" if weather is CRASH else "quiet"
    chance = random.Random(f"{SEED} {name}")
    told = refused = orders = 0
    day: list[Book] = []
    for number in range(count):
        if number % 100 == 0:  # a hundred accounts share a day's market
            day = books(weather, chance)
            tell(f"{name}, {days} days each: {number} accounts of {count}")
        trader = honest(policy, day, chance, days)
        told, refused, orders = told + trader.told, refused + trader.alarmed, orders + trader.orders
    return {
        "accounts": count,
        "days_each": days,
        "orders": orders,
        "told_percent": 100 * told / count,
        "refused_percent": 100 * refused / count,
    }


def losses(
    policy: Policy, count: int, tell: Callable[[str], None], *, careful: bool, weather: Weather = QUIET
) -> list[float]:
    """What each of so many victims lost, least first."""
    chance = random.Random(f"{SEED} victims {careful}")
    found: list[float] = []
    day: list[Book] = []
    for number in range(count):
        if number % 50 == 0:
            day = books(weather, chance)
            tell(f"victims of {'careful' if careful else 'bursting'} thieves: {number} of {count}")
        found.append(robbed(policy, day, chance, careful))
    return sorted(found)


def _told(lost: list[float]) -> dict[str, float]:
    return {
        "median": statistics.median(lost),
        "p99": lost[min(len(lost) - 1, math.ceil(0.99 * len(lost)) - 1)],
        "most": lost[-1],
    }


def pace(policy: Policy) -> float:
    """Orders decided a second by the core alone, each at the market, in one process."""
    chance = random.Random(SEED)
    book = books(QUIET, chance)[0]
    trader = Trader(policy, 100_000, [book.pair], signed_in=NOW - 2 * HOUR)
    market, ref = book.market(1, NOW), book.reference[1]
    count, began = 5_000, time.perf_counter()
    for _ in range(count):
        trader.place(market, "buy", ref, 0.001, NOW)
    return count / (time.perf_counter() - began)


def in_process(policy: Policy) -> float:
    """Orders answered a second under a lease, by the platform itself: as the client does, half of them drawing."""
    lease = TradeLease(id="l1", pair="BTC/USDT", micro_usd=10**15, reference=64_000.0, quote_usd=1.0, ends_at=math.inf)
    count, began = 400_000 // max(1, policy.trades.lease_s), time.perf_counter()
    for number in range(count):
        lease.allows("BTC/USDT", "buy", 64_000.0 + number % 2, 0.5)
    return count / (time.perf_counter() - began)


def measure(_store: str, quick: bool, tell: Callable[[str], None]) -> dict[str, object]:  # noqa: FBT001 - as every bench
    """Run all of it, and write the figures and their picture beside each other."""
    policy = wiring.load_policy("default")
    days, victims = (DAYS_QUICK, VICTIMS_QUICK) if quick else (DAYS, VICTIMS)
    bursts, careful = (losses(policy, victims, tell, careful=one) for one in (False, True))
    together = sorted([*bursts, *careful])
    in_storms = losses(policy, victims // 2, tell, careful=True, weather=CRASH)
    found: dict[str, object] = {
        "seed": SEED,
        "victims_lost_percent_of_equity": _told(together),
        "of_bursting_thieves": _told(bursts),
        "of_careful_thieves": _told(careful),
        "targets_median_and_p99": [MEDIAN_MOST, P99_MOST],
        "of_careful_thieves_on_crash_days": _told(in_storms),
        "honest_days": alarms(policy, QUIET, days, tell),
        "honest_weeks": alarms(policy, QUIET, days // 12, tell, 7),
        "honest_crash_days": alarms(policy, CRASH, days // 3, tell),
        "orders_decided_a_second": round(pace(policy)),
        "checks_a_second_under_a_lease": round(in_process(policy)),
        "plot": PLOT,
        "figures": FIGURES,
    }
    Path(PLOT).write_text(picture(bursts, careful))
    Path(FIGURES).write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    return found


def picture(bursts: list[float], careful: list[float]) -> str:
    """Losses of all victims, least first, as an SVG: percent of equity over percent of victims."""
    width, height, most = 640, 320, max(10.0, bursts[-1], careful[-1])

    def line(lost: list[float], colour: str) -> str:
        points = [
            f"{60 + (width - 80) * place / max(1, len(lost) - 1):.1f},{height - 40 - (height - 60) * one / most:.1f}"
            for place, one in enumerate(lost)
        ]
        return f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(points)}"/>'

    marks = "".join(
        f'<text x="8" y="{height - 36 - (height - 60) * one / most:.1f}" font-size="12">{one:g} %</text>'
        for one in (0, MEDIAN_MOST, P99_MOST, most)
    )
    words = (
        '<text x="70" y="20" font-size="13">Loss in percent of equity, victims from least to most</text>'
        '<text x="70" y="38" font-size="12" fill="#b03030">thieves who burst</text>'
        '<text x="200" y="38" font-size="12" fill="#3050b0">thieves who know every limit</text>'
    )
    body = line(bursts, "#b03030") + line(careful, "#3050b0") + marks + words
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{body}</svg>\n'
