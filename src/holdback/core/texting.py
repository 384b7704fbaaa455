"""Codes by text: how many go to all numbers of one account together.

Each costs money, and whoever is paid for the texts that reach his numbers has an account ask for more (toll fraud). So
they are counted where they become due, by whichever route: for contacts, authenticators and recoveries alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core.events import HOUR

if TYPE_CHECKING:
    from holdback.core.events import Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Head


def texts_left(head: Head, policy: Policy, now: Instant) -> int:
    """How many more texts may go now."""
    return max(policy.step_up.codes_per_h - sum(at > now - HOUR for at in head.texted_at), 0)


def texted_again_at(head: Head, policy: Policy, now: Instant, *, stranger: bool = False) -> Instant:
    """When the next text may go; 0 if now.

    Strangers, who recover, use up no more than half: the rest is for who is signed in, or has shown the password.
    """
    most = policy.step_up.codes_per_h
    most = (most + 1) // 2 if stranger else most
    lately = [at for at in head.texted_at if at > now - HOUR]
    return lately[-most] + HOUR if len(lately) >= most else 0
