"""What left an account for another one here goes back, by two of the staff (laws 3 and 6).

Only as long as it has to stay where it went, never more than the mark there holds, and only if its sender was stopped
since: a receiver who earned it is not at the mercy of two people and a story. What the sender drew is undrawn where it
was drawn; the receiver's mark goes when the platform says that it has moved the value (`exit.settle`), so that nothing
leaves in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core import events as ev
from holdback.core import inside
from holdback.core.decision import Allow, Hold, Reason, why
from holdback.core.policy import MICRO
from holdback.core.rules.asking import Case, Ruling
from holdback.core.staffing import confirms, lacks_role

if TYPE_CHECKING:
    from holdback.core.events import Finding, Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Head


def still_held(payer: Head | None, which: str, receiver: Head | None, policy: Policy, now: Instant) -> int:
    """The fact that a return is judged by: how much of an exit still waits at whoever received it, in micro-USD."""
    sent = payer.sent.get(which) if payer is not None else None
    if payer is None or sent is None or receiver is None:
        return 0
    return inside.still_held(receiver.received, payer.account, sent, policy.outflow.received_floor_usd * MICRO, now)


def objection(case: Case, which: str) -> Finding | None:
    """Why this cannot be given back now; what was given back already may be asked for again, until it was moved."""
    lacking = lacks_role(case.facts, *sorted(inside.RETURNS))
    if lacking is not None:
        return lacking
    if not case.facts.clock_agrees:
        return why(Reason.CLOCK_UNCERTAIN, "operator.clock")
    sent = case.head.sent.get(which)
    if sent is None or (case.now >= sent.stopped_until and not sent.returned_at):
        return why(Reason.NOT_FOUND, about="which")
    if case.facts.reconciling:
        return why(Reason.RECONCILING, "operator.reconcile")
    if sent.returned_at:
        return None
    if not sent.stopped:
        return why(Reason.SENDER_NOT_STOPPED, "account.freeze", "incident.report")
    there = sent.reported and case.facts.still_held_micro_usd >= sent.micro_usd
    return None if there else why(Reason.NOTHING_HELD, about="counterparty")


def give_back(case: Case, which: str) -> Ruling:
    """One person asks, a second one who may confirms. Asked again it is the same return, and the same receipt."""
    sent, first = case.head.sent[which], case.head.returning.get(which)
    if sent.returned_at:
        return Ruling(Allow((why(Reason.NO_HARM),), which))
    by = case.facts.staff.member if case.facts.staff is not None else ""
    if first is None or not confirms(first, case.facts, case.policy, case.now):
        waits = Hold((why(Reason.SECOND_PERSON_REQUIRED, *sorted(inside.RETURNS)),), which, None)
        return Ruling(waits, (ev.ExitReturnAsked(case.now, which, case.facts.digest, by),))
    returned = ev.ExitReturned(
        case.now,
        which,
        sent.counterparty,
        sent.micro_usd,
        (first.by, by),
        sent.drawn_at or sent.at,
        sent.lane,
        sent.drawn_micro_usd,
        sent.usual_micro_usd,
        sent.stranger,
        sent.at if sent.drawn_at else 0,
    )
    recalled = ev.ValueRecalled(case.now, sent.micro_usd, case.head.account, sent.at, sent.until)
    return Ruling(Allow((why(Reason.PROVED),), which), (returned,), (recalled,))


def moved(case: Case, which: str) -> tuple[ev.ValueReturned, ...]:
    """What the receiver's stream learns when the platform says that an exit is final which was given back.

    Nothing before it was, or where nobody looked for him: then the platform says it again.
    """
    sent = case.head.sent.get(which)
    if sent is None or not sent.returned_at or case.request.counterparty != sent.counterparty:
        return ()
    return (ev.ValueReturned(case.now, sent.micro_usd, case.head.account, sent.at, sent.until),)
