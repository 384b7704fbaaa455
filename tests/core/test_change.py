"""Law 1: loosening is asked now and in force after its wait, unless cancelled; tightening is at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    BACKUP_CODE,
    PASSWORD,
    TOTP,
    USD,
    Account,
    codes,
    grown,
    held_id,
    kind_of,
    policy_with,
)

from holdback.core import events as ev
from holdback.core.decision import Hold, Reason
from holdback.core.events import DAY, HOUR, ChangeKind, Setting
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.authenticator import AuthenticatorReinstate, AuthenticatorRemove, AuthenticatorSuspend
from holdback.core.rules.change import ChangeCancel, due
from holdback.core.rules.contact import ContactRemove
from holdback.core.rules.session import SessionEnd
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, VaultSet
from holdback.core.state import Change, Wait

if TYPE_CHECKING:
    from holdback.core.rules.asking import Action

PROOFS = ("a1-1", "a1-2")


def looser(name: str) -> tuple[Account, bytes, Action, str]:
    """An account on which this loosening can be asked, and the event that carries it out."""
    account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
    tightenings: dict[str, tuple[Action, ...]] = {
        "allowlist off": (AllowlistSet(on=True),),
        "lock down": (LockSet(30),),
        "limit up": (LimitSet("100"),),
        "limit off": (LimitSet("100"),),
        "vault down": (VaultSet(50, 24),),
        "vault off": (VaultSet(50, 24),),
        "unfreeze": (AccountFreeze(),),
        "reinstate": (AuthenticatorSuspend("a1-3"),),
    }
    for action in tightenings.get(name, ()):
        assert kind_of(account.ask(action, session, *PROOFS)) == "allow"
    loosenings: dict[str, tuple[Action, str]] = {
        "allowlist off": (AllowlistSet(on=False), "SettingChanged"),
        "lock down": (LockSet(29), "SettingChanged"),
        "limit up": (LimitSet("100.000001"), "SettingChanged"),
        "limit off": (LimitSet(None), "SettingChanged"),
        "vault down": (VaultSet(49), "VaultChanged"),
        "vault off": (VaultSet(0), "VaultChanged"),
        "unfreeze": (AccountUnfreeze(), "Unfrozen"),
        "reinstate": (AuthenticatorReinstate("a1-3"), "AuthenticatorReinstated"),
        "remove authenticator": (AuthenticatorRemove("a1-3"), "AuthenticatorRemoved"),
        "remove contact": (ContactRemove("c1-2"), "ContactRemoved"),
    }
    return account, session, *loosenings[name]


LOOSENINGS = [
    "allowlist off",
    "lock down",
    "limit up",
    "limit off",
    "vault down",
    "vault off",
    "unfreeze",
    "reinstate",
    "remove authenticator",
    "remove contact",
]


@pytest.mark.parametrize("name", LOOSENINGS)
class TestEveryLoosening:
    """What holds for all of them."""

    def test_it_waits_and_then_happens_by_itself(self, name: str) -> None:
        """It answers a hold with its instant, happens at that instant after the owner was told, and not before."""
        account, session, action, event = looser(name)
        answer = account.ask(action, session, *PROOFS)
        assert isinstance(answer, Hold)
        assert codes(answer) == [Reason.LOOSENING_WAITS]
        assert answer.release_at is not None
        wait = answer.release_at - account.now
        assert wait >= 24 * HOUR
        told_at = account.now + 2 * HOUR
        account.now = told_at
        account.deliver()
        for at, done in ((told_at + wait - 1, False), (told_at + wait, True)):
            account.now = at
            account.ask(ChangeCancel("nothing"), account.any_session())
            found = [type(one).__name__ for one in account.log if isinstance(one, ev.ChangeDone)]
            assert bool(found) is done
        assert any(type(one).__name__ == event and one.at == account.now for one in account.log)
        assert account.head.changes == {}

    def test_it_does_not_happen_untold(self, name: str) -> None:
        """Law 5: until a senior contact accepted the notice nothing happens, however long that takes."""
        account, session, action, event = looser(name)
        account.ask(action, session, *PROOFS)
        account.wait(days=100)
        account.ask(ChangeCancel("nothing"), account.sign_in("a1-1", "a1-2"))
        assert len(account.head.changes) == 1
        assert not any(type(one).__name__ == event and one.at == account.now for one in account.log)

    def test_it_can_be_cancelled(self, name: str) -> None:
        """Any session may cancel it, by no proof; then it never happens."""
        account, session, action, _ = looser(name)
        which = held_id(account.ask(action, session, *PROOFS))
        answer = account.ask(ChangeCancel(which), session)
        assert (kind_of(answer), codes(answer)) == ("allow", [Reason.TIGHTENING])
        assert codes(account.ask(ChangeCancel(which), session)) == [Reason.NOT_FOUND]
        account.settle(days=30)
        account.ask(SessionEnd(), account.sign_in("a1-1", "a1-2"))
        assert not any(isinstance(one, ev.ChangeDone) for one in account.log)

    def test_asking_again_changes_nothing(self, name: str) -> None:
        """The hold that runs is answered, with the instant it already has."""
        account, session, action, _ = looser(name)
        first = account.ask(action, session, *PROOFS)
        account.wait(hours=0.5)
        assert account.ask(action, session, *PROOFS) == first
        assert len(account.head.changes) == 1

    def test_the_owner_is_told_severely(self, name: str) -> None:
        """Law 5: every loosening is severe news, never folded."""
        account, session, action, _ = looser(name)
        account.ask(action, session, *PROOFS)
        told = [one for one in account.last_events() if isinstance(one, ev.NoticeDue) and one.cause == "change.asked"]
        assert [one.severity for one in told] == [ev.Severity.SEVERE]

    def test_the_owners_lock_lengthens_it(self, name: str) -> None:
        """No loosening waits less than the owner's own lock."""
        account, session, action, _ = looser(name)
        if not isinstance(action, LockSet):
            account.ask(LockSet(300), session, *PROOFS)
        answer = account.ask(action, session, *PROOFS)
        assert isinstance(answer, Hold)
        assert answer.release_at is not None
        assert answer.release_at - account.now == (72 if isinstance(action, LockSet) else 300) * HOUR

    def test_a_later_lock_does_not_touch_what_runs(self, name: str) -> None:
        """Instants are written when a loosening is asked; nothing moves them earlier, a lock only moves later ones."""
        account, session, action, _ = looser(name)
        first = account.ask(action, session, *PROOFS)
        account.ask(LockSet(300), session, *PROOFS)
        assert account.ask(action, session, *PROOFS) == first or isinstance(action, LockSet)


class TestSettings:
    """Allowlist, lock and limit."""

    @pytest.mark.parametrize(
        ("action", "setting", "value"),
        [
            (AllowlistSet(on=True), Setting.ALLOWLIST, 1),
            (LockSet(48), Setting.LOCK_HOURS, 48),
            (LimitSet("12.5"), Setting.LIMIT_MICRO_USD, 12_500_000),
            (LimitSet("0"), Setting.LIMIT_MICRO_USD, 0),
        ],
        ids=["allowlist", "lock", "limit", "limit of nothing"],
    )
    def test_tighter_is_now(self, action: Action, setting: Setting, value: int) -> None:
        """A tighter value is in force at once."""
        account, session = grown()
        assert codes(account.ask(action, session, *PROOFS)) == [Reason.TIGHTENING]
        assert account.head.setting(setting) == value

    def test_the_newest_tightening_wins(self) -> None:
        """A tightening cancels what waits to loosen the same setting, and leaves other settings' changes alone."""
        account, session = grown()
        for action in (LimitSet("100"), LockSet(10), LimitSet("200"), LimitSet("300"), LockSet(5)):
            account.ask(action, session, *PROOFS)
        assert len(account.head.changes) == 3
        account.ask(LimitSet("50"), session, *PROOFS)
        assert [one.subject for one in account.head.changes.values()] == ["lock_hours"]
        account.settle(days=30)
        account.sign_in()
        assert account.head.setting(Setting.LIMIT_MICRO_USD) == 50 * USD

    def test_several_values_may_wait(self) -> None:
        """Two different values are two changes; the later one to come due stands."""
        account, session = grown()
        for action in (LimitSet("100"), LimitSet("300"), LimitSet("200")):
            account.ask(action, session, *PROOFS)
            account.wait(minutes=1)
        account.settle()
        account.sign_in()
        assert account.head.setting(Setting.LIMIT_MICRO_USD) == 200 * USD

    def test_only_so_many_wait(self) -> None:
        """The number of waiting changes is bounded; cancelling makes room."""
        account, session = grown(policy=policy_with(**{"bounds.waiting_changes": 2}))
        for usd in ("100", "200", "300"):
            account.ask(LimitSet(usd), session, *PROOFS)
        answer = account.ask(LimitSet("400"), session, *PROOFS)
        assert (codes(answer), answer.findings[0].satisfied_by) == ([Reason.TOO_MANY], ("change.cancel",))


class TestComingDue:
    """What a loosening does when its time has come."""

    def test_they_happen_in_the_order_of_their_instants(self) -> None:
        """Several that come due together are carried out in order, each in its own events."""
        account, session = grown()
        account.ask(LimitSet("100"), session, *PROOFS)
        account.ask(AllowlistSet(on=True), session, *PROOFS)
        account.ask(LimitSet("200"), session, *PROOFS)
        account.wait(minutes=1)
        account.ask(AllowlistSet(on=False), session, *PROOFS)
        account.settle()
        account.sign_in()
        events = account.last_events()
        done = [one for one in events if isinstance(one, ev.ChangeDone | ev.SettingChanged)]
        assert [type(one).__name__ for one in done] == ["ChangeDone", "SettingChanged"] * 2
        changed = [one.setting for one in done if isinstance(one, ev.SettingChanged)]
        assert changed == [Setting.LIMIT_MICRO_USD, Setting.ALLOWLIST]

    def test_a_replaced_contact_is_still_told(self) -> None:
        """Law 5: it gets freeze-only notices for 30 days more, and its acceptance still starts waits."""
        account, session = grown()
        account.ask(ContactRemove("c1-2"), session, *PROOFS)
        account.settle()
        account.sign_in()
        gone = account.head.contacts["c1-2"]
        assert (gone.removed, gone.told_until) == (True, account.now + 30 * DAY)
        removed = [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]
        assert ("contact.removed", ("c1-1", "c1-2")) in [(one.cause, one.contacts) for one in removed]
        account.deliver("c1-2")
        assert account.undelivered() == []

    def test_the_last_contact_stays(self) -> None:
        """Two contacts that were to be removed side by side do not both go."""
        account, session = grown()
        for which in ("c1-1", "c1-2"):
            assert kind_of(account.ask(ContactRemove(which), session, *PROOFS)) == "hold"
        account.settle()
        account.sign_in()
        assert [one.removed for one in account.head.contacts.values()] == [True, False]
        assert account.head.changes == {}

    @pytest.mark.parametrize("kind", [kind for kind in ChangeKind if kind is not ChangeKind.SET], ids=str)
    def test_what_is_gone_is_left_alone(self, kind: ChangeKind) -> None:
        """A change whose subject is gone when its time comes is done, and does nothing."""
        account, _ = grown()
        waits = Change(kind, "gone", 0, account.now, Wait(1, account.now, heard=True))
        head = replace(account.head, changes={"ch1": waits})
        assert due(head, account.policy, account.now) == [ev.ChangeDone(account.now, "ch1")]
