"""Sessions that are bound to a device's key: a copied token is worth nothing, and its owner is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from msgspec.structs import replace
from tests.core.histories import Account, codes, grow, grown, kind_of, policy_with
from tests.core.test_decide import BY_SESSION
from tests.core.watched import Watched

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Context, DeviceProof, Reason
from holdback.core.events import Actor, ActorKind, Severity
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.session import SessionEnd, SessionEndAll, SessionStart
from holdback.core.rules.setting import LockSet

if TYPE_CHECKING:
    from holdback.core.decision import Decision, Facts
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Action

OWNER: Final = Actor(ActorKind.OWNER)
PROOFS: Final = ("a1-1", "a1-2")
KEY: Final = b"the laptop's key"


def bound(policy: Policy | None = None) -> tuple[Watched, bytes]:
    """A senior account whose owner is signed in by a device that has a key."""
    account = Watched(policy) if policy else Watched()
    account.device_key = KEY
    grow(account)
    session = account.sign_in()
    account.deliver()
    return account, session


def asked(account: Account, action: Action, session: bytes, device: DeviceProof | None) -> Decision:
    """Ask by a session, with a proof of this device, and the strongest proofs there are."""
    request = account.request(action, session)
    facts: Facts = account.facts(request, PROOFS)
    return account.submit(request, replace(facts, device=device))


def wrote(account: Account, *kinds: type[Any]) -> list[Any]:
    """What the last answer wrote of some kinds."""
    return [one for one in account.last_events() if isinstance(one, kinds)]


@pytest.mark.parametrize("action", BY_SESSION, ids=decide.action_name)
@pytest.mark.parametrize("proof", ["none", "another's", "wrong"])
def test_a_copied_token_opens_nothing(action: Action, proof: str) -> None:
    """Every action an owner can ask is refused to a copied token without the key, and the owner is told at once."""
    account, session = bound()
    signed = {"none": None, "another's": account.signed(thumbprint=b"thief"), "wrong": account.signed(wrong="dpop")}
    answer = asked(account, action, session, signed[proof])
    assert kind_of(answer) == "deny"
    assert codes(answer) == [Reason.DEVICE_KEY_REQUIRED if proof == "none" else Reason.DEVICE_KEY_WRONG]
    (notice,) = wrote(account, ev.NoticeDue)
    assert (notice.cause, notice.severity) == ("session.misused", Severity.SEVERE)
    assert set(notice.contacts) == set(account.head.contacts)
    (cool,) = wrote(account, ev.CoolOffStarted)
    assert (cool.cause, cool.severity) == ("session.misused", Severity.MILD)
    assert not wrote(account, ev.SessionEnded)


def test_no_action_of_an_owner_is_left_out() -> None:
    """The table above knows every action that an owner can ask by a session."""
    rules = {kind for kind, rule in decide.RULES.items() if ActorKind.OWNER in rule.actors and not rule.anonymous}
    assert {type(action) for action in BY_SESSION} == rules


def test_whoever_has_the_key_goes_on() -> None:
    """The owner's own requests are judged as ever, before and after a thief's noise."""
    account, session = bound()
    assert kind_of(account.ask(LockSet(5), session, *PROOFS)) == "allow"
    asked(account, SessionEndAll(), session, None)
    account.deliver()
    assert session in account.head.sessions
    assert kind_of(account.ask(LockSet(6), session, *PROOFS)) == "allow"
    assert kind_of(account.pay("5", "home", session)) == "hold"


def test_a_thief_cannot_flood_the_owner() -> None:
    """A session gives one alarm in its life; every further try is refused all the same."""
    account, session = bound()
    asked(account, LockSet(5), session, None)
    for _ in range(20):
        answer = asked(account, LockSet(5), session, account.signed(thumbprint=b"thief"))
        assert codes(answer) == [Reason.DEVICE_KEY_WRONG]
        assert not wrote(account, ev.NoticeDue, ev.NoticeFolded, ev.CoolOffStarted)


def test_a_thief_keeps_no_session_awake() -> None:
    """What is asked without the key does not postpone the session's idling out, not even a sign-in beside it."""
    account, session = bound()
    account.wait(minutes=50)
    asked(account, SessionEnd(), session, None)
    account.device_key = b""
    account.tokens += 1
    account.ask(SessionStart(), session, *PROOFS, context=Context(device="burner"))
    account.wait(minutes=10)
    account.device_key = KEY
    assert codes(account.ask(LockSet(5), session, *PROOFS)) == [Reason.SESSION_ENDED]


@pytest.mark.parametrize(
    ("wrong", "about"),
    [
        ({"thumbprint": b"another"}, "key"),
        ({"wrong": "act"}, "act"),
        ({"wrong": "ath", "thumbprint": b"another"}, "ath"),
    ],
)
def test_what_was_wrong_is_said(wrong: dict[str, Any], about: str) -> None:
    """A refusal names the claim that did not fit."""
    account, session = bound()
    answer = asked(account, LockSet(5), session, account.signed(**wrong))
    assert answer.findings[0].about == about


@pytest.mark.parametrize(("seconds", "right"), [(-61, False), (-60, True), (0, True), (30, True), (31, False)])
def test_a_proof_is_fresh(seconds: int, right: bool) -> None:  # noqa: FBT001 - a column
    """It is at most a minute old, and no further ahead than clocks may differ; for a sign-in too."""
    account, session = bound()
    signed = account.signed(at=account.now + seconds * 1000)
    assert kind_of(asked(account, LockSet(5), session, signed)) == ("allow" if right else "deny")
    account.tokens += 1
    request = account.request(SessionStart(), OWNER, context=Context(device="laptop"))
    signed = account.signed(at=account.now + seconds * 1000)
    answer = account.submit(request, replace(account.facts(request, PROOFS), device=signed))
    assert codes(answer) == ([Reason.PROVED] if right else [Reason.DEVICE_KEY_WRONG])
    assert right or answer.findings[0].about == "iat"
    assert right or not wrote(account, ev.SessionMisused)


def test_a_proof_counts_once() -> None:
    """The same proof again is refused, whatever was decided the first time, and is forgotten once it is too old."""
    account, session = bound()
    signed = account.signed()
    request = account.request(LockSet(5), session)
    assert kind_of(account.submit(request, replace(account.facts(request), device=signed))) == "step_up"
    again = asked(account, LockSet(5), session, signed)
    assert (codes(again), again.findings[0].about) == ([Reason.DEVICE_KEY_WRONG], "jti")
    account.wait(minutes=1)
    account.now += 1
    late = asked(account, LockSet(5), session, signed)
    assert late.findings[0].about == "iat"
    assert kind_of(account.ask(LockSet(5), session, *PROOFS)) == "allow"
    assert len(account.head.device_proofs) == 1


def test_only_so_many_proofs_are_remembered() -> None:
    """What could not be remembered serves nothing, without an alarm, until there is room again."""
    account, session = bound(policy_with(**{"bounds.device_proofs": 3}))
    for _ in range(3):
        assert kind_of(account.ask(LockSet(5), session, *PROOFS)) == "allow"
    full = account.ask(LockSet(5), session, *PROOFS)
    assert (codes(full), full.findings[0].about) == ([Reason.TOO_MANY], "device_proofs")
    assert codes(account.ask(AccountFreeze(), session)) == [Reason.TOO_MANY]
    assert not wrote(account, ev.SessionMisused)
    assert full.findings[0].until == account.now + 60_001
    account.now = full.findings[0].until
    assert kind_of(account.ask(LockSet(5), session, *PROOFS)) == "allow"


def test_an_unbound_session_goes_on() -> None:
    """By default a session that began without a key is asked for none, and a proof beside it says nothing."""
    account, session = grown()
    assert kind_of(asked(account, LockSet(5), session, None)) == "allow"
    assert kind_of(asked(account, LockSet(6), session, account.signed(wrong="dpop"))) == "allow"


def test_a_policy_may_want_keys() -> None:
    """Where keys are required nothing signs in without one, and what did before is refused without an alarm."""
    account, session = grown()
    account.policy = policy_with(**{"sessions.device_key": "required"})
    answer = account.ask(LockSet(5), session, *PROOFS)
    assert codes(answer) == [Reason.DEVICE_KEY_REQUIRED]
    assert not wrote(account, ev.SessionMisused)
    assert codes(account.ask(SessionStart(), OWNER, *PROOFS)) == [Reason.DEVICE_KEY_REQUIRED]
    account.device_key = KEY
    assert kind_of(account.ask(LockSet(5), account.sign_in(), *PROOFS)) == "allow"


def test_the_link_and_the_platform_need_no_key() -> None:
    """A freeze link works as ever, whatever keys the owner's sessions are bound to."""
    account, _ = bound(policy_with(**{"sessions.device_key": "required"}))
    link = Actor(ActorKind.LINK, contact="c1-1")
    assert kind_of(account.ask(AccountFreeze(), link)) == "allow"
