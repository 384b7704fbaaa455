"""Card payments: what is set aside when one is authorised, and what it came to when it was charged (law 3).

A merchant may charge more than was authorised: a tip, a full tank, another day's exchange rate. So a stated margin is
drawn beside it, and a charge beyond that, or after its time, is drawn as it comes and told. A receipt stands for all
that was authorised, so a smaller charge gives back the margin and no more: what the platform says loosens nothing else
(law 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from holdback.core import events as ev
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import DAY
from holdback.core.rules.asking import MOST_MICRO_USD, Ruling
from holdback.core.state import reference_mark

if TYPE_CHECKING:
    from holdback.core.events import Finding
    from holdback.core.policy import Policy
    from holdback.core.rules.asking import Case

NETWORK: Final = "card"
"""Where merchants are."""


def with_margin(micro_usd: int, policy: Policy) -> int:
    """What is set aside for a payment of so much, in micro-USD."""
    return -(-micro_usd * (100 + policy.outflow.card_margin_percent) // 100)


def margin_of(reserved: int, policy: Policy) -> int:
    """The part of what is set aside that goes beyond the payment."""
    return reserved * policy.outflow.card_margin_percent // (100 + policy.outflow.card_margin_percent)


def chargeable(case: Case, which: str, micro_usd: int) -> Finding | None:
    """What is wrong with saying what was charged for it: it is absurd, no card payment, or nothing ever went by it.

    A payment that is kept no more may be charged: as late as that all of it draws, so to take it only tightens.
    """
    head, gone_at = case.head, case.head.allowed.get(which)
    if micro_usd > MOST_MICRO_USD:
        return why(Reason.BAD_FIELD, about="usd")
    if which in head.cards:
        return None
    young = gone_at is not None and case.now < gone_at + case.policy.outflow.card_cleared_d * DAY
    if young or which in head.sent:
        return why(Reason.BAD_FIELD, about="usd")
    number = which.removeprefix("x")
    past = which != number and number.isdecimal() and int(number) < case.seq
    return None if past else why(Reason.NOT_FOUND, about="which")


def charged(case: Case, which: str, micro_usd: int, reference: str) -> Ruling:
    """Correct what is drawn for a payment; of one that was charged before, or whose time is over, all is drawn.

    Nothing comes back while the clock is in doubt or a restore is worked through (law 8). The same charge said again
    is no news.
    """
    kept, facts = case.head.cards.get(which), case.facts
    nothing_new = Ruling(Allow((why(Reason.NO_HARM),), which))
    if kept is not None and kept.said == reference_mark(reference):
        return nothing_new
    more, events = micro_usd, list[ev.AnyEvent]()
    if kept is not None and not kept.charged and case.now < kept.until:
        sure = facts.clock_agrees and not facts.reconciling
        refund = min(kept.margin_micro_usd, max(0, kept.micro_usd - micro_usd)) if sure else 0
        events.append(ev.ExitCleared(case.now, which, micro_usd, refund, kept.at, kept.lane, kept.stranger))
        more -= kept.micro_usd
    settled = ev.ExitSettled(case.now, which, reference)
    if more <= 0:
        return replace(nothing_new, events=(*events, settled))
    exceeded = ev.ExitExceeded(case.now, which, more, kept.stranger if kept is not None else "")
    return Ruling(Allow((why(Reason.CHARGED_MORE),), which), (*events, exceeded, settled))
