"""Law 2: which proofs an action asks for, and whether those shown suffice. No route ever accepts less.

Classes follow NIST SP 800-63B-4 in strength: passkey > totp, backup_code > sms > email, with the password beside them
and never instead. What is demanded is the strongest class the account holds; a suspended authenticator proves
nothing, yet still counts when the strongest class is found; a junior one signs in, yet counts for nothing else (law
10).

Codes by text and mail are *restricted* (section 3.1.3.3 there): they do where nothing stronger is held. One whose
number or mailbox was given to someone else proves nothing again. It still counts when the strongest class is found for
money, or whoever has a number reported would have made the password enough; that closes money until something at least
as strong is senior, and no longer. It does not count for signing in and for changes, or its owner could never come in
and bind that something: what a thief with the password asks for there waits, and is told. Nor does it ever set the bar
as what was held first. The same is so of one that a recovery suspended because its owner said that it was lost, and
that was stronger than what he showed: he comes in without it, and moves no money before something as strong is senior;
whoever still has it reinstates it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from holdback.core.decision import Reason, why
from holdback.core.events import MINUTE, AuthenticatorKind, Finding
from holdback.core.seniority import authenticator_is_senior, contact_is_senior, ripe_at

if TYPE_CHECKING:
    from holdback.core.decision import Proof
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Authenticator, Head, HeldExit, Session

CONTACT_CODE: Final = "contact_code"

RESTRICTED: Final = frozenset({AuthenticatorKind.SMS, AuthenticatorKind.EMAIL})
"""Kinds whose proof is a code that was sent somewhere; the proof's counter is the instant at which it was."""

CODE_MS: Final = 10 * MINUTE
"""How long a code that was sent to an authenticator is good for (NIST SP 800-63B-4 section 3.1.3.2)."""

BACKUP_CODES: Final = 10
"""Codes in a set, as Holdback makes them; nobody else's are taken over."""

BACKUP_CODES_MOST: Final = 64
"""Codes in a set that can be told apart as used, a bit each."""

CLASS: Final = {
    AuthenticatorKind.PASSWORD: 0,
    AuthenticatorKind.EMAIL: 1,
    AuthenticatorKind.SMS: 2,
    AuthenticatorKind.TOTP: 3,
    AuthenticatorKind.BACKUP_CODE: 3,
    AuthenticatorKind.PASSKEY: 4,
}
"""Strength of each kind; equal numbers stand in for each other."""


class Level(StrEnum):
    """How much proof an action asks for."""

    NONE = "none"
    SIGN_IN = "sign_in"
    CHANGE = "change"
    REINSTATE = "reinstate"
    MONEY = "money"
    EARLY_RELEASE = "early_release"


STRICT: Final = frozenset({Level.MONEY, Level.EARLY_RELEASE})
"""Levels for which only what is senior does, and nothing that somebody else can read."""


class Demand(msgspec.Struct, frozen=True):
    """What must be shown: any one of `accept`, all its kinds together, each by an authenticator in `usable`.

    `refusal` is set, and `accept` empty, when nothing the account holds could satisfy it now.
    """

    accept: tuple[tuple[str, ...], ...]
    usable: frozenset[str]
    refusal: Finding | None = None


def demand(head: Head, level: Level, session: Session | None, policy: Policy, now: Instant) -> Demand:
    """The proofs a level asks of this account now.

    A session that proved the password in the last `step_up.password_fresh_m` is asked for the other factor only, when
    money is concerned; changes ask for everything again (OWASP ASVS 5.0, 7.5.1). Reinstating may be asked for by what
    is suspended itself, for there may be nothing else; its wait is then the owner's protection.

    A password that was replaced lately goes on to stand beside the senior authenticator, or less would be asked than
    before it was replaced. It does not count (law 10): changes and the unfreezing wait in any case, exits wait until it
    does (`rules/exit.py`), and no hold ends early by it. A passkey needs no password beside it.
    """
    strict = level in STRICT
    away = {key for key, one in head.authenticators.items() if not strict and _bars_nobody(one, level)}
    confirmed = {key: one for key, one in head.authenticators.items() if one.confirmed and key not in away}
    senior = {key: one for key, one in confirmed.items() if authenticator_is_senior(head, one, now)}
    if strict and not senior:
        return Demand((), frozenset(), _nothing_senior(head, confirmed))
    pool = confirmed if level is Level.SIGN_IN or not senior else senior
    floor = strongest(senior or _first_held(confirmed))
    usable = {key: one for key, one in pool.items() if CLASS[one.kind] >= floor and not one.recycled}
    if strict and not usable:
        heirs = {key: one for key, one in confirmed.items() if CLASS[one.kind] >= floor}
        return Demand((), frozenset(), _nothing_senior(head, heirs))
    passwords = {key for key, one in confirmed.items() if one.kind is AuthenticatorKind.PASSWORD}
    if level is Level.EARLY_RELEASE and passwords and passwords.isdisjoint(senior):
        usable = {key: one for key, one in usable.items() if one.kind is AuthenticatorKind.PASSKEY}
        if not usable:
            return Demand((), frozenset(), _nothing_senior(head, {key: confirmed[key] for key in passwords}))
    if level is not Level.REINSTATE:
        usable = {key: one for key, one in usable.items() if not one.suspended}
    if not usable:
        satisfied_by = ("authenticator.reinstate", "recovery.open")
        return Demand((), frozenset(), why(Reason.AUTHENTICATOR_SUSPENDED, *satisfied_by))
    fresh = session is not None and now < session.password_at + policy.step_up.password_fresh_m * MINUTE
    with_password = bool(passwords) and not (fresh and level is Level.MONEY)
    kinds = dict.fromkeys(one.kind for one in usable.values())
    accept = tuple(_alternative(kind, with_password=with_password) for kind in kinds)
    if level is Level.EARLY_RELEASE:
        accept = tuple((*kinds_together, CONTACT_CODE) for kinds_together in accept)
    return Demand(accept, frozenset(usable) | passwords)


def _bars_nobody(one: Authenticator, level: Level) -> bool:
    """Whether signing in and changes go by as if it were not there: its owner could never come in, or bind another."""
    return one.recycled or (one.lost and level is not Level.REINSTATE)


def _nothing_senior(head: Head, confirmed: dict[str, Authenticator]) -> Finding:
    counting = [one for one in confirmed.values() if not one.suspended and not one.recycled]
    ripe = [ripe_at(head, one.bound_at, one.ripens) for one in counting]
    known = [until for until in ripe if until is not None]
    return why(Reason.NO_SENIOR_AUTHENTICATOR, "time", "authenticator.bind", until=min(known, default=None))


def _first_held(confirmed: dict[str, Authenticator]) -> dict[str, Authenticator]:
    """While nothing is senior, what was bound first sets the bar: what came after outranks nothing (law 10)."""
    first = min((one.held_since for one in confirmed.values()), default=0)
    return {key: one for key, one in confirmed.items() if one.held_since == first}


def half_counts_at(head: Head, proved: tuple[Proof, ...], now: Instant) -> Instant | None:
    """When proofs that sufficed will count in full: when the password they need beside them is senior.

    None if they do now. While nobody knows, for the owner was not told of the password or of a cool-off it was made in,
    its whole wait is still to come.
    """
    if not proved or any(proof.kind == AuthenticatorKind.PASSKEY for proof in proved):
        return None
    for one in head.authenticators.values():
        if one.kind is AuthenticatorKind.PASSWORD and not authenticator_is_senior(head, one, now):
            return ripe_at(head, one.bound_at, one.ripens) or max(one.ripens.until, now + one.ripens.length_ms)
    return None


def may_go(head: Head, name: str, now: Instant) -> bool:
    """Whether an authenticator may be removed: a senior one that proves something must be left beside the password.

    A set of backup codes that is used up proves nothing.
    """
    proving = {key: one for key, one in head.authenticators.items() if not one.suspended and not one.recycled}
    return any(
        key != name
        and CLASS[one.kind]
        and one.used.bit_count() < BACKUP_CODES
        and authenticator_is_senior(head, one, now)
        for key, one in proving.items()
    )


def password_stands_alone(head: Head) -> bool:
    """Whether nothing is confirmed beside the password, so that it must be long enough to stand by itself."""
    return all(one.kind is AuthenticatorKind.PASSWORD or not one.confirmed for one in head.authenticators.values())


def strongest(held: dict[str, Authenticator]) -> int:
    """The strongest class among these; 0 if there are none."""
    return max((CLASS[one.kind] for one in held.values()), default=0)


def _alternative(kind: AuthenticatorKind, *, with_password: bool) -> tuple[str, ...]:
    alone = kind in {AuthenticatorKind.PASSKEY, AuthenticatorKind.PASSWORD} or not with_password
    return (kind.value,) if alone else (AuthenticatorKind.PASSWORD.value, kind.value)


COUNTING: Final = frozenset({AuthenticatorKind.TOTP, AuthenticatorKind.PASSKEY})
"""Kinds whose counter must grow with each use."""


def answering(proofs: tuple[Proof, ...], *, challenged: bool) -> tuple[Proof, ...]:
    """Those that may count at all. A passkey signs an open challenge, which closes when its answer is accepted.

    Many passkeys do not count their uses, so nothing else would keep one signature from serving twice.
    """
    return proofs if challenged else tuple(one for one in proofs if one.kind != AuthenticatorKind.PASSKEY)


def spent(head: Head, proof: Proof) -> bool:
    """Whether a right proof was used before, or was made for a secret replaced since.

    A code that was sent somewhere is made for one challenge, which is closed as it serves.
    A passkey whose counter does not grow is a copy, or was copied (WebAuthn Level 3, 6.1.1); one that never counts
    stays at 0.
    """
    one = head.authenticators.get(proof.authenticator)
    if one is None:
        return False
    if proof.epoch != one.epoch:
        return True
    if one.kind is AuthenticatorKind.BACKUP_CODE:
        return proof.counter >= BACKUP_CODES_MOST or bool(one.used >> proof.counter & 1)
    uncounted = one.kind is AuthenticatorKind.PASSKEY and not (proof.counter or one.counter)
    return one.kind in COUNTING and not uncounted and proof.counter <= one.counter


def satisfying(
    head: Head, wanted: Demand, proofs: tuple[Proof, ...], digest: bytes, contact: str = ""
) -> tuple[Proof, ...] | None:
    """The proofs that satisfy the demand, or None. They count for the action with this digest only.

    No two of them may rest on one mailbox or phone number: factors are counted by distinct holder. `contact` is the
    one a contact code was sent to.
    """
    for alternative in wanted.accept:
        chosen: list[Proof] = []
        for kind in alternative:
            fitting = (
                proof
                for proof in proofs
                if proof.kind == kind and proof.right and proof.digest == digest and not spent(head, proof)
                if (proof.authenticator == contact if kind == CONTACT_CODE else proof.authenticator in wanted.usable)
            )
            proof = next(fitting, None)
            if proof is not None:
                chosen.append(proof)
        holders = {holder_of(head, proof) for proof in chosen}
        if len(chosen) == len(alternative) == len(holders):
            return tuple(chosen)
    return None


def holder_of(head: Head, proof: Proof) -> bytes:
    """What a proof rests on: equal for one mailbox or phone number."""
    if proof.kind == CONTACT_CODE:
        return head.contacts[proof.authenticator].address.mac
    return head.authenticators[proof.authenticator].holder


def witness(head: Head, held: HeldExit, policy: Policy, now: Instant) -> str | None:
    """A senior contact that took no part in asking for a held exit, or None (law 10)."""
    asking = frozenset((*held.asked_with, *(one.holder for one in head.authenticators.values())))
    return senior_contact(head, asking, policy, now)


def senior_contact(head: Head, asking: frozenset[bytes], policy: Policy, now: Instant) -> str | None:
    """The first senior contact on an independent channel that is not one of the holders in `asking`, or None."""
    return next((key for key in head.contacts if may_witness(head, key, asking, policy, now)), None)


def may_witness(head: Head, name: str, asking: frozenset[bytes], policy: Policy, now: Instant) -> bool:
    """Whether this is a senior contact on an independent channel, and not one of the holders in `asking`."""
    contact = head.contacts.get(name)
    if contact is None or contact.removed or contact.address.mac in asking:
        return False
    return contact.channel in policy.notices.independent and contact_is_senior(head, contact, now)


def may_approve(head: Head, name: str, held: HeldExit | None, policy: Policy, now: Instant) -> bool:
    """Whether a contact can be the second one of a vault: nothing that anybody proves with lives there."""
    asked_with = held.asked_with if held is not None else ()
    asking = frozenset((*asked_with, *(one.holder for one in head.authenticators.values())))
    return may_witness(head, name, asking, policy, now)
