"""Whether a device is the owner's: trust that is earned slowly, and what it does not depend on."""

from __future__ import annotations

import pytest
from tests.core.histories import POLICY, Account, grown, policy_with, sealed

from holdback.core import devices
from holdback.core import events as ev
from holdback.core.decision import Context
from holdback.core.events import HOUR, Actor, ActorKind
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.session import SessionStart
from holdback.core.state import NOBODY, Device

OWNER = Actor(ActorKind.OWNER)
PROOFS = ("a1-1", "a1-2")


def known(account: Account, device: str = "phone") -> bool:
    """Whether a device counts as the owner's now."""
    return devices.is_known(account.everything(), device, account.policy, account.now)


def met(*, deliver: bool = True) -> Account:
    """An account on which a phone signed in for the first time just now."""
    account, _ = grown()
    account.sign_in(device="phone")
    if deliver:
        account.deliver()
    return account


def test_a_stranger_is_not_known() -> None:
    """Nobody's device, one that never signed in, and one without a name are not the owner's."""
    account = met()
    assert not devices.is_known(NOBODY, "phone", POLICY, account.now)
    assert not known(account, "tablet")
    assert not known(account, "")
    assert not devices.was_met(account.everything(), "tablet")


def test_it_takes_three_days_and_two_of_them_quiet() -> None:
    """Neither the wait alone nor the days alone make a device known."""
    account = met()
    assert devices.was_met(account.everything(), "phone")
    account.wait(hours=71)
    account.sign_in(device="phone")
    assert not known(account)
    account.wait(hours=1)
    assert known(account)
    once = met()
    once.sign_in(device="phone")
    once.wait(days=30)
    assert not known(once)


def test_what_it_signed_in_with_is_in_the_log() -> None:
    """Each later sign-in says whether the device was known by then."""
    account = met()
    said = []
    for _ in range(3):
        account.wait(hours=36.5)
        account.sign_in(device="phone")
        said += [one.known for one in account.last_events() if isinstance(one, ev.DeviceSeen)]
    assert said == [False, True, True]


@pytest.mark.parametrize(("length", "days", "is_known"), [(72, 3, False), (100, 2, False), (72, 2, True)])
def test_both_numbers_are_the_policys(length: int, days: int, is_known: bool) -> None:  # noqa: FBT001 - a column
    """The wait and the days are numbers of the policy."""
    policy = policy_with(**{"devices.known_after_h": length, "devices.known_days": days})
    account, _ = grown(policy=policy)
    account.sign_in(device="phone")
    account.deliver()
    account.wait(days=4)
    account.sign_in(device="phone")
    assert known(account) is is_known


def test_the_owner_must_have_been_told() -> None:
    """A device that its owner never heard of is never known."""
    account = met(deliver=False)
    for _ in range(5):
        account.wait(days=2)
        account.sign_in(device="phone")
    assert not known(account)


def test_a_freeze_disputes_it() -> None:
    """A freeze while it waits starts the wait again at the thaw; no day of the freeze counts."""
    account = met()
    account.wait(days=1)
    session = account.sign_in()
    account.ask(AccountFreeze(), session)
    account.ask(AccountUnfreeze(), session, *PROOFS)
    account.deliver()
    account.wait(days=2.5)
    account.sign_in(device="phone")
    assert not known(account)
    assert _part(account).days == 1
    account.wait(days=1)
    account.sign_in(device="phone")
    account.wait(days=2.9)
    assert not known(account)
    account.sign_in(device="phone")
    account.wait(days=0.5)
    assert known(account)


def test_days_of_a_severe_change_do_not_count() -> None:
    """While exits cool severely, or the owner was not told, no device earns trust."""
    account, session = grown()
    account.ask(PasswordChange(sealed("new")), session, *PROOFS)
    account.sign_in(device="phone")
    assert _part(account).days == 0
    account.deliver()
    account.wait(hours=71)
    account.sign_in(device="phone")
    assert _part(account).days == 0
    account.wait(hours=1)
    account.sign_in(device="phone")
    account.wait(minutes=5)
    account.sign_in(device="phone")
    assert _part(account).days == 1


def test_neither_address_nor_browser_matter() -> None:
    """A rotated IPv6 address and an updated browser leave a device what it is."""
    account = met()
    for number in range(2):
        account.wait(days=2)
        account.tokens += 1
        seen = Context(device="phone", ip=sealed(f"2001:db8::{number}"), user_agent=sealed(f"Firefox/{130 + number}"))
        account.ask(SessionStart(), OWNER, *PROOFS, context=seen)
        assert not any(isinstance(one, ev.DeviceMet | ev.CoolOffStarted) for one in account.last_events())
    assert known(account)


def test_a_disowned_one_stays_disowned() -> None:
    """However often it signs in again, what its owner disowned is never known."""
    account = met()
    account.parts["device", "phone"] = Device(account.now, account.now, None, disowned_at=account.now)
    for _ in range(4):
        account.wait(days=2)
        account.sign_in(device="phone")
        assert any(isinstance(one, ev.DeviceMet) for one in account.log[-4:])
        account.deliver()
    assert not known(account)
    assert _part(account).disowned_at > HOUR


def _part(account: Account) -> Device:
    part = account.parts["device", "phone"]
    assert isinstance(part, Device)
    return part
