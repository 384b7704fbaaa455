"""The address book: whom value may go to, entered with proof and provenance, usable after a wait (incidents C, G, I).

An entry is an address on a network, a bank account (`bank`), a counterparty (`internal`), or, without an address, an
opened kind (`p2p`, `card`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from holdback.core import events as ev
from holdback.core.assurance import Level
from holdback.core.decision import Allow, Reason, why
from holdback.core.events import DAY, HOUR, Actor, Destination, Finding, Instant, Sealed, Setting
from holdback.core.policy import NETWORKS
from holdback.core.rules.asking import (
    OWNER,
    Action,
    Case,
    Network,
    Request,
    Rule,
    Ruling,
    always,
    denied,
    tightened,
)
from holdback.core.rules.elsewhere import crowd_wait_ms, like_dust, list_missing, on_a_list
from holdback.core.state import Beneficiary, Head, Part, PartKey

if TYPE_CHECKING:
    from holdback.core.policy import Policy

OPENED_KINDS = frozenset({"p2p", "card"})
"""Networks whose entries open a kind instead of naming someone, for strangers are normal there."""


class AddressAdd(Action, frozen=True, tag="address.add"):
    """Enter a beneficiary under a name of the owner's choosing.

    Where one address serves many, `memo` says whose money it is, and is part of who the beneficiary is.
    """

    name: Sealed
    network: Network
    address: Destination | None = None
    memo: Sealed | None = None


class AddressRenew(Action, frozen=True, tag="address.renew"):
    """Confirm a beneficiary again by senior proof; it keeps its seniority."""

    network: Network
    address: Destination | None = None
    memo: Sealed | None = None


class AddressRemove(Action, frozen=True, tag="address.remove"):
    """Take a beneficiary out of the book, at once."""

    network: Network
    address: Destination | None = None
    memo: Sealed | None = None


class Entry(Protocol):
    """What an entry is made of, whether added by its owner or imported."""

    @property
    def name(self) -> Sealed:
        """The owner's own name for it."""

    @property
    def network(self) -> str:
        """Where it is."""

    @property
    def address(self) -> Destination | None:
        """Who it is; None opens the kind."""


class Provenance(NamedTuple):
    """Who entered a beneficiary, from which device, with which authenticator (incident G)."""

    actor: Actor
    device: str = ""
    authenticator: str = ""


def beneficiary_name(network: str, address: Sealed | None) -> str:
    """The name of a beneficiary's part row."""
    return f"{network}.{address.name}" if address is not None else network


def newness_ms(lock_hours: int, policy: Policy) -> int:
    """How long someone new waits to be paid: the policy's wait, or the owner's own lock if that is longer.

    Whom money may go to is the loosening a lock is set against above all. It holds for strangers who are not in the
    book, too, or nobody would enter them. (What is bound ripens by the policy alone: it is a guard, and makes nothing
    looser.)
    """
    return max(policy.waits.address_h, lock_hours) * HOUR


def added(at: Instant, entry: Entry, wait: int, who: Provenance) -> ev.AddressAdded:
    """A new entry of the book, waiting so many ms from now on."""
    return ev.AddressAdded(
        at=at,
        beneficiary=beneficiary_name(entry.network, entry.address),
        label=entry.name,
        network=entry.network,
        address=entry.address,
        wait_ms=wait,
        until=at + wait,
        actor=who.actor,
        device=who.device,
        authenticator=who.authenticator,
    )


def _part(
    _request: Request, action: AddressAdd | AddressRenew | AddressRemove, _peek: Head | None
) -> tuple[PartKey, ...]:
    return (("beneficiary", beneficiary_name(action.network, action.address)),)


def _named(action: AddressAdd | AddressRenew | AddressRemove) -> Finding | None:
    opens_kind = action.network in OPENED_KINDS
    if opens_kind == (action.address is None):
        return None
    return why(Reason.BAD_FIELD, about="address")


def network_closed(network: str | None, policy: Policy) -> Finding | None:
    """A network with addresses must be listed: of one that is not nobody could say what an address is."""
    listed = network is None or network in NETWORKS or network in policy.networks
    return None if listed else why(Reason.NETWORK_CLOSED, about="network")


def _nameable(case: Case, action: AddressAdd) -> Finding | None:
    return _named(action) or network_closed(action.network, case.policy)


def look_alike(case: Case, address: Destination) -> str | None:
    """The part name of a live entry that looks like this address and is not it; None if there is none."""
    for (kind, name), part in case.customer.parts.items():
        if kind == "beneficiary" and looking_like(part, address):
            return name
    return None


def looking_like(part: Part, address: Destination) -> bool:
    """Whether a part is a live entry that the eye takes for this address, and is not it.

    One address with two memos looks alike and is meant to: an exchange has one for all its customers.
    """
    if not isinstance(part, Beneficiary) or part.removed or part.address is None:
        return False
    return part.address.alike == address.alike and part.address.place != address.place


def _add(case: Case, action: AddressAdd) -> Ruling:
    """What the book holds is told here, after proof: a stolen session alone learns nothing of it."""
    name = beneficiary_name(action.network, action.address)
    if case.customer.beneficiary(name) is not None:
        return denied(why(Reason.ALREADY_EXISTS, "address.renew", about="address"))
    refusal = _unfit(case, action) or list_missing(case, "deny")
    if refusal is not None:
        return denied(refusal)
    who = Provenance(case.request.actor, case.device, case.proved[-1].authenticator)
    wait, crowded = newness_ms(case.head.setting(Setting.LOCK_HOURS), case.policy), crowd_wait_ms(case, joining=True)
    entry = added(case.now, action, max(wait, crowded), who)
    verified = ev.AddressRenewed(case.now, name, case.now + case.policy.book.verified_d * DAY)
    reason = Reason.DESTINATION_SHARED if crowded else Reason.RIPENS_LATER
    return Ruling(Allow((why(reason, "time", until=entry.until),), name, entry.until), (entry, verified))


def _unfit(case: Case, action: AddressAdd) -> Finding | None:
    """An address that nobody is paid at, or that looks like another one of this account."""
    alike = look_alike(case, action.address) if action.address is not None else None
    if alike is None:
        return on_a_list(case) or like_dust(case)
    return on_a_list(case) or why(Reason.LOOK_ALIKE, "address.remove", about=alike)


def _listed(case: Case, action: AddressRenew | AddressRemove) -> Finding | None:
    name = beneficiary_name(action.network, action.address)
    return None if case.customer.beneficiary(name) is not None else why(Reason.NOT_FOUND, about="address")


def _renew(case: Case, action: AddressRenew) -> Ruling:
    missing = _listed(case, action)
    if missing is not None:
        return denied(missing)
    name = beneficiary_name(action.network, action.address)
    until = case.now + case.policy.book.verified_d * DAY
    return Ruling(Allow((why(Reason.PROVED),), name), (ev.AddressRenewed(case.now, name, until),))


def _remove(case: Case, action: AddressRemove) -> Ruling:
    """An exit that waits for this entry would go to a stranger: it is stopped with it."""
    name = beneficiary_name(action.network, action.address)
    waiting = [(key, held) for key, held in case.head.exits.items() if held.beneficiary == name]
    stopped = [one for key, held in waiting for one in held.stopped(key, case.now)]
    return tightened(ev.AddressRemoved(case.now, name), *stopped)


RULES: dict[type[Action], Rule] = {
    AddressAdd: Rule(OWNER, _add, level=always(Level.CHANGE), objection=_nameable, parts=_part),
    AddressRenew: Rule(OWNER, _renew, level=always(Level.MONEY), parts=_part),
    AddressRemove: Rule(OWNER, _remove, objection=_listed, parts=_part, loosens=False),
}
