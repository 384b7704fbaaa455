"""A P2P sale once its order is made: locked for a buyer, paid by him, disputed, and how it ends (law 3).

Withdrawals were locked, so the thief sold over P2P (OKX, 3 June 2024). What is sold is set aside and drawn as the order
is made, so that many orders do not pass beside each other; no receipt comes with it. It goes by its owner's strongest
proof alone. A stop before the buyer has paid gives it back; one after that helps neither a thief nor a seller who took
the money: then two of the staff decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from holdback.core import events as ev
from holdback.core.decision import Hold, Reason, why
from holdback.core.events import HOUR, ActorKind
from holdback.core.rules.asking import Ruling
from holdback.core.staffing import RULES_ON_SALES, confirms, lacks_role

if TYPE_CHECKING:
    from holdback.core.events import Finding, Instant, Lane
    from holdback.core.rules.asking import Case
    from holdback.core.state import Head, HeldExit

NETWORK: Final = "p2p"
"""Where the buyers of sales are."""


def lock(case: Case, which: str, asked: ev.ExitHeld | HeldExit, lane: Lane, drawn: tuple[int, int]) -> Ruling:
    """Set aside what was asked for; `drawn` is what it is worth, and the part of it that may shape a habit.

    The answer is a hold, for it lets nothing go: there is no receipt before the owner's own `exit.release`.
    """
    until = case.now + case.policy.outflow.sale_lock_h * HOUR
    locked = ev.ExitLocked(
        at=case.now,
        exit=which,
        kind=asked.kind,
        beneficiary=asked.beneficiary,
        lane=lane,
        micro_usd=drawn[0],
        asset=asked.asset,
        amount=asked.amount,
        digest=asked.digest,
        account=asked.account,
        counterparty=asked.counterparty,
        asked_with=asked.asked_with,
        until=until,
        usual_micro_usd=drawn[1],
        stranger=asked.stranger,
        key=asked.key,
    )
    return Ruling(Hold((why(Reason.SALE_LOCKED, "exit.release", until=until),), which, None), (locked,))


def barred(case: Case, held: HeldExit, *, releases: bool) -> Finding | None:
    """Who may not end a locked sale so: the platform lets none go, and of a disputed one only the staff has a say."""
    actor, lock = case.request.actor.kind, held.lock
    disputed = lock is not None and bool(lock.disputed_at)
    if actor is ActorKind.STAFF:
        if not disputed:
            return why(Reason.NOT_ENTITLED, "owner", about="which")
        involved = case.facts.staff is not None and case.facts.staff.involved
        apart = why(Reason.NOT_ENTITLED, *sorted(RULES_ON_SALES), about="involved") if involved else None
        doubt = None if case.facts.clock_agrees else why(Reason.CLOCK_UNCERTAIN, "operator.clock")
        return lacks_role(case.facts, *sorted(RULES_ON_SALES)) or apart or doubt
    if disputed:
        return why(Reason.SALE_DISPUTED, *sorted(RULES_ON_SALES), about="which")
    if lock is not None and releases and actor is not ActorKind.OWNER:
        return why(Reason.SALE_LOCKED, "owner", until=None if lock.paid_at else lock.until, about="which")
    return None


def word(case: Case, which: str, held: HeldExit, *, to_buyer: bool) -> Ruling | tuple[str, ...]:
    """What one of the staff says of a disputed sale; both their names once a second one says the same."""
    staff, first = case.facts.staff, held.lock.proposal if held.lock is not None else None
    by = staff.member if staff is not None else ""
    if first is not None and confirms(first, case.facts, case.policy, case.now):
        return first.by, by
    waits = Hold((why(Reason.SECOND_PERSON_REQUIRED, *sorted(RULES_ON_SALES)),), which, None)
    return Ruling(waits, (ev.ExitRuled(case.now, which, case.facts.digest, by, to_buyer),))


def lapsed(head: Head, now: Instant) -> list[ev.ExitCancelled]:
    """The end of locks whose buyers have not paid in time."""
    over = (
        key
        for key, held in head.exits.items()
        if held.lock is not None and not held.lock.paid_at and held.lock.until <= now
    )
    return [ev.ExitCancelled(now, key) for key in over]


def payable(head: Head, which: str) -> Finding | None:
    """Why it cannot be said that a buyer paid: there is no sale that is locked for one, or it is disputed."""
    held = head.exits.get(which)
    if held is None or held.lock is None:
        return why(Reason.NOT_FOUND, about="which")
    disputed = bool(held.lock.disputed_at)
    return why(Reason.SALE_DISPUTED, *sorted(RULES_ON_SALES), about="which") if disputed else None
