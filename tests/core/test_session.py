"""Signing in and out, and the password."""

from __future__ import annotations

import pytest
from tests.core.histories import (
    PASSKEY,
    PASSWORD,
    PLATFORM,
    SMS,
    TOTP,
    Account,
    codes,
    fitting,
    grow,
    grown,
    kind_of,
    policy_with,
    sealed,
)
from tests.core.watched import Watched

from holdback.core import events as ev
from holdback.core.decision import Allow, Context, Reason
from holdback.core.devices import is_known
from holdback.core.events import DAY, HOUR, Actor, ActorKind, Severity
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.authenticator import AuthenticatorRemove, AuthenticatorSuspend
from holdback.core.rules.contact import ContactReportRecycled
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.session import SessionEnd, SessionEndAll, SessionStart
from holdback.core.rules.setting import LockSet

PROOFS = ("a1-1", "a1-2")
OWNER = Actor(ActorKind.OWNER)


class TestStart:
    """Signing in."""

    def test_it_answers_with_the_sessions_public_id(self) -> None:
        """The id is the token's hash, and the session has the policy's ends."""
        account, _ = grown()
        account.tokens += 1
        answer = account.ask(SessionStart(), OWNER, *PROOFS, context=Context(device="laptop"))
        token = account.token(account.tokens)
        assert isinstance(answer, Allow)
        assert (codes(answer), answer.id) == ([Reason.PROVED], token.hex())
        session = account.head.sessions[token]
        assert (session.until, session.idle_ms) == (account.now + DAY, HOUR)
        assert (session.device, session.password_at) == ("laptop", account.now)

    def test_a_platform_that_names_no_device_locks_nobody_out(self) -> None:
        """Each such sign-in cools exits anew, and however many there are the next one finds room."""
        account = Watched()
        grow(account)
        for hours in range(40):
            account.sign_in(device="")
            account.deliver("c1-1" if hours % 3 else "c1-2")
            if hours % 8 == 0:
                session = account.any_session()
                account.add(f"place {hours}", session)
                account.pay("5", "home", session)
                account.deliver()
            account.wait(hours=1.5)
        assert len(account.head.cool_offs) < 9
        account.settle(days=7)
        session = account.sign_in()
        for hours in range(0, 40, 8):
            assert kind_of(account.pay("5", f"place {hours}", session)) == "allow"

    @pytest.mark.parametrize(
        ("devices", "met"),
        [
            (("laptop",), [False]),
            (("phone", "phone"), [True, False]),
            (("", ""), [True, True]),
            (("phone", "tablet"), [True, True]),
        ],
        ids=str,
    )
    def test_a_new_device_is_a_mild_change(self, devices: tuple[str, ...], met: list[bool]) -> None:
        """A device is new once; one that is not named is new each time (law 8)."""
        account, _ = grown()
        for device, new in zip(devices, met, strict=True):
            account.sign_in(device=device)
            events = account.last_events()
            assert any(isinstance(one, ev.DeviceMet) for one in events) is new
            assert any(isinstance(one, ev.CoolOffStarted) for one in events) is new

    def test_an_unnamed_device_is_new_whatever_is_loaded(self) -> None:
        """Even with every part at hand no part stands for a device without a name."""
        account, _ = grown()
        account.sign_in(device="")
        assert all(name for kind, name in account.parts if kind == "device")

    def test_without_a_password_nothing_is_fresh(self) -> None:
        """A session that was started by a passkey proved no password."""
        account, _ = grown(PASSWORD, PASSKEY)
        token = account.sign_in("a1-2")
        assert account.head.sessions[token].password_at == 0

    def test_only_so_many_are_open(self) -> None:
        """Live sessions are bounded; those that ran out do not count."""
        account, _ = grown(policy=policy_with(**{"sessions.open_max": 3}))
        account.sign_in()
        account.sign_in()
        answer = account.ask(SessionStart(), OWNER, *PROOFS)
        assert (codes(answer), answer.findings[0].satisfied_by) == ([Reason.TOO_MANY], ("session.end_all",))
        account.wait(minutes=60)
        account.sign_in()

    def test_it_idles_out(self) -> None:
        """A session ends after an hour without use, and after a day in any case."""
        account, session = grown()
        for _ in range(24):
            account.wait(minutes=59)
            assert kind_of(account.ask(LockSet(1), session)) == "step_up"
        account.wait(minutes=59)
        assert codes(account.ask(LockSet(1), session)) == [Reason.SESSION_ENDED]
        assert account.now - account.head.sessions[session].started_at > DAY


class TestEnd:
    """Signing out."""

    def test_ones_own(self) -> None:
        """Without a name it is the asker's own."""
        account, session = grown()
        assert codes(account.ask(SessionEnd(), session)) == [Reason.TIGHTENING]
        assert session not in account.head.sessions

    def test_another(self) -> None:
        """Any session may end any other by its public id."""
        account, session = grown()
        other = account.sign_in()
        assert codes(account.ask(SessionEnd(other.hex()), session)) == [Reason.TIGHTENING]
        assert set(account.head.sessions) == {session}
        assert codes(account.ask(SessionEnd(other.hex()), session)) == [Reason.NOT_FOUND]

    def test_all(self) -> None:
        """Everywhere, the asker included."""
        account, session = grown()
        account.sign_in()
        account.ask(SessionEndAll(), session)
        assert account.head.sessions == {}


CREDENTIALS = {
    "password changed": PasswordChange(sealed("new")),
    "authenticator suspended": AuthenticatorSuspend("a1-3"),
}


class TestCredentials:
    """A credential that changes ends what was begun with it."""

    @pytest.mark.parametrize("name", CREDENTIALS)
    def test_all_other_sessions_end(self, name: str) -> None:
        """Only the asker stays signed in when a password is changed or an authenticator suspended."""
        account = Watched()
        session = grow(account, PASSWORD, TOTP, PASSKEY)
        others = [account.sign_in(), account.sign_in(device="phone")]
        answer = account.ask(CREDENTIALS[name], session, *account.head.authenticators)
        assert isinstance(answer, Allow)
        assert set(account.head.sessions) == {session}
        ended = [one.session for one in account.last_events() if isinstance(one, ev.SessionEnded)]
        assert set(others) <= set(ended)
        assert len(set(ended)) == len(ended)
        assert codes(account.ask(SessionEndAll(), others[0])) == [Reason.SESSION_ENDED]

    def test_a_removal_that_comes_due_ends_all(self) -> None:
        """Nobody's session is spared when an authenticator goes by itself: whoever asks then may be the thief."""
        account = Watched()
        session = grow(account, PASSWORD, TOTP, PASSKEY)
        account.ask(AuthenticatorRemove("a1-2"), session, *account.head.authenticators)
        account.deliver()
        account.wait(hours=71.5)
        thiefs = account.sign_in()
        account.wait(hours=0.5)
        assert codes(account.ask(SessionEndAll(), thiefs)) == [Reason.SESSION_ENDED]
        assert "a1-2" not in account.head.authenticators
        assert account.head.sessions == {}

    def test_what_a_recycled_number_carried_ends(self) -> None:
        """Authenticators on a number that was given away are suspended, and every session ends with them."""
        account = Watched()
        grow(account, PASSWORD, TOTP, SMS)
        account.ask(ContactReportRecycled("c1-2"), PLATFORM)
        assert account.head.sessions == {}


class TestDisowning:
    """Saying that a device was not the owner's."""

    def met(self) -> tuple[Watched, bytes, bytes]:
        """An account on which a thief signed in with a tablet, and the owner with a laptop."""
        account = Watched()
        session = grow(account)
        thiefs = account.sign_in(device="tablet")
        account.deliver()
        return account, session, thiefs

    @pytest.mark.parametrize("by_link", [True, False])
    def test_it_is_signed_out_and_the_account_frozen(self, *, by_link: bool) -> None:
        """One press freezes, ends that device's sessions alone, and cools severely; the device is new for good."""
        account, session, thiefs = self.met()
        asking = Actor(ActorKind.LINK, contact="c1-1") if by_link else session
        assert codes(account.ask(AccountFreeze(disown="tablet"), asking)) == [Reason.TIGHTENING]
        assert account.head.frozen_at == account.now
        assert codes(account.ask(SessionEndAll(), thiefs)) == [Reason.SESSION_ENDED]
        assert session in account.head.sessions
        cooled = {one.cause: one.severity for one in account.head.cool_offs.values()}
        assert cooled["device.disowned"] is Severity.SEVERE
        for _ in range(3):
            account.sign_in(device="tablet")
            assert any(isinstance(one, ev.DeviceMet) for one in account.last_events())
            account.deliver()
            account.wait(days=4)
        assert not is_known(account.everything(), "tablet", account.policy, account.now)

    def test_those_without_a_name_go_together(self) -> None:
        """Where the platform named no device, every session without one ends."""
        account, session, _ = self.met()
        nameless = account.sign_in(device="")
        account.ask(AccountFreeze(disown=""), Actor(ActorKind.LINK, contact="c1-1"))
        assert nameless not in account.head.sessions
        assert session in account.head.sessions

    @pytest.mark.parametrize("device", ["nobody's", "", "tablet"])
    def test_what_is_not_there_stops_no_freeze(self, device: str) -> None:
        """A device that is unknown, or disowned already, is no obstacle and no news."""
        account, _, _ = self.met()
        account.ask(AccountFreeze(disown="tablet"), Actor(ActorKind.LINK, contact="c1-1"))
        account.wait(minutes=20)
        answer = account.ask(AccountFreeze(disown=device), Actor(ActorKind.LINK, contact="c1-1"))
        assert codes(answer) == [Reason.TIGHTENING]
        assert not any(isinstance(one, ev.DeviceDisowned) for one in account.last_events())


class TestPassword:
    """Replacing the password."""

    def test_it_is_severe_and_ends_other_sessions(self) -> None:
        """It is in force at once, junior for 72 h, cools exits severely, and only the asker stays signed in."""
        account, session = grown()
        account.sign_in()
        answer = account.ask(PasswordChange(sealed("new")), session, *PROOFS)
        assert isinstance(answer, Allow)
        assert (codes(answer), answer.id) == ([Reason.RIPENS_LATER], "a1-1")
        assert answer.usable_from == account.now + 3 * DAY
        assert set(account.head.sessions) == {session}
        assert account.head.authenticators["a1-1"].epoch == 2
        findings = codes(account.pay("5", "home", session, "a1-1", "a1-2"))
        assert findings == [Reason.NO_SENIOR_AUTHENTICATOR, Reason.NOTICE_UNDELIVERED]

    def test_proofs_of_the_old_one_no_longer_count(self) -> None:
        """What was proved for the secret before is spent with it."""
        account, session = grown()
        old = fitting(account.proof("a1-1"), b"", account.now)
        account.ask(PasswordChange(sealed("new")), session, *PROOFS)
        answer = account.ask(LockSet(5), session, old, "a1-2")
        assert (kind_of(answer), codes(answer)[0]) == ("step_up", Reason.PROOF_REPLAYED)

    def test_each_change_needs_its_own_notice(self) -> None:
        """The notice of an earlier change does not start the wait of a later one."""
        account, session = grown()
        account.ask(PasswordChange(sealed("one")), session, *PROOFS)
        (first,) = account.undelivered()
        account.wait(minutes=5)
        account.ask(PasswordChange(sealed("two")), session, *PROOFS)
        account.outcome(first, "c1-1")
        assert not account.head.authenticators["a1-1"].ripens.heard
        account.deliver()
        assert account.head.authenticators["a1-1"].ripens.heard

    def test_there_must_be_one(self) -> None:
        """An account without a password has none to change."""
        account = Account()
        account.open(TOTP)
        answer = account.ask(PasswordChange(sealed("new")), account.sign_in(), "a1-1")
        assert codes(answer) == [Reason.NOT_FOUND]
