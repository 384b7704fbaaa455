"""Card payments: what is set aside when one is authorised, and what it came to when it was charged (law 3).

A merchant may charge more than was authorised: a tip, a full tank, another day's exchange rate. So a stated margin is
drawn beside it, and a charge beyond that, or after its time, is drawn as it comes and told. A receipt stands for all
that was authorised, so a smaller charge gives back the margin and no more: what the platform says loosens nothing else
(law 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core import events as ev
from holdback.core.decision import Allow, Reason, why
from holdback.core.rules.asking import Ruling

if TYPE_CHECKING:
    from holdback.core.events import Finding
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Case
    from holdback.core.state import Head

NETWORK: Final = "card"
"""Where merchants are."""


def with_margin(micro_usd: int, policy: Policy) -> int:
    """What is set aside for a payment of so much, in micro-USD."""
    return -(-micro_usd * (100 + policy.outflow.card_margin_percent) // 100)


def margin_of(reserved: int, policy: Policy) -> int:
    """The part of what is set aside that goes beyond the payment."""
    return reserved * policy.outflow.card_margin_percent // (100 + policy.outflow.card_margin_percent)


def chargeable(head: Head, which: str) -> Finding | None:
    """What is wrong with saying what was charged for it: it was no card payment, or is not kept any more."""
    if which in head.cards:
        return None
    if which in head.allowed:
        return why(Reason.BAD_FIELD, about="usd")
    return why(Reason.NOT_FOUND, "exit.reconcile", about="which")


def charged(case: Case, which: str, micro_usd: int, reference: str) -> Ruling:
    """Correct what is drawn for a payment; of one that was charged before, or whose time is over, all is drawn."""
    kept, settled = case.head.cards[which], ev.ExitSettled(case.now, which, reference)
    more, events = micro_usd, list[ev.AnyEvent]()
    if case.now < kept.until:
        refund = min(kept.margin_micro_usd, max(0, kept.micro_usd - micro_usd))
        events.append(ev.ExitCleared(case.now, which, micro_usd, refund, kept.at, kept.lane, kept.stranger))
        more -= kept.micro_usd
    if more > 0:
        events.append(ev.ExitExceeded(case.now, which, more, kept.stranger))
    said = Reason.CHARGED_MORE if more > 0 else Reason.NO_HARM
    return Ruling(Allow((why(said),), which), (*events, settled))
