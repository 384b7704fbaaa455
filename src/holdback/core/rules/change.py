"""Loosening: asked now, in force after its wait, unless cancelled (law 1).

Other subjects call `ask` for their loosenings. `due` carries out those whose time has come; it runs before every
decision, so no timer has to fire for an account to be safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core import events as ev
from holdback.core.assurance import may_go
from holdback.core.decision import Hold, Reason, why
from holdback.core.effects import loosening_wait
from holdback.core.events import DAY, AnyEvent, ChangeKind, Finding, Instant, Setting
from holdback.core.rules.asking import EVERYBODY, OWNER, Action, Case, Id, Rule, Ruling, denied, tightened
from holdback.core.state import Customer, Vault, evolve

if TYPE_CHECKING:
    from holdback.core.policy import Policy
    from holdback.core.state import Change, Head


class ChangeCancel(Action, frozen=True, tag="change.cancel"):
    """Stop a waiting loosening: `which` is the id its hold was answered with."""

    which: Id


def ask(case: Case, kind: ChangeKind, subject: str, value: int = 0) -> Ruling:
    """Let a loosening wait; asking for the same again changes nothing and answers the hold that already runs."""
    if not case.facts.clock_agrees:
        return denied(why(Reason.CLOCK_UNCERTAIN, "operator.clock"))
    for key, change in case.head.changes.items():
        same_value = change.value == value or kind is ChangeKind.UNFREEZE
        if (change.kind, change.subject) == (kind, subject) and same_value:
            return Ruling(Hold((why(Reason.LOOSENING_WAITS, "time", until=change.wait.until),), key, change.wait.until))
    if len(case.head.changes) >= case.policy.bounds.waiting_changes:
        return denied(why(Reason.TOO_MANY, "change.cancel", about="changes"))
    wait = loosening_wait(case.head, kind, case.policy, case.now)
    until, name = case.now + wait, f"ch{case.seq}"
    asked = ev.ChangeAsked(case.now, name, kind, subject, value, wait, until)
    return Ruling(Hold((why(Reason.LOOSENING_WAITS, "time", until=until),), name, until), (asked,))


def due(head: Head, policy: Policy, now: Instant) -> list[AnyEvent]:
    """The loosenings whose wait is over, in the order of their instants, and what carries each out.

    While the account is frozen only the unfreezing itself may come due. Each is looked at again as the ones before it
    left the account: two removals that were asked for side by side never take the last of anything.
    """
    events: list[AnyEvent] = []
    customer = Customer(head, {})
    for key, change in sorted(head.changes.items(), key=lambda item: item[1].wait.until):
        current = customer.head or head
        runs = change.wait.heard and change.wait.until <= now
        if runs and (not current.frozen_at or change.kind is ChangeKind.UNFREEZE):
            done = [ev.ChangeDone(now, key), *_carried_out(current, change, policy, now)]
            for event in done:
                customer = evolve(customer, event)
            events += done
    return events


def contact_may_go(head: Head, contact: str, policy: Policy) -> bool:
    """Whether someone outside the platform's own systems could still be told without this contact."""
    return any(
        one.channel in policy.notices.independent and one.confirmed and not one.removed and not one.recycled
        for key, one in head.contacts.items()
        if key != contact
    )


def _carried_out(head: Head, change: Change, policy: Policy, now: Instant) -> list[AnyEvent]:
    subject = change.subject
    match change.kind:
        case ChangeKind.SET:
            return [ev.SettingChanged(now, Setting(subject), change.value)]
        case ChangeKind.REMOVE_AUTHENTICATOR if subject in head.authenticators and may_go(head, subject, now):
            return [ev.AuthenticatorRemoved(now, subject)]
        case ChangeKind.REINSTATE_AUTHENTICATOR if subject in head.authenticators:
            return [ev.AuthenticatorReinstated(now, subject)]
        case ChangeKind.REMOVE_CONTACT if subject in head.contacts and contact_may_go(head, subject, policy):
            return [ev.ContactRemoved(now, subject, now + policy.notices.replaced_contact_d * DAY)]
        case ChangeKind.RESUME_API_KEY if subject in head.api_keys:
            return [ev.ApiKeyResumed(now, subject)]
        case ChangeKind.VAULT if head.vault is not None:
            vault = Vault.unpacked(change.value, subject)
            return [ev.VaultChanged(now, vault.percent, vault.hours, vault.approver)]
        case ChangeKind.OPEN_TRADING if subject in head.closed:
            return [ev.TradingOpened(now, subject)]
        case ChangeKind.UNFREEZE if head.frozen_at:
            return [ev.Unfrozen(now, bool(change.value))]
        case _:
            return []


def _found(case: Case, action: ChangeCancel) -> Finding | None:
    return None if action.which in case.head.changes else why(Reason.NOT_FOUND, about="which")


def _cancel(case: Case, action: ChangeCancel) -> Ruling:
    return tightened(ev.ChangeCancelled(case.now, action.which), id=action.which)


RULES: dict[type[Action], Rule] = {
    ChangeCancel: Rule(OWNER, _cancel, objection=_found, loosens=False, streams=EVERYBODY)
}
