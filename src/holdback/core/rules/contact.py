"""Contacts: where the owner is told. A new one is junior, a replaced one is told for 30 days more (laws 5 and 10)."""

from __future__ import annotations

from holdback.core import events as ev
from holdback.core.assurance import CONTACT_CODE, RESTRICTED, Level
from holdback.core.decision import Allow, Deny, Reason, why
from holdback.core.events import HOUR, MINUTE, ActorKind, AnyEvent, ChangeKind, Channel, Finding, Instant, Sealed
from holdback.core.rules.asking import (
    EVERYBODY,
    OWNER,
    OWNER_OR_PLATFORM,
    Action,
    Case,
    Id,
    Rule,
    Ruling,
    always,
    denied,
    tightened,
)
from holdback.core.rules.change import ask, contact_may_go
from holdback.core.texting import texted_again_at


class ContactAdd(Action, frozen=True, tag="contact.add"):
    """Name a new contact. A code is sent there; until it is shown back the contact counts for nothing."""

    channel: Channel
    address: Sealed


class ContactConfirm(Action, frozen=True, tag="contact.confirm"):
    """Show the code that was sent to a contact, in `proofs` as kind `contact_code`."""

    contact: Id


class ContactRemove(Action, frozen=True, tag="contact.remove"):
    """Take a contact away, after a wait; it is told of severe news for 30 days more."""

    contact: Id


class ContactReportRecycled(Action, frozen=True, tag="contact.report_recycled"):
    """Say that a number or mailbox was given to someone else: nothing is sent there again, no code from it counts.

    It is named by a contact, or by an authenticator of kind sms or email: all that is on it goes with it.
    """

    contact: Id | None = None
    authenticator: Id | None = None


def _room(case: Case, _action: ContactAdd) -> Finding | None:
    live = [one for one in case.head.contacts.values() if not one.removed]
    return (
        why(Reason.TOO_MANY, "contact.remove", about="contacts") if len(live) >= case.policy.bounds.contacts else None
    )


def _add(case: Case, action: ContactAdd) -> Ruling:
    """Naming a contact again that waits to be confirmed, or lost its right to freeze, sends it a fresh code."""
    for key, one in case.head.contacts.items():
        if (one.channel, one.address.mac, one.removed, one.recycled) != (
            action.channel,
            action.address.mac,
            False,
            False,
        ):
            continue
        if one.confirmed and not one.lost_freeze:
            return denied(why(Reason.ALREADY_EXISTS, about="address"))
        again_at = max(one.asked_at + case.policy.step_up.code_again_m * MINUTE, _texted_again_at(case, action))
        if case.now < again_at:
            return denied(why(Reason.TOO_MANY, "time", until=again_at, about="codes"))
        return Ruling(Allow((why(Reason.RIPENS_LATER, "contact.confirm"),), key), (ev.ContactAsked(case.now, key),))
    again_at = _texted_again_at(case, action)
    if case.now < again_at:
        return denied(why(Reason.TOO_MANY, "time", until=again_at, about="codes"))
    wait = case.policy.waits.contact_senior_h * HOUR
    name, until = f"c{case.seq}", case.now + wait
    added = ev.ContactAdded(case.now, name, action.channel, action.address, confirmed=False, wait_ms=wait, until=until)
    return Ruling(Allow((why(Reason.RIPENS_LATER, "contact.confirm", until=until),), name, until), (added,))


def _texted_again_at(case: Case, action: ContactAdd) -> Instant:
    """When a text may go to one more number that nothing confirms; 0 if now, and for other channels.

    Whoever has many numbers of his own, paid by those who text them, would else have one sent to each in turn.
    """
    if action.channel is not Channel.SMS:
        return 0
    new = [one for one in case.head.contacts.values() if one.channel is Channel.SMS and not one.confirmed]
    again_at = max((one.asked_at + case.policy.step_up.code_again_m * MINUTE for one in new), default=0)
    return max(again_at, texted_again_at(case.head, case.policy, case.now))


def _known(case: Case, action: ContactConfirm | ContactRemove) -> Finding | None:
    contact = case.head.contacts.get(action.contact)
    if contact is None or contact.removed or contact.recycled:
        return why(Reason.NOT_FOUND, about="contact")
    if isinstance(action, ContactRemove) and not contact_may_go(case.head, action.contact, case.policy):
        return why(Reason.LAST_ONE, "contact.add", about="contact")
    return None


def _confirm(case: Case, action: ContactConfirm) -> Ruling:
    """Confirming gives back a lost right to freeze; for a new contact it also starts the wait to seniority."""
    shown = [
        one
        for one in case.facts.proofs
        if one.kind == CONTACT_CODE and one.authenticator == action.contact and one.digest == case.facts.digest
    ]
    if not shown:
        return Ruling(Deny((why(Reason.PROOF_REQUIRED, CONTACT_CODE, about="proofs"),)))
    if not any(one.right for one in shown):
        return Ruling(Deny((why(Reason.PROOF_WRONG, CONTACT_CODE, about="proofs"),)), (ev.ProofFailed(case.now, ()),))
    if case.head.contacts[action.contact].confirmed:
        again = ev.ContactConfirmed(case.now, action.contact, 0, case.now)
        return Ruling(Allow((why(Reason.PROVED),), action.contact), (again,))
    wait = case.policy.waits.contact_senior_h * HOUR
    until = case.now + wait
    confirmed = ev.ContactConfirmed(case.now, action.contact, wait, until)
    return Ruling(Allow((why(Reason.RIPENS_LATER, "time", until=until),), action.contact, until), (confirmed,))


def _remove(case: Case, action: ContactRemove) -> Ruling:
    return ask(case, ChangeKind.REMOVE_CONTACT, action.contact)


def _reporting(case: Case, _action: ContactReportRecycled) -> Level:
    """The platform quarantines at once; whoever holds a session could silence the owner, and so proves more."""
    return Level.CHANGE if case.request.actor.kind is ActorKind.OWNER else Level.NONE


def _reported(case: Case, action: ContactReportRecycled) -> Finding | None:
    contact = case.head.contacts.get(action.contact or "")
    authenticator = case.head.authenticators.get(action.authenticator or "")
    if (action.contact is None) == (action.authenticator is None):
        return why(Reason.BAD_FIELD, about="contact")
    if action.contact is not None and (contact is None or contact.removed or contact.recycled):
        return why(Reason.NOT_FOUND, about="contact")
    if action.authenticator is not None and (authenticator is None or authenticator.recycled):
        return why(Reason.NOT_FOUND, about="authenticator")
    if authenticator is not None and authenticator.kind not in RESTRICTED:
        return why(Reason.BAD_FIELD, about="authenticator")
    return None


def _recycled(case: Case, action: ContactReportRecycled) -> Ruling:
    """Whatever lives on that number or mailbox is quarantined, a replaced contact that is still told among it."""
    if action.contact is not None:
        holder = case.head.contacts[action.contact].address.mac
    else:
        holder = case.head.authenticators[action.authenticator or ""].holder
    contacts = [
        key
        for key, one in case.head.contacts.items()
        if one.address.mac == holder and not one.recycled and (not one.removed or one.told_until > case.now)
    ]
    held = [key for key, one in case.head.authenticators.items() if one.holder == holder and not one.recycled]
    events: list[AnyEvent] = [ev.ContactRecycled(case.now, key) for key in contacts]
    return tightened(*events, *(ev.AuthenticatorRecycled(case.now, key) for key in held))


RULES: dict[type[Action], Rule] = {
    ContactAdd: Rule(OWNER, _add, level=always(Level.CHANGE), objection=_room, streams=EVERYBODY),
    ContactConfirm: Rule(OWNER, _confirm, objection=_known, streams=EVERYBODY),
    ContactRemove: Rule(OWNER, _remove, level=always(Level.CHANGE), objection=_known, streams=EVERYBODY),
    ContactReportRecycled: Rule(
        OWNER_OR_PLATFORM, _recycled, level=_reporting, objection=_reported, loosens=False, streams=EVERYBODY
    ),
}
