"""Whether a device is the owner's: it is recognised by what it keeps, and earns trust slowly (law 10).

A device's name is its key's thumbprint if it showed a key, else what the platform calls it. Neither the network address
nor the browser's version is looked at, so a rotated address or an update changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core.events import HOUR, Severity
from holdback.core.seniority import is_ripe
from holdback.core.state import Device, Wait

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Customer, Head


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
