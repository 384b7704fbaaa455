"""Orders: asked about before they are matched, because a trade is a way out, too (law 3).

What an order gives away beside a reference from outside is drawn as any outflow is, in windows of its own and from the
one budget. What does not fit is denied, never asked about: whoever holds the session would answer. The pair and the
counterparty stay closed until the owner opens them again, and that waits. Risk may be reduced at any time (law 5).
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from holdback.core import budget, inside, trading
from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.cooling import ends_at
from holdback.core.decision import Allow, Deny, Reason, why
from holdback.core.disclosure import ordered_until
from holdback.core.events import DAY, HOUR, AnyEvent, Drain, Finding, Lane, Scope, Setting, Terms
from holdback.core.programs import asking
from holdback.core.rules.asking import (
    MOST_MICRO_USD,
    OWNER_OR_KEY,
    PLATFORM,
    Action,
    Amount,
    Case,
    Id,
    Money,
    Pair,
    Request,
    Rule,
    Ruling,
    denied,
    micro_usd,
    units,
)
from holdback.core.state import METER, Head, PartKey
from holdback.core.trade_meter import NOTHING_DRAWN, REDUCING_KEPT, Placed, since, whole
from holdback.core.trading import Asker, Fill

Side = Literal["buy", "sell"]
Leverage = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,3}(\.[0-9]{1,2})?\Z")]
"""Times the own money, as a decimal string; 1 for none."""

SETTLES_EARLY_MS = 500
"""A caller's lease ends a little before ours, by what the answer took to reach him."""
SETTLES_LATE_MS = 10_000
"""Settled so soon, a lease gives back what it did not use: it is as much the caller's word as what he used."""


class OrderPlace(Action, frozen=True, tag="order.place"):
    """Ask to let an order be matched. `order` is the platform's name for it, `amount` what of the pair's first asset.

    `price` is the worst that it may be matched at, in the second asset; a market order has one, too. `reference` is the
    platform's own, and may only tighten (law 6). `counterparty` is a customer of the platform, if it is known who.
    `reduces` says that it closes a position or pays back, which nothing stops but what it gives away.
    """

    order: Id
    pair: Pair
    side: Side
    price: Amount
    amount: Amount
    reference: Amount | None = None
    counterparty: Id | None = None
    leverage: Leverage = "1"
    reduces: bool = False


class OrderReport(Action, frozen=True, tag="order.report"):
    """Say what became of an order: how much of it was matched (0 for nothing), and at which price on average.

    `reduced` is whether it reduced risk, as it may have said. An order told of in several reports names each `fill`.
    """

    order: Id
    pair: Pair
    side: Side
    price: Amount
    amount: Amount
    counterparty: Id | None = None
    reduced: bool = False
    fill: Id | None = None


class OrderLease(Action, frozen=True, tag="order.lease"):
    """Ask to answer for orders of a pair by itself for a moment, as far as they give away little.

    `settles` names a lease that is over, of which `used_usd` was used; nothing said means all of it.
    """

    pair: Pair
    settles: Id | None = None
    used_usd: Money | None = None


def _parts(
    _request: Request, _action: OrderPlace | OrderReport | OrderLease, _peek: Head | None
) -> tuple[PartKey, ...]:
    return (METER,)


def _asker(case: Case) -> Asker:
    return Asker(case.session, asking(case.head, case.request.actor), case.asleep)


def _percent(leverage: str) -> int:
    whole, _, part = leverage.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def _reduces(case: Case, action: OrderPlace) -> bool:
    """Whether an order is taken to reduce risk: not of those whose last one that was to do so did not."""
    meter = case.customer.meter
    doubted = bool(meter.doubted_at) and case.now < meter.doubted_at + case.policy.trades.doubted_h * HOUR
    return action.reduces and not doubted and sum(one.reduces for one in meter.orders.values()) < REDUCING_KEPT


def _door(case: Case, action: OrderPlace) -> Finding | None:
    """What no proof could mend: the owner's stop, what is closed, and more leverage than the account is used to."""
    program = case.customer.program(case.request.actor.key)
    if program is not None and program.pairs and action.pair not in program.pairs:
        return why(Reason.API_KEY_SCOPE, "api_key.create", about="pairs")
    if action.order in case.customer.meter.orders:
        return why(Reason.ALREADY_EXISTS, about="order")
    reduces = _reduces(case, action)
    ordered = ordered_until(case.head, case.now)
    if case.head.frozen_at and not reduces:
        return why(Reason.FROZEN, "account.unfreeze")
    if ordered and not reduces:
        return why(Reason.UNDER_ORDER, "time", until=ordered)
    unfit = [name for name in ("price", "amount", "leverage") if not units(getattr(action, name))]
    if unfit:
        return why(Reason.BAD_FIELD, about=unfit[0])
    if case.now < case.head.weak_until and not reduces:
        return why(Reason.RECOVERED_LATELY, "time", until=case.head.weak_until)
    other = case.request.counterparty
    if other and other != case.head.account and not case.facts.counterparty_known:
        return why(Reason.COUNTERPARTY_UNKNOWN, about="counterparty")
    closed = trading.closed_as(case.head, action.pair, other, case.facts.counterparty_ties)
    if closed and not reduces:
        return why(Reason.TRADING_CLOSED, "limit.set", about=closed)
    return None if reduces else _leverage(case, action)


def _leverage(case: Case, action: OrderPlace) -> Finding | None:
    """After a severe change, by a young session or a key that slept: no more leverage than the account itself used."""
    asker = _asker(case)
    odd = asker.is_fresh(case.policy, case.now) or asker.is_woken(case.policy, case.now)
    if not odd and not trading.is_disputed(case.head, case.now):
        return None
    over = _percent(action.leverage) > trading.own_leverage(case.customer.meter, case.policy, case.now)
    return why(Reason.LEVERAGE_CLOSED, "time", about="leverage") if over else None


def _proof(case: Case, _action: OrderPlace) -> Level:
    return Level.MONEY if case.asleep else Level.NONE


def _oddities(case: Case, pair: str) -> dict[str, int]:
    """What is odd about an order of a pair now, and by how much it makes it count more."""
    market, meter = case.facts.market, case.customer.meter
    half_range = market.half_range_ppm if market is not None else 0
    return trading.oddities(case.head, meter, _asker(case), pair, half_range, case.policy, case.now)


def _terms(case: Case, pair: str, side: str, claimed: str | None) -> Terms | None:
    """What an order is compared with: the worse of the outside index and the platform's own word."""
    market, policy = case.facts.market, case.policy
    reference = ""
    if market is not None and trading.is_index(market, pair, policy, case.now):
        said = [market.reference, *([claimed] if claimed and units(claimed) else [])]
        reference = min(said, key=units) if side == "buy" else max(said, key=units)
    weight = trading.PLAIN + sum(_oddities(case, pair).values())
    found = trading.terms(market, units(reference or "0"), reference, weight, policy, case.now)
    blind = not reference and side == "sell" and found is not None and not found.base_micro_usd
    return None if blind else found  # what is sold without a reference is worth what it fetches elsewhere


def _drain(terms: Terms, action: OrderPlace | OrderReport) -> tuple[Drain, int]:
    """What a fill gives away, and what it is worth."""
    fill = Fill(action.side, units(action.price), units(action.amount))
    reference = units(terms.reference or "0")
    return trading.drain(fill, reference, terms), trading.notional(fill, reference, terms)


def _measured(case: Case, terms: Terms, action: OrderPlace | OrderReport) -> tuple[Terms, Drain, int]:
    """The terms that count, what a fill gives away by them, and what it is worth.

    A wild market explains no more than its window bears: beyond it an order counts as on any day.
    """
    drain, worth = _drain(terms, action)
    left = trading.left(case.customer.meter, trading.equity(case.head, case.policy, case.now), case.policy, case.now)
    if drain.storm_micro_usd > left.storm:
        terms = replace(terms, storm_ppm=0)
        drain, worth = _drain(terms, action)
    return terms, drain, worth


def _place(case: Case, action: OrderPlace) -> Ruling:
    terms = _terms(case, action.pair, action.side, action.reference)
    if terms is None:
        return denied(why(Reason.PRICE_UNKNOWN, "operator.prices", about="pair"))
    terms, drain, worth = _measured(case, terms, action)
    if max(worth, drain.weighed_micro_usd) > MOST_MICRO_USD:
        return denied(why(Reason.BAD_FIELD, about="amount"))
    refusal = _refused(case, action, terms, drain) if drain.gap_micro_usd else None
    if refusal is not None:
        closes = refusal.code == Reason.OVER_TRADE_LIMIT and bool(trading.equity(case.head, case.policy, case.now))
        shut = _closing(case, action)
        return Ruling(Deny((refusal,)), (shut,) if closes else ())
    market = case.facts.market
    allowed = ev.OrderAllowed(
        at=case.now,
        order=action.order,
        account=case.request.account,
        pair=action.pair,
        side=action.side,
        drain=drain,
        terms=terms,
        notional_micro_usd=worth,
        leverage_percent=_percent(action.leverage),
        reduces=action.reduces,
        liquid=bool(terms.reference) and market is not None and market.half_range_ppm <= case.policy.trades.thin_ppm,
        counterparty=case.request.counterparty,
    )
    decision = Allow((why(Reason.NO_HARM),), action.order)
    marks = _given(case, case.request.counterparty, drain)
    sent = _sent(case, action.order, marks, Lost(drain.micro_usd, drain.micro_usd))
    return Ruling(decision, (allowed, *_alerted(case, drain), *sent), marks)


def _closing(case: Case, action: OrderPlace | OrderReport) -> ev.TradingClosed:
    """The pair closes, and the counterparty with all that share a tie with it."""
    ties = case.facts.counterparty_ties
    return trading.closing(case.head, action.pair, case.request.counterparty, ties, case.policy, case.now)


def _refused(case: Case, action: OrderPlace, terms: Terms, drain: Drain) -> Finding | None:
    """Why so much may not be given away: by no window of trades, nor by the one budget, nor in doubt (laws 3 and 8).

    Also where a pair is closed, of what reduces risk: that goes as long as it gives nothing away.
    """
    head, policy, now = case.head, case.policy, case.now
    closed = trading.closed_as(head, action.pair, case.request.counterparty, case.facts.counterparty_ties)
    if closed:
        return why(Reason.TRADING_CLOSED, "limit.set", about=closed)
    if not case.facts.clock_agrees:
        return why(Reason.CLOCK_UNCERTAIN, "operator.clock")
    if case.facts.reconciling:
        return why(Reason.RECONCILING, "operator.reconcile")
    if not trading.left(case.customer.meter, trading.equity(head, policy, now), policy, now).holds(drain):
        if not terms.reference:  # nobody knows that it gives away anything: the feed's silence closes nothing
            return why(Reason.PRICE_UNKNOWN, "operator.prices", about="pair")
        return why(Reason.OVER_TRADE_LIMIT, "limit.set", about="pair")
    limit = head.setting(Setting.LIMIT_MICRO_USD)
    if limit >= 0 and budget.drawn(head, Lane.TOTAL, now)[0] + drain.micro_usd > limit:
        return why(Reason.OVER_OWN_LIMIT, "limit.set", until=now + DAY)
    room = budget.room(head, Lane.OTHERS, budget.usual(head, policy, now), policy, now)
    if drain.micro_usd and not room.holds(drain.micro_usd):
        return why(Reason.OVER_BUDGET, "time", about="pair")
    if drain.micro_usd and budget.in_vault(head, drain.micro_usd, now):
        return why(Reason.IN_VAULT, "vault.set", about="pair")
    return None


def _alerted(case: Case, drain: Drain) -> tuple[AnyEvent, ...]:
    """The owner is told when the trades of a day come to have given away so much."""
    before = since(case.customer.meter.raw_hours, (case.now - DAY) // HOUR)
    equity = trading.equity(case.head, case.policy, case.now)
    much = equity * case.policy.trades.alert_percent // 100
    after = before + drain.raw_micro_usd
    return (ev.TradingAlerted(case.now, after),) if drain.raw_micro_usd and before < much <= after else ()


def _given(case: Case, other: str, drain: Drain) -> tuple[AnyEvent, ...]:
    """What the counterparty's stream learns: what was given away trades there, and does not exit for a while.

    From an account that cools or is frozen, then or soon after, it stays longer. Of one that looks robbed the stream
    keeps count, unless the two have long been known to be one's.
    """
    if not drain.micro_usd or other in {"", case.head.account} or not case.facts.counterparty_known:
        return ()
    stopped = bool(case.head.frozen_at) or ends_at(case.head, case.now) is not None
    longest = (-(-case.now // HOUR) + case.policy.outflow.received_from_cooling_h) * HOUR
    until = longest if stopped else (-(-case.now // HOUR) + case.policy.trades.proceeds_h) * HOUR
    received = ev.ValueReceived(case.now, drain.gap_micro_usd, until, case.head.account, longest)
    if case.facts.kin or not trading.looks_robbed(case.head, _asker(case), case.policy, case.now):
        return (received,)
    return (received, ev.ProceedsSeen(case.now, case.head.account, drain.gap_micro_usd))


class Lost(NamedTuple):
    """Adverse value, and how much of it was drawn, at `drawn_at` (0: as this is said).

    `fill` is by which the report is known again that said so, empty while it only may be lost.
    """

    micro_usd: int
    drawn_micro_usd: int
    drawn_at: ev.Instant = 0
    fill: bytes = b""


def _sent(case: Case, order: str, marks: tuple[AnyEvent, ...], lost: Lost) -> tuple[ev.ValueSent, ...]:
    """What two of the staff may give back of a mark: the adverse value, without what the market's swing explains.

    What may be matched is counted as it is asked for, and is theirs to give back only once a report says that it was.
    One that was matched before its owner froze is told of when he has: it needs no stop after that.
    """
    return tuple(
        ev.ValueSent(
            case.now,
            inside.trade_name(case.seq),
            case.request.counterparty,
            min(lost.micro_usd, one.micro_usd),
            one.until,
            one.stopped_until,
            Lane.OTHERS,
            min(lost.drawn_micro_usd, one.micro_usd),
            0,
            drawn_at=lost.drawn_at,
            order=order,
            reported=bool(lost.fill),
            stopped=bool(lost.fill) and bool(case.head.frozen_at),
            fill=lost.fill,
        )
        for one in marks
        if isinstance(one, ev.ValueReceived) and one.micro_usd
    )


def _report(case: Case, action: OrderReport) -> Ruling:
    """Correct what was drawn: less is given back where it was taken, more is drawn now, whatever that exceeds.

    An order that nobody asked about, or that is not kept any more, is drawn in full. Whoever was not named when it was
    asked for gained all of it.
    """
    placed = case.customer.meter.orders.get(action.order)
    if placed is not None and (placed.pair, placed.side) != (action.pair, action.side):
        return denied(why(Reason.BAD_FIELD, about="pair"))
    measured = _matched(case, action, placed)
    other = case.request.counterparty
    if measured is None:
        shut = _closing(case, action)
        return Ruling(Allow((why(Reason.PRICE_UNKNOWN),), action.order), (shut,))
    drain, worth = measured
    if max(worth, drain.weighed_micro_usd) > MOST_MICRO_USD:
        return denied(why(Reason.BAD_FIELD, about="amount"))
    reserved = placed.drain if placed is not None else NOTHING_DRAWN
    refund, extra = _refund(case, _less(reserved, drain)), _less(drain, reserved)
    placed_at = placed.at if placed is not None else case.now
    misled = placed is not None and placed.reduces and not action.reduced and bool(units(action.amount))
    named = placed is not None and placed.counterparty == other
    arrived = min(drain.micro_usd, reserved.micro_usd) if named else 0
    fill = inside.fill_mark(action.order, other, action.fill or f"{units(action.amount)} units")
    reported = ev.OrderReported(case.now, action.order, placed_at, refund, extra, misled, arrived, fill)
    marks = _given(case, other, extra if named else drain)
    lost = _lost(placed, drain, extra, fill, named=named)
    again = placed is None and inside.was_told(case.head.sent, case.head.given_back, fill, case.now)
    sent = () if again else _sent(case, action.order, marks, lost)
    events = (reported, *_over(case, action, extra), *_alerted(case, extra), *sent)
    return Ruling(Allow((why(Reason.NO_HARM),), action.order), events, marks)


def _lost(placed: Placed | None, drain: Drain, extra: Drain, fill: bytes, *, named: bool) -> Lost:
    """What a report says is lost to its counterparty, and what of that is drawn no more once it comes back.

    Where he was not named before, that is what was drawn as the order was asked for; what was drawn beyond stays.
    """
    if placed is None or named:
        return Lost(extra.micro_usd, extra.micro_usd, 0, fill)
    return Lost(drain.micro_usd, drain.micro_usd - extra.micro_usd, placed.at, fill)


def _matched(case: Case, action: OrderReport, placed: Placed | None) -> tuple[Drain, int] | None:
    """What a matched order gave away, and what it is worth: by the terms it was asked with or by today's, the worse.

    Else an order could rest until the market has moved to where it is a gift. A reference that is missing soon after
    the order was asked for is no reason to think so; later it is. None if nobody knows what it is worth.
    """
    terms = _terms(case, action.pair, action.side, None)
    now = _measured(case, terms, action)[1:] if terms is not None else None
    if placed is None:
        return now
    then = _drain(placed.terms, action)
    if terms is None or not terms.reference:
        return then if case.now < placed.at + case.policy.trades.order_s * 1000 else now
    return max(then, now or then, key=_gap)


def _gap(measured: tuple[Drain, int]) -> int:
    return measured[0].gap_micro_usd


def _less(one: Drain, other: Drain) -> Drain:
    """How much more one gives away than the other; nothing where it does not."""
    return Drain(
        max(0, one.raw_micro_usd - other.raw_micro_usd),
        max(0, one.micro_usd - other.micro_usd),
        max(0, one.weighed_micro_usd - other.weighed_micro_usd),
        max(0, one.storm_micro_usd - other.storm_micro_usd),
    )


def _refund(case: Case, less: Drain) -> Drain:
    """What a report gives back: no more than a share of the equity a day, for it is the platform's word (law 6)."""
    equity = trading.equity(case.head, case.policy, case.now)
    most = equity * case.policy.trades.refunds_day_percent // 100
    today = since(case.customer.meter.refunded_days, case.now // DAY - 1)
    room, gap = max(0, most - today), less.gap_micro_usd
    if not gap or not case.facts.clock_agrees:
        return NOTHING_DRAWN
    if gap <= room:
        return less
    each = (less.raw_micro_usd, less.micro_usd, less.weighed_micro_usd, less.storm_micro_usd)
    return Drain(*(one * room // gap for one in each))


def _over(case: Case, action: OrderReport, extra: Drain) -> tuple[AnyEvent, ...]:
    equity = trading.equity(case.head, case.policy, case.now)
    if not extra.raw_micro_usd or trading.left(case.customer.meter, equity, case.policy, case.now).holds(extra):
        return ()
    return (_closing(case, action),)


def _lease_door(case: Case, action: OrderLease) -> Finding | None:
    """Nothing is leased that is stopped, closed, asleep, just recovered or in doubt, nor settled before its end.

    Who gains is not asked under a lease: while somebody is closed there is none.
    """
    program, ordered = case.customer.program(case.request.actor.key), ordered_until(case.head, case.now)
    if program is not None and program.pairs and action.pair not in program.pairs:
        return why(Reason.API_KEY_SCOPE, "api_key.create", about="pairs")
    if case.head.frozen_at:
        return why(Reason.FROZEN, "account.unfreeze")
    if ordered:
        return why(Reason.UNDER_ORDER, "time", until=ordered)
    closed = trading.closed_as(case.head, action.pair, "")
    if closed:
        return why(Reason.TRADING_CLOSED, "limit.set", about=closed)
    settled = case.customer.meter.leases.get(action.settles or "")
    over_at = settled.at + case.policy.trades.lease_s * 1000 if settled is not None else 0
    if case.now < over_at - SETTLES_EARLY_MS:
        return why(Reason.NOT_YET_DUE, "time", until=over_at, about="settles")
    someone = any(one.startswith("counterparty ") for one in case.head.closed)
    found = zip(trading.UNLEASED, (case.asleep, case.facts.reconciling, someone), strict=True)
    odd = ", ".join(name for name, is_so in found if is_so)
    return why(Reason.ORDER_BY_ORDER, "order.place", about=odd) if odd else None


def _lease(case: Case, action: OrderLease) -> Ruling:
    """Grant a share of what is left, drawn at once and in full, for orders about which nothing is odd.

    What an earlier one did not use comes back by its settling, once; what that gives is not leased in the same breath.
    """
    settled = _settled(case, action)
    terms = _terms(case, action.pair, "buy", None)
    if terms is None or not terms.reference or terms.weight_percent != trading.PLAIN:
        unknown = terms is None or not terms.reference
        odd = Reason.PRICE_UNKNOWN if unknown else Reason.ORDER_BY_ORDER
        about = "pair" if unknown else ", ".join(_oddities(case, action.pair))
        return Ruling(Deny((why(odd, "order.place", about=about),)), settled)
    amount = _left(case) * case.policy.trades.lease_percent // 100
    if amount <= 0:
        return Ruling(Deny((why(Reason.OVER_TRADE_LIMIT, "time", about="pair"),)), settled)
    name, until = f"l{case.seq}", case.now + case.policy.trades.lease_s * 1000
    granted = ev.LeaseGranted(case.now, name, case.request.account, action.pair, amount, terms, until)
    alerted = _alerted(case, whole(amount))
    return Ruling(Allow((why(Reason.NO_HARM),), name), (*settled, granted, *alerted))


def _left(case: Case) -> int:
    """What trades may still give away, by every window and budget, in micro-USD."""
    head, policy, now = case.head, case.policy, case.now
    windows = trading.left(case.customer.meter, trading.equity(head, policy, now), policy, now)
    room = budget.room(head, Lane.OTHERS, budget.usual(head, policy, now), policy, now)
    left = [windows.hour, windows.raw_hour, windows.raw_day, windows.raw_week, windows.raw_month]
    left += [room.day, room.month or 0]
    limit = head.setting(Setting.LIMIT_MICRO_USD)
    left += [limit - budget.drawn(head, Lane.TOTAL, now)[0]] if limit >= 0 else []
    free = budget.outside_vault(head, now)
    return min(left if free is None else [*left, free])


def _settled(case: Case, action: OrderLease) -> tuple[ev.LeaseSettled, ...]:
    lease = case.customer.meter.leases.get(action.settles or "")
    if lease is None or action.settles is None:
        return ()
    used = lease.micro_usd if action.used_usd is None else micro_usd(action.used_usd)
    unused = max(0, lease.micro_usd - used)
    prompt = case.facts.clock_agrees and case.now < lease.at + case.policy.trades.lease_s * 1000 + SETTLES_LATE_MS
    refund = unused if prompt else _refund(case, whole(unused)).raw_micro_usd
    return (ev.LeaseSettled(case.now, action.settles, lease.at, refund, prompt),)


RULES: dict[type[Action], Rule] = {
    OrderPlace: Rule(
        OWNER_OR_KEY, _place, level=_proof, objection=_door, parts=_parts, loosens=False, scope=Scope.TRADE
    ),
    OrderReport: Rule(PLATFORM, _report, parts=_parts, loosens=False),
    OrderLease: Rule(OWNER_OR_KEY, _lease, objection=_lease_door, parts=_parts, scope=Scope.TRADE),
}
