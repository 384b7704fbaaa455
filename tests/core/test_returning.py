"""What went to another customer goes back by two of the staff, once, and only while it waits there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    PLATFORM,
    POLICY,
    USD,
    Account,
    codes,
    destination,
    grow,
    grown,
    held_id,
    long_standing,
    policy_with,
    sealed,
)
from tests.core.members import Colleague

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, Reason
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Lane, Role
from holdback.core.hold_life import Told, news
from holdback.core.inside import GIVEN_BACK_KEPT, SENT_KEPT, by_trade, moved_back
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitRequest, ExitSettle
from holdback.core.rules.order import OrderPlace, OrderReport
from holdback.core.rules.returning import still_held
from holdback.core.state import Customer, Proposal, evolve
from holdback.core.waiting import For, is_over, is_unchanged, items

if TYPE_CHECKING:
    from holdback.core.decision import Decision
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Action

PROOFS = ("a1-1", "a1-2")
LINK = Actor(ActorKind.LINK, contact="c1-1")


class Robbery:
    """Alice, whose money went to Bob, and two who may give it back."""

    def __init__(self, usd: str = "20000", kind: str = "gift", policy: Policy = POLICY) -> None:
        """The thief has just sent it."""
        self.alice, session = grown(policy=policy)
        self.alice.ask(AddressAdd(sealed("bob"), "internal", destination("bob")), session, *PROOFS)
        self.alice.settle(days=5)
        self.session = self.alice.sign_in()
        self.bob = Account(policy, "bob")
        grow(self.bob)
        self.ann, self.bo = Colleague("ann", Role.TREASURER), Colleague("bo", Role.INVESTIGATOR)
        self.ann.first, self.bo.first = self.bo, self.ann
        self.which = self.sends(usd, kind)
        self.on_duty()

    def on_duty(self) -> None:
        """Both who may give it back sign in."""
        for one in (self.ann, self.bo):
            one.stream.now = self.alice.now
            one.signs_in()

    def sends(self, usd: str, kind: str = "gift") -> str:
        """Another one to Bob; its id."""
        action = ExitRequest(kind, "USD", usd, counterparty=destination("bob"))
        answer = self.asks(action, self.session, *PROOFS)
        assert isinstance(answer, Allow), answer
        return answer.id

    def trades(self, number: int = 1, price: str = "1.1", amount: str = "10000", other: str = "bob") -> str:
        """The thief buys dear from Bob; under which name it stands what that may give away, "" if none does."""
        self.asks(OrderPlace(f"o{number}", "BTC/USDT", "buy", price, amount), self.session, counterparty=other)
        return self.sent_last()

    def reports(self, number: int = 1, amount: str = "10000", other: str = "bob", fill: str | None = None) -> str:
        """The platform says what became of it; under which name it stands what is new by that."""
        report = OrderReport(f"o{number}", "BTC/USDT", "buy", "1.1", amount, fill=fill)
        self.asks(report, PLATFORM, counterparty=other)
        return self.sent_last()

    def sent_last(self) -> str:
        """Under which name it stands what the last answer gave away."""
        assert self.alice.last is not None
        return "".join(one.exit for one in self.alice.last.events if isinstance(one, ev.ValueSent))

    def asks(self, action: Action, by: Actor | bytes, *proofs: str, counterparty: str = "bob") -> Decision:
        """Ask about Alice's account; Bob receives what follows."""
        answer = self.alice.ask(action, by, *proofs, counterparty=counterparty)
        self.hands_over()
        return answer

    def hands_over(self) -> None:
        """What is written elsewhere is Bob's."""
        assert self.alice.last is not None
        self.bob.now = max(self.bob.now, self.alice.now)
        if self.alice.last.elsewhere:
            self.bob.received(self.alice.last.elsewhere)

    def freezes(self) -> None:
        """Alice wakes up."""
        self.alice.ask(AccountFreeze(), LINK)

    def wants_back(self, who: Colleague, which: str = "") -> Decision:
        """One of the staff asks for it."""
        name = which or self.which
        self.alice.still_held = still_held(self.alice.state, name, self.bob.state, self.alice.policy, self.alice.now)
        answer = who.asks(self.alice, ExitCancel(name))
        self.hands_over()
        return answer

    def both(self, which: str = "") -> Decision:
        """Both ask for it."""
        self.wants_back(self.ann, which)
        return self.wants_back(self.bo, which)

    def drawn(self) -> tuple[int, int]:
        """What is drawn in all, by the hour and by the day."""
        meter = self.alice.head.meters[Lane.TOTAL]
        return sum(meter.hours.values()), sum(meter.days.values())


def test_two_people_give_it_back() -> None:
    """One person's word is kept, the second one's does it: the exit is returned, undrawn, and both owners are told."""
    case = Robbery()
    case.freezes()
    before = case.drawn()
    assert before == (20_000 * USD, 20_000 * USD)
    for _ in range(2):
        answer = case.wants_back(case.ann)
        assert codes(answer) == [Reason.SECOND_PERSON_REQUIRED]
        assert (isinstance(answer, Hold) and answer.release_at) is None
    assert case.drawn() == before
    assert isinstance(case.wants_back(case.bo), Allow)
    assert case.drawn() == (0, 0)
    (returned,) = [one for one in case.alice.log if isinstance(one, ev.ExitReturned)]
    assert (returned.by, returned.counterparty) == (("staff-ann", "staff-bo"), "bob")
    (recalled,) = [one for one in case.bob.log if isinstance(one, ev.ValueRecalled)]
    assert (recalled.micro_usd, recalled.sender) == (20_000 * USD, "alice")
    for one, cause in ((case.alice, "exit.returned"), (case.bob, "value.recalled")):
        (notice,) = [event for event in one.log if isinstance(event, ev.NoticeDue) and event.cause == cause]
        assert notice.severity is ev.Severity.SEVERE
    asked = [one for one in case.bo.stream.log if isinstance(one, ev.Decided) and one.action == "exit.cancel"]
    assert len(asked) == 1
    assert not any(isinstance(one, ev.ValueRecalled) for one in case.bo.stream.log), "what is the receiver's is his"


def test_it_goes_back_once() -> None:
    """Asked again it is the same return, with nothing written but that it was asked, until the platform moved it."""
    case = Robbery()
    case.freezes()
    case.both()
    assert codes(case.wants_back(case.ann)) == [Reason.NO_HARM]
    assert len([one for one in case.bob.log if isinstance(one, ev.ValueRecalled)]) == 1
    (mark,) = case.bob.head.received
    assert (mark.micro_usd, mark.recalled_micro_usd) == (20_000 * USD, 20_000 * USD)
    assert codes(case.asks(ExitSettle(case.which, "moved"), PLATFORM)) == [Reason.NO_HARM]
    assert case.bob.head.received == ()
    assert case.which not in case.alice.head.sent
    assert codes(case.wants_back(case.ann)) == [Reason.NOT_FOUND]
    case.asks(ExitSettle(case.which, "moved"), PLATFORM)
    assert len([one for one in case.bob.log if isinstance(one, ev.ValueReturned)]) == 1


def test_the_mark_stays_until_it_was_moved() -> None:
    """Between the decision and the ledger nothing leaves the receiver in the value's place."""
    case = Robbery()
    case.freezes()
    case.bob.stopped = {"alice": (case.alice.now,)}
    pays = ExitRequest("withdrawal", "USD", "985000", address=destination("home"), network="bitcoin")
    session = case.bob.sign_in()
    case.both()
    assert Reason.RECEIVED_LATELY in codes(case.bob.ask(pays, session, *PROOFS))
    case.asks(ExitSettle(case.which, "moved"), PLATFORM)
    assert Reason.RECEIVED_LATELY not in codes(case.bob.ask(pays, session, *PROOFS))


def test_a_settling_that_met_nobody_is_said_again() -> None:
    """Where the receiver was not looked for, the platform's word ends nothing."""
    case = Robbery()
    case.freezes()
    case.both()
    case.alice.ask(ExitSettle(case.which, "moved"), PLATFORM)
    assert case.which in case.alice.head.sent
    asked = case.alice.request(ExitSettle(case.which, "moved"), PLATFORM)
    assert decide.needs(asked, case.alice.head).counterparty == "bob"
    assert decide.needs(asked, None).counterparty == ""


def test_its_sender_must_have_been_stopped() -> None:
    """Two people and a story are not enough: the owner froze, or the account cooled, while it waited."""
    case = Robbery()
    assert codes(case.wants_back(case.ann)) == [Reason.SENDER_NOT_STOPPED]
    case.alice.wait(hours=25)
    case.freezes()
    for one in (case.ann, case.bo):
        one.stream.now = case.alice.now
        one.signs_in()
    assert codes(case.wants_back(case.ann)) == [Reason.SENDER_NOT_STOPPED], "an honest receiver is free by then"


def test_it_is_given_back_only_while_it_waits() -> None:
    """After 72 h nothing is given back, and nothing by who may not, without a clock or after a restore."""
    case = Robbery()
    case.freezes()
    assert codes(case.wants_back(Colleague("sue", Role.SUPPORT, at=case.alice.now))) == [Reason.NOT_ENTITLED]
    case.alice.clock_agrees = False
    assert codes(case.wants_back(case.ann)) == [Reason.CLOCK_UNCERTAIN]
    case.alice.clock_agrees, case.alice.reconciling = True, True
    assert codes(case.wants_back(case.ann)) == [Reason.RECONCILING]
    case.alice.reconciling = False
    assert codes(case.wants_back(case.ann, "x999")) == [Reason.NOT_FOUND]
    case.alice.wait(hours=73)
    for one in (case.ann, case.bo):
        one.stream.now = case.alice.now
        one.signs_in()
    assert codes(case.wants_back(case.ann)) == [Reason.NOT_FOUND]


def test_never_more_than_is_held() -> None:
    """A mark that is gone, is under way back or below the floor gives nothing back."""
    case = Robbery("60")
    case.freezes()
    assert codes(case.wants_back(case.ann)) == [Reason.NOTHING_HELD], "below the floor nothing was held"
    case = Robbery()
    case.freezes()
    case.bob.state = replace(case.bob.head, received=())
    assert codes(case.wants_back(case.ann)) == [Reason.NOTHING_HELD]
    assert still_held(None, "x1", None, POLICY, 0) == 0
    assert still_held(case.alice.head, case.which, None, POLICY, 0) == 0


def test_two_of_one_hour_are_two() -> None:
    """Of one sender and hour there is one mark; what one exit sent goes back, the other stays."""
    case = Robbery()
    other = case.sends("300")
    case.freezes()
    case.both()
    carols = ev.ValueReceived(case.bob.now, USD, case.bob.now + HOUR, "carol", case.bob.now + DAY)
    case.bob.received((carols,))
    case.asks(ExitSettle(case.which, "moved"), PLATFORM)
    mark, hers = case.bob.head.received
    assert (hers.sender, hers.micro_usd) == ("carol", USD)
    assert (mark.micro_usd, mark.recalled_micro_usd) == (300 * USD, 0)
    case.wants_back(case.ann, other)
    assert isinstance(case.wants_back(case.bo, other), Allow)
    mark, _ = case.bob.head.received
    assert (mark.micro_usd, mark.recalled_micro_usd) == (300 * USD, 300 * USD)


def test_a_stranger_who_was_paid_may_be_paid_again() -> None:
    """What went back counts neither against the stranger's cap nor for a habit."""
    account, session = long_standing(policy=policy_with(**{"outflow.stranger_day_usd": 1_000}))
    account.ask(AddressAdd(sealed("p2p"), "p2p"), session, *PROOFS)
    account.settle(days=5)
    session = account.sign_in()
    sells = ExitRequest("p2p_sale", "USD", "900", counterparty=destination("bob"))
    which = held_id(account.ask(sells, session, *PROOFS, counterparty="bob"))
    account.wait(hours=1)
    session = account.sign_in()
    answer = account.ask(ExitRelease(which), session, *PROOFS, counterparty="bob")
    assert isinstance(answer, Allow), answer
    assert Reason.STRANGER_CAP in codes(account.ask(sells, session, *PROOFS, counterparty="bob"))
    habit = dict(account.head.habit)
    account.ask(AccountFreeze(), LINK)
    account.still_held = 900 * USD
    ann, bo = Colleague("ann", Role.TREASURER, at=account.now), Colleague("bo", Role.TREASURER, at=account.now)
    ann.first, bo.first = bo, ann
    for one in (ann, bo):
        one.asks(account, ExitCancel(answer.id))
    (name,) = account.head.strangers
    assert sum(account.head.strangers[name].values()) == 0
    day = account.now // DAY
    assert account.head.habit[day] == habit[day] - 900 * USD


def test_what_was_over_budget_drew_on_no_lane() -> None:
    """What was held as over budget is undrawn in all, and in no lane; it made no habit."""
    case = Robbery()
    sent = case.alice.head.sent[case.which]
    none = replace(sent, lane=Lane.NONE)
    case.alice.state = replace(case.alice.head, sent={case.which: none})
    others = case.alice.head.meters[Lane.OTHERS]
    case.freezes()
    case.both()
    assert case.alice.head.meters[Lane.OTHERS] == others
    assert sum(case.alice.head.meters[Lane.TOTAL].hours.values()) == 0


def test_it_stands_on_the_desk() -> None:
    """What one person wants back stands there for both roles, until a second wants it or it waits no more."""
    case = Robbery()
    case.freezes()
    before = case.alice.head
    case.wants_back(case.ann)
    assert not is_unchanged(before, case.alice.head)
    found = [one for one in items(case.alice.head, POLICY) if one.kind == "return"]
    until = case.alice.head.sent[case.which].stopped_until
    assert {(one.role, one.waits_for, one.due_at, one.wake_at) for one in found} == {
        (Role.TREASURER, For.APPROVAL, until, until),
        (Role.INVESTIGATOR, For.APPROVAL, until, until),
    }
    assert len({one.id for one in found}) == 2
    assert is_over("return", until, until)
    assert not is_over("return", until, until - 1)
    case.wants_back(case.bo)
    assert not [one for one in items(case.alice.head, POLICY) if one.kind == "return"]
    forgotten = replace(case.alice.head, sent={}, returning={"x1": Proposal(b"d", "staff-ann", 0)})
    assert not items(forgotten, POLICY)


def test_the_platform_is_told() -> None:
    """A return is news for the platform, once."""
    case = Robbery()
    case.freezes()
    case.wants_back(case.ann)
    before = case.alice.head
    case.wants_back(case.bo)
    told = news(before, case.alice.head, case.alice.now)
    assert [(one.kind, one.which) for one in told] == [(Told.RETURNED, case.which)]
    assert news(replace(before, sent={}), before, case.alice.now) == (), "what is sent is no news of its own"
    again = case.alice.head
    case.wants_back(case.ann)
    assert news(again, case.alice.head, case.alice.now) == ()


def test_what_can_come_back_is_bounded() -> None:
    """Of many the smallest are forgotten, so that nobody pushes out what he stole with cents."""
    case = Robbery()
    head = case.alice.head
    for size in range(SENT_KEPT + 3):
        waits = case.alice.now + 1, case.alice.now + HOUR
        many = ev.ValueSent(case.alice.now, f"y{size}", "bob", size, *waits, Lane.OTHERS, size, size)
        after = evolve(Customer(head, {}), many).head
        assert after is not None
        head = after
    assert len(head.sent) == SENT_KEPT
    assert case.which in head.sent
    assert "y0" not in head.sent


@pytest.mark.parametrize("kind", ["gift", "internal_transfer"])
def test_who_may_be_given_back_to(kind: str) -> None:
    """Whatever kind moves value between customers here can be given back."""
    case = Robbery(kind=kind)
    case.freezes()
    assert isinstance(case.both(), Allow)


GAP, ADVERSE = 1_000 * USD, 994 * USD
"""What Alice pays too much for ten thousand at 1.1, and what of it the market's swing does not explain."""


def test_what_a_trade_gave_away_comes_back() -> None:
    """Two people give back what was lost beyond tolerance, as any transfer: undrawn, both told, gone when it moved."""
    case = Robbery("60")
    before = case.drawn()
    lost = case.trades()
    assert by_trade(lost)
    assert not by_trade(case.which)
    assert case.drawn() == (before[0] + ADVERSE, before[1] + ADVERSE)
    case.reports()
    case.freezes()
    assert codes(case.wants_back(case.ann, lost)) == [Reason.SECOND_PERSON_REQUIRED]
    assert isinstance(case.wants_back(case.bo, lost), Allow)
    assert case.drawn() == before
    assert sum(case.alice.everything().meter.raw_days.values()) == GAP, "what a thief may try is not given anew"
    (returned,) = [one for one in case.alice.log if isinstance(one, ev.ExitReturned)]
    assert (returned.micro_usd, returned.counterparty, returned.by) == (ADVERSE, "bob", ("staff-ann", "staff-bo"))
    for one, cause in ((case.alice, "exit.returned"), (case.bob, "value.recalled")):
        assert [event for event in one.log if isinstance(event, ev.NoticeDue) and event.cause == cause]
    assert codes(case.asks(ExitSettle(lost, "moved"), PLATFORM)) == [Reason.NO_HARM]
    (mark,) = case.bob.head.received
    assert (mark.micro_usd, mark.recalled_micro_usd) == (60 * USD + GAP - ADVERSE, 0)
    assert codes(case.asks(ExitSettle(lost, "moved"), PLATFORM)) == [Reason.NOT_FOUND]
    assert codes(case.wants_back(case.ann, lost)) == [Reason.NOT_FOUND]


def test_what_only_may_have_been_lost_stays() -> None:
    """Before its report nothing of an order is given back; what was not matched never is, and is no payment either."""
    case = Robbery("60")
    lost, other = case.trades(1), case.trades(2)
    case.freezes()
    assert codes(case.wants_back(case.ann, lost)) == [Reason.NOTHING_HELD]
    assert codes(case.asks(ExitSettle(lost, "moved"), PLATFORM)) == [Reason.NOT_FOUND]
    case.reports(1, amount="0")
    assert codes(case.wants_back(case.ann, lost)) == [Reason.NOT_FOUND]
    assert case.alice.head.sent[other].reported is False
    case.reports(2, amount="5000")
    assert isinstance(case.both(other), Allow)
    assert case.bob.head.received[0].recalled_micro_usd == ADVERSE // 2


def test_what_was_worse_than_asked_comes_back_in_two() -> None:
    """What arrived as the order was asked for, and what its report adds, are given back each by its own name."""
    case = Robbery("60")
    lost = case.trades(price="1.05")
    more = case.reports()
    assert lost != more
    case.freezes()
    case.both(lost)
    case.both(more)
    back = [one.micro_usd for one in case.alice.log if isinstance(one, ev.ExitReturned)]
    assert sum(back) == ADVERSE
    recalled = sum(one.recalled_micro_usd for one in case.bob.head.received)
    assert recalled == ADVERSE <= sum(one.micro_usd for one in case.bob.head.received)


def test_who_is_named_by_the_report_alone() -> None:
    """Whoever gained gives it back, whether named at first or not; who was named and gained nothing does not."""
    case = Robbery("60")
    first = case.trades(other="carol")
    found = case.reports()
    assert first not in case.alice.head.sent
    assert case.alice.head.sent[found].counterparty == "bob"
    case.freezes()
    assert isinstance(case.both(found), Allow)


def test_told_twice_it_arrived_once() -> None:
    """A report that is said again holds more, for nobody knows, and gives nothing more back."""
    case = Robbery("60")
    lost = case.trades()
    case.reports()
    assert not case.reports()
    assert sum(one.micro_usd for one in case.bob.head.received) == 60 * USD + 2 * GAP
    case.freezes()
    assert isinstance(case.both(lost), Allow)
    assert [one.micro_usd for one in case.alice.log if isinstance(one, ev.ExitReturned)] == [ADVERSE]


def test_what_is_told_after_the_stop() -> None:
    """A match that the platform tells of when its owner has frozen already needs no second stop."""
    case = Robbery("60")
    case.freezes()
    found = case.reports(9)
    assert isinstance(case.both(found), Allow)
    case = Robbery("60")
    found = case.reports(9)
    assert codes(case.wants_back(case.ann, found)) == [Reason.SENDER_NOT_STOPPED]


def test_trades_and_transfers_share_no_penny() -> None:
    """A transfer and a trade of one hour make one mark; each gives back its own, and together no more than is there."""
    case = Robbery("300")
    lost = case.trades()
    case.reports()
    case.freezes()
    (mark,) = case.bob.head.received
    assert mark.micro_usd == 300 * USD + GAP
    assert isinstance(case.both(), Allow)
    assert isinstance(case.both(lost), Allow)
    (mark,) = case.bob.head.received
    assert mark.recalled_micro_usd == 300 * USD + ADVERSE
    for which in (case.which, lost):
        case.asks(ExitSettle(which, "moved"), PLATFORM)
    (mark,) = case.bob.head.received
    assert (mark.micro_usd, mark.recalled_micro_usd) == (GAP - ADVERSE, 0)


class TestFills:
    """An order that is told of in several reports, and one that is told of again."""

    def test_each_fill_comes_back(self) -> None:
        """Fills that a thief split off first, against whom he likes, keep nobody from having the rest back."""
        for other in ("dave", "bob"):
            case = Robbery("60")
            case.trades()
            case.reports(amount="1", other=other)
            rest = case.reports(amount="9999")
            assert case.alice.head.sent[rest].counterparty == "bob"
            case.freezes()
            assert isinstance(case.both(rest), Allow)
            (back,) = [one for one in case.alice.log if isinstance(one, ev.ExitReturned)]
            assert back.micro_usd == ADVERSE * 9_999 // 10_000

    def test_alike_fills_have_names(self) -> None:
        """Fills of one size against one customer are one, unless each is named: then each comes back, and no more."""
        case = Robbery("60")
        case.trades()
        case.reports(amount="5000")
        assert not case.reports(amount="5000.0"), "told again"
        case = Robbery("60")
        before = case.drawn()
        lost = case.trades()
        case.reports(amount="5000", fill="f1")
        more = case.reports(amount="5000", fill="f2")
        assert not case.reports(amount="5000", fill="f1")
        again = sum(one.extra.micro_usd for one in case.alice.log if isinstance(one, ev.OrderReported)) - ADVERSE // 2
        case.freezes()
        assert isinstance(case.both(lost), Allow)
        assert isinstance(case.both(more), Allow)
        assert sum(one.micro_usd for one in case.alice.log if isinstance(one, ev.ExitReturned)) == ADVERSE
        assert case.drawn() == (before[0] + again, before[1] + again), "what was told again stays drawn"

    def test_what_was_moved_back_does_not_come_back_again(self) -> None:
        """Told again once it was moved, a fill holds more at its receiver and gives nothing back a second time."""
        case = Robbery("60")
        lost = case.trades()
        case.reports()
        case.freezes()
        assert isinstance(case.both(lost), Allow)
        assert not case.reports(), "not moved yet"
        case.alice.wait(hours=73)
        case.asks(AccountFreeze(), LINK)
        assert not case.reports(), "its wait is over, and it is not moved yet"
        case.asks(ExitSettle(lost, "moved"), PLATFORM)
        assert not case.reports()
        assert case.reports(2), "another order is another one"

    def test_what_was_moved_back_is_remembered_to_a_bound(self) -> None:
        """Of reports whose loss was moved back the last ones are known, and one that is moved in two parts once."""
        sent = next(iter(Robbery().alice.head.sent.values()))
        assert moved_back((), sent) == (), "a transfer is told of by nobody"
        kept: tuple[bytes, ...] = ()
        for number in [*range(GIVEN_BACK_KEPT), 1, GIVEN_BACK_KEPT]:
            kept = moved_back(kept, replace(sent, fill=bytes([number])))
        assert kept == tuple(bytes([number]) for number in (*range(2, GIVEN_BACK_KEPT), 1, GIVEN_BACK_KEPT))

    def test_it_is_undrawn_where_it_was_drawn(self) -> None:
        """What was drawn as an order was asked for is undrawn in that hour, whoever turns out to have gained it."""
        case = Robbery("60")
        before = case.drawn()
        case.trades(other="carol", price="1.05")
        asked = case.alice.now // HOUR
        case.alice.wait(hours=2)
        found = case.reports()
        hours = dict(case.alice.head.meters[Lane.TOTAL].hours)
        case.freezes()
        case.on_duty()
        assert isinstance(case.both(found), Allow)
        (back,) = [one for one in case.alice.log if isinstance(one, ev.ExitReturned)]
        (told,) = [one for one in case.alice.log if isinstance(one, ev.OrderReported)]
        left = case.alice.head.meters[Lane.TOTAL].hours
        assert (back.micro_usd, back.drawn_micro_usd) == (ADVERSE, ADVERSE - told.extra.micro_usd)
        assert hours[asked] - left[asked] == back.drawn_micro_usd
        assert left[case.alice.now // HOUR] == told.extra.micro_usd
        assert case.drawn()[0] == before[0] + told.extra.micro_usd


def filled(case: Robbery, first: int, count: int, micro_usd: int) -> None:
    """So much more goes to others, each of it that large."""
    for number in range(first, first + count):
        now = case.alice.now
        more = ev.ValueSent(now, f"y{number}", "carol", micro_usd, now + DAY, now + 3 * DAY, Lane.OTHERS, micro_usd, 0)
        case.alice.state = evolve(case.alice.everything(), more).head


def test_what_is_not_moved_yet_is_not_forgotten() -> None:
    """However much goes after it, and however late: what was given back can be asked for until it was moved."""
    case = Robbery("150")
    case.freezes()
    case.both()
    filled(case, 0, SENT_KEPT + 1, 151 * USD)
    case.alice.wait(hours=73)
    filled(case, 100, 1, 151 * USD)
    assert set(case.alice.head.sent) == {case.which, "y100"}
    case.on_duty()
    assert codes(case.wants_back(case.ann)) == [Reason.NO_HARM]
    assert codes(case.asks(ExitSettle(case.which, "moved"), PLATFORM)) == [Reason.NO_HARM]
    assert case.which not in case.alice.head.sent


def test_what_is_not_moved_yet_is_bounded() -> None:
    """Where all that is kept was given back, what goes then cannot come back."""
    case = Robbery()
    filled(case, 0, SENT_KEPT - 1, USD)
    back = {name: replace(one, returned_at=case.alice.now) for name, one in case.alice.head.sent.items()}
    case.alice.state = replace(case.alice.head, sent=back)
    filled(case, 100, 1, 10**6 * USD)
    assert case.alice.head.sent == back


def test_what_is_over_is_forgotten() -> None:
    """Whatever is decided next, what can come back no more is in nobody's way; before that nothing is touched."""
    case = Robbery()
    filled(case, 0, SENT_KEPT - 1, USD)
    before = case.alice.head.sent
    case.asks(ExitSettle("x999", "moved"), PLATFORM)
    assert case.alice.head.sent is before
    case.alice.wait(hours=73)
    case.alice.sign_in()
    assert not case.alice.head.sent
