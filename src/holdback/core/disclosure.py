"""What may be disclosed of a customer, on which legal basis, and what nobody then proves by it any more (laws 6, 7).

One table of fields and one of bases. A basis reaches the narrowest fields that it can mean. Secrets are in no table:
who holds the account is proved by them, and no paper, whoever signed it, makes anybody else its holder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core import events as ev

if TYPE_CHECKING:
    from holdback.core.events import AnyEvent, Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Head, LegalRequest, Untold

GIVES_AWAY: Final[dict[str, tuple[str, ...]]] = {
    "name": (),
    "email": ("email_code",),
    "phone": ("sms_code",),
    "postal_address": (),
    "kyc_file": ("face", "id_document"),
    "balance": (),
    "transactions": (),
    "beneficiaries": (),
    "sign_ins": (),
    "device_list": (),
}
"""Every field that can be disclosed, and the kinds of evidence that prove nothing once others have it."""

NEVER: Final = (
    "session_tokens",
    "password",
    "totp_secret",
    "passkeys",
    "backup_codes",
    "recovery_tokens",
    "api_keys",
    "device_keys",
)
"""Secrets, named so that pages can say it: no legal basis reaches any."""

EMERGENCY: Final = "emergency"
FREEZE_ORDER: Final = "freeze_order"

REACHES: Final[dict[str, frozenset[str]]] = {
    "subpoena": frozenset({"name", "email", "phone"}),
    "production_order": frozenset({"name", "email", "phone", "postal_address", "balance", "transactions"}),
    "court_order": frozenset(GIVES_AWAY),
    EMERGENCY: frozenset({"name", "phone", "sign_ins"}),
}
"""Every legal basis, and the fields that it reaches."""


def approvers(basis: str, policy: Policy) -> int:
    """How many people approve what asks on a basis: fewer where a life is in danger."""
    return policy.legal.emergency_approvers if basis == EMERGENCY else policy.legal.approvers


def reached(basis: str, fields: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The fields that a basis reaches, and the others, each once and in order."""
    wanted = dict.fromkeys(fields)
    return (
        tuple(one for one in wanted if one in REACHES[basis]),
        tuple(one for one in wanted if one not in REACHES[basis]),
    )


def given_away(fields: tuple[str, ...]) -> tuple[str, ...]:
    """The kinds of evidence that become known with these fields."""
    return tuple(dict.fromkeys(kind for field in fields for kind in GIVES_AWAY[field]))


def alive(head: Head, now: Instant) -> dict[str, LegalRequest]:
    """The legal requests that are open, and the orders in force, the latest last."""
    return {key: one for key, one in head.legal.items() if now < one.ends_at()}


def to_be_read(head: Head, which: str, now: Instant) -> LegalRequest | Untold | None:
    """The request of an id that its handlers may read: open, in force, or disclosed and not told of yet."""
    untold = head.untold.get(which)
    return alive(head, now).get(which) or (untold if untold is not None and now < untold.told_at else None)


def ordered_until(head: Head, now: Instant) -> Instant:
    """When the last authority's order that stops exits now ends, 0 if there is none."""
    return max((one.frozen_until for one in head.legal.values() if now < one.frozen_until), default=0)


def told_now(head: Head, now: Instant) -> list[AnyEvent]:
    """The disclosures whose secrecy is over."""
    return [
        ev.LegalTold(now, name, one.agency, one.basis, one.fields, one.disclosed_at, one.known)
        for name, one in head.untold.items()
        if one.told_at <= now
    ]
