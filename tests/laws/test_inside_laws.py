"""The hold follows the money, under random histories of two customers: a robbed one, and whoever received it.

`test_laws.py` plays everything; here little but transfers, stops and returns happens, so that they meet. `watched.py`
holds each step against the laws and the slow twin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.core.histories import PLATFORM, USD, destination, sealed
from tests.core.watched import Watched
from tests.laws.test_account_laws import ROOMY, prefab

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Context, StaffFact
from holdback.core.events import HOUR, Actor, ActorKind
from holdback.core.inside import still_held
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitRequest, ExitSettle
from holdback.core.rules.order import OrderPlace, OrderReport
from holdback.core.rules.password import PasswordChange

if TYPE_CHECKING:
    from holdback.core.rules.asking import Action

ROLES: Final = {"ann": ("treasurer",), "bo": ("investigator",), "sue": ("support",)}
PAIRS: Final = (("ann", "bo"), ("ann", "bo"), ("bo", "ann"), ("ann", "ann"), ("sue", "bo"), ("ann",), ("bo",))
FLOOR: Final = ROOMY.outflow.received_floor_usd * USD


class Flows(RuleBasedStateMachine):
    """Alice sends and is stopped, Bob receives and pays out, and some of the staff give back."""

    def __init__(self) -> None:
        """Before anyone acts."""
        super().__init__()
        self.alice = self.bob = Watched(ROOMY)
        self.now = 0
        self.told: list[tuple[OrderReport, str]] = []

    @initialize()
    def begin(self) -> None:
        """Both are customers of some age, and Bob is in Alice's book."""
        self.alice, self.bob = prefab("used").clone(), prefab("bob").clone()
        self.now = max(self.alice.now, self.bob.now)
        self.tick(0)

    def asks(self, one: Watched, action: Action, by: Actor | None = None, trades_with: str = "") -> None:
        """Ask; the other one receives what comes of it, and each reads of the other's stops."""
        other = self.bob if one is self.alice else self.alice
        one.stopped = {other.name: other.twin.past().keeps_what_was_sent}
        actor: Actor | bytes = by or self.session(one)
        shown = () if by else tuple(one.head.authenticators)
        named = getattr(action, "counterparty", None) is not None
        wanted = decide.needs(one.request(action, actor), one.head).counterparty
        one.ask(action, actor, *shown, counterparty=trades_with or (other.name if named else wanted))
        events, counterparty = one.elsewhere
        if events and counterparty == other.name:
            other.received(events)

    def session(self, one: Watched) -> bytes:
        """A live session, or a new one from the owner's own laptop."""
        alive = [key for key, session in one.head.sessions.items() if one.now < session.ends_at()]
        return alive[-1] if alive else one.sign_in()

    @rule(hours=st.sampled_from((0, 1, 1, 5, 20, 23, 24, 25, 48, 73)))
    def tick(self, hours: int) -> None:
        """Time passes, and notices arrive."""
        for one in (self.alice, self.bob):
            one.deliver()
        self.now += hours * HOUR
        for one in (self.alice, self.bob):
            one.now = max(self.now, one.head.at)

    @rule(usd=st.sampled_from(("60", "150", "900", "20000")), kind=st.sampled_from(("gift", "internal_transfer")))
    def sends(self, usd: str, kind: str) -> None:
        """Alice sends; what is held goes when the platform comes back for it."""
        self.asks(self.alice, ExitRequest(kind, "USD", usd, counterparty=destination("bob")))

    @rule(
        price=st.sampled_from(("1.0005", "1.01", "1.1")),
        amount=st.sampled_from(("1000", "10000")),
        named=st.sampled_from(("bob", "bob", "")),
    )
    def trades(self, price: str, amount: str, named: str) -> None:
        """Alice buys dear from Bob, whether it is said or not that he sells."""
        order = OrderPlace(f"o{self.alice.head.seq}", "BTC/USDT", "buy", price, amount)
        self.asks(self.alice, order, trades_with=named)

    @rule(
        bid=st.tuples(st.sampled_from(("1.0005", "1.01", "1.05")), st.sampled_from(("1000", "30000"))),
        match=st.tuples(st.sampled_from(("1", "1.01", "1.1")), st.sampled_from(("0", "1000", "30000"))),
        hours=st.sampled_from((0, 1, 25)),
        moves=st.sampled_from(({}, {}, {"reference": "0.99"}, {"storm_ppm": 9_000})),
    )
    def rests(self, bid: tuple[str, str], match: tuple[str, str], hours: int, moves: dict[str, Any]) -> None:
        """An order rests while the market moves, and is matched better or worse than was asked, in part or in full."""
        name = f"r{self.alice.head.seq}"
        self.asks(self.alice, OrderPlace(name, "BTC/USDT", "buy", *bid), trades_with="bob")
        self.tick(hours)
        self.alice.market = moves
        self.asks(self.alice, OrderReport(name, "BTC/USDT", "buy", *match), PLATFORM, trades_with="bob")
        self.alice.market = {}

    @precondition(lambda self: self.alice.everything().meter.orders)
    @rule(
        number=st.integers(0, 3),
        price=st.sampled_from(("1", "1.01", "1.1")),
        amount=st.sampled_from(("0", "1000", "10000")),
        other=st.sampled_from(("bob", "bob", "")),
        times=st.sampled_from((1, 1, 2)),
    )
    def reports(self, number: int, price: str, amount: str, other: str, times: int) -> None:
        """The platform says what became of an order, maybe twice."""
        orders = self.alice.everything().meter.orders
        name = list(orders)[number % len(orders)]
        for _ in range(times):
            self.tells(OrderReport(name, "BTC/USDT", "buy", price, amount), other)

    def tells(self, report: OrderReport, other: str) -> None:
        """The platform says so; it may say it again at any time."""
        self.told.append((report, other))
        self.asks(self.alice, report, PLATFORM, trades_with=other)

    @rule(
        named=st.sampled_from(("bob", "bob", "")),
        first=st.tuples(st.sampled_from(("1", "5000", "10000")), st.sampled_from(("bob", "bob", "", "dave"))),
        second=st.sampled_from(("5000", "9999")),
        fills=st.sampled_from(((None, None), (None, None), ("f1", "f2"))),
        hours=st.sampled_from((0, 0, 1)),
    )
    def splits(
        self, named: str, first: tuple[str, str], second: str, fills: tuple[str | None, str | None], hours: int
    ) -> None:
        """An order of ten thousand is told of in two fills: Bob gained by the second, and whoever by the first."""
        name = f"s{self.alice.head.seq}"
        self.asks(self.alice, OrderPlace(name, "BTC/USDT", "buy", "1.1", "10000"), trades_with=named)
        self.tick(hours)
        for amount, other, fill in ((*first, fills[0]), (second, "bob", fills[1])):
            self.tells(OrderReport(name, "BTC/USDT", "buy", "1.1", amount, fill=fill), other)

    @precondition(lambda self: self.told)
    @rule(number=st.integers(0, 9))
    def tells_again(self, number: int) -> None:
        """What was said of an order long ago is said again, be it that it came back meanwhile."""
        report, other = self.told[-1 - number % len(self.told)]
        self.tells(report, other)

    @rule(usd=st.sampled_from(("60", "20000")))
    def sends_back(self, usd: str) -> None:
        """Bob sends something of his."""
        self.asks(self.bob, ExitRequest("gift", "USD", usd, counterparty=destination("alice")))

    @rule(who=st.booleans())
    def releases(self, *, who: bool) -> None:
        """The platform comes back for all that waits."""
        one = self.alice if who else self.bob
        for which in tuple(one.head.exits):
            self.asks(one, ExitRelease(which), PLATFORM)

    @rule(how=st.sampled_from(("freeze", "freeze", "password")), who=st.sampled_from((True, True, True, False)))
    def stops(self, how: str, *, who: bool) -> None:
        """An owner presses stop, or changes the password."""
        one = self.alice if who else self.bob
        link = Actor(ActorKind.LINK, contact=next(iter(one.head.contacts)))
        if how == "freeze":
            self.asks(one, AccountFreeze(), link)
        else:
            self.asks(one, PasswordChange(sealed(f"p{one.head.seq}")))

    @precondition(lambda self: self.alice.head.frozen_at or self.bob.head.frozen_at)
    @rule()
    def thaws(self) -> None:
        """Whoever froze takes the stop off, and waits for it and for what cools."""
        for one in (self.alice, self.bob):
            if one.head.frozen_at:
                self.asks(one, AccountUnfreeze())
        for _ in range(2):
            self.tick(73)
            for one in (self.alice, self.bob):
                one.sign_in()

    @rule(usd=st.sampled_from(("50", "900", "20000", "900000", "999000")), read=st.sampled_from((True, True, False)))
    def pays(self, usd: str, *, read: bool) -> None:
        """Bob pays out."""
        self.bob.unread = frozenset() if read else frozenset({self.alice.name})
        self.asks(self.bob, ExitRequest("withdrawal", "USD", usd, address=destination("home"), network="bitcoin"))

    @rule(usd=st.sampled_from((0, 500 * USD)))
    def claims(self, usd: int) -> None:
        """The platform says how much Bob owns, and may be wrong."""
        self.bob.stopped = {self.alice.name: self.alice.twin.past().keeps_what_was_sent}
        pays = ExitRequest("withdrawal", "USD", "10", address=destination("home"), network="bitcoin")
        context = Context(equity_micro_usd=usd)
        self.bob.ask(pays, self.session(self.bob), *self.bob.head.authenticators, context=context)

    @precondition(lambda self: self.alice.head.sent)
    @rule(number=st.integers(0, 3), by=st.sampled_from(PAIRS), doubt=st.sampled_from((False, False, False, True)))
    def gives_back(self, number: int, by: tuple[str, ...], *, doubt: bool) -> None:
        """Some of the staff ask that something goes back."""
        alice, names = self.alice, list(self.alice.head.sent)
        which = names[number % len(names)]
        for name in by:
            if which not in alice.head.sent:
                return
            first = alice.head.returning.get(which)
            alice.still_held = still_held(self.bob.head.received, alice.name, alice.head.sent[which], FLOOR, alice.now)
            alice.staff = StaffFact(name, ROLES[name], involved=False, first=first.by if first else "")
            alice.reconciling = doubt
            self.asks(alice, ExitCancel(which), Actor(ActorKind.STAFF, key=name))
            alice.staff, alice.reconciling = None, False

    @rule(
        usd=st.sampled_from(("60", "900", "20000", "by a trade")),
        waits=st.tuples(st.sampled_from((0, 1, 23, 25)), st.sampled_from((0, 1, 40, 70))),
        by=st.sampled_from(PAIRS),
        moved=st.booleans(),
    )
    def robbed(self, usd: str, waits: tuple[int, int], by: tuple[str, ...], *, moved: bool) -> None:
        """The thief sends or trades, the owner stops some time after, some of the staff give back, Bob tries to leave.

        What was sent is no more than what was traded away, so that a trade alone may be the last that can come back.
        """
        if self.alice.head.frozen_at:
            self.thaws()
        if usd == "by a trade":
            self.trades("1.1", "10000", "bob")
            if self.alice.everything().meter.orders:
                self.reports(len(self.alice.everything().meter.orders) - 1, "1.1", "10000", "bob", 1)
        else:
            self.sends(usd, "gift")
        self.tick(waits[0])
        self.stops("freeze", who=True)
        self.tick(waits[1])
        if self.alice.head.sent:
            self.gives_back(len(self.alice.head.sent) - 1, by, doubt=False)
        for amount in ("999000", "900000"):
            self.pays(amount, read=True)
        if moved and self.alice.head.sent:
            self.moves(len(self.alice.head.sent) - 1)
            if self.told:
                self.tells_again(0)
            if self.alice.head.sent:
                self.gives_back(len(self.alice.head.sent) - 1, by, doubt=False)
            self.pays("999000", read=True)

    @precondition(lambda self: self.alice.head.sent)
    @rule(number=st.integers(0, 3))
    def moves(self, number: int) -> None:
        """The platform says that something is final, be it that it went or that it came back."""
        names = list(self.alice.head.sent)
        self.asks(self.alice, ExitSettle(names[number % len(names)], "ref"), PLATFORM)

    def teardown(self) -> None:
        """At the end both streams hold, and nothing that came back is left at the receiver."""
        for one in (self.alice, self.bob):
            if one.entries:
                one.check_stream()
        back = sum(one.micro_usd for one in self.alice.log if isinstance(one, ev.ExitReturned))
        assert back == sum(one.micro_usd for one in self.bob.log if isinstance(one, ev.ValueRecalled))
        gone = sum(one.micro_usd for one in self.bob.log if isinstance(one, ev.ValueReturned))
        assert gone <= back


TestFlows = Flows.TestCase
TestFlows.settings = settings(
    max_examples=settings().max_examples, stateful_step_count=40, suppress_health_check=list(HealthCheck)
)
