"""API keys: made with the strongest proof, good for nothing before a wait, and never more than a weak proof."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    PASSWORD,
    PLATFORM,
    SYSTEM,
    Account,
    bitcoin,
    codes,
    destination,
    grow,
    held_id,
    policy_with,
    sealed,
)
from tests.core.recoveries import Claimant, reviewed
from tests.core.watched import Watched

from holdback.core import events as ev
from holdback.core.decision import Allow, Decision, Deny, Hold, KeyFact, Reason, StepUp
from holdback.core.events import DAY, MINUTE, Actor, ActorKind, Scope, Severity
from holdback.core.programs import barred, is_asleep, lapses_at
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.api_key import ApiKeyCreate, ApiKeyLeaked, ApiKeyRevoke, ApiKeySuspend, KeyAddress
from holdback.core.rules.change import ChangeCancel
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitRequest
from holdback.core.rules.incident import IncidentReport
from holdback.core.rules.order import OrderPlace
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.setting import AllowlistSet, LockSet
from holdback.core.state import NONCES_KEPT

if TYPE_CHECKING:
    from collections.abc import Callable

PROOFS = ("a1-1", "a1-2")
LIST = (sealed("203.0.113.7"),)
WITHDRAWS = ApiKeyCreate(sealed("bot"), (Scope.READ, Scope.WITHDRAW), LIST, secret=sealed("key"))
TRADES = ApiKeyCreate(sealed("bot"), (Scope.TRADE,), secret=sealed("key"))
HOME = destination("home")


@pytest.fixture
def account() -> Account:
    """A grown account with one senior beneficiary, and the owner signed in."""
    account = Account()
    grow(account)
    return account


def made(account: Account, action: ApiKeyCreate = WITHDRAWS, *, days: float = 5) -> Actor:
    """A key that was made some days ago, and told of."""
    answer = account.ask(action, account.any_session(), *PROOFS)
    assert isinstance(answer, Allow), answer
    account.settle(days=days)
    return Actor(ActorKind.API_KEY, key=answer.id)


def pays(
    alice: Account,
    key: Actor | bytes,
    amount: str = "10",
    *proofs: str,
    to: str = "home",
    **fields: Any,  # noqa: ANN401 - Request's own
) -> Decision:
    """A withdrawal asked with a key, or from a session."""
    action = ExitRequest("withdrawal", "USD", amount, address=destination(to), network="bitcoin")
    return alice.ask(action, key, *proofs, **fields)


def code(answer: Decision) -> str:
    """The first reason of an answer."""
    return answer.findings[0].code


def test_a_key_pays_whom_the_book_knows(account: Account) -> None:
    """A ripe key pays a senior beneficiary within the budget, with its signature alone, and that is its use."""
    key = made(account)
    assert isinstance(pays(account, key), Allow)
    assert account.head.api_keys[key.key].used_at == account.now
    assert not [one for one in account.last_events() if isinstance(one, ev.AddressRenewed)]


def test_it_is_made_with_the_strongest_proof(account: Account) -> None:
    """A session alone makes no key."""
    assert isinstance(account.ask(WITHDRAWS, account.any_session()), StepUp)
    assert not account.head.api_keys


def test_a_secret_is_wanted(account: Account) -> None:
    """Without anything that its requests could be checked with there is no key."""
    without = ApiKeyCreate(sealed("bot"), (Scope.TRADE,))
    assert code(account.ask(without, account.any_session(), *PROOFS)) == Reason.NOT_AVAILABLE


@pytest.mark.parametrize(
    ("scopes", "listed", "days", "about"),
    [
        ((Scope.WITHDRAW,), (), None, "ip_allowlist"),
        ((Scope.TRADE, Scope.TRADE), LIST, None, "scopes"),
        ((Scope.TRADE,), LIST, 366, "expires_d"),
    ],
)
def test_what_cannot_be_made(
    account: Account, scopes: tuple[Scope, ...], listed: tuple[ev.Sealed, ...], days: int | None, about: str
) -> None:
    """To withdraw takes a list of networks; no scope is named twice, and none outlives the policy."""
    action = ApiKeyCreate(sealed("bot"), scopes, listed, expires_d=days, secret=sealed("key"))
    answer = account.ask(action, account.any_session(), *PROOFS)
    assert (code(answer), answer.findings[0].about) == (Reason.BAD_FIELD, about)


def test_there_are_only_so_many(account: Account) -> None:
    """The head keeps no more keys than the policy says, until one is revoked."""
    account.policy = policy_with(**{"bounds.api_keys": 1})
    key = made(account)
    answer = account.ask(TRADES, account.any_session(), *PROOFS)
    assert (code(answer), answer.findings[0].about) == (Reason.TOO_MANY, "api_keys")
    account.ask(ApiKeyRevoke(key.key), account.any_session())
    assert isinstance(account.ask(TRADES, account.any_session(), *PROOFS), Allow)


def test_a_new_key_waits(account: Account) -> None:
    """A key is good for nothing before its wait is over, which runs once the owner was told, or his lock if longer."""
    account.ask(LockSet(100), account.any_session(), *PROOFS)
    answer = account.ask(WITHDRAWS, account.any_session(), *PROOFS)
    assert isinstance(answer, Allow)
    assert answer.usable_from == account.now + 100 * 3_600_000
    key = Actor(ActorKind.API_KEY, key=answer.id)
    account.wait(days=10)
    assert code(pays(account, key)) == Reason.API_KEY_NEW
    account.deliver()
    account.wait(hours=99)
    assert code(pays(account, key)) == Reason.API_KEY_NEW
    account.wait(hours=2)
    assert isinstance(pays(account, key), Allow)


def test_making_one_cools(account: Account) -> None:
    """A key that may withdraw cools exits as a mild change does, one that may not does not; both are told at once."""
    account.ask(TRADES, account.any_session(), *PROOFS)
    assert "api_key.created" not in {one.cause for one in account.head.cool_offs.values()}
    account.ask(WITHDRAWS, account.any_session(), *PROOFS)
    assert "api_key.created" in {one.cause for one in account.head.cool_offs.values()}
    told = [one for one in account.log if isinstance(one, ev.NoticeDue) and one.cause == "api_key.created"]
    assert [one.severity for one in told] == [Severity.SEVERE] * 2


@pytest.mark.parametrize(
    ("fact", "reason", "about"),
    [
        ({"right": False}, Reason.API_KEY_WRONG, ""),
        ({"nonce": 1}, Reason.API_KEY_REPLAYED, "nonce"),
        ({"at": 0}, Reason.API_KEY_REPLAYED, "timestamp"),
    ],
)
def test_what_it_did_not_sign(account: Account, fact: dict[str, Any], reason: Reason, about: str) -> None:
    """A wrong signature, an old request and one shown twice are refused, and leave no trace that could fill a log."""
    key = made(account)
    account.key_fact = {"nonce": 1}
    assert isinstance(pays(account, key), Allow)
    account.key_fact = {"nonce": 2} | fact
    entries = len(account.entries)
    answer = pays(account, key)
    assert (code(answer), answer.findings[0].about) == (reason, about)
    assert len(account.entries) == entries


def test_whoever_shows_no_key_writes_nothing(account: Account) -> None:
    """What no key may ask, or asks of an account there is not, leaves no trace either unless a key signed it."""
    key, entries = made(account), len(account.entries)
    nobody = Actor(ActorKind.API_KEY, key="k99")
    account.key_fact = {"right": False}
    for actor in (nobody, key):
        for action in (AccountUnfreeze(), AllowlistSet(on=True)):
            assert code(account.ask(action, actor)) == Reason.NOT_ENTITLED
        assert code(pays(account, actor, account="alice.nosuch")) == Reason.UNKNOWN_ACCOUNT
    assert len(account.entries) == entries
    account.key_fact = {}
    assert code(account.ask(AccountUnfreeze(), key)) == Reason.NOT_ENTITLED
    assert len(account.entries) == entries + 1


def test_a_key_of_nobodys(account: Account) -> None:
    """A key that there is not is answered as one that did not sign, and so is one that was revoked."""
    assert code(pays(account, Actor(ActorKind.API_KEY, key="k99"))) == Reason.API_KEY_WRONG
    key = made(account)
    account.ask(ApiKeyRevoke(key.key), account.any_session())
    assert code(pays(account, key)) == Reason.API_KEY_WRONG


def test_requests_may_overtake_each_other(account: Account) -> None:
    """Nonces need not come in order, as long as not too many higher ones came before; each serves once."""
    account.policy = policy_with(**{"api_keys.asks_per_h": 100})
    key = made(account)
    for nonce in (50, 49, 51):
        account.key_fact = {"nonce": nonce}
        assert code(account.ask(ExitCancel("x0"), key)) == Reason.NOT_FOUND
    for nonce in range(100, 100 + NONCES_KEPT):
        account.key_fact = {"nonce": nonce}
        account.ask(ExitCancel("x0"), key)
    account.key_fact = {"nonce": 99}
    assert code(account.ask(ExitCancel("x0"), key)) == Reason.API_KEY_REPLAYED


def test_what_it_signed_is_spent_whatever_is_decided(account: Account) -> None:
    """A signed request that was refused cannot be shown again."""
    key = made(account)
    account.key_fact = {"nonce": 7, "listed": False}
    assert code(pays(account, key)) == Reason.API_KEY_SCOPE
    account.key_fact = {"nonce": 7}
    assert code(pays(account, key)) == Reason.API_KEY_REPLAYED


def test_what_a_key_may_not(account: Account) -> None:
    """It asks from its networks, within its scopes, and only what is for keys."""
    key = made(account)
    account.key_fact = {"listed": False}
    answer = pays(account, key)
    assert (code(answer), answer.findings[0].about) == (Reason.API_KEY_SCOPE, "ip_allowlist")
    account.key_fact = {}
    trader = made(account, TRADES)
    answer = pays(account, trader)
    assert (code(answer), answer.findings[0].about) == (Reason.API_KEY_SCOPE, "scopes")
    for action in (AllowlistSet(on=True), AddressAdd(sealed("new"), "bitcoin", destination("new")), WITHDRAWS):
        assert code(account.ask(action, key)) == Reason.NOT_ENTITLED


def test_whom_a_key_may_pay(account: Account) -> None:
    """A key with a list of addresses pays those, and nobody else."""
    account.add("work", account.any_session(), *PROOFS)
    only = (KeyAddress("bitcoin", HOME),)
    key = made(account, ApiKeyCreate(sealed("bot"), (Scope.WITHDRAW,), LIST, addresses=only, secret=sealed("key")))
    assert isinstance(pays(account, key), Allow)
    answer = pays(account, key, to="work")
    assert (code(answer), answer.findings[0].about) == (Reason.API_KEY_SCOPE, "addresses")


def test_a_sweep_takes_an_entry_of_its_own() -> None:
    """A key with a list of addresses moves nothing between the family's accounts, unless `own` is on it."""
    account = Account()
    grow(account, subs=("s1",))
    sweep = ExitRequest("sweep", "USD", "900000", counterparty=destination("s1"))
    lists: tuple[tuple[KeyAddress, ...], ...] = ((KeyAddress("bitcoin", HOME),), (KeyAddress("own"),), ())
    answers = []
    for only in lists:
        limited = ApiKeyCreate(sealed("bot"), (Scope.WITHDRAW,), LIST, addresses=only, secret=sealed("key"))
        answers.append(account.ask(sweep, made(account, limited), counterparty="s1"))
    assert [code(one) for one in answers] == [Reason.API_KEY_SCOPE, Reason.NO_HARM, Reason.NO_HARM]


def test_a_key_of_a_sub_account_stays_there() -> None:
    """A key that was made for a sub-account asks for it alone, one of the main account for the family."""
    account = Account()
    grow(account, subs=("s1", "s2"))
    answer = account.ask(WITHDRAWS, account.any_session(), *PROOFS, account="alice.s1")
    assert isinstance(answer, Allow)
    whole = made(account)
    part = Actor(ActorKind.API_KEY, key=answer.id)
    assert isinstance(pays(account, part, account="alice.s1"), Allow)
    answer = pays(account, part, account="alice.s2")
    assert (code(answer), answer.findings[0].about) == (Reason.API_KEY_SCOPE, "account")
    assert isinstance(pays(account, whole, account="alice.s2"), Allow)


def test_a_key_alone_pays_no_stranger(account: Account) -> None:
    """Whom the book does not know, or not for long enough, a key pays with its owner's proof, however little it is."""
    key = made(account)
    account.settle(days=5)
    assert isinstance(pays(account, key, to="stranger"), StepUp)
    account.add("new", account.any_session(), *PROOFS)
    assert isinstance(pays(account, key, to="new"), StepUp)
    assert not account.head.exits
    assert isinstance(pays(account, key, "10", *PROOFS, to="stranger"), Allow)


def test_a_key_alone_waits_for_nothing(account: Account) -> None:
    """What is over budget, or worth nobody knows what, does not wait for a key: its owner confirms it, or it stays."""
    key = made(account)
    assert isinstance(pays(account, key, "999999"), StepUp)
    prices, account.prices = account.prices, {}
    assert isinstance(pays(account, key), StepUp)
    account.prices = prices
    which = held_id(pays(account, key, "999999", *PROOFS))
    account.settle(days=3)
    assert isinstance(account.ask(ExitRelease(which), PLATFORM), Allow)


def test_several_that_waited_keep_to_the_budget_together(account: Account) -> None:
    """What a cool-off held goes when there is room for it, or by its owner's proof, never as over budget by the key."""
    key = made(account)
    account.ask(PasswordChange(sealed("new")), account.any_session(), *PROOFS)
    first, second, third = (held_id(pays(account, key, "40000")) for _ in range(3))
    account.settle(days=3.5)
    assert isinstance(account.ask(ExitRelease(first), PLATFORM), Allow)
    answer = account.ask(ExitRelease(second), PLATFORM)
    assert isinstance(answer, Hold)
    assert (Reason.PROOF_REQUIRED in codes(answer), answer.release_at) == (True, None)
    account.settle(days=3)
    assert isinstance(account.ask(ExitRelease(second), PLATFORM), Allow)
    assert Reason.PROOF_REQUIRED in codes(account.ask(ExitRelease(third), PLATFORM))
    session = account.sign_in()
    asked = account.ask(ExitRelease(third), session, *PROOFS)
    assert isinstance(asked, StepUp)
    contact = account.head.challenges[asked.challenge].contact
    assert isinstance(account.ask(ExitRelease(third), session, *PROOFS, contact, challenge=asked.challenge), Allow)


def test_strangers_are_paid_where_the_key_names_their_kind(account: Account) -> None:
    """Where a kind is opened anybody may be paid: by a key only if it names the kind, or its owner proves it now."""
    session = account.any_session()
    account.ask(AddressAdd(sealed("shops"), "card"), session, *PROOFS)
    free = made(account)
    named = ApiKeyCreate(sealed("till"), (Scope.WITHDRAW,), LIST, addresses=(KeyAddress("card"),), secret=sealed("key"))
    till = made(account, named)
    shop = ExitRequest("card", "USD", "100", counterparty=destination("shop"))
    assert isinstance(account.ask(shop, free, counterparty="shop"), StepUp)
    assert isinstance(account.ask(shop, free, *PROOFS, counterparty="shop"), Allow)
    assert isinstance(account.ask(shop, till, counterparty="shop"), Allow)


def test_what_a_key_may_stop() -> None:
    """A key stops what waits of its own account, or of the family if it is the main one; one that slept, nothing."""
    account = Account()
    grow(account, subs=("s1",))
    answer = account.ask(WITHDRAWS, account.any_session(), *PROOFS, account="alice.s1")
    assert isinstance(answer, Allow)
    part, whole = Actor(ActorKind.API_KEY, key=answer.id), made(account)
    held = [held_id(account.pay("500000", "home", account.any_session())) for _ in range(2)]
    answer = account.ask(ExitCancel(held[0]), part, account="alice.s1")
    assert (code(answer), answer.findings[0].about) == (Reason.API_KEY_SCOPE, "account")
    assert isinstance(account.ask(ExitCancel(held[0]), whole), Allow)
    account.settle(days=20)
    answer = account.ask(ExitCancel(held[1]), whole)
    assert (code(answer), answer.findings[0].about) == (Reason.API_KEY_SUSPENDED, "dormant")
    assert held[1] in account.head.exits


def test_a_payment_by_key_renews_nobody(account: Account) -> None:
    """A beneficiary that senior proof has not confirmed for long is not paid by a key, and not renewed by it."""
    key = made(account)
    account.settle(days=10)
    assert isinstance(pays(account, key), Allow)
    account.settle(days=8)
    assert isinstance(pays(account, key), Allow)
    account.settle(days=5)
    answer = pays(account, key)
    assert code(answer) == Reason.VERIFICATION_EXPIRED


def test_one_that_slept_is_its_owners_to_wake(account: Account) -> None:
    """A key that nobody used for two weeks asks for its owner's proof, and is awake from then on."""
    key = made(account)
    account.settle(days=20)
    assert is_asleep(account.head.api_keys[key.key], account.policy, account.now)
    assert isinstance(pays(account, key), StepUp)
    assert is_asleep(account.head.api_keys[key.key], account.policy, account.now)
    assert isinstance(pays(account, key, "10", *PROOFS), Allow)
    assert [one.api_key for one in account.last_events() if isinstance(one, ev.ApiKeyWoken)] == [key.key]
    assert isinstance(pays(account, key), Allow)


def test_whoever_asks_from_elsewhere_keeps_none_awake(account: Account) -> None:
    """A request from outside a key's networks is no use of it."""
    key = made(account)
    account.key_fact = {"listed": False}
    for _ in range(4):
        account.settle(days=5)
        pays(account, key)
    account.key_fact = {}
    assert isinstance(pays(account, key), StepUp)


def test_whoever_asks_what_it_may_not_keeps_none_awake(account: Account) -> None:
    """Asking with a suspended key, or beyond its scopes, is no use of it: it sleeps when it may go on."""
    key, trader = made(account), made(account, TRADES)
    session = account.any_session()
    account.ask(ApiKeySuspend(key.key), session)
    account.ask(ApiKeySuspend(key.key, on=False), session, *PROOFS)
    for _ in range(4):
        account.settle(days=0.7)
        assert code(pays(account, key)) == Reason.API_KEY_SUSPENDED
    for _ in range(4):
        account.settle(days=5)
        assert code(pays(account, trader)) == Reason.API_KEY_SCOPE
    account.sign_in()
    for one in (key, trader):
        assert is_asleep(account.head.api_keys[one.key], account.policy, account.now)
    assert isinstance(pays(account, key), StepUp)


def test_keys_leave_their_owner_room(account: Account) -> None:
    """However often keys ask while exits cool, the owner's own exit has a place to wait in."""
    key = made(account)
    account.ask(PasswordChange(sealed("new")), account.any_session(), *PROOFS)
    answers = [pays(account, key, "1") for _ in range(account.policy.bounds.waiting_exits)]
    assert [isinstance(one, Hold) for one in answers].count(True) == account.policy.bounds.waiting_exits // 2
    assert (code(answers[-1]), answers[-1].findings[0].about) == (Reason.TOO_MANY, "exits")
    assert isinstance(account.pay("1", "home", account.any_session()), Hold)


def test_one_that_expired(account: Account) -> None:
    """A key ends at its time."""
    key = made(account, ApiKeyCreate(sealed("bot"), (Scope.WITHDRAW,), LIST, expires_d=9, secret=sealed("key")))
    account.settle(days=4)
    answer = pays(account, key)
    assert (code(answer), answer.findings[0].about) == (Reason.API_KEY_SUSPENDED, "expires_at")


def test_suspending_is_free_and_going_on_waits(account: Account) -> None:
    """One tap stops a key; to let it go on takes the strongest proof and a wait, and another tap ends that."""
    key = made(account)
    session = account.any_session()
    assert isinstance(account.ask(ApiKeySuspend(key.key), session), Allow)
    assert code(pays(account, key)) == Reason.API_KEY_SUSPENDED
    resume = ApiKeySuspend(key.key, on=False)
    assert isinstance(account.ask(resume, session), StepUp)
    assert isinstance(account.ask(resume, session, *PROOFS), Hold)
    assert isinstance(account.ask(ApiKeySuspend(key.key), session), Allow)
    assert not account.head.changes
    assert isinstance(account.ask(resume, session, *PROOFS), Hold)
    account.settle(days=4)
    assert isinstance(pays(account, key), Allow)
    assert code(account.ask(resume, account.any_session(), *PROOFS)) == Reason.NOT_FOUND


def test_going_on_can_be_cancelled_and_may_come_too_late(account: Account) -> None:
    """A waiting going on is a loosening like any other; of a key revoked meanwhile nothing is left to go on."""
    key = made(account)
    session = account.any_session()
    account.ask(ApiKeySuspend(key.key), session)
    held = account.ask(ApiKeySuspend(key.key, on=False), session, *PROOFS)
    assert isinstance(held, Hold)
    assert isinstance(account.ask(ChangeCancel(held.id), session), Allow)
    account.ask(ApiKeySuspend(key.key, on=False), session, *PROOFS)
    account.ask(ApiKeyRevoke(key.key), session)
    account.settle(days=4)
    account.sign_in()
    assert not account.head.changes
    assert not account.head.api_keys


def test_all_are_revoked_in_one_call(account: Account) -> None:
    """Nothing needs to be named to end every key."""
    made(account)
    made(account, TRADES)
    assert isinstance(account.ask(ApiKeyRevoke(), account.any_session()), Allow)
    assert not account.head.api_keys


@pytest.mark.parametrize("how", ["suspended", "revoked", "all revoked", "leaked"])
def test_what_it_asked_for_ends_with_it(account: Account, how: str) -> None:
    """Whoever stops a key stops what waits because it asked for it, and nothing else."""
    key, other = made(account), made(account)
    account.ask(PasswordChange(sealed("new")), account.any_session(), *PROOFS)
    account.deliver()
    of_key, of_other = held_id(pays(account, key, "500")), held_id(pays(account, other, "500"))
    own = held_id(account.pay("500", "home", account.sign_in()))
    stop = {
        "suspended": ApiKeySuspend(key.key),
        "revoked": ApiKeyRevoke(key.key),
        "all revoked": ApiKeyRevoke(),
        "leaked": ApiKeyLeaked(key.key),
    }[how]
    by = SYSTEM if how == "leaked" else account.any_session()
    assert isinstance(account.ask(stop, by), Allow)
    stopped = {of_key, of_other} if how == "all revoked" else {of_key}
    assert set(account.head.exits) == {of_key, of_other, own} - stopped
    account.settle(days=9)
    assert code(account.ask(ExitRelease(of_key), PLATFORM)) == Reason.NOT_FOUND


def test_what_a_stopped_key_asked_for_never_goes(account: Account) -> None:
    """Even if a held exit outlived the key that asked for it, nobody lets it go."""
    key = made(account)
    account.ask(PasswordChange(sealed("new")), account.any_session(), *PROOFS)
    which = held_id(pays(account, key, "500"))
    account.settle(days=5)
    kept = account.head.api_keys[key.key]
    for keys in ({}, {key.key: replace(kept, suspended=True)}):
        account.state = replace(account.head, api_keys=keys)
        answer = account.ask(ExitRelease(which), PLATFORM)
        assert (code(answer), answer.findings[0].about) == (Reason.API_KEY_SUSPENDED, "which")


def test_there_must_be_one_to_stop(account: Account) -> None:
    """What is not there is neither suspended nor revoked."""
    for action in (ApiKeySuspend("k99"), ApiKeyRevoke("k99")):
        assert code(account.ask(action, account.any_session())) == Reason.NOT_FOUND
    assert code(account.ask(ApiKeyLeaked("k99"), SYSTEM)) == Reason.NOT_FOUND


def test_one_that_leaked_is_revoked_loudly(account: Account) -> None:
    """A key on a list of leaked ones ends at once, and its owner is told as of a severe thing."""
    key = made(account)
    assert isinstance(account.ask(ApiKeyLeaked(key.key), SYSTEM), Allow)
    told = [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]
    assert [(one.cause, one.severity) for one in told] == [("api_key.revoked", Severity.SEVERE)]
    assert not account.head.api_keys


def test_a_key_leaves_the_owners_challenges_open(account: Account) -> None:
    """However much a key asks that must be confirmed, what its owner was asked for stays open; its own are few."""
    key, other = made(account), made(account)
    session = account.any_session()
    mine = pays(account, session, "2000", to="somebody")
    theirs = pays(account, other, to="anybody")
    assert isinstance(mine, StepUp)
    assert isinstance(theirs, StepUp)
    asked = [pays(account, key, to=f"stranger {number}") for number in range(12)]
    assert {type(one) for one in asked} == {StepUp}
    assert Counter(one.key for one in account.head.challenges.values()) == {"": 1, key.key: 2, other.key: 1}
    answered = pays(account, session, "2000", *PROOFS, to="somebody", challenge=mine.challenge)
    assert isinstance(answered, Hold)


def test_a_challenge_is_answered_by_whoever_was_given_it(account: Account) -> None:
    """What a key was asked to prove is not answered from a session, nor the other way round, of the same payment."""
    key, session = made(account), account.any_session()
    asked = pays(account, key, "2000", to="anybody")
    same = pays(account, session, "2000", to="anybody")
    assert isinstance(asked, StepUp)
    assert isinstance(same, StepUp)
    assert asked.challenge != same.challenge
    crossed = pays(account, session, "2000", *PROOFS, challenge=asked.challenge, to="anybody")
    assert code(crossed) == Reason.CHALLENGE_OTHER_ACTION
    assert code(pays(account, key, "2000", *PROOFS, to="anybody", challenge=same.challenge)) == code(crossed)
    assert isinstance(pays(account, key, "2000", *PROOFS, to="anybody", challenge=asked.challenge), Hold)


def test_a_key_asks_only_so_often() -> None:
    """Beyond its pace a key is not listened to and leaves no trace; others are, and after a while it is again."""
    account = Watched(policy_with(**{"api_keys.asks_per_h": 3}))
    grow(account)
    key, other = made(account, ApiKeyCreate(sealed("bot"), tuple(Scope), LIST, secret=sealed("key"))), made(account)
    account.deliver()
    account.ask(ExitCancel("x0"), key)
    assert [code(account.ask(ExitCancel("x0"), key)) for _ in range(2)] == [Reason.NOT_FOUND] * 2
    entries = len(account.entries)
    for action in (ExitCancel("x0"), AccountUnfreeze()):
        refused = account.ask(action, key)
    refused = pays(account, key)
    assert [(one.code, one.about) for one in refused.findings] == [(Reason.TOO_MANY, "api_key")]
    assert refused.findings[0].until == account.now + 20 * MINUTE
    assert len(account.entries) == entries
    assert Reason.TOO_MANY not in codes(account.ask(OrderPlace("o1", "BTC/USDT", "buy", "1", "1"), key))
    assert isinstance(pays(account, other), Allow)
    account.wait(minutes=19.9)
    assert code(pays(account, key)) == Reason.TOO_MANY
    account.wait(minutes=0.2)
    assert isinstance(pays(account, key), Allow)
    assert code(pays(account, key)) == Reason.TOO_MANY
    account.wait(hours=5)
    assert [code(pays(account, key)) for _ in range(4)] == [*[Reason.PROVED] * 3, Reason.TOO_MANY]


def test_no_pace_keeps_a_key_from_stopping() -> None:
    """A key beyond its pace still stops what waits, each once, which counts for nothing; what stops nothing counts."""
    account = Watched(policy_with(**{"api_keys.asks_per_h": 6}))
    grow(account)
    key = made(account)
    account.ask(PasswordChange(sealed("new")), account.any_session(), *PROOFS)
    first, second, third = (held_id(pays(account, key)) for _ in range(3))
    elsewhere = made(account, ApiKeyCreate(sealed("bot"), (Scope.TRADE,), secret=sealed("key")), days=0)
    paced_until = account.head.api_keys[key.key].paced_until
    assert isinstance(account.ask(ExitCancel(first), key), Allow)
    assert account.head.api_keys[key.key].paced_until == paced_until
    assert [code(account.ask(ExitCancel(first), key)) for _ in range(4)] == [Reason.NOT_FOUND] * 3 + [Reason.TOO_MANY]
    assert isinstance(account.ask(ExitCancel(second), key), Allow)
    entries = len(account.entries)
    for which, by in ((second, key), (third, elsewhere)):
        assert isinstance(account.ask(ExitCancel(which), by), Deny)
    account.key_fact = {"listed": False}
    assert code(account.ask(ExitCancel(third), key)) == Reason.TOO_MANY
    assert len(account.entries) == entries + 1
    assert third in account.head.exits


@pytest.mark.parametrize("how", ["suspended", "revoked", "expired"])
def test_a_stopped_key_writes_nothing(how: str) -> None:
    """Whatever is asked with a key that works no more, or from wherever, leaves nothing in its owner's log."""
    account = Watched()
    grow(account)
    key = made(account, replace(WITHDRAWS, expires_d=6))
    if how == "expired":
        account.settle(days=2)
    else:
        account.ask(ApiKeySuspend(key.key) if how == "suspended" else ApiKeyRevoke(key.key), account.any_session())
    entries, state = len(account.entries), account.state
    for listed in (True, False):
        account.key_fact = {"listed": listed}
        answers = [pays(account, key), account.ask(ExitCancel("x0"), key), account.ask(LockSet(48), key)]
        said = Reason.API_KEY_WRONG if how == "revoked" else Reason.API_KEY_SUSPENDED
        assert [code(one) for one in answers] == [said, said, Reason.NOT_ENTITLED]
    assert (len(account.entries), account.state) == (entries, state)


def test_repeats_of_what_a_key_pays_are_told_once() -> None:
    """Payments of one key to one receiver, worth no more than what was told, are not told at once for a while."""
    account = Watched()
    grow(account)
    account.add("work", account.any_session(), *PROOFS)
    key, other = made(account), made(account)
    account.deliver()

    def told(usd: str, by: Actor = key, to: str = "home") -> bool:
        assert isinstance(pays(account, by, usd, to=to), Allow)
        return any(one.cause == "exit.allowed" and not one.due_at for one in due(account))

    assert [told("10"), told("6"), told("3.99"), told("10.01"), told("10")] == [True, False, False, True, False]
    assert told("10", by=other)
    assert [told("5", to="work"), told("5", to="work"), told("5")] == [True, False, True]
    account.wait(minutes=15.1)
    assert told("5")
    session = account.any_session()
    assert isinstance(account.pay("5", "home", session, *PROOFS), Allow)
    assert [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]


def due(account: Account) -> list[ev.NoticeDue]:
    """The notices of the last entry."""
    return [one for one in account.last_events() if isinstance(one, ev.NoticeDue)]


def test_what_a_key_pays_unsaid_is_summed_up() -> None:
    """Repeats go unsaid up to what was told last; the next notice says how much, and one sums up in any case."""
    account = Watched()
    grow(account)
    key = made(account)
    account.deliver()

    def found() -> list[tuple[int, int, int]]:
        assert isinstance(pays(account, key, "100"), Allow)
        paid = [(one, one.payment) for one in due(account)]
        return [
            ((one.due_at - account.now) // MINUTE if one.due_at else 0, by.more, by.more_micro_usd // 1_000_000)
            for one, by in paid
            if by is not None
        ]

    assert [found() for _ in range(2)] == [[(0, 0, 0)], [(15, 0, 0)]]
    account.wait(minutes=5)
    assert [found() for _ in range(3)] == [[(0, 1, 100)], [], []]
    account.wait(minutes=9.5)
    assert [found() for _ in range(2)] == [[(0, 2, 200)], [(15, 0, 0)]]
    assert (account.head.api_keys[key.key].unsaid, account.head.api_keys[key.key].unsaid_micro_usd) == (1, 100_000_000)
    account.wait(minutes=16)
    assert found() == [(0, 1, 100)]
    found()
    account.ask(ApiKeyRevoke(key.key), account.any_session())
    ended = [one for one in account.last_events() if isinstance(one, ev.ApiKeyRevoked)]
    assert [(one.unsaid, one.unsaid_micro_usd) for one in ended] == [(1, 100_000_000)]


def test_a_fresh_receipt_is_no_payment_again() -> None:
    """What a key paid is counted once, however often it is let go again because its receipt was not spent."""
    account = Watched()
    grow(account)
    key = made(account)
    account.deliver()
    paid = pays(account, key, "100")
    assert isinstance(paid, Allow)
    account.wait(minutes=2)
    assert isinstance(account.ask(ExitRelease(paid.id), PLATFORM), Allow)
    assert [type(one) for one in account.last_events() if isinstance(one, ev.NoticeDue | ev.NoticeFolded)] == [
        ev.NoticeFolded
    ]
    assert account.head.api_keys[key.key].unsaid == 0


def test_an_hour_of_small_payments_is_told_whole() -> None:
    """Sixty payments of a hundred dollars are told in a few notices, whose sums come to all of it."""
    account = Watched(policy_with(**{"api_keys.asks_per_h": 100}))
    grow(account)
    key = made(account)
    account.deliver()
    told = later = 0
    for _ in range(60):
        assert isinstance(pays(account, key, "100"), Allow)
        account.wait(minutes=1)
        for one in due(account):
            assert one.payment is not None
            told += 0 if one.due_at else 1
            later += 1 if one.due_at else 0
    unsaid = account.head.api_keys[key.key].unsaid
    said = [
        one.payment.more + 1 for one in account.log if isinstance(one, ev.NoticeDue) and one.payment and not one.due_at
    ]
    assert sum(said) + unsaid == 60
    assert (told < 16, later <= 5, unsaid <= said[-1]) == (True, True, True)


def robbed_by_report(account: Account) -> None:
    """The owner reports a robbery."""
    account.ask(IncidentReport(sealed("all gone")), account.any_session())


def robbed_again(account: Account) -> None:
    """The owner reports another robbery while the case of an older one is open, with room for no word more."""
    key = next(iter(account.head.api_keys))
    account.policy = policy_with(**{"bounds.incident_notes": 1})
    for _ in range(2):
        robbed_by_report(account)
    account.ask(AccountUnfreeze(), account.any_session(), *PROOFS)
    account.settle(days=4)
    account.ask(ApiKeySuspend(key, on=False), account.any_session(), *PROOFS)
    account.settle(days=4)
    account.sign_in()
    assert not account.head.api_keys[key].suspended
    robbed_by_report(account)


def disowned(account: Account) -> None:
    """The owner says of a device that it was not his, which by now is signed out."""
    account.ask(AccountFreeze(disown="burner"), Actor(ActorKind.LINK, contact="c1-1"))


def recovered(account: Account) -> None:
    """Somebody recovered the account."""
    one = Claimant(account)
    one.opens(PASSWORD)
    one.shows("totp")
    one.signs()
    one.finishes()
    account.settle(days=8)
    for member in ("rita", "ron"):
        reviewed(account, member)
    account.settle(days=8)
    assert isinstance(one.finishes(), Allow)


@pytest.mark.parametrize("said", [robbed_by_report, robbed_again, disowned, recovered])
def test_keys_stop_when_somebody_else_was_in(account: Account, said: Callable[[Account], None]) -> None:
    """Whoever says that he was robbed, or recovers the account, stops every key with it; one notice counts them."""
    made(account), made(account, TRADES)
    said(account)
    assert {key.suspended for key in account.head.api_keys.values()} == {True}
    (stopped,) = (one for one in account.last_events() if isinstance(one, ev.ApiKeysStopped))
    told = [one.cause for one in account.last_events() if isinstance(one, ev.NoticeDue)]
    assert (len(stopped.keys) > 0, told.count("api_key.stopped")) == (True, 1)


def test_a_stop_alone_stops_no_key(account: Account) -> None:
    """A freeze that names nobody else leaves the keys as they are: they pay as little as anybody while it lasts."""
    key = made(account)
    account.ask(AccountFreeze(), account.any_session())
    assert not account.head.api_keys[key.key].suspended
    assert code(pays(account, key)) == Reason.FROZEN


def test_a_key_that_was_stopped_with_all_goes_on_as_ever(account: Account) -> None:
    """Each goes on by the owner's proof and after its wait, and nothing else; stopped again it is not told of twice."""
    key = made(account)
    robbed_by_report(account)
    account.ask(AccountUnfreeze(), account.any_session(), *PROOFS)
    account.settle(days=4)
    assert isinstance(account.ask(ApiKeySuspend(key.key, on=False), account.any_session()), StepUp)
    assert isinstance(account.ask(ApiKeySuspend(key.key, on=False), account.any_session(), *PROOFS), Hold)
    disowned(account)
    assert not account.head.changes
    assert not [one for one in account.last_events() if isinstance(one, ev.ApiKeysStopped)]


def test_what_keys_asked_for_ends_with_a_recovery(account: Account) -> None:
    """What waits because a key asked for it ends as the keys stop, and so does the wait of one that was to go on."""
    key, other = made(account), made(account)
    account.ask(ApiKeySuspend(other.key), account.any_session())
    account.ask(PasswordChange(sealed("new")), account.any_session(), *PROOFS)
    held_id(pays(account, key, "10", to="home"))
    account.ask(LockSet(400), account.any_session(), *PROOFS)
    account.settle(days=5)
    account.ask(ApiKeySuspend(other.key, on=False), account.any_session(), *PROOFS)
    assert (len(account.head.exits), len(account.head.changes)) == (1, 1)
    recovered(account)
    assert (account.head.exits, account.head.changes) == ({}, {})


def test_one_from_anywhere_stops_trading(account: Account) -> None:
    """A key without a list loses its trade right after 90 days; its owner is told 14 and 3 days before, once each."""
    key = made(account, TRADES)
    at = lapses_at(account.head.api_keys[key.key], account.policy)
    assert at is not None
    warned = []
    while account.now < at + 2 * DAY:
        account.settle(days=1)
        account.sign_in()
        new = [one for one in account.last_events() if isinstance(one, ev.ApiKeyWarned)]
        warned += [(at - account.now) // DAY for _ in new]
    assert warned == [14, 3]
    trading = (account.head.api_keys[key.key], "alice", Scope.TRADE, KeyFact(right=True, nonce=1, at=0, listed=True))
    refused = barred(account.head, *trading, account.policy, account.now)
    assert refused is not None
    assert (refused.code, refused.about) == (Reason.API_KEY_SCOPE, "ip_allowlist")
    assert barred(account.head, *trading, account.policy, at - 1) is None
    listed = made(account).key
    assert lapses_at(account.head.api_keys[listed], account.policy) is None


def test_a_suspended_one_warns_nobody(account: Account) -> None:
    """Of a key that is stopped nothing will be lost."""
    key = made(account, TRADES)
    account.ask(ApiKeySuspend(key.key), account.any_session())
    account.settle(days=89)
    account.sign_in()
    assert not [one for one in account.log if isinstance(one, ev.ApiKeyWarned)]


def test_a_freeze_disputes_a_key_that_waits(account: Account) -> None:
    """What was made before the stop was pressed, and still waited, waits again from the thaw."""
    answer = account.ask(WITHDRAWS, account.any_session(), *PROOFS)
    assert isinstance(answer, Allow)
    account.deliver()
    key = Actor(ActorKind.API_KEY, key=answer.id)
    account.ask(AccountFreeze(), account.any_session())
    account.settle(days=5)
    account.ask(AccountUnfreeze(), account.any_session(), *PROOFS)
    account.settle(days=4)
    account.sign_in()
    assert not account.head.frozen_at
    refused = pays(account, key)
    assert isinstance(refused, Deny)
    assert code(refused) == Reason.API_KEY_NEW


def test_the_budget_is_one(account: Account) -> None:
    """What a key lets out is drawn on the budget that every door draws on."""
    key = made(account)
    pays(account, key, "1000")
    drawn = [one for one in account.last_events() if isinstance(one, ev.ExitAllowed)]
    assert [one.micro_usd for one in drawn] == [1_000_000_000]
    assert bitcoin("home") == drawn[0].beneficiary
