"""API keys: made with the strongest proof, good for nothing before a wait, stopped at once (laws 1, 3 and 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import DAY, HOUR, ChangeKind, Destination, Finding, Scope, Sealed, Setting
from holdback.core.rules.address import beneficiary_name
from holdback.core.rules.asking import (
    OWNER,
    SYSTEM,
    Action,
    Case,
    Id,
    Network,
    Pair,
    Rule,
    Ruling,
    always,
    denied,
    tightened,
)
from holdback.core.rules.change import ask

if TYPE_CHECKING:
    from holdback.core.events import AnyEvent

PublicKey = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{43}\Z")]
"""The 32 bytes of an Ed25519 public key (RFC 8032), in base64url without padding."""


class KeyAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a key may pay: an address on a network, or without one all behind an opened kind, or (`own`) the family."""

    network: Network
    address: Destination | None = None
    memo: Sealed | None = None


class ApiKeyCreate(Action, frozen=True, tag="api_key.create"):
    """Let a program ask, for this account and those below it.

    `ip_allowlist` are addresses or networks it may ask from, none for anywhere; to withdraw takes one. `pairs` and
    `addresses` are all that it may trade and pay, none for any. `public_key` is of a pair that the program made;
    without one Holdback makes a secret, shown once. `secret` is never sent.
    """

    name: Sealed
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=3)]
    ip_allowlist: Annotated[tuple[Sealed, ...], msgspec.Meta(max_length=32)] = ()
    pairs: Annotated[tuple[Pair, ...], msgspec.Meta(max_length=64)] = ()
    addresses: Annotated[tuple[KeyAddress, ...], msgspec.Meta(max_length=64)] = ()
    expires_d: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    public_key: PublicKey | None = None
    secret: Sealed | None = None


class ApiKeySuspend(Action, frozen=True, tag="api_key.suspend"):
    """Stop a key at once and for free. With `on` false let it go on, after a wait."""

    key: Id
    on: bool = True


class ApiKeyRevoke(Action, frozen=True, tag="api_key.revoke"):
    """End a key for good, at once; all of them if none is named."""

    key: Id | None = None


class ApiKeyLeaked(Action, frozen=True, tag="api_key.leaked"):
    """A key stood on a list of leaked ones."""

    key: Id


def _creatable(case: Case, action: ApiKeyCreate) -> Finding | None:
    if len(set(action.scopes)) < len(action.scopes):
        return why(Reason.BAD_FIELD, about="scopes")
    if Scope.WITHDRAW in action.scopes and not action.ip_allowlist:
        return why(Reason.BAD_FIELD, "ip_allowlist", about="ip_allowlist")
    if (action.expires_d or 0) > case.policy.api_keys.expires_max_d:
        return why(Reason.BAD_FIELD, about="expires_d")
    if len(case.head.api_keys) >= case.policy.bounds.api_keys:
        return why(Reason.TOO_MANY, "api_key.revoke", about="api_keys")
    return None


def _create(case: Case, action: ApiKeyCreate) -> Ruling:
    if action.secret is None:
        return denied(why(Reason.NOT_AVAILABLE, about="secret"))
    limits = case.policy.api_keys
    wait = max(limits.ripens_h, case.head.setting(Setting.LOCK_HOURS)) * HOUR
    name, until = f"k{case.seq}", case.now + wait
    created = ev.ApiKeyCreated(
        at=case.now,
        api_key=name,
        account=case.request.account,
        label=action.name,
        scopes=action.scopes,
        secret=action.secret,
        networks=action.ip_allowlist,
        pairs=action.pairs,
        beneficiaries=tuple(beneficiary_name(one.network, one.address) for one in action.addresses),
        wait_ms=wait,
        until=until,
        expires_at=case.now + (action.expires_d or limits.expires_max_d) * DAY,
    )
    return Ruling(Allow((why(Reason.RIPENS_LATER, "time", until=until),), name, until), (created,))


def _is_held(case: Case, action: ApiKeySuspend | ApiKeyRevoke | ApiKeyLeaked) -> Finding | None:
    known = action.key is None or action.key in case.head.api_keys
    return None if known else why(Reason.NOT_FOUND, about="key")


def _suspending(_case: Case, action: ApiKeySuspend) -> Level:
    return Level.NONE if action.on else Level.CHANGE


def _suspend(case: Case, action: ApiKeySuspend) -> Ruling:
    """What stops it also cancels a going on that waits."""
    suspended = case.head.api_keys[action.key].suspended
    if not action.on and not suspended:
        return denied(why(Reason.NOT_FOUND, about="key"))
    if not action.on:
        return ask(case, ChangeKind.RESUME_API_KEY, action.key)
    cancelled: list[AnyEvent] = [
        ev.ChangeCancelled(case.now, name)
        for name, change in case.head.changes.items()
        if change.kind is ChangeKind.RESUME_API_KEY and change.subject == action.key
    ]
    stopped = [] if suspended else [ev.ApiKeySuspended(case.now, action.key)]
    return tightened(*stopped, *cancelled, *_asked_by(case, action.key), id=action.key)


def _asked_by(case: Case, *keys: str) -> list[ev.ExitCancelled | ev.ExitDisputed]:
    """The end of what waits because these keys asked for it, with whatever proof: whoever stops a key stops that."""
    waiting = [(name, held) for name, held in case.head.exits.items() if held.key in keys]
    return [one for name, held in waiting for one in held.stopped(name, case.now)]


def _end(case: Case, name: str, *, leaked: bool = False) -> ev.ApiKeyRevoked:
    """The end of a key: what it paid unsaid is said with it, for nothing is kept of it that could say so later."""
    key = case.head.api_keys[name]
    return ev.ApiKeyRevoked(case.now, name, leaked, key.label, key.unsaid, key.unsaid_micro_usd)


def _revoke(case: Case, action: ApiKeyRevoke) -> Ruling:
    named = tuple(case.head.api_keys) if action.key is None else (action.key,)
    revoked = [_end(case, key) for key in named]
    return tightened(*revoked, *_asked_by(case, *named), id=action.key or "")


def _leaked(case: Case, action: ApiKeyLeaked) -> Ruling:
    return tightened(_end(case, action.key, leaked=True), *_asked_by(case, action.key))


RULES: dict[type[Action], Rule] = {
    ApiKeyCreate: Rule(OWNER, _create, level=always(Level.CHANGE), objection=_creatable),
    ApiKeySuspend: Rule(OWNER, _suspend, level=_suspending, objection=_is_held, loosens=False),
    ApiKeyRevoke: Rule(OWNER, _revoke, objection=_is_held, loosens=False),
    ApiKeyLeaked: Rule(SYSTEM, _leaked, objection=_is_held, loosens=False),
}
