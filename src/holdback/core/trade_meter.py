"""What an account traded lately, in small sliding buckets: a part that is loaded only when it is asked about orders.

An hour is kept by five minutes, a day by the hour, 30 days by the day; a bucket that is only partly in a window counts
in full. Everything is bounded, and what is forgotten is forgotten against the account: an order that is not kept any
more stays drawn as it was reserved.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.events import DAY, HOUR, MINUTE, Drain, Instant, Terms

FIVE_MINUTES: Final = 5 * MINUTE
ORDERS_KEPT: Final = 64
REDUCING_KEPT: Final = 32
"""Orders that claim to reduce risk and are not reported: beyond so many none is believed to."""
LEASES_KEPT: Final = 8
PAIRS_KEPT: Final = 64
LEVERAGE_D: Final = 90
"""For how many days the highest leverage is remembered."""

NOTHING_DRAWN: Final = Drain()


class Placed(msgspec.Struct, frozen=True, array_like=True):
    """An order that may be matched, and what is drawn for it until it is reported."""

    at: Instant
    pair: str
    side: str
    drain: Drain
    terms: Terms
    reduces: bool
    counterparty: str


class Leased(msgspec.Struct, frozen=True, array_like=True):
    """What a caller may spend by itself, and since when it is drawn."""

    at: Instant
    micro_usd: int


class TradeMeter(msgspec.Struct, frozen=True, array_like=True):
    """What was given away, by five minutes, hours and days, and what makes an order odd.

    `raw` is before tolerance, `weighed` after it. `sold` is what liquid pairs were sold for, `refunded` what reports
    gave back, `storm` what wild markets explain. `pairs` says since when each is traded, the one traded last at the
    end; `leverage` is the highest of each day, in percent. `doubted_at` is when an order that was to reduce risk last
    turned out not to. `leases` are those that were not settled.
    """

    raw_minutes: dict[int, int] = {}
    raw_hours: dict[int, int] = {}
    raw_days: dict[int, int] = {}
    weighed_minutes: dict[int, int] = {}
    sold_minutes: dict[int, int] = {}
    refunded_days: dict[int, int] = {}
    orders: dict[str, Placed] = {}
    pairs: dict[str, Instant] = {}
    leverage: dict[int, int] = {}
    doubted_at: Instant = 0
    leases: dict[str, Leased] = {}
    storm_days: dict[int, int] = {}


UNUSED: Final = TradeMeter()


def whole(micro_usd: int) -> Drain:
    """What a lease draws: all of it, in every window."""
    return Drain(micro_usd, micro_usd, micro_usd)


def traded(
    meter: TradeMeter, event: ev.OrderAllowed | ev.OrderReported | ev.LeaseGranted | ev.LeaseSettled
) -> TradeMeter:
    """The meter after an event."""
    if isinstance(event, ev.LeaseGranted):
        kept = [*list(meter.leases.items())[1 - LEASES_KEPT :], (event.lease, Leased(event.at, event.micro_usd))]
        return replace(_drawn(meter, whole(event.micro_usd), event.at), leases=dict(kept))
    if isinstance(event, ev.LeaseSettled):
        leases = {key: one for key, one in meter.leases.items() if key != event.lease}
        back = _refunded(meter, whole(event.refund_micro_usd), event.granted_at, event.at)
        return replace(back, leases=leases, refunded_days=meter.refunded_days if event.prompt else back.refunded_days)
    if isinstance(event, ev.OrderAllowed):
        return _placed(_drawn(meter, event.drain, event.at), event)
    meter = _refunded(meter, event.refund, event.placed_at, event.at)
    meter = _drawn(meter, event.extra, event.at)
    orders = {key: one for key, one in meter.orders.items() if key != event.order}
    return replace(meter, orders=orders, doubted_at=event.at if event.misled else meter.doubted_at)


def _placed(meter: TradeMeter, event: ev.OrderAllowed) -> TradeMeter:
    day, sides = event.at // DAY, (event.pair, event.side)
    new = Placed(event.at, *sides, event.drain, event.terms, event.reduces, event.counterparty)
    orders = _kept(meter.orders) | {event.order: new}
    sold = meter.sold_minutes
    if event.liquid and event.side == "sell":
        sold = _added(sold, event.at // FIVE_MINUTES, event.notional_micro_usd, HOUR // FIVE_MINUTES)
    leverage = {key: one for key, one in meter.leverage.items() if key >= day - LEVERAGE_D}
    leverage[day] = max(leverage.get(day, 0), event.leverage_percent)
    pairs = [(key, since) for key, since in meter.pairs.items() if key != event.pair]
    pairs = [*pairs[1 - PAIRS_KEPT :], (event.pair, meter.pairs.get(event.pair, event.at))]
    return replace(meter, orders=orders, sold_minutes=sold, leverage=leverage, pairs=dict(pairs))


def _kept(orders: dict[str, Placed]) -> dict[str, Placed]:
    """The orders with room for one more: the oldest goes that did not claim to reduce risk, for it is held to that."""
    if len(orders) < ORDERS_KEPT:
        return orders
    gone = next((name for name, one in orders.items() if not one.reduces), next(iter(orders)))
    return {name: one for name, one in orders.items() if name != gone}


def _drawn(meter: TradeMeter, drain: Drain, at: Instant) -> TradeMeter:
    if not drain.gap_micro_usd:
        return meter
    raw = drain.raw_micro_usd
    return replace(
        meter,
        raw_minutes=_added(meter.raw_minutes, at // FIVE_MINUTES, raw, HOUR // FIVE_MINUTES),
        raw_hours=_added(meter.raw_hours, at // HOUR, raw, DAY // HOUR),
        raw_days=_added(meter.raw_days, at // DAY, raw, 30),
        weighed_minutes=_added(
            meter.weighed_minutes, at // FIVE_MINUTES, drain.weighed_micro_usd, HOUR // FIVE_MINUTES
        ),
        storm_days=_added(meter.storm_days, at // DAY, drain.storm_micro_usd, 7),
    )


def _refunded(meter: TradeMeter, drain: Drain, drawn_at: Instant, at: Instant) -> TradeMeter:
    """Give back where it was drawn, and nowhere else: a window never gets room that was not taken in it."""
    if not drain.gap_micro_usd:
        return meter
    raw = drain.raw_micro_usd
    return replace(
        meter,
        raw_minutes=less(meter.raw_minutes, drawn_at // FIVE_MINUTES, raw),
        raw_hours=less(meter.raw_hours, drawn_at // HOUR, raw),
        raw_days=less(meter.raw_days, drawn_at // DAY, raw),
        weighed_minutes=less(meter.weighed_minutes, drawn_at // FIVE_MINUTES, drain.weighed_micro_usd),
        refunded_days=_added(meter.refunded_days, at // DAY, drain.gap_micro_usd, 1),
        storm_days=less(meter.storm_days, drawn_at // DAY, drain.storm_micro_usd),
    )


def _added(buckets: dict[int, int], key: int, micro_usd: int, kept: int) -> dict[int, int]:
    alive = {one: value for one, value in buckets.items() if one >= key - kept}
    alive[key] = alive.get(key, 0) + micro_usd
    return alive


def less(buckets: dict[int, int], key: int, micro_usd: int) -> dict[int, int]:
    """The buckets with so much taken out of one, if it is still kept."""
    return buckets | {key: buckets[key] - micro_usd} if key in buckets else buckets


def since(buckets: dict[int, int], first: int) -> int:
    """What the buckets from this one on hold."""
    return sum(value for key, value in buckets.items() if key >= first)
