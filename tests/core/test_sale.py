"""A P2P sale: locked as its order is made, let go by its owner's proof alone, decided by two once it is disputed."""

from __future__ import annotations

from typing import Any, Final

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    PLATFORM,
    SYSTEM,
    USD,
    Account,
    codes,
    destination,
    grow,
    held_id,
    kind_of,
    policy_with,
    sealed,
)
from tests.core.members import Colleague

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Decision, Hold, Reason, StepUp
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Channel, Lane, Role
from holdback.core.hold_life import Told, is_due, news
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.address import AddressAdd, AddressRemove
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitRequest, ExitSettle
from holdback.core.rules.notice import NoticeOutcome
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.setting import LimitSet, VaultSet
from holdback.core.waiting import For, Item, items

PROOFS: Final = ("a1-1", "a1-2")
BOB: Final = destination("bob")
LINK: Final = Actor(ActorKind.LINK, contact="c1-1")


def seller(**changed: object) -> tuple[Account, bytes]:
    """An account of a million that opened P2P long ago, and its owner's session."""
    account = Account(policy_with(**changed))
    session = grow(account)
    account.ask(AddressAdd(sealed("anybody"), "p2p"), session, *PROOFS)
    account.settle(days=40)
    return account, account.sign_in()


def sell(account: Account, session: bytes, usd: str = "9000", **more: Any) -> Decision:  # noqa: ANN401 - as in `ask`
    """Make an order."""
    action = ExitRequest("p2p_sale", "USD", usd, counterparty=more.pop("to", BOB))
    return account.ask(action, session, *PROOFS, counterparty="bob", **more)


def sold(account: Account, session: bytes, usd: str = "9000") -> str:
    """Make an order, and have it locked."""
    answer = sell(account, session, usd)
    assert codes(answer) == [Reason.SALE_LOCKED], answer
    return held_id(answer)


def paid(account: Account, which: str) -> Decision:
    """The platform says that the buyer paid."""
    return account.ask(ExitSettle(which, "bank 1", "paid"), PLATFORM)


def release(account: Account, which: str, by: Actor | bytes, *proofs: str) -> Decision:
    """Somebody asks to hand it over."""
    return account.ask(ExitRelease(which), by, *proofs, counterparty="bob")


def disputed(account: Account, session: bytes) -> str:
    """One whose buyer paid before its owner pressed the stop."""
    which = sold(account, session)
    paid(account, which)
    account.ask(AccountFreeze(), LINK)
    return which


def drawn(account: Account, lane: Lane = Lane.TOTAL) -> int:
    """USD that were drawn in the meters' days."""
    meter = account.head.meters.get(lane)
    return sum(meter.days.values()) // USD if meter is not None else 0


class TestLock:
    """What is sold is set aside, and nothing goes."""

    def test_it_draws_and_lets_nothing_go(self) -> None:
        """The order is answered `hold` without a time, so there is no receipt; what it sells is drawn at once."""
        account, session = seller()
        answer = sell(account, session)
        assert isinstance(answer, Hold)
        assert answer.release_at is None
        assert answer.findings[0].until == account.now + 24 * HOUR
        assert not any(isinstance(one, ev.ExitAllowed) for one in account.last_events())
        assert account.last is not None
        assert account.last.elsewhere == ()
        assert (drawn(account), drawn(account, Lane.OTHERS)) == (9000, 9000)
        assert account.head.habit == {}

    def test_many_orders_do_not_pass_beside_each_other(self) -> None:
        """Law 3: five orders that fit one by one do not fit together."""
        account, session = seller()
        for buyer in range(5):
            assert codes(sell(account, session, "10000", to=destination(f"buyer {buyer}"))) == [Reason.SALE_LOCKED]
        assert codes(sell(account, session, "10000", to=destination("one more"))) == [Reason.OVER_BUDGET]

    def test_the_owner_is_told_of_each(self) -> None:
        """Each is the owner's moment to stop it, so none is folded into another."""
        account, session = seller()
        for _ in range(2):
            which = sold(account, session, "100")
            assert [one.cause for one in account.last_events() if isinstance(one, ev.NoticeDue)] == ["exit.locked"]
            paid(account, which)
            assert [one.cause for one in account.last_events() if isinstance(one, ev.NoticeDue)] == ["exit.paid"]

    def test_what_was_held_is_locked_when_its_wait_is_over(self) -> None:
        """A sale that had to wait draws when it is locked, and never more than once."""
        account, session = seller(**{"outflow.others_day_percent": 0})
        which = held_id(sell(account, session))
        assert drawn(account) == 0
        account.settle(days=4)
        answer = release(account, which, PLATFORM)
        assert (codes(answer), answer.id if isinstance(answer, Hold) else "") == ([Reason.SALE_LOCKED], which)
        assert (drawn(account), drawn(account, Lane.OTHERS)) == (9000, 0)
        gone = release(account, which, account.sign_in(), *PROOFS)
        assert codes(gone) == [Reason.PROVED]
        assert drawn(account) == 9000

    def test_it_ends_by_itself(self) -> None:
        """A buyer who has not paid in time finds nothing; what was drawn is given back where it was drawn."""
        account, session = seller(**{"outflow.sale_lock_h": 30})
        which = sold(account, session)
        account.wait(hours=25)
        small = sold(account, account.sign_in(), "10")
        account.wait(hours=5)
        assert codes(paid(account, which)) == [Reason.NOT_FOUND]
        assert [one.exit for one in account.last_events() if isinstance(one, ev.ExitCancelled)] == [which]
        assert list(account.head.exits) == [small]
        assert drawn(account) == 10
        assert account.head.strangers[BOB.name[:16]] == {(account.now - 5 * HOUR) // HOUR: 10 * USD}

    def test_what_slid_out_is_given_back_nowhere(self) -> None:
        """A buyer whose day is over is forgotten, and nothing is given back where nothing counts any more."""
        account, session = seller(**{"outflow.sale_lock_h": 60})
        which = sold(account, session)
        account.wait(hours=26)
        session = account.sign_in()
        assert codes(sell(account, session, "10", to=destination("other"))) == [Reason.SALE_LOCKED]
        assert BOB.name[:16] not in account.head.strangers
        account.ask(ExitCancel(which), session)
        assert sum(account.head.meters[Lane.TOTAL].hours.values()) == 10 * USD
        assert list(account.head.strangers) == [destination("other").name[:16]]

    def test_a_clock_in_doubt_calls_nothing_off(self) -> None:
        """Law 8: on a jump of the clock the buyer may still pay."""
        account, session = seller()
        which = sold(account, session)
        account.wait(days=30)
        account.clock_agrees = False
        assert kind_of(paid(account, which)) == "allow"
        assert account.head.exits[which].lock is not None

    @pytest.mark.parametrize("by", ["owner", "platform", "freeze", "address"])
    def test_before_the_buyer_paid_it_is_given_back(self, by: str) -> None:
        """A stop before payment cancels the lock: budget, cap and habit are as they were."""
        account, session = seller()
        sold(account, session, "1000")
        before = account.head
        account.wait(hours=1)
        session = account.sign_in()
        which = sold(account, session, "5000")
        match by:
            case "owner":
                account.ask(ExitCancel(which), session)
            case "platform":
                account.ask(ExitCancel(which), PLATFORM)
            case "freeze":
                account.ask(AccountFreeze(), LINK)
            case _:
                account.ask(AddressRemove("p2p"), session)
        assert which not in account.head.exits
        assert drawn(account) == (1000 if by in {"owner", "platform"} else 0)
        if by in {"owner", "platform"}:
            assert sum(account.head.strangers[BOB.name[:16]].values()) == 1000 * USD
            assert account.head.habit == before.habit


class TestRelease:
    """It goes by its owner's strongest proof, and by nothing else."""

    @pytest.mark.parametrize("after_payment", [False, True])
    def test_by_the_owners_proof(self, *, after_payment: bool) -> None:
        """Only now is there a receipt, the receiver's mark, and something for the habit; nothing is drawn again."""
        account, session = seller()
        which = sold(account, session)
        if after_payment:
            paid(account, which)
        account.wait(hours=2)
        session = account.sign_in()
        assert isinstance(release(account, which, session), StepUp)
        assert codes(release(account, which, session, "a1-2")) == [Reason.PROVED]
        (gone,) = (one for one in account.last_events() if isinstance(one, ev.ExitAllowed))
        assert (gone.lane, gone.micro_usd, gone.drawn_at) == (Lane.OTHERS, 9000 * USD, account.now - 2 * HOUR)
        assert account.last is not None
        until = account.now + 24 * HOUR, account.now + 72 * HOUR
        assert account.last.elsewhere == (ev.ValueReceived(account.now, 9000 * USD, until[0], "alice", until[1]),)
        assert drawn(account) == 9000
        assert account.head.habit == {account.now // DAY: 9000 * USD}
        assert which in account.head.allowed
        assert account.beneficiary("p2p").paid_at == account.now

    def test_the_platform_never_does(self) -> None:
        """Law 6: neither the platform nor a time lets it go, paid or not."""
        account, session = seller()
        which = sold(account, session)
        answer = release(account, which, PLATFORM)
        assert (codes(answer), answer.findings[0].until) == ([Reason.SALE_LOCKED], account.now + 24 * HOUR)
        paid(account, which)
        answer = release(account, which, PLATFORM)
        assert (codes(answer), answer.findings[0].until) == ([Reason.SALE_LOCKED], None)

    def test_it_is_worth_what_was_agreed(self) -> None:
        """The price of the sale was agreed with the order: what happens to it later moves no budget."""
        account, session = seller()
        which = sold(account, session, "5000")
        account.prices["USD"] = 9 * USD
        assert codes(release(account, which, session, *PROOFS)) == [Reason.PROVED]
        assert drawn(account) == 5000

    def test_what_stands_against_exits_now_stands_against_it(self) -> None:
        """A cool-off, the breaker, a restore and the owner's new limit stop what was locked before them."""
        account, session = seller()
        which = sold(account, session)
        paid(account, which)
        account.reconciling = True
        assert codes(release(account, which, session, *PROOFS)) == [Reason.RECONCILING]
        account.reconciling, account.tripped_at = False, account.now
        account.sign_in(device="burner")
        account.deliver()
        assert codes(release(account, which, session, *PROOFS)) == [Reason.BREAKER_TRIPPED, Reason.COOLING_OFF]
        account.tripped_at = 0
        assert codes(release(account, which, session, *PROOFS)) == [Reason.COOLING_OFF]
        assert account.head.exits[which].lock is not None
        account.wait(days=4)
        session = account.sign_in()
        account.ask(LimitSet("5"), session, *PROOFS)
        assert codes(release(account, which, session, *PROOFS)) == [Reason.OVER_OWN_LIMIT]

    def test_a_new_password_is_no_proof(self) -> None:
        """Law 10: whoever replaced the password today hands nothing over by it."""
        account, session = seller()
        which = sold(account, session)
        account.ask(PasswordChange(sealed("new")), session, *PROOFS)
        account.deliver()
        answer = release(account, which, account.sign_in(), *PROOFS)
        assert Reason.NO_SENIOR_AUTHENTICATOR in codes(answer)

    def test_a_vault_of_later_keeps_nothing_from_the_buyer(self) -> None:
        """What was set aside for a buyer is out of the vault that its owner makes afterwards."""
        account, session = seller()
        which = sold(account, session)
        account.ask(VaultSet(100, approver=account.contact_named(Channel.EMAIL)), session, *PROOFS)
        assert codes(release(account, which, session, *PROOFS)) == [Reason.PROVED]

    def test_what_fitted_the_instant_lane_goes_by_it(self) -> None:
        """On a kind that still waits a small sale draws on the instant lane, once."""
        account = Account()
        session = grow(account)
        account.ask(AddressAdd(sealed("anybody"), "p2p"), session, *PROOFS)
        which = sold(account, session, "60")
        assert drawn(account, Lane.INSTANT) == 60
        assert codes(sell(account, session, "60")) == [Reason.DESTINATION_NEW]
        assert codes(release(account, which, session, *PROOFS)) == [Reason.PROVED]
        assert drawn(account, Lane.INSTANT) == 60

    def test_what_did_not_goes_no_earlier_than_its_kind(self) -> None:
        """What was locked as a stranger's does not slip through the instant lane, once the kind is entered anew."""
        account = Account(policy_with(**{"outflow.sale_lock_h": 200}))
        session = grow(account)
        held_id(sell(account, session, "101"))
        which = held_id(sell(account, session, "101"))
        account.settle(days=4)
        assert codes(release(account, which, PLATFORM)) == [Reason.SALE_LOCKED]
        account.ask(AddressAdd(sealed("anybody"), "p2p"), account.sign_in(), *PROOFS)
        answer = release(account, which, account.any_session(), *PROOFS)
        assert codes(answer) == [Reason.DESTINATION_NEW]


class TestPaid:
    """What the platform says of the buyer."""

    def test_it_is_said_once(self) -> None:
        """Said again it changes nothing."""
        account, session = seller()
        which = sold(account, session)
        assert codes(paid(account, which)) == [Reason.NO_HARM]
        at = account.now
        account.wait(hours=1)
        assert codes(paid(account, which)) == [Reason.NO_HARM]
        lock = account.head.exits[which].lock
        assert lock is not None
        assert lock.paid_at == at
        account.wait(days=30)
        assert which in account.head.exits
        assert [type(one) for one in account.last_events()] == [ev.Decided]

    def test_only_of_a_sale(self) -> None:
        """No other exit is paid for by a buyer, and a sale that is locked is not final."""
        account, session = seller()
        which = held_id(account.pay("900000", "home", session))
        assert codes(paid(account, which)) == [Reason.NOT_FOUND]
        assert codes(paid(account, "x99")) == [Reason.NOT_FOUND]
        assert codes(account.ask(ExitSettle(sold(account, session), "final"), PLATFORM)) == [Reason.SALE_LOCKED]


class TestDispute:
    """After the buyer has paid nobody takes it back alone, nor lets it go."""

    @pytest.mark.parametrize("by", ["freeze", "owner", "platform", "address"])
    def test_a_stop_after_payment_is_a_dispute(self, by: str) -> None:
        """Nothing is given back, and its owner can neither release nor cancel it any more."""
        account, session = seller()
        which = sold(account, session)
        paid(account, which)
        match by:
            case "freeze":
                account.ask(AccountFreeze(), LINK)
            case "address":
                account.ask(AddressRemove("p2p"), session)
            case _:
                answer = account.ask(ExitCancel(which), session if by == "owner" else PLATFORM)
                assert (kind_of(answer), codes(answer)) == ("hold", [Reason.SALE_DISPUTED])
        assert [one.exit for one in account.last_events() if isinstance(one, ev.ExitDisputed)] == [which]
        assert drawn(account) == 9000
        for action in (ExitRelease(which), ExitCancel(which)):
            for asker in (session, PLATFORM):
                assert codes(account.ask(action, asker, *PROOFS, counterparty="bob")) == [Reason.SALE_DISPUTED]
        assert codes(paid(account, which)) == [Reason.SALE_DISPUTED]

    def test_a_hundred_presses_are_one_message(self) -> None:
        """A disputed sale is nothing that a stop could stop, so pressing again tells nobody anything new."""
        account, session = seller()
        which = disputed(account, session)
        account.ask(AccountFreeze(), LINK)
        assert not any(isinstance(one, ev.NoticeDue) for one in account.last_events())
        assert which in account.head.exits

    @pytest.mark.parametrize("to_buyer", [True, False])
    def test_two_of_the_staff_decide(self, *, to_buyer: bool) -> None:
        """One asks and is answered hold; another's same call completes it, the owner's own stop or not."""
        account, session = seller()
        which = disputed(account, session)
        tess, ines = (
            Colleague("tess", Role.TREASURER, at=account.now),
            Colleague("ines", Role.INVESTIGATOR, at=account.now),
        )
        ines.first = tess
        action = ExitRelease(which) if to_buyer else ExitCancel(which)
        first = tess.asks(account, action)
        assert (kind_of(first), codes(first)) == ("hold", [Reason.SECOND_PERSON_REQUIRED])
        assert isinstance(first, Hold)
        assert first.release_at is None
        assert codes(tess.asks(account, action)) == [Reason.SECOND_PERSON_REQUIRED]
        assert decide.needs(account.request(action, ines.actor), account.state).first == "staff-tess"
        assert codes(ines.asks(account, action)) == [Reason.PROVED]
        assert [type(one) for one in ines.stream.log[-2:]] == [ev.Decided, ev.DeviceProofSpent]
        over = [one for one in account.last_events() if isinstance(one, ev.ExitAllowed | ev.ExitCancelled)]
        assert [one.by for one in over] == [("staff-tess", "staff-ines")]
        assert which not in account.head.exits
        assert drawn(account) == (9000 if to_buyer else 0)
        assert account.last is not None
        until = (-(-account.now // HOUR) + 72) * HOUR
        mark = ev.ValueReceived(account.now, 9000 * USD, until, "alice", until)
        assert account.last.elsewhere == ((mark,) if to_buyer else ())

    def test_they_must_say_the_same(self) -> None:
        """Who wants it given back confirms nobody who wants it let go; both are heard anew."""
        account, session = seller()
        which = disputed(account, session)
        tess = Colleague("tess", Role.TREASURER, at=account.now)
        ines = Colleague("ines", Role.INVESTIGATOR, at=account.now)
        ines.first, tess.first = tess, ines
        tess.asks(account, ExitRelease(which))
        assert codes(ines.asks(account, ExitCancel(which))) == [Reason.SECOND_PERSON_REQUIRED]
        assert codes(tess.asks(account, ExitCancel(which))) == [Reason.PROVED]

    def test_a_word_grows_old(self) -> None:
        """What one said a week ago is confirmed by nobody."""
        account, session = seller()
        which = disputed(account, session)
        tess = Colleague("tess", Role.TREASURER, at=account.now)
        tess.asks(account, ExitCancel(which))
        account.wait(days=account.policy.staff.proposed_d)
        ines = Colleague("ines", Role.INVESTIGATOR, at=account.now)
        ines.first = tess
        assert codes(ines.asks(account, ExitCancel(which))) == [Reason.SECOND_PERSON_REQUIRED]

    def test_who_may_not(self) -> None:
        """Not without the role, not who lately read the customer, and of nothing that is not disputed."""
        account, session = seller()
        which = sold(account, session)
        tess = Colleague("tess", Role.TREASURER, at=account.now)
        rita = Colleague("rita", Role.REVIEWER, at=account.now)
        assert codes(tess.asks(account, ExitRelease(which))) == [Reason.NOT_ENTITLED]
        assert codes(tess.asks(account, ExitCancel(which))) == [Reason.NOT_ENTITLED]
        paid(account, which)
        account.ask(AccountFreeze(), LINK)
        refused = rita.asks(account, ExitRelease(which))
        assert (codes(refused), refused.findings[0].satisfied_by) == (
            [Reason.NOT_ENTITLED],
            ("investigator", "treasurer"),
        )
        account.state = replace(account.head, readers={"staff-tess": account.now})
        refused = tess.asks(account, ExitRelease(which))
        assert (codes(refused), refused.findings[0].about) == ([Reason.NOT_ENTITLED], "involved")

    def test_it_waits_on_the_desk_for_both(self) -> None:
        """A disputed sale is seen by both kinds of people who may decide it, until they did."""
        account, session = seller()
        which = disputed(account, session)
        assert items(account.head, account.policy) == tuple(
            Item("sale", f"{role}.{which}", account.now, account.now, 0, For.APPROVAL, role)
            for role in ("investigator", "treasurer")
        )


class TestTold:
    """What the platform is told of a sale."""

    def test_each_state_once(self) -> None:
        """Locked with the time to pay, disputed, and over; there is no time at which it might be released."""
        account, session = seller()
        before = account.head
        which = sold(account, session)
        until = account.now + 24 * HOUR
        assert [(one.kind, one.until) for one in news(before, account.head, account.now)] == [(Told.LOCKED, until)]
        assert not is_due(account.head, which, account.now, account.now)
        before = account.head
        paid(account, which)
        assert news(before, account.head, account.now) == ()
        before = account.head
        account.ask(ExitCancel(which), session)
        assert [one.kind for one in news(before, account.head, account.now)] == [Told.DISPUTED]
        before = account.head
        account.ask(AccountFreeze(), LINK)
        assert [one.kind for one in news(before, account.head, account.now)] == [Told.FROZEN]

    def test_a_release_is_told(self) -> None:
        """As of any exit."""
        account, session = seller()
        which = sold(account, session)
        before = account.head
        release(account, which, session, *PROOFS)
        assert [one.kind for one in news(before, account.head, account.now)] == [Told.RELEASED]


def test_a_delivered_notice_moves_no_lock() -> None:
    """A lock is no wait: that the owner was told of it late makes it no longer."""
    account, session = seller()
    which = sold(account, session)
    lock = account.head.exits[which].lock
    account.wait(hours=1)
    account.ask(NoticeOutcome("1-0", "c1-1", accepted=True, about=(ev.About("exit", which),)), SYSTEM)
    assert account.head.exits[which].lock == lock
