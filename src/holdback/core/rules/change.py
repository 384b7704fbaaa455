"""Loosening: asked now, in force after its wait, unless cancelled (law 1).

Other subjects call `ask` for their loosenings. `due` carries out those whose time has come; it runs before every
decision, so no timer has to fire for an account to be safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core import events as ev
from holdback.core.decision import Hold, Reason, why
from holdback.core.effects import loosening_wait
from holdback.core.events import DAY, AnyEvent, ChangeKind, Finding, Instant, Setting
from holdback.core.rules.asking import OWNER, Action, Case, Id, Rule, Ruling, denied, tightened

if TYPE_CHECKING:
    from holdback.core.policy import Policy
    from holdback.core.state import Change, Head


class ChangeCancel(Action, frozen=True, tag="change.cancel"):
    """Stop a waiting loosening: `which` is the id its hold was answered with."""

    which: Id


def ask(case: Case, kind: ChangeKind, subject: str, value: int = 0) -> Ruling:
    """Let a loosening wait; asking for the same again changes nothing and answers the hold that already runs."""
    for key, change in case.head.changes.items():
        if (change.kind, change.subject, change.value) == (kind, subject, value):
            return Ruling(Hold((why(Reason.LOOSENING_WAITS, "time", until=change.wait.until),), key, change.wait.until))
    if len(case.head.changes) >= case.policy.bounds.waiting_changes:
        return denied(why(Reason.TOO_MANY, "change.cancel", about="changes"))
    wait = loosening_wait(case.head, kind, case.policy, case.now)
    until, name = case.now + wait, f"ch{case.seq}"
    asked = ev.ChangeAsked(case.now, name, kind, subject, value, wait, until)
    return Ruling(Hold((why(Reason.LOOSENING_WAITS, "time", until=until),), name, until), (asked,))


def due(head: Head, policy: Policy, now: Instant) -> list[AnyEvent]:
    """The loosenings whose wait is over, in the order of their instants, and what carries each out.

    While the account is frozen only the unfreezing itself may come due.
    """
    events: list[AnyEvent] = []
    for key, change in sorted(head.changes.items(), key=lambda item: item[1].wait.until):
        runs = change.wait.heard and change.wait.until <= now
        if runs and (not head.frozen_at or change.kind is ChangeKind.UNFREEZE):
            events.append(ev.ChangeDone(now, key))
            events.extend(_carried_out(head, change, policy, now))
    return events


def _carried_out(head: Head, change: Change, policy: Policy, now: Instant) -> list[AnyEvent]:
    subject = change.subject
    match change.kind:
        case ChangeKind.SET:
            return [ev.SettingChanged(now, Setting(subject), change.value)]
        case ChangeKind.REMOVE_AUTHENTICATOR if subject in head.authenticators:
            return [ev.AuthenticatorRemoved(now, subject)]
        case ChangeKind.REINSTATE_AUTHENTICATOR if subject in head.authenticators:
            return [ev.AuthenticatorReinstated(now, subject)]
        case ChangeKind.REMOVE_CONTACT if subject in head.contacts:
            return [ev.ContactRemoved(now, subject, now + policy.notices.replaced_contact_d * DAY)]
        case ChangeKind.UNFREEZE if head.frozen_at:
            return [ev.Unfrozen(now, bool(change.value))]
        case _:
            return []


def _found(case: Case, action: ChangeCancel) -> Finding | None:
    return None if action.which in case.head.changes else why(Reason.NOT_FOUND, about="which")


def _cancel(case: Case, action: ChangeCancel) -> Ruling:
    return tightened(ev.ChangeCancelled(case.now, action.which), id=action.which)


RULES: dict[type[Action], Rule] = {ChangeCancel: Rule(OWNER, _cancel, objection=_found, loosens=False)}
