"""Law 2: no action that changes or spends accepts less than the strongest class the account holds."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    BACKUP_CODE,
    EMAIL,
    PASSKEY,
    PASSWORD,
    PLATFORM,
    POLICY,
    SMS,
    START,
    TOTP,
    Account,
    codes,
    destination,
    grow,
    grown,
    held_id,
    kind_of,
    sealed,
)

from holdback.core.assurance import CLASS, CONTACT_CODE, Demand, Level, demand, may_go, satisfying, spent, strongest
from holdback.core.decision import Hold, Proof, Reason, StepUp
from holdback.core.events import DAY, AuthenticatorKind, Channel
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.address import AddressAdd, AddressRenew
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
    AuthenticatorSuspend,
)
from holdback.core.rules.contact import ContactAdd, ContactRemove, ContactReportRecycled
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.session import SessionStart
from holdback.core.rules.setting import AllowlistSet, LimitSet, LockSet, VaultSet

if TYPE_CHECKING:
    from holdback.core.decision import Decision
    from holdback.core.rules.asking import Action

HOME = destination("home")

MONEY: dict[str, Action] = {
    "exit.request": ExitRequest("withdrawal", "USD", "10", address=HOME, network="bitcoin"),
    "account.unfreeze": AccountUnfreeze(),
    "address.renew": AddressRenew("bitcoin", HOME),
}
CHANGES: dict[str, Action] = {
    "address.add": AddressAdd(sealed("new"), "bitcoin", destination("new")),
    "contact.add": ContactAdd(Channel.EMAIL, sealed("new mail")),
    "contact.remove": ContactRemove("c1-1"),
    "contact.report_recycled": ContactReportRecycled("c1-1"),
    "authenticator.bind": AuthenticatorBind(TOTP, sealed("new totp")),
    "password.change": PasswordChange(sealed("new password")),
    "allowlist.set on": AllowlistSet(on=True),
    "lock.set": LockSet(24),
    "limit.set": LimitSet("5"),
    "vault.set": VaultSet(50),
    "authenticator.remove": AuthenticatorRemove("a1-2"),
    "authenticator.reinstate": AuthenticatorReinstate("a1-3"),
}
SIGN_IN: dict[str, Action] = {"session.start": SessionStart()}

HELD = [
    (PASSWORD,),
    (TOTP,),
    (PASSWORD, EMAIL),
    (PASSWORD, SMS),
    (PASSWORD, SMS, EMAIL),
    (PASSWORD, TOTP),
    (PASSWORD, BACKUP_CODE),
    (PASSWORD, TOTP, SMS),
    (PASSWORD, TOTP, BACKUP_CODE, EMAIL),
    (PASSWORD, PASSKEY),
    (PASSWORD, PASSKEY, TOTP),
    (PASSKEY, TOTP, SMS),
    (PASSWORD, TOTP, BACKUP_CODE, SMS, EMAIL, PASSKEY),
]


@cache
def holding(held: tuple[AuthenticatorKind, ...], *, frozen: bool, suspended: str) -> tuple[Account, bytes]:
    """An account that holds these, all senior, with a session whose password is no longer fresh."""
    account = Account()
    session = grow(account, *held)
    if frozen:
        account.ask(AccountFreeze(), session)
    if suspended:
        account.ask(AuthenticatorSuspend(suspended), session)
    account.deliver()
    account.wait(minutes=20)
    return account, session


def suffices(held: tuple[AuthenticatorKind, ...], shown: tuple[AuthenticatorKind, ...]) -> bool:
    """Law 2, said once more: something of the strongest class, and the password beside it unless it is a passkey."""
    order = [{PASSWORD}, {EMAIL}, {SMS}, {TOTP, BACKUP_CODE}, {PASSKEY}]
    best = next(group for group in reversed(order) if group & set(held))
    return bool(best & set(shown)) and (PASSWORD not in held or PASSWORD in shown or best == {PASSKEY})


def applies(name: str, held: tuple[AuthenticatorKind, ...]) -> bool:
    """Whether such an account has something to remove, reinstate or replace."""
    third = name in {"authenticator.reinstate", "authenticator.remove"}
    return len(held) >= 3 if third else name != "password.change" or PASSWORD in held


TABLE = [(name, held) for name in (*MONEY, *CHANGES, *SIGN_IN) for held in HELD if applies(name, held)]


@pytest.mark.parametrize(("name", "held"), TABLE, ids=[f"{name}: {'+'.join(held)}" for name, held in TABLE])
def test_no_downgrade(name: str, held: tuple[AuthenticatorKind, ...]) -> None:
    """For every set held and every set shown: less than the strongest class is a step-up that asks for it."""
    action = (MONEY | CHANGES | SIGN_IN)[name]
    suspended = "a1-3" if isinstance(action, AuthenticatorReinstate) else ""
    account, session = holding(held, frozen=isinstance(action, AccountUnfreeze), suspended=suspended)
    for size in range(len(held) + 1):
        for shown in combinations(held, size):
            decision = try_with(account, action, session, shown)
            needed = suffices(held, shown)
            assert (kind_of(decision) != "step_up") is needed, (shown, decision)
            if isinstance(decision, StepUp):
                assert all(suffices(held, tuple(map(AuthenticatorKind, one))) for one in decision.accept)


def try_with(account: Account, action: Action, session: bytes, shown: tuple[AuthenticatorKind, ...]) -> Decision:
    """Ask, by right proofs of these kinds, on a copy."""
    again = Account()
    again.__dict__.update(account.__dict__)
    again.log, again.entries = list(account.log), list(account.entries)
    names = {one.kind: name for name, one in account.head.authenticators.items()}
    by = b"" if isinstance(action, SessionStart) else session
    return again.ask(action, by, *(names[kind] for kind in shown))


def test_the_order_of_strength() -> None:
    """Passkey > totp, backup_code > sms > email, with the password beside them."""
    order = sorted(CLASS, key=lambda kind: CLASS[kind])
    assert order == [PASSWORD, EMAIL, SMS, TOTP, BACKUP_CODE, PASSKEY]
    assert CLASS[TOTP] == CLASS[BACKUP_CODE]
    assert strongest({}) == 0


class TestFreshPassword:
    """A session that proved the password lately is asked for the other factor only, when money is concerned."""

    @pytest.mark.parametrize(
        ("minutes", "asked"),
        [(0, {"totp"}), (14, {"totp"}), (15, {"password", "totp"})],
        ids=["at once", "in time", "too late"],
    )
    def test_money(self, minutes: int, asked: set[str]) -> None:
        """For 15 minutes the password need not be shown again."""
        account, session = grown()
        account.wait(minutes=minutes)
        answer = account.pay("10", "home", session, account.wrong("a1-1"))
        assert isinstance(answer, StepUp)
        assert {kind for one in answer.accept for kind in one} == asked

    @pytest.mark.parametrize("name", CHANGES)
    def test_changes(self, name: str) -> None:
        """Changes ask for everything again, however fresh the session is."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        if name == "authenticator.reinstate":
            account.ask(AuthenticatorSuspend("a1-3"), session)
        answer = account.ask(CHANGES[name], session, "a1-2")
        assert isinstance(answer, StepUp)
        assert all("password" in one for one in answer.accept)

    def test_showing_it_makes_the_session_fresh(self) -> None:
        """The password shown for one action counts for money for the next 15 minutes."""
        account, session = grown()
        account.wait(minutes=20)
        account.pay("10", "home", session, "a1-1", "a1-2")
        assert kind_of(account.pay("10", "home", session, "a1-2")) == "allow"


def junior_totp(account: Account, session: bytes, *proofs: str) -> str:
    """Bind and confirm one more TOTP."""
    account.ask(AuthenticatorBind(TOTP, sealed("second")), session, *proofs)
    name = list(account.head.authenticators)[-1]
    account.ask(AuthenticatorConfirm(name), session, name)
    account.deliver()
    return name


class TestJunior:
    """A junior authenticator signs in, and counts for nothing else (law 10)."""

    @pytest.mark.parametrize("name", [*MONEY, *CHANGES])
    def test_it_does_not_approve(self, name: str) -> None:
        """Money and changes ask for what is senior."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        second = junior_totp(account, session, "a1-1", "a1-2")
        if name == "account.unfreeze":
            account.ask(AccountFreeze(), session)
        if name == "authenticator.reinstate":
            account.ask(AuthenticatorSuspend("a1-3"), session)
        assert isinstance(account.ask((MONEY | CHANGES)[name], session, "a1-1", second), StepUp)

    def test_it_signs_in(self) -> None:
        """The new one signs in at once."""
        account, session = grown()
        account.sign_in("a1-1", junior_totp(account, session, "a1-1", "a1-2"))

    def test_it_does_not_raise_the_bar(self) -> None:
        """What came after outranks nothing: the older, weaker one goes on to suffice until the new one is senior."""
        account, session = grown(PASSWORD)
        second = junior_totp(account, session, "a1-1")
        account.sign_in("a1-1")
        assert kind_of(account.ask(LockSet(24), session, "a1-1")) == "allow"
        account.wait(days=3)
        later = account.sign_in("a1-1", second)
        assert isinstance(account.ask(LockSet(25), later, "a1-1"), StepUp)

    def test_while_nothing_is_senior_the_first_held_sets_the_bar(self) -> None:
        """An owner who replaced his password is not outranked by what a thief bound before that."""
        account, session = grown(PASSWORD)
        junior_totp(account, session, "a1-1")
        account.ask(PasswordChange(sealed("new")), session, "a1-1")
        account.sign_in("a1-1")
        assert kind_of(account.ask(LockSet(24), session, "a1-1")) == "allow"

    def test_nothing_senior_means_no_money(self) -> None:
        """Without anything senior no proof suffices for money, and the answer says when one would."""
        account = Account()
        account.open()
        account.wait(minutes=1)
        session = account.sign_in()
        answer = account.pay("1", "home", session)
        assert codes(answer) == [Reason.NO_SENIOR_AUTHENTICATOR]
        assert answer.findings[0].until == START + 3 * DAY
        assert kind_of(account.ask(LockSet(24), session, "a1-1", "a1-2")) == "allow"

    def test_it_says_when_only_if_that_is_known(self) -> None:
        """While a freeze disputes everything, nobody knows when something will be senior."""
        account = Account()
        account.open()
        session = account.sign_in()
        account.ask(AccountFreeze(), session)
        answer = account.ask(AccountUnfreeze(), session, "a1-1", "a1-2")
        assert codes(answer) == [Reason.NO_SENIOR_AUTHENTICATOR]
        assert answer.findings[0].until is None


class TestJuniorPassword:
    """A password that was replaced lately stands beside the senior authenticator, and is half of no proof (law 10)."""

    def changed(self, *kinds: AuthenticatorKind, days: float = 1) -> tuple[Account, bytes]:
        """An account with a habit whose owner replaced the password so many days ago, and a session."""
        account, session = grown(*kinds)
        for _ in range(4):
            account.pay("1000", "home", session)
            account.wait(days=1.1)
            session = account.sign_in()
        account.wait(days=5)
        session = account.sign_in()
        proofs = tuple(account.head.authenticators)
        assert kind_of(account.ask(PasswordChange(sealed("new")), session, *proofs)) == "allow"
        account.deliver()
        account.wait(days=days)
        return account, account.sign_in()

    @pytest.mark.parametrize(
        ("usd", "to", "days", "held"),
        [
            ("1000", "home", 1, False),
            ("1600", "home", 1, True),
            ("1600", "home", 2.99, True),
            ("1600", "home", 3, False),
            ("50", "stranger", 1, True),
            ("50", "stranger", 3, False),
        ],
    )
    def test_exits_wait_until_it_is_senior(self, usd: str, to: str, days: float, *, held: bool) -> None:
        """But for usual amounts to senior beneficiaries, which law 4 gives a day after a secret was replaced."""
        account, session = self.changed(days=days)
        answer = account.pay(usd, to, session, "a1-2")
        assert (Reason.NO_SENIOR_AUTHENTICATOR in codes(answer)) is held
        assert kind_of(answer) == ("hold" if held else "allow")
        if isinstance(answer, Hold):
            assert answer.findings[0].until == account.head.authenticators["a1-1"].ripens.until
            assert answer.release_at is not None
            account.deliver()
            account.now = answer.release_at
            assert kind_of(account.ask(ExitRelease(answer.id), PLATFORM)) == "allow"

    def test_a_passkey_needs_none_beside_it(self) -> None:
        """It counts alone, as it did before."""
        account, session = self.changed(PASSWORD, PASSKEY)
        assert kind_of(account.pay("1600", "home", session, "a1-2")) == "allow"

    @pytest.mark.parametrize(
        ("kinds", "days", "reason"),
        [
            ((PASSWORD, TOTP), 1, Reason.NO_SENIOR_AUTHENTICATOR),
            ((PASSWORD, TOTP), 3, Reason.PROOF_REQUIRED),
            ((PASSWORD, PASSKEY), 1, Reason.PROOF_REQUIRED),
        ],
    )
    def test_it_ends_no_hold_early(self, kinds: tuple[AuthenticatorKind, ...], days: float, reason: Reason) -> None:
        """That takes what is senior throughout; the answer says when the password is."""
        account, session = self.changed(*kinds, days=days)
        which = held_id(account.pay("900000", "home", session))
        answer = account.ask(ExitRelease(which), session)
        assert codes(answer) == [reason]
        if reason is Reason.NO_SENIOR_AUTHENTICATOR:
            assert answer.findings[0].until == account.head.authenticators["a1-1"].ripens.until

    def test_it_locks_nobody_out(self) -> None:
        """Law 1: changes and the unfreezing wait in any case, so they take it; else a freeze would be for good."""
        account, session = self.changed(days=0)
        assert kind_of(account.ask(LockSet(24), session, "a1-1", "a1-2")) == "allow"
        assert kind_of(account.ask(PasswordChange(sealed("newer")), session, "a1-1", "a1-2")) == "allow"
        account.ask(AccountFreeze(), session)
        answer = account.ask(AccountUnfreeze(), session, "a1-1", "a1-2")
        assert isinstance(answer, Hold)
        assert answer.release_at == account.now + 3 * DAY
        account.settle(days=3)
        session = account.sign_in()
        assert not account.head.frozen_at
        held = account.pay("1600", "home", session)
        assert codes(held) == [Reason.NO_SENIOR_AUTHENTICATOR]
        account.settle(days=3)
        assert kind_of(account.pay("1600", "home", account.sign_in())) == "allow"


class TestSuspended:
    """A suspended authenticator proves nothing, yet still counts for law 2."""

    @pytest.mark.parametrize(
        "name", [*MONEY, *(name for name in CHANGES if name != "authenticator.reinstate"), *SIGN_IN]
    )
    def test_it_still_sets_the_bar(self, name: str) -> None:
        """With the strongest suspended nothing weaker steps in, and the answer names the ways out."""
        account, session = grown(PASSWORD, SMS, PASSKEY)
        if name == "account.unfreeze":
            account.ask(AccountFreeze(), session)
        account.ask(AuthenticatorSuspend("a1-3"), session)
        by = b"" if name in SIGN_IN else session
        answer = account.ask((MONEY | CHANGES | SIGN_IN)[name], by, "a1-1", "a1-2", "a1-3")
        if name == "authenticator.remove":
            assert codes(answer) == [Reason.LAST_ONE]
        else:
            assert codes(answer) == [Reason.AUTHENTICATOR_SUSPENDED]
            assert answer.findings[0].satisfied_by == ("authenticator.reinstate", "recovery.open")

    def test_another_of_its_class_steps_in(self) -> None:
        """What is as strong suffices."""
        account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
        account.ask(AuthenticatorSuspend("a1-2"), session)
        assert isinstance(account.pay("10", "home", session, "a1-1", "a1-2"), StepUp)
        assert kind_of(account.pay("10", "home", session, "a1-1", "a1-3")) == "allow"

    def test_it_may_ask_for_its_own_reinstatement(self) -> None:
        """There may be nothing else; the wait is the owner's protection."""
        account, session = grown()
        account.ask(AuthenticatorSuspend("a1-2"), session)
        answer = account.ask(AuthenticatorReinstate("a1-2"), session, "a1-1", "a1-2")
        assert codes(answer) == [Reason.LOOSENING_WAITS]


@pytest.mark.parametrize(
    ("kind", "change", "is_spent"),
    [
        (TOTP, {}, False),
        (TOTP, {"counter": 7}, True),
        (TOTP, {"counter": 6}, True),
        (TOTP, {"counter": 8}, False),
        (TOTP, {"counter": 8, "epoch": 0}, True),
        (TOTP, {"counter": 8, "epoch": 2}, True),
        (TOTP, {"authenticator": "gone"}, False),
        (BACKUP_CODE, {"counter": 7}, True),
        (BACKUP_CODE, {"counter": 6}, False),
        (BACKUP_CODE, {"counter": 63}, False),
        (BACKUP_CODE, {"counter": 64}, True),
        (BACKUP_CODE, {"epoch": 2}, True),
        (PASSWORD, {"counter": 0}, False),
        (PASSKEY, {"counter": 8}, False),
        (PASSKEY, {"counter": 7}, True),
        (PASSKEY, {"counter": 0}, True),
    ],
    ids=str,
)
def test_a_proof_serves_once(kind: AuthenticatorKind, change: dict[str, object], *, is_spent: bool) -> None:
    """A TOTP step or passkey's count spends all before it, a backup code itself; a new secret every old proof."""
    account = Account()
    account.open(kind)
    one = account.head.authenticators["a1-1"]
    one = replace(one, counter=7 if kind is not BACKUP_CODE else 0, used=1 << 7 if kind is BACKUP_CODE else 0)
    head = replace(account.head, authenticators={"a1-1": one})
    proof = Proof(kind.value, "a1-1", 1, 9, b"", account.now, right=True)
    assert spent(head, replace(proof, **change)) is is_spent


class TestShown:
    """Which proofs count."""

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"right": False}, Reason.PROOF_WRONG),
            ({"counter": 0}, Reason.PROOF_REPLAYED),
            ({"epoch": 2}, Reason.PROOF_REPLAYED),
            ({"digest": b"another action"}, Reason.PROOF_REQUIRED),
            ({"kind": "sms"}, Reason.PROOF_REQUIRED),
            ({"authenticator": "nobody's"}, Reason.PROOF_REQUIRED),
        ],
        ids=["wrong", "replayed", "of another secret", "for another action", "of another kind", "of nobody"],
    )
    def test_a_bad_proof_is_none(self, change: dict[str, object], code: Reason) -> None:
        """A wrong, spent or foreign proof never counts, and the answer says what was wrong with it."""
        account, session = grown()
        account.wait(minutes=1)
        answer = account.pay("10", "home", session, "a1-1", replace(account.proof("a1-2"), **change))
        assert isinstance(answer, StepUp)
        assert codes(answer)[0] == code

    def test_one_code_never_serves_twice(self) -> None:
        """A TOTP code that served once is replayed the second time, for whatever action."""
        account, session = grown()
        code = account.proof("a1-2")
        assert kind_of(account.pay("10", "home", session, code)) == "allow"
        assert codes(account.pay("11", "home", session, code))[0] == Reason.PROOF_REPLAYED

    def test_a_good_one_beside_a_bad_one_counts(self) -> None:
        """The first proof that fits is taken."""
        account, session = grown()
        wrong = account.wrong("a1-2")
        assert kind_of(account.pay("10", "home", session, wrong, "a1-2")) == "allow"


class TestHolders:
    """One mailbox or one phone number never counts as two factors."""

    def test_two_proofs_that_rest_on_one_number_are_one(self) -> None:
        """A code to a number beside a texted code to the same number does not suffice; to another number it does."""
        account, _ = grown(PASSWORD, SMS, contacts=(Channel.SMS, Channel.EMAIL))
        wanted = Demand((("sms", CONTACT_CODE),), frozenset({"a1-2"}))
        texted = replace(account.proof("a1-2"), digest=b"d")
        for contact, count in (("c1-1", 0), ("c1-2", 2)):
            code = replace(account.proof(contact), digest=b"d")
            found = satisfying(account.head, wanted, (texted, code), b"d", contact)
            assert len(found or ()) == count

    def test_a_mailbox_that_asks_does_not_witness(self) -> None:
        """A contact whose mailbox or number is an authenticator's can witness nothing."""
        account, session = grown(PASSWORD, SMS, EMAIL)
        held = held_id(account.pay("900000", "home", session))
        account.deliver()
        assert codes(account.ask(ExitRelease(held), session)) == [Reason.NO_SENIOR_CONTACT]


def test_what_may_go() -> None:
    """An authenticator may be removed while another senior one, not suspended, is left beside the password."""
    account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
    assert may_go(account.head, "a1-2", account.now)
    account.ask(AuthenticatorSuspend("a1-3"), session)
    assert not may_go(account.head, "a1-2", account.now)
    assert may_go(account.head, "a1-3", account.now)


def test_used_up_codes_hold_nothing() -> None:
    """Beside backup codes of which one is left another may go; beside used-up ones the last other one stays."""
    account, session = grown(PASSWORD, TOTP, BACKUP_CODE)
    for _ in range(9):
        account.ask(LimitSet("5"), session, "a1-1", "a1-3")
    assert account.head.authenticators["a1-3"].used.bit_count() == 9
    removal = AuthenticatorRemove("a1-2")
    assert isinstance(account.ask(removal, session, "a1-1", "a1-2"), Hold)
    account.ask(LimitSet("5"), session, "a1-1", "a1-3")
    assert not may_go(account.head, "a1-2", account.now)
    account.deliver()
    account.wait(days=30)
    account.any_session()
    assert "a1-2" in account.head.authenticators
    assert codes(account.ask(removal, account.any_session(), "a1-1", "a1-2")) == [Reason.LAST_ONE]
    assert may_go(account.head, "a1-3", account.now)


def test_no_level_asks_for_nothing() -> None:
    """Every level that asks for proof asks for some, of whatever an account holds."""
    account, _ = grown()
    for level in Level:
        if level is not Level.NONE:
            assert demand(account.head, level, None, POLICY, account.now).accept
