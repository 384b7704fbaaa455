"""What a customer's program may ask with an API key: by its signature, from its networks, within its scopes.

A key is the weakest of proofs: it lies in files, on servers and in repositories. It adds nothing to anything, renews no
beneficiary, opens no instant lane, and draws on the one budget (law 3). One that slept is asked about (Binance, 7 March
2018: keys made in a phishing campaign were used weeks later, all at once).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core import events as ev
from holdback.core.decision import Reason, why
from holdback.core.events import DAY, HOUR, ActorKind, Scope
from holdback.core.seniority import is_ripe, ripe_at
from holdback.core.state import NONCES_KEPT

if TYPE_CHECKING:
    from holdback.core.decision import Facts, KeyFact
    from holdback.core.events import Actor, AnyEvent, Finding, Instant
    from holdback.core.policy import Policy
    from holdback.core.state import ApiKey, Customer, Head, Program


def asking(head: Head | None, actor: Actor) -> ApiKey | None:
    """The key that asks; None if none does, or it is not one of this customer's."""
    return head.api_keys.get(actor.key) if head is not None and actor.kind is ActorKind.API_KEY else None


def unproved(customer: Customer, actor: Actor, facts: Facts, policy: Policy, now: Instant) -> Finding | None:
    """Why a request is not shown to be signed by the key that it names, now and only now; None if it is."""
    program, shown = customer.program(actor.key), facts.api_key
    if asking(customer.head, actor) is None or program is None or shown is None or not shown.right:
        return why(Reason.API_KEY_WRONG, "api_key.create")
    if abs(now - shown.at) > policy.api_keys.signed_s * 1000:
        return why(Reason.API_KEY_REPLAYED, about="timestamp")
    return why(Reason.API_KEY_REPLAYED, about="nonce") if _is_used(program, shown) else None


def too_fast(key: ApiKey, scope: Scope | None, policy: Policy, now: Instant) -> Finding | None:
    """Why a key that signed is not listened to now: whoever stole it must not fill the log, nor its owner's mailbox."""
    until = paced(key, scope, policy, now) - HOUR
    return why(Reason.TOO_MANY, "time", until=until, about="api_key") if until > now else None


def paced(key: ApiKey, scope: Scope | None, policy: Policy, now: Instant) -> Instant:
    """Until when all that a key asked for has to last if it asks once more now; orders are weighed and not counted."""
    return 0 if scope is Scope.TRADE else max(key.paced_until, now) + HOUR // policy.api_keys.asks_per_h


def _is_used(program: Program, shown: KeyFact) -> bool:
    """Whether a nonce was used, or may have been: below all that are remembered, nobody knows."""
    full = len(program.nonces) >= NONCES_KEPT
    return shown.nonce in program.nonces or (full and shown.nonce < program.nonces[0])


def stopped(key: ApiKey, now: Instant) -> Finding | None:
    """Why a key that signed works no more, whatever it asks; None if it does."""
    if key.suspended:
        return why(Reason.API_KEY_SUSPENDED, "api_key.suspend", "api_key.create")
    return why(Reason.API_KEY_SUSPENDED, "api_key.create", about="expires_at") if key.expires_at <= now else None


def barred(  # noqa: PLR0913, PLR0917 - who asks, of whom, for what, and what is known of it
    head: Head, key: ApiKey, account: str, scope: Scope | None, shown: KeyFact | None, policy: Policy, now: Instant
) -> Finding | None:
    """Why a key that works may not do this at all now; None if it may, if need be with its owner's proof."""
    if shown is None or not shown.listed:
        return why(Reason.API_KEY_SCOPE, about="ip_allowlist")
    if key.account not in {head.account, account}:
        return why(Reason.API_KEY_SCOPE, about="account")
    if scope is None or scope not in key.scopes:
        return why(Reason.API_KEY_SCOPE, "api_key.create", about="scopes")
    if scope is Scope.TRADE and _lapsed(key, policy, now):
        return why(Reason.API_KEY_SCOPE, "api_key.create", about="ip_allowlist")
    if not is_ripe(head, key.created_at, key.ripens, now):
        until = ripe_at(head, key.created_at, key.ripens)
        return why(Reason.API_KEY_NEW, "time", until=key.ripens.hoped(now) if until is None else until)
    return None


def is_asleep(key: ApiKey, policy: Policy, now: Instant) -> bool:
    """Whether nobody has used it for so long that its next use is its owner's to confirm."""
    return now > max(key.used_at, key.ripens.until) + policy.api_keys.dormant_d * DAY


def lapses_at(key: ApiKey, policy: Policy) -> Instant | None:
    """When a key that may ask from anywhere stops trading; None for one that never does."""
    trades_from_anywhere = not key.listed and Scope.TRADE in key.scopes
    return key.created_at + policy.api_keys.unlisted_trade_d * DAY if trades_from_anywhere else None


def _lapsed(key: ApiKey, policy: Policy, now: Instant) -> bool:
    at = lapses_at(key, policy)
    return at is not None and at <= now


def warnings(head: Head, policy: Policy, now: Instant) -> list[AnyEvent]:
    """What owners are told now of keys that will stop trading.

    It is told with whatever is asked next: a key that nobody asks with for so long asks for its owner's proof anyway.
    """
    found: list[AnyEvent] = []
    for name, key in head.api_keys.items():
        at = lapses_at(key, policy)
        due = sum(at - days * DAY <= now for days in policy.api_keys.warned_d) if at is not None else 0
        if at is not None and due > key.warned and not key.suspended:
            found.append(ev.ApiKeyWarned(now, name, at, due))
    return found
