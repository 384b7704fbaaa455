"""The circuit breaker: what trips it is counted outside; that it tripped, and who reset it, stands in a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from holdback.core import breaker
from holdback.core import events as ev
from holdback.core.decision import Allow, Hold, Reason, why
from holdback.core.events import Finding, Sealed, StreamKind
from holdback.core.rules.asking import STAFF, SYSTEM, Action, Case, Request, Rule, Ruling, denied, tightened
from holdback.core.staffing import confirms, lacks_role
from holdback.core.state import Breaker

if TYPE_CHECKING:
    from holdback.core.decision import Facts
    from holdback.core.events import Instant
    from holdback.core.policy import Policy

BREAKERS = frozenset({StreamKind.BREAKER})


class BreakerTrip(Action, frozen=True, tag="breaker.trip"):
    """Hold exits above a size on the whole platform: so much left in an hour, and so much at most may."""

    scope: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    micro_usd: int
    limit_micro_usd: int
    name: Sealed


class BreakerReset(Action, frozen=True, tag="breaker.reset"):
    """Let exits go again. A second person asks the same, and then it is so."""


def _tripped(action: BreakerTrip, now: Instant) -> ev.BreakerTripped:
    return ev.BreakerTripped(now, action.name, action.scope, action.micro_usd, action.limit_micro_usd)


def _begin(request: Request, action: BreakerTrip, _facts: Facts, _policy: Policy, now: Instant) -> Ruling:
    """The first time begins the stream, and there is one."""
    if request.account != ev.BREAKER:
        return denied(why(Reason.BAD_FIELD, ev.BREAKER, about="account"))
    return tightened(_tripped(action, now))


def _state(case: Case) -> Breaker:
    return case.head.breaker or Breaker()


def _untripped(case: Case, _action: BreakerTrip) -> Finding | None:
    return why(Reason.ALREADY_EXISTS, "breaker.reset", about="breaker") if _state(case).tripped_at else None


def _trip(case: Case, action: BreakerTrip) -> Ruling:
    return tightened(_tripped(action, case.now))


def _resettable(case: Case, _action: BreakerReset) -> Finding | None:
    gone = None if _state(case).tripped_at else why(Reason.NOT_FOUND, about="breaker")
    return lacks_role(case.facts, *sorted(breaker.RESETS)) or gone


def _reset(case: Case, _action: BreakerReset) -> Ruling:
    """Two people who both may say so now; what waits goes no earlier than was said (law 1)."""
    first, by = _state(case).proposal, case.facts.staff.member if case.facts.staff is not None else ""
    if first is None or not confirms(first, case.facts, case.policy, case.now):
        waits = Hold((why(Reason.SECOND_PERSON_REQUIRED, *sorted(breaker.RESETS)),), case.head.account, None)
        return Ruling(waits, (ev.BreakerResetAsked(case.now, case.facts.digest, by),))
    return Ruling(Allow((why(Reason.PROVED),), case.head.account), (ev.BreakerReset(case.now, (first.by, by)),))


RULES: dict[type[Action], Rule] = {
    BreakerTrip: Rule(SYSTEM, _trip, objection=_untripped, streams=BREAKERS, loosens=False, begins=_begin),
    BreakerReset: Rule(STAFF, _reset, objection=_resettable, streams=BREAKERS),
}
