"""The password in the core: when it stands alone, and how it comes to be kept under a stronger hash."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.histories import PASSWORD, TOTP, Account, grown, kind_of, sealed

from holdback.core import events as ev
from holdback.core.assurance import password_stands_alone
from holdback.core.decision import Allow, Context, Proof
from holdback.core.events import Actor, ActorKind
from holdback.core.rules.authenticator import AuthenticatorBind, AuthenticatorConfirm, AuthenticatorSuspend
from holdback.core.rules.session import SessionStart


def test_a_password_stands_alone() -> None:
    """A password stands alone until something is confirmed beside it, whether or not that is suspended later."""
    account, session = grown(PASSWORD)
    assert password_stands_alone(account.head)
    answer = account.ask(AuthenticatorBind(TOTP, sealed("app")), session, "a1-1")
    assert isinstance(answer, Allow)
    assert password_stands_alone(account.head)
    account.ask(AuthenticatorConfirm(answer.id), session, answer.id)
    assert not password_stands_alone(account.head)
    account.ask(AuthenticatorSuspend(answer.id), session)
    assert not password_stands_alone(account.head)


def renewed(account: Account, name: str = "a1-1") -> Proof:
    """A right proof whose secret was hashed anew."""
    return replace(fitted(account.proof(name)), renewed=sealed("again"))


def fitted(proof: Proof | str) -> Proof:
    """A proof that is one already."""
    assert isinstance(proof, Proof)
    return proof


def test_a_sign_in_keeps_a_stronger_hash() -> None:
    """A password that was proved is kept under a stronger hash, and nothing cools, is told or begins anew by it."""
    account, _ = grown()
    before = account.head.authenticators["a1-1"]
    cooling = account.head.cool_offs
    account.ask(SessionStart(), Actor(ActorKind.OWNER), renewed(account), "a1-2", context=Context(device="laptop"))
    rehashed = [one for one in account.last_events() if isinstance(one, ev.CredentialRehashed)]
    assert rehashed == [ev.CredentialRehashed(account.now, "a1-1", sealed("again"), before.epoch)]
    assert account.head.authenticators["a1-1"] == before
    assert account.head.cool_offs == cooling
    assert not [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]


@pytest.mark.parametrize("how", ["wrong code", "old epoch", "wrong password"])
def test_nothing_is_kept_anew_without_proof(how: str) -> None:
    """A stronger hash replaces nothing where the proofs beside it do not suffice, or a newer secret stands there."""
    account, _ = grown()
    mine, code = renewed(account), fitted(account.proof("a1-2"))
    match how:
        case "wrong code":
            code = replace(code, right=False)
        case "old epoch":
            mine = replace(mine, epoch=0)
        case _:
            mine = replace(mine, right=False)
    answer = account.ask(SessionStart(), Actor(ActorKind.OWNER), mine, code, context=Context(device="laptop"))
    assert kind_of(answer) == "step_up"
    assert not [one for one in account.last_events() if isinstance(one, ev.CredentialRehashed)]
