"""What is known of a destination beyond the account: lists it is on, who else entered it lately, dust from its like.

All of it is facts that came with the load, and any of it can only tighten (law 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core.decision import Reason, why
from holdback.core.events import DAY, HOUR

if TYPE_CHECKING:
    from holdback.core.events import Finding
    from holdback.core.rules.asking import Case

ADDRESS: Final = "address"
DUST: Final = "dust"
"""Kinds of what accounts share: an address they enter or pay, and the looks of one that sent dust to this account."""


def on_a_list(case: Case) -> Finding | None:
    """Nobody is paid at an address on a list. Which one it is, the log says to staff, and the answer to nobody."""
    listed = any(one.listed for one in case.facts.lists)
    return why(Reason.DESTINATION_LISTED, about="address") if listed else None


def list_missing(case: Case, outcome: str) -> Finding | None:
    """A list that the policy requires and that is not there, or too old, where the policy wants this outcome of it."""
    lists = case.policy.lists
    if not lists.required or lists.missing != outcome:
        return None
    fresh = {one.name for one in case.facts.lists if case.now < one.at + lists.age_d * DAY}
    missing = next((name for name in lists.required if name not in fresh), None)
    return why(Reason.LIST_MISSING, "operator.lists", about=missing) if missing is not None else None


def like_dust(case: Case) -> Finding | None:
    """A small deposit from an address with these edges: it was sent so that the address would be copied."""
    until = (case.facts.dust_day + case.policy.book.dust_d) * DAY
    received = bool(case.facts.dust_day) and case.now < until
    return why(Reason.LOOK_ALIKE_DEPOSIT, "time", until=until, about="address") if received else None


def crowd_wait_ms(case: Case, *, joining: bool) -> int:
    """How long an address waits that many accounts entered or paid within days while it was new here; 0 for others.

    `joining` counts the asking account with them, for what it is about to do.
    """
    rules = case.policy.shared
    for one in case.facts.shared:
        is_new = one.first_day > case.now // DAY - rules.address_new_d
        if one.kind == ADDRESS and is_new and (one.joined if joining else one.accounts) >= rules.address_accounts:
            return rules.address_wait_h * HOUR
    return 0
