"""Whether a device is the owner's: it is recognised by what it keeps, and earns trust slowly (law 10).

A session may be bound to a device's key; then a copy of its token is worth nothing without that key.

A device's name is its key's thumbprint if it showed a key, else what the platform calls it. Neither the network address
nor the browser's version is looked at, so a rotated address or an update changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core.decision import Reason, why
from holdback.core.events import HOUR, Severity, StreamKind
from holdback.core.seniority import is_ripe
from holdback.core.state import Device, Wait

if TYPE_CHECKING:
    from collections.abc import Container

    from holdback.core.decision import DeviceProof
    from holdback.core.events import Finding, Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Customer, Head, Session


def was_met(customer: Customer, device: str) -> bool:
    """Whether it signed in before and its owner did not disown it. Its part must be loaded; "" is always new."""
    part = customer.parts.get(("device", device))
    return isinstance(part, Device) and not part.disowned_at


def is_known(customer: Customer, device: str, policy: Policy, now: Instant) -> bool:
    """Whether it counts as the owner's: met long ago, undisputed since, and seen on several quiet days.

    Its part must be loaded. It is ripe as anything new is: its wait is over, the owner was told of it, no freeze
    disputed it meanwhile, and no cool-off that it was met in still runs.
    """
    part = customer.parts.get(("device", device))
    if customer.head is None or not isinstance(part, Device) or part.disowned_at:
        return False
    wait_ms = policy.devices.known_after_h * HOUR
    ripe = is_ripe(customer.head, part.first_at, Wait(wait_ms, part.first_at + wait_ms, heard=True), now)
    return ripe and part.days >= policy.devices.known_days


def is_quiet(head: Head, now: Instant) -> bool:
    """Whether nobody disputes anything: no freeze, and no severe cool-off that runs or that nobody was told of."""
    severe = [one.others for one in head.cool_offs.values() if one.severity is Severity.SEVERE]
    return not head.frozen_at and not any(not wait.heard or now < wait.until for wait in severe)


def key_fault(
    head: Head, session: Session | None, proof: DeviceProof | None, policy: Policy, now: Instant
) -> Finding | None:
    """Why a request is refused for its device's key, or None; `session` is the one that asks, None for a sign-in.

    What an unbound session signs is not looked at: it says nothing that the session's start did not. A sign-in's proof
    is not spent: whoever shows it again gets, at most, a session that only the key's holder can use. Of the staff a key
    is wanted whatever the policy says.
    """
    required = policy.sessions.device_key == "required" or head.stream is StreamKind.STAFF
    if session is not None and not session.key:
        return _missing() if required else None
    if proof is None:
        return _missing() if required or session is not None else None
    wrong = proof.wrong or _misfit(session, proof, head.device_proofs, policy, now)
    return why(Reason.DEVICE_KEY_WRONG, "device_key", "session.start", about=wrong) if wrong else None


def has_room_for_proof(head: Head, policy: Policy, now: Instant) -> bool:
    """Whether one more proof can be remembered: only keys that a session is bound to can fill the head with them."""
    return sum(until >= now for until in head.device_proofs.values()) < policy.bounds.device_proofs


def _missing() -> Finding:
    return why(Reason.DEVICE_KEY_REQUIRED, "device_key", "session.start")


def _misfit(session: Session | None, proof: DeviceProof, spent: Container[bytes], policy: Policy, now: Instant) -> str:
    """What is wrong with a proof that was rightly made: another's key, not of now, or used before."""
    if session is not None and proof.thumbprint != session.key:
        return "key"
    if not now - policy.sessions.proof_s * 1000 <= proof.at <= now + policy.signals.clock_tolerance_s * 1000:
        return "iat"
    return "jti" if session is not None and proof.id in spent else ""
