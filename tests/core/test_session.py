"""Signing in and out, and the password."""

from __future__ import annotations

import pytest
from tests.core.histories import (
    PASSKEY,
    PASSWORD,
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
from holdback.core.events import DAY, HOUR, Actor, ActorKind
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
