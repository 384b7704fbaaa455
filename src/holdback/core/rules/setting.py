"""What an owner sets for himself: allowlist mode, lock, daily limit, vault. Tighter is now, looser waits (law 1)."""

from __future__ import annotations

from typing import Annotated, assert_never

import msgspec

from holdback.core import events as ev
from holdback.core.assurance import Level, may_approve
from holdback.core.decision import Reason, why
from holdback.core.effects import is_tighter
from holdback.core.events import AnyEvent, ChangeKind, Finding, Setting
from holdback.core.rules.asking import OWNER, Action, Case, Money, Rule, Ruling, always, micro_usd, tightened
from holdback.core.rules.change import ask
from holdback.core.state import Vault


class AllowlistSet(Action, frozen=True, tag="allowlist.set"):
    """Pay only beneficiaries in the book (`on`), or others too after the wait of a new one."""

    on: bool


class LockSet(Action, frozen=True, tag="lock.set"):
    """Make every loosening, a new beneficiary among them, wait at least this many hours; at most 30 days."""

    hours: Annotated[int, msgspec.Meta(ge=0, le=720)]


Closed = Annotated[
    str, msgspec.Meta(pattern=r"^(pair (\*|[A-Z0-9]{1,16}/[A-Z0-9]{1,16})|counterparty [A-Za-z0-9_-]{1,64})\Z")
]
"""What is closed to trading: a pair, all pairs (`pair *`), or a customer of the platform."""


class LimitSet(Action, frozen=True, tag="limit.set"):
    """Let no more than this leave in 24 h, over all exits together; None takes the limit off.

    With `trades` open a pair or counterparty again that trades had closed, after a wait, and leave the limit alone.
    """

    usd_per_day: Money | msgspec.UnsetType | None = msgspec.UNSET
    trades: Closed | None = None


class VaultSet(Action, frozen=True, tag="vault.set"):
    """Let what reaches into this share of what the account owns, in percent, wait longer; 0 takes the vault off.

    For `hours`, and not without the code sent to `approver`: a contact of long standing on which nothing else rests,
    such as a relative's mailbox. What is left out stays as it is, `approver` "" takes him off.
    """

    share: Annotated[int, msgspec.Meta(ge=0, le=100)]
    hours: Annotated[int, msgspec.Meta(ge=24, le=720)] | None = None
    approver: Annotated[str, msgspec.Meta(max_length=64)] | None = None


def wanted(action: AllowlistSet | LockSet | LimitSet) -> tuple[Setting, int]:
    """Which setting an action asks for, and its value as the state keeps it."""
    match action:
        case AllowlistSet():
            return Setting.ALLOWLIST, int(action.on)
        case LockSet():
            return Setting.LOCK_HOURS, action.hours
        case LimitSet():
            most = action.usd_per_day or None
            return Setting.LIMIT_MICRO_USD, -1 if most is None else micro_usd(most)
        case _:  # pragma: no cover - the type checker proves that nothing arrives here
            assert_never(action)


def _unfit(case: Case, action: AllowlistSet | LockSet | LimitSet) -> Finding | None:
    """A limit names either what may leave or what is opened: taking off the limit is never what is left out."""
    if not isinstance(action, LimitSet):
        return None
    if (action.usd_per_day is msgspec.UNSET) == (action.trades is None):
        return why(Reason.BAD_FIELD, about="usd_per_day")
    known = action.trades is None or action.trades in case.head.closed
    return None if known else why(Reason.NOT_FOUND, about="trades")


def _set(case: Case, action: AllowlistSet | LockSet | LimitSet) -> Ruling:
    """A tighter value also cancels looser ones that wait for the same setting: the newest tightening wins."""
    if isinstance(action, LimitSet) and action.trades is not None:
        return ask(case, ChangeKind.OPEN_TRADING, action.trades)
    setting, value = wanted(action)
    if not is_tighter(setting, case.head.setting(setting), value):
        return ask(case, ChangeKind.SET, setting.value, value)
    overtaken: list[AnyEvent] = [
        ev.ChangeCancelled(case.now, key)
        for key, change in case.head.changes.items()
        if change.kind is ChangeKind.SET and change.subject == setting.value
    ]
    return tightened(ev.SettingChanged(case.now, setting, value), *overtaken)


def _approver(case: Case, action: VaultSet) -> Finding | None:
    """A new approver must be able to approve: else the vault would never open."""
    named, vault = action.approver, case.head.vault
    if not named or (vault is not None and named == vault.approver):
        return None
    if may_approve(case.head, named, None, case.policy, case.now):
        return None
    return why(Reason.NO_SENIOR_CONTACT, "contact.add", about="approver")


def _set_vault(case: Case, action: VaultSet) -> Ruling:
    """More of everything is now, and overtakes what would be less; less of anything waits as long as the vault does."""
    old = case.head.vault or Vault(0, case.policy.waits.vault_h)
    hours = old.hours if action.hours is None else action.hours
    approver = old.approver if action.approver is None else action.approver
    new = Vault(action.share, hours, approver) if action.share else Vault(0, 0)
    if not new.keeps(case.head.vault):
        return ask(case, ChangeKind.VAULT, new.approver, new.packed)
    overtaken = [
        ev.ChangeCancelled(case.now, key)
        for key, change in case.head.changes.items()
        if change.kind is ChangeKind.VAULT
    ]
    return tightened(ev.VaultChanged(case.now, new.percent, new.hours, new.approver), *overtaken)


_RULE = Rule(OWNER, _set, level=always(Level.CHANGE), objection=_unfit, loosens=False)

RULES: dict[type[Action], Rule] = {
    AllowlistSet: _RULE,
    LockSet: _RULE,
    LimitSet: _RULE,
    VaultSet: Rule(OWNER, _set_vault, level=always(Level.CHANGE), objection=_approver, loosens=False),
}
