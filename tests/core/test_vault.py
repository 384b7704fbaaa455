"""The vault: a share that waits longer, a second person if the owner wants one, and nobody who shortens it."""

from __future__ import annotations

from typing import Final

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    PASSWORD,
    PLATFORM,
    SMS,
    USD,
    Account,
    codes,
    grown,
    held_id,
    kind_of,
    long_standing,
)
from tests.core.test_trading import settled

from holdback.core import budget
from holdback.core import events as ev
from holdback.core.decision import Allow, Context, Decision, Hold, Reason, StepUp
from holdback.core.events import DAY, HOUR, Actor, ActorKind
from holdback.core.rules.contact import ContactRemove
from holdback.core.rules.exit import ExitRelease
from holdback.core.rules.order import OrderLease, OrderPlace
from holdback.core.rules.setting import VaultSet
from holdback.core.state import Vault

PROOFS: Final = ("a1-1", "a1-2")


def locked(share: int, hours: int | None = None, approver: str | None = None) -> tuple[Account, bytes]:
    """A long-standing account of a million that locked a share, and its owner's session."""
    account, session = long_standing()
    assert kind_of(account.ask(VaultSet(share, hours, approver), session, *PROOFS)) == "allow"
    return account, session


def by_owner(account: Account, which: str) -> Decision:
    """The owner asks for a held exit, and brings the code that is wanted."""
    session = account.any_session()
    first = account.ask(ExitRelease(which), session, *PROOFS)
    if not isinstance(first, StepUp):
        return first
    code = account.head.challenges[first.challenge].contact
    return account.ask(ExitRelease(which), session, *PROOFS, code, challenge=first.challenge)


class TestTrades:
    """What trades give away is outflow: what reaches into the share is denied."""

    def test_what_an_order_gives_away_may_not_reach_into_it(self) -> None:
        """What is free may be given away; an order beyond it is denied, as one to reduce risk, and closes no pair."""
        account, session = locked(99)
        account.pay("9900", "home", session)
        session = account.sign_in()
        free = budget.outside_vault(account.head, account.now)
        assert free == 100 * USD
        order = OrderPlace("o1", "BTC/USDT", "buy", "1.1", "1007", reduces=True)
        assert codes(account.ask(order, session)) == [Reason.IN_VAULT]
        assert not account.head.closed
        assert kind_of(account.ask(replace(order, order="o2", amount="1006"), session)) == "allow"
        left = budget.outside_vault(account.head, account.now)
        assert left is not None
        assert 0 <= left < USD

    def test_within_tolerance_orders_go(self) -> None:
        """Where nothing is free any more, an order at the market goes; without a vault the bad one would."""
        account, session = locked(99)
        account.pay("10000", "home", session)
        session = account.sign_in()
        order = OrderPlace("o1", "BTC/USDT", "buy", "1.0001", "1000")
        assert kind_of(account.ask(order, session)) == "allow"
        assert codes(account.ask(replace(order, order="o2", price="1.1"), session)) == [Reason.IN_VAULT]
        account.state = replace(account.head, vault=None)
        assert kind_of(account.ask(replace(order, order="o3", price="1.1"), session)) == "allow"

    def test_a_lease_holds_what_is_free(self) -> None:
        """A lease is a tenth of what is left, and of what is outside the vault; where that is nothing there is none."""
        account, session = settled()
        account.ask(OrderPlace("o0", "BTC/USDT", "buy", "1", "1"), session)
        account.state = replace(account.head, vault=Vault(99, 24))
        free = budget.outside_vault(account.head, account.now)
        assert free
        assert kind_of(account.ask(OrderLease("BTC/USDT"), session)) == "allow"
        (granted,) = [one for one in account.last_events() if isinstance(one, ev.LeaseGranted)]
        assert granted.micro_usd == free // 10
        account.state = replace(account.head, vault=Vault(100, 24))
        assert codes(account.ask(OrderLease("BTC/USDT"), session)) == [Reason.OVER_TRADE_LIMIT]


class TestShare:
    """What reaches into the share waits, and what does not goes as ever."""

    def test_it_waits_as_long_as_the_owner_said(self) -> None:
        """What is free goes at once; one cent more waits for the policy's week, or for the owner's hours."""
        for hours in (None, 240):
            account, session = locked(90, hours)
            assert codes(account.pay("60000", "home", session)) == [Reason.PROVED]
            assert codes(account.pay("40000", "home", session)) == [Reason.PROVED]
            answer = account.pay("0.01", "home", session)
            assert isinstance(answer, Hold)
            assert codes(answer) == [Reason.OVER_BUDGET, Reason.IN_VAULT] or codes(answer) == [Reason.IN_VAULT]
            assert answer.release_at == account.now + (hours or 168) * HOUR
            account.deliver()
            account.wait(hours=(hours or 168) - 1)
            assert kind_of(account.ask(ExitRelease(answer.id), PLATFORM)) == "hold"
            account.wait(hours=1)
            assert kind_of(account.ask(ExitRelease(answer.id), PLATFORM)) == "allow"

    def test_small_steps_reach_as_far(self) -> None:
        """All that left in thirty days counts, the instant lane too; and what nobody can price reaches into it."""
        account, _ = locked(95)
        for _ in range(5):
            assert codes(account.pay("10000", "home", account.sign_in())) == [Reason.PROVED]
            account.wait(days=5)
        session = account.sign_in()
        assert Reason.IN_VAULT in codes(account.pay("1", "home", session))
        assert Reason.IN_VAULT in codes(account.pay("1", "stranger", session))
        account.wait(days=6)
        account.prices.clear()
        assert Reason.IN_VAULT in codes(account.pay("1", "home", account.sign_in()))

    def test_the_platforms_word_frees_nothing(self) -> None:
        """Law 6: saying that the account owns more frees nothing; that it owns less locks more."""
        account, session = locked(95)
        rich, poor = Context(equity_micro_usd=10**15), Context(equity_micro_usd=10**10)
        assert Reason.IN_VAULT in codes(account.pay("60000", "home", session, context=rich))
        assert Reason.IN_VAULT in codes(account.pay("1000", "home", session, context=poor))

    def test_nobody_shortens_it(self) -> None:
        """The owner's early release skips no hour of it, and the wait runs only once he was told."""
        account, session = locked(99)
        which = held_id(account.pay("50000", "home", session))
        account.wait(days=8)
        answer = by_owner(account, which)
        assert (codes(answer), getattr(answer, "release_at", 0)) == ([Reason.IN_VAULT], account.now + 7 * DAY)
        account.deliver()
        account.wait(days=6)
        assert codes(by_owner(account, which)) == [Reason.IN_VAULT]
        account.wait(days=1)
        assert kind_of(by_owner(account, which)) == "allow"

    def test_a_longer_vault_holds_what_already_waits(self) -> None:
        """Hours that the owner adds count for what was held before, from when it was."""
        account, session = locked(99, 24)
        which = held_id(account.pay("50000", "home", session))
        account.deliver()
        account.ask(VaultSet(99, 100), session, *PROOFS)
        account.wait(hours=99)
        assert Reason.IN_VAULT in codes(account.ask(ExitRelease(which), PLATFORM))
        account.wait(hours=1)
        assert kind_of(account.ask(ExitRelease(which), PLATFORM)) == "allow"


class TestChanging:
    """More is now, less waits as long as the vault itself."""

    @pytest.mark.parametrize(
        ("then", "after"),
        [
            (VaultSet(51), Vault(51, 100)),
            (VaultSet(50, 101), Vault(50, 101)),
            (VaultSet(50, approver="c1-2"), Vault(50, 100, "c1-2")),
            (VaultSet(49), None),
            (VaultSet(90, 99), None),
            (VaultSet(0), None),
            (VaultSet(0, 700, "c1-2"), None),
        ],
        ids=str,
    )
    def test_which_way_is_tighter(self, then: VaultSet, after: Vault | None) -> None:
        """What keeps as much in every way is now; less of anything waits the vault's hours, and then is."""
        account, session = locked(50, 100)
        answer = account.ask(then, session, *PROOFS)
        if after is not None:
            assert (kind_of(answer), account.head.vault) == ("allow", after)
            return
        assert isinstance(answer, Hold)
        assert (answer.release_at, account.head.vault) == (account.now + 100 * HOUR, Vault(50, 100))
        account.deliver()
        account.wait(hours=100)
        account.sign_in()
        hours = 100 if then.hours is None else then.hours
        assert account.head.vault == (Vault(then.share, hours) if then.share else None)

    def test_the_newest_tightening_wins(self) -> None:
        """What would be less is stopped by asking for more; none at all is as it was."""
        account, session = locked(50)
        account.ask(VaultSet(10), session, *PROOFS)
        assert account.head.changes
        account.ask(VaultSet(60), session, *PROOFS)
        assert not account.head.changes
        other, session = grown()
        assert kind_of(other.ask(VaultSet(0), session, *PROOFS)) == "allow"
        assert other.head.vault is None

    def test_an_approver_is_not_exchanged_at_once(self) -> None:
        """Another second person, or none, waits; leaving him out of the question leaves him in."""
        account, session = locked(50, 24, "c1-2")
        for approver in ("", "c1-1"):
            assert codes(account.ask(VaultSet(60, approver=approver), session, *PROOFS)) == [Reason.LOOSENING_WAITS]
        assert kind_of(account.ask(VaultSet(60, approver="c1-2"), session, *PROOFS)) == "allow"
        assert kind_of(account.ask(VaultSet(70), session, *PROOFS)) == "allow"
        assert account.head.vault == Vault(70, 24, "c1-2")


class TestApprover:
    """A second person: one of the owner's contacts, where nothing lives that anybody proves with."""

    @pytest.mark.parametrize("who", ["nobody", "x" * 64])
    def test_he_is_a_senior_contact(self, who: str) -> None:
        """Whoever could never approve is refused, or the vault would never open."""
        account, session = grown()
        assert codes(account.ask(VaultSet(50, approver=who), session, *PROOFS)) == [Reason.NO_SENIOR_CONTACT]

    def test_he_is_no_authenticator(self) -> None:
        """A number that the owner proves with is no second person."""
        account, session = grown(PASSWORD, SMS)
        account.ask(VaultSet(50, approver="c1-2"), session, *PROOFS)
        refused = account.ask(VaultSet(50, approver="c1-2"), session, *PROOFS)
        assert codes(refused) == [Reason.NO_SENIOR_CONTACT]
        assert kind_of(account.ask(VaultSet(50, approver="c1-1"), session, *PROOFS)) == "allow"

    def test_without_him_it_waits(self) -> None:
        """After its wait it stays until he agrees; his word skips nothing, and is asked for once."""
        account, session = locked(95, 24, "c1-2")
        answer = account.pay("60000", "stranger", session)
        assert isinstance(answer, Hold)
        assert {Reason.IN_VAULT, Reason.VAULT_APPROVAL} <= set(codes(answer))
        assert answer.release_at is None
        account.settle(days=3.5)
        alone = account.ask(ExitRelease(answer.id), PLATFORM)
        assert (codes(alone), alone) == ([Reason.VAULT_APPROVAL], Hold(alone.findings, answer.id, None))
        assert kind_of(by_owner(account, answer.id)) == "allow"
        (said,) = (one for one in account.log if isinstance(one, ev.ExitApproved))
        assert said.contact == "c1-2"

    def test_his_word_may_come_first(self) -> None:
        """He may agree while it still waits: then the platform lets it go at its time."""
        account, session = locked(95, 24, "c1-2")
        which = held_id(account.pay("60000", "home", session))
        account.deliver()
        account.wait(hours=2)
        assert Reason.IN_VAULT in codes(by_owner(account, which))
        assert account.head.exits[which].approved
        assert codes(by_owner(account, which)) == [Reason.IN_VAULT]
        account.wait(hours=22)
        assert kind_of(account.ask(ExitRelease(which), PLATFORM)) == "allow"

    def test_nobody_stands_in_for_him(self) -> None:
        """Another contact's code is not his, and if he is no contact any more nothing leaves the vault."""
        account, session = locked(95, 24, "c1-2")
        which = held_id(account.pay("60000", "home", session))
        account.settle(days=2)
        session = account.sign_in()
        first = account.ask(ExitRelease(which), session, *PROOFS)
        assert isinstance(first, StepUp)
        assert account.head.challenges[first.challenge].contact == "c1-2"
        again = account.ask(ExitRelease(which), session, *PROOFS, "c1-1", challenge=first.challenge)
        assert kind_of(again) == "step_up"
        account.ask(ContactRemove("c1-2"), session, *PROOFS)
        account.settle(days=9)
        session = account.sign_in()
        assert codes(account.ask(ExitRelease(which), session, *PROOFS)) == [Reason.NO_SENIOR_CONTACT]
        for kind in (ActorKind.STAFF, ActorKind.API_KEY, ActorKind.LINK, ActorKind.AGENCY, ActorKind.SYSTEM):
            assert kind_of(account.ask(ExitRelease(which), Actor(kind, contact="c1-1"), *PROOFS)) == "deny"
        assert isinstance(account.ask(ExitRelease(which), PLATFORM), Hold)

    def test_codes_asked_for_before_it_was_reached_are_not_his(self) -> None:
        """Exits that were free when their codes were sent, and that reach into it since, need his code, not those."""
        account, session = long_standing()
        account.ask(VaultSet(50, 24, "c1-2"), session, *PROOFS)
        held = [held_id(account.pay("300000", "home", account.sign_in())) for _ in range(3)]
        account.deliver()
        account.wait(hours=25)
        session = account.sign_in()
        asked = [account.ask(ExitRelease(one), session, *PROOFS) for one in held]
        opened = [one.challenge for one in asked if isinstance(one, StepUp)]
        assert [account.head.challenges[one].contact for one in opened] == ["c1-1"] * 3
        answers = [
            account.ask(ExitRelease(one), session, *PROOFS, "c1-1", challenge=challenge)
            for one, challenge in zip(held, opened, strict=True)
        ]
        assert [kind_of(one) for one in answers] == ["allow", "step_up", "step_up"]
        assert not [one for one in account.log if isinstance(one, ev.ExitApproved)]
        again = answers[1]
        assert isinstance(again, StepUp)
        assert account.head.challenges[again.challenge].contact == "c1-2"
        assert opened[1] not in account.head.challenges
        assert (
            kind_of(account.ask(ExitRelease(held[1]), session, *PROOFS, "c1-2", challenge=again.challenge)) == "allow"
        )
        (said,) = (one for one in account.log if isinstance(one, ev.ExitApproved))
        assert said.contact == "c1-2"

    def test_what_is_free_needs_nobody(self) -> None:
        """He is asked only for what reaches into the vault."""
        account, session = locked(50, 24, "c1-2")
        assert isinstance(account.pay("60000", "home", session), Allow)
        which = held_id(account.pay("300000", "home", session))
        account.settle(days=2)
        assert kind_of(account.ask(ExitRelease(which), PLATFORM)) == "allow"
