"""Law 3 for trades: what an order gives away, the windows that bound it, and what makes it count for more.

A thief who may not withdraw buys dear and sells cheap, to himself, on pairs that nobody else trades (OKX, incident F;
Binance, 7 March 2018; Aggr, May 2024). So the gap between an order's price and a reference from outside the platform is
value that leaves. Whatever is rounded is rounded against the account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core import budget, cooling
from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE, Drain, Severity, Terms
from holdback.core.state import ApiKey, Session, is_past
from holdback.core.trade_meter import FIVE_MINUTES, LEVERAGE_D, since

if TYPE_CHECKING:
    from holdback.core.decision import MarketFact
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Head
    from holdback.core.trade_meter import TradeMeter

UNIT: Final = 10**18
"""Prices and amounts are integers of this part of one."""
PPM: Final = 1_000_000
PLAIN: Final = 100
"""The weight, in percent, of an order about which nothing is odd; and the leverage of one that has none."""

EVERY_PAIR: Final = "*"


class Fill(msgspec.Struct, frozen=True):
    """What is bought or sold, and at which price at the worst, in 1e-18."""

    side: str
    price: int
    amount: int


class Left(msgspec.Struct, frozen=True):
    """What trades may still give away, in micro-USD: after tolerance in an hour, and before it in four windows.

    `storm` is what wild markets may still explain; what does not fit into it counts in the four.
    """

    hour: int
    raw_hour: int
    raw_day: int
    raw_week: int
    raw_month: int
    storm: int

    def holds(self, drain: Drain) -> bool:
        """Whether this much still fits into every window."""
        raw = min(self.raw_hour, self.raw_day, self.raw_week, self.raw_month)
        return drain.weighed_micro_usd <= self.hour and drain.raw_micro_usd <= raw


def left(meter: TradeMeter, equity: int, policy: Policy, now: Instant) -> Left:
    """What is left of each window. They slide; a bucket that is only partly in one counts in full."""
    trades, minute, hour = policy.trades, (now - HOUR) // FIVE_MINUTES, (now - DAY) // HOUR
    return Left(
        equity * trades.hour_percent // 100 - since(meter.weighed_minutes, minute),
        equity * trades.raw_hour_percent // 100 - since(meter.raw_minutes, minute),
        equity * trades.raw_day_percent // 100 - since(meter.raw_hours, hour),
        equity * trades.raw_week_percent // 100 - since(meter.raw_days, now // DAY - 7),
        equity * trades.raw_month_percent // 100 - since(meter.raw_days, now // DAY - 30),
        equity * trades.storm_week_percent // 100 - since(meter.storm_days, now // DAY - 7),
    )


def equity(head: Head, policy: Policy, now: Instant) -> int:
    """What windows of trades are a part of, in micro-USD."""
    return budget.lowest_equity(head, now, policy.trades.equity_d)


def is_index(market: MarketFact | None, pair: str, policy: Policy, now: Instant) -> bool:
    """Whether there is a reference from outside, for this pair and not too old."""
    known = market is not None and market.pair == pair and bool(market.reference)
    return known and market is not None and now - market.at <= policy.trades.index_age_s * 1000


def terms(  # noqa: PLR0913, PLR0917 - what is known of the pair, and how odd the order is
    market: MarketFact | None, reference: int, reference_text: str, weight: int, policy: Policy, now: Instant
) -> Terms | None:
    """What a fill is compared with; None if nobody knows what it is worth. `reference` is 0 if nothing outside says."""
    if market is None:
        return None
    oldest = now - policy.signals.price_age_m * MINUTE
    base = market.base_micro_usd if market.base_at >= oldest else 0
    quote = market.quote_micro_usd if market.quote_at >= oldest else 0
    if not quote and base and reference:
        quote = -(-base * UNIT // reference)
    tolerance = min(policy.trades.tolerance_factor * market.half_range_ppm, policy.trades.tolerance_max_ppm)
    storm = min(policy.trades.tolerance_factor * market.storm_ppm, policy.trades.tolerance_max_ppm)
    forgiven = (tolerance, storm) if reference else (0, 0)
    return Terms(reference_text, forgiven[0], weight, quote, base, forgiven[1]) if quote else None


def drain(fill: Fill, reference: int, known: Terms) -> Drain:
    """What a fill gives away. Without a reference (0) all that is traded counts, by whichever price is worth more."""
    if not reference:
        whole = max(_worth(fill.price, fill.amount, known), -(-fill.amount * known.base_micro_usd // UNIT))
        return Drain(whole, whole, _weighed(whole, known))
    gap = fill.price - reference if fill.side == "buy" else reference - fill.price
    if gap <= 0:
        return Drain()
    raw = _worth(gap, fill.amount, known)
    whole = reference * fill.amount * known.quote_micro_usd
    adverse = max(0, raw - known.tolerance_ppm * whole // (PPM * UNIT * UNIT))
    storm = min(raw, known.storm_ppm * whole // (PPM * UNIT * UNIT))
    return Drain(raw - storm, adverse, _weighed(adverse, known), storm)


def notional(fill: Fill, reference: int, known: Terms) -> int:
    """What an order is worth, in micro-USD, by the higher of its price and the reference."""
    return _worth(max(fill.price, reference), fill.amount, known)


def _worth(price: int, amount: int, known: Terms) -> int:
    return -(-price * amount * known.quote_micro_usd // (UNIT * UNIT))


def _weighed(adverse: int, known: Terms) -> int:
    return -(-adverse * known.weight_percent // PLAIN)


class Asker(msgspec.Struct, frozen=True):
    """Who asks for an order: a session, or an API key, and whether that one slept until now."""

    session: Session | None
    key: ApiKey | None = None
    asleep: bool = False

    def is_fresh(self, policy: Policy, now: Instant) -> bool:
        """Whether the session is younger than a thief's would be who waited."""
        return self.session is not None and now < self.session.started_at + policy.trades.session_m * MINUTE

    def is_woken(self, policy: Policy, now: Instant) -> bool:
        """Whether the key was made or woken lately."""
        if self.key is None:
            return False
        lately = now - policy.trades.key_woke_h * HOUR
        return self.asleep or max(self.key.ripens.until, self.key.woken_at) > lately


ODD: Final = ("pair_new", "pair_thin", "sold_much", "session_young", "key_woken", "cooling_off")
"""What may be odd about an order, as `oddities` names it."""

UNLEASED: Final = ("key_asleep", "reconciling", "counterparty_closed")
"""What else leaves no room for a lease."""


def oddities(  # noqa: PLR0913, PLR0917 - whose order it is, on what pair, and who asks
    head: Head, meter: TradeMeter, asker: Asker, pair: str, half_range_ppm: int, policy: Policy, now: Instant
) -> dict[str, int]:
    """What is odd about an order, and by how many percent each makes it count more."""
    trades = policy.trades
    traded_since = meter.pairs.get(pair, now)
    sold = since(meter.sold_minutes, (now - HOUR) // FIVE_MINUTES)
    much = equity(head, policy, now) * trades.liquidated_percent
    found = (
        (traded_since > now - trades.pair_known_h * HOUR, trades.pair_weight_percent),
        (half_range_ppm > trades.thin_ppm, trades.thin_weight_percent),
        (sold * 100 > much, trades.liquidated_weight_percent),
        (asker.is_fresh(policy, now), trades.session_weight_percent),
        (asker.is_woken(policy, now), trades.key_weight_percent),
        (cooling.ends_at(head, now) is not None, trades.cooling_weight_percent),
    )
    return {name: percent for name, (is_so, percent) in zip(ODD, found, strict=True) if is_so and percent}


def own_leverage(meter: TradeMeter, policy: Policy, now: Instant) -> int:
    """The highest leverage, in percent, that the account itself used before the last days; no leverage if none."""
    newest = (now - policy.trades.leverage_quiet_h * HOUR) // DAY
    used = [value for day, value in meter.leverage.items() if now // DAY - LEVERAGE_D <= day < newest]
    return max(used, default=PLAIN)


def is_disputed(head: Head, now: Instant) -> bool:
    """Whether a severe change still cools."""
    cool_offs = head.cool_offs.values()
    return any(one.severity is Severity.SEVERE and not is_past(one, now) for one in cool_offs)


def looks_robbed(head: Head, asker: Asker, policy: Policy, now: Instant) -> bool:
    """Whether an account of some age shows signs that somebody else trades: throwaways never do, or they could harm."""
    if head.opened_at > now - policy.trades.victim_aged_d * DAY:
        return False
    told = max(head.folded.get("trading.alerted", 0), head.folded.get("trading.closed", 0))
    fresh = asker.is_fresh(policy, now) or asker.is_woken(policy, now)
    return fresh or told > now - HOUR or cooling.ends_at(head, now) is not None


def closed_as(head: Head, pair: str, counterparty: str, ties: tuple[bytes, ...] = ()) -> str:
    """The name under which trading is closed for an order, "" if it is open; `TradingOpened` opens by this name.

    Whoever shares one of `ties` with a counterparty that is closed is closed by that one's name.
    """
    names = (f"pair {EVERY_PAIR}", f"pair {pair}", f"counterparty {counterparty}")
    joined = (name for name, closed in head.closed_ties.items() if not set(closed).isdisjoint(ties))
    return next((name for name in names if name in head.closed), "") or next(joined, "")


def closing(  # noqa: PLR0913, PLR0917 - what is closed, and for whom
    head: Head, pair: str, counterparty: str, ties: tuple[bytes, ...], policy: Policy, now: Instant
) -> ev.TradingClosed:
    """The closing of a pair, and of a counterparty with his ties; of all pairs, if there is no room for one more."""
    full = len(head.closed) + 1 >= policy.bounds.closed
    return ev.TradingClosed(now, EVERY_PAIR if full else pair, counterparty, ties if counterparty else ())


def held_proceeds(head: Head, policy: Policy, now: Instant) -> list[ev.AnyEvent]:
    """What several who look robbed gave to one customer within an hour stays inside for longer; else nothing."""
    lately = [one for one in head.victims if one.at > now - policy.trades.victims_m * MINUTE]
    total = sum(one.micro_usd for one in lately)
    if len({one.account for one in lately}) < policy.trades.victims or not total:
        return []
    until = (-(-now // HOUR) + policy.trades.victims_proceeds_h) * HOUR
    return [ev.ProceedsHeld(now, total), ev.ValueReceived(now, total, until)]
