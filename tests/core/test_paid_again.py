"""An exit that was let go and whose receipt nobody spent: a fresh receipt of the same id, drawn and paid once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.core.authorities import Office
from tests.core.histories import (
    PLATFORM,
    SYSTEM,
    USD,
    Account,
    codes,
    destination,
    grown,
    held_id,
    kind_of,
    policy_with,
    sealed,
)
from tests.core.test_elsewhere import listed
from tests.core.test_recovery import paying
from tests.core.test_sale import disputed, seller, sold

from holdback.core import events as ev
from holdback.core.breaker import flow_of
from holdback.core.decision import Decision, Hold, Reason, StaffFact
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Lane, Scope
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.address import AddressAdd, AddressRemove
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeyRevoke, ApiKeySuspend
from holdback.core.rules.exit import ExitCancel, ExitReconcile, ExitRelease, ExitRequest, ExitSettle
from holdback.core.rules.incident import IncidentReport
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import RecoveryCancel, RecoveryContest
from holdback.core.rules.setting import LimitSet, VaultSet
from holdback.core.state import UNPAID_KEPT

if TYPE_CHECKING:
    from holdback.core.policy import Policy

PROOFS = ("a1-1", "a1-2")
LINK = Actor(ActorKind.LINK, contact="c1-1")


def let_go(account: Account, session: bytes, usd: str = "900", to: str = "home") -> str:
    """An exit that is allowed as it is asked for."""
    answer = account.pay(usd, to, session, *PROOFS)
    assert kind_of(answer) == "allow", answer
    return went(account).exit


def went(account: Account) -> ev.ExitAllowed:
    """The exit that the last answer let go."""
    (found,) = (one for one in account.last_events() if isinstance(one, ev.ExitAllowed))
    return found


def again(account: Account, which: str, by: Actor | bytes = PLATFORM, **fields: Any) -> Decision:  # noqa: ANN401 - as in `ask`
    """Somebody asks for another receipt."""
    return account.ask(ExitRelease(which), by, **fields)


def settle(account: Account, which: str, reference: str = "tx 1") -> Decision:
    """The platform says that it is paid."""
    return account.ask(ExitSettle(which, reference), PLATFORM)


def drawn(account: Account, lane: Lane = Lane.TOTAL) -> dict[int, int]:
    """USD that were drawn, by day."""
    meter = account.head.meters.get(lane)
    return {day: usd // USD for day, usd in meter.days.items() if usd} if meter is not None else {}


def after_a_wait(policy: Policy | None = None, usd: str = "900000") -> tuple[Account, bytes, str]:
    """An exit beyond the budget that was held, and let go at its time."""
    account, session = grown(policy=policy or policy_with())
    which = held_id(account.pay(usd, "home", session, *PROOFS))
    account.deliver()
    account.wait(hours=24)
    assert codes(again(account, which)) == [Reason.PROVED]
    return account, session, which


class TestOneExit:
    """However many receipts it gets, it is one exit."""

    @pytest.mark.parametrize("minutes", [1, 90, 26 * 60])
    def test_all_its_receipts_have_one_id(self, minutes: float) -> None:
        """Each names the exit and when it was asked for, so that the signer spends one of them."""
        account, session = grown()
        which = let_go(account, session)
        first = went(account)
        for _ in range(3):
            account.wait(minutes=minutes)
            assert codes(again(account, which)) == [Reason.PROVED]
            more = went(account)
            assert (more.receipt, more.digest, more.account) == (first.receipt, first.digest, first.account)
        assert first.receipt == f"alice/{which}@{first.at}"

    def test_one_that_was_held_is_named_by_when_it_was_asked_for(self) -> None:
        """A store that is restored from before it was let go gives its receipt no other id."""
        account, _, which = after_a_wait()
        asked = [one for one in account.log if isinstance(one, ev.ExitHeld)][-1]
        assert went(account).receipt == f"alice/{which}@{asked.at}"
        account.wait(hours=2)
        again(account, which)
        assert went(account).receipt == f"alice/{which}@{asked.at}"

    def test_it_draws_once_and_as_it_goes_last(self) -> None:
        """Law 3: what it drew is drawn no more where it was, and is drawn in the windows in which it is paid."""
        account, session = grown()
        which, began = let_go(account, session), account.now // DAY
        habit = dict(account.head.habit)
        assert drawn(account) == drawn(account, Lane.OTHERS) == {began: 900}
        again(account, which)
        assert (drawn(account), account.head.habit) == ({began: 900}, habit)
        account.wait(days=2)
        again(account, which)
        assert drawn(account) == drawn(account, Lane.OTHERS) == {began + 2: 900}
        assert {day: usd for day, usd in account.head.habit.items() if usd} == {began + 2: 900 * USD}

    def test_what_rose_in_price_draws_more(self) -> None:
        """It is worth what it is worth now, and never less than when it was let go."""
        account, session = grown()
        which = let_go(account, session)
        account.prices["USD"] = 2 * USD
        again(account, which)
        assert list(drawn(account).values()) == [1800]
        account.prices["USD"] = USD
        again(account, which)
        assert list(drawn(account).values()) == [1800]

    def test_who_receives_it_holds_it_once(self) -> None:
        """Law 3: the hold follows the money as it moves, so that one mark waits from the last time on."""
        account, session = grown()
        bob, _ = grown()
        action = ExitRequest("internal_transfer", "USD", "90", counterparty=destination("bob"))
        account.ask(action, session, *PROOFS, counterparty="bob")
        which = went(account).exit
        for hours in (0, 1, 30):
            account.wait(hours=hours)
            bob.now = account.now
            if hours:
                assert codes(again(account, which, counterparty="bob")) == [Reason.PROVED]
            assert account.last is not None
            bob.received(account.last.elsewhere)
            (mark,) = (one for one in bob.head.received if one.over_at > bob.now)
            assert (mark.micro_usd, mark.until) == (90 * USD, (-(-account.now // HOUR) + 24) * HOUR)
            (sent,) = account.head.sent.values()
            assert (sent.at, sent.until) == (account.now, mark.until)

    def test_whose_sender_was_stopped_stays_so(self) -> None:
        """A fresh receipt ends no longer wait at its receiver, and the return keeps the name that it had."""
        account, session = grown()
        action = ExitRequest("internal_transfer", "USD", "90", counterparty=destination("bob"))
        account.ask(action, session, *PROOFS, counterparty="bob")
        which, first = went(account).exit, account.now
        stopped = replace(account.head.sent[which], stopped=True)
        account.state = replace(account.head, sent={which: stopped})
        for _ in range(2):
            account.wait(hours=30)
            assert codes(again(account, which, counterparty="bob")) == [Reason.PROVED]
            assert account.last is not None
            (mark,) = account.last.elsewhere
            assert isinstance(mark, ev.ValueReceived)
            assert mark.until == (-(-account.now // HOUR) + 72) * HOUR
            sent = account.head.sent[which]
            assert (sent.stopped, sent.named_at, sent.at) == (True, first, account.now)

    def test_what_is_on_its_way_back_stays_marked(self) -> None:
        """Of a mark only what was not given back can be what comes late."""
        account, _ = grown()
        until, longest = account.now + 24 * HOUR, account.now + 72 * HOUR
        account.received((ev.ValueReceived(account.now, 90 * USD, until, "bob", longest),))
        account.received((ev.ValueRecalled(account.now, 60 * USD, "bob", account.now, until),))
        late = ev.ValueReceived(
            account.now, 90 * USD, until + HOUR, "bob", longest + HOUR, 90 * USD, account.now, until
        )
        account.received((late,))
        assert [(one.micro_usd, one.recalled_micro_usd) for one in account.head.received] == [
            (60 * USD, 60 * USD),
            (90 * USD, 0),
        ]

    def test_nobody_is_rung_up_each_minute(self) -> None:
        """A platform that asks again and again floods no owner, and its circuit breaker counts the exit once."""
        account, session = grown()
        which = let_go(account, session)
        assert any(isinstance(one, ev.NoticeDue) for one in account.last_events())
        before = account.everything()
        account.wait(minutes=1)
        again(account, which)
        assert not any(isinstance(one, ev.NoticeDue) for one in account.last_events())
        assert flow_of(before, went(account), account.policy) == (0, 0)

    def test_only_the_last_of_them(self) -> None:
        """So many are kept of which a fresh receipt may be asked for, and the ones before need to be asked for anew."""
        account, session = grown()
        names = [let_go(account, session, "1") for _ in range(UNPAID_KEPT + 1)]
        assert codes(again(account, names[0])) == [Reason.NOT_FOUND]
        assert codes(again(account, names[1])) == [Reason.PROVED]
        assert list(account.head.unpaid)[-1] == names[1]

    def test_not_for_ever(self) -> None:
        """After its time it must be asked for anew, so that signers need to know ids for no longer."""
        account, session = grown(policy=policy_with(**{"outflow.receipt_again_h": 5}))
        which = let_go(account, session)
        account.wait(hours=4.9)
        assert codes(again(account, which)) == [Reason.PROVED]
        account.wait(hours=0.1)
        answer = again(account, which)
        assert (codes(answer), answer.findings[0].satisfied_by) == ([Reason.NOT_FOUND], ())
        let_go(account, account.sign_in(), "1")
        assert which not in account.head.unpaid

    def test_a_sweep_is_asked_for_anew(self) -> None:
        """What draws nothing gets no second receipt."""
        account, session = grown(subs=("savings",))
        account.ask(
            ExitRequest("sweep", "USD", "5", counterparty=destination("savings")), session, counterparty="savings"
        )
        assert codes(again(account, went(account).exit)) == [Reason.NOT_FOUND]


class TestDecidedAgain:
    """It goes as if it were asked for now."""

    def test_the_platform_alone_asks(self) -> None:
        """The owner and the staff have no use for a receipt."""
        account, session = grown()
        which = let_go(account, session)
        account.staff = StaffFact("tess", ("treasurer",), involved=False)
        for by in (session, Actor(ActorKind.STAFF, key="tess")):
            assert codes(again(account, which, by)) == [Reason.NOT_ENTITLED]

    def test_a_freeze_ends_it(self) -> None:
        """What a thief had let go and nobody paid does not go while the account is frozen, nor at the thaw."""
        account, session = grown()
        which = let_go(account, session)
        account.ask(AccountFreeze(), LINK)
        assert codes(again(account, which)) == [Reason.NOT_FOUND]
        account.ask(AccountUnfreeze(), account.sign_in(), *PROOFS)
        account.settle(days=4)
        again(account, which)
        assert not account.head.frozen_at
        assert codes(again(account, which)) == [Reason.NOT_FOUND]
        assert list(drawn(account).values()) == [900]

    def test_an_order_stops_it(self) -> None:
        """While an authority's order stands nothing goes; after it it may."""
        account, session = grown()
        which = let_go(account, session)
        office = Office(account)
        office.orders(days=1)
        office.calls_back()
        office.approves("lena")
        office.approves("luc")
        office.releases("luc")
        assert codes(again(account, which)) == [Reason.UNDER_ORDER]
        account.wait(days=2)
        assert codes(again(account, which)) == [Reason.PROVED]

    def test_a_list_stops_it(self) -> None:
        """Whom it would pay is looked for on the lists of now; what it drew stays drawn, for it may have been paid."""
        account, session = grown()
        which = let_go(account, session)
        unpaid = account.head.unpaid[which]
        assert (unpaid.network, unpaid.destination) == ("bitcoin", destination("home"))
        account.lists = listed(account)
        assert codes(again(account, which)) == [Reason.DESTINATION_LISTED]
        assert list(drawn(account).values()) == [900]

    def test_a_closed_kind_stops_it(self) -> None:
        """A door that was closed since is closed."""
        account, session = grown()
        which = let_go(account, session)
        policy = account.policy
        account.policy = replace(policy, exits={key: to for key, to in policy.exits.items() if key != "withdrawal"})
        assert codes(again(account, which)) == [Reason.EXIT_KIND_CLOSED]

    def test_a_cool_off_holds_it(self) -> None:
        """A change of which the owner may know nothing holds it as it holds any exit; nothing is noted of that."""
        account, session = grown()
        which = let_go(account, session)
        account.ask(PasswordChange(sealed("new")), session, *PROOFS)
        answer = again(account, which)
        assert isinstance(answer, Hold)
        assert Reason.NOTICE_UNDELIVERED in codes(answer)
        assert [type(one) for one in account.last_events()] == [ev.Decided]
        account.settle(days=4)
        assert codes(again(account, which)) == [Reason.PROVED]

    def test_the_owners_limit_stops_it(self) -> None:
        """A limit that was set since stands against it, of what leaves beside it as well."""
        account, session = grown()
        which = let_go(account, session)
        account.ask(LimitSet(usd_per_day="900"), session, *PROOFS)
        assert codes(again(account, which)) == [Reason.PROVED]
        account.ask(LimitSet(usd_per_day="899"), session, *PROOFS)
        assert codes(again(account, which)) == [Reason.OVER_OWN_LIMIT]

    def test_it_fits_the_budget_of_the_day_on_which_it_goes(self) -> None:
        """Law 3: what was let go on many days does not leave on one; it waits for room, for no wait was had."""
        account, session = grown(equity="100000")
        which = let_go(account, session, "4000")
        account.wait(days=2)
        session = account.sign_in()
        let_go(account, session, "4000")
        answer = again(account, which)
        assert (kind_of(answer), codes(answer)) == ("hold", [Reason.OVER_BUDGET])
        account.wait(hours=80)
        assert codes(again(account, which)) == [Reason.PROVED]

    def test_what_waited_has_waited(self) -> None:
        """What was held as over budget goes again without another wait, on no budget."""
        account, _, which = after_a_wait()
        account.wait(hours=1)
        assert codes(again(account, which)) == [Reason.PROVED]
        assert went(account).lane is Lane.NONE

    def test_what_its_owner_let_go_early_is_early(self) -> None:
        """An early release skipped its own wait, and does so still."""
        account, session = grown()
        which = held_id(account.pay("900000", "home", session, *PROOFS))
        account.deliver()
        first = account.ask(ExitRelease(which), session)
        challenge = getattr(first, "challenge", "")
        contact = account.head.challenges[challenge].contact
        account.ask(ExitRelease(which), session, *PROOFS, contact, challenge=challenge)
        assert went(account).payable is not None
        account.wait(minutes=5)
        assert codes(again(account, which)) == [Reason.PROVED]

    def test_who_is_in_the_book_no_more_is_not_paid(self) -> None:
        """An address that its owner removed gets nothing any more, however it was let go; what was drawn stays."""
        account, session = grown()
        which, other = let_go(account, session), let_go(account, session, "5", "new")
        account.ask(AddressRemove("bitcoin", destination("home")), session)
        assert codes(again(account, which)) == [Reason.NOT_FOUND]
        assert list(drawn(account).values()) == [905]
        assert codes(again(account, other)) == [Reason.PROVED]

    @pytest.mark.parametrize("stop", ["cancelled", "contested"])
    def test_what_a_recovery_asked_for_ends_with_it(self, stop: str) -> None:
        """A recovery that was objected to gets nothing paid that was let go by its word."""
        account, one = paying()
        assert kind_of(one.evacuates("10")) == "allow"
        which = went(account).exit
        account.ask(*((RecoveryCancel(), one.by) if stop == "cancelled" else (RecoveryContest(), LINK)))
        assert which not in account.head.unpaid
        assert codes(again(account, which)) == [Reason.NOT_FOUND]

    def test_the_vault_keeps_its_wait(self) -> None:
        """What was let go before there was a vault does not reach into it."""
        account, session = grown()
        which = let_go(account, session, "40000")
        account.ask(VaultSet(share=99), session, *PROOFS)
        assert Reason.IN_VAULT in codes(again(account, which))

    @pytest.mark.parametrize("ends", [True, False])
    def test_what_a_key_asked_for_ends_with_it(self, ends: bool) -> None:  # noqa: FBT001 - a parameter of the test
        """A key that was revoked since gets nothing paid any more."""
        account, session = grown()
        which = by_key(account, session, "900")
        if ends:
            account.ask(ApiKeyRevoke(), account.sign_in())
        assert codes(again(account, which)) == [Reason.NOT_FOUND if ends else Reason.PROVED]

    @pytest.mark.parametrize("stop", ["suspended", "robbed"])
    def test_a_key_that_goes_on_brings_nothing_back(self, stop: str) -> None:
        """What a key asked for before it was stopped is not paid when it may go on."""
        account, session = grown()
        which = by_key(account, session, "900")
        (key,) = account.head.api_keys
        stopping = ApiKeySuspend(key) if stop == "suspended" else IncidentReport(sealed("all gone"))
        account.ask(stopping, account.sign_in())
        assert account.head.api_keys[key].suspended
        assert which not in account.head.unpaid

    def test_a_key_alone_goes_no_further_than_a_key_may(self) -> None:
        """What only a key asked for goes again within the budget alone; beyond it its owner asks himself."""
        account, session = grown()
        which = by_key(account, session, "40000")
        account.wait(days=2)
        let_go(account, account.sign_in(), "30000")
        assert set(codes(again(account, which))) == {Reason.OVER_BUDGET, Reason.PROOF_REQUIRED}


def by_key(account: Account, session: bytes, usd: str) -> str:
    """What an API key alone had let go."""
    made = ApiKeyCreate(sealed("bot"), (Scope.WITHDRAW,), (sealed("203.0.113.7"),), secret=sealed("key"))
    key = getattr(account.ask(made, session, *PROOFS), "id", "")
    account.settle(days=4)
    action = ExitRequest("withdrawal", "USD", usd, address=destination("home"), network="bitcoin")
    answer = account.ask(action, Actor(ActorKind.API_KEY, key=key))
    assert kind_of(answer) == "allow", answer
    return went(account).exit


class TestSales:
    """A sale whose coins were let go and did not move."""

    def gone(self) -> tuple[Account, bytes, str]:
        """One that its owner let go."""
        account, session = seller()
        which = sold(account, session)
        account.ask(ExitSettle(which, "bank", "paid"), PLATFORM)
        assert codes(account.ask(ExitRelease(which), session, *PROOFS, counterparty="bob")) == [Reason.PROVED]
        return account, session, which

    def test_it_draws_where_it_was_locked(self) -> None:
        """It is worth what was agreed, drawn as its order was made; its habit counts once."""
        account, _, which = self.gone()
        before = drawn(account)
        account.prices["USD"] = 3 * USD
        account.wait(days=1)
        assert codes(again(account, which, counterparty="bob")) == [Reason.PROVED]
        assert drawn(account) == before
        assert [usd for usd in account.head.habit.values() if usd] == [9000 * USD]

    def test_a_freeze_only_interrupts_it(self) -> None:
        """Its buyer has paid: it goes once its owner has thawed the account."""
        account, session, which = self.gone()
        account.ask(AccountFreeze(), LINK)
        assert codes(again(account, which, counterparty="bob")) == [Reason.FROZEN]
        account.ask(AccountUnfreeze(), account.sign_in(), *PROOFS)
        account.settle(days=4)
        account.ask(ExitCancel("x99"), session)
        assert codes(again(account, which, counterparty="bob")) == [Reason.PROVED]

    def test_a_freeze_ends_one_whose_buyer_has_not_paid(self) -> None:
        """Nobody is robbed if it does not go."""
        account, session = seller()
        which = sold(account, session)
        account.ask(ExitRelease(which), session, *PROOFS, counterparty="bob")
        assert codes(again(account, which, counterparty="bob")) == [Reason.PROVED]
        account.ask(AccountFreeze(), LINK)
        assert which not in account.head.unpaid

    def test_what_two_of_the_staff_ruled_goes_frozen_or_not(self) -> None:
        """The stop that made it disputed does not keep it from its buyer."""
        account, session = seller()
        which = disputed(account, session)
        rule(account, which)
        assert went(account).by == ("tess", "ines")
        assert account.head.frozen_at
        assert codes(again(account, which, counterparty="bob")) == [Reason.PROVED]


def rule(account: Account, which: str) -> None:
    """Two of the staff give it to the buyer."""
    for name, first in (("tess", ""), ("ines", "tess")):
        account.staff = StaffFact(name, ("treasurer",), involved=False, first=first)
        account.ask(ExitRelease(which), Actor(ActorKind.STAFF, key=name), counterparty="bob")
    account.staff = None


class TestSettled:
    """What is paid is over."""

    def test_there_is_no_receipt_for_what_is_paid(self) -> None:
        """Nobody gets another one after the platform has said that it is final."""
        account, session = grown()
        which = let_go(account, session)
        assert codes(settle(account, which)) == [Reason.NO_HARM]
        assert codes(again(account, which)) == [Reason.ALREADY_SETTLED]

    def test_it_is_paid_under_one_name(self) -> None:
        """Said again, the same is no news; another name for the same exit is another payment, and refused."""
        account, session = grown()
        which = let_go(account, session)
        settle(account, which)
        assert codes(settle(account, which)) == [Reason.NO_HARM]
        assert [type(one) for one in account.last_events()] == [ev.Decided]
        answer = settle(account, which, "tx 2")
        assert (kind_of(answer), codes(answer), answer.findings[0].about) == (
            "deny",
            [Reason.ALREADY_SETTLED],
            "reference",
        )
        for _ in range(3):
            settle(account, let_go(account, session, "1"))
        assert codes(settle(account, which, "tx 2")) == [Reason.ALREADY_SETTLED]

    def test_what_waits_is_not_paid(self) -> None:
        """To settle an exit that is held, locked or disputed says which it is."""
        account, session = grown()
        which = held_id(account.pay("900000", "home", session, *PROOFS))
        answer = settle(account, which)
        assert (codes(answer), answer.findings[0].satisfied_by) == ([Reason.STILL_HELD], ("exit.release",))
        assert codes(settle(account, "x99")) == [Reason.NOT_FOUND]
        account, session = seller()
        assert codes(settle(account, sold(account, session))) == [Reason.SALE_LOCKED]
        account, session = seller()
        assert codes(settle(account, disputed(account, session))) == [Reason.SALE_DISPUTED]


class TestRestored:
    """The signer paid, and the store that was restored knows nothing of it."""

    def test_a_merchant_stays_capped(self) -> None:
        """What a merchant was paid counts once more as its receipt is counted, and its margin comes back to nobody."""
        account, session = seller()
        account.ask(AddressAdd(sealed("anybody"), "card"), session, *PROOFS)
        account.settle(days=4)
        card = ExitRequest("card", "USD", "8000", counterparty=destination("shop"))
        assert kind_of(account.ask(card, account.sign_in(), *PROOFS)) == "allow"
        (shop,) = account.head.strangers
        account.ask(ExitReconcile(went(account).receipt, "9600", "card"), SYSTEM)
        assert sum(account.head.strangers[shop].values()) == 9600 * USD
        assert account.head.cards == {}
        assert codes(account.ask(card, account.sign_in(), *PROOFS)) == [Reason.STRANGER_CAP]

    @pytest.mark.parametrize("kind", ["held", "let go", "locked"])
    def test_what_the_signer_paid_is_over(self, kind: str) -> None:
        """An exit that waits here, or gets receipts still, ends as its receipt is counted, and is drawn once."""
        account, session = seller() if kind == "locked" else grown()
        if kind == "let go":
            which = let_go(account, session)
            receipt = went(account).receipt
        else:
            which = sold(account, session) if kind == "locked" else held_id(account.pay("900000", "home", session))
            receipt = ev.receipt_id("alice", which, account.now)
        account.wait(hours=1)
        assert kind_of(account.ask(ExitReconcile(receipt, "900"), SYSTEM)) == "allow"
        assert (account.head.exits, account.head.unpaid) == ({}, {})
        assert list(drawn(account).values()) == [900]
        assert codes(again(account, which)) == [Reason.ALREADY_SETTLED]
        assert codes(settle(account, which)) == [Reason.NO_HARM]
        assert codes(settle(account, which, "tx 2")) == [Reason.ALREADY_SETTLED]
        account.ask(ExitReconcile(receipt, "900"), SYSTEM)
        assert list(drawn(account).values()) == [900]
