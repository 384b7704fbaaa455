"""What one of the staff sees of a customer: masked, or one field as it is; never a secret, and nothing he did not ask.

Who may read is the core's to say (`core/rules/staff.py`). This only renders what it allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core.disclosure import to_be_read
from holdback.core.events import DAY, Channel
from holdback.core.evidence import EVIDENCE, live
from holdback.core.policy import MICRO
from holdback.core.state import Untold
from holdback.wording.words import instant_text, masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdback.core.events import Instant, Sealed
    from holdback.core.policy import Policy
    from holdback.core.rules.staff import StaffLookUp
    from holdback.core.state import Head, LegalRequest


def seen(
    action: StaffLookUp, head: Head, opened: Callable[[Sealed], str], policy: Policy, now: Instant
) -> dict[str, object]:
    """The fields of one look-up, as JSON has them."""
    return {field: _field(field, action, head, opened, policy, now) for field in action.fields}


def _field(  # noqa: PLR0913, PLR0917 - one field, of whom, under which rules
    field: str, action: StaffLookUp, head: Head, opened: Callable[[Sealed], str], policy: Policy, now: Instant
) -> object:
    match field:
        case "name":
            name = opened(head.name)
            return name if action.reveal else masked(Channel.EMAIL if "@" in name else Channel.SMS, name)
        case "email":
            return _reached(head, Channel.EMAIL, opened, reveal=action.reveal)
        case "phone":
            return _reached(head, Channel.SMS, opened, reveal=action.reveal)
        case "balance":
            return _balance(head, policy, reveal=action.reveal)
        case "authenticators":
            return [{"kind": one.kind, "since": instant_text(one.held_since)} for one in head.authenticators.values()]
        case "contacts":
            return [
                {"channel": one.channel, "since": instant_text(one.added_at), "removed": one.removed}
                for one in head.contacts.values()
            ]
        case "recovery":
            return recovery_seen(head, policy, now)
        case "legal_request":
            return _request(to_be_read(head, action.ticket, now))
        case _:
            return sorted(one.id for one in (live(head, policy, now), head.incident) if one is not None)


def _reached(head: Head, channel: Channel, opened: Callable[[Sealed], str], *, reveal: bool) -> list[str]:
    found = [opened(one.address) for one in head.contacts.values() if one.channel is channel and not one.removed]
    return found if reveal else [masked(channel, one) for one in found]


def _balance(head: Head, policy: Policy, *, reveal: bool) -> str:
    """What the platform said the family owns; masked, between which of the policy's lines."""
    owns = max(head.equity.values(), default=0) // MICRO
    if reveal:
        return f"{owns} USD"
    below = [line for line in policy.staff.decile_usd if line <= owns]
    above = [line for line in policy.staff.decile_usd if line > owns]
    return f"{below[-1] if below else 0} to {above[0]} USD" if above else f"{below[-1]} USD or more"


def recovery_seen(head: Head, policy: Policy, now: Instant) -> dict[str, object]:
    """A recovery as its reviewers have it: what was shown, in which class, and what of it others know. No source."""
    case = live(head, policy, now)
    burned = {kind: instant_text(until) for kind, until in head.burned.items() if until > now}
    if case is None:
        return {"id": None, "burned": burned}
    asker = case.asker
    shown = [
        {"evidence": one.evidence, "class": EVIDENCE[one.evidence].value, "burned": one.evidence in burned}
        for one in case.shown
    ]
    wait = case.wait
    return {
        "id": case.id,
        "opened_at": instant_text(case.opened_at),
        "opened_by": asker.staff if asker is not None and asker.staff else "owner",
        "lost": [one.value for one in case.lost],
        "shown": shown,
        "burned": burned,
        "missed": sum(at > now - DAY for at in head.recovery_missed),
        "contested": case.contested,
        "doubted": case.doubted,
        "drawn": case.drawn,
        "approved": case.approved,
        "reviewers": policy.recovery.reviewers,
        "path": case.path or None,
        "finish_at": instant_text(wait.hoped(now)) if wait is not None else None,
        "targeted_until": instant_text(head.targeted_until) if head.targeted_until > now else None,
    }


def _request(one: LegalRequest | Untold | None) -> object:
    """A legal request as those have it who decide about it, a secret one too."""
    if one is None:  # pragma: no cover - the core let nobody read what there is not
        return None
    shown: dict[str, object] = {"agency": one.agency, "legal_basis": one.basis, "fields": one.fields}
    shown["secret_until"] = instant_text(one.told_at) if one.told_at else None
    if isinstance(one, Untold):
        return shown | {"disclosed_at": instant_text(one.disclosed_at)}
    by = {"entered_by": one.entered_by, "called_by": one.called_by, "approved": one.approved, "thaw_by": one.thaw_by}
    until = instant_text(one.frozen_until) if one.frozen_until else None
    order = {"order_days": one.freeze_ms // DAY, "order_until": until}
    times = {"received_at": instant_text(one.received_at), "ends_at": instant_text(one.ends_at())}
    return shown | times | by | order | {"registered": one.registered, "signed": one.signed}
