"""Law 2 as one table: every set of authenticators held, every set shown, every action, every route; and as a property.

`test_assurance.py` looks at the mechanism. Nothing is left out here: a new action fails these tables until placed.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.core.everything import EVERY, HOME
from tests.core.histories import (
    BACKUP_CODE,
    EMAIL,
    PASSKEY,
    PASSWORD,
    POLICY,
    SMS,
    TOTP,
    Account,
    destination,
    grow,
    held_id,
    kind_of,
    sealed,
)

from holdback.core import decide
from holdback.core import events as ev
from holdback.core.assurance import CLASS, Level, demand
from holdback.core.decision import Allow, Context, Reason, StepUp
from holdback.core.events import Actor, ActorKind, AuthenticatorKind, Channel
from holdback.core.evidence import Path
from holdback.core.rules.account import AccountFreeze, AccountUnfreeze
from holdback.core.rules.api_key import ApiKeySuspend
from holdback.core.rules.authenticator import (
    AuthenticatorBind,
    AuthenticatorConfirm,
    AuthenticatorReinstate,
    AuthenticatorRemove,
    AuthenticatorSuspend,
)
from holdback.core.rules.contact import ContactAdd, ContactConfirm, ContactRemove, ContactReportRecycled
from holdback.core.rules.exit import ExitRelease, ExitRequest
from holdback.core.rules.incident import IncidentClose
from holdback.core.rules.password import PasswordChange
from holdback.core.rules.recovery import RecoveryCancel, RecoveryEvidence
from holdback.core.rules.session import SessionStart
from holdback.core.rules.setting import LimitSet
from holdback.core.seniority import authenticator_is_senior

if TYPE_CHECKING:
    from holdback.core.decide import Advance
    from holdback.core.decision import Decision, Proof
    from holdback.core.rules.asking import Action
    from holdback.core.state import Customer

Kinds = tuple[AuthenticatorKind, ...]

ALL: Final = (PASSWORD, EMAIL, SMS, TOTP, BACKUP_CODE, PASSKEY)
EVERY_SET: Final[list[Kinds]] = [held for size in range(1, 7) for held in combinations(ALL, size)]

ASKS: Final = {
    "session.start",
    "account.unfreeze",
    "password.change",
    "authenticator.bind",
    "authenticator.remove",
    "authenticator.reinstate",
    "contact.add",
    "contact.remove",
    "contact.report_recycled",
    "address.add",
    "address.renew",
    "allowlist.set",
    "lock.set",
    "limit.set",
    "api_key.create",
    "api_key.suspend",
    "vault.set",
    "exit.request",
    "exit.release",
    "recovery.cancel",
    "evidence.burn",
    "incident.close",
}
"""What an owner must prove himself for."""
TIGHTENS: Final = {
    "account.freeze",
    "session.end",
    "session.end_all",
    "authenticator.suspend",
    "address.remove",
    "change.cancel",
    "exit.cancel",
    "api_key.revoke",
    "recovery.contest",
    "incident.report",
    "incident.note",
}
"""What an owner does for nothing, for it can only protect."""
TRADES: Final = {"order.place", "order.lease"}
"""What a session or key does without proof, bounded by what it may give away; `test_trading.py` says how."""
PROVES_ITSELF: Final = {"authenticator.confirm", "contact.confirm"}
"""What ends something that was asked for with proof, by a proof of the new thing itself."""
LOST_EVERYTHING: Final = {"recovery.open", "recovery.evidence", "recovery.finish"}
"""What is asked by whoever says that he cannot sign in; `test_recovery.py` says what that takes."""
LEGAL: Final = {
    "legal.receive",
    "legal.freeze_order",
    "legal.call_back",
    "legal.approve",
    "legal.release",
    "legal.reject",
}
"""What authorities ask and staff answer; `test_legal.py` says what that takes."""
NOT_THE_OWNERS: Final = LEGAL | {
    "account.import",
    "agency.add",
    "agency.remove",
    "breaker.trip",
    "breaker.reset",
    "recovery.review",
    "recovery.remind",
    "staff.look_up",
    "staff.enrol",
    "staff.retire",
    "staff.flag",
    "ticket.open",
    "ticket.close",
    "exit.settle",
    "exit.reconcile",
    "order.report",
    "notice.outcome",
    "session.failures",
    "api_key.leaked",
    "deposit.receive",
}

ROUTES: Final = {
    ActorKind.OWNER: ASKS | TIGHTENS | TRADES | PROVES_ITSELF | LOST_EVERYTHING,
    ActorKind.LINK: {"account.freeze", "recovery.contest", "incident.report", "incident.note"},
    ActorKind.PLATFORM: {
        "account.import",
        "contact.report_recycled",
        "evidence.burn",
        "exit.cancel",
        "exit.release",
        "exit.settle",
        "order.report",
    },
    ActorKind.SYSTEM: {
        "exit.reconcile",
        "api_key.leaked",
        "recovery.remind",
        "notice.outcome",
        "session.failures",
        "staff.enrol",
        "staff.flag",
        "breaker.trip",
        "ticket.open",
        "ticket.close",
        "deposit.receive",
    },
    ActorKind.API_KEY: {"exit.request", "exit.cancel", "order.place", "order.lease"},
    ActorKind.STAFF: {
        "incident.note",
        "incident.close",
        "evidence.burn",
        "recovery.open",
        "recovery.evidence",
        "recovery.review",
        "staff.look_up",
        "staff.enrol",
        "staff.retire",
        "agency.add",
        "agency.remove",
        "breaker.reset",
        "exit.cancel",
        "exit.release",
    }
    | LEGAL,
    ActorKind.AGENCY: {"legal.receive", "legal.freeze_order"},
}
"""Which actions each kind of actor may ask for: there is no way around the owner's proof but these."""


def test_every_action_has_its_place() -> None:
    """No action exists that is neither asked proof for, nor a tightening, nor placed with its reason."""
    assert set(EVERY) == ASKS | TIGHTENS | TRADES | PROVES_ITSELF | NOT_THE_OWNERS | LOST_EVERYTHING
    for name, action in EVERY.items():
        assert decide.RULES[type(action)].proofless is (
            name
            in TIGHTENS
            | {"exit.settle", "exit.reconcile", "notice.outcome", "session.failures", "api_key.leaked"}
            | {"order.report", "staff.retire", "staff.flag", "ticket.close", "legal.reject", "agency.remove"}
            | {"breaker.trip", "deposit.receive"}
        )


class Scene(NamedTuple):
    """An account as it stands before an action that means something to it, and the owner's session."""

    account: Account
    session: bytes
    action: Action


@cache
def grown_with(held: Kinds) -> tuple[Account, bytes]:
    """An account that holds these, all senior, with a session whose password is no longer fresh."""
    account = Account()
    session = grow(account, *held)
    account.wait(minutes=20)
    return account, session


def copied(account: Account) -> Account:
    """One that may be asked without changing the other."""
    again = Account()
    again.__dict__.update(account.__dict__)
    again.log, again.entries = list(account.log), list(account.entries)
    return again


@cache
def scene(name: str, held: Kinds) -> Scene:
    """What an action needs to mean something: a freeze, something suspended, a payment that waits."""
    base, session = grown_with(held)
    account, action = copied(base), EVERY[name]
    strongest = f"a1-{held.index(best(held)[0]) + 1}"
    match action:
        case AccountUnfreeze():
            account.ask(AccountFreeze(), session)
        case AuthenticatorReinstate():
            account.ask(AuthenticatorSuspend(strongest), session)
            action = AuthenticatorReinstate(strongest)
        case ApiKeySuspend():
            made = account.ask(EVERY["api_key.create"], session, *account.head.authenticators)
            key = made.id if isinstance(made, Allow) else "none"
            account.ask(ApiKeySuspend(key), session)
            action = ApiKeySuspend(key, on=False)
        case AuthenticatorRemove():
            action = AuthenticatorRemove(strongest)
        case IncidentClose():
            account.ask(EVERY["incident.report"], session)
        case RecoveryCancel():
            account.tokens += 1  # of its own: whoever opened one may take it back without proof
            account.ask(EVERY["recovery.open"], Actor(ActorKind.OWNER))
        case ExitRelease():
            action = ExitRelease(held_id(account.pay("900000", "home", session)))
    account.deliver()
    account.wait(minutes=20)
    return Scene(account, session, action)


def best(held: Kinds) -> Kinds:
    """The strongest class among these: law 2's order, said once more."""
    order = ({PASSKEY}, {TOTP, BACKUP_CODE}, {SMS}, {EMAIL}, {PASSWORD})
    return next(tuple(kind for kind in held if kind in group) for group in order if group & set(held))


def suffices(held: Kinds, shown: Kinds) -> bool:
    """Something of the strongest class, and the password beside it unless that is a passkey."""
    with_password = PASSWORD not in held or PASSWORD in shown or PASSKEY in held
    return bool(set(best(held)) & set(shown)) and with_password


def ask(one: Scene, customer: Customer, proofs: list[str], challenge: str = "") -> Advance:
    """Ask on a route of the owner's, and keep nothing."""
    signs_in = isinstance(one.action, SessionStart)
    request = one.account.request(one.action, b"" if signs_in else one.session, challenge=challenge)
    return decide.advance(customer, request, one.account.facts(request, proofs), POLICY, one.account.now)


@pytest.mark.parametrize("name", sorted(ASKS))
def test_no_set_shown_is_taken_for_a_stronger_one(name: str) -> None:
    """For all 63 sets held and every set shown: less than the strongest class does nothing, and is told what would."""
    done = 0
    for held in EVERY_SET:
        one = scene(name, held)
        first = ask(one, one.account.everything(), [])
        if not isinstance(first.decision, StepUp):
            assert first.decision.findings[0].code in REFUSED_WHATEVER_IS_SHOWN[name], (held, first.decision)
            continue
        witness = [key for key in one.account.head.contacts if name == "exit.release"]
        for size in range(len(held) + 1):
            for shown in combinations(held, size):
                proofs = [f"a1-{held.index(kind) + 1}" for kind in shown]
                step = ask(one, first.customer, proofs + witness, first.decision.challenge)
                needed = suffices(held, shown)
                assert (kind_of(step.decision) in {"allow", "hold"}) is needed, (held, shown, step.decision)
                assert needed or not changed(step), (held, shown)
                if witness:
                    assert isinstance(ask(one, first.customer, proofs, first.decision.challenge).decision, StepUp)
                done += needed
        for accepted in first.decision.accept:
            kinds = tuple(AuthenticatorKind(kind) for kind in accepted if kind != "contact_code")
            assert suffices(held, kinds), (held, accepted)
    assert done > 60 or name in REFUSED_WHATEVER_IS_SHOWN


REFUSED_WHATEVER_IS_SHOWN: Final = {
    "password.change": {Reason.NOT_FOUND},  # no password is held
    "authenticator.remove": {Reason.LAST_ONE},  # nothing else would be left
    "authenticator.reinstate": {Reason.BAD_FIELD, Reason.NOT_FOUND},  # a password alone cannot be suspended
    "exit.release": {Reason.NO_SENIOR_CONTACT},  # codes go to every contact there is
}
"""Why some sets cannot ask for some actions at all."""

HARMLESS: Final = (
    ev.Decided,
    ev.AuthenticatorAsked,
    ev.ChallengeIssued,
    ev.ChallengeClosed,
    ev.ProofFailed,
    ev.NoticeDue,
    ev.NoticeFolded,
    ev.SessionSeen,
)
"""What a refused question may write."""


def changed(step: Advance) -> list[ev.AnyEvent]:
    """What an answer wrote besides that it was asked."""
    return [event for event in step.events if not isinstance(event, HARMLESS)]


@pytest.mark.parametrize("kind", ActorKind)
def test_no_route_leads_around(kind: ActorKind) -> None:
    """Each kind of actor may ask for what is listed and nothing else, whatever proofs come with it."""
    account, _ = grown_with((PASSWORD, TOTP, PASSKEY))
    assert {name for name, one in EVERY.items() if kind in decide.RULES[type(one)].actors} == ROUTES[kind]
    for name, action in EVERY.items():
        actor = Actor(kind, contact="c1-1" if kind is ActorKind.LINK else "")
        again = copied(account)
        answer = again.ask(action, actor, *again.head.authenticators)
        if name not in ROUTES[kind]:
            assert codes_of(answer) == {Reason.NOT_ENTITLED.value}
            assert not changed(again.last) if again.last else True
        elif kind is ActorKind.OWNER and name not in LOST_EVERYTHING | {"session.start"}:
            assert codes_of(answer) == {Reason.SESSION_REQUIRED.value}


@pytest.mark.parametrize("name", sorted(PROVES_ITSELF))
def test_what_proves_itself_is_not_proved_by_anything_else(name: str) -> None:
    """Nothing is confirmed that was not asked for with proof before: there is nothing to confirm."""
    for held in EVERY_SET:
        account, session = grown_with(held)
        again = copied(account)
        contacts = [key for key in account.head.contacts if name == "authenticator.confirm"]
        answer = again.ask(EVERY[name], session, *account.head.authenticators, *contacts)
        assert kind_of(answer) == "deny"


def codes_of(decision: Decision) -> set[str]:
    """The reasons of a decision."""
    return {finding.code for finding in decision.findings}


# The property

WEAK: Final = frozenset({PASSWORD, SMS, EMAIL})
STRONG_SETS: Final[list[Kinds]] = [
    held for held in EVERY_SET if {TOTP, PASSKEY} & set(held) and len(WEAK & set(held)) >= 2 and PASSWORD in held
]
TRIES: Final[tuple[Action, ...]] = (
    *(one for name, one in EVERY.items() if name not in NOT_THE_OWNERS),
    *(AuthenticatorBind(kind, sealed("thief")) for kind in (PASSKEY, TOTP, BACKUP_CODE)),
    *(AuthenticatorBind(kind, address=sealed("thief")) for kind in (SMS, EMAIL)),
    *(
        make(f"a1-{number}")
        for make in (AuthenticatorRemove, AuthenticatorReinstate, AuthenticatorSuspend, AuthenticatorConfirm)
        for number in range(1, 7)
    ),
    ExitRequest("withdrawal", "USD", "1", address=HOME, network="bitcoin"),
    ExitRequest("withdrawal", "USD", "1", address=destination("thief"), network="bitcoin"),
    ExitRequest("gift", "USD", "1", counterparty=destination("mule")),
    ContactAdd(Channel.SMS, sealed("thief")),
    ContactConfirm("c1-2"),
    ContactRemove("c1-2"),
    ContactReportRecycled("c1-2"),
    LimitSet(None),
    PasswordChange(sealed("thief")),
    RecoveryEvidence("contact_code", Channel.SMS),
)
"""What a thief could ask for."""

BROKEN: Final = (
    ev.ExitAllowed,
    ev.ExitHeld,
    ev.AuthenticatorBound,
    ev.AuthenticatorConfirmed,
    ev.AuthenticatorRemoved,
    ev.AuthenticatorReinstated,
    ev.SecretReplaced,
    ev.ContactAdded,
    ev.ContactRemoved,
    ev.ContactRecycled,
    ev.AddressAdded,
    ev.AddressRenewed,
    ev.ChangeAsked,
    ev.Unfrozen,
    ev.SettingChanged,
    ev.SessionStarted,
)
"""What must never come of it: a payment, even one that waits; anything bound, removed, replaced or loosened."""


def broken(account: Account, since: int) -> list[ev.AnyEvent]:
    """What came of it that must not. Confirming a known contact once more gives nothing but its right to freeze."""
    return [
        event
        for event in account.log[since:]
        if isinstance(event, BROKEN) or (isinstance(event, ev.ContactConfirmed) and event.wait_ms)
    ]


class Try(NamedTuple):
    """One attempt: what is asked, by which route, with what, and what passes before."""

    action: int
    route: str
    shows: frozenset[AuthenticatorKind]
    wrong: frozenset[AuthenticatorKind]
    resumes: bool
    hours: int
    told: bool


tries = st.lists(
    st.builds(
        Try,
        action=st.integers(0, len(TRIES) - 1),
        route=st.sampled_from(("session", "session", "session", "none", "link", "recovery", "recovery")),
        shows=st.frozensets(st.sampled_from(ALL)),
        wrong=st.frozensets(st.sampled_from(ALL)),
        resumes=st.booleans(),
        hours=st.sampled_from((0, 0, 0, 1, 5, 30, 80)),
        told=st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


class Thief:
    """Somebody with a copied session of the owner's who can show some authenticators and guesses at all others."""

    def __init__(self, account: Account, session: bytes, holds: frozenset[str]) -> None:
        """Act on an account of his own copy of the world."""
        self.account = account
        self.session = session
        self.holds = holds

    def attempt(self, one: Try) -> None:
        """Ask, and ask again under the challenge that comes back, with right proofs of what he holds alone."""
        account = self.account
        account.wait(hours=one.hours)
        if one.told:
            account.deliver()
        action = TRIES[one.action]
        actor = {
            "session": Actor(ActorKind.OWNER, self.session),
            "none": Actor(ActorKind.OWNER),
            "link": Actor(ActorKind.LINK, contact="c1-1"),
            "recovery": Actor(ActorKind.OWNER, account.head.recovery.token if account.head.recovery else b""),
        }[one.route]
        request = account.request(action, actor, context=Context(device="burner"))
        answer = account.submit(request, account.facts(request, [] if one.resumes else self.proofs(one)))
        if one.resumes and isinstance(answer, StepUp):
            request = replace(request, challenge=answer.challenge)
            account.submit(request, account.facts(request, self.proofs(one)))

    def proofs(self, one: Try) -> list[Proof]:
        """Right proofs of what is held, with every code that is sent; wrong ones of all else."""
        head = self.account.head
        shown = []
        for name, held in head.authenticators.items():
            if held.kind in one.shows | one.wrong:
                right = name in self.holds and held.kind not in one.wrong
                shown.append(self.account.proof(name) if right else self.account.wrong(name))
        return [*shown, *(self.account.proof(contact) for contact in head.contacts)]


@settings(max_examples=300)
@given(held=st.sampled_from(STRONG_SETS), moves=tries)
def test_weak_factors_never_reach_a_strong_account(held: Kinds, moves: list[Try]) -> None:
    """Codes, the password and a session bring no exit, binding or removal; recovery by them, the password alone."""
    base, session = grown_with(held)
    account = copied(base)
    before = len(account.log)
    names = {name for name, one in account.head.authenticators.items() if one.kind in WEAK}
    thief = Thief(account, session, frozenset(names))
    finished: list[ev.RecoveryFinished] = []
    for one in moves:
        thief.attempt(one)
        finished = [event for event in account.log if isinstance(event, ev.RecoveryFinished)]
        if finished:
            assert [event.path for event in finished] == [Path.CODES]
            break
    assert finished or broken(account, before) == []
    assert account.head.authenticators.keys() == base.head.authenticators.keys()


OWNERS: Final[list[Kinds]] = [
    (PASSWORD, TOTP),
    (PASSWORD, PASSKEY),
    (PASSWORD, SMS, EMAIL),
    (TOTP, BACKUP_CODE),
    (PASSKEY,),
]


@settings(max_examples=200)
@given(held=st.sampled_from(OWNERS), early=tries, frozen_after=st.integers(0, 71), late=tries)
def test_a_thiefs_own_passkey_never_outranks_what_was_there(
    held: Kinds, early: list[Try], frozen_after: int, late: list[Try]
) -> None:
    """Bound by a proof that was stolen once, and stopped by the owner while it was new, it approves nothing, ever."""
    base, session = grown_with(held)
    account = copied(base)
    passkey = account.ask(AuthenticatorBind(PASSKEY, sealed("thief")), session, *account.head.authenticators)
    assert isinstance(passkey, Allow)
    account.ask(AuthenticatorConfirm(passkey.id, sealed("thief's key")), session, passkey.id)
    account.deliver()
    weak = {name for name, one in account.head.authenticators.items() if one.kind in WEAK}
    thief = Thief(account, session, frozenset({passkey.id, *(weak if set(held) - WEAK else ())}))
    before, ends = len(account.log), account.now + frozen_after * ev.HOUR
    for one in early:
        thief.attempt(one._replace(hours=0))
    account.now = max(account.now, ends)
    account.ask(AccountFreeze(), Actor(ActorKind.LINK, contact="c1-1"))
    for one in late:
        thief.attempt(one)
        new = account.head.authenticators.get(passkey.id)
        assert new is None or not authenticator_is_senior(account.head, new, account.now)
    signs_in = [event for event in broken(account, before) if not isinstance(event, ev.SessionStarted)]
    assert signs_in == []
    mine = {name: one for name, one in base.head.authenticators.items() if CLASS[one.kind] >= CLASS[best(held)[0]]}
    live = {name for name in mine if not account.head.authenticators[name].suspended}
    for level in (Level.MONEY, Level.CHANGE):
        wanted = demand(account.head, level, None, POLICY, account.now)
        assert passkey.id not in wanted.usable
        assert live <= wanted.usable
