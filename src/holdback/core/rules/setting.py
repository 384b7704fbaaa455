"""What an owner sets for himself: allowlist mode, a lock, a daily limit. Tighter is now, looser waits (law 1)."""

from __future__ import annotations

from typing import Annotated, assert_never

import msgspec

from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.effects import is_tighter
from holdback.core.events import AnyEvent, ChangeKind, Setting
from holdback.core.rules.asking import OWNER, Action, Case, Money, Rule, Ruling, always, micro_usd, tightened
from holdback.core.rules.change import ask


class AllowlistSet(Action, frozen=True, tag="allowlist.set"):
    """Pay only beneficiaries in the book (`on`), or others too after the wait of a new one."""

    on: bool


class LockSet(Action, frozen=True, tag="lock.set"):
    """Make every loosening, a new beneficiary among them, wait at least this many hours; at most 30 days."""

    hours: Annotated[int, msgspec.Meta(ge=0, le=720)]


class LimitSet(Action, frozen=True, tag="limit.set"):
    """Let no more than this leave in 24 h, over all exits together; None takes the limit off."""

    usd_per_day: Money | None


def wanted(action: AllowlistSet | LockSet | LimitSet) -> tuple[Setting, int]:
    """Which setting an action asks for, and its value as the state keeps it."""
    match action:
        case AllowlistSet():
            return Setting.ALLOWLIST, int(action.on)
        case LockSet():
            return Setting.LOCK_HOURS, action.hours
        case LimitSet():
            return Setting.LIMIT_MICRO_USD, -1 if action.usd_per_day is None else micro_usd(action.usd_per_day)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(action)


def _set(case: Case, action: AllowlistSet | LockSet | LimitSet) -> Ruling:
    """A tighter value also cancels looser ones that wait for the same setting: the newest tightening wins."""
    setting, value = wanted(action)
    if not is_tighter(setting, case.head.setting(setting), value):
        return ask(case, ChangeKind.SET, setting.value, value)
    overtaken: list[AnyEvent] = [
        ev.ChangeCancelled(case.now, key)
        for key, change in case.head.changes.items()
        if change.kind is ChangeKind.SET and change.subject == setting.value
    ]
    return tightened(ev.SettingChanged(case.now, setting, value), *overtaken)


_RULE = Rule(OWNER, _set, level=always(Level.CHANGE), loosens=False)

RULES: dict[type[Action], Rule] = {AllowlistSet: _RULE, LockSet: _RULE, LimitSet: _RULE}
