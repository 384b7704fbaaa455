"""The account as a whole: coming under protection, the owner's stop, and taking the stop off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from holdback.core import devices
from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import (
    HOUR,
    STREAM_PREFIX,
    ActorKind,
    AnyEvent,
    AuthenticatorKind,
    ChangeKind,
    Channel,
    Finding,
    Sealed,
)
from holdback.core.rules.address import Provenance, added, network_closed
from holdback.core.rules.asking import (
    EVERYBODY,
    OWNER,
    OWNER_OR_LINK,
    PLATFORM,
    Action,
    Case,
    Id,
    Money,
    Network,
    Request,
    Rule,
    Ruling,
    always,
    denied,
    micro_usd,
)
from holdback.core.rules.change import ask
from holdback.core.rules.recovery import objections

if TYPE_CHECKING:
    from holdback.core.decision import Facts
    from holdback.core.policy import Policy
    from holdback.core.state import Head, PartKey


class ImportedAuthenticator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An authenticator the platform hands over: `secret` is its credential, `address` where codes are sent.

    `sign_count` is a passkey's signature counter as the platform saw it last.
    """

    kind: AuthenticatorKind
    secret: Sealed | None = None
    address: Sealed | None = None
    sign_count: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 0


class ImportedContact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A contact the platform hands over."""

    channel: Channel
    address: Sealed


class ImportedBeneficiary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A beneficiary the platform hands over; without `address` it opens the kind."""

    name: Sealed
    network: Network
    address: ev.Destination | None = None
    memo: Sealed | None = None


class AccountImport(Action, frozen=True, tag="account.import"):
    """Bring a customer under protection, once. Everything imported waits as new: stated ages loosen nothing (law 6).

    `face` is the owner's portrait, a JPEG or PNG of at most 24 KiB in base64, for face checks in a recovery.
    """

    name: Sealed
    authenticators: Annotated[tuple[ImportedAuthenticator, ...], msgspec.Meta(min_length=1, max_length=16)]
    contacts: Annotated[tuple[ImportedContact, ...], msgspec.Meta(min_length=1, max_length=8)]
    sub_accounts: Annotated[tuple[Id, ...], msgspec.Meta(max_length=64)] = ()
    equity_usd: Money = "0"
    address_book: Annotated[tuple[ImportedBeneficiary, ...], msgspec.Meta(max_length=200)] = ()
    face: Sealed | None = None


class AccountFreeze(Action, frozen=True, tag="account.freeze"):
    """Stop every exit of the whole family at once, and everything that waits. Costs no proof (law 5).

    `disown` names a device that was not the owner's: it is signed out, and never known again. "" is every session that
    named none. A device that is not there stops no freeze.
    """

    scope: Annotated[str, msgspec.Meta(pattern=r"^all\Z")] = "all"
    disown: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,64}\Z")] | None = None


class AccountUnfreeze(Action, frozen=True, tag="account.unfreeze"):
    """Take the stop off, by the strongest senior proof and after a wait.

    `mistaken` says that the freeze was wrong: the contact whose link made it may not freeze again until it is
    confirmed.
    """

    mistaken: bool = False


def _unfit(action: AccountImport, policy: Policy) -> Finding | None:
    """An owner who could never be told, or an entry of the book on a network that is closed."""
    if not any(contact.channel in policy.notices.independent for contact in action.contacts):
        return why(Reason.BAD_FIELD, *(str(one) for one in policy.notices.independent), about="contacts")
    closed = (network_closed(entry.network, policy) for entry in action.address_book)
    return next((one for one in closed if one is not None), None)


def _begin(request: Request, action: AccountImport, _facts: Facts, policy: Policy, now: ev.Instant) -> Ruling:
    """The import of an account that does not exist yet. Refuses one whose owner could never be told."""
    if request.account.startswith(tuple(STREAM_PREFIX.values())):
        return denied(why(Reason.BAD_FIELD, about="account"))
    unfit = _unfit(action, policy)
    if unfit is not None:
        return denied(unfit)
    own = (action.name, action.sub_accounts, micro_usd(action.equity_usd), action.face)
    events: list[AnyEvent] = [ev.AccountImported(now, request.account, *own)]
    waits = policy.waits
    wait = waits.authenticator_senior_h * HOUR
    for place, one in enumerate(action.authenticators, start=1):
        name = f"a1-{place}"
        holder = one.address.mac if one.address else name.encode()
        counter = one.sign_count if one.kind is AuthenticatorKind.PASSKEY else 0
        events.append(
            ev.AuthenticatorBound(
                now,
                name,
                one.kind,
                holder,
                one.address or one.secret,
                confirmed=True,
                wait_ms=wait,
                until=now + wait,
                counter=counter,
            )
        )
    wait = waits.contact_senior_h * HOUR
    for place, contact in enumerate(action.contacts, start=1):
        events.append(
            ev.ContactAdded(
                now, f"c1-{place}", contact.channel, contact.address, confirmed=True, wait_ms=wait, until=now + wait
            )
        )
    who = Provenance(request.actor)
    events += [added(now, entry, waits.address_h * HOUR, who) for entry in action.address_book]
    return Ruling(
        Allow((why(Reason.RIPENS_LATER, "time", until=now + wait),), request.account, now + wait), tuple(events)
    )


def _already(_case: Case, _action: AccountImport) -> Finding | None:
    return why(Reason.ALREADY_EXISTS, about="account")


def _never(_case: Case, _action: AccountImport) -> Ruling:  # pragma: no cover - `_already` always objects before it
    return denied(why(Reason.ALREADY_EXISTS, about="account"))


def may_stop(case: Case, _action: Action) -> Finding | None:
    """A link freezes for a contact that is the owner's as far as anyone knows; a session always may."""
    if case.request.actor.kind is not ActorKind.LINK:
        return None
    contact = case.head.contacts.get(case.request.actor.contact)
    if contact is None or contact.recycled or not contact.confirmed or contact.lost_freeze:
        return why(Reason.FREEZE_RIGHT_LOST, "contact.confirm")
    return None


def _disowned(_request: Request, action: AccountFreeze, _peek: Head | None) -> tuple[PartKey, ...]:
    return (("device", action.disown),) if action.disown else ()


def stop(case: Case, *, robbed: bool) -> list[AnyEvent]:
    """The freeze, the end of everything that waits, and an objection to a recovery that is under way.

    A sale whose buyer has paid does not end by it: two of the staff decide. `robbed`: it is said that somebody was in.
    """
    stopped: list[AnyEvent] = [ev.Frozen(case.now, case.request.actor, robbed)]
    stopped += [one for key, held in case.head.exits.items() for one in held.stopped(key, case.now)]
    stopped += [ev.ChangeCancelled(case.now, key) for key in case.head.changes]
    said = [one for one in objections(case) if not isinstance(one, ev.ExitCancelled | ev.ExitMoved)]
    return [*stopped, *said]  # every exit that an objection is about is stopped already


def _freeze(case: Case, action: AccountFreeze) -> Ruling:
    """Freezing again is allowed and stops whatever began to wait since, an unfreezing among it."""
    stopped = stop(case, robbed=action.disown is not None)
    if action.disown is not None and _is_used(case, action.disown):
        stopped.append(ev.DeviceDisowned(case.now, action.disown))
    return Ruling(Allow((why(Reason.TIGHTENING, "account.unfreeze"),)), tuple(stopped))


def _is_used(case: Case, device: str) -> bool:
    """Whether there is anything of a device to take back."""
    return devices.was_met(case.customer, device) or any(one.device == device for one in case.head.sessions.values())


def _is_frozen(case: Case, _action: AccountUnfreeze) -> Finding | None:
    return None if case.head.frozen_at else why(Reason.NOT_FOUND, about="freeze")


def _unfreeze(case: Case, action: AccountUnfreeze) -> Ruling:
    return ask(case, ChangeKind.UNFREEZE, "account", int(action.mistaken))


RULES: dict[type[Action], Rule] = {
    AccountImport: Rule(PLATFORM, _never, objection=_already, begins=_begin),
    AccountFreeze: Rule(OWNER_OR_LINK, _freeze, objection=may_stop, parts=_disowned, loosens=False, streams=EVERYBODY),
    AccountUnfreeze: Rule(OWNER, _unfreeze, level=always(Level.MONEY), objection=_is_frozen, streams=EVERYBODY),
}
