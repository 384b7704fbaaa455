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
    policy_with,
    sealed,
)

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.decision import Reason, StaffFact, StepUp
from holdback.core.doors import DOORS, GRANTED, MOVES, NAMING, PAID, VERBS, State
from holdback.core.events import DAY, Actor, ActorKind, Destination, Lane, Scope
from holdback.core.policy import NETWORKS
from holdback.core.rules.account import AccountFreeze
from holdback.core.rules.address import AddressAdd
from holdback.core.rules.api_key import ApiKeyCreate
from holdback.core.rules.exit import ExitCancel, ExitRelease, ExitRequest, ExitSettle

if TYPE_CHECKING:
    from holdback.core.rules.asking import Action

PROOFS: Final = ("a1-1", "a1-2")
BOB: Final = destination("bob")
TIGHT: Final = policy_with(**{"outflow.others_day_percent": 0, "outflow.long_standing_day_usd": 0})
"""A policy under which whatever leaves is held first, as over budget."""

ASKED: Final[dict[str, ExitRequest]] = {
    "internal_transfer": ExitRequest("internal_transfer", "USD", "9000", counterparty=BOB),
    "p2p_sale": ExitRequest("p2p_sale", "USD", "9000", counterparty=BOB),
}


def stands(account: Account, which: str) -> State:
    """Where an exit stands, as its last event says."""
    found = State.HELD
    for event in account.log:
        match event:
            case ev.ExitAllowed(exit=name) if name == which:
                found = State.ALLOWED
            case ev.ExitSettled(exit=name) if name == which and found is not State.RETURNED:
                found = State.SETTLED
            case ev.ExitCancelled(exit=name) if name == which:
                found = State.CANCELLED
            case ev.ExitLocked(exit=name) if name == which:
                found = State.LOCKED
            case ev.ExitPaid(exit=name) if name == which:
                found = State.PAID
            case ev.ExitDisputed(exit=name) if name == which:
                found = State.DISPUTED
            case ev.ExitReturned(exit=name) if name == which:
                found = State.RETURNED
            case _:
                pass
    return found


class Door:
    """One exit of a kind, on its way. Example: `Door(account, "p2p_sale").reach(State.LOCKED)`."""

    def __init__(self, account: Account, kind: str) -> None:
        """Ask for it; it is held."""
        self.account, self.kind = account, kind
        self.which = held_id(account.ask(ASKED[kind], account.any_session(), *PROOFS, counterparty="bob"))

    def reach(self, state: State) -> str:
        """Take it to a state; what comes back is its id."""
        {
            State.HELD: self.held,
            State.ALLOWED: self.allowed,
            State.SETTLED: self.settled,
            State.CANCELLED: self.cancelled,
            State.LOCKED: self.granted,
            State.PAID: self.paid,
            State.DISPUTED: self.disputed,
            State.RETURNED: self.returned,
        }[state]()
        return self.which

    def ask(self, action: Action, by: Actor | bytes = PLATFORM, *proofs: str) -> None:
        """Ask, as somebody."""
        self.account.ask(action, by, *proofs, counterparty="bob")

    def held(self) -> None:
        """It has waited out all it had to wait for."""
        self.account.settle(days=4)

    def granted(self) -> None:
        """Nothing is against it any more."""
        self.held()
        self.ask(ExitRelease(self.which))

    def allowed(self) -> None:
        """It may be paid; who received it holds it still."""
        self.granted()
        if self.kind == "p2p_sale":
            self.ask(ExitRelease(self.which), self.account.any_session(), *PROOFS)
        self.account.still_held = 9000 * USD

    def returned(self) -> None:
        """Two people gave it back, and the platform has not moved it yet."""
        self.allowed()
        two_people(self.account, ExitCancel(self.which))

    def settled(self) -> None:
        """It was, and that is final."""
        self.allowed()
        self.ask(ExitSettle(self.which, "paid"))

    def cancelled(self) -> None:
        """It was stopped for good."""
        self.held()
        self.ask(ExitCancel(self.which))

    def paid(self) -> None:
        """Its buyer has paid."""
        self.granted()
        self.ask(ExitSettle(self.which, "bank 1", "paid"))

    def disputed(self) -> None:
        """And then its owner stopped it."""
        self.paid()
        self.ask(ExitCancel(self.which), self.account.any_session())


WITHDRAWS: Final = ApiKeyCreate(sealed("bot"), (Scope.WITHDRAW,), (sealed("203.0.113.7"),), secret=sealed("key"))

SALES: Final = frozenset({State.LOCKED, State.PAID, State.DISPUTED})
REACHED: Final = [(kind, state) for kind in ASKED for state in State if kind == "p2p_sale" or state not in SALES]


def action(verb: str, which: str) -> Action:
    """What is asked of an exit."""
    made: dict[str, Action] = {
        "exit.cancel": ExitCancel(which),
        "exit.release": ExitRelease(which),
        "exit.settle": ExitSettle(which, "paid"),
        PAID: ExitSettle(which, "bank 2", "paid"),
        "account.freeze": AccountFreeze(),
    }
    return made[verb]


def asks(account: Account, party: ActorKind, verb: str, which: str) -> str:
    """A party asks with all it has, codes that are sent to senior contacts among it; of the staff two ask."""
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
    shown = (*PROOFS, code) if code else PROOFS
    answer = account.ask(action(verb, which), session, *shown, challenge=first.challenge, counterparty="bob")
    return kind_of(answer)


def two_people(account: Account, asked: Action) -> str:
    """Two of the staff ask the same, once its owner has stopped the account; that would cancel what is held."""
    if not account.head.exits:
        account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1"))
    answers = []
    for name, first in (("ann", ""), ("bo", "ann")):
        actor = Actor(ActorKind.STAFF, key=name)
        account.staff = StaffFact(name, ("treasurer",), involved=False, first=first)
        other = decide.needs(account.request(asked, actor), account.head).counterparty
        answers.append(kind_of(account.ask(asked, actor, counterparty=other)))
    account.staff = None
    return answers[-1]


WAITS_STILL: Final = frozenset({State.LOCKED, State.DISPUTED})
"""What an exit becomes with nothing let go: whoever asked for more is answered `hold`."""


@pytest.mark.parametrize("party", ActorKind, ids=str)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("kind", "state"), REACHED)
def test_who_may_move_an_exit(kind: str, state: State, verb: str, party: ActorKind) -> None:
    """In every state each party moves an exit where the table says, and nobody else moves it at all."""
    account, session = grown(policy=TIGHT)
    account.ask(AddressAdd(sealed("anybody"), "p2p"), session, *PROOFS)
    account.ask(AddressAdd(sealed("bob"), "internal", BOB), session, *PROOFS)
    if party is ActorKind.API_KEY:
        account.ask(WITHDRAWS, session, *PROOFS)
    account.settle(days=5)
    which = Door(account, kind).reach(state)
    assert stands(account, which) is state
    answer = asks(account, party, verb, which)
    expected = MOVES.get((state, verb), {}).get(party)
    if state is State.HELD and expected is State.ALLOWED:
        expected = GRANTED.get(account.policy.exits[kind], expected)
    assert stands(account, which) is (expected or state), answer
    if verb != "account.freeze":
        assert (answer == ("hold" if expected in WAITS_STILL else "allow")) is (expected is not None)


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
    assert all(all(door[:4]) and set(door.fields) <= set(NAMING) for door in DOORS.values())
    assert set(DEFAULT["exits"].values()) <= set(DOORS)
    assert {state for _, state in REACHED} == set(State)
    assert set(GRANTED) <= set(DOORS)


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
    granted = Reason.SALE_LOCKED if network == "p2p" else Reason.PROVED
    assert codes(account.ask(paying, session, *PROOFS, counterparty="bob")) == [granted]
    large = replace(paying, amount="7000")
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
