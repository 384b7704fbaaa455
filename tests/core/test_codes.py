"""Codes by text and mail: restricted kinds, that serve where nothing stronger is held and ring for no stranger."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    EMAIL,
    PASSKEY,
    PASSWORD,
    PLATFORM,
    SMS,
    TOTP,
    Account,
    codes,
    grown,
    held_id,
    kind_of,
    sealed,
)

from holdback.core import events as ev
from holdback.core.decision import Allow, Deny, Reason, StepUp
from holdback.core.events import DAY, MINUTE, Actor, ActorKind, AuthenticatorKind
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
    AuthenticatorSuspend,
)
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.contact import ContactReportRecycled
from holdback.core.rules.session import SessionStart
from holdback.core.rules.setting import LockSet

STRANGER = Actor(ActorKind.OWNER)


def rung(account: Account) -> list[str]:
    """The authenticators that the last answer sent codes to, each by a notice that only it gets."""
    asked = [one.authenticator for one in account.last_events() if isinstance(one, ev.AuthenticatorAsked)]
    sent = [one.contacts for one in account.last_events() if isinstance(one, ev.NoticeDue) and "code" in one.cause]
    assert sent == [(one,) for one in asked]
    return asked


class TestSending:
    """When a code is sent."""

    def test_strangers_make_nothing_ring(self) -> None:
        """Signing in sends a code once the password was shown, and not for a wrong or replayed one."""
        account, _ = grown(PASSWORD, SMS)
        account.ask(SessionStart(), STRANGER)
        assert rung(account) == []
        account.ask(SessionStart(), STRANGER, account.wrong("a1-1"))
        assert rung(account) == []
        account.ask(SessionStart(), STRANGER, replace(account.proof("a1-1"), epoch=7))
        assert rung(account) == []
        answer = account.ask(SessionStart(), STRANGER, "a1-1")
        assert rung(account) == ["a1-2"]
        assert isinstance(answer, StepUp)
        assert account.head.challenges[answer.challenge].codes_at == {"a1-2": account.now}
        assert kind_of(account.ask(SessionStart(), STRANGER, "a1-1", "a1-2", challenge=answer.challenge)) == "allow"
        assert answer.challenge not in account.head.challenges

    def test_without_a_password_there_is_nothing_to_show_first(self) -> None:
        """An account that holds only a number is asked there at once."""
        account, _ = grown(SMS)
        account.ask(SessionStart(), STRANGER)
        assert rung(account) == ["a1-1"]

    def test_a_session_is_enough(self) -> None:
        """Whoever is signed in is sent the code with the challenge, for money as for changes."""
        account, session = grown(PASSWORD, SMS, EMAIL)
        account.pay("5", "home", session, account.wrong("a1-1"))
        assert rung(account) == ["a1-2"]
        account.ask(LockSet(3), session)
        assert rung(account) == ["a1-2"]

    @pytest.mark.parametrize("kind", [TOTP, PASSKEY], ids=str)
    def test_nothing_is_sent_where_something_stronger_is_held(self, kind: AuthenticatorKind) -> None:
        """Law 2: a number beside an app or a key is never asked."""
        account, session = grown(PASSWORD, SMS, kind)
        for _ in range(2):
            account.ask(LockSet(3), session, "a1-1")
            assert rung(account) == []
            account.ask(AuthenticatorSuspend("a1-3"), session)
        assert codes(account.ask(LockSet(3), session, "a1-1", "a1-2")) == [Reason.AUTHENTICATOR_SUSPENDED]

    def test_not_again_at_once(self) -> None:
        """A fresh code comes for the asking after a while, and one that is being shown is not replaced."""
        account, session = grown(PASSWORD, SMS)
        account.ask(LockSet(3), session)
        account.wait(minutes=1.9)
        account.ask(LockSet(3), session)
        assert rung(account) == []
        account.wait(minutes=0.1)
        account.ask(LockSet(3), session, "a1-1", account.wrong("a1-2"))
        assert rung(account) == []
        account.ask(LockSet(3), session)
        assert rung(account) == ["a1-2"]

    def test_only_so_many_an_hour(self) -> None:
        """However many things are asked, a number gets ten codes an hour, and more in the next."""
        account, session = grown(PASSWORD, SMS)
        for hours in range(1, 15):
            account.ask(LockSet(hours), session)
            assert rung(account) == (["a1-2"] if hours <= 10 else [])
        account.wait(minutes=59)
        session = account.any_session()
        account.ask(LockSet(20), session)
        assert rung(account) == []
        account.wait(minutes=2)
        account.ask(LockSet(21), session)
        assert rung(account) == ["a1-2"]
        assert len(account.head.authenticators["a1-2"].codes_at) == 1


class TestBinding:
    """Binding a number or mailbox."""

    def bound(self, account: Account, session: bytes, text: str = "new", kind: AuthenticatorKind = SMS) -> str:
        """One that waits for its code."""
        answer = account.ask(AuthenticatorBind(kind, address=sealed(text)), session, "a1-1", "a1-2")
        assert isinstance(answer, Allow), answer
        return answer.id

    def test_a_code_goes_there_alone(self) -> None:
        """It is sent to what is bound, counts for nothing before it is shown, and is junior after."""
        account, session = grown()
        name = self.bound(account, session)
        due = [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]
        assert [(one.cause, one.contacts) for one in due] == [("authenticator.code", (name,))]
        assert not account.head.authenticators[name].confirmed
        answer = account.ask(AuthenticatorConfirm(name), session, name)
        assert isinstance(answer, Allow)
        assert answer.usable_from == account.now + 3 * DAY

    @pytest.mark.parametrize("kind", AuthenticatorKind)
    def test_an_address_belongs_to_codes(self, kind: AuthenticatorKind) -> None:
        """A number or mailbox must have one, nothing else may: what a factor rests on is not its owner's to say."""
        account, session = grown()
        by_code = kind in {SMS, EMAIL}
        action = AuthenticatorBind(kind, sealed("s"), None if by_code else sealed("to"))
        answer = account.ask(action, session, "a1-1", "a1-2")
        about = "kind" if kind is PASSWORD else "address"
        assert (codes(answer), answer.findings[0].about) == ([Reason.BAD_FIELD], about)

    def test_codes_that_confirm_are_not_sent_at_once_again(self) -> None:
        """A second binding of the kind replaces the first, and waits as long as a fresh code does."""
        account, session = grown()
        first = self.bound(account, session)
        answer = account.ask(AuthenticatorBind(SMS, address=sealed("other")), session, "a1-1", "a1-2")
        assert (codes(answer), answer.findings[0].until) == ([Reason.TOO_MANY], account.now + 2 * MINUTE)
        self.bound(account, session, "mail", EMAIL)
        account.wait(minutes=2)
        self.bound(account, session)
        assert first not in account.head.authenticators

    def test_a_number_is_bound_once(self) -> None:
        """What is held there already is not bound again; what was given away may be, by another's holder."""
        account, session = grown()
        name = self.bound(account, session)
        account.ask(AuthenticatorConfirm(name), session, name)
        answer = account.ask(AuthenticatorBind(SMS, address=sealed("new")), session, "a1-1", "a1-2")
        assert (codes(answer), answer.findings[0].about) == ([Reason.ALREADY_EXISTS], "address")
        self.bound(account, session, "other")
        account.wait(minutes=3)
        account.ask(ContactReportRecycled(authenticator=name), PLATFORM)
        self.bound(account, account.sign_in("a1-1", "a1-2"))

    def test_one_that_was_given_away_meanwhile_is_not_confirmed(self) -> None:
        """Whoever reads its code now is not the owner."""
        account, session = grown()
        name = self.bound(account, session)
        account.ask(ContactReportRecycled(authenticator=name), PLATFORM)
        session = account.sign_in("a1-1", "a1-2")
        assert codes(account.ask(AuthenticatorConfirm(name), session, name)) == [Reason.NOT_FOUND]


class TestGivenAway:
    """A number or mailbox that someone else has now proves nothing, and locks its owner out of nothing for good."""

    def reported(self, *kinds: AuthenticatorKind, which: str = "a1-2") -> tuple[Account, bytes]:
        """An account of which one authenticator was reported, its cool-off over, and a session of before."""
        account, _ = grown(*kinds)
        account.ask(ContactReportRecycled(authenticator=which), PLATFORM)
        account.settle()
        return account, account.sign_in(*(key for key in account.head.authenticators if key != which))

    def test_it_signs_nobody_in(self) -> None:
        """Neither alone nor beside the password, which is asked for instead; no code is sent there."""
        account, _ = self.reported(PASSWORD, SMS)
        answer = account.ask(SessionStart(), STRANGER, "a1-2")
        assert isinstance(answer, StepUp)
        assert answer.accept == (("password",),)
        assert rung(account) == []

    def test_money_stays_closed_until_an_heir_is_senior(self) -> None:
        """The password alone never becomes enough; what is bound now is, when it is as strong and senior."""
        account, session = self.reported(PASSWORD, SMS)
        answer = account.pay("5", "home", session, "a1-1", "a1-2")
        assert codes(answer) == [Reason.NO_SENIOR_AUTHENTICATOR]
        assert "authenticator.bind" in answer.findings[0].satisfied_by
        made = account.ask(AuthenticatorBind(TOTP, sealed("s")), session, "a1-1")
        assert isinstance(made, Allow)
        account.ask(AuthenticatorConfirm(made.id), session, made.id)
        account.deliver()
        answer = account.pay("5", "home", session, "a1-1", made.id)
        assert (kind_of(answer), answer.findings[0].until) == ("deny", account.now + 3 * DAY)
        account.settle()
        session = account.sign_in("a1-1", made.id)
        assert kind_of(account.pay("5", "home", session, "a1-1", made.id)) == "allow"

    def test_a_weaker_heir_is_none(self) -> None:
        """A mailbox does not step in for a number."""
        account, session = self.reported(PASSWORD, SMS, EMAIL)
        answer = account.pay("5", "home", session, "a1-1", "a1-3")
        assert codes(answer) == [Reason.NO_SENIOR_AUTHENTICATOR]

    def test_it_never_sets_the_bar_as_first_held(self) -> None:
        """While nothing is senior, what else came first does."""
        account = Account()
        account.open(PASSWORD, SMS)
        account.ask(ContactReportRecycled(authenticator="a1-2"), PLATFORM)
        assert account.sign_in("a1-1")

    def test_an_account_that_holds_nothing_else_must_recover(self) -> None:
        """There is nothing left to prove by, and the answer says so."""
        account, _ = grown(SMS)
        account.ask(ContactReportRecycled(authenticator="a1-1"), PLATFORM)
        answer = account.ask(SessionStart(), STRANGER, "a1-1")
        assert isinstance(answer, Deny)
        assert "recovery.open" in answer.findings[0].satisfied_by

    def test_it_is_not_reinstated(self) -> None:
        """Not even by itself, though it was suspended."""
        account, session = grown(PASSWORD, SMS)
        account.ask(AuthenticatorSuspend("a1-2"), session)
        waiting = held_id(account.ask(AuthenticatorReinstate("a1-2"), session, "a1-1", "a1-2"))
        account.ask(ContactReportRecycled(authenticator="a1-2"), PLATFORM)
        session = account.sign_in("a1-1")
        account.ask(ChangeCancel(waiting), session)
        answer = account.ask(AuthenticatorReinstate("a1-2"), session, "a1-1", "a1-2")
        assert codes(answer) == [Reason.NOT_FOUND]

    def test_it_is_nobody_to_stay(self) -> None:
        """The last authenticator that proves something is not removed because this one is left."""
        account, session = grown(PASSWORD, TOTP, SMS)
        account.ask(ContactReportRecycled(authenticator="a1-3"), PLATFORM)
        session = account.sign_in("a1-1", "a1-2")
        assert codes(account.ask(AuthenticatorRemove("a1-2"), session, "a1-1", "a1-2")) == [Reason.LAST_ONE]
