"""A deposit from outside: the address it came from ties accounts together that are funded from one place (law 3).

The operator's feed tells of it, and the system asks. It tightens: what victims of trades gave to accounts that are
funded from one address counts together. Nothing of the deposit is kept but the keyed hash of that address.
"""

from __future__ import annotations

from holdback.core.decision import Allow, Reason, why
from holdback.core.rules.asking import SYSTEM, Action, Case, Rule, Ruling, denied
from holdback.core.rules.clusters import funded_from


class DepositReceive(Action, frozen=True, tag="deposit.receive"):
    """Note where a deposit came from. Only the system says so, of what the operator's feed told."""


def _receive(case: Case, _action: DepositReceive) -> Ruling:
    found = funded_from(case.head, case.facts, case.policy, case.now)
    if not found:
        return denied(why(Reason.ALREADY_EXISTS, about="source"))
    return Ruling(Allow((why(Reason.TIGHTENING),)), tuple(found))


RULES: dict[type[Action], Rule] = {DepositReceive: Rule(SYSTEM, _receive, loosens=False)}
