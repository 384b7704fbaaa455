"""Authenticators: binding is junior, suspending is free, removing and reinstating wait."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    BACKUP_CODE,
    EMAIL,
    PASSKEY,
    PASSWORD,
    SMS,
    TOTP,
    Account,
    codes,
    fitting,
    grown,
    kind_of,
    policy_with,
    sealed,
)

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, Proof, Reason, StepUp
from holdback.core.events import DAY, AuthenticatorKind, Channel
from holdback.core.rules.account import AccountImport, ImportedAuthenticator, ImportedContact
from holdback.core.rules.asking import Case
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
    AuthenticatorSuspend,
)
from holdback.core.rules.session import SessionEnd
from holdback.core.rules.setting import LockSet
from holdback.core.seniority import authenticator_is_senior
from holdback.core.state import Credential


class TestBind:
    """Binding one more."""

    @pytest.mark.parametrize("kind", [TOTP, SMS, EMAIL, PASSKEY, BACKUP_CODE], ids=str)
    def test_it_counts_once_confirmed(self, kind: AuthenticatorKind) -> None:
        """Codes that were shown are confirmed at once, the others by a proof; all wait as new."""
        account, session = grown()
        by_code = kind in {SMS, EMAIL}
        action = AuthenticatorBind(kind, None if by_code else sealed("s"), sealed("to") if by_code else None)
        answer = account.ask(action, session, "a1-1", "a1-2")
        assert isinstance(answer, Allow)
        assert answer.usable_from == account.now + 3 * DAY
        at_once = kind is BACKUP_CODE
        assert answer.findings[0].satisfied_by == (("time",) if at_once else ("authenticator.confirm",))
        one = account.head.authenticators[answer.id]
        assert (one.kind, one.confirmed) == (kind, at_once)
        assert one.holder == (sealed("to").mac if by_code else answer.id.encode())
        assert one.ripens.heard is not at_once

    def test_the_password_is_changed_not_bound(self) -> None:
        """There is one password."""
        account, session = grown()
        answer = account.ask(AuthenticatorBind(PASSWORD, sealed("s")), session, "a1-1", "a1-2")
        assert (codes(answer), answer.findings[0].satisfied_by) == ([Reason.BAD_FIELD], ("password.change",))

    def test_what_holdback_cannot_make_is_not_available(self) -> None:
        """A kind whose secret nothing made cannot be bound."""
        account, session = grown()
        answer = account.ask(AuthenticatorBind(PASSKEY), session, "a1-1", "a1-2")
        assert codes(answer) == [Reason.NOT_AVAILABLE]
        assert len(account.head.authenticators) == 2

    def test_it_rests_on_itself(self) -> None:
        """Without an address it shares no holder with anything."""
        account, session = grown()
        answer = account.ask(AuthenticatorBind(TOTP, sealed("s")), session, "a1-1", "a1-2")
        assert isinstance(answer, Allow)
        assert account.head.authenticators[answer.id].holder == answer.id.encode()

    def test_new_backup_codes_end_the_older_ones(self) -> None:
        """Codes of an earlier set prove nothing once there are new ones; what is suspended is not removed."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        answer = account.ask(AuthenticatorBind(BACKUP_CODE, sealed("new")), session, "a1-1", "a1-3")
        assert isinstance(answer, Allow)
        older, newer = account.head.authenticators["a1-3"], account.head.authenticators[answer.id]
        assert (older.suspended, newer.suspended) == (True, False)
        assert kind_of(account.ask(LockSet(24), session, "a1-1", "a1-3")) == "step_up"
        assert kind_of(account.ask(LockSet(24), session, "a1-1", answer.id)) == "step_up"
        account.ask(AuthenticatorBind(BACKUP_CODE, sealed("newest")), session, "a1-1", "a1-2")
        suspended = [one.authenticator for one in account.last_events() if isinstance(one, ev.AuthenticatorSuspended)]
        assert suspended == [answer.id]

    def test_older_backup_codes_end_by_nothing_weaker(self) -> None:
        """Who cannot show the strongest class held makes no new codes, and so ends none."""
        account, session = grown(PASSWORD, PASSKEY, BACKUP_CODE)
        answer = account.ask(AuthenticatorBind(BACKUP_CODE, sealed("new")), session, "a1-1", "a1-3")
        assert kind_of(answer) == "step_up"
        assert not account.head.authenticators["a1-3"].suspended

    def test_another_authenticator_ends_no_codes(self) -> None:
        """Binding one of another kind leaves the backup codes as they are."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        account.ask(AuthenticatorBind(TOTP, sealed("new")), session, "a1-1", "a1-2")
        assert not account.head.authenticators["a1-3"].suspended

    def test_an_unfinished_one_is_replaced_by_the_next_of_its_kind(self) -> None:
        """Only what nothing ever confirmed is replaced, and only by its own kind."""
        account, session = grown()
        account.ask(AuthenticatorBind(SMS, address=sealed("to")), session, "a1-1", "a1-2")
        for _ in range(2):
            account.ask(AuthenticatorBind(TOTP, sealed("s")), session, "a1-1", "a1-2")
        kinds = [one.kind for one in account.head.authenticators.values()]
        assert kinds == [PASSWORD, TOTP, SMS, TOTP]
        assert "a1-2" in account.head.authenticators

    def test_there_are_only_so_many(self) -> None:
        """An account holds a bounded number."""
        account, session = grown(policy=policy_with(**{"bounds.authenticators": 2}))
        answer = account.ask(AuthenticatorBind(TOTP, sealed("s")), session, "a1-1", "a1-2")
        assert (codes(answer), answer.findings[0].about) == ([Reason.TOO_MANY], "authenticators")


def bound(account: Account, session: bytes) -> str:
    """A TOTP that waits to be confirmed."""
    answer = account.ask(AuthenticatorBind(TOTP, sealed("s")), session, "a1-1", "a1-2")
    assert isinstance(answer, Allow)
    return answer.id


class TestPasskey:
    """What is particular to passkeys."""

    def registering(self) -> tuple[Account, bytes, str]:
        """An account that has begun to register a passkey beside password and TOTP."""
        account, session = grown()
        answer = account.ask(AuthenticatorBind(PASSKEY, sealed("challenge")), session, "a1-1", "a1-2")
        assert isinstance(answer, Allow)
        return account, session, answer.id

    def test_its_registration_replaces_what_binding_kept(self) -> None:
        """Confirming stores the key that registration made, its counter and where it is kept."""
        account, session, name = self.registering()
        proof = replace(account.proof(name), counter=7, backed_up=True)
        answer = account.ask(AuthenticatorConfirm(name, sealed("key")), session, proof)
        assert (kind_of(answer), codes(answer)) == ("allow", [Reason.RIPENS_LATER])
        assert account.parts["credential", name] == Credential(sealed("key"), 1)
        one = account.head.authenticators[name]
        assert (one.confirmed, one.counter, one.backed_up) == (True, 7, True)

    def test_without_a_key_nothing_is_confirmed(self) -> None:
        """A proof that came with no registration leaves it unconfirmed."""
        account, session, name = self.registering()
        answer = account.ask(AuthenticatorConfirm(name), session, name)
        assert codes(answer) == [Reason.PROOF_WRONG]
        assert not account.head.authenticators[name].confirmed

    def test_it_signs_an_open_challenge(self) -> None:
        """What was signed without a challenge that is open here counts for nothing, and is no failure either."""
        account, session = grown(PASSWORD, PASSKEY)
        asked = account.request(LockSet(24), session)
        answer = account.submit(asked, account.facts(asked, ["a1-2"]))
        assert (kind_of(answer), codes(answer)) == ("step_up", [Reason.PROOF_REQUIRED])
        assert not account.head.failures
        assert isinstance(answer, StepUp)
        challenged = replace(asked, challenge=answer.challenge)
        facts = account.facts(challenged, ["a1-2"])
        assert kind_of(account.submit(challenged, facts)) == "allow"
        assert codes(account.submit(challenged, facts)) == [Reason.CHALLENGE_UNKNOWN]

    def test_one_that_never_counts_is_no_clone(self) -> None:
        """Passkeys that are kept in several places count nothing: 0 after 0 is right, again and again."""
        account, session = grown(PASSKEY)
        account.state = replace(
            account.head, authenticators={"a1-1": replace(account.head.authenticators["a1-1"], counter=0)}
        )
        for _ in range(2):
            proof = replace(account.proof("a1-1"), counter=0, backed_up=True)
            assert kind_of(account.ask(LockSet(24), session, proof)) == "allow"
        assert account.head.authenticators["a1-1"].backed_up

    @pytest.mark.parametrize("counter", [0, 6, 7])
    def test_a_copy_is_refused(self, counter: int) -> None:
        """A counter that does not grow is refused as a copy, for a reason of its own, and counts as a failure."""
        account, session = grown(PASSKEY)
        account.state = replace(
            account.head, authenticators={"a1-1": replace(account.head.authenticators["a1-1"], counter=7)}
        )
        answer = account.ask(LockSet(24), session, replace(account.proof("a1-1"), counter=counter))
        assert codes(answer) == [Reason.AUTHENTICATOR_CLONED, Reason.PROOF_REQUIRED]
        assert account.head.failures == 1

    def test_an_imported_one_keeps_its_count(self) -> None:
        """What the platform saw last is where counting goes on; it means nothing for other kinds."""
        account = Account()
        own = [ImportedAuthenticator(kind, sealed(kind), sign_count=41) for kind in (PASSWORD, TOTP, PASSKEY)]
        account.ask(AccountImport(sealed("alice"), tuple(own), (ImportedContact(Channel.EMAIL, sealed("mail")),)))
        assert [one.counter for one in account.head.authenticators.values()] == [0, 0, 41]


class TestConfirm:
    """Showing that a new one works."""

    def test_its_wait_starts_there(self) -> None:
        """A right proof by the new one itself confirms it, is spent, and starts the wait."""
        account, session = grown()
        name = bound(account, session)
        account.wait(minutes=5)
        answer = account.ask(AuthenticatorConfirm(name), session, name)
        assert isinstance(answer, Allow)
        assert (codes(answer), answer.usable_from) == ([Reason.RIPENS_LATER], account.now + 3 * DAY)
        one = account.head.authenticators[name]
        assert (one.confirmed, one.counter) == (True, account.counter)
        account.deliver()
        account.wait(days=3)
        assert authenticator_is_senior(account.head, account.head.authenticators[name], account.now)

    @pytest.mark.parametrize(
        ("shown", "code", "failed"),
        [
            ("nothing", Reason.PROOF_REQUIRED, 0),
            ("another", Reason.PROOF_WRONG, 1),
            ("wrong", Reason.PROOF_WRONG, 1),
            ("of another action", Reason.PROOF_WRONG, 1),
        ],
    )
    def test_nothing_else_confirms(self, shown: str, code: Reason, failed: int) -> None:
        """No proof, another's, a wrong one or one for another action is refused; wrong ones are counted."""
        account, session = grown()
        name = bound(account, session)
        proofs: dict[str, list[Proof]] = {
            "nothing": [],
            "another": [account.proof("a1-2")],
            "wrong": [account.wrong(name)],
            "of another action": [fitting(account.proof(name), b"other", account.now)],
        }
        answer = account.ask(AuthenticatorConfirm(name), session, *proofs[shown])
        assert (kind_of(answer), codes(answer)) == ("deny", [code])
        assert (account.head.failures, account.head.authenticators[name].confirmed) == (failed, False)

    @pytest.mark.parametrize("which", ["a1-2", "nobody"])
    def test_only_what_waits_for_it(self, which: str) -> None:
        """What is confirmed already, or not there, is not confirmed."""
        account, session = grown()
        assert codes(account.ask(AuthenticatorConfirm(which), session, "a1-2")) == [Reason.NOT_FOUND]


class TestRemove:
    """Taking one away."""

    def test_it_waits_and_cools_already(self) -> None:
        """It is gone 72 h after the owner was told, unless cancelled; exits cool from the asking on."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        answer = account.ask(AuthenticatorRemove("a1-3"), session, "a1-1", "a1-2")
        assert isinstance(answer, Hold)
        assert (codes(answer), answer.release_at) == ([Reason.LOOSENING_WAITS], account.now + 3 * DAY)
        assert codes(account.pay("10", "home", session, "a1-2")) == [Reason.NOTICE_UNDELIVERED]
        account.deliver()
        account.wait(days=3)
        account.ask(SessionEnd(), account.sign_in("a1-1", "a1-2"))
        assert set(account.head.authenticators) == {"a1-1", "a1-2"}
        assert account.head.changes == {}

    @pytest.mark.parametrize(
        ("held", "which", "code"),
        [
            ((PASSWORD, TOTP), "nobody", Reason.NOT_FOUND),
            ((PASSWORD, TOTP), "a1-1", Reason.LAST_ONE),
            ((PASSWORD, TOTP), "a1-2", Reason.LAST_ONE),
            ((PASSWORD, TOTP, PASSKEY), "a1-1", Reason.LAST_ONE),
        ],
        ids=["unknown", "the password", "the only one beside it", "the password beside two"],
    )
    def test_what_stays(self, held: tuple[AuthenticatorKind, ...], which: str, code: Reason) -> None:
        """The password is never removed, nor the last one beside it."""
        account, session = grown(*held)
        answer = account.ask(AuthenticatorRemove(which), session, *account.head.authenticators)
        assert (kind_of(answer), codes(answer)) == ("deny", [code])

    def test_two_that_were_asked_for_side_by_side_do_not_both_go(self) -> None:
        """Each removal is looked at again when its time comes: the last one stays."""
        account, session = grown(PASSWORD, TOTP, PASSKEY)
        for which in ("a1-2", "a1-3"):
            assert kind_of(account.ask(AuthenticatorRemove(which), session, "a1-3")) == "hold"
        account.settle()
        account.sign_in("a1-1", "a1-2", "a1-3")
        assert set(account.head.authenticators) == {"a1-1", "a1-3"}
        assert account.head.changes == {}

    def test_something_weaker_never_removes_it(self) -> None:
        """Law 2: whatever proofs got that far, the rule itself refuses those weaker than what they would remove."""
        account, session = grown(PASSWORD, SMS, PASSKEY, TOTP)
        request = account.request(AuthenticatorRemove("a1-3"), session)
        facts = account.facts(request, ("a1-1", "a1-4"))
        case = Case(account.head, account.everything(), request, facts, account.policy, account.now)
        rule = decide.RULES[AuthenticatorRemove]
        refused = rule.ruling(replace(case, proved=facts.proofs), request.action)
        assert (codes(refused.decision), refused.events) == ([Reason.WEAKER_AUTHENTICATOR], ())
        stronger = account.facts(request, ("a1-3",)).proofs
        assert kind_of(rule.ruling(replace(case, proved=stronger), request.action).decision) == "hold"

    def test_what_came_later_can_be_stopped_by_what_was_there(self) -> None:
        """Law 10: a junior passkey, a thief's maybe, is removed by the senior TOTP it would outrank."""
        account, session = grown()
        passkey = account.ask(AuthenticatorBind(PASSKEY, sealed("thief")), session, "a1-1", "a1-2")
        assert isinstance(passkey, Allow)
        assert kind_of(account.ask(AuthenticatorRemove(passkey.id), session, "a1-1", "a1-2")) == "hold"


class TestSuspend:
    """Stopping one at once."""

    def test_it_is_free(self) -> None:
        """No proof is asked, it proves nothing from then on, and saying so twice is no change."""
        account, session = grown()
        answer = account.ask(AuthenticatorSuspend("a1-2"), session)
        assert (kind_of(answer), codes(answer)) == ("allow", [Reason.TIGHTENING])
        assert account.head.authenticators["a1-2"].suspended
        account.ask(AuthenticatorSuspend("a1-2"), session)
        assert not any(isinstance(one, ev.AuthenticatorSuspended) for one in account.last_events())

    @pytest.mark.parametrize(("which", "code"), [("a1-1", Reason.BAD_FIELD), ("nobody", Reason.NOT_FOUND)])
    def test_not_the_password(self, which: str, code: Reason) -> None:
        """The password is changed instead; what is not there is not found."""
        account, session = grown()
        assert codes(account.ask(AuthenticatorSuspend(which), session)) == [code]


class TestReinstate:
    """Letting one prove again."""

    def test_it_waits(self) -> None:
        """It proves again 72 h after the owner was told, and exits cool mildly from then on."""
        account, session = grown()
        account.ask(AuthenticatorSuspend("a1-2"), session)
        assert kind_of(account.ask(AuthenticatorReinstate("a1-2"), session, "a1-1", "a1-2")) == "hold"
        account.settle()
        account.ask(SessionEnd(), session)
        assert not account.head.authenticators["a1-2"].suspended
        assert kind_of(account.pay("10", "home", account.sign_in())) == "hold"

    @pytest.mark.parametrize("which", ["a1-2", "nobody"])
    def test_only_what_is_suspended(self, which: str) -> None:
        """What proves already, or is not there, is not reinstated."""
        account, session = grown()
        assert codes(account.ask(AuthenticatorReinstate(which), session, "a1-1", "a1-2")) == [Reason.NOT_FOUND]

    def test_what_was_removed_meanwhile_stays_away(self) -> None:
        """A reinstatement whose authenticator is gone when its time comes does nothing."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        account.ask(AuthenticatorSuspend("a1-3"), session)
        account.ask(AuthenticatorRemove("a1-3"), session, "a1-1", "a1-2")
        account.ask(LockSet(100), session, "a1-1", "a1-2")
        account.ask(AuthenticatorReinstate("a1-3"), session, "a1-1", "a1-2")
        account.settle(days=5)
        account.sign_in("a1-1", "a1-2")
        assert set(account.head.authenticators) == {"a1-1", "a1-2"}
        assert account.head.changes == {}
