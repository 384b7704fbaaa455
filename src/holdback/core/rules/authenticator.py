"""Authenticators: binding is junior, suspending is free, removing and reinstating wait (laws 1, 2, 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core import events as ev
from holdback.core.assurance import CLASS, RESTRICTED, Level, may_go, strongest
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import HOUR, MINUTE, AuthenticatorKind, ChangeKind, Finding, Sealed
from holdback.core.rules.asking import (
    EVERYBODY,
    OWNER,
    Action,
    Case,
    Id,
    Request,
    Rule,
    Ruling,
    always,
    denied,
    tightened,
)
from holdback.core.rules.change import ask
from holdback.core.seniority import authenticator_is_senior
from holdback.core.texting import texted_again_at

if TYPE_CHECKING:
    from holdback.core.state import Head, PartKey


class AuthenticatorBind(Action, frozen=True, tag="authenticator.bind"):
    """Bind one more authenticator. `secret` is made by Holdback, never sent.

    `address` is the number or mailbox that codes of the restricted kinds, sms and email, go to; one goes there at once.
    """

    kind: AuthenticatorKind
    secret: Sealed | None = None
    address: Sealed | None = None


class AuthenticatorConfirm(Action, frozen=True, tag="authenticator.confirm"):
    """Show a proof by a newly bound authenticator, in `proofs`; it counts from here on.

    A passkey shows what the browser's registration gave; `secret` is what Holdback keeps of it, never sent.
    """

    authenticator: Id
    secret: Sealed | None = None


class AuthenticatorRemove(Action, frozen=True, tag="authenticator.remove"):
    """Take an authenticator away, after a wait."""

    authenticator: Id


class AuthenticatorSuspend(Action, frozen=True, tag="authenticator.suspend"):
    """Stop an authenticator from proving anything, at once and for free: a stolen phone, a leaver's key."""

    authenticator: Id


class AuthenticatorReinstate(Action, frozen=True, tag="authenticator.reinstate"):
    """Let a suspended authenticator prove again, after a wait."""

    authenticator: Id


CONFIRMED_AT_ONCE = frozenset({AuthenticatorKind.BACKUP_CODE})
"""Kinds whose binding already shows that they work: codes that were shown."""


def _credential(_request: Request, action: AuthenticatorConfirm, _peek: Head | None) -> tuple[PartKey, ...]:
    return (("credential", action.authenticator),)


def _bindable(case: Case, action: AuthenticatorBind) -> Finding | None:
    if case.head.member is not None and action.kind is not AuthenticatorKind.PASSKEY:
        return why(Reason.BAD_FIELD, AuthenticatorKind.PASSKEY, about="kind")
    if action.kind is AuthenticatorKind.PASSWORD:
        return why(Reason.BAD_FIELD, "password.change", about="kind")
    if (action.kind in RESTRICTED) != (action.address is not None):
        return why(Reason.BAD_FIELD, about="address")
    if len(case.head.authenticators) >= case.policy.bounds.authenticators:
        return why(Reason.TOO_MANY, "authenticator.remove", about="authenticators")
    return None


def _bind(case: Case, action: AuthenticatorBind) -> Ruling:
    """What is bound while nothing has confirmed it counts for nothing, and is replaced by the next of its kind.

    New backup codes end the older ones, which may lie in somebody else's drawer: they are suspended, so that they prove
    nothing from now on, yet whoever bound the new ones has removed nothing (laws 2 and 10).
    """
    if action.secret is None and action.address is None:
        return denied(why(Reason.NOT_AVAILABLE, about="kind"))
    taken = _reached_already(case, action)
    if taken is not None:
        return denied(taken)
    wait = case.policy.waits.authenticator_senior_h * HOUR
    name = f"a{case.seq}"
    unfinished = tuple(
        key for key, one in case.head.authenticators.items() if one.kind is action.kind and not one.confirmed
    )
    holder = action.address.mac if action.address else name.encode()
    at_once = action.kind in CONFIRMED_AT_ONCE
    until = case.now + wait
    kept = action.address or action.secret
    bound = ev.AuthenticatorBound(case.now, name, action.kind, holder, kept, at_once, wait, until, unfinished)
    findings = (why(Reason.RIPENS_LATER, "time" if at_once else "authenticator.confirm", until=until),)
    return Ruling(Allow(findings, name, until), (bound, *_older_codes(case, action.kind)))


def _older_codes(case: Case, kind: AuthenticatorKind) -> list[ev.AuthenticatorSuspended]:
    if kind is not AuthenticatorKind.BACKUP_CODE:
        return []
    held = [key for key, one in case.head.authenticators.items() if one.kind is kind and not one.suspended]
    return [ev.AuthenticatorSuspended(case.now, key) for key in held]


def _reached_already(case: Case, action: AuthenticatorBind) -> Finding | None:
    """A number or mailbox is bound once, and codes that confirm one are sent no faster than others."""
    for one in case.head.authenticators.values():
        if one.kind is not action.kind or one.kind not in RESTRICTED or one.recycled:
            continue
        again_at = one.bound_at + case.policy.step_up.code_again_m * MINUTE
        if not one.confirmed and case.now < again_at:
            return why(Reason.TOO_MANY, "time", until=again_at, about="codes")
        if one.confirmed and action.address is not None and one.holder == action.address.mac:
            return why(Reason.ALREADY_EXISTS, about="address")
    if action.kind is not AuthenticatorKind.SMS:
        return None
    texted_at = texted_again_at(case.head, case.policy, case.now)
    return why(Reason.TOO_MANY, "time", until=texted_at, about="codes") if case.now < texted_at else None


def _held(case: Case, action: AuthenticatorRemove | AuthenticatorSuspend | AuthenticatorReinstate) -> Finding | None:
    one = case.head.authenticators.get(action.authenticator)
    if one is None:
        return why(Reason.NOT_FOUND, about="authenticator")
    if isinstance(action, AuthenticatorReinstate) and (one.recycled or not one.suspended):
        return why(Reason.NOT_FOUND, about="authenticator")
    if isinstance(action, AuthenticatorSuspend) and one.kind is AuthenticatorKind.PASSWORD:
        return why(Reason.BAD_FIELD, "password.change", about="authenticator")
    if isinstance(action, AuthenticatorRemove):
        return _removable(case, action.authenticator)
    return None


def _removable(case: Case, name: str) -> Finding | None:
    if case.head.authenticators[name].kind is AuthenticatorKind.PASSWORD:
        return why(Reason.LAST_ONE, "password.change", about="authenticator")
    return (
        None if may_go(case.head, name, case.now) else why(Reason.LAST_ONE, "authenticator.bind", about="authenticator")
    )


def _remove(case: Case, action: AuthenticatorRemove) -> Ruling:
    """The proofs that asked must be as strong as what they remove (law 2)."""
    target = case.head.authenticators[action.authenticator]
    proved = {proof.authenticator: case.head.authenticators[proof.authenticator] for proof in case.proved}
    senior = authenticator_is_senior(case.head, target, case.now)
    if senior and strongest(proved) < CLASS[target.kind]:
        return denied(why(Reason.WEAKER_AUTHENTICATOR, about="authenticator"))
    return ask(case, ChangeKind.REMOVE_AUTHENTICATOR, action.authenticator)


def _suspend(case: Case, action: AuthenticatorSuspend) -> Ruling:
    if case.head.authenticators[action.authenticator].suspended:
        return tightened()
    return tightened(ev.AuthenticatorSuspended(case.now, action.authenticator))


def _reinstate(case: Case, action: AuthenticatorReinstate) -> Ruling:
    return ask(case, ChangeKind.REINSTATE_AUTHENTICATOR, action.authenticator)


def _unconfirmed(case: Case, action: AuthenticatorConfirm) -> Finding | None:
    one = case.head.authenticators.get(action.authenticator)
    open_one = one is not None and not one.confirmed and not one.recycled
    return None if open_one else why(Reason.NOT_FOUND, about="authenticator")


def _confirm(case: Case, action: AuthenticatorConfirm) -> Ruling:
    """Only the new authenticator itself confirms, so the session that bound it is all else that is asked."""
    right = [
        proof
        for proof in case.facts.proofs
        if proof.right and proof.authenticator == action.authenticator and proof.digest == case.facts.digest
    ]
    kind = case.head.authenticators[action.authenticator].kind
    if not right or (kind is AuthenticatorKind.PASSKEY and action.secret is None):
        return _not_shown(case, kind)
    wait = case.policy.waits.authenticator_senior_h * HOUR
    until = case.now + wait
    events = (
        ev.AuthenticatorConfirmed(case.now, action.authenticator, wait, until, action.secret),
        ev.ProofUsed(case.now, action.authenticator, right[0].counter, right[0].backed_up),
    )
    return Ruling(Allow((why(Reason.RIPENS_LATER, "time", until=until),), action.authenticator, until), events)


def _not_shown(case: Case, kind: AuthenticatorKind) -> Ruling:
    if not case.facts.proofs:
        return denied(why(Reason.PROOF_REQUIRED, kind.value, about="proofs"))
    failed = ev.ProofFailed(case.now, (kind.value,))
    return Ruling(denied(why(Reason.PROOF_WRONG, kind.value, about="proofs")).decision, (failed,))


RULES: dict[type[Action], Rule] = {
    AuthenticatorBind: Rule(
        OWNER, _bind, level=always(Level.CHANGE), objection=_bindable, restores=True, streams=EVERYBODY
    ),
    AuthenticatorConfirm: Rule(
        OWNER, _confirm, objection=_unconfirmed, parts=_credential, restores=True, streams=EVERYBODY
    ),
    AuthenticatorRemove: Rule(OWNER, _remove, level=always(Level.CHANGE), objection=_held, streams=EVERYBODY),
    AuthenticatorSuspend: Rule(OWNER, _suspend, objection=_held, loosens=False, streams=EVERYBODY),
    AuthenticatorReinstate: Rule(OWNER, _reinstate, level=always(Level.REINSTATE), objection=_held, streams=EVERYBODY),
}
