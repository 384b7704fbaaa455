"""Orders: what they give away, the windows that bound it, what closes, and who may open it again (law 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    PLATFORM,
    USD,
    Account,
    codes,
    destination,
    grow,
    grown,
    held_id,
    kind_of,
    policy_with,
    sealed,
)

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Allow, Deny, Hold, MarketFact, StepUp
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Drain, Lane, Scope, Terms
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.api_key import ApiKeyCreate
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.exit import ExitRequest
from holdback.core.rules.order import OrderLease, OrderPlace, OrderReport
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.setting import LimitSet
from holdback.core.state import Customer, LegalRequest
from holdback.core.trading import Fill, drain

if TYPE_CHECKING:
    from holdback.core.decision import Decision


def settled(name: str = "alice", /, **changed: Any) -> tuple[Account, bytes]:  # noqa: ANN401 - any number of a policy
    """An account of a million that traded both pairs for long, and a session that is old enough."""
    account = Account(policy_with(**changed), name)
    grow(account)
    session = account.sign_in()
    for number, pair in enumerate(("BTC/USDT", "ETH/USDT", "QTUM/BTC")):
        account.ask(OrderPlace(f"old-{number}", pair, "buy", "1", "1"), session)
    account.wait(days=45)
    session = account.sign_in()
    account.deliver()
    account.wait(minutes=1)
    session = aged(account, session)
    return account, session


def aged(account: Account, session: bytes) -> bytes:
    """The session an hour later, kept alive."""
    account.wait(minutes=40)
    account.ask(ChangeCancel("none"), session)
    account.wait(minutes=25)
    return session


def order(number: int = 1, price: str = "1", amount: str = "1000", **fields: Any) -> OrderPlace:  # noqa: ANN401 - the action's own
    """An order to buy BTC for USDT, each worth a dollar."""
    return replace(OrderPlace(f"o{number}", "BTC/USDT", "buy", price, amount), **fields)


def place(account: Account, session: bytes | Actor, action: OrderPlace, other: str = "") -> Decision:
    """Ask for an order."""
    return account.ask(action, session, counterparty=other)


def found(account: Account, kind: type[ev.Event]) -> list[Any]:
    """Events of a kind that the last answer wrote."""
    return [one for one in account.last_events() if isinstance(one, kind)]


def drained(account: Account) -> Drain:
    """What the order that was just let through draws."""
    (allowed,) = found(account, ev.OrderAllowed)
    assert isinstance(allowed, ev.OrderAllowed)
    return allowed.drain


TERMS: Final = Terms("2", 10_000, 150, USD, USD)
ONE: Final = 10**18


@pytest.mark.parametrize(
    ("side", "price", "expected"),
    [
        ("buy", 2 * ONE, Drain()),
        ("sell", 3 * ONE, Drain()),
        ("buy", 2 * ONE + ONE // 100, Drain(100_000, 0, 0)),
        ("buy", 3 * ONE, Drain(10 * USD, 9_800_000, 14_700_000)),
        ("sell", ONE, Drain(10 * USD, 9_800_000, 14_700_000)),
        ("buy", 2 * ONE + 1, Drain(1, 0, 0)),
    ],
)
def test_adverse_value(side: str, price: int, expected: Drain) -> None:
    """An order gives away its gap to the reference beyond the tolerance, rounded up; a better price gives nothing."""
    assert drain(Fill(side, price, 10 * ONE), 2 * ONE, TERMS) == expected


def test_without_an_index_everything_counts() -> None:
    """Without an outside reference the whole notional counts, by whichever price is worth more."""
    assert drain(Fill("buy", 3 * ONE, 10 * ONE), 0, TERMS).raw_micro_usd == 30 * USD
    assert drain(Fill("sell", 1, 10 * ONE), 0, TERMS).micro_usd == 10 * USD


def test_an_order_at_the_market_draws_nothing() -> None:
    """What costs nothing beside the reference is let through and draws on no budget."""
    account, session = settled()
    before = account.head.meters
    assert isinstance(place(account, session, order()), Allow)
    assert drained(account) == Drain()
    assert account.head.meters == before


def test_adverse_value_draws_on_the_one_budget() -> None:
    """What a trade gives away after tolerance is outflow to others, in the same meters as every exit."""
    account, session = settled()
    assert isinstance(place(account, session, order(price="1.1", amount="10000")), Allow)
    given = drained(account).micro_usd
    assert given == 1000 * USD - 600 * 10 * 1000
    assert sum(account.head.meters[Lane.OTHERS].hours.values()) == given


def test_an_hour_of_trades_is_bounded() -> None:
    """More than a hundredth of the equity after tolerance within an hour is denied, never asked about."""
    account, session = settled()
    answers = [place(account, session, order(number, "1.3", "10000")) for number in range(4)]
    answer = answers[-1]
    assert isinstance(answer, Deny)
    assert codes(answer) == ["over_trade_limit"]
    assert found(account, ev.TradingClosed)


def test_what_is_within_the_tolerance_is_bounded_too() -> None:
    """Before tolerance an hour bears two hundredths of the equity, a day three, and thirty days a tenth."""
    account, session = settled()
    account.market = {"half_range_ppm": 3_000}
    wide = order(price="1.009", amount="1000000")
    assert isinstance(place(account, session, wide), Allow)
    assert drained(account) == Drain(9_000 * USD, 0, 0)
    assert isinstance(place(account, session, replace(wide, order="o2")), Allow)
    account.wait(hours=2)
    session = account.sign_in()
    assert isinstance(place(account, session, replace(wide, order="o3")), Allow)
    account.wait(hours=2)
    assert codes(place(account, account.sign_in(), replace(wide, order="o4"))) == ["over_trade_limit"]


def test_thirty_days_of_trades_are_bounded() -> None:
    """Little by little adds up: thirty days bear a tenth of the equity before tolerance."""
    account, _ = settled()
    account.market = {"half_range_ppm": 3_000}
    answers = []
    for number in range(6):
        account.wait(days=6)
        session = account.sign_in()
        answers.append(place(account, session, order(number, "1.009", "2200000")))
    assert [type(one) for one in answers] == [Allow] * 5 + [Deny]


def test_seven_days_of_trades_are_bounded() -> None:
    """An owner who looks once a week has lost no more than a twenty-fifth of his equity before tolerance."""
    account, _ = settled()
    account.market = {"half_range_ppm": 3_000}
    answers = []
    for number in range(3):
        answers.append(place(account, account.sign_in(), order(number, "1.009", "2000000")))
        account.wait(days=2)
    assert [type(one) for one in answers] == [Allow, Allow, Deny]
    account.state = replace(account.head, closed={})
    account.wait(days=3)
    assert isinstance(place(account, account.sign_in(), order(5, "1.009", "2000000")), Allow)


def test_a_wild_market_explains_a_gap() -> None:
    """What a market explains that is wilder than usual counts in a window of its own, beyond it as on any day."""
    account, session = settled()
    account.market = {"half_range_ppm": 3_000, "storm_ppm": 3_000}
    drains = []
    for number in range(3):
        assert isinstance(place(account, session, order(number, "1.009", "2000000")), Allow)
        drains.append(drained(account))
    assert drains == [Drain(0, 0, 0, 18_000 * USD)] * 2 + [Drain(18_000 * USD)]
    assert codes(place(account, session, order(3, "1.009", "2000000"))) == ["over_trade_limit"]


def test_a_report_gives_back_what_the_market_explained() -> None:
    """What was drawn as explained comes back to its own window, within what reports may give back a day."""
    account, session = settled()
    account.market = {"half_range_ppm": 3_000, "storm_ppm": 3_000}
    for number in range(6):
        place(account, session, order(number, "1.009", "2000000"))
        report(account, number, "1", "2000000")
    assert sum(account.everything().meter.storm_days.values()) == 6 * 18_000 * USD - 100_000 * USD


def test_the_owner_is_told_of_losses() -> None:
    """When a day's trades have given away a hundredth of the equity the owner is told, once."""
    account, session = settled()
    account.market = {"half_range_ppm": 3_000}
    told = []
    for number in range(3):
        place(account, session, order(number, "1.009", "600000"))
        told.append(len(found(account, ev.TradingAlerted)))
    assert told == [0, 1, 0]
    assert "trading.alerted" in account.head.folded


def test_what_closed_stays_closed() -> None:
    """After an order far from the market its pair and counterparty are closed, whoever asks at whatever price."""
    account, session = settled()
    assert isinstance(place(account, session, order(price="2", amount="100000"), "bob"), Deny)
    assert account.head.closed.keys() == {"pair BTC/USDT", "counterparty bob"}
    for answer, name in (
        (place(account, session, order(2)), "pair BTC/USDT"),
        (place(account, session, order(3, pair="ETH/USDT"), "bob"), "counterparty bob"),
    ):
        assert (codes(answer), answer.findings[0].about) == (["trading_closed"], name)
        assert kind_of(account.ask(LimitSet(trades=name), session, *account.head.authenticators)) == "hold"
    assert isinstance(place(account, session, order(4, pair="ETH/USDT"), "carol"), Allow)
    assert any(one.severity is ev.Severity.SEVERE for one in account.log if isinstance(one, ev.NoticeDue))


def test_the_owner_opens_again_after_a_wait() -> None:
    """`limit.set` opens a pair again: asked with proof, announced, after a wait, and it can be cancelled."""
    account, session = settled()
    place(account, session, order(price="2", amount="100000"))
    proofs = tuple(account.head.authenticators)
    opens = LimitSet(trades="pair BTC/USDT")
    assert codes(account.ask(LimitSet(trades="pair ETH/USDT"), session)) == ["not_found"]
    assert codes(account.ask(LimitSet(), session)) == ["bad_field"]
    assert codes(account.ask(LimitSet("5", "pair BTC/USDT"), session)) == ["bad_field"]
    assert isinstance(account.ask(opens, session), StepUp)
    asked = account.ask(opens, session, *proofs)
    assert isinstance(asked, Hold)
    account.ask(ChangeCancel(held_id(asked)), session)
    account.wait(minutes=2)
    asked = account.ask(opens, session, *proofs)
    assert isinstance(asked, Hold)
    account.deliver()
    account.wait(hours=73)
    session = account.sign_in()
    assert isinstance(place(account, session, order(2)), Allow)
    assert not account.head.closed


def test_opening_what_is_open_does_nothing() -> None:
    """Two requests for the same pair open it once."""
    account, session = settled()
    place(account, session, order(price="2", amount="100000"), "bob")
    proofs = tuple(account.head.authenticators)
    account.ask(LimitSet(trades="pair BTC/USDT"), session, *proofs)
    head = replace(account.head, closed={})
    account.state = head
    account.deliver()
    account.wait(hours=73)
    account.sign_in()
    assert not any(isinstance(one, ev.TradingOpened) for one in account.log)


def test_too_many_closed_pairs_close_all() -> None:
    """What is closed is bounded, and nobody makes room by closing more: then all of it is closed."""
    account, session = settled("alice", **{"bounds.closed": 3})
    for number, pair in enumerate(("AAA/USDT", "BBB/USDT", "CCC/USDT")):
        place(account, session, order(number, "2", "100000", pair=pair))
    assert codes(place(account, session, order(9))) == ["trading_closed"]


def test_the_platforms_reference_only_tightens() -> None:
    """The platform's own reference counts where it is worse for the account, and nowhere else (law 6)."""
    account, session = settled()
    place(account, session, order(1, "1.05", reference="1.05"))
    plain = drained(account)
    place(account, session, order(2, "1.05", reference="0.9"))
    assert drained(account).micro_usd > plain.micro_usd
    place(account, session, order(3, "0.95", side="sell", reference="1.2"))
    assert drained(account).micro_usd > plain.micro_usd


def test_a_stale_reference_is_none() -> None:
    """An old reference, one of another pair or none at all: the whole notional counts."""
    for market in ({"at": 0}, {"pair": "ETH/USDT"}, {"reference": ""}):
        account, session = settled()
        account.market = market
        place(account, session, order())
        assert drained(account).micro_usd == 1000 * USD


def test_an_order_that_nobody_can_price_is_denied() -> None:
    """Without a price of what is traded nothing is let through (law 8)."""
    account, session = settled()
    account.market = None
    assert codes(place(account, session, order())) == ["price_unknown"]
    account.market = {"quote_at": 0, "base_at": 0}
    assert codes(place(account, session, order())) == ["price_unknown"]
    account.market = {"quote_at": 0}
    assert isinstance(place(account, session, order()), Allow)
    account.market = {"reference": "", "base_micro_usd": 0}
    assert codes(place(account, session, order(2, "0.5", side="sell"))) == ["price_unknown"]


def test_what_is_odd_weighs_more() -> None:
    """A thin pair, one never traded, a sale of much else before, a cool-off: each makes an order count for more."""
    account, session = settled()
    place(account, session, order(1, "1.01"))
    plain = drained(account)
    assert plain.weighed_micro_usd == plain.micro_usd
    place(account, session, order(2, "1.01", pair="NEW/USDT"))
    assert drained(account).weighed_micro_usd == plain.micro_usd * 150 // 100
    place(account, session, order(3, "1", "250000", side="sell"))
    place(account, session, order(4, "1.01"))
    assert drained(account).weighed_micro_usd == plain.micro_usd * 2
    account.market = {"half_range_ppm": 3_001}
    place(account, session, order(5, "1.1"))
    odd = drained(account)
    assert odd.weighed_micro_usd == -(-odd.micro_usd * 250 // 100)


def test_a_young_session_weighs_more() -> None:
    """In the first hour of a session what it gives away counts twice."""
    account, _ = settled()
    place(account, account.sign_in(), order(1, "1.01"))
    assert drained(account).weighed_micro_usd == drained(account).micro_usd * 2


def test_absurd_orders_are_refused() -> None:
    """Nothing is traded for nothing, twice under one name, with nobody, or above a billion."""
    account, session = settled()
    assert codes(place(account, session, order(1, "0"))) == ["bad_field"]
    assert codes(place(account, session, order(1, amount="0"))) == ["bad_field"]
    assert codes(place(account, session, order(1, leverage="0"))) == ["bad_field"]
    assert codes(place(account, session, order(1, amount="2000000000"))) == ["bad_field"]
    assert isinstance(place(account, session, order(1, "1.01")), Allow)
    assert codes(place(account, session, order(1, "1.01"))) == ["already_exists"]
    assert codes(account.ask(order(2), session, counterparty="nobody", known=False)) == ["counterparty_unknown"]


def test_in_doubt_nothing_is_given_away() -> None:
    """While the clock is in doubt, or a restored store reconciles, an order at the market goes and no other (law 8)."""
    account, session = settled()
    account.clock_agrees = False
    assert isinstance(place(account, session, order(1)), Allow)
    assert codes(place(account, session, order(2, "1.01"))) == ["clock_uncertain"]
    account.clock_agrees, account.reconciling = True, True
    assert codes(place(account, session, order(3, "1.01"))) == ["reconciling"]


def test_the_owners_limit_holds_for_trades() -> None:
    """What trades give away counts against the owner's own daily limit, and against the budget of exits."""
    account, session = settled()
    account.ask(LimitSet("100"), session, *account.head.authenticators)
    assert codes(place(account, session, order(1, "1.2"))) == ["over_own_limit"]
    assert not account.head.closed
    account, session = settled("alice", **{"outflow.others_day_percent": 0})
    assert codes(place(account, session, order(1, "1.2"))) == ["over_budget"]


def test_a_freeze_stops_orders_but_those_that_reduce_risk() -> None:
    """Under the owner's stop nothing is traded but what reduces risk, and that within its limits (law 5)."""
    account, session = settled()
    account.ask(AccountFreeze(), session)
    assert codes(place(account, session, order(1))) == ["frozen"]
    assert isinstance(place(account, session, order(2, reduces=True)), Allow)
    assert codes(place(account, session, order(3, "2", "100000", reduces=True))) == ["over_trade_limit"]


def test_who_misuses_it_is_not_believed_again() -> None:
    """An order that was to reduce risk and did not is the last one that is let through a freeze for a day."""
    account, session = settled()
    account.ask(AccountFreeze(), session)
    place(account, session, order(1, reduces=True))
    account.ask(OrderReport("o1", "BTC/USDT", "buy", "1", "1000", reduced=False), PLATFORM)
    assert found(account, ev.OrderReported)[0].misled
    assert codes(place(account, session, order(2, reduces=True))) == ["frozen"]


def test_an_order_of_an_authority_stops_trades_too() -> None:
    """What an authority's order stops may not be traded away, and risk may be reduced."""
    account, session = settled()
    until = account.now + DAY
    legal = LegalRequest(
        account.now, "police", "court_order", (), "", registered=True, signed=True, expires_at=until, frozen_until=until
    )
    account.state = replace(account.head, legal={"l1": legal})
    assert codes(place(account, session, order(1))) == ["under_order"]
    assert isinstance(place(account, session, order(2, reduces=True)), Allow)


def test_after_a_recovery_nothing_is_traded() -> None:
    """While whoever recovered an account may only read and stop, he trades nothing but to reduce risk."""
    account, session = settled()
    account.state = replace(account.head, weak_until=account.now + HOUR)
    assert codes(place(account, session, order(1))) == ["recovered_lately"]
    assert isinstance(place(account, session, order(2, reduces=True)), Allow)


def test_leverage_stays_as_it_was() -> None:
    """After a severe change, or by a young session, there is no more leverage than the account itself used before."""
    account, session = settled()
    assert isinstance(place(account, session, order(1, leverage="5")), Allow)
    assert codes(place(account, account.sign_in(), order(2, leverage="1.01"))) == ["leverage_closed"]
    account.wait(days=5)
    young = account.sign_in()
    assert isinstance(place(account, young, order(3, leverage="5")), Allow)
    assert codes(place(account, young, order(4, leverage="5.5"))) == ["leverage_closed"]
    assert isinstance(place(account, young, order(5, leverage="50", reduces=True)), Allow)
    session = aged(account, young)
    account.ask(PasswordChange(sealed("another")), session, *account.head.authenticators)
    assert codes(place(account, session, order(6, leverage="6"))) == ["leverage_closed"]


def keyed(account: Account, session: bytes, **fields: Any) -> Actor:  # noqa: ANN401 - the action's own
    """An API key that may trade, when its wait is over."""
    made = replace(ApiKeyCreate(sealed("bot"), (Scope.TRADE,), secret=sealed("key")), **fields)
    answer = account.ask(made, session, *account.head.authenticators)
    assert isinstance(answer, Allow), answer
    account.deliver()
    account.wait(days=7)
    return Actor(ActorKind.API_KEY, key=answer.id)


def test_a_key_trades_its_pairs() -> None:
    """A key trades the pairs that it was made for, on the same budget; one made lately weighs more."""
    account, session = settled()
    key = keyed(account, session, pairs=("BTC/USDT",))
    assert codes(place(account, key, order(1, pair="ETH/USDT"))) == ["api_key_scope"]
    assert isinstance(place(account, key, order(1, "1.01")), Allow)
    assert drained(account).weighed_micro_usd == drained(account).micro_usd


def test_a_key_that_slept_asks_its_owner() -> None:
    """A key that woke lately is confirmed by its owner, and weighs more for a while (Binance, 7 March 2018)."""
    account, session = settled()
    key = keyed(account, session)
    account.wait(days=30)
    assert isinstance(place(account, key, order(1, "1.01")), StepUp)
    proofs = tuple(account.head.authenticators)
    assert isinstance(account.ask(order(1, "1.01"), key, *proofs), Allow)
    assert drained(account).weighed_micro_usd == drained(account).micro_usd * 2
    place(account, key, order(2, "1.01"))
    assert drained(account).weighed_micro_usd == drained(account).micro_usd * 2
    assert codes(place(account, key, order(3, leverage="2"))) == ["leverage_closed"]


def report(
    account: Account,
    number: int = 1,
    price: str = "1",
    amount: str = "0",
    **fields: Any,  # noqa: ANN401 - the action's own
) -> Decision:
    """Report an order to buy BTC."""
    other = fields.pop("other", "")
    action = replace(OrderReport(f"o{number}", "BTC/USDT", "buy", price, amount), **fields)
    return account.ask(action, PLATFORM, counterparty=other)


def drawn(account: Account) -> int:
    """What trades and exits drew on the budget of others, all hours together."""
    return sum(account.head.meters[Lane.OTHERS].hours.values())


def test_a_report_gives_back_what_was_not_matched() -> None:
    """What was reserved and not matched is given back where it was drawn, once, and never more."""
    account, session = settled()
    place(account, session, order(1, "1.1"))
    reserved = drawn(account)
    account.wait(hours=2)
    report(account, 1, "1.1", "500")
    assert drawn(account) == -(-reserved // 2)
    report(account, 1, "1.1", "0")
    assert drawn(account) == -(-reserved // 2)


def test_a_report_draws_what_was_worse() -> None:
    """A fill that was worse than asked, or that nobody had asked about, is drawn in full, whatever that exceeds."""
    account, session = settled()
    place(account, session, order(1))
    report(account, 1, "1.01", "1000")
    assert drawn(account) == 10 * USD - 600_000
    report(account, 7, "1.01", "1000")
    assert drawn(account) == 2 * (10 * USD - 600_000)
    report(account, 8, "2", "100000")
    assert "pair BTC/USDT" in account.head.closed


def test_reports_are_checked() -> None:
    """A report fits its order, is no absurdity, and closes the pair if nobody can price it."""
    account, session = settled()
    place(account, session, order(1, "1.01"))
    assert codes(report(account, 1, pair="ETH/USDT")) == ["bad_field"]
    assert codes(report(account, 5, "1", "2000000000")) == ["bad_field"]
    account.market = None
    assert codes(report(account, 5, "1.01", "1000")) == ["price_unknown"]
    assert "pair BTC/USDT" in account.head.closed


def test_refunds_are_bounded() -> None:
    """A platform that says that nothing was matched gives back so much a day, and no more (law 6)."""
    account, session = settled()
    for number in range(11):
        assert isinstance(place(account, session, order(number, "1.009", "1000000")), Allow)
        report(account, number)
    before = sum(account.everything().meter.raw_hours.values())
    place(account, session, order(11, "1.009", "1000000"))
    report(account, 11)
    assert sum(account.everything().meter.raw_hours.values()) - before == 8_000 * USD
    account, session = settled()
    account.clock_agrees = True
    place(account, session, order(1, "1.1"))
    account.clock_agrees = False
    before = drawn(account)
    report(account, 1)
    assert drawn(account) == before


def test_an_hour_of_leases_costs_what_was_used() -> None:
    """Leases that are settled as they end give back what was not used, however many there are; late ones as reports."""
    account, session = settled()
    last = leased(account, session)
    for _ in range(900):
        assert isinstance(last, Allow)
        account.wait(seconds=2)
        last = leased(account, session, settles=last.id, used_usd="0.5")
    assert isinstance(last, Allow)
    meter = account.everything().meter
    assert sum(meter.raw_hours.values()) - meter.leases[last.id].micro_usd == 450 * USD
    assert not meter.refunded_days
    account.wait(seconds=13)
    leased(account, session, settles=last.id, used_usd="0.5")
    assert account.everything().meter.refunded_days


def test_an_order_that_rests_is_measured_as_it_is_matched() -> None:
    """What was asked for at the market and is matched when the market has moved gave away what it then gave."""
    account, session = settled()
    place(account, session, order(1, "1", "10000", side="sell"))
    account.wait(minutes=2)
    account.market = {"reference": "1.05"}
    account.ask(OrderReport("o1", "BTC/USDT", "sell", "1", "10000"), PLATFORM)
    assert found(account, ev.OrderReported)[0].extra.raw_micro_usd == 500 * USD
    place(account, session, order(2, "1.1", "1000"))
    account.market = {"reference": "1.1"}
    report(account, 2, "1.1", "1000")
    assert found(account, ev.OrderReported)[0].refund == Drain()


def test_a_reference_that_is_missing_soon_changes_nothing() -> None:
    """An order that was asked for a moment ago is what it was then, feed or none; a while later all of it counts."""
    for seconds, extra in ((59, 0), (60, 1_000 * USD)):
        account, session = settled()
        place(account, session, order())
        account.wait(seconds=seconds)
        account.market = {"at": 1}
        report(account, 1, "1", "1000")
        assert found(account, ev.OrderReported)[0].extra.raw_micro_usd == extra
    account, session = settled()
    place(account, session, order())
    account.market = {"at": 1, "quote_at": 1, "base_at": 1}
    report(account, 1, "1", "1000")
    assert not account.head.closed


def test_a_silent_feed_closes_nothing() -> None:
    """An order that is too much only because nobody knows a reference is refused, and may be asked for again later."""
    account, session = settled()
    account.market = {"at": 1}
    assert codes(place(account, session, order(1, "1", "50000"))) == ["price_unknown"]
    assert not account.head.closed
    account.market = {}
    assert isinstance(place(account, session, order(2, "1", "50000")), Allow)


def test_a_closed_pair_lets_risk_be_reduced() -> None:
    """What reduces risk and gives nothing away goes where a pair is closed; what gives something away does not."""
    account, session = settled()
    place(account, session, order(1, "1.9", "1000000"))
    assert codes(place(account, session, order(2))) == ["trading_closed"]
    assert isinstance(place(account, session, order(3, reduces=True)), Allow)
    assert codes(place(account, session, order(4, "1.001", reduces=True))) == ["trading_closed"]


def test_who_never_stated_what_he_owns_is_not_closed() -> None:
    """Without any equity nothing may be given away, and nothing closes for it."""
    account, session = settled()
    account.state = replace(account.head, equity={})
    assert codes(place(account, session, order(price="1.01"))) == ["over_trade_limit"]
    assert not account.head.closed


def test_many_claims_to_reduce_are_not_believed() -> None:
    """Of orders that claim to reduce risk and are not reported only so many are believed, and they are kept longest."""
    account, session = settled()
    for number in range(33):
        place(account, session, order(number, reduces=True))
    account.ask(AccountFreeze(), session)
    assert codes(place(account, session, order(40, reduces=True))) == ["frozen"]
    account, session = settled()
    for number in range(70):
        place(account, session, order(number, reduces=number < 2))
    account.ask(replace(OrderReport("o0", "BTC/USDT", "buy", "1", "1000"), reduced=False), PLATFORM)
    assert found(account, ev.OrderReported)[0].misled


def test_who_was_not_named_gained_all() -> None:
    """A report marks whoever gained: another than the one that was named with all, that one with what is more."""
    for other, gained in (("mallory", 1_000 * USD), ("bob", 900 * USD)):
        account, session = settled()
        place(account, session, order(1, "1.01", "10000"), "bob")
        report(account, 1, "1.1", "10000", other=other)
        assert account.last is not None
        (received,) = [one for one in account.last.elsewhere if isinstance(one, ev.ValueReceived)]
        assert received.micro_usd == gained


def test_no_lease_while_somebody_is_closed() -> None:
    """A lease asks nobody who is on the other side, so there is none while somebody may not be."""
    account, session = settled()
    place(account, session, order(1, "1.9", "1000000", pair="ETH/USDT"), "bob")
    answer = leased(account, session)
    assert (codes(answer), answer.findings[0].about) == (["order_by_order"], "counterparty_closed")


def test_only_so_many_orders_are_kept() -> None:
    """An order that is not kept any more stays drawn as it was reserved."""
    account, session = settled()
    for number in range(65):
        place(account, session, order(number, "1.001", "1"))
    assert len(account.everything().meter.orders) == 64
    before = drawn(account)
    report(account, 0, "1.001", "0")
    assert drawn(account) == before


def sold_to(account: Account, other: Account, number: int = 1) -> None:
    """Somebody gives a tenth of a thousand away to another customer."""
    session = account.sign_in()
    assert isinstance(place(account, session, order(number, "1.1"), other.name), Allow)
    assert account.last is not None
    other.now = max(other.now, account.now)
    if account.last.elsewhere:
        other.received(account.last.elsewhere)


def test_what_was_given_away_stays_inside() -> None:
    """What one gains by another's bad trade trades, but does not exit for a day; from a cooling one for three."""
    account, session = settled()
    place(account, session, order(1, "1.1"), "bob")
    assert account.last is not None
    (mark,) = account.last.elsewhere
    assert isinstance(mark, ev.ValueReceived)
    assert mark.micro_usd == 100 * USD
    assert mark.until == (-(-account.now // HOUR) + 24) * HOUR
    account.ask(PasswordChange(sealed("another")), session, *account.head.authenticators)
    place(account, session, order(2, "1.1"), "bob")
    mark = account.last.elsewhere[0]
    assert isinstance(mark, ev.ValueReceived)
    assert mark.until == (-(-account.now // HOUR) + 72) * HOUR
    place(account, session, order(3), "bob")
    assert not account.last.elsewhere
    place(account, session, order(4, "1.1"), account.name)
    assert not account.last.elsewhere


def test_a_report_names_who_gained() -> None:
    """The counterparty that only the match brings to light is marked by the report, and nobody twice."""
    account, session = settled()
    place(account, session, order(1, "1.1"))
    report(account, 1, "1.1", "1000", other="bob")
    assert account.last is not None
    assert account.last.elsewhere
    place(account, session, order(2, "1.1"), "bob")
    report(account, 2, "1.1", "1000", other="bob")
    assert not account.last.elsewhere


def test_three_victims_hold_the_proceeds() -> None:
    """What three who look robbed gave to one customer within an hour stays there for three days."""
    seller = Account(name="seller")
    grow(seller)
    victims = [settled(name)[0] for name in ("v1", "v2", "v3")]
    for victim in victims[:2]:
        sold_to(victim, seller)
    assert not any(isinstance(one, ev.ProceedsHeld) for one in seller.log)
    sold_to(victims[2], seller)
    (held,) = [one for one in seller.log if isinstance(one, ev.ProceedsHeld)]
    assert held.micro_usd == 300 * USD
    assert max(one.until for one in seller.head.received) == (-(-seller.now // HOUR) + 72) * HOUR
    sold_to(victims[2], seller, 2)
    assert [one.micro_usd for one in seller.log if isinstance(one, ev.ProceedsHeld)] == [300 * USD, 100 * USD]


def test_throwaways_harm_nobody() -> None:
    """Young accounts, and those without a sign of a stranger, are no victims: a market maker goes on."""
    account, session = settled()
    place(account, session, order(1, "1.1"), "bob")
    assert account.last is not None
    assert not any(isinstance(one, ev.ProceedsSeen) for one in account.last.elsewhere)
    young = Account()
    young.open()
    young.deliver()
    place(young, young.sign_in(), order(1, "1.01", "10"), "bob")
    assert young.last is not None
    assert not any(isinstance(one, ev.ProceedsSeen) for one in young.last.elsewhere)


def test_the_mark_is_looked_at_by_exits() -> None:
    """What a seller gained does not leave before its time, as with any value received inside."""
    seller, session = grown(equity="500")
    marks = (ev.ValueReceived(seller.now, 450 * USD, seller.now // HOUR * HOUR + 25 * HOUR),)
    seller.received(marks)
    pays = ExitRequest("withdrawal", "USD", "60", address=destination("home"), network="bitcoin")
    answer = seller.ask(pays, session, *seller.head.authenticators)
    assert "received_lately" in codes(answer)


def test_windows_are_loaded_for_orders_only() -> None:
    """The meter is named by order actions and by no other."""
    account, session = settled()
    asked = account.request(order(), session)
    assert decide.needs(asked, account.head).parts == (("trading", "meter"),)
    assert decide.needs(asked, account.head).pair == "BTC/USDT"
    assert Customer(account.head, {}).meter.orders == {}


def test_a_market_is_no_more_than_it_says() -> None:
    """A feed that knows nothing is a fact like any other."""
    assert MarketFact("A/B") == MarketFact("A/B", "", 0, 0, 0, 0, 0, 0)


# Leases


def leased(account: Account, session: bytes | Actor, **fields: Any) -> Decision:  # noqa: ANN401 - the action's own
    """Ask for a lease of BTC for USDT."""
    return account.ask(replace(OrderLease("BTC/USDT"), **fields), session)


def test_a_lease_draws_at_once() -> None:
    """A lease takes a tenth of what is left, in every window and from the one budget, for two seconds."""
    account, session = settled()
    answer = leased(account, session)
    assert isinstance(answer, Allow)
    (granted,) = found(account, ev.LeaseGranted)
    assert (granted.micro_usd, granted.until) == (1_000 * USD, account.now + 2_000)
    assert drawn(account) == 1_000 * USD
    leased(account, session)
    assert found(account, ev.LeaseGranted)[0].micro_usd == 900 * USD


def test_what_a_lease_did_not_use_comes_back_once() -> None:
    """What was not used comes back when the lease is settled, where it was drawn, and never twice."""
    account, session = settled()
    first = leased(account, session)
    assert isinstance(first, Allow)
    account.ask(AccountFreeze(), session)
    assert codes(leased(account, session, settles=first.id, used_usd="100")) == ["frozen"]
    account, session = settled()
    first = leased(account, session)
    assert isinstance(first, Allow)
    assert codes(leased(account, session, settles=first.id, used_usd="100")) == ["not_yet_due"]
    account.wait(seconds=1.5)
    leased(account, session, settles=first.id, used_usd="100")
    assert drawn(account) == 100 * USD + 900 * USD
    leased(account, session, settles=first.id, used_usd="0")
    assert drawn(account) == 100 * USD + 900 * USD + 900 * USD
    second = leased(account, session)
    account.wait(seconds=2)
    assert isinstance(second, Allow)
    before = drawn(account)
    leased(account, session, settles=second.id)
    assert drawn(account) > before


def test_nothing_odd_is_leased() -> None:
    """Whatever weighs more than usual, is closed or in doubt, is asked about order by order."""
    account, session = settled()
    for answer, odd in (
        (leased(account, account.sign_in()), "session_young"),
        (leased(account, session, pair="NEW/USDT"), "pair_new"),
        (leased(account, account.sign_in(), pair="NEW/USDT"), "pair_new, session_young"),
    ):
        assert (codes(answer), answer.findings[0].about) == (["order_by_order"], odd)
    account.market = {"reference": ""}
    assert codes(leased(account, session)) == ["price_unknown"]
    account.market = None
    assert codes(leased(account, session)) == ["price_unknown"]
    account.market, account.reconciling = {}, True
    assert codes(leased(account, session)) == ["order_by_order"]
    account.reconciling, account.clock_agrees = False, False
    assert codes(leased(account, session)) == ["clock_uncertain"]
    account.clock_agrees = True
    account.ask(LimitSet("0"), session, *account.head.authenticators)
    assert codes(leased(account, session)) == ["over_trade_limit"]
    place(account, session, order(1, "2", "100000"))
    assert codes(leased(account, session)) == ["trading_closed"]
    until = account.now + DAY
    legal = LegalRequest(
        account.now, "police", "court_order", (), "", registered=True, signed=True, expires_at=until, frozen_until=until
    )
    account.state = replace(account.head, legal={"l1": legal})
    assert codes(leased(account, session)) == ["under_order"]


def test_a_key_leases_its_pairs() -> None:
    """A key takes leases of the pairs it was made for, and none while it sleeps."""
    account, session = settled()
    key = keyed(account, session, pairs=("BTC/USDT",))
    assert isinstance(leased(account, key), Allow)
    assert codes(leased(account, key, pair="ETH/USDT")) == ["api_key_scope"]
    account.wait(days=30)
    answer = leased(account, key)
    assert (codes(answer), answer.findings[0].about) == (["order_by_order"], "key_asleep")
