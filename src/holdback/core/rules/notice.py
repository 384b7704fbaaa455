"""What the outbox reports of a notice, and what the other stream of a transfer learns. Nobody outside can ask these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdback.core import events as ev
from holdback.core.decision import Allow, Reason, why
from holdback.core.rules.asking import EVERYBODY, SYSTEM, Action, Case, Request, Rule, Ruling
from holdback.core.seniority import contact_is_senior, ripe_at

if TYPE_CHECKING:
    from holdback.core.events import About, AnyEvent, Instant
    from holdback.core.policy import Policy
    from holdback.core.state import Head, PartKey


class NoticeOutcome(Action, frozen=True, tag="notice.outcome"):
    """A channel accepted a notice to one contact, or every try failed. `about` names the part rows that wait for it."""

    notice: str
    contact: str
    accepted: bool
    about: tuple[About, ...] = ()


def _parts(_request: Request, action: NoticeOutcome, _peek: Head | None) -> tuple[PartKey, ...]:
    return tuple((one.kind, one.id) for one in action.about if one.kind == "beneficiary")


def counts_as_told(head: Head, contact: str, policy: Policy, now: Instant) -> bool:
    """Whether acceptance there starts waits: a senior contact outside the platform's own systems (law 5).

    While an account is so young that no contact ever was senior, any confirmed one outside counts: nobody predates it.
    """
    one = head.contacts.get(contact)
    if one is None or one.channel not in policy.notices.independent:
        return False
    if contact_is_senior(head, one, now):
        return True
    ripe = [ripe_at(head, other.added_at, other.ripens) for other in head.contacts.values() if other.confirmed]
    young = all(until is None or until > now for until in ripe)
    return young and one.confirmed and not one.recycled


def _outcome(case: Case, action: NoticeOutcome) -> Ruling:
    """The first acceptance that counts starts every wait that was about this notice, counted from now.

    Where two clocks disagree it counts from the later one: a database's clock that lags, and is set right meanwhile,
    would end each wait as much too early. Nothing is given back if it was the other one that was wrong (law 8).
    """
    if not action.accepted:
        return Ruling(Allow((why(Reason.NO_HARM),)), (ev.NoticeFailed(case.now, action.notice, action.contact),))
    waiting = case.head.unheard.get(action.notice)
    if waiting is None or not counts_as_told(case.head, action.contact, case.policy, case.now):
        return Ruling(Allow((why(Reason.NO_HARM),)))
    moved: list[AnyEvent] = [ev.NoticeAccepted(case.now, action.notice, action.contact)]
    moved += [event for about in waiting.about if (event := _moved(case, about)) is not None]
    return Ruling(Allow((why(Reason.NO_HARM),)), tuple(moved))


def _moved(case: Case, about: About) -> ev.WaitMoved | None:
    head, now, since = case.head, case.now, case.now + case.facts.ahead_ms
    if about.kind == "cool_off":
        cool = head.cool_offs.get(about.id)
        if cool is None:
            return None
        return ev.WaitMoved(now, about, since + cool.others.length_ms, since + cool.senior.length_ms)
    wait = None
    if about.kind == "beneficiary":
        entry = case.customer.beneficiary(about.id)
        wait = entry.ripens if entry else None
    elif about.kind == "change" and about.id in head.changes:
        wait = head.changes[about.id].wait
    elif about.kind == "exit" and about.id in head.exits:
        wait = head.exits[about.id].wait
    elif about.kind == "authenticator" and about.id in head.authenticators:
        wait = head.authenticators[about.id].ripens
    elif about.kind == "contact" and about.id in head.contacts:
        wait = head.contacts[about.id].ripens
    elif about.kind == "api_key" and about.id in head.api_keys:
        wait = head.api_keys[about.id].ripens
    elif about.kind == "recovery" and head.recovery is not None and head.recovery.id == about.id:
        wait = head.recovery.wait
    return ev.WaitMoved(now, about, since + wait.length_ms) if wait is not None else None


RULES: dict[type[Action], Rule] = {
    NoticeOutcome: Rule(SYSTEM, _outcome, parts=_parts, loosens=False, streams=EVERYBODY)
}
