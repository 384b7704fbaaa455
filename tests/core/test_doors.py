"""The table of doors is what the rules do: every state, party and action, and every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from msgspec.structs import replace
from tests.core.histories import (
    DEFAULT,
    PLATFORM,
    USD,
    Account,
    codes,
    destination,
    grown,
    held_id,
    kind_of,
    sealed,
)

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Reason, StaffFact, StepUp
from holdback.core.doors import DOORS, MOVES, VERBS, State
from holdback.core.events import DAY, Actor, ActorKind, Destination, Lane, Scope
from holdback.core.policy import NETWORKS
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.api_key import ApiKeyCreate
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitRequest, ExitSettle

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.rules.asking import Action

PROOFS: Final = ("a1-1", "a1-2")


def stands(account: Account, which: str) -> State:
    """Where an exit stands, as its last event says."""
    found = State.HELD
    for event in account.log:
        match event:
            case ev.ExitAllowed(exit=name) if name == which:
                found = State.ALLOWED
            case ev.ExitSettled(exit=name, returned=False) if name == which:
                found = State.SETTLED
            case ev.ExitCancelled(exit=name) if name == which:
                found = State.CANCELLED
            case ev.ExitReturned(exit=name) if name == which:
                found = State.RETURNED
            case _:
                pass
    return found


def held(account: Account, session: bytes) -> str:
    """A transfer that waited out all it had to wait for."""
    account.ask(AddressAdd(sealed("bob"), "internal", destination("bob")), session, *PROOFS)
    account.settle(days=4)
    sends = ExitRequest("internal_transfer", "USD", "900000", counterparty=destination("bob"))
    which = held_id(account.ask(sends, account.sign_in(), *PROOFS, counterparty="bob"))
    account.settle(days=4)
    return which


def allowed(account: Account, session: bytes) -> str:
    """The same, let go; who received it holds it still."""
    which = held(account, session)
    account.ask(ExitRelease(which), PLATFORM, counterparty="bob")
    account.still_held = 900_000 * USD
    return which


def settled(account: Account, session: bytes) -> str:
    """The same, and final."""
    which = allowed(account, session)
    account.ask(ExitSettle(which, "paid"), PLATFORM)
    return which


def cancelled(account: Account, session: bytes) -> str:
    """One that was stopped for good."""
    which = held(account, session)
    account.ask(ExitCancel(which), PLATFORM)
    return which


def returned(account: Account, session: bytes) -> str:
    """One that two people gave back, and that the platform has not moved yet."""
    which = allowed(account, session)
    two_people(account, ExitCancel(which))
    return which


def two_people(account: Account, asked: Action) -> str:
    """Two of the staff ask the same, once its owner has stopped the account; that would cancel what is held."""
    if not account.head.exits:
        account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1"))
    answers = []
    for name, first in (("ann", ""), ("bo", "ann")):
        account.staff = StaffFact(name, ("treasurer",), involved=False, first=first)
        answers.append(kind_of(account.ask(asked, Actor(ActorKind.STAFF, key=name))))
    account.staff = None
    return answers[-1]


WITHDRAWS: Final = ApiKeyCreate(sealed("bot"), (Scope.WITHDRAW,), (sealed("203.0.113.7"),), secret=sealed("key"))

REACHED: Final[dict[State, Callable[[Account, bytes], str]]] = {
    State.HELD: held,
    State.ALLOWED: allowed,
    State.SETTLED: settled,
    State.CANCELLED: cancelled,
    State.RETURNED: returned,
}


def action(verb: str, which: str) -> Action:
    """What is asked of an exit."""
    made: dict[str, Action] = {
        "exit.cancel": ExitCancel(which),
        "exit.release": ExitRelease(which),
        "exit.settle": ExitSettle(which, "paid"),
        "account.freeze": AccountFreeze(),
    }
    return made[verb]


def asks(account: Account, party: ActorKind, verb: str, which: str) -> str:
    """A party asks with all it has, codes that are sent to senior contacts among it."""
    key = next(iter(account.head.api_keys), "someone")
    actor = Actor(party, contact="c1-1" if party is ActorKind.LINK else "", key=key)
    if party is ActorKind.STAFF:
        return two_people(account, action(verb, which))
    if party is not ActorKind.OWNER:
        other = decide.needs(account.request(action(verb, which), actor), account.head).counterparty
        return kind_of(account.ask(action(verb, which), actor, *PROOFS, counterparty=other))
    session = account.any_session()
    first = account.ask(action(verb, which), session, counterparty="bob")
    if not isinstance(first, StepUp):
        return kind_of(first)
    code = account.head.challenges[first.challenge].contact
    shown, asked = (*PROOFS, code), action(verb, which)
    return kind_of(account.ask(asked, session, *shown, challenge=first.challenge, counterparty="bob"))


@pytest.mark.parametrize("party", ActorKind, ids=str)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("state", State, ids=str)
def test_who_may_move_an_exit(state: State, verb: str, party: ActorKind) -> None:
    """In every state each party moves an exit where the table says, and nobody else moves it at all."""
    account, session = grown()
    if party is ActorKind.API_KEY:
        account.ask(WITHDRAWS, session, *PROOFS)
        account.settle(days=5)
    which = REACHED[state](account, account.any_session())
    assert stands(account, which) is state
    answer = asks(account, party, verb, which)
    expected = MOVES.get((state, verb), {}).get(party)
    assert stands(account, which) is (expected or state), answer
    if verb != "account.freeze":
        assert (answer == "allow") is (expected is not None)


def test_what_left_the_platform_is_not_given_back() -> None:
    """Two people cannot give back what went outside: nobody here holds it."""
    account, session = grown()
    account.pay("900", "home", session)
    (which,) = account.head.allowed
    account.still_held = 900 * USD
    assert two_people(account, ExitCancel(which)) == "deny"
    assert stands(account, which) is State.ALLOWED


def test_every_door_is_in_the_table() -> None:
    """Wherever a policy may let a kind lead to, the table says what makes it irrevocable, who is paid, who cancels."""
    assert set(DOORS) == set(NETWORKS)
    assert all(all(door) for door in DOORS.values())
    assert set(DEFAULT["exits"].values()) <= set(DOORS)
    assert set(REACHED) == set(State)


NAMED: Final[dict[str, tuple[Destination | None, ExitRequest]]] = {
    "bitcoin": (destination("b"), ExitRequest("withdrawal", "USD", "900", address=destination("b"), network="bitcoin")),
    "bank": (destination("b"), ExitRequest("fiat_payout", "USD", "900", address=destination("b"))),
    "internal": (destination("b"), ExitRequest("gift", "USD", "900", counterparty=destination("b"))),
    "p2p": (None, ExitRequest("p2p_sale", "USD", "900", counterparty=destination("b"))),
    "card": (None, ExitRequest("card", "USD", "900", counterparty=destination("b"))),
}
"""One beneficiary of every sort, and an exit to it."""


@pytest.mark.parametrize("network", NAMED)
def test_every_sort_of_beneficiary_waits_and_expires_alike(network: str) -> None:
    """An entry knows who made it and how, is paid after its wait, and is confirmed again by proof after its time."""
    account, session = grown(equity="100000")
    target, paying = NAMED[network]
    name = account.ask(AddressAdd(sealed("b"), network, target), session, *PROOFS)
    assert kind_of(name) == "allow"
    entry = account.beneficiary(getattr(name, "id", ""))
    assert (entry.actor.session, entry.device, entry.authenticator) == (session, "laptop", "a1-2")
    early = account.ask(paying, session, *PROOFS, counterparty="bob")
    assert codes(early) == [Reason.DESTINATION_NEW]
    account.settle(days=4)
    session = account.sign_in()
    assert codes(account.ask(paying, session, *PROOFS, counterparty="bob")) == [Reason.PROVED]
    large = replace(paying, amount="9000")
    which = held_id(account.ask(large, session, *PROOFS, counterparty="bob"))
    account.deliver()
    account.now += account.policy.book.verified_d * DAY
    assert codes(account.ask(ExitRelease(which), PLATFORM, counterparty="bob")) == [Reason.VERIFICATION_EXPIRED]


def test_the_family_is_one() -> None:
    """Sub-accounts draw on one budget, are held alike, and one freeze stops them all."""
    account, session = grown(subs=("savings", "bot"), equity="100000")
    for sub in ("savings", "bot"):
        paid = account.pay("2000", "home", session, account=f"alice.{sub}")
        assert codes(paid) == [Reason.PROVED]
    assert codes(account.pay("2000", "home", session)) == [Reason.OVER_BUDGET]
    which = held_id(account.pay("3000", "home", session, account="alice.bot"))
    assert account.head.meters[Lane.TOTAL].days[account.now // DAY] == 4000 * USD
    account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1"))
    assert which not in account.head.exits
    for name in ("alice", "alice.savings", "alice.bot"):
        assert codes(account.pay("1", "home", session, account=name)) == [Reason.FROZEN]
